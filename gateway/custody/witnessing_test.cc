#include "gateway/custody/witnessing.h"

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/fake_executor.h"
#include "base/random.h"
#include "base/status_matchers.h"
#include "crypto/signer.h"
#include "disk/fake_disk.h"
#include "evidence/merkle.h"
#include "evidence/receipt.h"
#include "evidence/stored_receipt.h"
#include "gateway/custody/keys.h"
#include "gateway/custody/test_statements.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// A witness as the standard has it, in memory.
class FakeWitness final : public WitnessPeer {
 public:
  FakeWitness(std::string name, const Clock& clock)
      : name_(std::move(name)), clock_(clock) {}

  NoteVerifier key() const {
    return *NoteVerifier::Make(name_, NoteKeyType::kCosignature,
                               key_.public_key());
  }
  absl::StatusOr<WitnessAnswer> Ask(const AddCheckpoint& request,
                                    absl::Duration) override {
    ++asked;
    if (!away.ok()) return away;
    const auto checkpoint = OpenCheckpoint(request.checkpoint, Keys().pinned());
    if (!checkpoint.ok()) return WitnessAnswer{.refusal = "403"};
    const auto [latest, first] =
        latest_.emplace(checkpoint->origin, Checkpoint{"", 0, EmptyRoot()});
    if (request.old_size != latest->second.size) {
      return WitnessAnswer{.latest = latest->second.size};
    }
    if (!VerifyConsistency(latest->second.size, checkpoint->size,
                           latest->second.root, checkpoint->root, request.proof)
             .ok() &&
        latest->second.size > 0) {
      return WitnessAnswer{.refusal = "422", .contradicts = true};
    }
    latest->second = *checkpoint;
    return WitnessAnswer{.lines = Line(request.checkpoint)};
  }
  std::string Line(absl::string_view note) const {
    return *CosignatureLine(
        name_, key_, *NoteText(note),
        static_cast<uint64_t>(absl::ToUnixSeconds(clock_.Now())));
  }
  // It has seen more than it was shown.
  void Set(const std::string& origin, uint64_t size) {
    latest_.insert_or_assign(origin, Checkpoint{origin, size, EmptyRoot()});
  }

  absl::Status away;
  int asked = 0;

 private:
  const std::string name_;
  const Clock& clock_;
  const PrivateKey key_ = PrivateKey::Generate(KeyKind::kEd25519);
  std::map<std::string, Checkpoint> latest_;
};

// So that the witness that a test holds can be the one that is asked.
class Borrowed final : public WitnessPeer {
 public:
  explicit Borrowed(WitnessPeer& witness) : witness_(witness) {}
  absl::StatusOr<WitnessAnswer> Ask(const AddCheckpoint& request,
                                    absl::Duration patience) override {
    return witness_.Ask(request, patience);
  }

 private:
  WitnessPeer& witness_;
};

