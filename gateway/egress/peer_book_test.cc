#include "gateway/egress/peer_book.h"

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/status_matchers.h"
#include "disk/fake_disk.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kPath[] = "/egress.peers";

class SetClock final : public Clock {
 public:
  absl::Time Now() const override { return now_; }
  void Set(absl::string_view time) { now_ = TimeAt(time); }
  static absl::Time TimeAt(absl::string_view text) {
    absl::Time time;
    EXPECT_TRUE(absl::ParseTime(absl::RFC3339_full, text, &time, nullptr));
    return time;
  }

 private:
  absl::Time now_;
};

FootagePeer Peer(int number) {
  return {*SocketAddress::Parse(
              absl::StrCat("10.20.", number / 250, ".", number % 250, ":443")),
          Sha256::Of("der")};
}

class PeerBookTest : public testing::Test {
 protected:
  PeerBookTest() {
    clock_.Set("2026-11-26T10:00:00Z");
    Open();
  }
  // As another process would, after whatever became of the one before.
  void Open(bool local_store = false) {
    auto opened = PeerBook::Open(disk_, clock_,
                                 {.path = kPath, .local_store = local_store});
    ASSERT_OK(opened);
    book_ = *std::move(opened);
  }
  // The only span that ended.
  FootageSpan Ended() {
    const std::vector<FootageSpan> spans = book_->Ended();
    EXPECT_THAT(spans, SizeIs(1));
    return spans.empty() ? FootageSpan() : spans.front();
  }
  static absl::Time TimeAt(absl::string_view text) {
    return SetClock::TimeAt(text);
  }

  FakeDisk disk_;
  SetClock clock_;
  std::unique_ptr<PeerBook> book_;
};

TEST_F(PeerBookTest, ADayEndsAtMidnightWithAllThatItCounted) {
  EXPECT_OK(book_->Count(Peer(1), {.sent = 10, .connections = 1}));
  EXPECT_OK(book_->Count(Peer(2), {.received = 5, .connections = 1}));
  EXPECT_OK(book_->Count(Peer(1), {.sent = 7}));
  EXPECT_OK(book_->Save());
  EXPECT_THAT(book_->Ended(), IsEmpty());
  clock_.Set("2026-11-27T00:00:09Z");
  EXPECT_OK(book_->Count(Peer(1), {.sent = 100}));  // the next day's
  EXPECT_OK(book_->Save());
  EXPECT_EQ(
      Ended(),
      (FootageSpan{.from = TimeAt("2026-11-26T10:00:00Z"),
                   .to = TimeAt("2026-11-27T00:00:00Z"),
                   .peers = {{Peer(1), {17, 0, 1}}, {Peer(2), {0, 5, 1}}}}));
}

TEST_F(PeerBookTest, TheSameAddressWithAnotherCertificateIsAnotherPeer) {
  FootagePeer other = Peer(1);
  other.certificate = Sha256::Of("another");
  EXPECT_OK(book_->Count(Peer(1), {.sent = 1}));
  EXPECT_OK(book_->Count(other, {.sent = 2}));
  EXPECT_OK(book_->EndSpan());
  EXPECT_THAT(Ended().peers, SizeIs(2));
}

TEST_F(PeerBookTest, WhatIsStatedIsForgottenAndWhatIsNotStays) {
  EXPECT_OK(book_->Count(Peer(1), {.sent = 1}));
  clock_.Set("2026-11-26T11:00:00Z");
  EXPECT_OK(book_->EndSpan());
  const FootageSpan first = Ended();
  EXPECT_TRUE(first.complete);
  EXPECT_OK(book_->Count(Peer(2), {.sent = 2}));
  Open();
  EXPECT_EQ(Ended(), first);  // not stated yet: still there
  EXPECT_OK(book_->Forget(first));
  EXPECT_THAT(book_->Ended(), IsEmpty());
  Open();
  EXPECT_THAT(book_->Ended(), IsEmpty());
  EXPECT_OK(book_->EndSpan());
  EXPECT_EQ(Ended().from, first.to);
  EXPECT_TRUE(Ended().peers.contains(Peer(2)));
}

