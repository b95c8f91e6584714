#include "client/uploader/ack_delays.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse::client {
namespace {

using ::testing::Eq;
using ::testing::Optional;

const absl::Time kStart = absl::UnixEpoch();

TEST(DelayCountsTest, NothingCountedHasNoPercentile) {
  EXPECT_THAT(DelayCounts().Percentile(0.5), Eq(std::nullopt));
}

TEST(DelayCountsTest, PercentilesAreRightToWithinSevenPercent) {
  DelayCounts counts;
  for (int i = 1; i <= 1000; ++i) counts.Add(absl::Milliseconds(i));
  for (const double fraction : {0.001, 0.5, 0.99, 1.0}) {
    const absl::Duration exact = absl::Milliseconds(1000 * fraction);
    const absl::Duration said = *counts.Percentile(fraction);
    EXPECT_GE(said, exact) << fraction;
    EXPECT_LE(said, exact * 1.07) << fraction;
  }
}

TEST(DelayCountsTest, EveryDelayFallsIntoAClassThatHoldsIt) {
  for (uint64_t micros = 0; micros < 100'000; ++micros) {
    DelayCounts counts;
    counts.Add(absl::Microseconds(micros));
    const absl::Duration said = *counts.Percentile(1);
    ASSERT_GE(said, absl::Microseconds(micros));
    ASSERT_LE(said, absl::Microseconds(micros) * 1.07);
  }
}

TEST(DelayCountsTest, BoundsOfClassesLieOneBehindTheOther) {
  for (int doublings = 0; doublings < 40; ++doublings) {
    const absl::Duration delay = absl::Microseconds(uint64_t{1} << doublings);
    DelayCounts below, at;
    below.Add(delay - absl::Microseconds(1));
    at.Add(delay);
    EXPECT_EQ(below.Percentile(1), delay - absl::Microseconds(1));
    EXPECT_GE(*at.Percentile(1), delay);
  }
}

TEST(DelayCountsTest, ASetClockCountsAsZero) {
  DelayCounts counts;
  counts.Add(-absl::Hours(1));
  EXPECT_THAT(counts.Percentile(1), Optional(absl::ZeroDuration()));
}

TEST(DelayCountsTest, CountsOfSeveralAddUp) {
  DelayCounts slow, all;
  slow.Add(absl::Microseconds(10));
  all.Add(absl::Microseconds(1));
  all.Add(slow);
  EXPECT_THAT(all.Percentile(0.5), Optional(absl::Microseconds(1)));
  EXPECT_THAT(all.Percentile(0.51), Optional(absl::Microseconds(10)));
}

TEST(AckDelaysTest, OneAckCountsForAllChunksThatItCovers) {
  AckDelays delays;
  delays.Sent(100, kStart);
  delays.Sent(200, kStart + absl::Microseconds(5));
  delays.Sent(300, kStart + absl::Microseconds(6));
  delays.Acknowledged(299, kStart + absl::Microseconds(10));
  EXPECT_THAT(delays.counts().Percentile(0.5), Optional(absl::Microseconds(5)));
  EXPECT_THAT(delays.counts().Percentile(1), Optional(absl::Microseconds(10)));
}

TEST(AckDelaysTest, WhatWillNotBeAcknowledgedIsNotCounted) {
  AckDelays delays;
  delays.Sent(100, kStart);
  delays.Forget();
  delays.Acknowledged(100, kStart + absl::Hours(1));
  EXPECT_THAT(delays.counts().Percentile(1), Eq(std::nullopt));
}

}  // namespace
}  // namespace schleuse::client
