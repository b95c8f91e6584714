// A development PKI, made by schleuse-certs for one test.
#ifndef SCHLEUSE_CERTS_TEST_PKI_H_
#define SCHLEUSE_CERTS_TEST_PKI_H_

#include <string>

#include "absl/strings/string_view.h"

namespace schleuse {

// The contents of a file; the test ends if it cannot be read.
std::string ReadTestFile(const std::string& path);
void WriteTestFile(const std::string& path, absl::string_view bytes);
// Runs a shell command, "openssl ..."; the test ends if it fails.
void RunForTest(const std::string& command);

class TestPki {
 public:
  // Makes one in a new directory below TEST_TMPDIR.
  //   init_options  words for `schleuse-certs init`
  explicit TestPki(absl::string_view init_options = "");

  // `words` as for `schleuse-certs issue DIR`: "dock d1 --station s1". Returns
  // the path of the PEM file; its key is at KeyOf.
  std::string Issue(absl::string_view words) const;
  static std::string KeyOf(absl::string_view pem_path);
  void Revoke(absl::string_view pem_path) const;

  // "root.pem", "ca-devices.pem", "crl-devices.pem", ...
  std::string Path(absl::string_view file) const;
  std::string Read(absl::string_view file) const {
    return ReadTestFile(Path(file));
  }

 private:
  std::string directory_;
};

}  // namespace schleuse

#endif  // SCHLEUSE_CERTS_TEST_PKI_H_
