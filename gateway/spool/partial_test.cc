#include "gateway/spool/partial.h"

#include <cstdint>
#include <memory>
#include <string>

#include "base/status_matchers.h"
#include "disk/record_file.h"
#include "gateway/spool/journal.h"
#include "gateway/spool/test_spool.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using absl::StatusCode;
using Kind = DiskOperation::Kind;

// Every outcome of chance that is worth trying.
constexpr uint64_t kSeeds = 200;

// Five chunks of 1000 bytes, all synced and the sync on record.
std::unique_ptr<Partial> FiveChunks(TestSpool& house,
                                    absl::string_view footage) {
  auto partial = house.Create();
  for (uint64_t at = 0; at < 5000; at += 1000) {
    EXPECT_OK(Append(*partial, footage.substr(at, 1000)));
  }
  SyncAll(*partial);
  // The Synced record goes with the next flush.
  EXPECT_OK(partial->BeginSync());
  EXPECT_OK(partial->Sync());
  return partial;
}

TEST(PartialTest, WhatWasSyncedSurvivesAPowerCut) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    TestSpool house(seed);
    const std::string footage = Footage(5000);
    auto partial = house.Create();
    ASSERT_OK(Append(*partial, footage.substr(0, 2000)));
    ASSERT_OK(Append(*partial, footage.substr(2000, 1000)));
    EXPECT_EQ(SyncAll(*partial), 3000u);
    // These may survive, in part or whole.
    ASSERT_OK(Append(*partial, footage.substr(3000, 700)));
    ASSERT_OK(partial->BeginSync());
    ASSERT_OK(Append(*partial, footage.substr(3700)));
    partial = nullptr;
    ASSERT_OK(house.RestartAfterPowerCut());
    ASSERT_OK_AND_ASSIGN(partial, house.Resume());
    EXPECT_GE(partial->received(), 3000u);
    EXPECT_EQ(BytesOf(house.disk, *house.spool, *partial),
              footage.substr(0, partial->received()));
    EXPECT_EQ(partial->begun().metadata, "metadata");
    EXPECT_EQ(partial->begun().extension, "mp4");
  }
}

TEST(PartialTest, SyncCoversWhatWasAppendedBeforeItBeganAndNoMore) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    TestSpool house(seed);
    const std::string footage = Footage(3000);
    auto partial = house.Create();
    ASSERT_OK(Append(*partial, footage.substr(0, 1000)));
    ASSERT_OK_AND_ASSIGN(const uint64_t offset, partial->BeginSync());
    EXPECT_EQ(offset, 1000u);
    ASSERT_OK(Append(*partial, footage.substr(1000, 1000)));
    ASSERT_OK(partial->Sync());
    partial->EndSync(offset);
    ASSERT_OK(partial->BeginSync());  // the Synced record may get to the disk
    partial = nullptr;
    ASSERT_OK(house.RestartAfterPowerCut());
    ASSERT_OK_AND_ASSIGN(partial, house.Resume());
    EXPECT_GE(partial->received(), 1000u);
    EXPECT_EQ(BytesOf(house.disk, *house.spool, *partial),
              footage.substr(0, partial->received()));
  }
}

TEST(PartialTest, KilledProcessGoesOnWhereTheFilesEnd) {
  TestSpool house;
  const std::string footage = Footage(5000);
  auto partial = house.Create();
  ASSERT_OK(Append(*partial, footage.substr(0, 3000)));
  ASSERT_OK(partial->BeginSync());
  partial = nullptr;
  ASSERT_OK(house.Restart());
  ASSERT_OK_AND_ASSIGN(partial, house.Resume());
  EXPECT_EQ(partial->received(), 3000u);
  ASSERT_OK(Append(*partial, footage.substr(3000)));
  SyncAll(*partial);
  partial = nullptr;
  ASSERT_OK(house.RestartAfterPowerCut());
  ASSERT_OK_AND_ASSIGN(partial, house.Resume());
  EXPECT_EQ(BytesOf(house.disk, *house.spool, *partial), footage);
}

// --- what recovery trusts ---------------------------------------------------

TEST(PartialTest, RecoveryReadsNoFootageBelowTheLastSynced) {
  TestSpool house;
  const std::string footage = Footage(5000);
  FiveChunks(house, footage);
  ASSERT_OK(house.Restart());
  int reads = 0;
  house.disk.SetFault([&reads](const DiskOperation& operation) {
    reads += operation.kind == Kind::kRead &&
             absl::EndsWith(operation.path, ".bytes");
    return absl::OkStatus();
  });
  ASSERT_OK_AND_ASSIGN(const auto partial, house.Resume());
  EXPECT_EQ(partial->received(), 5000u);
  EXPECT_LE(reads, 1) << "the block in which it goes on: a terabyte would keep "
                         "the door shut for hours";
}

TEST(PartialTest, RotBelowSyncedIsFoundWhenItIsLookedFor) {
  TestSpool house;
  auto partial = FiveChunks(house, Footage(5000));
  house.Damage(house.spool->BytesPath(partial->id()), 2500);
  ASSERT_OK(house.Restart());
  ASSERT_OK_AND_ASSIGN(partial, house.Resume());
  EXPECT_EQ(partial->received(), 5000u);
  ASSERT_OK_AND_ASSIGN(const auto check, CheckAll(*partial));
  EXPECT_EQ(check.first_damage, 2000u) << "where its chunk begins";
}

