// The witness's configuration as a person wrote it
// (proto/witness_config.proto), checked.
#ifndef SCHLEUSE_WITNESS_CONFIG_H_
#define SCHLEUSE_WITNESS_CONFIG_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/socket_address.h"
#include "crypto/certificate.h"
#include "crypto/tls_context.h"
#include "disk/disk.h"
#include "evidence/checkpoint.h"
#include "witness/witness_key.h"

namespace schleuse {

struct WitnessConfig {
  struct Https {
    SocketAddress listen;
    std::string prefix;  // "" or "/w1"
    TlsIdentity identity;
    std::vector<Certificate> issuers;  // of gateways' certificates
    std::vector<RevocationList> revocation_lists;
    // Who may ask, by SPIFFE ID, and for which gateway's log.
    std::map<std::string, std::string> clients;
  };
  WitnessPlaces places;
  std::vector<PinnedKeys> gateways;
  std::optional<Https> https;
  // What is not wrong but keeps gateways out.
  std::vector<std::string> warnings;

  // Reads the configuration at `path`, an absolute path, and the files that it
  // names.
  //   InvalidArgument  it is wrong; the message lists every mistake, one a
  //                    line: "/etc/schleuse/witness.textproto:7: listen: ..."
  //   others           `path` itself cannot be read, as ReadFile says
  static absl::StatusOr<WitnessConfig> Load(const Disk& disk,
                                            absl::string_view path,
                                            absl::Time now);
  // The places alone, for init: other files may not be there yet.
  static absl::StatusOr<WitnessPlaces> LoadPlaces(const Disk& disk,
                                                  absl::string_view path);
};

}  // namespace schleuse

#endif  // SCHLEUSE_WITNESS_CONFIG_H_