class WitnessingTest : public testing::Test {
 protected:
  WitnessingTest() {
    for (const char* directory : {"/custody", "/keys", "/inbox"}) {
      EXPECT_OK(disk_.MakeDirectory(directory));
    }
    EXPECT_OK(InitCustody(disk_, "/custody", "/keys", kGateway, 64 << 10));
    executor_.Advance(
        absl::FromCivil(absl::CivilDay(2026, 11, 26), absl::UTCTimeZone()) -
        executor_.Now());
    OpenLog();
    doors_ = {&first_};
  }
  void OpenLog() {
    CustodyOptions options;
    options.clock_synchronised = [] { return true; };
    options.on_fatal = [](const absl::Status& why) { FAIL() << why; };
    log_ = *CustodyLog::Open(disk_, "/custody", Keys(), executor_, executor_,
                             random_, std::move(options));
  }
  void Begin() {
    std::vector<WitnessDoor> doors;
    for (FakeWitness* witness : doors_) {
      doors.push_back({witness->key(), std::make_unique<Borrowed>(*witness)});
    }
    if (by_stick_ != nullptr) doors.push_back({by_stick_->key(), nullptr});
    options_.lay = [this](absl::Span<const WitnessedReceipt> receipts) {
      std::vector<absl::Status> results;
      for (const WitnessedReceipt& one : receipts) {
        const std::string id = one.name.recording_id();
        results.push_back(lay_says_[id]);
        // As a store does: the first stays.
        if (results.back().ok()) laid_.emplace(id, one);
      }
      return results;
    };
    options_.on_ahead = [this](const absl::Status& why) {
      ahead_.push_back(why);
    };
    witnessing_ = std::make_shared<Witnessing>(
        disk_, "/custody", Keys().pinned(), std::move(doors), rounds_,
        executor_, random_, options_);
  }
  void Store(int from, int to) {
    for (int i = from; i < to; ++i) {
      log_->Append(StoredOf(i), CustodyLog::Importance::kMust,
                   [](const absl::StatusOr<Logged>& logged) {
                     EXPECT_OK(logged.status());
                   });
    }
    executor_.RunReady();
    executor_.Advance(absl::Seconds(1));
    executor_.RunReady();
  }
  // Of a recording that is witnessed: the size it was witnessed at.
  uint64_t SizeFor(int number, size_t required = 1) {
    const auto found = laid_.find(absl::StrCat("r", number));
    if (found == laid_.end()) return 0;
    WitnessPolicy policy = {.witnesses = {first_.key(), second_.key()},
                            .required = required};
    const auto proven =
        VerifyStored(found->second.receipt, found->second.statement,
                     Keys().pinned(), policy);
    EXPECT_OK(proven.status());
    if (!proven.ok()) return 0;
    EXPECT_EQ(proven->name, found->second.name);
    return proven->proven.checkpoint.size;
  }
  uint64_t Published(absl::string_view year = "2026") const {
    const std::string note =
        *ReadFile(disk_, absl::StrCat("/custody/", year, "/checkpoint"), 9999);
    return OpenCheckpoint(note, Keys().pinned())->size;
  }
  std::string Note() const {
    return *ReadFile(disk_, "/custody/2026/checkpoint", 9999);
  }

  FakeDisk disk_{1};
  FakeExecutor executor_;
  FakeExecutor rounds_;
  SeededRandom random_{1};
  FakeWitness first_{"dpo.example/w1", executor_};
  FakeWitness second_{"dpo.example/w2", executor_};
  std::vector<FakeWitness*> doors_;
  FakeWitness* by_stick_ = nullptr;
  WitnessingOptions options_;
  std::map<std::string, WitnessedReceipt> laid_;
  std::map<std::string, absl::Status> lay_says_;
  std::vector<absl::Status> ahead_;
  std::unique_ptr<CustodyLog> log_;
  std::shared_ptr<Witnessing> witnessing_;
};

TEST_F(WitnessingTest, EachStoredRecordingGetsTheFirstReceiptThatCoversIt) {
  Begin();
  Store(0, 300);
  witnessing_->Round();
  const uint64_t first = Published();
  EXPECT_EQ(SizeFor(0), first);
  EXPECT_EQ(SizeFor(299), first);
  Store(300, 600);
  witnessing_->Round();
  EXPECT_EQ(SizeFor(0), first);
  EXPECT_EQ(SizeFor(300), Published());
  EXPECT_THAT(laid_, SizeIs(600));
  EXPECT_THAT(ahead_, IsEmpty());
}

TEST_F(WitnessingTest, WithSeveralWitnessesAllThatAnswerSign) {
  doors_ = {&first_, &second_};
  Begin();
  Store(0, 3);
  witnessing_->Round();
  EXPECT_EQ(SizeFor(0, 2), Published());
}

TEST_F(WitnessingTest, ADeadWitnessKeepsNobodyFromTheOther) {
  doors_ = {&first_, &second_};
  first_.away = absl::UnavailableError("dead");
  Begin();
  Store(0, 3);
  witnessing_->Round();
  EXPECT_EQ(SizeFor(0), Published());
}

