#include "disk/record_file.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/limits.h"
#include "base/status_matchers.h"
#include "disk/fake_disk.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::IsEmpty;
using Kind = DiskOperation::Kind;
using Records = std::vector<std::string>;

constexpr absl::string_view kPath = "/f.records";
constexpr uint64_t kHeaderBytes = 8;
constexpr uint64_t kFrameBytes = 8;

struct Opened {
  std::unique_ptr<RecordFile> file;
  Records records;
  std::vector<uint64_t> ends;
};

// Opens the file and counts its first `records_max` records.
absl::StatusOr<Opened> OpenFirst(Disk& disk, size_t records_max) {
  Opened opened;
  auto file = RecordFile::Open(disk, kPath,
                               [&](absl::string_view payload, uint64_t end) {
                                 if (opened.records.size() == records_max)
                                   return false;
                                 opened.records.emplace_back(payload);
                                 opened.ends.push_back(end);
                                 return true;
                               });
  if (!file.ok()) return file.status();
  opened.file = *std::move(file);
  return opened;
}

absl::StatusOr<Opened> Open(Disk& disk) { return OpenFirst(disk, SIZE_MAX); }

absl::StatusOr<Records> RecordsOf(Disk& disk) {
  absl::StatusOr<Opened> opened = Open(disk);
  if (!opened.ok()) return opened.status();
  return opened->records;
}

// Makes the file anew with `records`, all synced, its name too.
void MakeFile(Disk& disk, const Records& records) {
  if (records.empty()) {
    // Ours are made with their first record.
    ASSERT_OK(WriteFileAtomically(disk, kPath, "SchlRec\x01"));
    return;
  }
  const auto file = RecordFile::Create(disk, kPath);
  for (const std::string& record : records) file->Append(record);
  ASSERT_OK(file->Flush());
  ASSERT_OK(file->Sync());
  ASSERT_OK(disk.SyncDirectory("/"));
}

std::string Bytes(Disk& disk) { return ReadFile(disk, kPath, 1 << 24).value(); }

void SetBytes(Disk& disk, absl::string_view bytes) {
  ASSERT_OK(WriteFileAtomically(disk, kPath, bytes));
}

std::string Frame(absl::string_view payload) {
  std::string frame;
  AppendU32(frame, static_cast<uint32_t>(payload.size()));
  const uint32_t crc = ExtendCrc32c(Crc32c(frame), payload);
  AppendU32(frame, crc);
  return absl::StrCat(frame, payload);
}

// --- the format ---

// The bytes as they are drawn, so that no change of them goes unnoticed.
TEST(RecordFileTest, TheBytesAreThoseOfTheFormat) {
  FakeDisk disk;
  MakeFile(disk, {"abc", ""});
  EXPECT_EQ(Bytes(disk), absl::StrCat("SchlRec\x01", Frame("abc"), Frame("")));
  EXPECT_EQ(Frame("abc").substr(0, 4), std::string("\x03\0\0\0", 4));
}

TEST(RecordFileTest, AFileThatExistsIsNotMadeAnew) {
  FakeDisk disk;
  MakeFile(disk, {"abc"});
  const auto again = RecordFile::Create(disk, kPath);
  again->Append("def");
  EXPECT_THAT(again->Flush(), StatusIs(StatusCode::kAlreadyExists));
  EXPECT_THAT(RecordsOf(disk), IsOkAndHolds(ElementsAre("abc")));
}

TEST(RecordFileTest, AMissingFileIsNotFound) {
  FakeDisk disk;
  EXPECT_THAT(RecordsOf(disk), StatusIs(StatusCode::kNotFound));
}

