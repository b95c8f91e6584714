#include "gateway/spool/spool.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "base/crc32c.h"
#include "base/log.h"
#include "base/status_matchers.h"
#include "disk/record_file.h"
#include "gateway/spool/journal.h"
#include "gateway/spool/test_spool.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::ElementsAre;
using testing::Eq;
using testing::HasSubstr;
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
  EXPECT_THAT(house.Restart(),
              StatusIs(StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("version 2"), HasSubstr(id.ToString()),
                             HasSubstr("start the version of Schleuse"))));
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

// Fails every operation of `kind` on a path that holds `part`.
void Fail(TestSpool& house, Kind kind, const std::string& part,
          const absl::Status& how) {
  house.disk.SetFault([kind, part, how](const DiskOperation& operation) {
    return operation.kind == kind && absl::StrContains(operation.path, part)
               ? how
               : absl::OkStatus();
  });
}

// The alarms of a start.
std::string AlarmsOf(TestSpool& house) {
  testing::internal::CaptureStderr();
  SetLogThreshold(Severity::kAlarm);
  const absl::Status recovered = house.Restart().status();
  SetLogThreshold(std::nullopt);
  std::string alarms = testing::internal::GetCapturedStderr();
  EXPECT_OK(recovered);
  return alarms;
}

TEST(SpoolTest, OneJournalThatNobodyMayReadStoppedTheGateway) {
  TestSpool house;
  const TransferId locked = Receive(house, "footage");
  const TransferId finished = Finish(house, "done", Recording("finished"));
  const TransferId open = Receive(house, "more", Recording("open"));
  Fail(house, Kind::kOpen, locked.ToString(),
       absl::PermissionDeniedError("not yours"));
  const std::string alarms = AlarmsOf(house);
  EXPECT_THAT(alarms, HasSubstr(locked.ToString()));
  EXPECT_THAT(alarms, HasSubstr("not yours"));
  EXPECT_FALSE(house.spool->Lookup(Recording()));
  EXPECT_EQ(house.spool->Lookup(Recording("finished")), finished);
  EXPECT_EQ(house.spool->Lookup(Recording("open")), open);
  EXPECT_THAT(house.Files(), SizeIs(6)) << "nothing was touched";
  // The device begins at 0 meanwhile; that does not get into the way either.
  house.clock.Advance(absl::Seconds(1));
  const TransferId anew = Receive(house, "footage");
  EXPECT_OK(house.Restart());
  EXPECT_EQ(house.spool->Lookup(Recording()), anew);

  // Once a person has put it right, it goes on.
  EXPECT_OK(house.spool->Remove(Recording(), anew));
  house.disk.SetFault(nullptr);
  EXPECT_THAT(house.Restart(), IsOkAndHolds(SizeIs(1)));
  EXPECT_EQ(house.spool->Lookup(Recording()), locked);
}

TEST(SpoolTest, OneJournalOnABadSectorIsSetAside) {
  TestSpool house;
  const TransferId bad = Receive(house, "footage");
  const TransferId open = Receive(house, "more", Recording("open"));
  Fail(house, Kind::kRead, bad.ToString(), absl::DataLossError("bad sector"));
  const std::string alarms = AlarmsOf(house);
  EXPECT_THAT(alarms, HasSubstr(bad.ToString()));
  EXPECT_THAT(alarms, HasSubstr("bad sector"));
  EXPECT_FALSE(house.spool->Lookup(Recording()));
  EXPECT_EQ(house.spool->Lookup(Recording("open")), open);
  EXPECT_THAT(house.Files(".aside"),
              ElementsAre(absl::StrCat(bad.ToString(), ".bytes.aside"),
                          absl::StrCat(bad.ToString(), ".records.aside")));
}

