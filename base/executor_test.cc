#include "base/executor.h"

#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "base/fake_executor.h"
#include "base/thread_pool.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(StrandTest, RunsInTheOrderOfPostingWhateverTheExecutorDoes) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    FakeExecutor executor(seed);
    Strand strand(executor);
    std::vector<int> ran;
    for (int i = 0; i < 5; ++i) {
      strand.Post([&ran, i] { ran.push_back(i); });
      executor.Post([] {});
    }
    EXPECT_THAT(ran, IsEmpty());  // never inside Post
    executor.RunReady();
    EXPECT_THAT(ran, ElementsAre(0, 1, 2, 3, 4)) << seed;
  }
}

TEST(StrandTest, ATaskMayPostToItsOwnStrand) {
  FakeExecutor executor;
  Strand strand(executor);
  std::vector<int> ran;
  strand.Post([&] {
    strand.Post([&ran] { ran.push_back(3); });
    ran.push_back(1);
  });
  strand.Post([&ran] { ran.push_back(2); });
  executor.RunReady();
  EXPECT_THAT(ran, ElementsAre(1, 2, 3));
}

TEST(StrandTest, IsFairToOthersOfTheSameExecutor) {
  FakeExecutor executor;
  Strand busy(executor);
  Strand other(executor);
  std::vector<char> ran;
  for (int i = 0; i < 3; ++i) busy.Post([&ran] { ran.push_back('b'); });
  other.Post([&ran] { ran.push_back('o'); });
  executor.RunReady();
  EXPECT_THAT(ran, ElementsAre('b', 'o', 'b', 'b'));
}

TEST(StrandTest, ADelayedTaskJoinsTheEndOfTheQueueWhenItsTimeComes) {
  FakeExecutor executor;
  Strand strand(executor);
  std::vector<int> ran;
  strand.PostAfter(absl::Seconds(5), [&ran] { ran.push_back(2); });
  strand.Post([&ran] { ran.push_back(1); });
  executor.RunReady();
  EXPECT_THAT(ran, ElementsAre(1));
  executor.Advance(absl::Seconds(4));
  executor.RunReady();
  EXPECT_THAT(ran, ElementsAre(1));
  executor.Advance(absl::Seconds(1));
  executor.RunReady();
  EXPECT_THAT(ran, ElementsAre(1, 2));
}

TEST(StrandTest, TasksRunAfterTheStrandIsGone) {
  FakeExecutor executor;
  std::vector<int> ran;
  {
    Strand strand(executor);
    strand.Post([&ran] { ran.push_back(1); });
    strand.Post([&ran] { ran.push_back(2); });
    strand.PostAfter(absl::Seconds(1), [&ran] { ran.push_back(3); });
  }
  executor.RunReady();
  executor.SkipToNext();
  executor.RunReady();
  EXPECT_THAT(ran, ElementsAre(1, 2, 3));
}

// What a task held may need the strand's turn to be let go safely.
TEST(StrandTest, ATaskIsDestroyedBeforeTheNextRuns) {
  FakeExecutor executor;
  Strand strand(executor);
  auto held = std::make_shared<int>(0);
  const std::weak_ptr<int> watch = held;
  bool gone = false;
  strand.Post([held = std::move(held)] {});
  strand.Post([&] { gone = watch.expired(); });
  executor.RunReady();
  EXPECT_TRUE(gone);
}

TEST(StrandTest, RunOrPostRunsAtOnceWhatNothingKeepsWaiting) {
  FakeExecutor executor(1);
  Strand strand(executor);
  std::vector<int> seen;
  strand.RunOrPost([&] {
    seen.push_back(1);
    strand.RunOrPost([&] { seen.push_back(2); });
    seen.push_back(3);
  });
  EXPECT_THAT(seen, ElementsAre(1, 3));
  executor.RunReady();
  strand.Post([&] { seen.push_back(4); });
  strand.RunOrPost([&] { seen.push_back(5); });
  EXPECT_THAT(seen, ElementsAre(1, 3, 2));
  executor.RunReady();
  EXPECT_THAT(seen, ElementsAre(1, 3, 2, 4, 5));
}

TEST(StrandTest, OnRealThreadsOneAtATimeAndInOrder) {
  constexpr int kPosters = 4;
  constexpr int kTasks = 500;
  std::atomic<int> at_once = 0;
  bool overlapped = false;
  // Not atomic: the strand is what guards it.
  std::vector<std::vector<int>> ran(kPosters);
  {
    ThreadPool pool(4);
    Strand strand(pool);
    std::vector<std::thread> posters;
    for (int p = 0; p < kPosters; ++p) {
      posters.emplace_back([&, p] {
        for (int i = 0; i < kTasks; ++i) {
          strand.Post([&, p, i] {
            if (at_once.fetch_add(1) != 0) overlapped = true;
            ran[p].push_back(i);
            at_once.fetch_sub(1);
          });
        }
      });
    }
    for (std::thread& poster : posters) poster.join();
  }  // the pool runs what was posted
  EXPECT_FALSE(overlapped);
  for (const std::vector<int>& of_one : ran) {
    ASSERT_EQ(of_one.size(), size_t{kTasks});
    for (int i = 0; i < kTasks; ++i) EXPECT_EQ(of_one[i], i);
  }
}

TEST(StrandTest, ManyStrandsShareFewThreads) {
  constexpr int kStrands = 50;
  std::vector<int> counts(kStrands);  // each guarded by its strand
  {
    ThreadPool pool(2);
    std::vector<std::unique_ptr<Strand>> strands;
    for (int s = 0; s < kStrands; ++s) {
      strands.push_back(std::make_unique<Strand>(pool));
    }
    for (int i = 0; i < 100; ++i) {
      for (int s = 0; s < kStrands; ++s) {
        strands[s]->Post([&counts, s] { ++counts[s]; });
      }
    }
    strands.clear();
  }
  EXPECT_THAT(counts, testing::Each(100));
}

}  // namespace
}  // namespace schleuse