// The next span begins where the last one ended, and nothing went meanwhile.
TEST_F(PeerBookTest, DaysWithoutAProcessAreNoGap) {
  EXPECT_OK(book_->Count(Peer(1), {.sent = 1}));
  clock_.Set("2026-11-26T11:00:00Z");
  EXPECT_OK(book_->EndSpan());
  EXPECT_OK(book_->Forget(Ended()));
  clock_.Set("2026-11-30T08:00:00Z");
  Open();
  EXPECT_OK(book_->Save());
  EXPECT_THAT(book_->Ended(),
              ElementsAre(FootageSpan{.from = TimeAt("2026-11-26T11:00:00Z"),
                                      .to = TimeAt("2026-11-27T00:00:00Z")},
                          FootageSpan{.from = TimeAt("2026-11-27T00:00:00Z"),
                                      .to = TimeAt("2026-11-30T00:00:00Z")}));
}

TEST_F(PeerBookTest, ACrashLeavesNobodyOutAndSaysThatCountsAreTheLeast) {
  EXPECT_OK(book_->Count(Peer(1), {.sent = 10, .connections = 1}));
  EXPECT_OK(book_->Save());
  EXPECT_OK(book_->Count(Peer(1), {.sent = 90}));  // not written down yet
  EXPECT_OK(book_->Count(Peer(2), {.sent = 5}));
  clock_.Set("2026-11-27T08:00:00Z");
  disk_.CutPower();
  disk_.RestorePower();
  Open();
  EXPECT_OK(book_->Save());
  const FootageSpan ended = Ended();
  EXPECT_FALSE(ended.complete);
  EXPECT_TRUE(ended.peers.contains(Peer(2)));
  ASSERT_TRUE(ended.peers.contains(Peer(1)));
  EXPECT_GE(ended.peers.at(Peer(1)).sent, 10u);
}

TEST_F(PeerBookTest, ACrashBeforeAnyFootageWentLeavesTheSpanComplete) {
  EXPECT_OK(book_->Save());
  clock_.Set("2026-11-27T08:00:00Z");
  Open();
  EXPECT_OK(book_->Save());
  EXPECT_EQ(Ended(), (FootageSpan{.from = TimeAt("2026-11-26T10:00:00Z"),
                                  .to = TimeAt("2026-11-27T00:00:00Z")}));
}

TEST_F(PeerBookTest, WhereverThePowerIsCutWhatWentHasItsPeerThere) {
  for (int operations = 0;; ++operations) {
    FakeDisk disk;
    SetClock clock;
    clock.Set("2026-11-26T10:00:00Z");
    std::vector<int> went;
    disk.CutPowerAfter(operations);
    {
      auto book = PeerBook::Open(disk, clock, {.path = kPath});
      for (int i = 0; book.ok() && i < 3; ++i) {
        if ((*book)->Count(Peer(i), {.sent = 1}).ok()) went.push_back(i);
      }
    }
    const bool cut = disk.power_was_cut();
    disk.RestorePower();
    ASSERT_OK_AND_ASSIGN(const auto book,
                         PeerBook::Open(disk, clock, {.path = kPath}));
    ASSERT_OK(book->EndSpan());
    for (const int i : went) {
      ASSERT_THAT(book->Ended(), SizeIs(1)) << "cut after " << operations;
      EXPECT_TRUE(book->Ended()[0].peers.contains(Peer(i)))
          << "cut after " << operations;
    }
    if (!cut) return;
  }
}

TEST_F(PeerBookTest, WhoCannotBeWrittenDownGetsNoFootage) {
  disk_.SetFault([](const DiskOperation& operation) {
    return operation.kind == DiskOperation::Kind::kCreate
               ? absl::ResourceExhaustedError("full")
               : absl::OkStatus();
  });
  EXPECT_THAT(book_->Count(Peer(1), {.sent = 1}),
              StatusIs(absl::StatusCode::kResourceExhausted));
  disk_.SetFault(nullptr);
  EXPECT_OK(book_->Count(Peer(1), {.sent = 2}));
  EXPECT_OK(book_->EndSpan());
  EXPECT_EQ(Ended().peers.at(Peer(1)).sent, 2u);
}

// What lies not in the file could still change under whoever states it.
TEST_F(PeerBookTest, ASpanThatIsNotWrittenDownHasNotEnded) {
  EXPECT_OK(book_->Count(Peer(1), {.sent = 1}));
  disk_.SetFault([](const DiskOperation& operation) {
    return operation.kind == DiskOperation::Kind::kSync
               ? absl::DataLossError("torn")
               : absl::OkStatus();
  });
  EXPECT_FALSE(book_->EndSpan().ok());
  EXPECT_THAT(book_->Ended(), IsEmpty());
  disk_.SetFault(nullptr);
  EXPECT_OK(book_->Save());
  EXPECT_TRUE(Ended().complete);
}