TEST(PartialTest, RotBehindSyncedEndsTheGoodRun) {
  TestSpool house;
  const std::string footage = Footage(8000);
  auto partial = FiveChunks(house, footage);
  for (uint64_t at = 5000; at < 8000; at += 1000) {
    ASSERT_OK(Append(*partial, footage.substr(at, 1000)));
  }
  ASSERT_OK(partial->BeginSync());
  house.Damage(house.spool->BytesPath(partial->id()), 6500);
  ASSERT_OK(house.Restart());
  ASSERT_OK_AND_ASSIGN(partial, house.Resume());
  EXPECT_EQ(partial->received(), 6000u);
  // What lay behind does not come back when the gap is filled.
  ASSERT_OK(Append(*partial, footage.substr(6000, 500)));
  SyncAll(*partial);
  ASSERT_OK(house.Restart());
  ASSERT_OK_AND_ASSIGN(partial, house.Resume());
  EXPECT_EQ(partial->received(), 6500u);
}

TEST(PartialTest, JournalTornAnywhereLeavesAGoodRun) {
  TestSpool whole;
  const std::string footage = Footage(5000);
  auto partial = FiveChunks(whole, footage);
  const uint64_t size = whole.SizeOf(whole.RecordsPath(partial->id()));
  for (uint64_t end = 0; end <= size; ++end) {
    SCOPED_TRACE(end);
    TestSpool house;
    auto torn = FiveChunks(house, footage);
    house.Cut(house.RecordsPath(torn->id()), end);
    torn = nullptr;
    ASSERT_OK(house.Restart());
    auto resumed = house.Resume();
    if (!resumed.ok()) {
      EXPECT_THAT(resumed, StatusIs(StatusCode::kNotFound));
      // Kept for a person, unless there is no word in it.
      EXPECT_EQ(house.Files(".aside").size(), end > 8 ? 2u : 0u);
      continue;
    }
    EXPECT_EQ((*resumed)->received() % 1000, 0u);
    EXPECT_EQ(BytesOf(house.disk, *house.spool, **resumed),
              footage.substr(0, (*resumed)->received()));
    ASSERT_OK(Append(**resumed, footage.substr((*resumed)->received())));
    SyncAll(**resumed);
    resumed = nullptr;
    ASSERT_OK(house.RestartAfterPowerCut());
    ASSERT_OK_AND_ASSIGN(const auto again, house.Resume());
    EXPECT_EQ(BytesOf(house.disk, *house.spool, *again), footage);
  }
}

TEST(PartialTest, JournalRottenAnywhereLeavesAGoodRun) {
  TestSpool whole;
  const std::string footage = Footage(5000);
  auto partial = FiveChunks(whole, footage);
  const uint64_t size = whole.SizeOf(whole.RecordsPath(partial->id()));
  for (uint64_t at = 0; at < size; ++at) {
    SCOPED_TRACE(at);
    TestSpool house;
    auto rotten = FiveChunks(house, footage);
    house.Damage(house.RecordsPath(rotten->id()), at);
    rotten = nullptr;
    const auto recovered = house.Restart();
    if (!recovered.ok()) {
      EXPECT_THAT(recovered, StatusIs(StatusCode::kFailedPrecondition))
          << "only a version that nobody knows stops the gateway";
      continue;
    }
    const auto resumed = house.Resume();
    if (!resumed.ok()) continue;  // set aside
    EXPECT_EQ(BytesOf(house.disk, *house.spool, **resumed),
              footage.substr(0, (*resumed)->received()));
  }
}

TEST(PartialTest, BytesThatEndBelowSyncedAreBeyondUse) {
  TestSpool house;
  auto partial = FiveChunks(house, Footage(5000));
  house.Cut(house.spool->BytesPath(partial->id()), 4999);
  ASSERT_OK(house.Restart());
  EXPECT_THAT(house.Resume(), StatusIs(StatusCode::kDataLoss));
}

TEST(PartialTest, JournalThatSkipsBytesBelowSyncedIsBeyondUse) {
  TestSpool house;
  auto partial = house.Create();
  ASSERT_OK(Append(*partial, Footage(1000)));
  SyncAll(*partial);
  ASSERT_OK(partial->BeginSync());
  {
    ASSERT_OK_AND_ASSIGN(
        const auto records,
        RecordFile::Open(house.disk, house.RecordsPath(partial->id()),
                         [](absl::string_view, uint64_t) { return true; }));
    records->Append(journal::Encode(
        journal::ChunkWritten{.offset = 2000, .length = 10, .crc32c = 0}));
    records->Append(journal::Encode(journal::SyncedTo{.offset = 2010}));
    ASSERT_OK(records->Flush());
  }
  ASSERT_OK((*house.disk.Open(house.spool->BytesPath(partial->id())))
                ->Truncate(3000));
  ASSERT_OK(house.Restart());
  EXPECT_THAT(house.Resume(), StatusIs(StatusCode::kDataLoss));
}

