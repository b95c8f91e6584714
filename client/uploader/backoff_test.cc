#include "client/uploader/backoff.h"

#include "gtest/gtest.h"

namespace schleuse::client {
namespace {

TEST(BackoffTest, WaitsAreSpreadUnderADoublingBound) {
  absl::Duration shortest = absl::InfiniteDuration(), longest;
  for (uint64_t seed = 1; seed <= 1000; ++seed) {
    SeededRandom random(seed);
    Backoff backoff(absl::Seconds(1), absl::Seconds(8), random);
    EXPECT_LE(backoff.Next(), absl::Seconds(1));
    EXPECT_LE(backoff.Next(), absl::Seconds(2));
    EXPECT_LE(backoff.Next(), absl::Seconds(4));
    for (int i = 0; i < 20; ++i) {
      const absl::Duration wait = backoff.Next();
      shortest = std::min(shortest, wait);
      longest = std::max(longest, wait);
    }
    backoff.Reset();
    EXPECT_LE(backoff.Next(), absl::Seconds(1));
  }
  EXPECT_LT(shortest, absl::Milliseconds(100));
  EXPECT_GT(longest, absl::Milliseconds(7900));
  EXPECT_LE(longest, absl::Seconds(8));
}

TEST(BackoffTest, AFirstWaitAboveTheMaximumIsTheMaximum) {
  SeededRandom random(1);
  Backoff backoff(absl::Seconds(10), absl::Seconds(1), random);
  for (int i = 0; i < 100; ++i) EXPECT_LE(backoff.Next(), absl::Seconds(1));
}

TEST(BackoffTest, WaitsAsToldNeverShorter) {
  SeededRandom random(3);
  for (int i = 0; i < 1000; ++i) {
    const absl::Duration wait = WaitAsTold(absl::Seconds(10), random);
    EXPECT_GE(wait, absl::Seconds(10));
    EXPECT_LE(wait, absl::Seconds(20));
  }
}

}  // namespace
}  // namespace schleuse::client