TEST(RecordFileTest, FileIsMadeByItsFirstFlushInOneWrite) {
  FakeDisk disk;
  const auto file = RecordFile::Create(disk, kPath);
  file->Append("abc");
  EXPECT_OK(file->Sync());
  EXPECT_FALSE(file->is_made());
  EXPECT_THAT(RecordsOf(disk), StatusIs(StatusCode::kNotFound));
  int writes = 0;
  disk.SetFault([&writes](const DiskOperation& operation) {
    writes += operation.kind == Kind::kWrite;
    return absl::OkStatus();
  });
  ASSERT_OK(file->Flush());
  EXPECT_EQ(writes, 1);
  EXPECT_TRUE(file->is_made());
  disk.SetFault(nullptr);
  EXPECT_THAT(RecordsOf(disk), IsOkAndHolds(ElementsAre("abc")));
}

TEST(RecordFileTest, MakingThatFailsMayBeTriedAgain) {
  FakeDisk disk;
  disk.SetFault([](const DiskOperation& operation) {
    return operation.kind == Kind::kWrite ? absl::ResourceExhaustedError("full")
                                          : absl::OkStatus();
  });
  const auto file = RecordFile::Create(disk, kPath);
  file->Append("abc");
  EXPECT_THAT(file->Flush(), StatusIs(StatusCode::kResourceExhausted));
  EXPECT_FALSE(file->is_made());
  EXPECT_THAT(RecordsOf(disk), StatusIs(StatusCode::kNotFound));
  disk.SetFault(nullptr);
  EXPECT_OK(file->Flush());
  EXPECT_THAT(RecordsOf(disk), IsOkAndHolds(ElementsAre("abc")));
}

TEST(RecordFileTest, EveryDamageToTheHeaderIsRefused) {
  FakeDisk disk;
  MakeFile(disk, {"abc"});
  const std::string intact = Bytes(disk);
  for (size_t i = 0; i + 1 < kHeaderBytes; ++i) {
    std::string damaged = intact;
    damaged[i] ^= 1;
    SetBytes(disk, damaged);
    EXPECT_THAT(RecordsOf(disk), StatusIs(StatusCode::kDataLoss)) << i;
  }
  for (size_t size = 0; size < kHeaderBytes; ++size) {
    SetBytes(disk, intact.substr(0, size));
    EXPECT_THAT(RecordsOf(disk), StatusIs(StatusCode::kDataLoss)) << size;
  }
}

TEST(RecordFileTest, AnUnknownVersionIsRefusedAndLeftAlone) {
  FakeDisk disk;
  MakeFile(disk, {"abc"});
  std::string bytes = Bytes(disk);
  for (const int version : {0, 2, 255}) {
    bytes[kHeaderBytes - 1] = static_cast<char>(version);
    SetBytes(disk, bytes);
    EXPECT_THAT(RecordsOf(disk),
                StatusIs(StatusCode::kFailedPrecondition,
                         testing::HasSubstr(absl::StrCat(version))));
    EXPECT_EQ(Bytes(disk), bytes);
  }
}

// --- reading ---

TEST(RecordFileTest, OpenHandsOnEachRecordWithItsEnd) {
  FakeDisk disk;
  MakeFile(disk, {"abc", "", "defg"});
  ASSERT_OK_AND_ASSIGN(const Opened opened, Open(disk));
  EXPECT_THAT(opened.records, ElementsAre("abc", "", "defg"));
  EXPECT_THAT(opened.ends, ElementsAre(8 + 11, 8 + 11 + 8, 8 + 11 + 8 + 12));
  EXPECT_EQ(opened.file->end(), opened.ends.back());
  EXPECT_FALSE(opened.file->has_tail());
}

TEST(RecordFileTest, AFileWithoutRecordsIsEmpty) {
  FakeDisk disk;
  MakeFile(disk, {});
  ASSERT_OK_AND_ASSIGN(const Opened opened, Open(disk));
  EXPECT_THAT(opened.records, IsEmpty());
  EXPECT_EQ(opened.file->end(), kHeaderBytes);
  EXPECT_FALSE(opened.file->has_tail());
}