TEST_F(PeerBookTest, TooManyPeersAreOneEntryThatSaysSo) {
  for (size_t i = 0; i < limits::kFootagePeersMax + 5; ++i) {
    ASSERT_OK(book_->Count(Peer(static_cast<int>(i)), {.sent = 1}));
  }
  const int operations = disk_.operations();
  EXPECT_OK(book_->Count(Peer(5000), {.sent = 1}));
  EXPECT_EQ(disk_.operations(), operations);
  EXPECT_OK(book_->EndSpan());
  EXPECT_THAT(Ended().peers, SizeIs(limits::kFootagePeersMax));
  EXPECT_EQ(Ended().others, (FootageCounts{.sent = 6}));
}

TEST_F(PeerBookTest, SpansThatNobodyStatesAreBounded) {
  for (int i = 0; i < 120; ++i) {
    clock_.Set(absl::StrCat("2026-11-26T10:00:00.", 100 + i, "Z"));
    EXPECT_OK(book_->EndSpan());
  }
  const std::vector<FootageSpan> ended = book_->Ended();
  EXPECT_THAT(ended, SizeIs(limits::kFootageSpansMax));
  for (const FootageSpan& span : ended) EXPECT_OK(book_->Forget(span));
  clock_.Set("2026-11-26T11:00:00Z");
  EXPECT_OK(book_->EndSpan());
  EXPECT_EQ(Ended().from, ended.back().to);  // longer, and no gap
}

TEST_F(PeerBookTest, AnotherStoreBeginsAnotherSpan) {
  EXPECT_OK(book_->Count(Peer(1), {.sent = 1}));
  clock_.Set("2026-11-26T11:00:00Z");
  Open(/*local_store=*/true);
  EXPECT_OK(book_->Save());
  EXPECT_EQ(Ended().to, TimeAt("2026-11-26T11:00:00Z"));
  EXPECT_FALSE(Ended().local_store);
  EXPECT_OK(book_->Forget(Ended()));
  clock_.Set("2026-11-26T12:00:00Z");
  EXPECT_OK(book_->EndSpan());
  EXPECT_EQ(Ended(), (FootageSpan{.from = TimeAt("2026-11-26T11:00:00Z"),
                                  .to = TimeAt("2026-11-26T12:00:00Z"),
                                  .local_store = true}));
}

TEST_F(PeerBookTest, AClockThatWasSetBackEndsDaysNevertheless) {
  clock_.Set("2031-01-01T00:00:00Z");
  EXPECT_OK(book_->Save());
  for (const FootageSpan& span : book_->Ended()) EXPECT_OK(book_->Forget(span));
  clock_.Set("2026-11-26T12:00:00Z");
  EXPECT_OK(book_->Save());
  clock_.Set("2026-11-27T12:00:00Z");
  EXPECT_OK(book_->Save());
  EXPECT_EQ(Ended().from, TimeAt("2026-11-26T12:00:00Z"));
  EXPECT_EQ(Ended().to, TimeAt("2026-11-27T00:00:00Z"));
}

TEST_F(PeerBookTest, ADamagedFileIsSetAsideAndIsAGap) {
  EXPECT_OK(WriteFileAtomically(disk_, kPath, "schleuse-egress-peers-v1\n?"));
  clock_.Set("2026-11-26T11:00:00Z");
  Open();
  EXPECT_OK(ReadFile(disk_, absl::StrCat(kPath, ".damaged"), 100).status());
  EXPECT_OK(book_->EndSpan());
  EXPECT_THAT(book_->Ended(), IsEmpty());
  clock_.Set("2026-11-26T12:00:00Z");
  EXPECT_OK(book_->EndSpan());
  EXPECT_EQ(Ended().from, TimeAt("2026-11-26T11:00:00Z"));
}

TEST_F(PeerBookTest, ManyThreadsLoseNothing) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this, i] {
      for (int j = 0; j < 100; ++j) {
        EXPECT_OK(book_->Count(Peer(i % 2), {.sent = 1}));
        if (j % 10 != 0) continue;
        EXPECT_OK(book_->Save());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_OK(book_->EndSpan());
  EXPECT_EQ(Ended().peers.at(Peer(0)).sent, 200u);
  EXPECT_EQ(Ended().peers.at(Peer(1)).sent, 200u);
}

}  // namespace
}  // namespace schleuse
