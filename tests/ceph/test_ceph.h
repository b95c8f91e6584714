// A real Ceph with S3 over TLS, for one test: started by tests/ceph/ceph, with
// a certificate of the test's own PKI.
#ifndef SCHLEUSE_TESTS_CEPH_TEST_CEPH_H_
#define SCHLEUSE_TESTS_CEPH_TEST_CEPH_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "certs/test_pki.h"
#include "tests/e2e/process.h"

namespace schleuse {

class TestCeph {
 public:
  // Starts all of it and waits until it takes requests; the test ends if it
  // does not.
  explicit TestCeph(const TestPki& pki);
  ~TestCeph();

  std::string endpoint() const { return endpoint_; }
  uint16_t port() const;
  // A new file of credentials, as the gateway reads it; its path.
  std::string CredentialsFile() const;
  const std::string& access_key() const { return access_key_; }
  const std::string& secret_key() const { return secret_key_; }

  void MakeBucket(absl::string_view name, bool object_lock = false) const;
  // What curl says to a request that is signed: its body. `words` are for a
  // shell, the URL is appended.
  std::string Ask(absl::string_view words, absl::string_view target) const;

  // The bytes of many objects, over one connection.
  std::vector<std::string> Fetch(const std::vector<std::string>& targets) const;

  // "mon", "mgr", "osd" or "rgw". Killed, it is started again at once; put down
  // it stays so.
  void Kill(absl::string_view daemon) const;
  void PutDown(absl::string_view daemon) const;
  void PutUp(absl::string_view daemon) const;

 private:
  std::string Path(absl::string_view name) const;

  std::string directory_;
  std::string root_;
  std::string endpoint_, access_key_, secret_key_;
  std::unique_ptr<Process> process_;
};

}  // namespace schleuse

#endif  // SCHLEUSE_TESTS_CEPH_TEST_CEPH_H_