TEST(SpoolTest, OneTransferThatCouldNotBeSetAsideStoppedTheGateway) {
  TestSpool house;
  const TransferId damaged = Receive(house, "footage", Recording("damaged"));
  house.Damage(house.RecordsPath(damaged), 3);
  const TransferId half = Receive(house, "footage", Recording("half"));
  ASSERT_OK(
      house.disk.Replace(house.RecordsPath(half),
                         absl::StrCat(house.RecordsPath(half), ".aside")));
  const TransferId older = Receive(house, "older", Recording("twice"));
  house.clock.Advance(absl::Seconds(1));
  const TransferId younger = Receive(house, "younger", Recording("twice"));
  const TransferId open = Receive(house, "more", Recording("open"));
  Fail(house, Kind::kReplace, "", absl::DataLossError("no renaming"));
  const std::string alarms = AlarmsOf(house);
  for (const TransferId& id : {damaged, half, older}) {
    EXPECT_THAT(alarms, HasSubstr(id.ToString()));
  }
  EXPECT_THAT(alarms, HasSubstr("no renaming"));
  EXPECT_FALSE(house.spool->Lookup(Recording("damaged")));
  EXPECT_FALSE(house.spool->Lookup(Recording("half")));
  EXPECT_EQ(house.spool->Lookup(Recording("twice")), younger);
  EXPECT_EQ(house.spool->Lookup(Recording("open")), open);
  EXPECT_THAT(house.Files(), SizeIs(10)) << "all of them are kept";
  EXPECT_EQ(house.spool->HeldBy("spiffe://test/dock/s1/d1"), 2);
}

TEST(SpoolTest, OneLeftoverThatCouldNotBeRemovedStoppedTheGateway) {
  TestSpool house;
  const TransferId nobodys = Receive(house, "footage", Recording("nobodys"));
  ASSERT_OK(house.disk.Remove(house.RecordsPath(nobodys)));
  const TransferId empty = Receive(house, "footage", Recording("empty"));
  ASSERT_OK(house.disk.Remove(house.spool->BytesPath(empty)));
  const TransferId open = Receive(house, "more", Recording("open"));
  Fail(house, Kind::kRemove, "", absl::DataLossError("no removing"));
  EXPECT_THAT(house.Restart(), IsOkAndHolds(IsEmpty()));
  EXPECT_FALSE(house.spool->Lookup(Recording("nobodys")));
  EXPECT_FALSE(house.spool->Lookup(Recording("empty")));
  EXPECT_EQ(house.spool->Lookup(Recording("open")), open);
  house.disk.SetFault(nullptr);
  EXPECT_THAT(house.Restart(), IsOkAndHolds(IsEmpty()));
  EXPECT_THAT(house.Files(), SizeIs(2));
}

TEST(SpoolTest, DiskThatIsAwayStopsTheGateway) {
  for (const Kind kind : {Kind::kOpen, Kind::kReplace, Kind::kRemove}) {
    TestSpool house;
    const TransferId damaged = Receive(house, "footage", Recording("damaged"));
    house.Damage(house.RecordsPath(damaged), 3);
    const TransferId nobodys = Receive(house, "footage", Recording("nobodys"));
    ASSERT_OK(house.disk.Remove(house.RecordsPath(nobodys)));
    Fail(house, kind, "", absl::UnavailableError("no descriptors"));
    EXPECT_THAT(house.Restart(), StatusIs(StatusCode::kUnavailable));
  }
}

// --- finished ---------------------------------------------------------------

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

// The records as they came, behind those that are there.
void AppendRecord(TestSpool& house, const TransferId& id,
                  const journal::Record& record) {
  ASSERT_OK_AND_ASSIGN(
      const auto records,
      RecordFile::Open(house.disk, house.RecordsPath(id),
                       [](absl::string_view, uint64_t) { return true; }));
  records->Append(journal::Encode(record));
  ASSERT_OK(records->Flush());
}

