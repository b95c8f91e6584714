#include "gateway/spool/spool.h"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/status_matchers.h"
#include "disk/record_file.h"
#include "gateway/spool/journal.h"
#include "gateway/spool/test_spool.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using Kind = DiskOperation::Kind;

constexpr uint64_t kSeeds = 200;

// A finished transfer, durable; returns its id.
TransferId Finish(TestSpool& house, absl::string_view footage,
                  const RecordingName& name = Recording()) {
  auto partial = house.Create(name);
  if (!footage.empty()) {
    EXPECT_OK(Append(*partial, footage));
  }
  EXPECT_OK(partial->RecordFinished(
      {.size = footage.size(), .sha256 = Sha256::Of(footage)}, "/store/x"));
  SyncAll(*partial);
  return partial->id();
}

TransferId Receive(TestSpool& house, absl::string_view footage,
                   const RecordingName& name = Recording()) {
  auto partial = house.Create(name);
  EXPECT_OK(Append(*partial, footage));
  SyncAll(*partial);
  return partial->id();
}

TransferId Mismatch(TestSpool& house, absl::string_view footage,
                    const RecordingName& name = Recording()) {
  auto partial = house.Create(name);
  EXPECT_OK(Append(*partial, footage));
  partial->RecordMismatch(1, Sha256::Of("declared"), Sha256::Of(footage),
                          house.clock.Now());
  SyncAll(*partial);
  house.spool->CloseMismatched(name, partial->id());
  return partial->id();
}

TEST(SpoolTest, EmptyDirectoryIsAFirstDay) {
  TestSpool house;
  EXPECT_THAT(house.spool->Recover(), IsOkAndHolds(IsEmpty()));
  EXPECT_FALSE(house.spool->Lookup(Recording()));
  EXPECT_EQ(house.spool->Mismatches(Recording()), 0);
}

TEST(SpoolTest, DirectoryThatIsMissingIsNoFirstDay) {
  TestSpool house;
  ASSERT_OK(house.disk.RemoveDirectory(TestSpool::kDirectory));
  EXPECT_THAT(house.spool->Recover(), StatusIs(StatusCode::kNotFound));
}

TEST(SpoolTest, OpenTransferIsFoundAgainAfterARestart) {
  TestSpool house;
  const TransferId id = Receive(house, "footage");
  EXPECT_EQ(house.spool->Lookup(Recording()), id);
  EXPECT_THAT(house.RestartAfterPowerCut(), IsOkAndHolds(IsEmpty()));
  EXPECT_EQ(house.spool->Lookup(Recording()), id);
  ASSERT_OK_AND_ASSIGN(const auto partial, house.Resume());
  EXPECT_EQ(partial->received(), 7u);
}

TEST(SpoolTest, TransferThatWasNeverSyncedLeavesNothingInTheWay) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    TestSpool house(seed);
    const bool flushed = seed % 3 == 0;
    {
      auto partial = house.Create();
      if (seed % 2 == 0) {
        EXPECT_OK(Append(*partial, Footage(2000)));
      }
      if (flushed) {
        EXPECT_OK(partial->BeginSync());
      }
    }
    EXPECT_THAT(house.RestartAfterPowerCut(), IsOkAndHolds(IsEmpty()));
    // Either it survived as far as its bytes are right, or nothing counts.
    const auto resumed = house.Resume();
    if (resumed.ok()) {
      ASSERT_OK_AND_ASSIGN(const auto check, CheckAll(**resumed));
      EXPECT_EQ(check.first_damage, (*resumed)->received());
    } else {
      EXPECT_THAT(resumed, StatusIs(StatusCode::kNotFound));
      EXPECT_THAT(house.Files(".bytes"), IsEmpty());
      EXPECT_THAT(house.Files(".records"), IsEmpty());
      // Without a word in its journal it is nobody's loss; one that is torn is
      // kept for a person, who can tell that from damage.
      if (!flushed) {
        EXPECT_THAT(house.Files(), IsEmpty());
      }
    }
    Receive(house, "footage", Recording("another"));
    EXPECT_THAT(house.Restart(), IsOkAndHolds(IsEmpty()));
  }
}

TEST(SpoolTest, BytesWithoutRecordsAreNobodysAndGo) {
  TestSpool house;
  const TransferId id = Receive(house, "footage");
  ASSERT_OK(house.disk.Remove(house.RecordsPath(id)));
  EXPECT_THAT(house.Restart(), IsOkAndHolds(IsEmpty()));
  EXPECT_THAT(house.Files(), IsEmpty());
}