TEST(PartialTest, RecordsOfALaterVersionArePassedOver) {
  TestSpool house;
  const std::string footage = Footage(2000);
  auto partial = house.Create();
  ASSERT_OK(Append(*partial, footage.substr(0, 1000)));
  ASSERT_OK(partial->BeginSync());
  {
    ASSERT_OK_AND_ASSIGN(
        const auto records,
        RecordFile::Open(house.disk, house.RecordsPath(partial->id()),
                         [](absl::string_view, uint64_t) { return true; }));
    records->Append(absl::string_view("\x7a\x02\x08\x01", 4));
    ASSERT_OK(records->Flush());
  }
  ASSERT_OK(house.Restart());
  ASSERT_OK_AND_ASSIGN(partial, house.Resume());
  EXPECT_EQ(partial->received(), 1000u);
  ASSERT_OK(Append(*partial, footage.substr(1000)));
  SyncAll(*partial);
  ASSERT_OK_AND_ASSIGN(const auto check, CheckAll(*partial));
  EXPECT_EQ(check.sha256, Sha256::Of(footage));
  ASSERT_OK(house.Restart());
  ASSERT_OK_AND_ASSIGN(partial, house.Resume());
  EXPECT_EQ(partial->received(), 2000u);
}

// --- the running hash -------------------------------------------------------

TEST(PartialTest, HashRunsAlongWithTheBytes) {
  TestSpool house;
  const std::string footage = Footage(5000);
  auto partial = FiveChunks(house, footage);
  EXPECT_TRUE(partial->hash_is_current());
  EXPECT_EQ(partial->Hash(), Sha256::Of(footage));
}

TEST(PartialTest, HashOfAResumedTransferCatchesUpWhileChunksArrive) {
  TestSpool house;
  const std::string footage = Footage(6000);
  FiveChunks(house, footage);
  ASSERT_OK(house.Restart());
  ASSERT_OK_AND_ASSIGN(const auto partial, house.Resume());
  EXPECT_FALSE(partial->hash_is_current());
  ASSERT_OK(partial->HashSome(1234));
  EXPECT_FALSE(partial->hash_is_current());
  ASSERT_OK(Append(*partial, footage.substr(5000, 400)));
  ASSERT_OK(partial->HashSome(1 << 20));
  EXPECT_TRUE(partial->hash_is_current());
  ASSERT_OK(Append(*partial, footage.substr(5400)));
  EXPECT_TRUE(partial->hash_is_current());
  EXPECT_EQ(partial->Hash(), Sha256::Of(footage));
}

TEST(PartialTest, HashOfBytesThatVanishedIsAnError) {
  TestSpool house;
  FiveChunks(house, Footage(5000));
  ASSERT_OK(house.Restart());
  ASSERT_OK_AND_ASSIGN(const auto partial, house.Resume());
  house.Cut(house.spool->BytesPath(partial->id()), 2000);
  EXPECT_THAT(partial->HashSome(1 << 20), StatusIs(StatusCode::kDataLoss));
  ASSERT_OK_AND_ASSIGN(const auto check, CheckAll(*partial));
  EXPECT_EQ(check.first_damage, 2000u);
}

TEST(PartialTest, HoldsComparesWithWhatTheDiskHas) {
  TestSpool house;
  const std::string footage = Footage(5000);
  const auto partial = FiveChunks(house, footage);
  EXPECT_THAT(partial->Holds(700, absl::Cord(footage.substr(700, 2000))),
              IsOkAndHolds(true));
  EXPECT_THAT(partial->Holds(701, absl::Cord(footage.substr(700, 2000))),
              IsOkAndHolds(false));
  house.Cut(house.spool->BytesPath(partial->id()), 1000);
  EXPECT_THAT(partial->Holds(700, absl::Cord(footage.substr(700, 2000))),
              IsOkAndHolds(false));
}

// --- looking for damage -----------------------------------------------------

// Counts the reads of footage.
void CountReads(TestSpool& house, int& reads) {
  house.disk.SetFault([&reads](const DiskOperation& operation) {
    reads += operation.kind == Kind::kRead &&
             absl::EndsWith(operation.path, ".bytes");
    return absl::OkStatus();
  });
}

TEST(PartialTest, DamageIsLookedForAmongTheChunksOfARangeAlone) {
  // The chunk at 2000 is damaged.
  struct Range {
    uint64_t offset, length;
    bool damaged;
    int chunks;  // that have to be read
  };
  for (const uint64_t damage : {2000, 2500, 2999}) {
    for (const Range& range :
         {Range{0, 2000, false, 2}, Range{0, 2001, true, 3},
          Range{1999, 1, false, 1}, Range{1999, 2, true, 2},
          Range{2000, 1, true, 1}, Range{2100, 10, true, 1},
          Range{2999, 1, true, 1}, Range{2999, 2001, true, 1},
          Range{3000, 2000, false, 2}, Range{3500, 1, false, 1},
          Range{3999, 2, false, 2}, Range{0, 5000, true, 3},
          Range{2500, 0, false, 0}}) {
      SCOPED_TRACE(
          absl::StrCat(damage, ": ", range.offset, ", ", range.length));
      TestSpool house;
      auto partial = FiveChunks(house, Footage(5000));
      house.Damage(house.spool->BytesPath(partial->id()), damage);
      int reads = 0;
      CountReads(house, reads);
      EXPECT_THAT(partial->FirstDamage(range.offset, range.length),
                  IsOkAndHolds(range.damaged ? std::optional<uint64_t>(2000)
                                             : std::nullopt));
      EXPECT_EQ(reads, range.chunks);
    }
  }
}

