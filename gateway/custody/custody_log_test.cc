#include "gateway/custody/custody_log.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/fake_executor.h"
#include "base/random.h"
#include "base/status_matchers.h"
#include "disk/fake_disk.h"
#include "evidence/checkpoint.h"
#include "evidence/merkle.h"
#include "evidence/receipt.h"
#include "evidence/tile.h"
#include "gateway/custody/keys.h"
#include "gateway/custody/test_statements.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using absl::StatusCode;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Importance = CustodyLog::Importance;
using Kind = DiskOperation::Kind;

constexpr uint64_t kReserveBytes = 64 << 10;

// A disk with a log on it, and the process that has it open.
class House {
 public:
  explicit House(uint64_t seed = 1) : disk(seed), random(seed) {
    EXPECT_OK(disk.MakeDirectory("/custody"));
    EXPECT_OK(disk.MakeDirectory("/keys"));
    EXPECT_OK(disk.SyncDirectory("/"));
    EXPECT_OK(InitCustody(disk, "/custody", "/keys", kGateway, kReserveBytes));
    executor.Advance(
        absl::FromCivil(absl::CivilDay(2026, 11, 26), absl::UTCTimeZone()) -
        executor.Now());
  }

  absl::Status Open(const std::vector<KnownTree>& known = {}) {
    CustodyOptions options;
    options.reserve_bytes = kReserveBytes;
    options.segment_bytes = segment_bytes;
    options.gather_awaited = gather_awaited;
    options.clock_synchronised = [this] { return synchronised; };
    options.on_fatal = [this](const absl::Status& why) {
      fatal.push_back(why);
    };
    absl::StatusOr<std::unique_ptr<CustodyLog>> opened =
        CustodyLog::Open(disk, "/custody", Keys(), executor, executor, random,
                         std::move(options), known);
    if (!opened.ok()) return opened.status();
    log = *std::move(opened);
    return absl::OkStatus();
  }
  // The process dies; what is on its way is gone.
  void Die() {
    executor.DropAll();
    log = nullptr;
  }
  std::optional<Logged> Find(int number) {
    absl::StatusOr<std::optional<Logged>> found =
        log->FindStored(StoredOf(number).name);
    EXPECT_OK(found.status());
    return found.value_or(std::nullopt);
  }
  void Append(statement::Event event,
              Importance importance = Importance::kMust) {
    log->Append(std::move(event), importance,
                [this](absl::StatusOr<Logged> logged) {
                  if (logged.ok()) {
                    told.push_back(*std::move(logged));
                  } else {
                    refused.push_back(logged.status());
                  }
                });
  }
  void AppendAndRun(statement::Event event,
                    Importance importance = Importance::kMust) {
    Append(std::move(event), importance);
    executor.RunReady();
  }
  void Publish() {
    executor.Advance(absl::Seconds(1));
    executor.RunReady();
  }
  Checkpoint Present() const {
    return *OpenCheckpoint(log->checkpoint(), Keys().pinned());
  }
  std::string FileText(absl::string_view path) const {
    return ReadFile(disk, absl::StrCat("/custody/", path), 64 << 20)
        .value_or("(none)");
  }
  void SetFile(absl::string_view path, absl::string_view bytes) {
    const auto file = *disk.Open(absl::StrCat("/custody/", path));
    ASSERT_OK(file->Truncate(0));
    ASSERT_OK(file->Write(0, bytes));
  }

  FakeDisk disk;
  FakeExecutor executor;
  SeededRandom random;
  bool synchronised = true;
  uint64_t segment_bytes = 8 << 20;
  absl::Duration gather_awaited;
  std::vector<absl::Status> fatal;
  std::vector<Logged> told;
  std::vector<absl::Status> refused;
  std::unique_ptr<CustodyLog> log;
};