TEST(SpoolTest, FinishThatItsOwnJournalContradictedWasToBeStored) {
  const Finished seven = {.size = 7, .sha256 = Sha256::Of("footage")};
  {
    TestSpool house;  // a chunk behind it
    const TransferId id = Finish(house, "footage");
    AppendRecord(house, id, journal::ChunkWritten{7, 1, Crc32c("x")});
    EXPECT_THAT(house.Restart(), IsOkAndHolds(IsEmpty()));
    EXPECT_EQ(house.spool->Lookup(Recording()), id);
    EXPECT_THAT(house.spool->ReadFinished(id), IsOkAndHolds(Eq(std::nullopt)));
  }
  {
    TestSpool house;  // another size
    const TransferId id = Receive(house, "foot");
    AppendRecord(house, id, journal::FinishedAt{seven, "/store/x"});
    EXPECT_THAT(house.Restart(), IsOkAndHolds(IsEmpty()));
    EXPECT_EQ(house.spool->Lookup(Recording()), id);
    EXPECT_THAT(house.spool->ReadFinished(id), IsOkAndHolds(Eq(std::nullopt)));
  }
}

TEST(SpoolTest, ReadFinishedSaysWhatTheJournalSays) {
  TestSpool house;
  const TransferId open = Receive(house, "more", Recording("open"));
  EXPECT_THAT(house.spool->ReadFinished(open), IsOkAndHolds(Eq(std::nullopt)));
  const TransferId wrong = Mismatch(house, "wrong", Recording("wrong"));
  EXPECT_THAT(house.spool->ReadFinished(wrong), IsOkAndHolds(Eq(std::nullopt)));
  const TransferId begun = house.Create(Recording("begun"))->id();
  EXPECT_THAT(house.spool->ReadFinished(begun), StatusIs(StatusCode::kNotFound))
      << "it has no journal yet";

  const TransferId id = Finish(house, "footage");
  ASSERT_OK_AND_ASSIGN(auto finished, house.spool->ReadFinished(id));
  ASSERT_TRUE(finished);
  EXPECT_EQ(finished->id, id);
  EXPECT_EQ(finished->name, Recording());
  EXPECT_EQ(finished->extension, "mp4");
  EXPECT_EQ(finished->finished.size, 7u);
  EXPECT_EQ(finished->finished.sha256, Sha256::Of("footage"));
  EXPECT_FALSE(finished->bytes_missing);
  ASSERT_OK(house.disk.Remove(house.spool->BytesPath(id)));
  ASSERT_OK_AND_ASSIGN(finished, house.spool->ReadFinished(id));
  ASSERT_TRUE(finished);
  EXPECT_TRUE(finished->bytes_missing);
}