TEST(PartialTest, DamageIsLookedForInWhatIsNotInTheJournalYet) {
  TestSpool house;
  auto partial = house.Create();
  ASSERT_OK(Append(*partial, Footage(1000)));
  EXPECT_THAT(partial->FirstDamage(0, 1000), IsOkAndHolds(std::nullopt));
  ASSERT_OK(Append(*partial, Footage(1000)));
  ASSERT_OK(partial->BeginBytesSync());
  house.Damage(house.spool->BytesPath(partial->id()), 1999);
  EXPECT_THAT(partial->FirstDamage(0, 2000), IsOkAndHolds(1000));
  EXPECT_THAT(
      CheckAll(*partial),
      IsOkAndHolds(testing::Field(&Partial::SelfCheck::first_damage, 1000u)));
}

TEST(PartialTest, BytesThatEndOrCannotBeReadAreDamage) {
  TestSpool house;
  const std::string footage = Footage(5000);
  auto partial = FiveChunks(house, footage);
  house.disk.SetFault([](const DiskOperation& operation) {
    return operation.kind == Kind::kRead &&
                   absl::EndsWith(operation.path, ".bytes")
               ? absl::DataLossError("medium error")
               : absl::OkStatus();
  });
  EXPECT_THAT(partial->FirstDamage(4500, 10), IsOkAndHolds(4000));
  ASSERT_OK_AND_ASSIGN(auto check, CheckAll(*partial));
  EXPECT_EQ(check.first_damage, 0u);
  EXPECT_EQ(check.sha256, Sha256::Of(""));
  house.disk.SetFault(nullptr);

  house.Cut(house.spool->BytesPath(partial->id()), 3999);
  EXPECT_THAT(partial->FirstDamage(0, 3000), IsOkAndHolds(std::nullopt));
  EXPECT_THAT(partial->FirstDamage(0, 5000), IsOkAndHolds(3000));
  EXPECT_THAT(partial->FirstDamage(4000, 1000), IsOkAndHolds(4000));
  ASSERT_OK_AND_ASSIGN(check, CheckAll(*partial));
  EXPECT_EQ(check.first_damage, 3000u);
  EXPECT_EQ(check.sha256, Sha256::Of(footage.substr(0, 3000)));
}

TEST(PartialTest, DamageCannotBeLookedForWithADamagedJournal) {
  TestSpool house;
  auto partial = FiveChunks(house, Footage(5000));
  // The Synced record, behind all chunks, then that of the last chunk.
  const std::string records = house.RecordsPath(partial->id());
  house.Damage(records, house.SizeOf(records) - 1);
  EXPECT_THAT(partial->FirstDamage(0, 5000), IsOkAndHolds(std::nullopt));
  house.Damage(records, house.SizeOf(records) - 20);
  EXPECT_THAT(partial->FirstDamage(0, 4000), IsOkAndHolds(std::nullopt));
  EXPECT_THAT(partial->FirstDamage(4000, 1), StatusIs(StatusCode::kDataLoss));
  EXPECT_THAT(CheckAll(*partial), StatusIs(StatusCode::kDataLoss));
}

TEST(PartialTest, CheckReadsAllBytesOnceInSteps) {
  TestSpool house;
  const std::string footage = Footage(5000);
  auto partial = FiveChunks(house, footage);
  int reads = 0;
  CountReads(house, reads);
  partial->BeginCheck();
  for (const int so_far : {2, 4}) {
    EXPECT_THAT(partial->CheckSome(1500),
                IsOkAndHolds(testing::Eq(std::nullopt)));
    EXPECT_EQ(reads, so_far);
  }
  ASSERT_OK_AND_ASSIGN(const auto check, partial->CheckSome(1500));
  ASSERT_TRUE(check);
  EXPECT_EQ(check->first_damage, 5000u);
  EXPECT_EQ(check->sha256, Sha256::Of(footage));
  EXPECT_EQ(reads, 5);
}

TEST(PartialTest, CheckOfNothingEndsAtOnce) {
  TestSpool house;
  ASSERT_OK_AND_ASSIGN(const auto check, CheckAll(*house.Create()));
  EXPECT_EQ(check.first_damage, 0u);
  EXPECT_EQ(check.sha256, Sha256::Of(""));
}

TEST(PartialTest, CheckGoesOnBehindAnErrorThatPasses) {
  TestSpool house;
  const std::string footage = Footage(5000);
  auto partial = FiveChunks(house, footage);
  partial->BeginCheck();
  int reads = 0;
  house.disk.SetFault([&reads](const DiskOperation& operation) {
    const bool footage_read = operation.kind == Kind::kRead &&
                              absl::EndsWith(operation.path, ".bytes");
    return footage_read && ++reads == 3 ? absl::UnavailableError("no memory")
                                        : absl::OkStatus();
  });
  EXPECT_THAT(partial->CheckSome(1 << 20), StatusIs(StatusCode::kUnavailable));
  ASSERT_OK_AND_ASSIGN(const auto check, partial->CheckSome(1 << 20));
  ASSERT_TRUE(check);
  EXPECT_EQ(check->first_damage, 5000u);
  EXPECT_EQ(check->sha256, Sha256::Of(footage));
  EXPECT_EQ(reads, 6);
}