TEST(SpoolTest, FilesOfOthersAreLeftAlone) {
  TestSpool house;
  const std::string foreign = JoinPath(TestSpool::kDirectory, "README.bytes");
  ASSERT_OK(house.disk.Create(foreign));
  ASSERT_OK(house.disk.Create(JoinPath(TestSpool::kDirectory, "marker")));
  EXPECT_THAT(house.Restart(), IsOkAndHolds(IsEmpty()));
  EXPECT_THAT(house.Files(), ElementsAre("README.bytes", "marker"));
}

TEST(SpoolTest, VersionThatNobodyKnowsStopsTheGateway) {
  TestSpool house;
  const TransferId id = Receive(house, "footage");
  {
    ASSERT_OK_AND_ASSIGN(const auto file,
                         house.disk.Open(house.RecordsPath(id)));
    ASSERT_OK(file->Write(7, absl::string_view("\x02")));
  }
  EXPECT_THAT(house.Restart(), StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_THAT(house.Files(), SizeIs(2)) << "nothing was touched";
}

TEST(SpoolTest, JournalThatCannotBeReadNowStopsTheGateway) {
  TestSpool house;
  Receive(house, "footage");
  house.disk.SetFault([](const DiskOperation& operation) {
    return operation.kind == Kind::kOpen
               ? absl::UnavailableError("too many open files")
               : absl::OkStatus();
  });
  EXPECT_THAT(house.Restart(), StatusIs(StatusCode::kUnavailable));
  EXPECT_THAT(house.Files(), SizeIs(2)) << "nothing was touched";
}

// --- finished
// ---------------------------------------------------------------------

TEST(SpoolTest, FinishedTransfersAreToBeStoredAfterARestart) {
  TestSpool house;
  const TransferId id = Finish(house, "footage");
  Receive(house, "footage", Recording("unfinished"));
  ASSERT_OK_AND_ASSIGN(const auto unstored, house.RestartAfterPowerCut());
  ASSERT_THAT(unstored, SizeIs(1));
  EXPECT_EQ(unstored[0].id, id);
  EXPECT_EQ(unstored[0].name, Recording());
  EXPECT_EQ(unstored[0].extension, "mp4");
  EXPECT_EQ(unstored[0].finished.size, 7u);
  EXPECT_EQ(unstored[0].finished.sha256, Sha256::Of("footage"));
  EXPECT_FALSE(unstored[0].bytes_missing);
  EXPECT_EQ(house.spool->Lookup(Recording()), id);
}

TEST(SpoolTest, FinishedTransferWhoseBytesAreGoneIsReportedAsSuch) {
  TestSpool house;
  const TransferId id = Finish(house, "footage");
  ASSERT_OK(house.disk.Remove(house.spool->BytesPath(id)));
  ASSERT_OK_AND_ASSIGN(const auto unstored, house.Restart());
  ASSERT_THAT(unstored, SizeIs(1));
  EXPECT_TRUE(unstored[0].bytes_missing);
}

TEST(SpoolTest, UnfinishedTransferWhoseBytesAreGoneIsForgotten) {
  TestSpool house;
  const TransferId id = Receive(house, "footage");
  ASSERT_OK(house.disk.Remove(house.spool->BytesPath(id)));
  EXPECT_THAT(house.Restart(), IsOkAndHolds(IsEmpty()));
  EXPECT_FALSE(house.spool->Lookup(Recording()));
  EXPECT_THAT(house.Files(), IsEmpty());
}

TEST(SpoolTest, RemovedTransferIsForgottenAndMayBeRemovedAgain) {
  TestSpool house;
  const TransferId id = Finish(house, "footage");
  EXPECT_OK(house.spool->Remove(Recording(), id));
  EXPECT_FALSE(house.spool->Lookup(Recording()));
  EXPECT_THAT(house.Files(), IsEmpty());
  EXPECT_OK(house.spool->Remove(Recording(), id));
}

TEST(SpoolTest, RemovalCutAnywhereLeavesAllOrNothingToStore) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    bool cut = true;
    for (int operations = 0; cut; ++operations) {
      SCOPED_TRACE(absl::StrCat("seed ", seed, ", cut after ", operations));
      TestSpool house(seed);
      const TransferId id = Finish(house, "footage");
      house.disk.CutPowerAfter(operations);
      (void)house.spool->Remove(Recording(), id);
      cut = house.disk.power_was_cut();
      ASSERT_OK_AND_ASSIGN(const auto unstored, house.RestartAfterPowerCut());
      if (unstored.empty()) {
        EXPECT_THAT(house.Files(), IsEmpty());
      } else {
        EXPECT_EQ(unstored[0].id, id);
        EXPECT_EQ(unstored[0].bytes_missing, house.Files(".bytes").empty());
      }
    }
  }
}

