#include "gateway/markers.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "base/random.h"
#include "base/status_matchers.h"
#include "disk/disk.h"
#include "disk/fake_disk.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

constexpr char kSpool[] = "/srv/spool";
constexpr char kStore[] = "/srv/store";
constexpr char kSpoolMarker[] = "/srv/spool/schleuse.marker";
constexpr char kStoreMarker[] = "/srv/store/schleuse.marker";

auto Refused(const std::string& words) {
  return StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr(words));
}

std::string Marker(absl::string_view version, absl::string_view gateway,
                   absl::string_view room) {
  return absl::StrCat("schleuse-marker ", version, "\ngateway ", gateway,
                      "\nroom ", room, "\n");
}

class MarkersTest : public testing::Test {
 protected:
  MarkersTest() { Prepare(disk_); }
  static void Prepare(FakeDisk& disk) {
    EXPECT_OK(MakeDirectories(disk, "/srv"));
  }

  static absl::StatusOr<std::string> Init(FakeDisk& disk) {
    SeededRandom random(7);
    return InitMarkers(disk, kSpool, kStore, random);
  }
  absl::StatusOr<std::string> Init() { return Init(disk_); }
  static absl::StatusOr<std::string> Check(const FakeDisk& disk) {
    return CheckMarkers(disk, kSpool, kStore);
  }
  absl::StatusOr<std::string> Check() { return Check(disk_); }

  void Write(absl::string_view path, absl::string_view text) {
    ASSERT_OK(WriteFileAtomically(disk_, path, text));
  }
  std::string Read(absl::string_view path) {
    const auto text = ReadFile(disk_, path, 1000);
    EXPECT_OK(text);
    return text.value_or("");
  }

  FakeDisk disk_;
};

TEST_F(MarkersTest, InitMarksBothDirectories) {
  ASSERT_OK_AND_ASSIGN(const std::string gateway, Init());
  EXPECT_THAT(gateway, MatchesRegex("[0-9a-f]{32}"));
  EXPECT_EQ(Read(kSpoolMarker), Marker("1", gateway, "spool"));
  EXPECT_EQ(Read(kStoreMarker), Marker("1", gateway, "store"));
  EXPECT_THAT(disk_.List(kSpool), IsOkAndHolds(ElementsAre("schleuse.marker")));
  EXPECT_THAT(disk_.List(kStore), IsOkAndHolds(ElementsAre("schleuse.marker")));
  EXPECT_THAT(Check(), IsOkAndHolds(gateway));
}

TEST_F(MarkersTest, InitTakesDirectoriesFreshFromMkfs) {
  ASSERT_OK(MakeDirectories(disk_, JoinPath(kSpool, "lost+found")));
  ASSERT_OK(MakeDirectories(disk_, kStore));
  EXPECT_OK(Init());
  EXPECT_OK(Check());
}

TEST_F(MarkersTest, InitTwiceIsRefused) {
  ASSERT_OK_AND_ASSIGN(const std::string gateway, Init());
  EXPECT_THAT(Init(), Refused("/srv/spool belongs to a gateway already"));
  EXPECT_THAT(Check(), IsOkAndHolds(gateway));
}

TEST_F(MarkersTest, InitDoesNotMakeUpForAMissingMount) {
  ASSERT_OK(Init());
  ASSERT_OK(disk_.Remove(kSpoolMarker));
  EXPECT_THAT(Init(), Refused("/srv/store belongs to a gateway already"));
  EXPECT_THAT(disk_.List(kSpool), IsOkAndHolds(ElementsAre()));

  Write(kSpoolMarker, Read(kStoreMarker));
  ASSERT_OK(disk_.Remove(kStoreMarker));
  EXPECT_FALSE(Init().ok());
  EXPECT_THAT(disk_.List(kStore), IsOkAndHolds(ElementsAre()));
}

