#include "gateway/access/device_counts.h"

#include <memory>
#include <optional>
#include <utility>

#include "gtest/gtest.h"

namespace schleuse {
namespace {

TEST(DeviceCountsTest, OneDeviceHasNoMoreThanItsShare) {
  DeviceCounts counts(10, 2);
  EXPECT_TRUE(counts.Enter("a"));
  EXPECT_TRUE(counts.Enter("a"));
  EXPECT_FALSE(counts.Enter("a"));
  EXPECT_TRUE(counts.Enter("b"));
  EXPECT_EQ(counts.all(), 3) << "what was refused does not count";
}

TEST(DeviceCountsTest, AllTogetherHaveNoMoreThanThereIs) {
  DeviceCounts counts(3, 2);
  EXPECT_TRUE(counts.Enter("a"));
  EXPECT_TRUE(counts.Enter("b"));
  EXPECT_TRUE(counts.Enter("c"));
  EXPECT_FALSE(counts.Enter("d"));
  EXPECT_FALSE(counts.Enter("a"));
}

TEST(DeviceCountsTest, WhatIsOverMakesRoom) {
  DeviceCounts counts(2, 1);
  EXPECT_TRUE(counts.Enter("a"));
  EXPECT_TRUE(counts.Enter("b"));
  counts.Leave("a");
  EXPECT_TRUE(counts.Enter("a"));
  counts.Leave("a");
  counts.Leave("b");
  EXPECT_EQ(counts.all(), 0);
}

TEST(DeviceCountsTest, OneThatMovedIsCountedOnceUntilItsEnd) {
  const auto counts = std::make_shared<DeviceCounts>(2, 1);
  {
    std::optional<DeviceCounted> first = DeviceCounted::Enter(counts, "a");
    ASSERT_TRUE(first);
    const DeviceCounted moved = *std::move(first);
    first.reset();  // NOLINT(bugprone-use-after-move): that is the point
    EXPECT_EQ(counts->all(), 1);
    EXPECT_FALSE(DeviceCounted::Enter(counts, "a"));
  }
  EXPECT_EQ(counts->all(), 0);
}

}  // namespace
}  // namespace schleuse
