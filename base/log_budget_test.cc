#include "base/log_budget.h"

#include <atomic>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using ::testing::Eq;
using ::testing::Optional;

const absl::Time kStart = absl::FromUnixSeconds(1'700'000'000);

TEST(LogBudgetTest, AFloodGetsSoManyLinesASecond) {
  LogBudget budget(3);
  int lines = 0;
  for (int millis = 0; millis < 5000; ++millis) {
    lines += budget.Take(kStart + absl::Milliseconds(millis)).has_value();
  }
  EXPECT_EQ(lines, 15);
}

TEST(LogBudgetTest, TheNextLineTellsHowManyWereLeftOut) {
  LogBudget budget(2);
  EXPECT_THAT(budget.Take(kStart), Optional(0));
  EXPECT_THAT(budget.Take(kStart), Optional(0));
  for (int i = 0; i < 5; ++i)
    EXPECT_THAT(budget.Take(kStart), Eq(std::nullopt));
  const absl::Time later = kStart + absl::Seconds(1);
  EXPECT_THAT(budget.Take(later), Optional(5));
  EXPECT_THAT(budget.Take(later), Optional(0));
  EXPECT_THAT(budget.Take(later), Eq(std::nullopt));
}

TEST(LogBudgetTest, AClockSetBackDoesNotSilenceIt) {
  LogBudget budget(1);
  EXPECT_THAT(budget.Take(kStart), Optional(0));
  EXPECT_THAT(budget.Take(kStart - absl::Hours(1)), Optional(0));
}

TEST(LogBudgetTest, ManyThreadsShareIt) {
  LogBudget budget(10);
  std::atomic<int> lines{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 100; ++i) lines += budget.Take(kStart).has_value();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(lines, 10);
  EXPECT_THAT(budget.Take(kStart + absl::Seconds(1)), Optional(390));
}

}  // namespace
}  // namespace schleuse
