#include "gateway/access/device_counts.h"

namespace schleuse {

bool DeviceCounts::Enter(const std::string& device) {
  MutexLock lock(mutex_);
  if (all_ >= most_) return false;
  const auto of_device = of_.try_emplace(device, 0).first;
  if (of_device->second >= most_of_a_device_) return false;
  ++of_device->second;
  ++all_;
  return true;
}

void DeviceCounts::Leave(const std::string& device) {
  MutexLock lock(mutex_);
  const auto of_device = of_.find(device);
  if (--of_device->second == 0) of_.erase(of_device);
  --all_;
}

}  // namespace schleuse
