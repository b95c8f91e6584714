// What the gateway's rooms state of next hops, read by schleuse-verify's, over
// days and crashes and the turn of a year.
#include "client/verify/residency.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/fake_executor.h"
#include "base/random.h"
#include "base/status_matchers.h"
#include "disk/fake_disk.h"
#include "gateway/custody/custody_log.h"
#include "gateway/custody/keys.h"
#include "gateway/custody/residency.h"
#include "gateway/egress/peer_book.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr char kGateway[] = "police.example/gw-1";

FootagePeer Peer(int number) {
  return {*SocketAddress::Parse(
              absl::StrCat("10.20.", number / 250, ".", number % 250, ":443")),
          Sha256::Of("der")};
}

class ResidencyTest : public testing::Test {
 protected:
  ResidencyTest() {
    MoveTo("2026-12-30T10:00:00Z");
    EXPECT_OK(disk_.MakeDirectory("/custody"));
    EXPECT_OK(disk_.MakeDirectory("/keys"));
    EXPECT_OK(InitCustody(disk_, "/custody", "/keys", kGateway, 64 << 10));
    keys_ = *CustodyKeys::Load(disk_, "/keys", kGateway);
    Begin();
  }
  ~ResidencyTest() override { executor_.DropAll(); }

  void Begin() {
    executor_.DropAll();
    CustodyOptions options;
    options.reserve_bytes = 64 << 10;
    options.clock_synchronised = [] { return true; };
    options.on_fatal = [](const absl::Status& why) { FAIL() << why; };
    auto log = CustodyLog::Open(disk_, "/custody", *keys_, executor_, executor_,
                                random_, std::move(options));
    ASSERT_OK(log);
    log_ = *std::move(log);
    auto book =
        PeerBook::Open(disk_, executor_, {.path = "/custody/egress.peers"});
    ASSERT_OK(book);
    book_ = *std::move(book);
    residency_ = std::make_shared<Residency>(book_, *log_, executor_);
    residency_->Start();
    executor_.RunReady();
  }
  void Stop() {
    residency_->Finish();
    MoveBy(absl::Seconds(10));  // published by then
    executor_.DropAll();
  }
  void Crash() {
    executor_.DropAll();
    disk_.CutPower();
    disk_.RestorePower();
  }
  static absl::Time TimeAt(absl::string_view text) {
    absl::Time time;
    EXPECT_TRUE(absl::ParseTime(absl::RFC3339_full, text, &time, nullptr));
    return time;
  }
  void MoveBy(absl::Duration duration) {
    const absl::Time to = executor_.Now() + duration;
    while (executor_.next_due() <= to) {
      executor_.SkipToNext();
      executor_.RunReady();
    }
    executor_.Advance(to - executor_.Now());
    executor_.RunReady();
  }
  void MoveTo(absl::string_view time) {
    MoveBy(TimeAt(time) - executor_.Now());
  }
  client::Report Check(const char* allow = "10.20.0.0/16:443") {
    auto report =
        client::CheckResidency(disk_, "/custody", keys_->pinned(),
                               {.allow = {*NetworkPort::Parse(allow)},
                                .from = TimeAt("2026-12-31T00:00:00Z"),
                                .to = TimeAt("2027-01-03T00:00:00Z")},
                               [](uint64_t, uint64_t) {});
    EXPECT_OK(report);
    return report.ok() ? *std::move(report) : client::Report();
  }

  FakeDisk disk_;
  FakeExecutor executor_;
  SeededRandom random_{1};
  std::optional<CustodyKeys> keys_;
  std::unique_ptr<CustodyLog> log_;
  std::shared_ptr<PeerBook> book_;
  std::shared_ptr<Residency> residency_;
};

TEST_F(ResidencyTest, WhatTheGatewayStatesIsWhatIsProven) {
  MoveTo("2026-12-31T12:00:00Z");
  EXPECT_OK(book_->Count(Peer(1), {.sent = 1000, .connections = 1}));
  MoveTo("2026-12-31T18:00:00Z");
  Stop();
  MoveTo("2027-01-02T12:00:00Z");  // a day without it
  Begin();
  EXPECT_OK(book_->Count(Peer(2), {.sent = 5, .connections = 1}));
  MoveTo("2027-01-03T00:01:00Z");
  const client::Report report = Check();
  EXPECT_THAT(report.problems, IsEmpty());
  EXPECT_THAT(report.proven,
              Contains(HasSubstr("a next hop was 10.20.0.1:443")));
  EXPECT_THAT(report.proven,
              Contains(HasSubstr("a next hop was 10.20.0.2:443")));
  EXPECT_THAT(report.not_proven, Not(Contains(HasSubstr("ended by a crash"))));
  EXPECT_FALSE(Check("10.20.0.1:443").holds());
}

TEST_F(ResidencyTest, ACrashLeavesNoGapAndNobodyOut) {
  MoveTo("2026-12-31T12:00:00Z");
  EXPECT_OK(book_->Count(Peer(1), {.sent = 1000, .connections = 1}));
  Crash();
  executor_.Advance(absl::Hours(24));
  Begin();
  MoveTo("2027-01-03T00:01:00Z");
  const client::Report report = Check();
  EXPECT_THAT(report.problems, IsEmpty());
  EXPECT_THAT(report.proven,
              Contains(HasSubstr("a next hop was 10.20.0.1:443")));
  EXPECT_THAT(report.not_proven, Contains(HasSubstr("ended by a crash")));
}

TEST_F(ResidencyTest, MorePeersThanOneStatementHoldsAreAllThere) {
  MoveTo("2026-12-31T12:00:00Z");
  for (int i = 0; i < 400; ++i) {
    EXPECT_OK(book_->Count(Peer(i), {.sent = 1, .connections = 1}));
  }
  MoveTo("2027-01-03T00:01:00Z");
  const client::Report report = Check();
  EXPECT_THAT(report.problems, IsEmpty());
  EXPECT_THAT(report.facts, Contains(testing::Pair("next_hops", "400")));
}

TEST_F(ResidencyTest, APresentDayThatIsNotStatedYetIsAGap) {
  MoveTo("2027-01-02T23:59:00Z");
  EXPECT_THAT(Check().problems, Contains(HasSubstr("there is a gap")));
}

}  // namespace
}  // namespace schleuse
