// What the recordings of one Intake share, and its live registry. For the
// files of this room alone.
#ifndef SCHLEUSE_GATEWAY_TRANSFER_INTAKE_INSIDE_H_
#define SCHLEUSE_GATEWAY_TRANSFER_INTAKE_INSIDE_H_

#include <atomic>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "base/log_budget.h"
#include "base/mutex.h"
#include "gateway/access/device_counts.h"
#include "gateway/transfer/intake.h"

namespace schleuse {

// The recordings that are live, by name. One that nobody holds stays for a
// while, so that a device that comes right back finds its files open and its
// hash running; the longest idle go first. Safe to call from many threads.
class LiveRegistry {
 public:
  using Make = absl::AnyInvocable<std::shared_ptr<LiveRecording>()>;

  // The live recording of that name, made if there is none. Counts one holder.
  std::shared_ptr<LiveRecording> Join(const RecordingName& name, Make make);
  // One holder more of a live recording that has one already, or less.
  void Hold(const RecordingName& name);
  void Leave(const RecordingName& name);

  std::vector<std::shared_ptr<LiveRecording>> All() const;
  void Clear();

 private:
  struct Entry {
    std::shared_ptr<LiveRecording> live;
    int holders = 0;
    std::list<RecordingName>::iterator idle;  // valid while holders == 0
  };
  mutable Mutex mutex_;
  std::map<RecordingName, Entry> live_ ABSL_GUARDED_BY(mutex_);
  std::list<RecordingName> idle_ ABSL_GUARDED_BY(mutex_);  // longest first
};

// Shared by the Intake and the tasks of its recordings, whichever lives longer.
struct IntakeInside {
  Spool& spool;
  Store& store;
  const RosterSource& roster;
  Executor& executor;
  const Clock& clock;
  Random& random;
  const IntakeOptions options;

  LiveRegistry registry{};
  std::shared_ptr<DeviceCounts> streams = std::make_shared<DeviceCounts>(
      options.streams_max, options.streams_per_device_max);
  std::atomic<bool> draining{false};
  LogBudget refusals{};

  Mutex leftovers_mutex{};
  // Finished transfers of an earlier process that wait for their turn.
  std::deque<Unstored> leftovers ABSL_GUARDED_BY(leftovers_mutex){};

  // The share of the memory that a stream may have in flight.
  uint64_t CreditBytes() const;
};

// Begins to bring the next leftover into the store, if there is one.
void StartNextLeftover(const std::shared_ptr<IntakeInside>& house);

// What a stream's calls and its recording both need.
struct Stream::Inside {
  const std::shared_ptr<IntakeInside> house;
  const Principal principal;
  const std::shared_ptr<Outlet> outlet;

  // Set by Begin, on the door's thread; the strand never looks.
  std::shared_ptr<LiveRecording> live = {};
  bool begun = false;
  // Among the streams that carry a transfer.
  std::optional<DeviceCounted> counted = {};

  std::atomic<bool> ended{false};
  Mutex mutex{};
  uint64_t queued_bytes ABSL_GUARDED_BY(mutex) = 0;
  bool reading_stopped ABSL_GUARDED_BY(mutex) = false;

  // Ends the stream once; later calls do nothing.
  void End(const StreamEnd& end);
  void Send(const Reply& reply);
  void LogRefusal(absl::string_view what, absl::string_view reason);
  // A chunk of so many bytes left the queue.
  void Dequeued(uint64_t bytes);
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_TRANSFER_INTAKE_INSIDE_H_