TEST(PartialTest, CheckThatNobodyBeganIsRefused) {
  TestSpool house;
  const std::string footage = Footage(6000);
  auto partial = FiveChunks(house, footage);
  const auto refused = StatusIs(StatusCode::kFailedPrecondition);
  EXPECT_THAT(partial->CheckSome(1000), refused);
  ASSERT_OK(CheckAll(*partial));
  EXPECT_THAT(partial->CheckSome(1000), refused) << "it has ended";

  partial->BeginCheck();
  EXPECT_THAT(partial->CheckSome(1000),
              IsOkAndHolds(testing::Eq(std::nullopt)));
  ASSERT_OK(Append(*partial, footage.substr(5000)));
  EXPECT_THAT(partial->CheckSome(1000), refused);

  partial->BeginCheck();
  EXPECT_THAT(partial->CheckSome(1000),
              IsOkAndHolds(testing::Eq(std::nullopt)));
  ASSERT_OK(partial->CutTo(3000));
  EXPECT_THAT(partial->CheckSome(1000), refused);
  ASSERT_OK_AND_ASSIGN(const auto check, CheckAll(*partial));
  EXPECT_EQ(check.sha256, Sha256::Of(footage.substr(0, 3000)));
}

TEST(PartialTest, ChunkBehindSyncedThatCannotBeReadEndsTheGoodRun) {
  TestSpool house;
  auto partial = FiveChunks(house, Footage(5000));
  ASSERT_OK(Append(*partial, Footage(1000)));
  ASSERT_OK(partial->BeginSync());
  partial = nullptr;
  ASSERT_OK(house.Restart());
  house.disk.SetFault([reads = 0](const DiskOperation& operation) mutable {
    return operation.kind == Kind::kRead &&
                   absl::EndsWith(operation.path, ".bytes") && ++reads == 1
               ? absl::DataLossError("medium error")
               : absl::OkStatus();
  });
  ASSERT_OK_AND_ASSIGN(partial, house.Resume());
  EXPECT_EQ(partial->received(), 5000u);
}