TEST(SpoolTest, ReadFinishedOfAJournalThatCannotBeReadIsAnError) {
  TestSpool house;
  const TransferId id = Finish(house, "footage");
  Fail(house, Kind::kStat, ".bytes", absl::DataLossError("bad sector"));
  EXPECT_THAT(house.spool->ReadFinished(id), StatusIs(StatusCode::kDataLoss));
  Fail(house, Kind::kRead, ".records", absl::DataLossError("bad sector"));
  EXPECT_THAT(house.spool->ReadFinished(id), StatusIs(StatusCode::kDataLoss));
  house.disk.SetFault(nullptr);
  ASSERT_OK(house.disk.Remove(house.RecordsPath(id)));
  EXPECT_THAT(house.spool->ReadFinished(id), StatusIs(StatusCode::kNotFound));
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

// --- several transfers of one recording -------------------------------------

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

// Though it was younger, it set the other one aside and was removed itself.
TEST(SpoolTest, TransferWithoutBytesWonOverOneThatHadThem) {
  TestSpool house;
  const TransferId whole = Receive(house, "older");
  house.clock.Advance(absl::Seconds(1));
  const TransferId empty = Receive(house, "younger");
  ASSERT_OK(house.disk.Remove(house.spool->BytesPath(empty)));
  EXPECT_THAT(house.Restart(), IsOkAndHolds(IsEmpty()));
  EXPECT_EQ(house.spool->Lookup(Recording()), whole);
  EXPECT_THAT(house.Files(".aside"), IsEmpty());
}

TEST(SpoolTest, OfTwoTransfersOneThatCannotBeReadAgainLoses) {
  TestSpool house;
  Finish(house, "older");
  house.clock.Advance(absl::Seconds(1));
  Finish(house, "younger");
  absl::Status how = absl::UnavailableError("no descriptors");
  std::vector<std::string> opened;
  house.disk.SetFault([&](const DiskOperation& operation) {
    if (operation.kind != Kind::kOpen) return absl::OkStatus();
    const bool again =
        std::find(opened.begin(), opened.end(), operation.path) != opened.end();
    opened.push_back(operation.path);
    return again ? how : absl::OkStatus();
  });
  EXPECT_THAT(house.Restart(), StatusIs(StatusCode::kUnavailable));
  EXPECT_THAT(house.Files(), SizeIs(4)) << "nothing was touched";

  how = absl::DataLossError("bad sector");
  opened.clear();
  ASSERT_OK_AND_ASSIGN(const auto unstored, house.Restart());
  ASSERT_THAT(unstored, SizeIs(1));
  EXPECT_EQ(house.spool->Lookup(Recording()), unstored[0].id);
  EXPECT_EQ(house.RecordsPath(unstored[0].id), opened[1]);
  EXPECT_THAT(house.Files(".aside"), SizeIs(2));
}

TEST(SpoolTest, OfTwoFinishedTransfersOneIsToBeStored) {
  TestSpool house;
  constexpr int kRecordings = 16;  // the ids lie in either order
  for (int i = 0; i < kRecordings; ++i) {
    Finish(house, "older", Recording(absl::StrCat(i)));
  }
  house.clock.Advance(absl::Seconds(1));
  std::vector<TransferId> younger;
  for (int i = 0; i < kRecordings; ++i) {
    younger.push_back(Finish(house, "younger", Recording(absl::StrCat(i))));
  }
  ASSERT_OK_AND_ASSIGN(const auto unstored, house.Restart());
  std::vector<TransferId> ids;
  for (const Unstored& finished : unstored) ids.push_back(finished.id);
  EXPECT_THAT(ids, testing::UnorderedElementsAreArray(younger));
  for (int i = 0; i < kRecordings; ++i) {
    EXPECT_EQ(house.spool->Lookup(Recording(absl::StrCat(i))), younger[i]);
  }
  EXPECT_EQ(house.spool->HeldBy("spiffe://test/dock/s1/d1"), kRecordings);
}

TEST(SpoolTest, TransfersAreCountedByWhoBeganThem) {
  TestSpool house;
  const auto held = [&house] {
    return std::pair(house.spool->HeldBy("spiffe://test/dock/s1/a"),
                     house.spool->HeldBy("spiffe://test/dock/s1/b"));
  };
  using Pair = std::pair<int, int>;
  EXPECT_EQ(held(), Pair(0, 0));
  std::vector<TransferId> ids;
  const auto receive = [&](absl::string_view recording,
                           absl::string_view principal) {
    auto partial =
        house.Create(Recording(recording),
                     absl::StrCat("spiffe://test/dock/s1/", principal));
    ASSERT_OK(Append(*partial, "footage"));
    if (recording == "wrong") {
      partial->RecordMismatch(1, Sha256::Of(""), Sha256::Of("footage"),
                              house.clock.Now());
    }
    SyncAll(*partial);
    ids.push_back(partial->id());
  };
  receive("one", "a");
  receive("two", "a");
  receive("three", "a");
  receive("wrong", "a");
  receive("four", "b");
  EXPECT_EQ(held(), Pair(4, 1));
  house.spool->CloseMismatched(Recording("wrong"), ids[3]);
  EXPECT_EQ(held(), Pair(4, 1)) << "its bytes stay";
  ASSERT_OK(house.Restart());
  EXPECT_EQ(held(), Pair(4, 1));
  // The same recording again, by another.
  receive("wrong", "b");
  EXPECT_EQ(held(), Pair(4, 2));
  for (int i = 0; i < 2; ++i) {  // repeating changes nothing
    ASSERT_OK(house.spool->Remove(Recording("one"), ids[0]));
    ASSERT_OK(house.spool->SetAside(Recording("two"), ids[1]));
    ASSERT_OK(house.spool->SetAside(Recording("wrong"), ids[5]));
    ASSERT_OK(house.spool->Remove(Recording("three"), ids[4]));  // not its own
    EXPECT_EQ(held(), Pair(2, 1));
  }
  ASSERT_OK(house.spool->SetAside(Recording("four"), ids[4]));
  EXPECT_EQ(held(), Pair(2, 0));
  receive("three", "b");  // takes the place of the one before
  EXPECT_EQ(held(), Pair(1, 1));
  EXPECT_EQ(house.spool->HeldBy("spiffe://test/dock/s1"), 0);
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

// --- set aside --------------------------------------------------------------

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
                   absl::EndsWith(operation.path, ".bytes")
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

TEST(SpoolTest, TransferThatWasNeverSyncedIsNotResumed) {
  TestSpool house;
  ASSERT_OK(Append(*house.Create(), "footage"));
  EXPECT_THAT(house.Resume().status(), StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(house.Restart(), IsOkAndHolds(IsEmpty()));
  EXPECT_THAT(house.Files(), IsEmpty());
}

// --- syncs of the directory that fail ---------------------------------------

// If the sync of the 7 bytes of `partial` says OK they survive a power cut;
// else nobody was promised anything.
void ExpectKeptIfSynced(TestSpool& house, std::unique_ptr<Partial> partial) {
  const absl::Status synced = partial->Sync();
  partial = nullptr;
  ASSERT_OK(house.RestartAfterPowerCut());
  if (!synced.ok()) return;
  ASSERT_OK_AND_ASSIGN(partial, house.Resume());
  ASSERT_EQ(partial->received(), 7u);
}

// Fails the next sync of the directory; sets `failed`.
void FailNextSyncOfNames(TestSpool& house, bool& failed) {
  failed = false;
  house.disk.SetFault([&failed](const DiskOperation& operation) {
    if (operation.kind != Kind::kSyncDirectory || failed) {
      return absl::OkStatus();
    }
    failed = true;
    return absl::DataLossError("medium error");
  });
}

// What a failed sync lost is lost for all whose names were pending, and their
// own sync says OK.
TEST(SpoolTest, FailedSyncOfOneSetAsideWasNotHeardOfByOthers) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    TestSpool house(seed);
    const TransferId broken = Receive(house, "broken", Recording("broken"));
    auto partial = house.Create();
    ASSERT_OK(Append(*partial, "footage"));
    ASSERT_OK(partial->BeginSync());
    bool failed;
    FailNextSyncOfNames(house, failed);
    EXPECT_THAT(house.spool->SetAside(Recording("broken"), broken),
                StatusIs(StatusCode::kDataLoss));
    ASSERT_TRUE(failed);
    house.disk.SetFault(nullptr);
    ExpectKeptIfSynced(house, std::move(partial));
  }
}

// The names that a killed process had made are pending when the next one
// begins: a sync that fails for another transfer loses them.
TEST(SpoolTest, FailedSyncLostTheNamesOfAProcessThatWasKilled) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    TestSpool house(seed);
    auto partial = house.Create();
    ASSERT_OK(Append(*partial, "footage"));
    ASSERT_OK(partial->BeginSync());
    partial = nullptr;
    ASSERT_OK(house.Restart());

    auto another = house.Create(Recording("another"));
    ASSERT_OK(another->BeginSync());
    bool failed;
    FailNextSyncOfNames(house, failed);
    EXPECT_THAT(another->Sync(), StatusIs(StatusCode::kDataLoss));
    house.disk.SetFault(nullptr);

    ASSERT_OK_AND_ASSIGN(partial, house.Resume());
    ASSERT_OK(partial->BeginSync());
    ExpectKeptIfSynced(house, std::move(partial));
  }
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
