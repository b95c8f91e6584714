// What the recordings of one Intake share, and its live registry. For the
// files of this room alone.
#ifndef SCHLEUSE_GATEWAY_TRANSFER_INTAKE_INSIDE_H_
#define SCHLEUSE_GATEWAY_TRANSFER_INTAKE_INSIDE_H_

#include <atomic>
#include <deque>
#include <initializer_list>
#include <list>
#include <map>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "base/log.h"
#include "base/log_budget.h"
#include "base/mutex.h"
#include "gateway/access/device_counts.h"
#include "gateway/transfer/credit_book.h"
#include "gateway/transfer/intake.h"
#include "gateway/transfer/receipt_layer.h"

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
  // One holder less. An entry not `worth_keeping` goes with its last holder.
  void Leave(const RecordingName& name, bool worth_keeping);

  std::vector<std::shared_ptr<LiveRecording>> All() const;
  // The same, and counts one holder more of each.
  std::vector<std::shared_ptr<LiveRecording>> HoldAll();
  bool Has(const RecordingName& name) const;
  // Whether somebody holds it now.
  bool IsHeld(const RecordingName& name) const;
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
  Executor& workers;
  Executor& waiters;
  const Clock& clock;
  Random& random;
  const IntakeOptions options;

  LiveRegistry registry{};
  std::shared_ptr<DeviceCounts> streams = std::make_shared<DeviceCounts>(
      options.streams_max, options.streams_per_device_max);
  CreditBook credit{options.credit_bytes_total};
  ReceiptWatches watches{};
  std::atomic<bool> draining{false};
  std::shared_ptr<ReceiptLayer> layer = std::make_shared<ReceiptLayer>(
      store, waiters, clock, [of = streams] { return of->all() > 0; });

  Mutex leftovers_mutex{};
  // Finished transfers of an earlier process that wait for their turn, and how
  // many have theirs.
  std::deque<Unstored> leftovers ABSL_GUARDED_BY(leftovers_mutex){};
  int leftovers_running ABSL_GUARDED_BY(leftovers_mutex) = 0;

  Mutex log_mutex{};
  // By event; these are literals in our code.
  std::map<std::string, LogBudget> log_budgets ABSL_GUARDED_BY(log_mutex){};

  // A stream's equal part of the credit; what it was told may be less.
  uint64_t CreditBytes() const;
  // Large chunks are cheap, but each takes its memory as long as it is
  // received: a stream has several of them within its credit.
  uint64_t ChunkBytesMax() const;

  // What happened goes into the custody log, where there is one.
  void State(statement::Event event, CustodyLog::Importance importance);

  // The same for those who are turned away, of whom there may be any number.
  LogBudget refusals{1}, certificate_refusals{1};
  void StateRefused(const RecordingName& name, const Principal& principal,
                    absl::string_view reason);

  // Log, for what a peer or a broken disk can make us say again and again.
  void Say(Severity severity, absl::string_view event,
           std::initializer_list<LogField> fields);
};

// Brings leftovers into the store, so many at a time. Each that had its turn
// says so by LeftoverDone, and may come back for another by LeftoverAgain.
void StartLeftovers(const std::shared_ptr<IntakeInside>& house);
void LeftoverDone(const std::shared_ptr<IntakeInside>& house);
void LeftoverAgain(const std::shared_ptr<IntakeInside>& house,
                   const Unstored& unstored);

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
  // On the strand.
  CreditBook::Share credit{house->credit};

  std::atomic<bool> ended{false};
  // It holds its recording no more: whoever sets this counts one holder less.
  std::atomic<bool> left{false};
  Mutex mutex{};
  uint64_t queued_bytes ABSL_GUARDED_BY(mutex) = 0;
  bool reading_stopped ABSL_GUARDED_BY(mutex) = false;

  // Ends the stream once; later calls do nothing.
  void End(const StreamEnd& end);
  void Send(const Reply& reply);
  void SayRefused(absl::string_view event, absl::string_view reason);
  // A chunk of so many bytes left the queue.
  void Dequeued(uint64_t bytes);
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_TRANSFER_INTAKE_INSIDE_H_
