// Has witnesses cosign what the log published, in the background, and lays a
// witnessed receipt into each bundle that they thereby vouch for. It reads the
// published files alone, as any stranger could: nothing here can hold the log
// up, or a transfer.
//
// A dead witness is an alarm by age. One that knows more than the log, or
// something else, shows that the log was set back or forked: then nothing may
// be signed any more.
#ifndef SCHLEUSE_GATEWAY_CUSTODY_WITNESSING_H_
#define SCHLEUSE_GATEWAY_CUSTODY_WITNESSING_H_

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "base/executor.h"
#include "base/random.h"
#include "base/recording_name.h"
#include "disk/disk.h"
#include "evidence/checkpoint.h"
#include "evidence/note.h"
#include "gateway/custody/custody_log.h"
#include "gateway/custody/log_files.h"
#include "gateway/custody/witness_peer.h"
#include "gateway/custody/witnessed_state.h"

namespace schleuse {

struct WitnessDoor {
  NoteVerifier key;  // a cosignature key; its name is the witness's
  std::unique_ptr<WitnessPeer> witness;  // null: files are carried to and fro
};

// A receipt for a stored recording, to a checkpoint that witnesses cosigned.
struct WitnessedReceipt {
  RecordingName name;
  std::string statement;
  std::string receipt;  // C2SP tlog-proof
};

struct WitnessingOptions {
  // Between rounds, with jitter.
  absl::Duration every = absl::Minutes(1);
  // A witness that cosigned nothing for so long is an alarm.
  absl::Duration alarm_after = absl::Hours(24);
  // So many cosignatures make a receipt a witnessed one.
  size_t required = 1;
  // How long a witness may take.
  absl::Duration patience = absl::Seconds(15);
  // Where checkpoints are put that came back cosigned on a stick; empty: none
  // do.
  std::string inbox;
  // Lays each; one status for each, as Store::LayWitnessed says. A recording
  // that is gone is NotFound.
  std::function<std::vector<absl::Status>(absl::Span<const WitnessedReceipt>)>
      lay;
  // Somebody knows more than the log: it must stop. Called once.
  std::function<void(const absl::Status&)> on_ahead;
};

// Its rounds run one at a time; no other call but Stop may run beside them.
class Witnessing : public std::enable_shared_from_this<Witnessing> {
 public:
  // Everything is borrowed and outlives the last task on `executor`, which
  // waits for the network: give it one of its own. `directory` is the custody
  // log's.
  Witnessing(Disk& disk, absl::string_view directory, const PinnedKeys& pinned,
             std::vector<WitnessDoor> doors, Executor& executor,
             const Clock& clock, Random& random, WitnessingOptions options);

  // What the witnesses know already, for CustodyLog::Open: those that answer
  // within their part of `patience`. The log need not be open.
  std::vector<KnownTree> AskWhatIsKnown(absl::Duration patience);

  // Round after round from now on.
  void Start();
  // One round: everything that came by stick, then every witness, then the
  // receipts that are covered now.
  void Round();
  // A round that runs ends soon, and what is left of it is left to a later
  // process. From any thread.
  void Stop() { stopping_ = true; }

 private:
  // A log as it is published.
  struct Published {
    Origin origin;
    LogFiles files;
    std::string note;
    Checkpoint checkpoint;
  };
  struct Door {
    NoteVerifier key;
    std::unique_ptr<WitnessPeer> witness;
    // The size that it cosigned last, as far as we know, of which log.
    std::string origin = {};
    uint64_t known = 0;
    absl::Time alarmed = absl::InfinitePast();
  };

  void RunLater();
  absl::Status RunRound();
  absl::Status LoadState();
  absl::Status CosignAndLay(const Published& log);
  bool IsDone(uint64_t size);
  // nullopt: nothing is published there.
  absl::StatusOr<std::optional<Published>> Read(const Origin& origin) const;
  absl::StatusOr<std::vector<Origin>> Origins() const;
  // What came by stick, and is signed by this log and a witness of ours.
  struct Carried {
    std::string path;
    std::string note;  // with the signatures that we know, and no others
    Checkpoint checkpoint;
    Origin origin;
    std::vector<NoteSignature> cosignatures;  // numbers are those of doors_
  };
  // Files that are none of that are set aside. Nothing of it ends a round.
  std::vector<Carried> ReadInbox() const;
  absl::StatusOr<Carried> ReadCarried(const std::string& path) const;
  absl::Status TakeInbox(const Published& log);
  absl::Status Take(const Published& log, const Carried& carried);
  // The note with every cosignature that could be had.
  absl::StatusOr<std::string> Cosigned(const Published& log);
  absl::StatusOr<std::string> Cosign(Door& door, const Published& log,
                                     absl::string_view note);
  absl::Status LayUpTo(const Published& log, const std::string& note,
                       uint64_t size);
  absl::Status LayLeft(const Published& log, const std::string& note,
                       uint64_t size);
  absl::StatusOr<std::set<uint64_t>> LayEach(
      const Published& log, const std::string& note, uint64_t size,
      absl::Span<const uint64_t> indices) const;
  absl::Status SaveState() const;
  absl::StatusOr<Digest> RootAt(const Published& log, uint64_t size) const;
  // Records that it heard of a witness.
  void Heard(const Door& door, absl::Time when);
  void CheckAges();
  // Somebody knows what this log is not. Of the newest log it ends all; behind
  // an older one another was begun, as a person decided.
  absl::Status Contradicted(const Origin& origin, absl::string_view what);

  Disk& disk_;
  const std::string directory_;
  const PinnedKeys& pinned_;
  std::vector<Door> doors_;
  Executor& executor_;
  const Clock& clock_;
  Random& random_;
  const WitnessingOptions options_;
  std::optional<WitnessedState> state_;
  // Since when a closed log waits for its last receipts.
  absl::Time closed_since_ = absl::InfiniteFuture();
  bool ahead_ = false;
  std::atomic<bool> stopping_ = false;
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_CUSTODY_WITNESSING_H_