TEST_F(WitnessingTest, FewerThanRequiredLayNothingUntilTheOtherIsBack) {
  doors_ = {&first_, &second_};
  options_.required = 2;
  second_.away = absl::UnavailableError("dead");
  Begin();
  Store(0, 3);
  witnessing_->Round();
  EXPECT_THAT(laid_, IsEmpty());
  second_.away = absl::OkStatus();
  Store(3, 5);
  witnessing_->Round();
  EXPECT_EQ(SizeFor(0, 2), Published());
  EXPECT_THAT(laid_, SizeIs(5));
}

TEST_F(WitnessingTest, ANewProcessGoesOnWhereTheOldOneWas) {
  Begin();
  Store(0, 300);
  witnessing_->Round();
  const uint64_t first = Published();
  Begin();
  const int asked = first_.asked;
  Store(300, 310);
  laid_.clear();
  witnessing_->Round();
  // Asked what it knows, then with the proof.
  EXPECT_EQ(first_.asked, asked + 2);
  EXPECT_THAT(laid_, SizeIs(10));
  EXPECT_GT(SizeFor(300), first);
}

TEST_F(WitnessingTest, WhatCannotBeLaidYetIsLaidInALaterRound) {
  Begin();
  Store(0, 3);
  lay_says_["r1"] = absl::UnavailableError("its statement is not there yet");
  lay_says_["r2"] = absl::DataLossError("unreadable");
  witnessing_->Round();
  EXPECT_EQ(SizeFor(1), 0u);
  // It keeps no other waiting, and a new process knows of it.
  Store(3, 600);
  Begin();
  witnessing_->Round();
  EXPECT_EQ(SizeFor(599), Published());
  EXPECT_EQ(SizeFor(1), 0u);
  lay_says_["r1"] = absl::OkStatus();
  laid_.clear();
  witnessing_->Round();
  EXPECT_EQ(SizeFor(1), Published());
  EXPECT_THAT(laid_, SizeIs(1));
}

TEST_F(WitnessingTest, AStoreThatIsAwayIsWaitedFor) {
  Begin();
  Store(0, 1500);
  for (int i = 0; i < 1500; ++i) {
    lay_says_[absl::StrCat("r", i)] = absl::UnavailableError("away");
  }
  witnessing_->Round();
  witnessing_->Round();
  lay_says_.clear();
  witnessing_->Round();
  EXPECT_THAT(laid_, SizeIs(1500));
}

TEST_F(WitnessingTest, OnAFullDiskItWaitsForRoom) {
  Begin();
  Store(0, 3);
  lay_says_["r1"] = absl::ResourceExhaustedError("full");
  witnessing_->Round();
  lay_says_.clear();
  laid_.clear();
  witnessing_->Round();
  EXPECT_THAT(laid_, SizeIs(3));
}

TEST_F(WitnessingTest, WhatIsGoneIsPassedOver) {
  Begin();
  Store(0, 3);
  lay_says_["r0"] = absl::NotFoundError("deleted");
  lay_says_["r1"] = absl::AlreadyExistsError("another's");
  witnessing_->Round();
  EXPECT_EQ(SizeFor(2), Published());
  laid_.clear();
  lay_says_.clear();
  witnessing_->Round();
  EXPECT_THAT(laid_, IsEmpty());
}

// Whatever of a round is cut, the next process lays what is missing.
TEST_F(WitnessingTest, NoReceiptIsForgottenWhereverThePowerIsCut) {
  for (int operations = 0;; ++operations) {
    SCOPED_TRACE(operations);
    Store(10 * operations, 10 * operations + 3);
    Begin();
    disk_.CutPowerAfter(operations);
    witnessing_->Round();
    const bool cut = disk_.power_was_cut();
    executor_.DropAll();
    log_ = nullptr;
    if (!cut) disk_.CutPower();
    disk_.RestorePower();
    OpenLog();
    Begin();
    witnessing_->Round();
    for (int i = 0; i < 3; ++i) EXPECT_NE(SizeFor(10 * operations + i), 0u);
    if (!cut) break;
    ASSERT_LT(operations, 1000);
  }
  EXPECT_THAT(ahead_, IsEmpty());
}