// More than is read at once, with records across every border.
TEST(RecordFileTest, ManyRecordsOfManySizesComeBackInOrder) {
  FakeDisk disk;
  Records records;
  for (uint64_t i = 0; i < 300; ++i) {
    records.push_back(std::string(i * 7919 % 20'000, static_cast<char>(i)));
  }
  records.push_back(std::string(limits::kRecordBytesMax, 'x'));
  records.push_back(std::string(limits::kRecordBytesMax, 'y'));
  records.push_back("last");
  MakeFile(disk, records);
  ASSERT_OK_AND_ASSIGN(const Opened opened, Open(disk));
  EXPECT_TRUE(opened.records == records);
  EXPECT_FALSE(opened.file->has_tail());
}

TEST(RecordFileTest, AReadingErrorIsNoEnd) {
  FakeDisk disk;
  MakeFile(disk, {"abc"});
  int reads = 0;
  disk.SetFault([&reads](const DiskOperation& operation) {
    return operation.kind == Kind::kRead && ++reads == 2
               ? absl::DataLossError("bad sector")
               : absl::OkStatus();
  });
  EXPECT_THAT(RecordsOf(disk), StatusIs(StatusCode::kDataLoss, "bad sector"));
}

TEST(RecordFileTest, ReadSeesWhatWasFlushedAndNoMore) {
  FakeDisk disk;
  MakeFile(disk, {"a", "b"});
  ASSERT_OK_AND_ASSIGN(Opened opened, Open(disk));
  opened.file->Append("c");
  const auto read = [&opened] {
    Records records;
    EXPECT_OK(opened.file->Read([&](absl::string_view payload, uint64_t) {
      records.emplace_back(payload);
      return true;
    }));
    return records;
  };
  EXPECT_THAT(read(), ElementsAre("a", "b"));
  ASSERT_OK(opened.file->Flush());
  EXPECT_THAT(read(), ElementsAre("a", "b", "c"));
}

TEST(RecordFileTest, ReadDoesNotSeeTheTail) {
  FakeDisk disk;
  MakeFile(disk, {"a", "b", "c"});
  ASSERT_OK_AND_ASSIGN(const Opened opened, OpenFirst(disk, 1));
  Records records;
  EXPECT_OK(opened.file->Read([&](absl::string_view payload, uint64_t) {
    records.emplace_back(payload);
    return true;
  }));
  EXPECT_THAT(records, ElementsAre("a"));
}

TEST(RecordFileTest, ReadStopsWhenToldTo) {
  FakeDisk disk;
  MakeFile(disk, {"a", "b", "c"});
  ASSERT_OK_AND_ASSIGN(const Opened opened, Open(disk));
  int visits = 0;
  EXPECT_OK(opened.file->Read(
      [&](absl::string_view, uint64_t) { return ++visits < 2; }));
  EXPECT_EQ(visits, 2);
}

TEST(RecordFileTest, ReadBeginsWhereItIsTold) {
  FakeDisk disk;
  MakeFile(disk, {"a", "b", "c"});
  ASSERT_OK_AND_ASSIGN(const Opened opened, Open(disk));
  // Not even a damaged record before it is looked at.
  ASSERT_OK(disk.Open(kPath).value()->Write(kHeaderBytes + kFrameBytes, "X"));
  const std::vector<Records> expected = {{"b", "c"}, {"c"}, {}};
  for (size_t i = 0; i < opened.ends.size(); ++i) {
    Records records;
    std::vector<uint64_t> ends;
    EXPECT_OK(opened.file->Read(
        [&](absl::string_view payload, uint64_t end) {
          records.emplace_back(payload);
          ends.push_back(end);
          return true;
        },
        opened.ends[i]));
    EXPECT_EQ(records, expected[i]);
    EXPECT_TRUE(std::equal(ends.begin(), ends.end(),
                           opened.ends.begin() + static_cast<int>(i) + 1,
                           opened.ends.end()));
  }
}

TEST(RecordFileTest, ReadTellsIfARecordThatCountedIsDamaged) {
  FakeDisk disk;
  MakeFile(disk, {"a", "b"});
  ASSERT_OK_AND_ASSIGN(const Opened opened, Open(disk));
  ASSERT_OK(disk.Open(kPath).value()->Write(opened.ends[0] + kFrameBytes, "X"));
  EXPECT_THAT(
      opened.file->Read([](absl::string_view, uint64_t) { return true; }),
      StatusIs(StatusCode::kDataLoss));
}

TEST(RecordFileTest, VisitReadsAsOpenDoesAndWritesNothing) {
  FakeDisk disk;
  MakeFile(disk, {"a", "b"});
  SetBytes(disk, Bytes(disk) + "torn");
  disk.SetFault([](const DiskOperation& operation) {
    return operation.kind == Kind::kOpen || operation.kind == Kind::kRead ||
                   operation.kind == Kind::kStat
               ? absl::OkStatus()
               : absl::PermissionDeniedError("read only");
  });
  Records records;
  std::vector<uint64_t> ends;
  const auto visit = [&](absl::string_view payload, uint64_t end) {
    records.emplace_back(payload);
    ends.push_back(end);
    return true;
  };
  EXPECT_OK(RecordFile::Visit(disk, kPath, visit));
  EXPECT_THAT(records, ElementsAre("a", "b"));
  EXPECT_THAT(ends, ElementsAre(8 + 9, 8 + 9 + 9));
  EXPECT_THAT(RecordFile::Visit(disk, "/missing", visit),
              StatusIs(StatusCode::kNotFound));
  disk.SetFault(nullptr);
  SetBytes(disk, "SchlRec\x02");
  EXPECT_THAT(RecordFile::Visit(disk, kPath, visit),
              StatusIs(StatusCode::kFailedPrecondition));
  SetBytes(disk, "Schl");
  EXPECT_THAT(RecordFile::Visit(disk, kPath, visit),
              StatusIs(StatusCode::kDataLoss));
}

// --- the tail ---

TEST(RecordFileTest, ATailTornAtAnyByteCutsItselfOff) {
  FakeDisk disk;
  MakeFile(disk, {"first", "the last record"});
  const std::string intact = Bytes(disk);
  const uint64_t first_end = kHeaderBytes + Frame("first").size();
  for (uint64_t size = first_end; size < intact.size(); ++size) {
    SetBytes(disk, intact.substr(0, size));
    ASSERT_OK_AND_ASSIGN(Opened opened, Open(disk));
    EXPECT_THAT(opened.records, ElementsAre("first")) << size;
    EXPECT_EQ(opened.file->end(), first_end);
    EXPECT_EQ(opened.file->has_tail(), size > first_end);
    EXPECT_EQ(Bytes(disk).size(), size);  // nothing is cut by opening

    opened.file->Append("next");
    ASSERT_OK(opened.file->Flush());
    EXPECT_FALSE(opened.file->has_tail());
    EXPECT_THAT(RecordsOf(disk), IsOkAndHolds(ElementsAre("first", "next")));
  }
}

TEST(RecordFileTest, AnyBitFlippedInTheLastRecordCutsItOff) {
  FakeDisk disk;
  MakeFile(disk, {"first", "the last record"});
  const std::string intact = Bytes(disk);
  const uint64_t first_end = kHeaderBytes + Frame("first").size();
  for (uint64_t i = first_end; i < intact.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = intact;
      damaged[i] = static_cast<char>(damaged[i] ^ 1 << bit);
      SetBytes(disk, damaged);
      ASSERT_OK_AND_ASSIGN(const Opened opened, Open(disk));
      EXPECT_THAT(opened.records, ElementsAre("first"))
          << "byte " << i << ", bit " << bit;
      EXPECT_TRUE(opened.file->has_tail());
    }
  }
}

TEST(RecordFileTest, ADamagedRecordTakesAllBehindItAlong) {
  FakeDisk disk;
  MakeFile(disk, {"a", "b", "c"});
  std::string bytes = Bytes(disk);
  bytes[kHeaderBytes + Frame("a").size() + kFrameBytes] ^= 1;
  SetBytes(disk, bytes);
  EXPECT_THAT(RecordsOf(disk), IsOkAndHolds(ElementsAre("a")));
}

// A file system may give a torn file its size and zeros for bytes.
TEST(RecordFileTest, ZerosAreNoRecord) {
  FakeDisk disk;
  MakeFile(disk, {"a"});
  SetBytes(disk, Bytes(disk) + std::string(10'000, '\0'));
  ASSERT_OK_AND_ASSIGN(const Opened opened, Open(disk));
  EXPECT_THAT(opened.records, ElementsAre("a"));
  EXPECT_TRUE(opened.file->has_tail());
}

TEST(RecordFileTest, ALengthBeyondTheBoundIsNoRecordHoweverIntact) {
  FakeDisk disk;
  MakeFile(disk, {"a"});
  const std::string begin = Bytes(disk);
  SetBytes(disk, begin + Frame(std::string(limits::kRecordBytesMax + 1, 'x')));
  EXPECT_THAT(RecordsOf(disk), IsOkAndHolds(ElementsAre("a")));
  for (const uint32_t length : {0x7FFFFFFFu, 0x80000000u, 0xFFFFFFFFu}) {
    std::string bytes = begin;
    AppendU32(bytes, length);
    SetBytes(disk, bytes + std::string(100, 'x'));
    EXPECT_THAT(RecordsOf(disk), IsOkAndHolds(ElementsAre("a"))) << length;
  }
}

TEST(RecordFileDeathTest, ARecordThatCouldNotBeReadBackIsNotTaken) {
  FakeDisk disk;
  MakeFile(disk, {});
  ASSERT_OK_AND_ASSIGN(Opened opened, Open(disk));
  opened.file->Append(std::string(limits::kRecordBytesMax, 'x'));
  EXPECT_DEATH(
      opened.file->Append(std::string(limits::kRecordBytesMax + 1, 'x')), "");
}

TEST(RecordFileTest, AVisitThatSaysNoMakesATail) {
  FakeDisk disk;
  MakeFile(disk, {"a", "b", "c"});
  ASSERT_OK_AND_ASSIGN(Opened opened, OpenFirst(disk, 1));
  EXPECT_TRUE(opened.file->has_tail());
  EXPECT_EQ(opened.file->end(), opened.ends[0]);
  ASSERT_OK(opened.file->CutTail());
  EXPECT_FALSE(opened.file->has_tail());
  EXPECT_THAT(RecordsOf(disk), IsOkAndHolds(ElementsAre("a")));
}

// "B" takes the very bytes of "b"; were "c" left behind it, "c" would count
// again.
TEST(RecordFileTest, NoRecordThatDidNotCountEverCountsAgain) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    bool cut = true;
    for (int operations = 0; cut; ++operations) {
      FakeDisk disk(seed);
      MakeFile(disk, {"a", "b", "c"});
      ASSERT_OK_AND_ASSIGN(Opened opened, OpenFirst(disk, 1));
      disk.CutPowerAfter(operations);
      opened.file->Append("B");
      absl::Status kept = opened.file->Flush();
      if (kept.ok()) kept = opened.file->Sync();
      cut = disk.power_was_cut();
      disk.RestorePower();
      ASSERT_OK_AND_ASSIGN(const Records records, RecordsOf(disk));
      EXPECT_NE(records, Records({"a", "B", "c"}))
          << "seed " << seed << ", cut after " << operations;
      if (kept.ok()) {
        EXPECT_EQ(records, Records({"a", "B"}));
      }
    }
  }
}

TEST(RecordFileTest, CutToTakesTheFileBackToAnEndThatAVisitNamed) {
  FakeDisk disk;
  MakeFile(disk, {"a", "b", "c"});
  ASSERT_OK_AND_ASSIGN(Opened opened, Open(disk));
  opened.file->Append("never flushed");
  ASSERT_OK(opened.file->CutTo(opened.ends[1]));
  EXPECT_EQ(opened.file->end(), opened.ends[1]);
  opened.file->Append("d");
  ASSERT_OK(opened.file->Flush());
  EXPECT_THAT(RecordsOf(disk), IsOkAndHolds(ElementsAre("a", "b", "d")));
}

TEST(RecordFileTest, WhatWasCutStaysCutAfterThePowerGoes) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    FakeDisk disk(seed);
    MakeFile(disk, {"a", "b"});
    ASSERT_OK_AND_ASSIGN(Opened opened, Open(disk));
    ASSERT_OK(opened.file->CutTo(opened.ends[0]));
    disk.RestorePower();
    EXPECT_THAT(RecordsOf(disk), IsOkAndHolds(ElementsAre("a")));
  }
}