TEST(PartialTest, ChunksOfOneByteMadeTheJournalLargerThanTheFootage) {
  TestSpool house;
  const std::string footage = Footage(10'000);
  auto partial = house.Create();
  for (const char& byte : footage) {
    ASSERT_OK(Append(*partial, absl::string_view(&byte, 1)));
  }
  SyncAll(*partial);
  EXPECT_LT(house.SizeOf(house.RecordsPath(partial->id())), 1500u);
  EXPECT_THAT(partial->FirstDamage(0, 10'000), IsOkAndHolds(std::nullopt));
  partial = nullptr;
  ASSERT_OK(house.RestartAfterPowerCut());
  ASSERT_OK_AND_ASSIGN(partial, house.Resume());
  EXPECT_EQ(BytesOf(house.disk, *house.spool, *partial), footage);
}

// --- going back -------------------------------------------------------------

TEST(PartialTest, CutGivesUpWhatLiesBehindAndGoesOn) {
  TestSpool house;
  const std::string footage = Footage(5000);
  auto partial = FiveChunks(house, footage);
  ASSERT_OK(partial->CutTo(2000));
  EXPECT_EQ(partial->received(), 2000u);
  const std::string other = Footage(4000, 2);
  ASSERT_OK(Append(*partial, other));
  ASSERT_OK(partial->HashSome(1 << 20));
  EXPECT_EQ(partial->Hash(), Sha256::Of(footage.substr(0, 2000) + other));
  SyncAll(*partial);
  partial = nullptr;
  ASSERT_OK(house.RestartAfterPowerCut());
  ASSERT_OK_AND_ASSIGN(partial, house.Resume());
  EXPECT_EQ(BytesOf(house.disk, *house.spool, *partial),
            footage.substr(0, 2000) + other);
}

TEST(PartialTest, CutInsideAChunkGivesUpAllOfIt) {
  TestSpool house;
  auto partial = FiveChunks(house, Footage(5000));
  ASSERT_OK(partial->CutTo(2999));
  EXPECT_EQ(partial->received(), 2000u);
}

// Else a Synced record that came back would vouch for bytes that were replaced.
TEST(PartialTest, CutIsDurableBeforeAnythingFollows) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    TestSpool house(seed);
    auto partial = FiveChunks(house, Footage(5000));
    ASSERT_OK(partial->CutTo(0));
    ASSERT_OK(Append(*partial, Footage(5000, 2)));
    if (seed % 2 == 0) {
      ASSERT_OK(partial->BeginSync());
    }
    partial = nullptr;
    ASSERT_OK(house.RestartAfterPowerCut());
    ASSERT_OK_AND_ASSIGN(partial, house.Resume());
    ASSERT_OK_AND_ASSIGN(const auto check, CheckAll(*partial));
    EXPECT_EQ(check.first_damage, partial->received());
  }
}

TEST(PartialTest, CutTakesAFinishBack) {
  TestSpool house;
  const std::string footage = Footage(5000);
  auto partial = FiveChunks(house, footage);
  ASSERT_OK(partial->RecordFinished(
      {.size = 5000, .sha256 = Sha256::Of(footage)}, "/store/x"));
  SyncAll(*partial);
  ASSERT_OK(partial->CutTo(3000));
  EXPECT_FALSE(partial->finished());
  partial = nullptr;
  ASSERT_OK_AND_ASSIGN(const auto unstored, house.Restart());
  EXPECT_TRUE(unstored.empty());
}

TEST(PartialTest, CutBehindAFinishThatWasTakenBackKeepsWhatCameAfterIt) {
  TestSpool house;
  const std::string footage = Footage(8000);
  auto partial = FiveChunks(house, footage);
  ASSERT_OK(partial->RecordFinished(
      {.size = 5000, .sha256 = Sha256::Of(footage.substr(0, 5000))},
      "/store/x"));
  SyncAll(*partial);
  for (uint64_t at = 5000; at < 8000; at += 1000) {
    ASSERT_OK(Append(*partial, footage.substr(at, 1000)));
  }
  SyncAll(*partial);
  ASSERT_OK(partial->CutTo(7000));
  EXPECT_EQ(partial->received(), 7000u);
  partial = nullptr;
  EXPECT_THAT(house.Restart(), IsOkAndHolds(testing::IsEmpty()));
  ASSERT_OK_AND_ASSIGN(partial, house.Resume());
  EXPECT_EQ(partial->received(), 7000u);
  EXPECT_FALSE(partial->finished());
  // And where nothing came after it, the finish goes.
  ASSERT_OK(partial->CutTo(5000));
  EXPECT_EQ(partial->received(), 5000u);
  partial = nullptr;
  EXPECT_THAT(house.Restart(), IsOkAndHolds(testing::IsEmpty()));
}

// --- a full disk, a failing one ---------------------------------------------

// Both go out together, so that whichever of them says it, nothing of either is
// lost.
TEST(PartialTest, BytesThatFindNoRoomAreWrittenLater) {
  TestSpool house;
  const std::string footage = Footage(12'000);
  auto partial = FiveChunks(house, footage);
  house.disk.SetCapacity(house.SizeOf(house.RecordsPath(partial->id())) + 8192);
  ASSERT_OK(Append(*partial, footage.substr(5000)));
  EXPECT_THAT(partial->BeginSync().status(),
              StatusIs(StatusCode::kResourceExhausted));
  EXPECT_EQ(partial->received(), 12'000u);
  EXPECT_EQ(partial->Hash(), Sha256::Of(footage));
  house.disk.SetCapacity(1 << 30);
  SyncAll(*partial);
  partial = nullptr;
  ASSERT_OK(house.RestartAfterPowerCut());
  ASSERT_OK_AND_ASSIGN(partial, house.Resume());
  EXPECT_EQ(BytesOf(house.disk, *house.spool, *partial), footage);
}

TEST(PartialTest, AppendThatFindsNoRoomChangesNothing) {
  TestSpool house;
  const std::string footage = Footage(2 << 20);
  constexpr uint64_t kHalf = 1 << 20;
  auto partial = house.Create();
  ASSERT_OK(Append(*partial, footage.substr(0, kHalf)));
  house.disk.SetCapacity(10'000);
  EXPECT_THAT(Append(*partial, footage.substr(kHalf)),
              StatusIs(StatusCode::kResourceExhausted));
  EXPECT_EQ(partial->received(), kHalf);
  EXPECT_EQ(partial->Hash(), Sha256::Of(footage.substr(0, kHalf)));
  house.disk.SetCapacity(1 << 30);
  ASSERT_OK(Append(*partial, footage.substr(kHalf)));
  EXPECT_EQ(partial->Hash(), Sha256::Of(footage));
  SyncAll(*partial);
  partial = nullptr;
  ASSERT_OK(house.RestartAfterPowerCut());
  ASSERT_OK_AND_ASSIGN(partial, house.Resume());
  EXPECT_EQ(BytesOf(house.disk, *house.spool, *partial), footage);
}

TEST(PartialTest, JournalThatFindsNoRoomIsWrittenLater) {
  TestSpool house;
  const std::string footage = Footage(6000);
  auto partial = FiveChunks(house, footage);
  ASSERT_OK(Append(*partial, footage.substr(5000)));
  house.disk.SetCapacity(house.SizeOf(house.RecordsPath(partial->id())) + 6000 +
                         3);
  EXPECT_THAT(partial->BeginSync(), StatusIs(StatusCode::kResourceExhausted));
  house.disk.SetCapacity(1 << 30);
  EXPECT_EQ(SyncAll(*partial), 6000u);
  partial = nullptr;
  ASSERT_OK(house.RestartAfterPowerCut());
  ASSERT_OK_AND_ASSIGN(partial, house.Resume());
  EXPECT_EQ(BytesOf(house.disk, *house.spool, *partial), footage);
}

TEST(PartialTest, FinishedFileEndsWhereItsBytesDo) {
  TestSpool house;
  const std::string footage = Footage(5000);
  auto partial = FiveChunks(house, footage);
  const std::string path = house.spool->BytesPath(partial->id());
  EXPECT_GT(house.SizeOf(path), 5000u) << "whole blocks were written";
  ASSERT_OK(partial->RecordFinished(
      {.size = 5000, .sha256 = Sha256::Of(footage)}, "/store/x"));
  SyncAll(*partial);
  EXPECT_EQ(house.SizeOf(path), 5000u);
  ASSERT_OK(house.RestartAfterPowerCut());
  EXPECT_EQ(house.SizeOf(path), 5000u) << "durably";
}

TEST(PartialTest, AnyFailingSyncIsReported) {
  for (const char* what : {".bytes", ".records", "spool"}) {
    TestSpool house;
    auto partial = house.Create();
    ASSERT_OK(Append(*partial, "footage"));
    ASSERT_OK(partial->BeginSync());
    house.disk.SetFault([what](const DiskOperation& operation) {
      const bool sync = operation.kind == Kind::kSync ||
                        operation.kind == Kind::kSyncDirectory;
      return sync && absl::EndsWith(operation.path, what)
                 ? absl::DataLossError("medium error")
                 : absl::OkStatus();
    });
    EXPECT_THAT(partial->Sync(), StatusIs(StatusCode::kDataLoss)) << what;
  }
}

// Its bytes seemed to be there, and a later sync found nothing to do.
TEST(PartialTest, SyncThatFailedUnheardBeforeAKillWasForgotten) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    TestSpool house(seed);
    const std::string footage = Footage(9000);
    auto partial = FiveChunks(house, footage);
    ASSERT_OK(Append(*partial, footage.substr(5000)));
    ASSERT_OK(partial->BeginSync());
    house.disk.SetFault([](const DiskOperation& operation) {
      return operation.kind == Kind::kSync &&
                     absl::EndsWith(operation.path, ".bytes")
                 ? absl::DataLossError("medium error")
                 : absl::OkStatus();
    });
    EXPECT_THAT(partial->Sync(), StatusIs(StatusCode::kDataLoss));
    house.disk.SetFault(nullptr);
    partial = nullptr;  // killed before it could set the transfer aside
    ASSERT_OK(house.Restart());
    ASSERT_OK_AND_ASSIGN(partial, house.Resume());
    SyncAll(*partial);
    const uint64_t durable = partial->received();
    partial = nullptr;
    ASSERT_OK(house.RestartAfterPowerCut());
    ASSERT_OK_AND_ASSIGN(partial, house.Resume());
    EXPECT_GE(partial->received(), durable);
    EXPECT_EQ(BytesOf(house.disk, *house.spool, *partial), footage);
  }
}

// What the journal said behind its last Synced seemed to be there, and a later
// sync found nothing to do.
TEST(PartialTest, JournalWhoseSyncFailedUnheardBeforeAKillWasForgotten) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    for (const uint64_t synced_before : {0, 5000}) {
      // A chunk that arrives during a sync is recorded before its Synced.
      for (const bool during_sync : {false, true}) {
        SCOPED_TRACE(absl::StrCat("seed ", seed, ", synced ", synced_before,
                                  during_sync ? ", chunk during a sync" : ""));
        TestSpool house(seed);
        const std::string footage = Footage(9000);
        auto partial =
            synced_before > 0 ? FiveChunks(house, footage) : house.Create();
        if (synced_before == 0) {
          // So that the names are not what is lost.
          ASSERT_OK(house.disk.SyncDirectory(TestSpool::kDirectory));
        }
        if (during_sync) {
          ASSERT_OK(
              Append(*partial, footage.substr(partial->received(), 1000)));
          ASSERT_OK_AND_ASSIGN(const uint64_t offset, partial->BeginSync());
          ASSERT_OK(
              Append(*partial, footage.substr(partial->received(), 1000)));
          ASSERT_OK(partial->Sync());
          partial->EndSync(offset);
        } else {
          ASSERT_OK(Append(*partial, footage.substr(partial->received())));
        }
        ASSERT_OK(partial->BeginSync());
        house.disk.SetFault([](const DiskOperation& operation) {
          return operation.kind == Kind::kSync &&
                         absl::EndsWith(operation.path, ".records")
                     ? absl::DataLossError("medium error")
                     : absl::OkStatus();
        });
        EXPECT_THAT(partial->Sync(), StatusIs(StatusCode::kDataLoss));
        house.disk.SetFault(nullptr);
        const uint64_t received = partial->received();
        partial = nullptr;  // killed before it could set the transfer aside
        ASSERT_OK(house.Restart());
        ASSERT_OK_AND_ASSIGN(partial, house.Resume());
        EXPECT_EQ(partial->received(), received);
        EXPECT_EQ(SyncAll(*partial), received);
        partial = nullptr;
        ASSERT_OK(house.RestartAfterPowerCut());
        ASSERT_OK_AND_ASSIGN(partial, house.Resume());
        EXPECT_EQ(partial->received(), received);
        EXPECT_EQ(BytesOf(house.disk, *house.spool, *partial),
                  footage.substr(0, received));
      }
    }
  }
}

