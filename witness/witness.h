// Cosigns checkpoints of gateways' custody logs, each only as the continuation
// of the one before (C2SP tlog-witness 1.0.0, tlog-cosignature): so that no
// gateway can show two people two histories. It knows nothing of HTTP.
//
//   <state>/witness.marker           whose state this is
//   <state>/<SHA-256 of the origin>  the checkpoint that was cosigned last
//   <state>/<...>.conflict           the first one that contradicted it
#ifndef SCHLEUSE_WITNESS_WITNESS_H_
#define SCHLEUSE_WITNESS_WITNESS_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/log_budget.h"
#include "base/mutex.h"
#include "disk/disk.h"
#include "evidence/checkpoint.h"
#include "evidence/cosigning.h"
#include "evidence/note.h"
#include "witness/witness_key.h"

namespace schleuse {

// What became of a request.
struct WitnessVerdict {
  enum class Kind {
    kCosigned,
    kMalformed,      // or its old size is larger than its checkpoint
    kUnknownOrigin,  // of no gateway that is pinned here
    kNotSigned,      // not by all of that gateway's keys
    kStale,          // its old size is not the latest
    kFork,           // another root at the size of the latest
    kBadProof,
    kFailed,  // nothing was cosigned and nothing is known; ask again
  };
  Kind kind;
  std::string lines = {};  // of kCosigned
  uint64_t latest = 0;     // of kStale
  std::string reason = {};
  // What was asked for, once its signatures were found good.
  std::string origin = {};
  uint64_t size = 0;
};

// Safe to call from many threads.
class Witness {
 public:
  // Origins of one gateway that are remembered: whoever stole its keys shall
  // not fill the disk.
  static constexpr size_t kOriginsPerGatewayMax = 1000;

  // Reads what was cosigned before. `disk` and `clock` are borrowed.
  //   DataLoss  a file of the state is damaged, or cosigned by another key: do
  //             not start; the message says which and what to do
  //   others    as Disk says
  static absl::StatusOr<std::unique_ptr<Witness>> Open(
      Disk& disk, absl::string_view state_directory, WitnessKey key,
      std::vector<PinnedKeys> gateways, const Clock& clock);

  // `body` is that of an add-checkpoint request. What is cosigned is durable
  // before this returns. `gateway` is who asks: it may ask for its own log
  // alone; empty: for any.
  WitnessVerdict Add(absl::string_view body, absl::string_view gateway = {});

  // The checkpoint that was cosigned last, with its cosignature; by origin.
  struct Latest {
    Checkpoint checkpoint;
    std::string note;
  };
  std::map<std::string, Latest> latest() const;

 private:
  Witness(Disk& disk, absl::string_view state_directory, WitnessKey key,
          std::vector<PinnedKeys> gateways, const Clock& clock);
  absl::Status ReadState();
  absl::StatusOr<Latest> ReadLatest(const std::string& path) const;
  const PinnedKeys* PinnedFor(const Origin& origin) const;
  std::string PathOf(absl::string_view origin) const;
  bool MayRemember(const Origin& origin) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  WitnessVerdict Compare(const AddCheckpoint& request, Checkpoint checkpoint);
  WitnessVerdict Keep(const AddCheckpoint& request, Checkpoint checkpoint)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  WitnessVerdict Contradiction(WitnessVerdict::Kind kind,
                               const AddCheckpoint& request,
                               const Checkpoint& checkpoint,
                               absl::string_view reason)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Disk& disk_;
  const std::string directory_;
  const WitnessKey key_;
  const std::vector<PinnedKeys> gateways_;
  const Clock& clock_;

  // Held while the disk works: comparing and storing are one step.
  mutable Mutex mutex_;
  LogBudget alarms_;  // whoever stole a gateway's keys shall not fill the log
  std::map<std::string, Latest> latest_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace schleuse

#endif  // SCHLEUSE_WITNESS_WITNESS_H_