// --- writing ---

TEST(RecordFileTest, NothingIsWrittenBeforeFlush) {
  FakeDisk disk;
  MakeFile(disk, {"a"});
  ASSERT_OK_AND_ASSIGN(Opened opened, Open(disk));
  const uint64_t end = opened.file->end();
  const int before = disk.operations();
  opened.file->Append("b");
  EXPECT_EQ(disk.operations(), before);
  EXPECT_EQ(opened.file->end(), end);
  ASSERT_OK(opened.file->Flush());
  EXPECT_EQ(disk.operations(), before + 1);
  EXPECT_EQ(opened.file->end(), end + Frame("b").size());
  ASSERT_OK(opened.file->Flush());  // nothing to do
  EXPECT_EQ(disk.operations(), before + 1);
}

TEST(RecordFileTest, AFailedFlushIsWrittenAgainByTheNext) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    FakeDisk disk(seed);
    MakeFile(disk, {"a"});
    ASSERT_OK_AND_ASSIGN(Opened opened, Open(disk));
    const uint64_t end = opened.file->end();
    opened.file->Append("bbbb");
    disk.SetFault([](const DiskOperation& operation) {
      return operation.kind == Kind::kWrite
                 ? absl::ResourceExhaustedError("full")
                 : absl::OkStatus();
    });
    EXPECT_THAT(opened.file->Flush(), StatusIs(StatusCode::kResourceExhausted));
    EXPECT_EQ(opened.file->end(), end);
    disk.SetFault(nullptr);
    opened.file->Append("cc");
    ASSERT_OK(opened.file->Flush());
    EXPECT_THAT(RecordsOf(disk), IsOkAndHolds(ElementsAre("a", "bbbb", "cc")));
  }
}