// The file seemed to end where its bytes do, and was longer on the medium.
TEST(PartialTest, CutOfAFinishWhoseSyncFailedUnheardWasForgotten) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    TestSpool house(seed);
    const std::string footage = Footage(5000);
    auto partial = FiveChunks(house, footage);
    const std::string path = house.spool->BytesPath(partial->id());
    house.Cut(path, 7000);  // as a write that failed half-way leaves it
    const Finished finished = {.size = 5000, .sha256 = Sha256::Of(footage)};
    ASSERT_OK(partial->RecordFinished(finished, "/store/x"));
    ASSERT_OK(partial->BeginSync());
    house.disk.SetFault([](const DiskOperation& operation) {
      return operation.kind == Kind::kSync &&
                     absl::EndsWith(operation.path, ".bytes")
                 ? absl::DataLossError("medium error")
                 : absl::OkStatus();
    });
    EXPECT_THAT(partial->Sync(), StatusIs(StatusCode::kDataLoss));
    house.disk.SetFault(nullptr);
    partial = nullptr;
    ASSERT_OK(house.Restart());
    ASSERT_OK_AND_ASSIGN(partial, house.Resume());
    ASSERT_OK(partial->RecordFinished(finished, "/store/x"));
    SyncAll(*partial);
    partial = nullptr;
    ASSERT_OK(house.RestartAfterPowerCut());
    EXPECT_EQ(house.SizeOf(path), 5000u);
  }
}