TEST_F(MarkersTest, InitRefusesDirectoriesThatHoldSomething) {
  ASSERT_OK(MakeDirectories(disk_, kSpool));
  Write(JoinPath(kSpool, "holiday.jpg"), "");
  EXPECT_THAT(Init(), Refused("/srv/spool is not empty: it holds "
                              "\"holiday.jpg\""));
  ASSERT_OK(disk_.Remove(JoinPath(kSpool, "holiday.jpg")));
  ASSERT_OK(MakeDirectories(disk_, JoinPath(kStore, "bwc-1")));
  EXPECT_THAT(Init(), Refused("/srv/store is not empty: it holds \"bwc-1\""));
  EXPECT_THAT(disk_.List(kSpool), IsOkAndHolds(ElementsAre()));
}

TEST_F(MarkersTest, InitOfASpoolAloneGoesOnWithWhatItBegan) {
  SeededRandom random(1);
  std::vector<std::string> marked;
  absl::Status answer = absl::UnavailableError("the bucket is away");
  const auto init = [&] {
    return InitSpoolMarker(disk_, kSpool, random, [&](absl::string_view id) {
      marked.emplace_back(id);
      return answer;
    });
  };
  EXPECT_THAT(init(), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(CheckSpoolMarker(disk_, kSpool),
              Refused("schleuse-gateway init was interrupted"));
  answer = absl::OkStatus();
  ASSERT_OK_AND_ASSIGN(const std::string gateway, init());
  EXPECT_THAT(marked, ElementsAre(gateway, gateway));
  EXPECT_THAT(CheckSpoolMarker(disk_, kSpool), IsOkAndHolds(gateway));
  EXPECT_THAT(init(), Refused("/srv/spool belongs to a gateway already"));
  ASSERT_OK(disk_.Remove(kSpoolMarker));
  EXPECT_THAT(CheckSpoolMarker(disk_, kSpool),
              Refused("/srv/spool has no schleuse.marker"));
}

TEST_F(MarkersTest, InitNeedsTheParents) {
  SeededRandom random(1);
  EXPECT_THAT(InitMarkers(disk_, "/mnt/a/spool", kStore, random),
              Refused("/mnt/a is missing: mount or make it first"));
  EXPECT_THAT(InitMarkers(disk_, kSpool, "/mnt/a/store", random),
              Refused("/mnt/a is missing: mount or make it first"));
  EXPECT_OK(Init());
}

// Cuts the power at the first disk operation, then at the second, and so on.
TEST_F(MarkersTest, InitCanBeRunAgainWhereverThePowerIsCut) {
  for (int operations = 0;; ++operations) {
    FakeDisk disk(operations + 1);
    Prepare(disk);
    disk.CutPowerAfter(operations);
    const auto first = Init(disk);
    const bool cut = disk.power_was_cut();
    disk.CutPower();
    disk.RestorePower();

    auto checked = Check(disk);
    if (first.ok()) {
      EXPECT_THAT(checked, IsOkAndHolds(*first));
    }
    if (!checked.ok()) {
      EXPECT_THAT(checked, StatusIs(absl::StatusCode::kFailedPrecondition))
          << "cut after " << operations;
      EXPECT_OK(Init(disk)) << "cut after " << operations;
      disk.CutPower();
      disk.RestorePower();
      EXPECT_OK(Check(disk)) << "cut after " << operations;
    }
    if (!cut) return;
  }
}

// The same for a process that is killed: nothing is forgotten yet, but will be
// when the power is cut after all.
TEST_F(MarkersTest, InitCanBeRunAgainWhereverItIsKilled) {
  for (int operations = 0;; ++operations) {
    FakeDisk disk(operations + 1);
    Prepare(disk);
    const int last = disk.operations() + operations;
    bool killed = false;
    disk.SetFault([last, &killed](const DiskOperation& operation) {
      killed = killed || operation.number > last;
      return killed ? absl::UnavailableError("killed") : absl::OkStatus();
    });
    const auto first = Init(disk);
    disk.SetFault(nullptr);
    EXPECT_EQ(first.ok(), !killed);

    const auto second = Init(disk);
    if (!second.ok()) {
      EXPECT_THAT(second, Refused("belongs to a gateway already"));
      EXPECT_OK(Check(disk)) << "killed after " << operations;
    }
    disk.CutPower();
    disk.RestorePower();
    EXPECT_OK(Check(disk)) << "killed after " << operations;
    if (!killed) return;
  }
}

TEST_F(MarkersTest, CheckRefusesAFirstDayWithoutInit) {
  EXPECT_THAT(Check(), Refused("are their file systems mounted?"));
  ASSERT_OK(MakeDirectories(disk_, kSpool));
  ASSERT_OK(MakeDirectories(disk_, kStore));
  EXPECT_THAT(Check(),
              Refused("neither /srv/spool nor /srv/store has a "
                      "schleuse.marker: are their file systems mounted? For a "
                      "new gateway run schleuse-gateway init"));
}

TEST_F(MarkersTest, CheckNamesTheDirectoryWithoutAMarker) {
  ASSERT_OK(Init());
  const std::string marker = Read(kSpoolMarker);
  ASSERT_OK(disk_.Remove(kSpoolMarker));
  EXPECT_THAT(Check(), Refused("/srv/spool has no schleuse.marker, the other "
                               "directory has: is its file system mounted?"));
  Write(kSpoolMarker, marker);
  ASSERT_OK(disk_.Remove(kStoreMarker));
  EXPECT_THAT(Check(), Refused("/srv/store has no schleuse.marker"));
}

TEST_F(MarkersTest, CheckRefusesAnInterruptedInit) {
  ASSERT_OK(Init());
  ASSERT_OK(
      disk_.Replace(kSpoolMarker, "/srv/spool/schleuse.marker.unfinished"));
  EXPECT_THAT(Check(), Refused("init was interrupted in /srv/spool: run it "
                               "again"));
  EXPECT_OK(Init());
  EXPECT_OK(Check());
}

TEST_F(MarkersTest, CheckRefusesAnothersMarker) {
  ASSERT_OK_AND_ASSIGN(const std::string gateway, Init());
  const std::string other(32, 'a');
  Write(kStoreMarker, Marker("1", other, "store"));
  EXPECT_THAT(Check(), StatusIs(absl::StatusCode::kFailedPrecondition,
                                AllOf(HasSubstr("different gateways"),
                                      HasSubstr(gateway), HasSubstr(other))));
}

TEST_F(MarkersTest, CheckRefusesSwappedDirectories) {
  ASSERT_OK(Init());
  EXPECT_THAT(CheckMarkers(disk_, kStore, kSpool),
              Refused("/srv/store/schleuse.marker says \"store\" and not "
                      "\"spool\"; are two directories swapped"));
}

TEST_F(MarkersTest, CheckRefusesUnknownVersionsAndDamage) {
  ASSERT_OK_AND_ASSIGN(const std::string gateway, Init());
  for (const char* version : {"2", "10", "", "1 ", "\x01"}) {
    Write(kSpoolMarker, Marker(version, gateway, "spool"));
    EXPECT_THAT(Check(), Refused("which this program does not know"));
  }
  const std::string good = Marker("1", gateway, "spool");
  for (const std::string& text :
       {std::string(), std::string("PK\3\4"), good.substr(1)}) {
    Write(kSpoolMarker, text);
    EXPECT_THAT(Check(), Refused("is no marker of a gateway"));
  }
  for (const std::string& text :
       {std::string("schleuse-marker 1"), good.substr(0, 30),
        good.substr(0, good.size() - 1), good + "\n", good + "more\n",
        Marker("1", gateway + "0", "spool"), Marker("1", "", "spool"),
        Marker("1", std::string(32, 'A'), "spool")}) {
    Write(kSpoolMarker, text);
    EXPECT_THAT(Check(), Refused("is damaged")) << text;
    EXPECT_FALSE(Init().ok());
  }
  Write(kSpoolMarker, std::string(5000, 'x'));
  EXPECT_FALSE(Check().ok());
}

TEST_F(MarkersTest, CheckHandsUpWhatTheDiskSays) {
  ASSERT_OK(Init());
  disk_.SetFault([](const DiskOperation& operation) {
    return operation.path == kStoreMarker ? absl::DataLossError("EIO")
                                          : absl::OkStatus();
  });
  EXPECT_THAT(Check(), StatusIs(absl::StatusCode::kDataLoss));
}

}  // namespace
}  // namespace schleuse