TEST(SpoolTest, RemovalThatStopsHalfWayLeavesNothingToStore) {
  TestSpool house;
  const TransferId id = Finish(house, "footage");
  house.disk.SetFault([removals = 0](const DiskOperation& operation) mutable {
    return operation.kind == Kind::kRemove && ++removals == 2
               ? absl::DataLossError("medium error")
               : absl::OkStatus();
  });
  EXPECT_THAT(house.spool->Remove(Recording(), id),
              StatusIs(StatusCode::kDataLoss));
  EXPECT_THAT(house.Restart(), IsOkAndHolds(IsEmpty()));
  EXPECT_THAT(house.Files(), IsEmpty());
}

// --- several transfers of one recording
// ------------------------------------------------

TEST(SpoolTest, OfTwoTransfersTheYoungerCountsAndTheOtherIsKept) {
  TestSpool house;
  Receive(house, "older");
  house.clock.Advance(absl::Seconds(1));
  const TransferId younger = Receive(house, "younger");
  EXPECT_THAT(house.Restart(), IsOkAndHolds(IsEmpty()));
  EXPECT_EQ(house.spool->Lookup(Recording()), younger);
  EXPECT_THAT(house.Files(".aside"), SizeIs(2));
}

TEST(SpoolTest, OfTwoTransfersTheFinishedCounts) {
  for (const bool finished_first : {true, false}) {
    TestSpool house;
    std::optional<TransferId> finished;
    if (finished_first) finished = Finish(house, "finished");
    house.clock.Advance(absl::Seconds(1));
    Receive(house, "another");
    house.clock.Advance(absl::Seconds(1));
    if (!finished_first) finished = Finish(house, "finished");
    ASSERT_OK_AND_ASSIGN(const auto unstored, house.Restart());
    ASSERT_THAT(unstored, SizeIs(1));
    EXPECT_EQ(unstored[0].id, *finished);
    EXPECT_EQ(house.spool->Lookup(Recording()), *finished);
    EXPECT_THAT(house.Files(".aside"), SizeIs(2));
  }
}

TEST(SpoolTest, MismatchesAreCountedAlsoAfterARestart) {
  TestSpool house;
  Mismatch(house, "one");
  Mismatch(house, "two");
  Mismatch(house, "three", Recording("another"));
  const TransferId open = Receive(house, "four");
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(house.spool->Mismatches(Recording()), 2);
    EXPECT_EQ(house.spool->Mismatches(Recording("another")), 1);
    EXPECT_EQ(house.spool->Lookup(Recording()), open);
    EXPECT_FALSE(house.spool->Lookup(Recording("another")));
    EXPECT_THAT(house.RestartAfterPowerCut(), IsOkAndHolds(IsEmpty()));
  }
  EXPECT_THAT(house.Files(".bytes"), SizeIs(4)) << "kept for an operator";
}

// --- set aside
// ------------------------------------------------------------------------------

TEST(SpoolTest, TransferSetAsideIsKeptAndCountsNoMore) {
  TestSpool house;
  const TransferId id = Receive(house, "footage");
  ASSERT_OK(house.spool->SetAside(Recording(), id));
  EXPECT_FALSE(house.spool->Lookup(Recording()));
  EXPECT_THAT(house.RestartAfterPowerCut(), IsOkAndHolds(IsEmpty()));
  EXPECT_FALSE(house.spool->Lookup(Recording()));
  EXPECT_THAT(house.Files(),
              ElementsAre(absl::StrCat(id.ToString(), ".bytes.aside"),
                          absl::StrCat(id.ToString(), ".records.aside")));
  EXPECT_OK(house.spool->SetAside(Recording(), id)) << "repeated";
}

