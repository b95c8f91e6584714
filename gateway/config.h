// The gateway's configuration as an operator wrote it (proto/config.proto),
// checked: what a Config holds can be used as it is.
#ifndef SCHLEUSE_GATEWAY_CONFIG_H_
#define SCHLEUSE_GATEWAY_CONFIG_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/socket_address.h"
#include "disk/disk.h"
#include "gateway/custody_room.h"
#include "gateway/outside_config.h"
#include "gateway/store_room.h"

namespace schleuse {

// How long things are kept.
struct RetentionPlan {
  std::string rules_file;  // empty: nothing is deleted for its age
  std::string holds_file;  // empty: nothing is held
  absl::Duration every;
  absl::Duration idle;  // of an unfinished transfer
};

// How what is stored is read once more.
struct ScrubPlan {
  uint64_t bytes_per_second;
  absl::Duration every;
};

// All paths are absolute.
struct Config {
  SocketAddress listen;
  std::string spool_directory;
  StorePlace store;
  std::string certificate_chain_file;
  std::string private_key_file;
  std::string root_certificates_file;
  std::vector<std::string> revocation_list_files;
  std::string roster_file;
  std::optional<CustodyPlace> custody;  // absent: no receipts are given
  EgressPlan egress;
  WitnessPlan witnesses;  // of the custody log
  RetentionPlan retention;
  std::optional<ScrubPlan> scrub;  // absent: there is none
  uint64_t credit_bytes_total;
  int streams_max;
  int streams_per_device_max;
  uint64_t spool_reserve_bytes;
  int worker_threads;  // 0: four for each processor
  absl::Duration drain;

  // Reads the configuration at `path`, an absolute path. Files that it names
  // need only be readable; what they hold is for those who use them.
  //   InvalidArgument  it is wrong; the message lists every mistake, one a
  //                    line: "/etc/schleuse/gateway.textproto:7: listen: ..."
  //   others           `path` itself cannot be read, as ReadFile says
  static absl::StatusOr<Config> Load(const Disk& disk, absl::string_view path);
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_CONFIG_H_
