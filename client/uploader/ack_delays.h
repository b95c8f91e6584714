// How long the gateway takes to say that what was sent is durable.
#ifndef SCHLEUSE_CLIENT_UPLOADER_ACK_DELAYS_H_
#define SCHLEUSE_CLIENT_UPLOADER_ACK_DELAYS_H_

#include <cstdint>
#include <deque>
#include <map>
#include <optional>

#include "absl/time/time.h"

namespace schleuse::client {

// Counts of delays in classes whose bounds lie 1/16 apart, from 1 microsecond
// on: a percentile is right to within 7 %, whatever was counted, in at most
// some hundred classes.
class DelayCounts {
 public:
  // Below zero counts as zero: somebody set the clock.
  void Add(absl::Duration delay);
  void Add(const DelayCounts& other);

  // The delay that at least `fraction` (0 to 1) of all counted ones do not
  // exceed; nothing if none was counted.
  std::optional<absl::Duration> Percentile(double fraction) const;

 private:
  std::map<uint32_t, uint64_t> counts_;
  uint64_t total_ = 0;
};

// The chunks of one stream that wait for their Ack. An Ack delay lasts from the
// moment in which a chunk is given to the link to the Ack that covers its end;
// Stored counts as one.
class AckDelays {
 public:
  // `end`: byte of the recording behind the chunk. In the order of sending.
  void Sent(uint64_t end, absl::Time now);
  void Acknowledged(uint64_t durable, absl::Time now);
  // What is on its way will never be acknowledged.
  void Forget() { waiting_.clear(); }

  const DelayCounts& counts() const { return counts_; }

 private:
  struct Waiting {
    uint64_t end;
    absl::Time sent;
  };
  std::deque<Waiting> waiting_;
  DelayCounts counts_;
};

}  // namespace schleuse::client

#endif  // SCHLEUSE_CLIENT_UPLOADER_ACK_DELAYS_H_
