#include "gateway/transfer/receipt_layer.h"

#include <utility>

namespace schleuse {

void ReceiptLayer::Lay(Laying laying, Done done) {
  {
    MutexLock lock(mutex_);
    layings_.push_back(std::move(laying));
    dones_.push_back(std::move(done));
    if (layings_.size() > 1) return;  // somebody set the clock
    first_at_ = clock_.Now();
  }
  LookLater();
}

void ReceiptLayer::Hurry() {
  MutexLock lock(mutex_);
  hurries_ = true;
}

void ReceiptLayer::LookLater() {
  waiters_.PostAfter(kLookEvery, [self = shared_from_this()] { self->Look(); });
}

void ReceiptLayer::Look() {
  std::vector<Laying> layings;
  std::vector<Done> dones;
  {
    MutexLock lock(mutex_);
    // One group at a time: a store that is slow shall not have every thread.
    if (laying_) {
      LookLater();
      return;
    }
    if (!hurries_ && busy_() && layings_.size() < kGroupMax &&
        clock_.Now() - first_at_ < kWaitMax) {
      LookLater();
      return;
    }
    layings.swap(layings_);
    dones.swap(dones_);
    laying_ = true;
  }
  std::vector<absl::Status> results = store_.Lay(layings);
  {
    MutexLock lock(mutex_);
    laying_ = false;
  }
  for (size_t i = 0; i < dones.size(); ++i) dones[i](std::move(results[i]));
}

}  // namespace schleuse