TEST_F(WitnessingTest, TheTurnOfAYearIsCoveredToItsEnd) {
  Begin();
  Store(0, 3);
  executor_.Advance(
      absl::FromCivil(absl::CivilYear(2027), absl::UTCTimeZone()) -
      executor_.Now());
  Store(3, 5);
  witnessing_->Round();
  EXPECT_EQ(SizeFor(2), Published("2026"));
  EXPECT_EQ(SizeFor(4), Published("2027"));
  // The first year's is asked for no more.
  const int asked = first_.asked;
  witnessing_->Round();
  EXPECT_EQ(first_.asked, asked + 1);
}

// --- who knows more ----------------------------------------------------------

TEST_F(WitnessingTest, AWitnessThatKnowsMoreStopsTheLog) {
  Begin();
  Store(0, 3);
  first_.Set(absl::StrCat(kGateway, "/custody/2026"), Published() + 1);
  witnessing_->Round();
  ASSERT_THAT(ahead_, SizeIs(1));
  EXPECT_THAT(ahead_[0],
              StatusIs(StatusCode::kDataLoss, HasSubstr("dpo.example/w1")));
  EXPECT_THAT(laid_, IsEmpty());
  witnessing_->Round();
  EXPECT_THAT(ahead_, SizeIs(1));
}

// A fork that has grown beyond what the witness knows.
TEST_F(WitnessingTest, AWitnessThatKnowsAnotherHistoryStopsTheLog) {
  Begin();
  Store(0, 300);
  first_.Set(absl::StrCat(kGateway, "/custody/2026"), 100);
  witnessing_->Round();
  ASSERT_THAT(ahead_, SizeIs(1));
  EXPECT_THAT(ahead_[0],
              StatusIs(StatusCode::kDataLoss, HasSubstr("does not lead")));
}

// A person began another behind it: that one is gone on with.
TEST_F(WitnessingTest, AClosedLogThatIsContradictedStopsNobody) {
  Begin();
  Store(0, 3);
  first_.Set(absl::StrCat(kGateway, "/custody/2026"), Published() + 1);
  executor_.Advance(
      absl::FromCivil(absl::CivilYear(2027), absl::UTCTimeZone()) -
      executor_.Now());
  Store(3, 5);
  first_.Set(absl::StrCat(kGateway, "/custody/2026"), 1000);
  witnessing_->Round();
  EXPECT_THAT(ahead_, IsEmpty());
  EXPECT_EQ(SizeFor(0), 0u);
  EXPECT_EQ(SizeFor(4), Published("2027"));
}

TEST_F(WitnessingTest, AClosedLogWaitsForItsLastReceipts) {
  Begin();
  Store(0, 3);
  lay_says_["r1"] = absl::UnavailableError("not yet");
  executor_.Advance(
      absl::FromCivil(absl::CivilYear(2027), absl::UTCTimeZone()) -
      executor_.Now());
  Store(3, 5);
  witnessing_->Round();
  lay_says_.clear();
  witnessing_->Round();
  EXPECT_EQ(SizeFor(1), Published("2026"));
  EXPECT_EQ(SizeFor(4), Published("2027"));
}

TEST_F(WitnessingTest, AClosedLogWaitsForADayAndNoLonger) {
  Begin();
  Store(0, 3);
  lay_says_["r1"] = absl::UnavailableError("never");
  executor_.Advance(
      absl::FromCivil(absl::CivilYear(2027), absl::UTCTimeZone()) -
      executor_.Now());
  Store(3, 5);
  witnessing_->Round();
  EXPECT_EQ(SizeFor(4), 0u);
  executor_.Advance(absl::Hours(25));
  witnessing_->Round();
  EXPECT_EQ(SizeFor(4), Published("2027"));
}

