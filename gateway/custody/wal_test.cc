#include "gateway/custody/wal.h"

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status_matchers.h"
#include "disk/fake_disk.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using absl::StatusCode;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::vector<Batch> ReadAll(Wal& wal) {
  std::vector<Batch> batches;
  EXPECT_OK(wal.Read([&](Batch batch) {
                 batches.push_back(std::move(batch));
                 return absl::OkStatus();
               })
                .status());
  return batches;
}

constexpr char kFirst[] = "/wal/000000000001.wal";

class WalTest : public testing::Test {
 protected:
  WalTest() {
    EXPECT_OK(disk_.MakeDirectory("/wal"));
    EXPECT_OK(disk_.SyncDirectory("/"));
  }
  static Batch BatchOf(uint64_t index, std::string entry) {
    return {.origin = "g/custody/2026",
            .first_index = index,
            .entries = {std::move(entry)},
            .checkpoint = absl::StrCat("checkpoint ", index)};
  }
  // What a new process reads.
  absl::StatusOr<std::vector<std::string>> Entries(uint64_t* torn = nullptr) {
    Wal wal(disk_, "/wal");
    std::vector<std::string> entries;
    const absl::StatusOr<uint64_t> bytes = wal.Read([&](const Batch& batch) {
      entries.insert(entries.end(), batch.entries.begin(), batch.entries.end());
      return absl::OkStatus();
    });
    if (!bytes.ok()) return bytes.status();
    if (torn != nullptr) *torn = *bytes;
    return entries;
  }
  void Put(Wal& wal, const Batch& batch) {
    ASSERT_OK(wal.Append(batch));
    ASSERT_OK(wal.Sync());
  }
  std::string Bytes() { return *ReadFile(disk_, kFirst, 1 << 20); }
  void SetBytes(absl::string_view bytes) {
    const auto file = *disk_.Open(kFirst);
    ASSERT_OK(file->Truncate(0));
    ASSERT_OK(file->Write(0, bytes));
  }

  FakeDisk disk_;
};

TEST_F(WalTest, ComesBackInOrderOverManySegments) {
  Wal wal(disk_, "/wal");
  for (uint64_t i = 0; i < 10; ++i) {
    Put(wal, BatchOf(i, absl::StrCat("e", i)));
    if (i % 3 == 2) wal.EndSegment();
  }
  EXPECT_EQ(wal.segment(), 4u);
  EXPECT_THAT(Entries(),
              IsOkAndHolds(ElementsAre("e0", "e1", "e2", "e3", "e4", "e5", "e6",
                                       "e7", "e8", "e9")));
}

TEST_F(WalTest, ASyncedBatchSurvivesACutAndAnUnsyncedOneIsWholeOrGone) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    FakeDisk disk(seed);
    ASSERT_OK(disk.MakeDirectory("/wal"));
    ASSERT_OK(disk.SyncDirectory("/"));
    Wal wal(disk, "/wal");
    ASSERT_OK(wal.Append(BatchOf(0, "durable")));
    ASSERT_OK(wal.Sync());
    ASSERT_OK(wal.Append(BatchOf(1, std::string(3000, 'x'))));
    disk.CutPower();
    disk.RestorePower();
    Wal again(disk, "/wal");
    std::vector<size_t> sizes;
    for (const Batch& batch : ReadAll(again)) {
      sizes.push_back(batch.entries[0].size());
    }
    ASSERT_FALSE(sizes.empty());
    EXPECT_EQ(sizes[0], 7u);
    if (sizes.size() > 1) {
      EXPECT_EQ(sizes[1], 3000u);
    }
  }
}

TEST_F(WalTest, ATornEndIsPassedOverWhereverItTore) {
  Wal wal(disk_, "/wal");
  Put(wal, BatchOf(0, "zero"));
  const uint64_t durable = wal.segment_bytes();
  Put(wal, BatchOf(1, "one"));
  const std::string whole = Bytes();
  for (uint64_t size = durable; size < whole.size(); ++size) {
    SetBytes(whole.substr(0, size));
    uint64_t torn = 0;
    EXPECT_THAT(Entries(&torn), IsOkAndHolds(ElementsAre("zero")));
    EXPECT_EQ(torn, size - durable);
  }
}

TEST_F(WalTest, ABadRecordWithAGoodOneBehindItIsDamage) {
  Wal wal(disk_, "/wal");
  Put(wal, BatchOf(0, "zero"));
  const uint64_t first_end = wal.segment_bytes();
  Put(wal, BatchOf(1, "one"));
  const std::string whole = Bytes();
  for (size_t i = 0; i < first_end; ++i) {
    std::string bad = whole;
    bad[i] = static_cast<char>(bad[i] ^ 0x40);
    SetBytes(bad);
    EXPECT_THAT(Entries(), StatusIs(i == 7 ? StatusCode::kFailedPrecondition
                                           : StatusCode::kDataLoss))
        << i;
  }
}

TEST_F(WalTest, DamageNamesTheFileAndWhatToDo) {
  Wal wal(disk_, "/wal");
  Put(wal, BatchOf(0, "zero"));
  Put(wal, BatchOf(1, "one"));
  std::string bad = Bytes();
  bad[20] ^= 1;
  SetBytes(bad);
  EXPECT_THAT(Entries(),
              StatusIs(StatusCode::kDataLoss,
                       AllOf(HasSubstr(kFirst), HasSubstr("Keep a copy"))));
}

TEST_F(WalTest, WhatDoesNotBelongThereIsNotGuessedAt) {
  ASSERT_OK(disk_.Create("/wal/notes.txt").status());
  EXPECT_THAT(Entries(), StatusIs(StatusCode::kFailedPrecondition,
                                  HasSubstr("/wal/notes.txt")));
}