TEST(SpoolTest, TransferThatCannotBeSetAsideCountsNoMoreEither) {
  TestSpool house;
  const TransferId id = Receive(house, "footage");
  house.disk.SetFault([](const DiskOperation& operation) {
    return operation.kind == Kind::kReplace ? absl::DataLossError("medium")
                                            : absl::OkStatus();
  });
  EXPECT_THAT(house.spool->SetAside(Recording(), id),
              StatusIs(StatusCode::kDataLoss));
  EXPECT_FALSE(house.spool->Lookup(Recording()));
}

// Between its two renamings a crash left bytes without records, and the next
// start removed them.
TEST(SpoolTest, SettingAsideThatWasInterruptedLostTheBytes) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    for (const bool finished : {true, false}) {
      bool cut = true;
      for (int operations = 0; cut; ++operations) {
        SCOPED_TRACE(absl::StrCat("seed ", seed, ", cut after ", operations));
        TestSpool house(seed);
        const TransferId id =
            finished ? Finish(house, "footage") : Receive(house, "footage");
        house.disk.CutPowerAfter(operations);
        (void)house.spool->SetAside(Recording(), id);
        cut = house.disk.power_was_cut();
        ASSERT_OK_AND_ASSIGN(const auto unstored, house.RestartAfterPowerCut());
        // Both are there, under one kind of name.
        const bool aside = house.Files(".bytes").empty();
        ASSERT_THAT(house.Files(aside ? ".bytes.aside" : ".bytes"), SizeIs(1));
        ASSERT_THAT(house.Files(aside ? ".records.aside" : ".records"),
                    SizeIs(1));
        EXPECT_EQ(house.spool->Lookup(Recording()).has_value(), !aside);
        EXPECT_EQ(unstored.size(), finished && !aside ? 1u : 0u);
      }
    }
  }
}

TEST(SpoolTest, JournalThatLostItsBeginningIsSetAsideWithItsBytes) {
  TestSpool house;
  const TransferId id = Receive(house, "footage");
  house.Damage(house.RecordsPath(id), 3);
  EXPECT_THAT(house.Restart(), IsOkAndHolds(IsEmpty()));
  EXPECT_THAT(house.Files(".aside"), SizeIs(2));
  EXPECT_FALSE(house.spool->Lookup(Recording()));
}

TEST(SpoolTest, CreationThatFindsNoRoomLeavesNothingOpen) {
  TestSpool house;
  house.disk.SetFault([](const DiskOperation& operation) {
    return operation.kind == Kind::kCreate &&
                   absl::EndsWith(operation.path, ".records")
               ? absl::ResourceExhaustedError("no space")
               : absl::OkStatus();
  });
  EXPECT_THAT(house.spool->Create({.name = Recording(),
                                   .principal = "",
                                   .metadata = "",
                                   .extension = "mp4",
                                   .at = house.clock.Now()}),
              StatusIs(StatusCode::kResourceExhausted));
  EXPECT_FALSE(house.spool->Lookup(Recording()));
  EXPECT_THAT(house.Files(), IsEmpty());
}

// A power cut during recovery, at each of its operations, changes nothing.
TEST(SpoolTest, RecoveryMayBeCutAnywhere) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    bool cut = true;
    for (int operations = 0; cut; ++operations) {
      SCOPED_TRACE(absl::StrCat("seed ", seed, ", cut after ", operations));
      TestSpool house(seed);
      const TransferId finished = Finish(house, "footage");
      Receive(house, "older", Recording("twice"));
      house.clock.Advance(absl::Seconds(1));
      const TransferId younger = Receive(house, "younger", Recording("twice"));
      Mismatch(house, "wrong", Recording("wrong"));
      house.disk.CutPowerAfter(operations);
      (void)house.Restart();
      cut = house.disk.power_was_cut();
      ASSERT_OK_AND_ASSIGN(const auto unstored, house.RestartAfterPowerCut());
      ASSERT_THAT(unstored, SizeIs(1));
      EXPECT_EQ(unstored[0].id, finished);
      EXPECT_EQ(house.spool->Lookup(Recording("twice")), younger);
      EXPECT_EQ(house.spool->Mismatches(Recording("wrong")), 1);
      ASSERT_OK_AND_ASSIGN(const auto partial,
                           house.Resume(Recording("twice")));
      EXPECT_EQ(partial->received(), 7u);
    }
  }
}

}  // namespace
}  // namespace schleuse
