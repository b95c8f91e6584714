#include "disk/name_syncs.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_matchers.h"
#include "disk/fake_disk.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using absl::StatusCode;
using Kind = DiskOperation::Kind;

void FailNextSync(FakeDisk& disk, const absl::Status& with) {
  disk.SetFault([with, failed = false](const DiskOperation& operation) mutable {
    if (operation.kind != Kind::kSyncDirectory || failed) {
      return absl::OkStatus();
    }
    failed = true;
    return with;
  });
}

TEST(NameSyncsTest, WhatWasSyncedSurvivesAPowerCut) {
  FakeDisk disk;
  NameSyncs syncs(disk);
  NameSyncs::Change change(syncs, "/");
  ASSERT_OK(disk.Create("/f"));
  ASSERT_OK(change.Sync());
  disk.CutPower();
  disk.RestorePower();
  EXPECT_OK(disk.Stat("/f"));
}

TEST(NameSyncsTest, EachChangeBehindTheLastSyncNeedsAnother) {
  FakeDisk disk;
  NameSyncs syncs(disk);
  NameSyncs::Change change(syncs, "/");
  ASSERT_OK(disk.Create("/f"));
  ASSERT_OK(change.Sync());
  ASSERT_OK(disk.Create("/g"));
  ASSERT_OK(change.Sync());
  EXPECT_EQ(disk.syncs(), 2);
}

TEST(NameSyncsTest, ASyncOfAnothersBehindOurChangeServesUsToo) {
  FakeDisk disk;
  NameSyncs syncs(disk);
  NameSyncs::Change ours(syncs, "/");
  NameSyncs::Change other(syncs, "/");
  ASSERT_OK(disk.Create("/f"));
  ours.Made();
  ASSERT_OK(other.Sync());
  ASSERT_OK(ours.Sync());
  EXPECT_EQ(disk.syncs(), 1);
  // Once: what is changed from now on needs its own.
  ASSERT_OK(disk.Create("/g"));
  ASSERT_OK(ours.Sync());
  EXPECT_EQ(disk.syncs(), 2);
  disk.CutPower();
  disk.RestorePower();
  EXPECT_OK(disk.Stat("/f"));
  EXPECT_OK(disk.Stat("/g"));
}

TEST(NameSyncsTest, ASyncThatFailedBehindOurChangeIsHeardOf) {
  FakeDisk disk;
  NameSyncs syncs(disk);
  NameSyncs::Change ours(syncs, "/");
  NameSyncs::Change other(syncs, "/");
  ASSERT_OK(disk.Create("/f"));
  ours.Made();
  FailNextSync(disk, absl::DataLossError("medium error"));
  EXPECT_THAT(other.Sync(), StatusIs(StatusCode::kDataLoss));
  EXPECT_OK(NameSyncs::Change(syncs, "/").Sync());
  EXPECT_THAT(ours.Sync(), StatusIs(StatusCode::kDataLoss));
}

// The failed sync of one loses the names of the other, whose own sync would say
// OK.
TEST(NameSyncsTest, LossThatAnotherMetIsHeardOfByAllWhoChangedSomething) {
  FakeDisk disk;
  NameSyncs syncs(disk);
  NameSyncs::Change first(syncs, "/");
  NameSyncs::Change second(syncs, "/");
  NameSyncs::Change elsewhere(syncs, "/other");
  ASSERT_OK(disk.MakeDirectory("/other"));
  FailNextSync(disk, absl::DataLossError("medium error"));
  EXPECT_THAT(first.Sync(), StatusIs(StatusCode::kDataLoss));
  EXPECT_THAT(second.Sync(), StatusIs(StatusCode::kDataLoss));
  EXPECT_THAT(first.Sync(), StatusIs(StatusCode::kDataLoss)) << "for good";
  EXPECT_OK(elsewhere.Sync());
  EXPECT_OK(NameSyncs::Change(syncs, "/").Sync()) << "who came later";
}