TEST(RecordFileTest, AFullDiskKeepsWhatIsThereAndTakesTheRestOnceThereIsRoom) {
  FakeDisk disk;
  MakeFile(disk, {"a"});
  ASSERT_OK_AND_ASSIGN(Opened opened, Open(disk));
  disk.SetCapacity(Bytes(disk).size() + 5);
  opened.file->Append("bbbb");
  EXPECT_THAT(opened.file->Flush(), StatusIs(StatusCode::kResourceExhausted));
  EXPECT_THAT(RecordsOf(disk), IsOkAndHolds(ElementsAre("a")));
  disk.SetCapacity(1000);
  ASSERT_OK(opened.file->Flush());
  EXPECT_THAT(RecordsOf(disk), IsOkAndHolds(ElementsAre("a", "bbbb")));
}

TEST(RecordFileTest, ATailThatCannotBeCutKeepsFlushFromWriting) {
  FakeDisk disk;
  MakeFile(disk, {"a", "b", "c"});
  for (const Kind kind : {Kind::kTruncate, Kind::kSync}) {
    ASSERT_OK_AND_ASSIGN(Opened opened, OpenFirst(disk, 1));
    opened.file->Append("B");
    disk.SetFault([kind](const DiskOperation& operation) {
      return operation.kind == kind ? absl::DataLossError("told to")
                                    : absl::OkStatus();
    });
    EXPECT_THAT(opened.file->Flush(), StatusIs(StatusCode::kDataLoss));
    EXPECT_TRUE(opened.file->has_tail());
    disk.SetFault(nullptr);
    EXPECT_THAT(RecordsOf(disk),
                IsOkAndHolds(testing::Not(testing::Contains("B"))));
  }
}

