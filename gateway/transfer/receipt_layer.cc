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
    if (!hurries_ && busy_() && layings_.size() < kGroupMax &&
        clock_.Now() - first_at_ < kWaitMax) {
      LookLater();
      return;
    }
    layings.swap(layings_);
    dones.swap(dones_);
  }
  std::vector<absl::Status> results = store_.Lay(layings);
  for (size_t i = 0; i < dones.size(); ++i) dones[i](std::move(results[i]));
}

}  // namespace schleuse