// All entries of one published log, read as a stranger would: every bundle
// against the tiles, the root against the signed checkpoint.
struct Audited {
  Checkpoint checkpoint;
  std::vector<std::string> entries;
};
Audited Audit(const House& house, absl::string_view year) {
  const auto path = [&](absl::string_view rest) {
    return absl::StrCat(year, "/", rest);
  };
  absl::StatusOr<Checkpoint> checkpoint =
      OpenCheckpoint(house.FileText(path("checkpoint")), Keys().pinned());
  EXPECT_OK(checkpoint.status());
  Audited audited = {.checkpoint = *checkpoint, .entries = {}};
  const uint64_t size = audited.checkpoint.size;
  std::vector<Digest> row;
  for (uint64_t number = 0; number * kTileWidth < size; ++number) {
    const uint64_t width = TileWidthAt(size, number);
    const auto entries =
        DecodeEntries(house.FileText(path(EntriesPath(number, width))), width);
    EXPECT_OK(entries.status());
    for (const std::string& entry : *entries) {
      row.push_back(LeafHash(entry));
      audited.entries.push_back(entry);
    }
  }
  for (int level = 0; !row.empty(); ++level) {
    std::vector<Digest> above;
    for (uint64_t number = 0; number * kTileWidth < row.size(); ++number) {
      const uint64_t width = TileWidthAt(row.size(), number);
      std::string tile;
      for (uint64_t i = 0; i < width; ++i) {
        absl::StrAppend(&tile, row[number * kTileWidth + i].bytes());
      }
      EXPECT_EQ(house.FileText(path(TilePath(level, number, width))), tile);
      if (width < kTileWidth) continue;
      std::vector<Digest> hashes(
          row.begin() + static_cast<long>(number * 256),
          row.begin() + static_cast<long>(number * 256 + 256));
      while (hashes.size() > 1) {
        std::vector<Digest> half;
        for (size_t i = 0; i < hashes.size(); i += 2) {
          half.push_back(NodeHash(hashes[i], hashes[i + 1]));
        }
        hashes = std::move(half);
      }
      above.push_back(hashes[0]);
    }
    if (level == 0) {
      std::map<std::pair<int, uint64_t>, Digest> nodes;
      std::vector<Digest> at = row;
      for (int l = 0; !at.empty(); ++l) {
        std::vector<Digest> half;
        for (size_t i = 0; i < at.size(); ++i) {
          nodes.emplace(std::pair(l, i), at[i]);
          if (i % 2 == 1) half.push_back(NodeHash(at[i - 1], at[i]));
        }
        at = std::move(half);
      }
      EXPECT_THAT(RootOf(size,
                         [&](int l, uint64_t i) -> absl::StatusOr<Digest> {
                           return nodes.at({l, i});
                         }),
                  IsOkAndHolds(audited.checkpoint.root));
    }
    row = std::move(above);
  }
  return audited;
}

// Every receipt that was ever given verifies, and what it is for stands in the
// log at its place.
void ExpectTold(const House& house, absl::string_view year) {
  const Audited audited = Audit(house, year);
  for (const Logged& logged : house.told) {
    ASSERT_OK_AND_ASSIGN(
        const Proven proven,
        VerifyReceipt(logged.receipt, logged.statement, Keys().pinned()));
    if (!absl::EndsWith(proven.checkpoint.origin, year)) continue;
    EXPECT_EQ(proven.index, logged.index);
    ASSERT_LT(logged.index, audited.entries.size());
    EXPECT_EQ(audited.entries[logged.index], logged.statement);
  }
}

TEST(CustodyLogTest, AStatementComesBackWithItsReceipt) {
  House house;
  ASSERT_OK(house.Open());
  house.AppendAndRun(StoredOf(1));
  ASSERT_THAT(house.told, SizeIs(1));
  EXPECT_EQ(house.told[0].origin, "police.example/gw-1/custody/2026");
  EXPECT_EQ(house.told[0].index, 1u);  // behind LogBegun
  house.Publish();
  ExpectTold(house, "2026");
  const Audited audited = Audit(house, "2026");
  EXPECT_THAT(audited.entries[0], HasSubstr("\"log_begun\""));
}

TEST(CustodyLogTest, ManyWaitersShareOneSync) {
  House house;
  ASSERT_OK(house.Open());
  const int before = house.disk.syncs();
  for (int i = 0; i < 100; ++i) house.Append(StoredOf(i));
  house.executor.RunReady();
  EXPECT_EQ(house.disk.syncs(), before + 1);
  EXPECT_THAT(house.told, SizeIs(100));
  house.Publish();
  ExpectTold(house, "2026");
}

TEST(CustodyLogTest, WhoComesRightBehindABatchWaitsForCompany) {
  House house;
  house.gather_awaited = absl::Milliseconds(2);
  ASSERT_OK(house.Open());
  house.executor.Advance(absl::Seconds(1));
  house.executor.RunReady();
  house.AppendAndRun(StoredOf(0));
  EXPECT_EQ(house.told.size(), 1u);  // nobody had come for a while
  const int syncs = house.disk.syncs();
  house.AppendAndRun(StoredOf(1));
  house.AppendAndRun(StoredOf(2));
  EXPECT_EQ(house.told.size(), 1u);
  house.executor.Advance(absl::Milliseconds(2));
  house.executor.RunReady();
  EXPECT_EQ(house.told.size(), 3u);
  EXPECT_EQ(house.disk.syncs(), syncs + 1);
}

TEST(CustodyLogTest, AStatementThatNobodyWaitsForNeedsNoSyncOfItsOwn) {
  House house;
  ASSERT_OK(house.Open());
  const int syncs = house.disk.syncs();
  house.log->Append(statement::GatewayStopped{}, Importance::kOrdinary,
                    nullptr);
  house.executor.RunReady();
  EXPECT_EQ(house.disk.syncs(), syncs);
  // It goes with the next one that somebody waits for, and before it ...
  house.AppendAndRun(StoredOf(0));
  EXPECT_EQ(house.disk.syncs(), syncs + 1);
  EXPECT_EQ(house.told.back().index, 2u);
  // ... or alone, a moment later.
  house.log->Append(statement::GatewayStopped{}, Importance::kOrdinary,
                    nullptr);
  house.executor.Advance(absl::Milliseconds(50));
  house.executor.RunReady();
  EXPECT_EQ(house.disk.syncs(), syncs + 2);
}