TEST(RecordFileTest, AFailedSyncIsHandedUp) {
  FakeDisk disk;
  MakeFile(disk, {"a"});
  ASSERT_OK_AND_ASSIGN(Opened opened, Open(disk));
  disk.SetFault([](const DiskOperation& operation) {
    return operation.kind == Kind::kSync ? absl::DataLossError("told to")
                                         : absl::OkStatus();
  });
  EXPECT_THAT(opened.file->Sync(), StatusIs(StatusCode::kDataLoss));
}

// Makes the next sync fail as if nobody had heard of it: reading still shows
// what it did not bring to the medium.
void FailSync(FakeDisk& disk, RecordFile& file) {
  disk.SetFault([](const DiskOperation& operation) {
    return operation.kind == Kind::kSync ? absl::DataLossError("medium error")
                                         : absl::OkStatus();
  });
  EXPECT_THAT(file.Sync(), StatusIs(StatusCode::kDataLoss));
  disk.SetFault(nullptr);
}

TEST(RecordFileTest, WhatASyncThatFailedForgotIsWrittenAnew) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    for (const bool header : {true, false}) {
      SCOPED_TRACE(
          absl::StrCat("seed ", seed, header ? ", all" : ", behind a"));
      FakeDisk disk(seed);
      // More than is read at once.
      const Records records = {"a",
                               std::string(60'000, 'b'),
                               std::string(limits::kRecordBytesMax, 'c'),
                               std::string(limits::kRecordBytesMax, 'd'),
                               std::string(limits::kRecordBytesMax, 'e'),
                               std::string(limits::kRecordBytesMax, 'f')};
      const auto file = RecordFile::Create(disk, kPath);
      file->Append(records[0]);
      ASSERT_OK(file->Flush());
      ASSERT_OK(disk.SyncDirectory("/"));
      if (!header) {
        ASSERT_OK(file->Sync());
      }
      for (size_t i = 1; i < records.size(); ++i) file->Append(records[i]);
      ASSERT_OK(file->Flush());
      FailSync(disk, *file);
      ASSERT_OK_AND_ASSIGN(Opened opened, Open(disk));
      ASSERT_OK(opened.file->WriteAnew(header ? 0 : opened.ends[0]));
      disk.RestorePower();
      ASSERT_OK_AND_ASSIGN(const Records survived, RecordsOf(disk));
      EXPECT_TRUE(survived == records);
    }
  }
}

