#include "base/fake_executor.h"

#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

std::vector<int> OrderOf(uint64_t seed) {
  FakeExecutor executor(seed);
  std::vector<int> ran;
  for (int i = 0; i < 3; ++i) executor.Post([&ran, i] { ran.push_back(i); });
  executor.RunReady();
  return ran;
}

TEST(FakeExecutorTest, SeedZeroKeepsTheOrder) {
  EXPECT_THAT(OrderOf(0), ElementsAre(0, 1, 2));
}

TEST(FakeExecutorTest, SeedsMakeEveryOrderAndRepeatIt) {
  std::set<std::vector<int>> orders;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    orders.insert(OrderOf(seed));
    EXPECT_EQ(OrderOf(seed), OrderOf(seed));
    EXPECT_THAT(OrderOf(seed), UnorderedElementsAre(0, 1, 2));
  }
  EXPECT_EQ(orders.size(), 6u);
}

TEST(FakeExecutorTest, RunsNothingUntilTold) {
  FakeExecutor executor;
  bool ran = false;
  executor.Post([&] { ran = true; });
  EXPECT_FALSE(ran);
  EXPECT_FALSE(executor.idle());
  EXPECT_TRUE(executor.RunOne());
  EXPECT_TRUE(ran);
  EXPECT_TRUE(executor.idle());
  EXPECT_FALSE(executor.RunOne());
}

TEST(FakeExecutorTest, RunReadyEndsThoughTasksPostForEver) {
  FakeExecutor executor;
  int ran = 0;
  const auto again = [&executor, &ran](auto&& self) -> void {
    ++ran;
    executor.Post([self] { self(self); });
  };
  executor.Post([again] { again(again); });
  executor.RunReady(/*tasks_max=*/10);
  EXPECT_EQ(ran, 10);
}

TEST(FakeExecutorTest, TimeMovesOnlyWhenTold) {
  FakeExecutor executor;
  const absl::Time start = executor.Now();
  std::vector<int> ran;
  executor.PostAfter(absl::Seconds(2), [&ran] { ran.push_back(2); });
  executor.PostAfter(absl::Seconds(1), [&ran] { ran.push_back(1); });
  executor.PostAfter(absl::Seconds(3), [&ran] { ran.push_back(3); });
  executor.RunReady();
  EXPECT_THAT(ran, IsEmpty());
  EXPECT_EQ(executor.Now(), start);
  executor.Advance(absl::Seconds(2));
  executor.RunReady();
  EXPECT_THAT(ran, ElementsAre(1, 2));
  EXPECT_TRUE(executor.SkipToNext());
  EXPECT_EQ(executor.Now(), start + absl::Seconds(3));
  executor.RunReady();
  EXPECT_THAT(ran, ElementsAre(1, 2, 3));
  EXPECT_FALSE(executor.SkipToNext());
}

TEST(FakeExecutorTest, DropAllForgetsTasksAndWhatTheyHold) {
  FakeExecutor executor;
  bool ran = false;
  // Its end posts once more, as a destructor of something larger may.
  const auto posts_at_its_end = [&] {
    return std::shared_ptr<int>(new int, [&](int* number) {
      delete number;
      executor.Post([&ran] { ran = true; });
    });
  };
  executor.Post([&ran, held = posts_at_its_end()] { ran = true; });
  executor.PostAfter(absl::Seconds(1),
                     [&ran, held = posts_at_its_end()] { ran = true; });
  executor.DropAll();
  EXPECT_TRUE(executor.idle());
  EXPECT_FALSE(executor.SkipToNext());
  executor.RunReady();
  EXPECT_FALSE(ran);
}

}  // namespace
}  // namespace schleuse