TEST(CustodyLogTest, LongLogsArePublishedInFullAndPartialTiles) {
  House house;
  ASSERT_OK(house.Open());
  for (int i = 0; i < 700; ++i) {
    house.Append(StoredOf(i));
    if (i % 37 == 0) house.executor.RunReady();
    if (i % 101 == 0) house.Publish();
  }
  house.executor.RunReady();
  house.Publish();
  ExpectTold(house, "2026");
  EXPECT_EQ(house.Present().size, 701u);
  // The partial ones go once the full one is there.
  EXPECT_THAT(house.disk.List("/custody/2026/tile/0"),
              IsOkAndHolds(testing::ElementsAre("000", "001", "002.p")));
}

TEST(CustodyLogTest, TheNextProcessGoesOn) {
  House house;
  for (int start = 0; start < 4; ++start) {
    ASSERT_OK(house.Open());
    for (int i = 0; i < 150; ++i) house.Append(StoredOf(1000 * start + i));
    house.executor.RunReady();
    // With and without the files that follow.
    if (start % 2 == 0) house.Publish();
    house.Die();
  }
  ASSERT_OK(house.Open());
  EXPECT_EQ(house.Present().size, 601u);
  ExpectTold(house, "2026");
}

TEST(CustodyLogTest, AReceiptIsMadeAnewByteForByte) {
  House house;
  ASSERT_OK(house.Open());
  for (int i = 0; i < 600; ++i) {
    house.Append(StoredOf(i));
    if (i % 7 == 0) house.executor.RunReady();
    if (i % 100 == 0) house.Publish();
  }
  house.executor.RunReady();
  for (const int number : {0, 1, 255, 256, 300, 599}) {
    const std::optional<Logged> before = house.Find(number);
    ASSERT_TRUE(before);
    EXPECT_EQ(before->receipt, house.told[static_cast<size_t>(number)].receipt);
  }
  house.Die();
  ASSERT_OK(house.Open());
  for (const Logged& logged : house.told) {
    const auto number = static_cast<int>(logged.index) - 1;
    const std::optional<Logged> again = house.Find(number);
    ASSERT_TRUE(again) << number;
    EXPECT_EQ(again->receipt, logged.receipt);
    EXPECT_EQ(again->statement, logged.statement);
  }
  EXPECT_FALSE(house.Find(10'000));
}

TEST(CustodyLogTest, AReceiptThatCouldNotBeReadWasTakenForNoneAndStatedAgain) {
  House house;
  ASSERT_OK(house.Open());
  house.AppendAndRun(StoredOf(1));
  house.Publish();
  house.Die();
  ASSERT_OK(house.Open());
  house.disk.SetFault([](const DiskOperation& operation) {
    return operation.kind == DiskOperation::Kind::kOpen
               ? absl::UnavailableError("no descriptors")
               : absl::OkStatus();
  });
  EXPECT_THAT(house.log->FindStored(StoredOf(1).name).status(),
              StatusIs(StatusCode::kUnavailable));
  house.disk.SetFault(nullptr);
  EXPECT_TRUE(house.Find(1));
}

TEST(CustodyLogTest, TheWriteAheadLogIsCutBehindWhatIsPublishedAndLaid) {
  House house;
  house.segment_bytes = 4096;
  ASSERT_OK(house.Open());
  for (int i = 0; i < 100; ++i) house.AppendAndRun(StoredOf(i));
  house.Publish();
  const auto segments = [&] { return house.disk.List("/custody/wal")->size(); };
  EXPECT_GT(segments(), 10u);  // none is laid
  for (int i = 0; i < 50; ++i) house.log->Laid(StoredOf(i).name);
  house.AppendAndRun(StoredOf(100));
  house.Publish();
  const size_t half = segments();
  EXPECT_TRUE(house.Find(50));
  for (const RecordingName& name : house.log->Unlaid()) {
    if (name != StoredOf(99).name) house.log->Laid(name);
  }
  house.AppendAndRun(StoredOf(101));
  house.Publish();
  EXPECT_LT(segments(), half);
  EXPECT_FALSE(house.Find(50));
  house.Die();
  ASSERT_OK(house.Open());
  EXPECT_TRUE(house.Find(99));
  ExpectTold(house, "2026");
}

// --- power -------------------------------------------------------------------

// One batch of several, its publication, another; the power goes at every disk
// operation, and once more at every one of the recovery.
TEST(CustodyLogPowerTest, NothingToldIsLostWhereverThePowerIsCut) {
  int places = 0;
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    bool cut = true;
    for (int operations = 0; cut; ++operations) {
      // The recovery is cut at another place each time.
      for (int again = 0; again <= 60; again += 7) {
        SCOPED_TRACE(absl::StrCat("seed ", seed, ", cut after ", operations,
                                  " and after ", again));
        House house(seed);
        ASSERT_OK(house.Open());
        house.disk.CutPowerAfter(operations);
        for (int i = 0; i < 3; ++i) house.Append(StoredOf(i));
        house.executor.RunReady();
        house.Publish();
        for (int i = 3; i < 5; ++i) house.AppendAndRun(StoredOf(i));
        house.Publish();
        cut = house.disk.power_was_cut();
        house.disk.CutPower();
        house.disk.RestorePower();
        house.Die();
        house.disk.CutPowerAfter(again);
        const absl::Status opened = house.Open();
        house.disk.RestorePower();
        // The power; or, of the sync of a new batch, that nobody knows.
        ASSERT_TRUE(opened.ok() || absl::IsUnavailable(opened) ||
                    absl::StrContains(opened.message(), "power"))
            << opened;
        house.Die();
        ASSERT_OK(house.Open());
        house.AppendAndRun(StoredOf(9));
        house.Publish();
        ExpectTold(house, "2026");
        // Each stands there once.
        std::map<std::string, int> times;
        for (const std::string& entry : Audit(house, "2026").entries) {
          EXPECT_EQ(++times[entry], 1);
        }
        ++places;
      }
    }
  }
  EXPECT_GT(places, 4 * 9 * 20);
}

TEST(CustodyLogPowerTest, EachDeathDuringRecoveryDoubledTheLog) {
  House house;
  ASSERT_OK(house.Open());
  for (int i = 0; i < 20; ++i) house.AppendAndRun(StoredOf(i));
  house.Die();
  const auto bytes = [&] {
    uint64_t sum = 0;
    const auto names = house.disk.List("/custody/wal");
    for (const std::string& name : *names) {
      sum += house.disk.Stat("/custody/wal/" + name)->size;
    }
    return sum;
  };
  const uint64_t before = bytes();
  for (int i = 0; i < 10; ++i) {
    // The copy is written, and what came before it not yet removed.
    house.disk.SetFault([](const DiskOperation& operation) {
      return operation.kind == DiskOperation::Kind::kRemove
                 ? absl::UnavailableError("died here")
                 : absl::OkStatus();
    });
    EXPECT_FALSE(house.Open().ok());
    house.disk.SetFault(nullptr);
    house.Die();
    EXPECT_LE(bytes(), before * static_cast<uint64_t>(i + 2));
  }
  ASSERT_OK(house.Open());
  EXPECT_LE(bytes(), before);
  ExpectTold(house, "2026");
}

TEST(CustodyLogPowerTest, ATornEndIsCutAndStated) {
  House house;
  ASSERT_OK(house.Open());
  house.AppendAndRun(StoredOf(1));
  house.Die();
  const std::string name = house.disk.List("/custody/wal")->back();
  const std::string path = absl::StrCat("wal/", name);
  const std::string whole = house.FileText(path);
  house.SetFile(path, absl::StrCat(whole, "torn"));
  ASSERT_OK(house.Open());
  house.Publish();
  EXPECT_THAT(Audit(house, "2026").entries.back(),
              HasSubstr("\"log_cut\":{\"bytes\":\"4\"}"));
  ExpectTold(house, "2026");
}

TEST(CustodyLogPowerTest, AFailedSyncIsFinal) {
  House house;
  ASSERT_OK(house.Open());
  house.disk.SetFault([](const DiskOperation& operation) {
    return operation.kind == Kind::kSync ? absl::DataLossError("medium")
                                         : absl::OkStatus();
  });
  house.AppendAndRun(StoredOf(1));
  house.disk.SetFault(nullptr);
  EXPECT_THAT(house.told, IsEmpty());
  EXPECT_THAT(house.refused, IsEmpty());
  ASSERT_THAT(house.fatal, SizeIs(1));
  house.AppendAndRun(StoredOf(2));
  house.Publish();
  EXPECT_THAT(house.told, IsEmpty());
  EXPECT_THAT(house.fatal, SizeIs(1));
  // The next process decides what of it is there.
  house.Die();
  house.disk.CutPower();
  house.disk.RestorePower();
  ASSERT_OK(house.Open());
  house.AppendAndRun(StoredOf(3));
  house.Publish();
  ExpectTold(house, "2026");
}

// --- a full disk -------------------------------------------------------------

TEST(CustodyLogFullDiskTest, WhatMustBeSaidFitsTheReserve) {
  House house;
  ASSERT_OK(house.Open());
  house.AppendAndRun(StoredOf(1));
  house.Publish();
  house.disk.SetCapacity(1);  // already exceeded
  house.AppendAndRun(statement::GatewayStopped{}, Importance::kOrdinary);
  EXPECT_THAT(house.refused, SizeIs(1));
  EXPECT_THAT(house.refused[0], StatusIs(StatusCode::kResourceExhausted));
  EXPECT_THAT(house.disk.Stat("/custody/reserve").status(),
              StatusIs(StatusCode::kNotFound));
  // What the reserve gave.
  house.disk.SetCapacity(1 << 20);
  house.AppendAndRun(StoredOf(2), Importance::kMust);
  EXPECT_THAT(house.told, SizeIs(2));
  house.AppendAndRun(statement::GatewayStopped{}, Importance::kOrdinary);
  EXPECT_THAT(house.refused, SizeIs(2));
  // With room again all is as before.
  house.Publish();
  EXPECT_OK(house.disk.Stat("/custody/reserve").status());
  house.AppendAndRun(statement::GatewayStopped{}, Importance::kOrdinary);
  EXPECT_THAT(house.told, SizeIs(3));
  house.Publish();
  ExpectTold(house, "2026");
  EXPECT_THAT(house.fatal, IsEmpty());
}

TEST(CustodyLogFullDiskTest, PublishingWaitsForRoom) {
  House house;
  ASSERT_OK(house.Open());
  house.AppendAndRun(StoredOf(1));
  house.disk.SetCapacity(1);
  house.Publish();
  EXPECT_THAT(house.fatal, IsEmpty());
  house.disk.SetCapacity(64 << 20);
  house.Publish();
  house.Publish();
  ExpectTold(house, "2026");
}

TEST(CustodyLogTest, TooManyWaitersAreToldSo) {
  House house;
  ASSERT_OK(house.Open());
  for (int i = 0; i < 20'001; ++i) house.Append(statement::GatewayStopped{});
  EXPECT_THAT(house.refused, SizeIs(1));
  EXPECT_THAT(house.refused[0], StatusIs(StatusCode::kResourceExhausted));
  house.executor.RunReady();
  EXPECT_THAT(house.told, SizeIs(20'000));
}

// --- years -------------------------------------------------------------------

absl::Time NewYear(int year) {
  return absl::FromCivil(absl::CivilYear(year), absl::UTCTimeZone());
}
void Travel(House& house, absl::Time to) {
  house.executor.Advance(to - house.executor.Now());
}

TEST(CustodyLogYearTest, ANewYearBeginsALogChainedToTheLast) {
  House house;
  ASSERT_OK(house.Open());
  house.AppendAndRun(StoredOf(1));
  Travel(house, NewYear(2027));
  house.AppendAndRun(StoredOf(2));
  ASSERT_THAT(house.told, SizeIs(2));
  EXPECT_EQ(house.told[1].origin, "police.example/gw-1/custody/2027");
  house.Publish();
  ExpectTold(house, "2026");
  ExpectTold(house, "2027");
  const Audited old = Audit(house, "2026");
  EXPECT_THAT(
      old.entries.back(),
      HasSubstr("\"next_origin\":\"police.example/gw-1/custody/2027\""));
  EXPECT_THAT(Audit(house, "2027").entries[0],
              AllOf(HasSubstr("\"log_begun\""),
                    HasSubstr(absl::StrCat("custody/2026\\n",
                                           old.checkpoint.size, "\\n"))));
  // The next process goes on with the new one, and knows receipts of both.
  house.Die();
  ASSERT_OK(house.Open());
  EXPECT_EQ(house.Present().origin, "police.example/gw-1/custody/2027");
  for (int i = 1; i <= 2; ++i) {
    const auto found = house.Find(i);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->receipt, house.told[static_cast<size_t>(i - 1)].receipt);
  }
}

bool HasEntries(House& house, absl::string_view year) {
  return house.disk.Stat(absl::StrCat("/custody/", year, "/tile/entries")).ok();
}

TEST(CustodyLogYearTest, TheStatementsOfAYearAreDeletedByTheirDeadline) {
  House house;
  ASSERT_OK(house.Open());
  house.AppendAndRun(StoredOf(1));
  for (const int year : {2027, 2028}) {
    EXPECT_TRUE(HasEntries(house, "2026"));
    Travel(house, NewYear(year));
    house.AppendAndRun(StoredOf(year));
    house.Publish();
  }
  EXPECT_FALSE(HasEntries(house, "2026"));
  EXPECT_TRUE(HasEntries(house, "2027"));
  const Audited present = Audit(house, "2028");
  EXPECT_THAT(
      present.entries[1],
      AllOf(
          HasSubstr("\"log_deleted\":{\"origin\":\"police.example/gw-1/custody/"
                    "2026\",\"entries\":\"3\""),
          HasSubstr("\"gateway\"")));
  // What was deleted stays so, and keeps nobody from starting.
  for (int i = 0; i < 2; ++i) {
    house.Die();
    ASSERT_OK(house.Open());
  }
  house.AppendAndRun(StoredOf(3));
  house.Publish();
  EXPECT_EQ(Audit(house, "2028").entries.size(), present.entries.size() + 1);
}

TEST(CustodyLogYearTest, ACrashInTheDeletionLeavesItToTheNextStart) {
  House house;
  ASSERT_OK(house.Open());
  house.AppendAndRun(StoredOf(1));
  Travel(house, NewYear(2027));
  house.AppendAndRun(StoredOf(2));
  house.disk.SetFault([](const DiskOperation& operation) {
    return operation.kind == DiskOperation::Kind::kRemove &&
                   absl::StrContains(operation.path, "/2026/tile/entries")
               ? absl::UnavailableError("died here")
               : absl::OkStatus();
  });
  Travel(house, NewYear(2028));
  house.AppendAndRun(StoredOf(3));
  EXPECT_TRUE(HasEntries(house, "2026"));
  house.disk.SetFault(nullptr);
  house.Die();
  ASSERT_OK(house.Open());
  house.executor.RunReady();
  EXPECT_FALSE(HasEntries(house, "2026"));
}

TEST(CustodyLogYearTest, NothingIsDeletedByAClockThatIsNotSynchronised) {
  House house;
  ASSERT_OK(house.Open());
  house.AppendAndRun(StoredOf(1));
  Travel(house, NewYear(2027));
  house.AppendAndRun(StoredOf(2));
  Travel(house, NewYear(2028));
  house.synchronised = false;
  house.AppendAndRun(StoredOf(3));
  house.Die();
  ASSERT_OK(house.Open());
  house.executor.RunReady();
  EXPECT_TRUE(HasEntries(house, "2026"));
}

TEST(CustodyLogYearTest, ACrashAtTheTurnLeavesOneUnbrokenChain) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    bool cut = true;
    for (int operations = 0; cut; ++operations) {
      SCOPED_TRACE(absl::StrCat("seed ", seed, ", cut after ", operations));
      House house(seed);
      ASSERT_OK(house.Open());
      house.AppendAndRun(StoredOf(1));
      Travel(house, NewYear(2027) - absl::Seconds(1));
      house.executor.RunReady();
      Travel(house, NewYear(2027));
      house.disk.CutPowerAfter(operations);
      house.AppendAndRun(StoredOf(2));
      house.Publish();
      cut = house.disk.power_was_cut();
      house.disk.CutPower();
      house.disk.RestorePower();
      house.Die();
      ASSERT_OK(house.Open());
      house.AppendAndRun(StoredOf(3));
      house.Publish();
      ExpectTold(house, "2026");
      ExpectTold(house, "2027");
      int begun = 0;
      for (const std::string& entry : Audit(house, "2027").entries) {
        begun += absl::StrContains(entry, "\"log_begun\"");
      }
      EXPECT_EQ(begun, 1);
      int closed = 0;
      for (const std::string& entry : Audit(house, "2026").entries) {
        closed += absl::StrContains(entry, "\"log_closed\"");
      }
      EXPECT_EQ(closed, 1);
    }
  }
}

TEST(CustodyLogYearTest, NoYearBeginsByAClockThatIsWrong) {
  House house;
  ASSERT_OK(house.Open());
  Travel(house, NewYear(2099));
  house.AppendAndRun(StoredOf(1));
  Travel(house, NewYear(2027));  // back
  house.synchronised = false;
  house.AppendAndRun(StoredOf(2));
  Travel(house, NewYear(2025));
  house.AppendAndRun(StoredOf(3));
  for (const Logged& logged : house.told) {
    EXPECT_EQ(logged.origin, "police.example/gw-1/custody/2026");
  }
  EXPECT_THAT(house.told, SizeIs(3));
  EXPECT_THAT(house.told[1].statement,
              HasSubstr("\"time\":\"2027-01-01T00:00:00"));
  Travel(house, NewYear(2027));
  house.synchronised = true;
  house.AppendAndRun(StoredOf(4));
  EXPECT_EQ(house.told.back().origin, "police.example/gw-1/custody/2027");
}

// --- what is refused ---------------------------------------------------------

// A log of some hundred entries, published, its process gone.
class RefusalTest : public testing::Test {
 protected:
  RefusalTest() {
    EXPECT_OK(house_.Open());
    for (int i = 0; i < 300; ++i) house_.Append(StoredOf(i));
    house_.executor.RunReady();
    house_.Publish();
    for (int i = 300; i < 310; ++i) house_.AppendAndRun(StoredOf(i));
    house_.Publish();
    present_ = house_.Present();
    house_.Die();
  }
  void ExpectRefused(absl::string_view says) {
    EXPECT_THAT(house_.Open(), StatusIs(StatusCode::kDataLoss,
                                        AllOf(HasSubstr(std::string(says)),
                                              HasSubstr("eep a copy"))));
  }
  std::string WalPath() {
    return absl::StrCat("wal/", house_.disk.List("/custody/wal")->back());
  }

  House house_;
  Checkpoint present_{"", 0, EmptyRoot()};
};

TEST_F(RefusalTest, NotWhatIsAsItWas) { EXPECT_OK(house_.Open()); }

TEST_F(RefusalTest, AWriteAheadLogThatIsGone) {
  ASSERT_OK(house_.disk.Remove(absl::StrCat("/custody/", WalPath())));
  ExpectRefused("/custody/2026/checkpoint");
}

TEST_F(RefusalTest, AWriteAheadLogThatIsOlderThanTheCheckpoint) {
  const std::string whole = house_.FileText(WalPath());
  house_.SetFile(WalPath(), whole.substr(0, whole.size() - 100));
  ExpectRefused("more than the write-ahead log knows of");
}

TEST_F(RefusalTest, ABadRecordInTheMiddle) {
  std::string bytes = house_.FileText(WalPath());
  bytes[bytes.size() / 2] ^= 1;
  house_.SetFile(WalPath(), bytes);
  ExpectRefused(WalPath());
}

TEST_F(RefusalTest, ATileThatDoesNotMatch) {
  const std::string path = "2026/tile/0/001.p/55";
  std::string bytes = house_.FileText(path);
  ASSERT_THAT(bytes, SizeIs(55 * 32));
  bytes[100] ^= 1;
  house_.SetFile(path, bytes);
  ExpectRefused("/custody/2026");
}

TEST_F(RefusalTest, ATileThatIsMissing) {
  ASSERT_OK(house_.disk.Remove("/custody/2026/tile/0/001.p/55"));
  ExpectRefused("/custody/2026/tile/0/001.p/55");
}

TEST_F(RefusalTest, AnEntryThatWasChanged) {
  const std::string path = "2026/tile/entries/001.p/55";
  std::string bytes = house_.FileText(path);
  bytes[100] ^= 1;
  house_.SetFile(path, bytes);
  ExpectRefused("/custody/2026");
}

TEST_F(RefusalTest, ACheckpointThatWasChanged) {
  std::string bytes = house_.FileText("2026/checkpoint");
  bytes[bytes.find('\n') + 1] ^= 1;  // the size
  house_.SetFile("2026/checkpoint", bytes);
  ExpectRefused("/custody/2026/checkpoint");
}

KnownTree Known(const Checkpoint& checkpoint) {
  return {checkpoint.origin, checkpoint.size, checkpoint.root, "somebody"};
}

TEST_F(RefusalTest, ALogThatOthersKnowToBeLonger) {
  present_.size += 1;
  EXPECT_THAT(
      house_.Open({Known(present_)}),
      StatusIs(StatusCode::kDataLoss,
               AllOf(HasSubstr("somebody knows"), HasSubstr("never reached"))));
  // A witness tells its size alone.
  KnownTree known = Known(present_);
  known.root.reset();
  EXPECT_THAT(house_.Open({known}),
              StatusIs(StatusCode::kDataLoss, HasSubstr("never reached")));
}

TEST_F(RefusalTest, ALogThatOthersKnowToBeAYearOn) {
  for (const char* later : {"2027", "2026-2"}) {
    EXPECT_THAT(house_.Open({{absl::StrCat(kGateway, "/custody/", later), 1,
                              EmptyRoot(), "somebody"}}),
                StatusIs(StatusCode::kDataLoss, HasSubstr("is still at")));
  }
}

TEST_F(RefusalTest, AnotherRootAtOneSize) {
  present_.root = EmptyRoot();
  EXPECT_THAT(house_.Open({Known(present_)}),
              StatusIs(StatusCode::kDataLoss, HasSubstr("does not lead to")));
}

// At a size that no batch of the write-ahead log ended at.
TEST_F(RefusalTest, AnotherRootAtAnySize) {
  const Digest first = LeafHash(Audit(house_, "2026").entries.front());
  EXPECT_THAT(house_.Open({{present_.origin, 1, EmptyRoot(), "somebody"}}),
              StatusIs(StatusCode::kDataLoss, HasSubstr("does not lead to")));
  EXPECT_OK(house_.Open({{present_.origin, 1, first, "somebody"}}));
}

TEST_F(RefusalTest, AnEmptyLogThatOthersKnow) {
  House fresh;
  EXPECT_THAT(fresh.Open({Known(present_)}),
              StatusIs(StatusCode::kDataLoss, HasSubstr("the log is empty")));
}

TEST_F(RefusalTest, NotWhatOthersKnowToBeSo) {
  KnownTree size_alone = Known(present_);
  size_alone.root.reset();
  EXPECT_OK(house_.Open(
      {Known(present_),
       size_alone,
       // Of a year that is over, and of another gateway.
       {absl::StrCat(kGateway, "/custody/2025"), 9, EmptyRoot(), "somebody"},
       {"police.example/gw-2/custody/2027", 9, EmptyRoot(), "somebody"}}));
}

TEST_F(RefusalTest, AWriteAheadLogOfOtherKeys) {
  const CustodyKeys other = *CustodyKeys::Generate(kGateway);
  CustodyOptions options;
  options.clock_synchronised = [] { return true; };
  EXPECT_THAT(
      CustodyLog::Open(house_.disk, "/custody", other, house_.executor,
                       house_.executor, house_.random, std::move(options))
          .status(),
      StatusIs(StatusCode::kDataLoss, HasSubstr("keys")));
}

// An existing file is never written over.
TEST(CustodyLogTest, AnotherTileInTheWayIsFatal) {
  House house;
  ASSERT_OK(house.Open());
  ASSERT_OK(house.disk.Create("/custody/2026/tile/0/000.p/2").status());
  house.AppendAndRun(StoredOf(1));
  house.Publish();
  ASSERT_THAT(house.fatal, SizeIs(1));
  EXPECT_THAT(house.fatal[0],
              StatusIs(StatusCode::kDataLoss, HasSubstr("000.p/2")));
}

// --- keys --------------------------------------------------------------------

TEST(CustodyKeysTest, AreMadeOnceAndComeBack) {
  House house;
  ASSERT_OK_AND_ASSIGN(const CustodyKeys keys,
                       CustodyKeys::Load(house.disk, "/keys", kGateway));
  EXPECT_EQ(keys.pinned().ToString(), house.FileText("keys.pub"));
  EXPECT_THAT(keys.Save(house.disk, "/keys"),
              StatusIs(StatusCode::kAlreadyExists));
}

TEST(CustodyKeysTest, WhatCannotBeUsedIsRefused) {
  House house;
  ASSERT_OK(house.disk.Replace("/keys/ed25519.pem", "/keys/ecdsa-p256.pem"));
  EXPECT_THAT(
      CustodyKeys::Load(house.disk, "/keys", kGateway).status(),
      StatusIs(StatusCode::kFailedPrecondition, HasSubstr("is missing")));
  ASSERT_OK(house.disk.Link("/keys/ecdsa-p256.pem", "/keys/ed25519.pem"));
  EXPECT_THAT(
      CustodyKeys::Load(house.disk, "/keys", kGateway).status(),
      StatusIs(StatusCode::kFailedPrecondition, HasSubstr("ecdsa-p256.pem")));
}

// --- another log behind one that is refused ----------------------------------

class NewOriginTest : public RefusalTest {
 protected:
  absl::StatusOr<Origin> BeginAnother(
      const std::vector<KnownTree>& known = {}) {
    CustodyOptions options;
    options.reserve_bytes = kReserveBytes;
    options.clock_synchronised = [] { return true; };
    return CustodyLog::BeginNewOrigin(
        house_.disk, "/custody", Keys(), house_.executor, house_.executor,
        house_.random, std::move(options), known, "the disk was restored");
  }
};

TEST_F(NewOriginTest, FollowsALogThatIsRefused) {
  const std::string path = WalPath();
  const std::string damaged = house_.FileText(path).substr(0, 100);
  house_.SetFile(path, damaged);
  ASSERT_FALSE(house_.Open().ok());
  EXPECT_THAT(BeginAnother(), IsOkAndHolds(Origin{kGateway, 2026, 2}));
  ASSERT_OK(house_.Open());
  EXPECT_EQ(house_.Present().origin, "police.example/gw-1/custody/2026-2");
  house_.AppendAndRun(StoredOf(1));
  house_.Publish();
  const Audited begun = Audit(house_, "2026-2");
  EXPECT_THAT(
      begun.entries[0],
      AllOf(HasSubstr("the disk was restored"),
            HasSubstr(absl::StrCat("custody/2026\\n", present_.size, "\\n"))));
  // Nothing of what was there is lost.
  EXPECT_EQ(
      house_.FileText(absl::StrReplaceAll(path, {{"wal/", "wal.aside-1/"}})),
      damaged);
  EXPECT_EQ(Audit(house_, "2026").checkpoint.size, present_.size);
}

TEST_F(NewOriginTest, TakesNoNameThatAnybodyHasSeen) {
  EXPECT_THAT(BeginAnother({{absl::StrCat(kGateway, "/custody/2026-4"), 7,
                             EmptyRoot(), "somebody"}}),
              IsOkAndHolds(Origin{kGateway, 2026, 5}));
  EXPECT_OK(house_.Open({{absl::StrCat(kGateway, "/custody/2026-4"), 7,
                          EmptyRoot(), "somebody"}}));
  house_.Die();
  EXPECT_THAT(BeginAnother(), IsOkAndHolds(Origin{kGateway, 2026, 6}));
}

TEST_F(NewOriginTest, ACheckpointThatIsNotOursIsNotNamed) {
  house_.SetFile("2026/checkpoint", "hello");
  EXPECT_OK(BeginAnother());
  ASSERT_OK(house_.Open());
  house_.Publish();
  EXPECT_THAT(Audit(house_, "2026-2").entries[0],
              testing::Not(HasSubstr("previous_checkpoint")));
}

TEST_F(NewOriginTest, MayBeAskedForAgainWhereverThePowerIsCut) {
  for (int operations = 0;; ++operations) {
    SCOPED_TRACE(operations);
    House house;
    ASSERT_OK(house.Open());
    house.AppendAndRun(StoredOf(1));
    house.Publish();
    house.Die();
    const auto begin = [&house] {
      CustodyOptions options;
      options.reserve_bytes = kReserveBytes;
      options.clock_synchronised = [] { return true; };
      return CustodyLog::BeginNewOrigin(
          house.disk, "/custody", Keys(), house.executor, house.executor,
          house.random, std::move(options), {}, "why");
    };
    house.disk.CutPowerAfter(operations);
    const bool begun = begin().ok();
    const bool cut = house.disk.power_was_cut();
    if (!cut) house.disk.CutPower();
    house.disk.RestorePower();
    if (!begun) {
      EXPECT_OK(begin());
    }
    ASSERT_OK(house.Open());
    EXPECT_EQ(house.Present().origin.substr(0, 33),
              "police.example/gw-1/custody/2026-");
    if (!cut) break;
    ASSERT_LT(operations, 1000);
  }
}

TEST(CustodyLogNewOriginTest, NeedsALogToFollow) {
  House house;
  CustodyOptions options;
  options.clock_synchronised = [] { return true; };
  EXPECT_THAT(CustodyLog::BeginNewOrigin(
                  house.disk, "/custody", Keys(), house.executor,
                  house.executor, house.random, std::move(options), {}, "why"),
              StatusIs(StatusCode::kFailedPrecondition));
}

}  // namespace
}  // namespace schleuse