TEST_F(WitnessingTest, ADamagedStateIsMadeAnew) {
  Begin();
  Store(0, 3);
  ASSERT_OK(WriteFileAtomically(disk_, "/custody/witnessed", "hello"));
  witnessing_->Round();
  EXPECT_EQ(SizeFor(2), Published());
}

TEST_F(WitnessingTest, TellsAStartWhatWitnessesKnow) {
  doors_ = {&first_, &second_};
  Begin();
  Store(0, 3);
  EXPECT_THAT(witnessing_->AskWhatIsKnown(absl::Seconds(5)), IsEmpty());
  const uint64_t seen = Published();
  second_.away = absl::UnavailableError("dead");
  Store(3, 5);
  Begin();
  const std::vector<KnownTree> known =
      witnessing_->AskWhatIsKnown(absl::Seconds(5));
  ASSERT_THAT(known, SizeIs(1));
  EXPECT_EQ(known[0].size, seen);
  EXPECT_EQ(known[0].origin, absl::StrCat(kGateway, "/custody/2026"));
  EXPECT_EQ(known[0].by, "the witness dpo.example/w1");
}

// --- alarms by age -----------------------------------------------------------

class AgeTest : public WitnessingTest {
 protected:
  void WaitAndRound(absl::Duration time) {
    executor_.Advance(time);
    executor_.RunReady();
    testing::internal::CaptureStderr();
    witnessing_->Round();
    said_ = testing::internal::GetCapturedStderr();
  }
  bool alarmed() const { return absl::StrContains(said_, "for long"); }
  std::string said_;
};

TEST_F(AgeTest, AWitnessThatIsAwayForLongIsAnAlarmOnceAnHour) {
  Begin();
  Store(0, 3);
  WaitAndRound(absl::Minutes(1));
  first_.away = absl::UnavailableError("dead");
  WaitAndRound(absl::Hours(23));
  EXPECT_FALSE(alarmed());
  WaitAndRound(absl::Minutes(61));
  EXPECT_TRUE(alarmed());
  EXPECT_THAT(said_, HasSubstr("dpo.example/w1"));
  WaitAndRound(absl::Minutes(1));
  EXPECT_FALSE(alarmed());
  WaitAndRound(absl::Hours(1));
  EXPECT_TRUE(alarmed());
  first_.away = absl::OkStatus();
  WaitAndRound(absl::Hours(1));
  EXPECT_FALSE(alarmed());
}

// A gateway that is restarted every day would else never notice.
// Nor one that never answered.
TEST_F(AgeTest, TheAgeOfOneThatNeverAnsweredSurvivesARestart) {
  first_.away = absl::UnavailableError("dead");
  Begin();
  Store(0, 3);
  WaitAndRound(absl::Minutes(1));
  for (int i = 0; i < 3; ++i) {
    executor_.Advance(absl::Hours(9));
    Begin();
    WaitAndRound(absl::Minutes(1));
  }
  EXPECT_TRUE(alarmed());
}

TEST_F(AgeTest, AClockThatRanAheadDoesNotSilenceIt) {
  Begin();
  Store(0, 3);
  executor_.Advance(absl::Hours(24 * 365 * 10));
  WaitAndRound(absl::Minutes(1));
  executor_.Advance(-absl::Hours(24 * 365 * 10));
  first_.away = absl::UnavailableError("dead");
  WaitAndRound(absl::Minutes(1));
  EXPECT_FALSE(alarmed());
  WaitAndRound(absl::Hours(25));
  EXPECT_TRUE(alarmed());
}

