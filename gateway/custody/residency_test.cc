#include "gateway/custody/residency.h"

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/fake_executor.h"
#include "base/status_matchers.h"
#include "disk/fake_disk.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kPath[] = "/egress.peers";

// Keeps what it is given until it is told what became of it.
class FakeLog final : public CustodyLog {
 public:
  void Append(statement::Event event, Importance importance,
              Done done) override {
    EXPECT_EQ(importance, Importance::kMust);
    said.push_back(std::get<statement::Residency>(event));
    waiting_.push_back(std::move(done));
  }
  void Tell(const absl::Status& status) {
    for (Done& done : std::exchange(waiting_, {})) {
      if (status.ok()) {
        done(Logged());
      } else {
        done(status);
      }
    }
  }
  std::vector<RecordingName> Unlaid() const override { return {}; }
  absl::StatusOr<std::optional<Logged>> FindStored(
      const RecordingName&) const override {
    return std::optional<Logged>();
  }
  void Laid(const RecordingName&) override {}
  std::string checkpoint() const override { return ""; }
  void Flush(absl::AnyInvocable<void()> done) override { done(); }

  std::vector<statement::Residency> said;

 private:
  std::vector<Done> waiting_;
};

FootagePeer Peer(int number) {
  return {*SocketAddress::Parse(
              absl::StrCat("10.20.", number / 250, ".", number % 250, ":443")),
          Sha256::Of("der")};
}

class ResidencyTest : public testing::Test {
 protected:
  ResidencyTest() {
    executor_.Advance(TimeAt("2026-11-26T10:00:00Z") - executor_.Now());
    Open();
  }
  ~ResidencyTest() override { executor_.DropAll(); }
  // As another process would.
  void Open() {
    executor_.DropAll();
    auto book = PeerBook::Open(disk_, executor_, {.path = kPath});
    ASSERT_OK(book);
    book_ = *std::move(book);
    log_ = std::make_unique<FakeLog>();
    residency_ = std::make_shared<Residency>(book_, *log_, executor_);
    residency_->Start();
    executor_.RunReady();
  }
  void GoOnUntil(absl::string_view time) {
    while (executor_.next_due() <= TimeAt(time)) {
      executor_.SkipToNext();
      executor_.RunReady();
    }
    executor_.Advance(TimeAt(time) - executor_.Now());
  }
  static absl::Time TimeAt(absl::string_view text) {
    absl::Time time;
    EXPECT_TRUE(absl::ParseTime(absl::RFC3339_full, text, &time, nullptr));
    return time;
  }

  FakeDisk disk_;
  FakeExecutor executor_;
  std::shared_ptr<PeerBook> book_;
  std::unique_ptr<FakeLog> log_;
  std::shared_ptr<Residency> residency_;
};

TEST_F(ResidencyTest, StatesEachDayOnceItIsOver) {
  ASSERT_OK(
      book_->Count(Peer(1), {.sent = 7, .received = 3, .connections = 1}));
  GoOnUntil("2026-11-26T23:59:59Z");
  EXPECT_THAT(log_->said, IsEmpty());
  GoOnUntil("2026-11-27T00:01:00Z");
  ASSERT_THAT(log_->said, SizeIs(1));  // and not again while it waits
  const statement::Residency said = log_->said[0];
  EXPECT_EQ(said.from, TimeAt("2026-11-26T10:00:00Z"));
  EXPECT_EQ(said.to, TimeAt("2026-11-27T00:00:00Z"));
  EXPECT_TRUE(said.complete);
  EXPECT_FALSE(said.local_store);
  EXPECT_EQ(said.part, 1u);
  EXPECT_EQ(said.parts, 1u);
  ASSERT_THAT(said.peers, SizeIs(1));
  EXPECT_EQ(said.peers[0].address, "10.20.0.1:443");
  EXPECT_EQ(said.peers[0].certificate_sha256, Sha256::Of("der").ToHex());
  EXPECT_EQ(said.peers[0].bytes_sent, 7u);
  EXPECT_EQ(said.peers[0].bytes_received, 3u);
  EXPECT_EQ(said.peers[0].connections, 1u);
  log_->Tell(absl::OkStatus());
  EXPECT_THAT(book_->Ended(), IsEmpty());
  GoOnUntil("2026-11-28T00:01:00Z");
  ASSERT_THAT(log_->said, SizeIs(2));
  EXPECT_EQ(log_->said[1].from, said.to);
  EXPECT_THAT(log_->said[1].peers, IsEmpty());
}

