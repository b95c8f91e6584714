// A whole house for one test: a PKI, a configured gateway on loopback, devices
// with certificates and files to upload, all in one directory.
#ifndef SCHLEUSE_TESTS_E2E_HOUSE_H_
#define SCHLEUSE_TESTS_E2E_HOUSE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "certs/test_pki.h"
#include "tests/e2e/process.h"

namespace schleuse {

class House {
 public:
  // Everything but the processes: the gateway is initialized, not started.
  // `settings` stand in its configuration, `store` in its store { }.
  explicit House(absl::string_view settings = "",
                 absl::string_view store = "file { root: \"DIR/store\" }");
  // In a PKI that others share.
  House(const TestPki& pki, absl::string_view settings,
        absl::string_view store);

  // Puts `to` in the place of `from` in the gateway's configuration, for its
  // next start.
  void Configure(absl::string_view from, absl::string_view to);
  // Runs the gateway until it ends by itself; for starts that are refused.
  // Returns its exit code, -1 if it did not end.
  int RunGateway();
  // Starts the gateway and waits until it is ready. With `kill_at` it kills
  // itself at that failpoint, "name:n", and may do so before it is ready:
  // then nothing is returned.
  std::unique_ptr<Process> StartGateway(absl::string_view kill_at = "");
  // With one thread that hangs once it comes by that failpoint, "name:n".
  std::unique_ptr<Process> StartGatewayThatHangs(absl::string_view hang_at);
  // Starts schleuse-upload with the dock's certificate and quick retries.
  std::unique_ptr<Process> StartUpload(absl::string_view camera,
                                       const std::vector<std::string>& words,
                                       absl::string_view kill_at = "");

  // A new file of random bytes; returns its path.
  std::string MakeFile(absl::string_view name, uint64_t size);

  // "" if the store holds exactly one recording under that name, with the
  // bytes of `source`; else what is wrong.
  std::string CheckStored(absl::string_view camera, absl::string_view recording,
                          const std::string& source) const;
  // "" if schleuse-verify finds the custody log and every bundle in order; else
  // what it says.
  std::string Verify() const;
  // What schleuse-verify says to `words`, the keys added; and how it ended.
  struct Said {
    int code;
    std::string text;
  };
  Said RunVerify(absl::string_view words) const;
  // Files of transfers that lie in the spool.
  std::vector<std::string> SpoolFiles() const;
  // How often processes killed themselves at each failpoint.
  std::map<std::string, int> KillCounts() const;

  // For devices that a test plays itself.
  std::string address() const;
  const TestPki& pki() const { return pki_; }
  const std::string& dock_certificate() const { return dock_; }
  std::string root_certificates() const { return pki_.Read("root.pem"); }

  std::string Path(absl::string_view name) const;
  // What gateway and uploaders printed.
  std::string Output() const;

 private:
  std::unique_ptr<Process> StartGateway(
      const std::map<std::string, std::string>& environment);

  TestPki pki_;
  std::string directory_;
  std::string dock_;
  int port_ = 0;  // the first start's, kept by later ones
  uint64_t files_made_ = 0;
};

}  // namespace schleuse

#endif  // SCHLEUSE_TESTS_E2E_HOUSE_H_
