#include "gateway/rpc/open_calls.h"

#include <vector>

namespace schleuse {

void OpenCalls::Add(const std::shared_ptr<OpenCall>& call) {
  MutexLock lock(mutex_);
  calls_.emplace(call.get(), call);
  SetTimer();
}

void OpenCalls::Remove(const OpenCall& call) {
  MutexLock lock(mutex_);
  calls_.erase(&call);
}

void OpenCalls::SetTimer() {
  if (timer_set_ || calls_.empty()) return;
  timer_set_ = true;
  executor_.PostAfter(patience_, [self = weak_from_this()] {
    if (const auto calls = self.lock()) calls->OnTimer();
  });
}

void OpenCalls::OnTimer() {
  std::vector<std::shared_ptr<OpenCall>> open;
  {
    MutexLock lock(mutex_);
    timer_set_ = false;
    for (const auto& [raw, call] : calls_) {
      if (auto alive = call.lock()) open.push_back(std::move(alive));
    }
    SetTimer();
  }
  for (const std::shared_ptr<OpenCall>& call : open) call->OnTick();
}

}  // namespace schleuse