TEST_F(AgeTest, TheAgeSurvivesARestart) {
  Begin();
  Store(0, 3);
  WaitAndRound(absl::Minutes(1));
  first_.away = absl::UnavailableError("dead");
  executor_.Advance(absl::Hours(25));
  Begin();
  WaitAndRound(absl::Minutes(1));
  EXPECT_TRUE(alarmed());
}

// --- by stick ----------------------------------------------------------------

class StickTest : public WitnessingTest {
 protected:
  StickTest() {
    doors_ = {};
    by_stick_ = &first_;
    options_.inbox = "/inbox";
    Begin();
    Store(0, 3);
    carried_ = Note();
    Store(3, 5);
    size_ = OpenCheckpoint(carried_, Keys().pinned())->size;
  }
  void Bring(absl::string_view name, absl::string_view note) {
    EXPECT_OK(WriteFileAtomically(disk_, JoinPath("/inbox", name), note));
  }
  std::vector<std::string> Inbox() const { return *disk_.List("/inbox"); }

  std::string carried_;
  uint64_t size_;
};

TEST_F(StickTest, WhatComesBackCosignedCoversWhatItSaw) {
  Bring("back", carried_ + first_.Line(carried_));
  witnessing_->Round();
  EXPECT_EQ(SizeFor(0), size_);
  EXPECT_EQ(SizeFor(2), size_);
  EXPECT_EQ(SizeFor(3), 0u);
  EXPECT_THAT(Inbox(), IsEmpty());
  Bring("again", Note() + first_.Line(Note()));
  witnessing_->Round();
  EXPECT_EQ(SizeFor(0), size_);
  EXPECT_EQ(SizeFor(4), Published());
}

TEST_F(StickTest, WhatIsNotCosignedByOursIsSetAside) {
  Bring("bare", carried_);
  Bring("foreign", carried_ + second_.Line(carried_));
  Bring("junk", "hello");
  witnessing_->Round();
  EXPECT_THAT(laid_, IsEmpty());
  EXPECT_THAT(Inbox(),
              ElementsAre("bare.refused", "foreign.refused", "junk.refused"));
  witnessing_->Round();
  EXPECT_THAT(Inbox(), SizeIs(3));
}

TEST_F(StickTest, ACheckpointBeyondTheLogStopsIt) {
  const std::string beyond = Keys().Sign(
      {absl::StrCat(kGateway, "/custody/2026"), Published() + 1, EmptyRoot()});
  Bring("beyond", beyond + first_.Line(beyond));
  witnessing_->Round();
  EXPECT_THAT(ahead_, SizeIs(1));
  EXPECT_THAT(laid_, IsEmpty());
}

TEST_F(StickTest, AForkStopsIt) {
  const std::string fork = Keys().Sign(
      {absl::StrCat(kGateway, "/custody/2026"), size_, EmptyRoot()});
  Bring("fork", fork + first_.Line(fork));
  witnessing_->Round();
  EXPECT_THAT(ahead_, SizeIs(1));
}

TEST_F(StickTest, AStartIsToldOfIt) {
  const std::string beyond = Keys().Sign(
      {absl::StrCat(kGateway, "/custody/2026"), Published() + 1, EmptyRoot()});
  Bring("beyond", beyond + first_.Line(beyond));
  const std::vector<KnownTree> known =
      witnessing_->AskWhatIsKnown(absl::Seconds(5));
  ASSERT_THAT(known, SizeIs(1));
  EXPECT_EQ(known[0].by, "/inbox/beyond");
  EXPECT_EQ(known[0].size, Published() + 1);
  EXPECT_EQ(known[0].root, EmptyRoot());
}

TEST_F(StickTest, ACheckpointOfALogThatIsNotThereStopsIt) {
  const std::string beyond =
      Keys().Sign({absl::StrCat(kGateway, "/custody/2027"), 7, EmptyRoot()});
  Bring("beyond", beyond + first_.Line(beyond));
  witnessing_->Round();
  EXPECT_THAT(ahead_, SizeIs(1));
}

