#include "gateway/retention/retention.h"

#include <memory>
#include <optional>
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
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr char kRules[] = "/data/rules.textproto";
constexpr char kHolds[] = "/data/holds.textproto";
const absl::Duration kDay = absl::Hours(24);

// A gateway that keeps everything for thirty days.
class KeepingHouse {
 public:
  KeepingHouse() {
    house_.KeepLog();
    Put(kRules,
        "rule { name: 'month' legal_basis: '*' days: 30 at_least_days: 7 }");
    Put(kHolds, "");
  }
  ~KeepingHouse() { retention_ = nullptr; }

  void Put(absl::string_view path, absl::string_view text) {
    ASSERT_OK(WriteFileAtomically(house_.disk, path, text));
  }

  void Start() {
    ASSERT_OK(house_.Start());
    StartRetention();
  }
  void StartRetention() {
    RetentionOptions options;
    options.holds_file = kHolds;
    options.state_file = "/data/custody/retention.state";
    options.clock_synchronised = [this] { return synchronised_; };
    if (has_rules_) {
      ASSERT_OK_AND_ASSIGN(options.rules,
                           RetentionRules::Load(house_.disk, kRules));
    }
    pinned_ = house_.keys().pinned();
    Store& store = far_ ? static_cast<Store&>(house_.far_store())
                        : static_cast<Store&>(house_.store());
    retention_ = std::make_shared<Retention>(
        house_.disk, house_.intake(), house_.spool(), store, &house_.custody(),
        &*pinned_, house_.executor, house_.executor, std::move(options));
    ASSERT_OK(retention_->Load());
  }
  void Restart() {
    retention_ = nullptr;
    ASSERT_OK(house_.Restart());
    StartRetention();
    house_.Wait(absl::Seconds(2));
  }
  void RestartAfterPowerCut() {
    retention_ = nullptr;
    ASSERT_OK(house_.RestartAfterPowerCut());
    StartRetention();
    house_.Wait(absl::Seconds(2));
  }

  void Wait(absl::Duration span) {
    house_.Wait(span);
    house_.disk.SetNow(house_.executor.Now());
  }
  // True if it came to its end.
  bool Pass() {
    bool over = false;
    retention_->Pass([&over](bool) { over = true; });
    house_.Wait(absl::Seconds(2));
    return over;
  }
  // Passes, an hour apart.
  void PassFor(absl::Duration span) {
    for (absl::Duration at; at < span; at += absl::Hours(1)) {
      Wait(absl::Hours(1));
      ASSERT_TRUE(Pass());
    }
  }

  // Its first 8,000 bytes, and nobody goes on with it.
  void BringPart() {
    const auto stream = house_.Begin(Recording(), footage_.size());
    (void)stream->Chunk(footage_, 0, 8000);
    Wait(absl::Seconds(1));
    stream->Close();
    Wait(absl::Seconds(1));
  }
  std::vector<Statement> Said(Statement::EventCase kind) {
    return house_.Said(kind);
  }
  std::vector<std::string> Stored(const RecordingName& name = Recording()) {
    std::vector<std::string> all;
    const auto found = house_.store().Find(name);
    EXPECT_OK(found.status());
    for (const Bundle& bundle : *found) {
      all.push_back(*ReadFile(house_.disk, bundle.location, 1 << 20));
    }
    return all;
  }
  std::optional<EndReason> EndOf(const TestStream& stream) {
    if (!stream.end()) return std::nullopt;
    return stream.end()->reason;
  }

