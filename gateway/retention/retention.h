// Deletes what is not to be kept any longer: stored recordings, what lies
// unstored in the spool or in quarantine, and transfers that nobody goes on
// with. Each deletion is stated before the first byte goes.
//
// Doubt keeps: a clock that stands alone, holds that cannot be read, a receipt
// that does not hold, no rule that fits.
#ifndef SCHLEUSE_GATEWAY_RETENTION_RETENTION_H_
#define SCHLEUSE_GATEWAY_RETENTION_RETENTION_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/executor.h"
#include "base/mutex.h"
#include "disk/disk.h"
#include "evidence/checkpoint.h"
#include "gateway/custody/custody_log.h"
#include "gateway/retention/holds.h"
#include "gateway/retention/retention_state.h"
#include "gateway/retention/rules.h"
#include "gateway/spool/spool.h"
#include "gateway/store/store.h"
#include "gateway/transfer/intake.h"

namespace schleuse {

struct RetentionOptions {
  // Absent: nothing is deleted for its age, and only what nobody goes on with
  // is given up. Rules and holds need a log, in which that is stated.
  std::optional<RetentionRules> rules = {};
  std::string holds_file = {};  // absolute; empty: nothing is held
  // Of the small file that remembers; absolute. Empty: nothing is remembered,
  // and each process warns anew.
  std::string state_file = {};
  absl::Duration every = absl::Hours(1);
  // An unfinished transfer may be idle for so long.
  absl::Duration idle = absl::Hours(24) * 7;
  // So long before anything leaves the spool a warning says so.
  absl::Duration notice = absl::Hours(24);
  std::function<bool()> clock_synchronised = [] { return false; };
};

class Retention : public std::enable_shared_from_this<Retention> {
 public:
  // `log` and `pinned` (whose receipts are ours) may be nullptr where no log is
  // kept. Everything is borrowed and outlives the last task on `executor`,
  // whose tasks wait for the disk.
  Retention(Disk& disk, Intake& intake, Spool& spool, const Store& store,
            CustodyLog* log, const PinnedKeys* pinned, Executor& executor,
            const Clock& clock, RetentionOptions options);

  // Reads what an earlier process left.
  //   others  it cannot be read, as Disk says
  absl::Status Load();

  // Pass after pass, until `executor` stops.
  void Start();
  // One pass; `done` hears when it is over, from some thread, and whether
  // somebody was busy with what is overdue.
  void Pass(absl::AnyInvocable<void(bool)> done);

 private:
  struct Run;
  void StartAfter(absl::Duration wait);
  void Step(const std::shared_ptr<Run>& run);
  void StepSoon(const std::shared_ptr<Run>& run);
  bool StepSpool(const std::shared_ptr<Run>& run);
  bool StepQuarantine(const std::shared_ptr<Run>& run);
  bool StepStore(const std::shared_ptr<Run>& run);
  void LookAtStored(const std::shared_ptr<Run>& run, const RecordingName& name);
  void End(Run& run);
  Removed Heed(const std::shared_ptr<Run>& run, std::string what);

  // --- from the strand of a recording too ---
  absl::StatusOr<Holds> LoadHolds() const;
  // Whether it is held, or nobody knows.
  bool IsHeld(const std::optional<RecordingName>& name,
              absl::string_view incident) const;
  std::optional<statement::Event> Decide(const Spooled& spooled);
  std::optional<statement::Event> Decide(const SetAsideTransfer& transfer);
  std::optional<statement::Event> Decide(Run& run, const RecordingName& name,
                                         const Bundle& bundle,
                                         const Proof& proof) const;
  // Whether a warning of it is old enough; else warns.
  bool WasWarned(const TransferId& id, const std::optional<RecordingName>& name,
                 absl::string_view what, absl::Time goes);

  struct Telling;
  void StateHolds(const Holds& holds);
  void Told(Telling& telling, const absl::Status& stated);
  void Save();

  Disk& disk_;
  Intake& intake_;
  Spool& spool_;
  const Store& store_;
  CustodyLog* const log_;
  const PinnedKeys* const pinned_;
  Executor& executor_;
  const Clock& clock_;
  const RetentionOptions options_;

  mutable Mutex mutex_;
  RetentionState state_ ABSL_GUARDED_BY(mutex_);
  RetentionState saved_ ABSL_GUARDED_BY(mutex_);
  bool held_back_ = false;  // the last pass could not be made
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_RETENTION_RETENTION_H_