TEST(NameSyncsTest, SyncThatWasNotTriedLosesNothing) {
  FakeDisk disk;
  NameSyncs syncs(disk);
  NameSyncs::Change first(syncs, "/");
  NameSyncs::Change second(syncs, "/");
  FailNextSync(disk, absl::UnavailableError("no descriptors"));
  EXPECT_THAT(first.Sync(), StatusIs(StatusCode::kUnavailable));
  EXPECT_OK(second.Sync());
  EXPECT_OK(first.Sync());
}

TEST(NameSyncsTest, ChangeThatMovedIsTheSameChange) {
  FakeDisk disk;
  NameSyncs syncs(disk);
  std::optional<NameSyncs::Change> change;
  {
    NameSyncs::Change made(syncs, "/");
    FailNextSync(disk, absl::DataLossError("medium error"));
    NameSyncs::Change other(syncs, "/");
    EXPECT_THAT(other.Sync(), StatusIs(StatusCode::kDataLoss));
    change.emplace(std::move(made));
  }
  EXPECT_THAT(change->Sync(), StatusIs(StatusCode::kDataLoss));
}

// Many threads make names; now and then a sync fails. Whatever a thread was
// told OK about is there after a power cut.
TEST(NameSyncsTest, NobodyIsToldOkAboutWhatIsLost) {
  constexpr int kThreads = 4;
  constexpr int kNames = 50;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    FakeDisk disk(seed);
    NameSyncs syncs(disk);
    disk.SetFault([&, count = seed](const DiskOperation& operation) mutable {
      return operation.kind == Kind::kSyncDirectory && ++count % 5 == 0
                 ? absl::DataLossError("medium error")
                 : absl::OkStatus();
    });
    std::vector<std::vector<std::string>> durable(kThreads);
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < kNames; ++i) {
          const std::string path = absl::StrCat("/", t, "-", i);
          NameSyncs::Change change(syncs, "/");
          EXPECT_OK(disk.Create(path));
          std::this_thread::yield();
          if (change.Sync().ok()) durable[t].push_back(path);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    disk.SetFault(nullptr);
    disk.CutPower();
    disk.RestorePower();
    size_t count = 0;
    for (const auto& paths : durable) {
      count += paths.size();
      for (const std::string& path : paths) EXPECT_OK(disk.Stat(path)) << path;
    }
    EXPECT_GT(count, 0u);
  }
}

// Syncs that `kThreads` threads needed which asked for one at about the same
// time.
int SyncsOfThreadsThatAskTogether(int kThreads) {
  FakeDisk disk;
  NameSyncs syncs(disk);
  std::vector<std::unique_ptr<NameSyncs::Change>> changes;
  for (int i = 0; i < kThreads; ++i) {
    changes.push_back(std::make_unique<NameSyncs::Change>(syncs, "/"));
    EXPECT_OK(disk.Create(absl::StrCat("/", i)));
  }
  // The first sync does not end before all others have had their chance to ask;
  // those that came to ask by then share the second.
  std::atomic<int> asking{0};
  std::atomic<bool> first{true};
  disk.SetFault([&](const DiskOperation& operation) {
    if (operation.kind == Kind::kSyncDirectory && first.exchange(false)) {
      while (asking < kThreads) std::this_thread::yield();
    }
    return absl::OkStatus();
  });
  std::vector<std::thread> threads;
  for (const auto& change : changes) {
    threads.emplace_back([&asking, &change] {
      ++asking;
      EXPECT_OK(change->Sync());
    });
  }
  for (std::thread& thread : threads) thread.join();
  return disk.syncs();
}

// A slow disk: whoever waits is served by one sync, not each by its own.
// Whether the threads come together is the scheduler's to say, so they may try
// often.
TEST(NameSyncsTest, OneSyncServesAllThatWait) {
  constexpr int kThreads = 8;
  int fewest = kThreads;
  for (int i = 0; i < 1000 && fewest > 2; ++i) {
    fewest = std::min(fewest, SyncsOfThreadsThatAskTogether(kThreads));
  }
  EXPECT_EQ(fewest, 2);
}

}  // namespace
}  // namespace schleuse