// The cut was shown and never came to the medium: records that had been cut
// off stood behind the new ones again.
TEST(RecordFileTest, ACutThatASyncForgotIsMadeAnew) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE(seed);
    FakeDisk disk(seed);
    MakeFile(disk, {"a", "b", "c"});
    ASSERT_OK_AND_ASSIGN(Opened opened, Open(disk));
    disk.SetFault([](const DiskOperation& operation) {
      return operation.kind == Kind::kSync ? absl::DataLossError("medium error")
                                           : absl::OkStatus();
    });
    EXPECT_THAT(opened.file->CutTo(opened.ends[0]),
                StatusIs(StatusCode::kDataLoss));
    disk.SetFault(nullptr);
    ASSERT_OK_AND_ASSIGN(opened, Open(disk));
    EXPECT_FALSE(opened.file->has_tail()) << "nothing shows it";
    ASSERT_OK(opened.file->WriteAnew(0));
    opened.file->Append("B");
    ASSERT_OK(opened.file->Flush());
    ASSERT_OK(opened.file->Sync());
    disk.RestorePower();
    EXPECT_THAT(RecordsOf(disk), IsOkAndHolds(ElementsAre("a", "B")));
  }
}

TEST(RecordFileTest, WritingAnewThatFailsIsHandedUp) {
  for (const Kind kind :
       {Kind::kRead, Kind::kWrite, Kind::kTruncate, Kind::kSync}) {
    FakeDisk disk;
    MakeFile(disk, {"a"});
    ASSERT_OK_AND_ASSIGN(Opened opened, Open(disk));
    disk.SetFault([kind](const DiskOperation& operation) {
      return operation.kind == kind ? absl::DataLossError("told to")
                                    : absl::OkStatus();
    });
    EXPECT_THAT(opened.file->WriteAnew(0),
                StatusIs(StatusCode::kDataLoss, "told to"));
  }
}