TEST_F(StickTest, AFullDiskIsNotTheFilesFault) {
  Bring("back", carried_ + first_.Line(carried_));
  lay_says_["r1"] = absl::ResourceExhaustedError("full");
  witnessing_->Round();
  EXPECT_THAT(Inbox(), ElementsAre("back"));
  lay_says_.clear();
  witnessing_->Round();
  EXPECT_THAT(Inbox(), IsEmpty());
  EXPECT_EQ(SizeFor(2), size_);
}

TEST_F(StickTest, AnInboxThatIsGoneKeepsNoWitnessFromBeingAsked) {
  ASSERT_OK(disk_.RemoveDirectory("/inbox"));
  by_stick_ = nullptr;
  doors_ = {&second_};
  Begin();
  witnessing_->Round();
  EXPECT_EQ(SizeFor(4), Published());
}

TEST_F(StickTest, WhatStrangersAddedStaysOutOfReceipts) {
  std::string note = carried_;
  for (int i = 0; i < 90; ++i) {
    absl::StrAppend(&note, "\xe2\x80\x94 stranger", i, " AAAAAAAA\n");
  }
  Bring("back", note + first_.Line(carried_));
  witnessing_->Round();
  EXPECT_EQ(SizeFor(0), size_);
  EXPECT_THAT(laid_.at("r0").receipt, testing::Not(HasSubstr("stranger")));
}

TEST_F(StickTest, WhatIsOfALaterLogWaitsForItsTurn) {
  executor_.Advance(
      absl::FromCivil(absl::CivilYear(2027), absl::UTCTimeZone()) -
      executor_.Now());
  Store(5, 7);
  const std::string later = *ReadFile(disk_, "/custody/2027/checkpoint", 9999);
  Bring("later", later + first_.Line(later));
  witnessing_->Round();
  EXPECT_THAT(Inbox(), ElementsAre("later"));
  Bring("old", Note() + first_.Line(Note()));
  witnessing_->Round();
  EXPECT_EQ(SizeFor(4), Published("2026"));
  witnessing_->Round();
  EXPECT_THAT(Inbox(), IsEmpty());
  EXPECT_EQ(SizeFor(6), Published("2027"));
}

// --- the rhythm --------------------------------------------------------------

TEST_F(WitnessingTest, RoundsComeByThemselvesWithJitter) {
  Begin();
  Store(0, 3);
  witnessing_->Start();
  rounds_.Advance(absl::Seconds(29));
  rounds_.RunReady();
  EXPECT_EQ(first_.asked, 0);
  rounds_.Advance(absl::Seconds(62));
  rounds_.RunReady();
  EXPECT_GE(first_.asked, 1);
  EXPECT_NE(SizeFor(0), 0u);
}

TEST(WitnessedStateTest, IsReadAsItWasWritten) {
  const WitnessedState state = {
      .origin = *Origin::Parse("g/custody/2026-2"),
      .covered = 77,
      .left = {3, 70},
      .heard = {{"w1", absl::FromUnixSeconds(1795000000)},
                {"w2", absl::FromUnixSeconds(-5)}}};
  EXPECT_THAT(WitnessedState::Parse(state.ToText()), IsOkAndHolds(state));
  for (const char* bad :
       {"", "schleuse-witnessed-v1\n", "schleuse-witnessed-v1\ng\n1\n",
        "schleuse-witnessed-v2\ng/custody/2026\n1\n",
        "schleuse-witnessed-v1\ng/custody/2026\nx\n",
        "schleuse-witnessed-v1\ng/custody/2026\n1",
        "schleuse-witnessed-v1\ng/custody/2026\n1\n5\n",
        "schleuse-witnessed-v1\ng/custody/2026\n1\nleft x\n",
        "schleuse-witnessed-v1\ng/custody/2026\n1\nx w\n"}) {
    EXPECT_FALSE(WitnessedState::Parse(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace schleuse
