#include "client/uploader/ack_delays.h"

#include <algorithm>

#include "absl/numeric/bits.h"

namespace schleuse::client {
namespace {

// Classes of each doubling. Below this many microseconds each is a class.
constexpr int kShift = 4;
constexpr uint64_t kClasses = 1 << kShift;

uint32_t ClassOf(uint64_t micros) {
  if (micros < kClasses) return static_cast<uint32_t>(micros);
  const int doublings = absl::bit_width(micros) - 1 - kShift;
  return static_cast<uint32_t>(static_cast<uint64_t>(doublings) * kClasses +
                               (micros >> doublings));
}

// The largest delay of a class, in microseconds.
uint64_t LastOf(uint32_t number) {
  if (number < kClasses) return number;
  const uint64_t doublings = number / kClasses - 1;
  const uint64_t next = number % kClasses + kClasses + 1;
  return (next << doublings) - 1;
}

}  // namespace

void DelayCounts::Add(absl::Duration delay) {
  const int64_t micros = std::max<int64_t>(0, absl::ToInt64Microseconds(delay));
  ++counts_[ClassOf(static_cast<uint64_t>(micros))];
  ++total_;
}

void DelayCounts::Add(const DelayCounts& other) {
  for (const auto& [number, count] : other.counts_) counts_[number] += count;
  total_ += other.total_;
}

std::optional<absl::Duration> DelayCounts::Percentile(double fraction) const {
  if (total_ == 0) return std::nullopt;
  uint64_t below = 0;
  for (const auto& [number, count] : counts_) {
    below += count;
    if (static_cast<double>(below) >= fraction * static_cast<double>(total_)) {
      return absl::Microseconds(LastOf(number));
    }
  }
  return absl::Microseconds(LastOf(counts_.rbegin()->first));
}

void AckDelays::Sent(uint64_t end, absl::Time now) {
  waiting_.push_back({end, now});
}

void AckDelays::Acknowledged(uint64_t durable, absl::Time now) {
  while (!waiting_.empty() && waiting_.front().end <= durable) {
    counts_.Add(now - waiting_.front().sent);
    waiting_.pop_front();
  }
}

}  // namespace schleuse::client
