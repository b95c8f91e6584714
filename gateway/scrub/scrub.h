// Reads what is stored once more, slowly, and holds it against its receipt:
// disks forget, and so do people who tidy up. First every recording that the
// store knows, then every one that the custody log still names: one that the
// store lost altogether shows only there. Whatever is wrong is an alarm and a
// statement; nothing is changed.
#ifndef SCHLEUSE_GATEWAY_SCRUB_SCRUB_H_
#define SCHLEUSE_GATEWAY_SCRUB_SCRUB_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/executor.h"
#include "base/recording_name.h"
#include "crypto/digest.h"
#include "disk/disk.h"
#include "evidence/checkpoint.h"
#include "gateway/custody/custody_log.h"
#include "gateway/custody/statement.h"
#include "gateway/scrub/scrub_state.h"
#include "gateway/store/store.h"

namespace schleuse {

struct ScrubOptions {
  std::string state_file;     // absolute
  std::string log_directory;  // of the custody log
  std::string gateway_name;   // in it
  // At the most, of footage.
  uint64_t bytes_per_second = 8 << 20;
  // From the beginning of one pass to that of the next.
  absl::Duration every = absl::Hours(24) * 30;
  // Somebody is busy with it: it may be on its way to where it is looked for.
  std::function<bool(const RecordingName&)> is_busy = [](const RecordingName&) {
    return false;
  };
  // Its time is over, so that a store which deletes by itself may have done so.
  std::function<bool(const statement::Read::Stored&)> is_over =
      [](const statement::Read::Stored&) { return false; };
};

class Scrub : public std::enable_shared_from_this<Scrub> {
 public:
  // Everything is borrowed and outlives the last task on `executor`, whose
  // tasks wait for the disk and the store. `pinned`: whose receipts are ours.
  Scrub(Disk& disk, const Store& store, CustodyLog& log,
        const PinnedKeys& pinned, Executor& executor, const Clock& clock,
        ScrubOptions options);

  // Reads how far an earlier process came.
  //   others  it cannot be read, as Disk says
  absl::Status Load();
  // Pass after pass, each in its time, until `executor` stops.
  void Start();

  const ScrubState& state() const { return state_; }

 private:
  using Finding = statement::Damaged::Finding;
  // A recording that is being read.
  struct Reading {
    RecordingName name;
    Bundle bundle;
    statement::Read::Stored stored;
    std::unique_ptr<StoredBytes> bytes;
    Sha256 hash = {};
  };

  void Go();
  // Each returns how long to wait until the next step.
  absl::Duration Step();
  absl::Duration StepReading();
  absl::Duration StepStore();
  absl::Duration StepLog();
  absl::Duration BeginPass();
  absl::Duration EndPass();

  void DoneWith(const RecordingName& name);
  absl::Duration LookAt(const RecordingName& name);
  absl::Duration LookForStated(const statement::Read::Stored& stored);
  // The store or a disk does not answer: it is tried again.
  absl::Duration NotNow(const absl::Status& why);
  absl::Duration Found(const RecordingName& name, Finding finding,
                       absl::string_view detail, absl::string_view location);
  // Whether nobody is about to store it, or to delete it.
  bool IsSettled(const RecordingName& name, Finding finding) const;
  // The receipt's word on what is stored; or why it is none.
  absl::StatusOr<statement::Read::Stored> ReadProven(const RecordingName& name,
                                                     const Proof& proof) const;
  absl::StatusOr<std::vector<statement::Read::Stored>> ReadBundle();
  bool IsDeleted(const RecordingName& name) const;
  void LogIsDamaged(const absl::Status& why);
  void Save();

  Disk& disk_;
  const Store& store_;
  CustodyLog& log_;
  const PinnedKeys& pinned_;
  Executor& executor_;
  const Clock& clock_;
  const ScrubOptions options_;

  ScrubState state_;
  ScrubState kept_;   // as it was between two recordings
  ScrubState saved_;  // as the file has it
  absl::Time save_at_ = absl::InfinitePast();
  int tries_ = 0;            // of what is next, because somebody was busy
  bool complained_ = false;  // that it cannot go on
  std::vector<RecordingName> names_;  // of this page, last one first
  std::string next_page_;
  bool last_page_ = false;
  std::vector<statement::Read::Stored> stated_;  // last one first
  std::optional<Reading> reading_;
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_SCRUB_SCRUB_H_