TEST(PartialTest, ResumeThatCannotMakeTheJournalDurableFails) {
  TestSpool house;
  FiveChunks(house, Footage(5000));
  ASSERT_OK(house.Restart());
  house.disk.SetFault([](const DiskOperation& operation) {
    return operation.kind == Kind::kSync &&
                   absl::EndsWith(operation.path, ".records")
               ? absl::DataLossError("medium error")
               : absl::OkStatus();
  });
  EXPECT_THAT(house.Resume(), StatusIs(StatusCode::kDataLoss));
}

TEST(PartialTest, NamesAreSyncedOnceAProcess) {
  TestSpool house;
  auto partial = house.Create();
  ASSERT_OK(Append(*partial, "one"));
  const int before = house.disk.syncs();
  SyncAll(*partial);
  EXPECT_EQ(house.disk.syncs() - before, 3);
  ASSERT_OK(Append(*partial, "two"));
  SyncAll(*partial);
  EXPECT_EQ(house.disk.syncs() - before, 5);
}

// --- what the journal says of a finish --------------------------------------

TEST(PartialTest, FinishSurvivesOnlyWithAllItsBytes) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    TestSpool house(seed);
    const std::string footage = Footage(8000);
    auto partial = FiveChunks(house, footage);
    ASSERT_OK(Append(*partial, footage.substr(5000)));
    ASSERT_OK(partial->RecordFinished(
        {.size = 8000, .sha256 = Sha256::Of(footage)}, "/store/x"));
    ASSERT_OK(partial->BeginSync());
    const bool synced = seed % 4 == 0;
    if (synced) {
      ASSERT_OK(partial->Sync());
    }
    partial = nullptr;
    ASSERT_OK(house.RestartAfterPowerCut());
    ASSERT_OK_AND_ASSIGN(partial, house.Resume());
    EXPECT_TRUE(!synced || partial->finished());
    if (partial->finished()) {
      EXPECT_EQ(partial->received(), 8000u);
      EXPECT_EQ(BytesOf(house.disk, *house.spool, *partial), footage);
    }
  }
}

// The file went on behind it, and a restart stored what was the whole once.
TEST(PartialTest, FinishCountedAlthoughChunksCameBehindIt) {
  TestSpool house;
  const std::string footage = Footage(6000);
  auto partial = FiveChunks(house, footage);
  ASSERT_OK(partial->RecordFinished(
      {.size = 5000, .sha256 = Sha256::Of(footage.substr(0, 5000))},
      "/store/x"));
  SyncAll(*partial);
  ASSERT_OK(Append(*partial, footage.substr(5000)));
  EXPECT_FALSE(partial->finished());
  SyncAll(*partial);
  partial = nullptr;
  EXPECT_THAT(house.Restart(), IsOkAndHolds(testing::IsEmpty()));
  ASSERT_OK_AND_ASSIGN(partial, house.Resume());
  EXPECT_EQ(partial->received(), 6000u);
  EXPECT_FALSE(partial->finished());
  // It may finish anew.
  ASSERT_OK(partial->RecordFinished(
      {.size = 6000, .sha256 = Sha256::Of(footage)}, "/store/x"));
  SyncAll(*partial);
  ASSERT_OK_AND_ASSIGN(const auto unstored, house.RestartAfterPowerCut());
  ASSERT_EQ(unstored.size(), 1u);
  EXPECT_EQ(unstored[0].finished.size, 6000u);
}

// Cutting that chunk off left a journal that said finished again.
TEST(PartialTest, FinishCameBackWithTheLossOfTheChunkBehindIt) {
  TestSpool house;
  const std::string footage = Footage(6000);
  auto partial = FiveChunks(house, footage);
  ASSERT_OK(partial->RecordFinished(
      {.size = 5000, .sha256 = Sha256::Of(footage.substr(0, 5000))},
      "/store/x"));
  SyncAll(*partial);
  ASSERT_OK(Append(*partial, footage.substr(5000)));
  ASSERT_OK(partial->BeginSync());
  house.Damage(house.spool->BytesPath(partial->id()), 5500);
  partial = nullptr;
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(house.Restart(), IsOkAndHolds(testing::IsEmpty()));
    ASSERT_OK_AND_ASSIGN(partial, house.Resume());
    EXPECT_EQ(partial->received(), 5000u);
    EXPECT_FALSE(partial->finished());
  }
}

}  // namespace
}  // namespace schleuse
