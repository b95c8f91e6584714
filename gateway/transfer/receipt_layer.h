// Lays receipts beside their bytes, many at a time: what is given within a
// moment shares its syncs. Nobody waits for it but the spool and the custody
// log, which keep what they have until then; so it lets those go first who
// bring recordings, for a while.
#ifndef SCHLEUSE_GATEWAY_TRANSFER_RECEIPT_LAYER_H_
#define SCHLEUSE_GATEWAY_TRANSFER_RECEIPT_LAYER_H_

#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/executor.h"
#include "base/mutex.h"
#include "gateway/store/store.h"

namespace schleuse {

// Safe to call from many threads. Lives as long as its tasks.
class ReceiptLayer : public std::enable_shared_from_this<ReceiptLayer> {
 public:
  using Done = absl::AnyInvocable<void(absl::Status)>;

  // The first three are borrowed and outlive the last task on `waiters`.
  // `busy`, from any thread: whether somebody would have to wait.
  ReceiptLayer(Store& store, Executor& waiters, const Clock& clock,
               absl::AnyInvocable<bool() const> busy)
      : store_(store),
        waiters_(waiters),
        clock_(clock),
        busy_(std::move(busy)) {}

  // Tells `done` as Store::Lay does, from some thread.
  void Lay(Laying laying, Done done);
  // Nobody goes first any more.
  void Hurry();

 private:
  // How often it looks whether it is busy; the first of a group waits so long
  // for others at least ...
  static constexpr absl::Duration kLookEvery = absl::Milliseconds(50);
  // ... and at most so long, or for so many.
  static constexpr absl::Duration kWaitMax = absl::Seconds(1);
  static constexpr size_t kGroupMax = 4096;

  void LookLater();
  void Look();

  Store& store_;
  Executor& waiters_;
  const Clock& clock_;
  const absl::AnyInvocable<bool() const> busy_;
  Mutex mutex_;
  absl::Time first_at_ ABSL_GUARDED_BY(mutex_);
  std::vector<Laying> layings_ ABSL_GUARDED_BY(mutex_);
  std::vector<Done> dones_ ABSL_GUARDED_BY(mutex_);
  bool laying_ ABSL_GUARDED_BY(mutex_) = false;
  bool hurries_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_TRANSFER_RECEIPT_LAYER_H_
