// How far witnessed receipts have been laid, and when each witness was last
// heard of: a small file beside the log, so that neither a restart nor a
// million receipts cost memory or a second reading.
//
//   schleuse-witnessed-v1
//   <origin of the log that is being covered>
//   <entries of it whose receipts are laid>
//   left <index>               each of those that could not be laid yet
//   <seconds since 1970-01-01T00:00:00Z> <name of a witness>      each
#ifndef SCHLEUSE_GATEWAY_CUSTODY_WITNESSED_STATE_H_
#define SCHLEUSE_GATEWAY_CUSTODY_WITNESSED_STATE_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "evidence/checkpoint.h"

namespace schleuse {

struct WitnessedState {
  Origin origin;
  uint64_t covered = 0;
  std::set<uint64_t> left = {};                  // below `covered`
  std::map<std::string, absl::Time> heard = {};  // in whole seconds

  friend bool operator==(const WitnessedState&,
                         const WitnessedState&) = default;

  std::string ToText() const;
  //   InvalidArgument  it is none
  static absl::StatusOr<WitnessedState> Parse(absl::string_view text);
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_CUSTODY_WITNESSED_STATE_H_
