// Who the gateway is and whom it believes: reads the files that the
// configuration names and checks that they fit together.
#ifndef SCHLEUSE_GATEWAY_TRUST_H_
#define SCHLEUSE_GATEWAY_TRUST_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "crypto/certificate.h"
#include "disk/disk.h"
#include "gateway/access/roster.h"
#include "gateway/config.h"

namespace schleuse {

struct Trust {
  std::string certificate_chain_pem;
  std::string private_key_pem;  // gRPC keeps it as long as the process lives
  std::string root_certificates_pem;
  Roster roster;
  std::vector<RevocationList> revocation_lists;
  // What is not wrong but refuses devices: a CA without a list, or with one
  // that ran out.
  std::vector<std::string> warnings;

  //   InvalidArgument  a file is wrong, a certificate not valid at `now`, or
  //                    the key another's; the message lists every mistake, one
  //                    a line: "/etc/schleuse/gateway.key: ..."
  static absl::StatusOr<Trust> Load(const Disk& disk, const Config& config,
                                    absl::Time now);
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_TRUST_H_
