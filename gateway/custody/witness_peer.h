// Somebody outside who cosigns the log's checkpoints and remembers them (C2SP
// tlog-witness 1.0.0), so that the gateway cannot tell two people two different
// histories.
#ifndef SCHLEUSE_GATEWAY_CUSTODY_WITNESS_PEER_H_
#define SCHLEUSE_GATEWAY_CUSTODY_WITNESS_PEER_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "evidence/cosigning.h"

namespace schleuse {

// One of the first three.
struct WitnessAnswer {
  std::optional<std::string> lines = {};  // cosignatures, unchecked
  std::optional<uint64_t> latest = {};    // it knows a tree of this size
  std::string refusal = {};               // in its words
  // It refuses because what it knows is no beginning of what it was shown.
  bool contradicts = false;
};

// One thread at a time.
class WitnessPeer {
 public:
  virtual ~WitnessPeer() = default;
  // May take as long as `patience`.
  //   Unavailable, PermissionDenied, ...  it was not reached, or what it said
  //                                       is no answer
  virtual absl::StatusOr<WitnessAnswer> Ask(const AddCheckpoint& request,
                                            absl::Duration patience) = 0;
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_CUSTODY_WITNESS_PEER_H_
