// How much of something there is at this moment, in all and of each device: so
// that no device has what all need.
#ifndef SCHLEUSE_GATEWAY_ACCESS_DEVICE_COUNTS_H_
#define SCHLEUSE_GATEWAY_ACCESS_DEVICE_COUNTS_H_

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "base/mutex.h"

namespace schleuse {

// Safe to call from many threads.
class DeviceCounts {
 public:
  DeviceCounts(int most, int most_of_a_device)
      : most_(most), most_of_a_device_(most_of_a_device) {}

  // Counts one more of `device`, its SPIFFE ID. False, and nothing is counted:
  // there are as many as there may be.
  [[nodiscard]] bool Enter(const std::string& device);
  // One that was counted is over.
  void Leave(const std::string& device);

  int all() const { return all_; }

 private:
  const int most_;
  const int most_of_a_device_;
  std::atomic<int> all_{0};  // changed under the lock, read without it
  Mutex mutex_;
  absl::flat_hash_map<std::string, int> of_ ABSL_GUARDED_BY(mutex_);
};

// One that is counted as long as it lives.
class DeviceCounted {
 public:
  // nullopt: there are as many as there may be.
  static std::optional<DeviceCounted> Enter(
      std::shared_ptr<DeviceCounts> counts, const std::string& device) {
    if (!counts->Enter(device)) return std::nullopt;
    return DeviceCounted(std::move(counts), device);
  }
  DeviceCounted(DeviceCounted&&) = default;
  DeviceCounted& operator=(DeviceCounted&&) = delete;
  ~DeviceCounted() {
    if (counts_ != nullptr) counts_->Leave(device_);  // else it moved away
  }

 private:
  DeviceCounted(std::shared_ptr<DeviceCounts> counts, std::string device)
      : counts_(std::move(counts)), device_(std::move(device)) {}

  std::shared_ptr<DeviceCounts> counts_;
  std::string device_;
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_ACCESS_DEVICE_COUNTS_H_