  TestHouse house_;
  bool synchronised_ = true;
  bool has_rules_ = true;
  bool far_ = false;
  std::optional<PinnedKeys> pinned_;
  std::shared_ptr<Retention> retention_;
  const std::string footage_ = Footage(20'000);
};

class RetentionTest : public testing::Test, protected KeepingHouse {};

// --- what is stored ----------------------------------------------------------

TEST_F(RetentionTest, DeletesWhatIsOverdueAndSaysSoFirst) {
  Start();
  house_.Bring(Recording(), footage_);
  Wait(29 * kDay);
  ASSERT_TRUE(Pass());
  EXPECT_THAT(Stored(), ElementsAre(footage_));
  Wait(2 * kDay);
  ASSERT_TRUE(Pass());
  EXPECT_THAT(Stored(), IsEmpty());
  const std::vector<Statement> said = Said(Statement::kDeleted);
  ASSERT_THAT(said, SizeIs(1));
  EXPECT_EQ(said[0].deleted().place(), statement::v1::STORE);
  EXPECT_EQ(said[0].deleted().transfer().recording_id(), "r.mp4");
  EXPECT_EQ(said[0].deleted().transfer().device(), Device().spiffe_id());
  EXPECT_EQ(said[0].deleted().sha256(), Sha256::Of(footage_).ToHex());
  EXPECT_EQ(said[0].deleted().size(), footage_.size());
  EXPECT_EQ(said[0].deleted().rule(), "month");
  EXPECT_EQ(said[0].deleted().by(), "retention");
  // Once, and for good.
  ASSERT_TRUE(Pass());
  EXPECT_THAT(Said(Statement::kDeleted), SizeIs(1));
}

TEST_F(RetentionTest, DeletedRecordingKeepsItsReceiptAndDoesNotComeBack) {
  Start();
  house_.Bring(Recording(), footage_);
  ASSERT_OK_AND_ASSIGN(const GivenReceipt given,
                       house_.FindReceipt(Recording()));
  Wait(31 * kDay);
  ASSERT_TRUE(Pass());
  for (int i = 0; i < 2; ++i) {
    ASSERT_OK_AND_ASSIGN(const TransferView view, house_.Look(Recording()));
    EXPECT_EQ(view.state, TransferView::State::kDeleted);
    ASSERT_OK_AND_ASSIGN(const GivenReceipt found,
                         house_.FindReceipt(Recording()));
    EXPECT_EQ(found.statement, given.statement);
    EXPECT_EQ(found.proof, given.proof);
    // The device that still has it may erase it on the receipt of then.
    const auto again = house_.Begin(Recording(), footage_.size());
    ASSERT_TRUE(again->Last<Ready>());
    EXPECT_TRUE(again->Last<Ready>()->already_stored);
    again->Finish(footage_);
    house_.Wait(absl::Seconds(1));
    ASSERT_TRUE(again->Last<GivenReceipt>());
    EXPECT_EQ(again->Last<GivenReceipt>()->proof, given.proof);
    const auto other = house_.Begin(Recording(), 3);
    other->Finish("abc");
    house_.Wait(absl::Seconds(1));
    EXPECT_EQ(EndOf(*other), EndReason::kOtherBytesStored);
    EXPECT_THAT(Stored(), IsEmpty());
    EXPECT_THAT(house_.InSpool(".bytes"), IsEmpty());
    Restart();
  }
}

TEST_F(RetentionTest, WhatIsHeldStaysUntilItIsReleased) {
  Start();
  house_.Bring(Recording("held.mp4"), footage_);
  house_.Bring(Recording("free.mp4", "cam-2"), footage_);
  Put(kHolds, "hold { name: 'h-1' camera: 'cam-1' reason: 'trial' by: 'X' }");
  Wait(31 * kDay);
  ASSERT_TRUE(Pass());
  EXPECT_THAT(Stored(Recording("held.mp4")), SizeIs(1));
  EXPECT_THAT(Stored(Recording("free.mp4", "cam-2")), IsEmpty());
  ASSERT_THAT(Said(Statement::kHeld), SizeIs(1));
  EXPECT_EQ(Said(Statement::kHeld)[0].held().hold(), "h-1");
  EXPECT_EQ(Said(Statement::kHeld)[0].held().reason(), "trial");
  // Said once, also over a restart.
  Restart();
  ASSERT_TRUE(Pass());
  EXPECT_THAT(Said(Statement::kHeld), SizeIs(1));
  EXPECT_THAT(Said(Statement::kReleased), IsEmpty());
  // Another reason is another hold.
  Put(kHolds, "hold { name: 'h-1' camera: 'cam-1' reason: 'appeal' by: 'X' }");
  ASSERT_TRUE(Pass());
  EXPECT_THAT(Said(Statement::kHeld), SizeIs(2));
  Put(kHolds, "");
  ASSERT_TRUE(Pass());
  ASSERT_TRUE(Pass());
  EXPECT_THAT(Stored(Recording("held.mp4")), IsEmpty());
  // That was said before anything of it went.
  ASSERT_THAT(Said(Statement::kReleased), SizeIs(1));
  ASSERT_THAT(Said(Statement::kDeleted), SizeIs(2));
  EXPECT_LE(Said(Statement::kReleased)[0].time(),
            Said(Statement::kDeleted)[1].time());
}

TEST_F(RetentionTest, HoldByIncidentHolds) {
  Start();
  house_.Bring(Recording(), footage_);
  Put(kHolds, "hold { name: 'h' incident: '2024-17' reason: 'r' by: 'X' }");
  Wait(31 * kDay);
  ASSERT_TRUE(Pass());
  EXPECT_THAT(Stored(), SizeIs(1));
}

TEST_F(RetentionTest, HoldsThatCannotBeReadHoldEverything) {
  Start();
  house_.Bring(Recording(), footage_);
  Wait(31 * kDay);
  Put(kHolds, "hold { nam");
  ASSERT_TRUE(Pass());
  ASSERT_OK(house_.disk.Remove(kHolds));
  ASSERT_TRUE(Pass());
  EXPECT_THAT(Stored(), SizeIs(1));
  EXPECT_THAT(Said(Statement::kDeleted), IsEmpty());
  Put(kHolds, "");
  ASSERT_TRUE(Pass());
  EXPECT_THAT(Stored(), IsEmpty());
}

// The statement is durable by then, and the bytes are there still.
TEST_F(RetentionTest, HoldThatComesAtTheLastMomentIsHeeded) {
  Start();
  house_.Bring(Recording(), footage_);
  Wait(31 * kDay);
  bool over = false;
  retention_->Pass([&over](bool) { over = true; });
  // Until the decision was made, and the log has not answered.
  while (house_.executor.next_due() == absl::InfiniteFuture()) {
    ASSERT_TRUE(house_.executor.RunOne());
  }
  Put(kHolds, "hold { name: 'h' camera: '*' reason: 'r' by: 'X' }");
  house_.Wait(absl::Seconds(2));
  ASSERT_TRUE(over);
  EXPECT_THAT(Said(Statement::kDeleted), SizeIs(1));
  EXPECT_THAT(Stored(), SizeIs(1));
}

TEST_F(RetentionTest, NothingIsDeletedUnderAClockThatStandsAlone) {
  Start();
  house_.Bring(Recording(), footage_);
  Wait(31 * kDay);
  synchronised_ = false;
  ASSERT_TRUE(Pass());
  EXPECT_THAT(Stored(), SizeIs(1));
  synchronised_ = true;
  ASSERT_TRUE(Pass());
  EXPECT_THAT(Stored(), IsEmpty());
}

TEST_F(RetentionTest, WhatWasStoredUnderAClockThatStoodAloneIsKept) {
  house_.SetClockSynchronised(false);
  Start();
  house_.Bring(Recording(), footage_);
  Wait(400 * kDay);
  ASSERT_TRUE(Pass());
  EXPECT_THAT(Stored(), SizeIs(1));
}

TEST_F(RetentionTest, WhatNoRuleIsForIsKept) {
  Put(kRules, "rule { name: 'a' legal_basis: 'PolG 44' days: 1 }");
  Start();
  house_.Bring(Recording(), footage_);
  Wait(400 * kDay);
  ASSERT_TRUE(Pass());
  EXPECT_THAT(Stored(), SizeIs(1));
}

// Whoever can write to the store does not say how long it is kept.
TEST_F(RetentionTest, StatementThatItsReceiptDoesNotProveDeletesNothing) {
  Start();
  house_.Bring(Recording(), footage_);
  const std::string path =
      absl::StrCat(kStoreDirectory, "/cam-1/r.mp4/statement.json");
  ASSERT_OK_AND_ASSIGN(std::string statement,
                       ReadFile(house_.disk, path, 1 << 20));
  const size_t year = statement.find("\"time\":\"20") + 8;
  statement.replace(year, 4, "2001");
  Put(path, statement);
  ASSERT_TRUE(Pass());
  EXPECT_THAT(Stored(), SizeIs(1));
}

// A backup that was put back into the wrong directory.
TEST_F(RetentionTest, ReceiptOfAnotherRecordingDeletedThisOne) {
  Start();
  house_.Bring(Recording("old.mp4"), footage_);
  Wait(31 * kDay);
  house_.Bring(Recording("fresh.mp4"), footage_);
  Wait(absl::Seconds(5));
  for (const char* file : {"statement.json", "receipt.tlog-proof"}) {
    const auto at = [file](absl::string_view recording) {
      return absl::StrCat(kStoreDirectory, "/cam-1/", recording, "/", file);
    };
    Put(at("fresh.mp4"), *ReadFile(house_.disk, at("old.mp4"), 1 << 20));
  }
  ASSERT_TRUE(Pass());
  EXPECT_THAT(Stored(Recording("old.mp4")), IsEmpty());
  EXPECT_THAT(Stored(Recording("fresh.mp4")), ElementsAre(footage_));
}

TEST_F(RetentionTest, WhoeverIsBusyWithARecordingKeepsIt) {
  Start();
  house_.Bring(Recording(), footage_);
  Wait(31 * kDay);
  const auto stream = house_.Begin(Recording(), footage_.size());
  ASSERT_TRUE(Pass());
  EXPECT_THAT(Stored(), SizeIs(1));
  stream->Close();
  house_.Run();
  ASSERT_TRUE(Pass());
  EXPECT_THAT(Stored(), IsEmpty());
}

TEST_F(RetentionTest, DeviceThatComesMeanwhileIsAskedToComeBack) {
  Start();
  house_.Bring(Recording(), footage_);
  Wait(31 * kDay);
  retention_->Pass([](bool) {});
  while (house_.executor.next_due() == absl::InfiniteFuture()) {
    ASSERT_TRUE(house_.executor.RunOne());
  }
  const auto stream = house_.Begin(Recording(), footage_.size());
  ASSERT_TRUE(stream->end());
  EXPECT_THAT(stream->end()->status, StatusIs(absl::StatusCode::kUnavailable));
  house_.Wait(absl::Seconds(2));
  EXPECT_THAT(Stored(), IsEmpty());
  const auto again = house_.Begin(Recording(), footage_.size());
  EXPECT_FALSE(again->end());
}

// The power goes at each operation of a deletion: it is said before anything
// goes, and once it has begun the next pass brings it to its end.
TEST(RetentionPowerTest, PowerCutAnywhereInADeletionLeavesNoGap) {
  struct House : KeepingHouse {
    // False: it was over before the power went.
    bool Cut(int at) {
      Start();
      house_.Bring(Recording(), footage_);
      Wait(31 * kDay);
      house_.disk.CutPowerAfter(at);
      retention_->Pass([](bool) {});
      house_.Wait(absl::Seconds(2));
      const bool was_cut = house_.disk.power_was_cut();
      RestartAfterPowerCut();
      if (Stored().empty()) {
        EXPECT_THAT(Said(Statement::kDeleted), SizeIs(1));
        const auto deleted = house_.store().FindDeleted(Recording());
        EXPECT_TRUE(deleted.ok() && deleted->has_value());
      } else {
        EXPECT_THAT(Stored(), ElementsAre(footage_));
      }
      EXPECT_TRUE(Pass());
      EXPECT_THAT(Stored(), IsEmpty());
      EXPECT_OK(house_.FindReceipt(Recording()).status());
      const size_t said = Said(Statement::kDeleted).size();
      EXPECT_GE(said, 1u);
      EXPECT_LE(said, 2u);
      return was_cut;
    }
  };
  int cuts = 0;
  for (int at = 0;; ++at) {
    SCOPED_TRACE(at);
    ASSERT_LT(at, 500);
    if (!House().Cut(at)) break;
    ++cuts;
  }
  EXPECT_GT(cuts, 10);
}

// --- what is not stored ------------------------------------------------------

TEST_F(RetentionTest, TransferThatNobodyGoesOnWithIsGivenUpBehindAWarning) {
  Start();
  house_.disk.SetNow(house_.executor.Now());
  BringPart();
  ASSERT_THAT(house_.InSpool(".bytes"), SizeIs(1));
  PassFor(absl::Hours(6 * 24 + 23));
  EXPECT_THAT(house_.InSpool(".bytes"), SizeIs(1));
  PassFor(absl::Hours(4));
  EXPECT_THAT(house_.InSpool(), IsEmpty());
  const std::vector<Statement> said = Said(Statement::kExpired);
  ASSERT_THAT(said, SizeIs(1));
  EXPECT_EQ(said[0].expired().received_size(), 8000u);
  EXPECT_EQ(said[0].expired().transfer().device(), Device().spiffe_id());
  // The device has it still, and brings it anew.
  house_.Bring(Recording(), footage_);
  EXPECT_THAT(Stored(), ElementsAre(footage_));
}

// A host that stood still for a month: nobody could have heeded a warning.
TEST_F(RetentionTest, WithoutAWarningOfADayNothingLeavesTheSpool) {
  Start();
  house_.disk.SetNow(house_.executor.Now());
  BringPart();
  house_.Wait(60 * kDay);
  ASSERT_TRUE(Pass());
  EXPECT_THAT(house_.InSpool(".bytes"), SizeIs(1));
  house_.Wait(absl::Hours(12));
  // It is not warned of anew.
  Restart();
  ASSERT_TRUE(Pass());
  EXPECT_THAT(house_.InSpool(".bytes"), SizeIs(1));
  house_.Wait(absl::Hours(12));
  ASSERT_TRUE(Pass());
  EXPECT_THAT(house_.InSpool(".bytes"), IsEmpty());
}

TEST_F(RetentionTest, TransferThatSomebodyGoesOnWithIsNotGivenUp) {
  Start();
  house_.disk.SetNow(house_.executor.Now());
  auto stream = house_.Begin(Recording(), footage_.size());
  (void)stream->Chunk(footage_, 0, 8000);
  Wait(absl::Seconds(1));
  PassFor(absl::Hours(24 * 8));
  EXPECT_THAT(house_.InSpool(".bytes"), SizeIs(1)) << "a stream is open";
  (void)stream->Chunk(footage_, 8000, 4000);
  Wait(absl::Seconds(1));
  stream->Close();
  Wait(absl::Seconds(1));
  PassFor(absl::Hours(24 * 5));
  stream = house_.Begin(Recording(), footage_.size());
  EXPECT_EQ(stream->Last<Ready>()->offset, 12'000u);
}

TEST_F(RetentionTest, OldFilesOfAnEarlierProcessAreGivenUpToo) {
  Start();
  house_.disk.SetNow(house_.executor.Now());
  BringPart();
  Restart();
  PassFor(absl::Hours(24 * 7 + 2));
  EXPECT_THAT(house_.InSpool(), IsEmpty());
  EXPECT_THAT(Said(Statement::kExpired), SizeIs(1));
}

TEST_F(RetentionTest, WithoutRulesOnlyWhatNobodyGoesOnWithGoes) {
  has_rules_ = false;
  Start();
  house_.disk.SetNow(house_.executor.Now());
  house_.Bring(Recording("stored.mp4"), footage_);
  BringPart();
  PassFor(absl::Hours(24 * 7 + 2));
  EXPECT_THAT(house_.InSpool(), IsEmpty());
  Wait(400 * kDay);
  ASSERT_TRUE(Pass());
  EXPECT_THAT(Stored(Recording("stored.mp4")), SizeIs(1));
}

TEST_F(RetentionTest, WhatRunsOutWhileTheStoreIsAwayIsDeletedFromTheSpool) {
  far_ = true;
  house_.StoreFarAway();
  Start();
  house_.disk.SetNow(house_.executor.Now());
  house_.server.SetStatus(absl::UnavailableError("away"));
  const auto stream = house_.Bring(Recording(), footage_);
  EXPECT_EQ(EndOf(*stream), EndReason::kPaused);
  stream->Close();
  Wait(29 * kDay);
  ASSERT_TRUE(Pass());
  EXPECT_THAT(house_.InSpool(".bytes"), SizeIs(1));
  PassFor(absl::Hours(25));
  EXPECT_THAT(house_.InSpool(), IsEmpty());
  const std::vector<Statement> said = Said(Statement::kDeleted);
  ASSERT_THAT(said, SizeIs(1));
  EXPECT_EQ(said[0].deleted().place(), statement::v1::SPOOL);
  EXPECT_EQ(said[0].deleted().sha256(), Sha256::Of(footage_).ToHex());
  // No receipt was given, and none is: the store never had it.
  house_.server.SetStatus(absl::OkStatus());
  house_.intake().StoreIsBack();
  Wait(absl::Minutes(10));
  EXPECT_THAT(house_.FindReceipt(Recording()),
              StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(house_.server.Stored(Recording()), IsEmpty());
  // Whoever still has it brings it anew.
  const auto again = house_.Bring(Recording(), footage_);
  EXPECT_TRUE(again->Last<GivenReceipt>());
}

TEST_F(RetentionTest, HeldOnesStayInTheSpoolHoweverLongTheStoreIsAway) {
  far_ = true;
  house_.StoreFarAway();
  Put(kHolds, "hold { name: 'h' camera: 'cam-1' reason: 'r' by: 'X' }");
  Start();
  house_.disk.SetNow(house_.executor.Now());
  house_.server.SetStatus(absl::UnavailableError("away"));
  house_.Bring(Recording(), footage_)->Close();
  Wait(40 * kDay);
  PassFor(absl::Hours(26));
  EXPECT_THAT(house_.InSpool(".bytes"), SizeIs(1));
  house_.server.SetStatus(absl::OkStatus());
  house_.intake().StoreIsBack();
  Wait(absl::Minutes(10));
  EXPECT_THAT(house_.server.Stored(Recording()), ElementsAre(footage_));
  // The object store has its own rules: nothing is said of what it deletes.
  Wait(40 * kDay);
  Put(kHolds, "");
  ASSERT_TRUE(Pass());
  EXPECT_THAT(Said(Statement::kDeleted), IsEmpty());
}

TEST_F(RetentionTest, QuarantineObeysTheDeadlineAndFreesTheDevice) {
  Start();
  house_.disk.SetNow(house_.executor.Now());
  const RecordingName bad = Recording("bad.mp4");
  for (int i = 0; i < 3; ++i) {
    const auto stream = house_.Begin(bad, 4);
    (void)stream->Chunk("abcd", 0);
    stream->Finish(4, Sha256::Of("efgh"));
    Wait(absl::Seconds(1));
    EXPECT_EQ(EndOf(*stream), EndReason::kMismatch);
  }
  EXPECT_EQ(EndOf(*house_.Begin(bad, 4)), EndReason::kHeldForOperator);
  EXPECT_EQ(house_.spool().HeldBy(Device().spiffe_id()), 3);
  Wait(29 * kDay);
  ASSERT_TRUE(Pass());
  EXPECT_THAT(house_.InSpool(".bytes"), SizeIs(3));
  PassFor(absl::Hours(26));
  EXPECT_THAT(house_.InSpool(), IsEmpty());
  EXPECT_EQ(house_.spool().HeldBy(Device().spiffe_id()), 0);
  EXPECT_EQ(house_.spool().Mismatches(bad), 0);
  const std::vector<Statement> said = Said(Statement::kDeleted);
  ASSERT_THAT(said, SizeIs(3));
  for (const Statement& one : said) {
    EXPECT_EQ(one.deleted().place(), statement::v1::QUARANTINE);
    EXPECT_EQ(one.deleted().transfer().recording_id(), "bad.mp4");
    EXPECT_EQ(one.deleted().size(), 4u);
  }
}

TEST_F(RetentionTest, WhatWasSetAsideIsDeletedEvenWithoutItsName) {
  Start();
  house_.disk.SetNow(house_.executor.Now());
  BringPart();
  const std::vector<std::string> records = house_.InSpool(".records");
  ASSERT_THAT(records, SizeIs(1));
  for (const uint64_t at : {20, 24, 28}) {
    house_.Damage(JoinPath(kSpoolDirectory, records[0]), at);
  }
  house_.disk.SetNow(house_.executor.Now());
  Restart();
  ASSERT_THAT(house_.InSpool(".aside"), SizeIs(2));
  // Nobody knows whose it is: any hold holds it.
  Put(kHolds, "hold { name: 'h' camera: 'cam-9' reason: 'r' by: 'X' }");
  Wait(29 * kDay);
  PassFor(absl::Hours(26));
  EXPECT_THAT(house_.InSpool(".aside"), SizeIs(2));
  Put(kHolds, "");
  PassFor(absl::Hours(26));
  EXPECT_THAT(house_.InSpool(), IsEmpty());
  const std::vector<Statement> said = Said(Statement::kDeleted);
  ASSERT_THAT(said, SizeIs(1));
  EXPECT_EQ(said[0].deleted().transfer().recording_id(), "");
  EXPECT_EQ(said[0].deleted().transfer().transfer_id().size(), 32u);
}

// --- the file that remembers -------------------------------------------------

TEST(RetentionStateTest, ReadsWhatItWrote) {
  RetentionState state;
  EXPECT_THAT(RetentionState::Parse(state.ToText()), IsOkAndHolds(state));
  state.holds.emplace("h-1", Sha256::Of("x"));
  state.warned["0123"] = absl::FromUnixSeconds(1'700'000'000);
  EXPECT_THAT(RetentionState::Parse(state.ToText()), IsOkAndHolds(state));
  const std::string text = state.ToText();
  for (size_t cut = 0; cut + 1 < text.size(); ++cut) {
    const auto read = RetentionState::Parse(text.substr(0, cut));
    EXPECT_TRUE(!read.ok() || read->warned.empty()) << cut;
  }
  EXPECT_FALSE(RetentionState::Parse(text + "x").ok());
}

TEST(RetentionStateTest, HoldsThatDifferAnywhereDiffer) {
  const statement::Held hold = {"h", {"c"}, {"r"}, {"i"}, "why", "who"};
  std::vector<statement::Held> others(6, hold);
  others[0].cameras = {"c", "r"};
  others[1].recordings = {};
  others[2].incidents = {"ii"};
  others[3].reason = "wh";
  others[4].by = "ywho";
  others[5].cameras = {"c1"};
  for (const statement::Held& other : others) {
    EXPECT_NE(DigestOf(hold), DigestOf(other));
  }
}

}  // namespace
}  // namespace schleuse