// Cuts the power at the first operation, then at the second, and so on, while
// records are written and synced in several rounds.
TEST(RecordFileTest, NoSyncedRecordIsLostWhereverThePowerIsCut) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    bool cut = true;
    for (int operations = 0; cut; ++operations) {
      FakeDisk disk(seed);
      MakeFile(disk, {});
      Records appended;
      size_t synced = 0;
      disk.CutPowerAfter(operations);
      absl::StatusOr<Opened> opened = Open(disk);
      absl::Status status = opened.status();
      for (int round = 0; round < 4 && status.ok(); ++round) {
        for (int i = 0; i < 3; ++i) {
          appended.push_back(absl::StrCat(round, i, std::string(200 * i, 'x')));
          opened->file->Append(appended.back());
          if (status.ok()) status = opened->file->Flush();
        }
        const size_t flushed = appended.size();
        if (status.ok()) status = opened->file->Sync();
        if (status.ok()) synced = flushed;
      }
      cut = disk.power_was_cut();
      disk.RestorePower();

      ASSERT_OK_AND_ASSIGN(const Opened after, Open(disk));
      ASSERT_GE(after.records.size(), synced)
          << "seed " << seed << ", cut after " << operations;
      ASSERT_LE(after.records.size(), appended.size());
      EXPECT_TRUE(std::equal(after.records.begin(), after.records.end(),
                             appended.begin()))
          << "seed " << seed << ", cut after " << operations;
    }
  }
}

// Every recovery is cut short too, then goes on appending: what it had synced
// stays, in order.
TEST(RecordFileTest, CrashUponCrashKeepsWhatWasSynced) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    FakeDisk disk(seed);
    MakeFile(disk, {});
    Records synced;
    for (int life = 0; life < 12; ++life) {
      disk.CutPowerAfter(static_cast<int>((seed * 31 + life * 17) % 14));
      absl::StatusOr<Opened> opened = Open(disk);
      absl::Status status = opened.status();
      Records records = opened.ok() ? opened->records : synced;
      ASSERT_GE(records.size(), synced.size());
      ASSERT_TRUE(std::equal(synced.begin(), synced.end(), records.begin()));
      for (int i = 0; i < 4 && status.ok(); ++i) {
        records.push_back(absl::StrCat(life, "-", i));
        opened->file->Append(records.back());
        status = opened->file->Flush();
        if (status.ok()) status = opened->file->Sync();
        if (status.ok()) synced = records;
      }
      disk.RestorePower();
    }
    ASSERT_OK_AND_ASSIGN(const Records records, RecordsOf(disk));
    ASSERT_GE(records.size(), synced.size());
    EXPECT_TRUE(std::equal(synced.begin(), synced.end(), records.begin()));
  }
}

TEST(RecordFileTest, SyncRunsBesideAppendAndFlush) {
  FakeDisk disk;
  MakeFile(disk, {});
  ASSERT_OK_AND_ASSIGN(Opened opened, Open(disk));
  std::thread syncer([&opened] {
    for (int i = 0; i < 200; ++i) EXPECT_OK(opened.file->Sync());
  });
  for (int i = 0; i < 200; ++i) {
    opened.file->Append(absl::StrCat(i));
    EXPECT_OK(opened.file->Flush());
  }
  syncer.join();
  ASSERT_OK_AND_ASSIGN(const Records records, RecordsOf(disk));
  EXPECT_EQ(records.size(), 200u);
}

}  // namespace
}  // namespace schleuse
