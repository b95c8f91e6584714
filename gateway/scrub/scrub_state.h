// How far a scrub has come, so that a restart goes on there: a small file.
//
//   schleuse-scrub-v1
//   <when the pass began, microseconds since 1970-01-01T00:00:00Z; 0: none did>
//   store <where the store's names go on>  |  log <log> <bundle of entries>
//         |  over
//   <sound> <bytes> <damaged> <deleted> <stated>
#ifndef SCHLEUSE_GATEWAY_SCRUB_SCRUB_STATE_H_
#define SCHLEUSE_GATEWAY_SCRUB_SCRUB_STATE_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace schleuse {

struct ScrubState {
  enum class Phase { kStore, kLog, kOver };
  absl::Time begun = absl::UnixEpoch();
  Phase phase = Phase::kOver;
  std::string after = {};  // kStore: what Store::List goes on with
  std::string log = {};    // kLog: its directory; empty: the first
  uint64_t bundle = 0;     // kLog: of its entries
  uint64_t sound = 0, bytes = 0, damaged = 0, deleted = 0, stated = 0;

  friend bool operator==(const ScrubState&, const ScrubState&) = default;

  std::string ToText() const;
  //   InvalidArgument  it is none
  static absl::StatusOr<ScrubState> Parse(absl::string_view text);
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_SCRUB_SCRUB_STATE_H_