TEST_F(ResidencyTest, ADayThatEndedWithoutAProcessIsStatedAtTheStart) {
  ASSERT_OK(book_->Count(Peer(1), {.sent = 7}));
  executor_.DropAll();
  executor_.Advance(TimeAt("2026-11-28T09:00:00Z") - executor_.Now());
  Open();
  ASSERT_THAT(log_->said, SizeIs(2));
  EXPECT_EQ(log_->said[0].to, TimeAt("2026-11-27T00:00:00Z"));
  EXPECT_FALSE(log_->said[0].complete);
  EXPECT_THAT(log_->said[0].peers, SizeIs(1));
  EXPECT_EQ(log_->said[1].to, TimeAt("2026-11-28T00:00:00Z"));
  EXPECT_TRUE(log_->said[1].complete);
}

TEST_F(ResidencyTest, TheLastWordStatesWhatThePresentSpanHad) {
  ASSERT_OK(book_->Count(Peer(1), {.sent = 7}));
  GoOnUntil("2026-11-26T11:00:00Z");
  residency_->Finish();
  ASSERT_THAT(log_->said, SizeIs(1));
  EXPECT_EQ(log_->said[0].to, TimeAt("2026-11-26T11:00:00Z"));
  EXPECT_TRUE(log_->said[0].complete);
  log_->Tell(absl::OkStatus());
  Open();
  EXPECT_THAT(log_->said, IsEmpty());
}

TEST_F(ResidencyTest, WhatTheLogRefusesIsStatedAgain) {
  GoOnUntil("2026-11-27T00:01:00Z");
  ASSERT_THAT(log_->said, SizeIs(1));
  log_->Tell(absl::ResourceExhaustedError("full"));
  GoOnUntil("2026-11-27T00:02:00Z");
  EXPECT_THAT(log_->said, SizeIs(2));
  log_->Tell(absl::OkStatus());
  GoOnUntil("2026-11-27T00:03:00Z");
  EXPECT_THAT(log_->said, SizeIs(2));
}

// Nobody knows whether the log had it by then.
TEST_F(ResidencyTest, ACrashBeforeTheLogToldOfItStatesItAlikeOnceMore) {
  ASSERT_OK(book_->Count(Peer(1), {.sent = 7}));
  GoOnUntil("2026-11-27T00:01:00Z");
  ASSERT_THAT(log_->said, SizeIs(1));
  const statement::Residency first = log_->said[0];
  Open();
  ASSERT_THAT(log_->said, SizeIs(1));
  EXPECT_EQ(log_->said[0].from, first.from);
  EXPECT_EQ(log_->said[0].to, first.to);
  EXPECT_EQ(log_->said[0].complete, first.complete);
  EXPECT_EQ(log_->said[0].peers[0].bytes_sent, first.peers[0].bytes_sent);
}

TEST_F(ResidencyTest, ManyPeersAreToldInParts) {
  const int peers = 2 * statement::Residency::kPeersMax + 1;
  for (int i = 0; i < peers; ++i) {
    ASSERT_OK(book_->Count(Peer(i), {.sent = 1}));
  }
  residency_->Finish();
  ASSERT_THAT(log_->said, SizeIs(3));
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(log_->said[i].part, i + 1);
    EXPECT_EQ(log_->said[i].parts, 3u);
  }
  EXPECT_THAT(log_->said[2].peers, SizeIs(1));
}

TEST_F(ResidencyTest, OthersAreCalledThat) {
  FootageSpan span = {.from = TimeAt("2026-11-26T00:00:00Z"),
                      .to = TimeAt("2026-11-27T00:00:00Z")};
  span.others = FootageCounts{.sent = 9};
  const auto statements = StatementsOf(span);
  ASSERT_THAT(statements, SizeIs(1));
  EXPECT_EQ(statements[0].peers[0].address, "others");
  EXPECT_EQ(statements[0].peers[0].certificate_sha256, "");
  EXPECT_EQ(statements[0].peers[0].bytes_sent, 9u);
}

TEST_F(ResidencyTest, CountsAreWrittenDownEveryFewSeconds) {
  ASSERT_OK(book_->Count(Peer(1), {.sent = 7}));
  ASSERT_OK(book_->Count(Peer(1), {.sent = 700}));
  GoOnUntil("2026-11-26T10:00:10Z");
  disk_.CutPower();
  disk_.RestorePower();
  Open();
  residency_->Finish();
  ASSERT_THAT(log_->said, SizeIs(1));
  EXPECT_EQ(log_->said[0].peers[0].bytes_sent, 707u);
  EXPECT_FALSE(log_->said[0].complete);
}

}  // namespace
}  // namespace schleuse
