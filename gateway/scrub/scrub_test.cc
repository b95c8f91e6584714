#include "gateway/scrub/scrub.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_matchers.h"
#include "evidence/statement.h"
#include "gateway/transfer/test_house.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using statement::v1::Statement;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr absl::string_view kBytes = "recording.mp4";

class ScrubTest : public testing::Test {
 protected:
  ScrubTest() { house_.KeepLog(); }
  ~ScrubTest() override { scrub_ = nullptr; }

  void Start() {
    ASSERT_OK(house_.Start());
    StartScrub();
  }
  void StartScrub() {
    house_.Wait(absl::Seconds(2));
    pinned_ = house_.keys().pinned();
    ScrubOptions options = {.state_file = "/data/custody/scrub.state",
                            .log_directory = kCustodyDirectory,
                            .gateway_name = "gw",
                            .bytes_per_second = rate_,
                            .every = absl::Hours(24),
                            .is_busy = [this](const RecordingName& name) {
                              return house_.intake().IsBusy(name);
                            }};
    if (is_over_) {
      options.is_over = [](const statement::Read::Stored&) { return true; };
    }
    Store& store = far_ ? static_cast<Store&>(house_.far_store())
                        : static_cast<Store&>(house_.store());
    scrub_ = std::make_shared<Scrub>(house_.disk, store, house_.custody(),
                                     *pinned_, house_.executor, house_.executor,
                                     std::move(options));
    ASSERT_OK(scrub_->Load());
  }
  void Restart() {
    scrub_ = nullptr;
    ASSERT_OK(house_.Restart());
    StartScrub();
  }
  // Brings `count` recordings, of which nobody remembers anything afterwards.
  void Bring(int count) {
    for (int i = 0; i < count; ++i) {
      house_.Bring(Name(i), Footage(5'000, static_cast<uint64_t>(i + 1)));
    }
    Restart();
  }
  static RecordingName Name(int i) { return Recording(absl::StrCat("r", i)); }
  static std::string PathOf(int i, absl::string_view file) {
    return absl::StrCat(kStoreDirectory, "/", Name(i).ToString(), "/", file);
  }
  // A pass, or several in a row.
  void RunScrub(absl::Duration span = absl::Hours(1)) {
    scrub_->Start();
    house_.Wait(span);
  }
  std::vector<Statement> Said(Statement::EventCase kind) {
    return house_.Said(kind);
  }
  // The one thing that a pass finds wrong; all else is sound.
  void ExpectOneFinding(statement::v1::Finding finding, int of,
                        uint64_t sound) {
    const std::vector<Statement> damaged = Said(Statement::kDamaged);
    ASSERT_THAT(damaged, SizeIs(1));
    EXPECT_EQ(damaged[0].damaged().finding(), finding);
    EXPECT_EQ(damaged[0].damaged().recording_id(), Name(of).recording_id());
    EXPECT_EQ(damaged[0].damaged().camera_id(), Name(of).camera_id());
    EXPECT_THAT(damaged[0].damaged().detail(), testing::Not(IsEmpty()));
    const std::vector<Statement> over = Said(Statement::kScrubbed);
    ASSERT_THAT(over, SizeIs(1));
    EXPECT_EQ(over[0].scrubbed().sound(), sound);
    EXPECT_EQ(over[0].scrubbed().damaged(), 1u);
  }

  TestHouse house_;
  uint64_t rate_ = 1 << 20;
  bool far_ = false;
  bool is_over_ = false;
  std::optional<PinnedKeys> pinned_;
  std::shared_ptr<schleuse::Scrub> scrub_;
};

TEST_F(ScrubTest, SoundStoreIsSaidToBeSoundOnceAPass) {
  Start();
  Bring(5);
  RunScrub();
  EXPECT_THAT(Said(Statement::kDamaged), IsEmpty());
  std::vector<Statement> over = Said(Statement::kScrubbed);
  ASSERT_THAT(over, SizeIs(1));
  EXPECT_EQ(over[0].scrubbed().sound(), 5u);
  EXPECT_EQ(over[0].scrubbed().bytes(), 25'000u);
  EXPECT_EQ(over[0].scrubbed().damaged(), 0u);
  EXPECT_EQ(over[0].scrubbed().stated(), 5u);
  house_.Wait(absl::Hours(22));
  EXPECT_THAT(Said(Statement::kScrubbed), SizeIs(1));
  house_.Wait(absl::Hours(2));
  EXPECT_THAT(Said(Statement::kScrubbed), SizeIs(2));
}

TEST_F(ScrubTest, OneBitThatTurnedIsFound) {
  Start();
  Bring(5);
  house_.Damage(PathOf(3, kBytes), 4'000);
  RunScrub();
  ExpectOneFinding(statement::v1::DIFFERS, 3, 4);
}

TEST_F(ScrubTest, ShorterFileIsFound) {
  Start();
  Bring(2);
  ASSERT_OK((*house_.disk.Open(PathOf(1, kBytes)))->Truncate(4'999));
  RunScrub();
  ExpectOneFinding(statement::v1::DIFFERS, 1, 1);
}

TEST_F(ScrubTest, FileThatIsGoneIsFoundByItsReceipt) {
  Start();
  Bring(3);
  ASSERT_OK(house_.disk.Remove(PathOf(0, kBytes)));
  RunScrub();
  ExpectOneFinding(statement::v1::MISSING, 0, 2);
}

TEST_F(ScrubTest, DirectoryThatIsGoneIsFoundByTheLog) {
  Start();
  Bring(3);
  const auto names = house_.disk.List(PathOf(2, ""));
  ASSERT_OK(names);
  for (const std::string& name : *names) {
    ASSERT_OK(house_.disk.Remove(PathOf(2, name)));
  }
  ASSERT_OK(house_.disk.RemoveDirectory(
      absl::StrCat(kStoreDirectory, "/", Name(2).ToString())));
  RunScrub();
  ExpectOneFinding(statement::v1::MISSING, 2, 2);
}

TEST_F(ScrubTest, UnreadableFileIsFound) {
  Start();
  Bring(3);
  house_.Fail(DiskOperation::Kind::kRead, absl::DataLossError("bad sector"),
              "r1/recording.mp4");
  RunScrub();
  house_.FailNoMore();
  ExpectOneFinding(statement::v1::UNREADABLE, 1, 2);
}

TEST_F(ScrubTest, MissingReceiptIsFound) {
  Start();
  Bring(3);
  ASSERT_OK(house_.disk.Remove(PathOf(1, "receipt.tlog-proof")));
  RunScrub();
  ExpectOneFinding(statement::v1::UNPROVEN, 1, 2);
}

// Another's bytes with a statement to match, whose receipt cannot.
TEST_F(ScrubTest, StatementThatWasWrittenAnewIsFound) {
  Start();
  Bring(2);
  const std::string path = PathOf(1, "statement.json");
  ASSERT_OK_AND_ASSIGN(std::string statement,
                       ReadFile(house_.disk, path, 1 << 20));
  statement.replace(statement.find("\"5000\""), 6, "\"5001\"");
  ASSERT_OK(WriteFileAtomically(house_.disk, path, statement));
  RunScrub();
  ExpectOneFinding(statement::v1::UNPROVEN, 1, 1);
}

TEST_F(ScrubTest, BundleOfAnotherRecordingIsFound) {
  Start();
  Bring(2);
  for (const char* file : {"statement.json", "receipt.tlog-proof"}) {
    ASSERT_OK(
        WriteFileAtomically(house_.disk, PathOf(1, file),
                            *ReadFile(house_.disk, PathOf(0, file), 1 << 20)));
  }
  RunScrub();
  ExpectOneFinding(statement::v1::UNPROVEN, 1, 1);
}

TEST_F(ScrubTest, WhatWasDeletedInTimeIsNotMissing) {
  Start();
  Bring(3);
  const auto found = house_.store().Find(Name(1));
  ASSERT_OK(found);
  Proof deletion;
  house_.custody().Append(
      statement::Deleted{.name = Name(1),
                         .transfer_id = TransferId::Make(house_.random),
                         .device = {},
                         .place = statement::Deleted::Place::kStore,
                         .size = 5'000,
                         .sha256 = {},
                         .rule = "r",
                         .legal_basis = {},
                         .retain_until = {}},
      CustodyLog::Importance::kMust,
      [&deletion](const absl::StatusOr<Logged>& logged) {
        ASSERT_OK(logged.status());
        deletion = {.statement = logged->statement, .receipt = logged->receipt};
      });
  house_.Wait(absl::Seconds(2));
  ASSERT_OK(house_.store().Delete(found->front(), deletion));
  RunScrub();
  EXPECT_THAT(Said(Statement::kDamaged), IsEmpty());
  const std::vector<Statement> over = Said(Statement::kScrubbed);
  ASSERT_THAT(over, SizeIs(1));
  EXPECT_EQ(over[0].scrubbed().sound(), 2u);
  EXPECT_EQ(over[0].scrubbed().deleted(), 1u);
}

// Anybody who can delete the footage can lay two files beside its receipt.
TEST_F(ScrubTest, DeletionThatTheLogNeverSaidCountedAsInTime) {
  Start();
  Bring(3);
  const auto found = house_.store().Find(Name(1));
  ASSERT_OK(found);
  ASSERT_OK(house_.store().Delete(
      found->front(), {.statement = "{}", .receipt = "deletion\n"}));
  RunScrub();
  ExpectOneFinding(statement::v1::MISSING, 1, 2);
}

// A rotten part of the log ended all scrubbing, with one warning.
TEST_F(ScrubTest, DamagedLogEndedAllScrubbing) {
  Start();
  Bring(3);
  bool flushed = false;
  house_.custody().Flush([&flushed] { flushed = true; });
  house_.Wait(absl::Seconds(2));
  const std::string entries = "/data/custody/2023/tile/entries/000.p";
  const auto parts = house_.disk.List(entries);
  ASSERT_OK(parts);
  for (const std::string& part : *parts) {
    house_.Damage(JoinPath(entries, part), 0);
  }
  RunScrub();
  EXPECT_EQ(scrub_->state().phase, ScrubState::Phase::kOver);
  EXPECT_EQ(scrub_->state().sound, 3u);
  EXPECT_EQ(scrub_->state().damaged, 1u);
}

TEST_F(ScrubTest, ReadsNoFasterThanItMay) {
  rate_ = 100;
  Start();
  Bring(4);
  scrub_->Start();
  house_.Wait(absl::Seconds(60));
  // Each of them takes fifty seconds.
  EXPECT_LE(scrub_->state().sound, 1u);
  house_.Wait(absl::Seconds(200));
  ASSERT_THAT(Said(Statement::kScrubbed), SizeIs(1));
}

TEST_F(ScrubTest, GoesOnBehindARestart) {
  rate_ = 10;
  Start();
  Bring(6);
  scrub_->Start();
  house_.Wait(absl::Seconds(1'800));
  EXPECT_EQ(scrub_->state().phase, ScrubState::Phase::kStore);
  EXPECT_EQ(scrub_->state().sound, 3u);
  rate_ = 1 << 20;
  Restart();
  EXPECT_GE(scrub_->state().sound, 2u);
  RunScrub();
  const std::vector<Statement> over = Said(Statement::kScrubbed);
  ASSERT_THAT(over, SizeIs(1));
  EXPECT_EQ(over[0].scrubbed().sound(), 6u);
  EXPECT_EQ(over[0].scrubbed().bytes(), 30'000u);
  EXPECT_THAT(Said(Statement::kDamaged), IsEmpty());
}

TEST_F(ScrubTest, StoreThatIsAwayIsNotAFinding) {
  far_ = true;
  house_.StoreFarAway();
  Start();
  Bring(3);
  house_.server.SetStatus(absl::UnavailableError("away"));
  RunScrub();
  EXPECT_THAT(Said(Statement::kDamaged), IsEmpty());
  EXPECT_THAT(Said(Statement::kScrubbed), IsEmpty());
  house_.server.SetStatus(absl::OkStatus());
  house_.Wait(absl::Hours(1));
  const std::vector<Statement> over = Said(Statement::kScrubbed);
  ASSERT_THAT(over, SizeIs(1));
  EXPECT_EQ(over[0].scrubbed().sound(), 3u);
}

TEST(ScrubStateTest, ReadsWhatItWrote) {
  std::vector<ScrubState> states(4);
  states[1].phase = ScrubState::Phase::kStore;
  states[2] = {.begun = absl::FromUnixMicros(17),
               .phase = ScrubState::Phase::kStore,
               .after = "cam-1/r0",
               .sound = 1,
               .bytes = 2,
               .damaged = 3,
               .deleted = 4,
               .stated = 5};
  states[3].phase = ScrubState::Phase::kLog;
  states[3].log = "2026-2";
  states[3].bundle = 7;
  for (const ScrubState& state : states) {
    const std::string text = state.ToText();
    EXPECT_THAT(ScrubState::Parse(text), IsOkAndHolds(state)) << text;
    for (size_t cut = 0; cut < text.size(); ++cut) {
      EXPECT_FALSE(ScrubState::Parse(text.substr(0, cut)).ok()) << cut;
    }
  }
}

}  // namespace
}  // namespace schleuse