TEST_F(WalTest, AVisitorsErrorIsHandedOnWithTheFile) {
  Wal wal(disk_, "/wal");
  Put(wal, BatchOf(0, "zero"));
  Wal again(disk_, "/wal");
  EXPECT_THAT(
      again.Read([](const Batch&) { return absl::DataLossError("no"); }),
      StatusIs(StatusCode::kDataLoss, HasSubstr(kFirst)));
}

TEST_F(WalTest, WhatABaseRepeatsCountsNoMoreHoweverDamaged) {
  Wal wal(disk_, "/wal");
  Put(wal, BatchOf(0, "zero"));
  const std::string whole = Bytes();
  Wal again(disk_, "/wal");
  ASSERT_OK(again.BeginAnew(ReadAll(again)));
  Put(again, BatchOf(1, "one"));
  again.EndSegment();
  Put(again, BatchOf(2, "two"));
  // Its removal was not synced, and what it held was lost before.
  ASSERT_OK(disk_.Create(kFirst).status());
  SetBytes("SchlWal?" + whole);
  EXPECT_THAT(Entries(), IsOkAndHolds(ElementsAre("zero", "one", "two")));
}

TEST_F(WalTest, BeginAnewLeavesOneSegment) {
  Wal wal(disk_, "/wal");
  Put(wal, BatchOf(0, "zero"));
  wal.EndSegment();
  Put(wal, BatchOf(1, "one"));
  Wal again(disk_, "/wal");
  const std::vector<Batch> batches = ReadAll(again);
  ASSERT_OK(again.BeginAnew(batches));
  EXPECT_THAT(disk_.List("/wal"),
              IsOkAndHolds(ElementsAre("000000000003.base")));
  EXPECT_THAT(Entries(), IsOkAndHolds(ElementsAre("zero", "one")));
}

TEST_F(WalTest, APowerCutInTheCopyWasTakenForDamage) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    FakeDisk disk(seed);
    ASSERT_OK(disk.MakeDirectory("/wal"));
    ASSERT_OK(disk.SyncDirectory("/"));
    std::vector<Batch> batches;
    Wal wal(disk, "/wal");
    for (uint64_t i = 0; i < 8; ++i) {
      batches.push_back(BatchOf(i, std::string(400, 'x')));
      ASSERT_OK(wal.Append(batches.back()));
      ASSERT_OK(wal.Sync());
    }
    Wal again(disk, "/wal");
    ReadAll(again);
    disk.CutPowerAfter(static_cast<int>(seed % 16));
    again.BeginAnew(batches).IgnoreError();
    disk.CutPower();
    disk.RestorePower();
    Wal last(disk, "/wal");
    EXPECT_THAT(ReadAll(last), SizeIs(8)) << seed;
    ASSERT_OK(last.BeginAnew(batches));
    EXPECT_THAT(disk.List("/wal"), IsOkAndHolds(SizeIs(1)));
  }
}

TEST_F(WalTest, ASecondCopyRemovedItself) {
  Wal wal(disk_, "/wal");
  Put(wal, BatchOf(0, "zero"));
  Wal again(disk_, "/wal");
  ReadAll(again);
  disk_.SetFault([](const DiskOperation& operation) {
    return operation.kind == DiskOperation::Kind::kSyncDirectory
               ? absl::ResourceExhaustedError("full")
               : absl::OkStatus();
  });
  EXPECT_FALSE(again.BeginAnew({BatchOf(0, "zero")}).ok());
  disk_.SetFault(nullptr);
  ASSERT_OK(again.BeginAnew({BatchOf(0, "zero")}));
  EXPECT_THAT(Entries(), IsOkAndHolds(ElementsAre("zero")));
}

TEST_F(WalTest, AFullDiskAtTheStartRemovedTheWholeLog) {
  Wal wal(disk_, "/wal");
  Put(wal, BatchOf(0, "zero"));
  const uint64_t full = wal.segment_bytes();
  // Room for nothing, for a header, for the first batch.
  for (const uint64_t room : {uint64_t{0}, uint64_t{10}, full + 10}) {
    disk_.SetCapacity(full + room);
    Wal again(disk_, "/wal");
    ReadAll(again);
    EXPECT_THAT(again.BeginAnew({BatchOf(0, "zero"), BatchOf(1, "one")}),
                StatusIs(StatusCode::kResourceExhausted));
    EXPECT_THAT(Entries(), IsOkAndHolds(ElementsAre("zero")));
  }
}

TEST_F(WalTest, AFullDiskChangesNothing) {
  Wal wal(disk_, "/wal");
  Put(wal, BatchOf(0, "zero"));
  disk_.SetCapacity(wal.segment_bytes() + 20);
  EXPECT_THAT(wal.Append(BatchOf(1, std::string(1000, 'x'))),
              StatusIs(StatusCode::kResourceExhausted));
  EXPECT_THAT(Entries(), IsOkAndHolds(ElementsAre("zero")));
  disk_.SetCapacity(1 << 20);
  Put(wal, BatchOf(1, "one"));
  EXPECT_THAT(Entries(), IsOkAndHolds(ElementsAre("zero", "one")));
}

TEST_F(WalTest, AFullDiskBeginsNoSegment) {
  Wal wal(disk_, "/wal");
  disk_.SetCapacity(4);
  EXPECT_THAT(wal.Append(BatchOf(0, "zero")),
              StatusIs(StatusCode::kResourceExhausted));
  EXPECT_THAT(disk_.List("/wal"), IsOkAndHolds(IsEmpty()));
  disk_.SetCapacity(1 << 20);
  Put(wal, BatchOf(0, "zero"));
  EXPECT_THAT(Entries(), IsOkAndHolds(ElementsAre("zero")));
}

}  // namespace
}  // namespace schleuse
