// What an earlier process had finished and not stored, or stored and not
// forgotten.

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/limits.h"
#include "base/status_matchers.h"
#include "gateway/transfer/intake.h"
#include "gateway/transfer/test_house.h"
#include "gateway/transfer/with_neighbour.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using Kind = DiskOperation::Kind;

class IntakeLeftoverTest : public WithNeighbour {
 protected:
  // Stored, and the process died before the spool forgot it.
  void LeaveStoredInTheSpool(absl::string_view footage) {
    house.Fail(Kind::kRemove, absl::DataLossError("cannot remove"));
    ASSERT_TRUE(house.Bring(Recording(), footage)->stored());
    house.FailNoMore();
    ASSERT_THAT(house.InStore(Recording()), SizeIs(1));
  }
  // Everything received and checked; the process died before the store.
  void LeaveFinished(const RecordingName& name, absl::string_view footage) {
    house.Fail(Kind::kLink, absl::ResourceExhaustedError("store full"));
    auto stream = house.Bring(name, footage);
    ExpectPaused(*stream, Pause::Reason::kStoreAway);
    stream->Close();
    house.Run();
    house.FailNoMore();
  }
};

// The spool's file and the stored one are the same by then.
TEST_F(IntakeLeftoverTest, DeviceWroteIntoTheStoredFileWhileTheStoreWasDeaf) {
  const std::string footage = Footage(10'000);
  LeaveStoredInTheSpool(footage);
  house.Kill();
  house.Fail(Kind::kList, absl::UnavailableError("no descriptors left"),
             Recording().recording_id());
  ASSERT_OK(house.Start());
  house.Run();
  auto early = house.Begin(Recording());
  ExpectEnd(*early, StatusCode::kUnavailable, EndReason::kUnspecified);

  house.FailNoMore();
  auto stream = house.Begin(Recording());
  ASSERT_TRUE(stream->Last<Ready>());
  EXPECT_TRUE(stream->Last<Ready>()->already_stored);
  (void)stream->Chunk(footage + "more", footage.size());
  house.Wait(absl::Minutes(10));
  EXPECT_THAT(house.InStore(Recording()), ElementsAre(footage));
  stream->Finish(footage);
  house.Run();
  EXPECT_TRUE(stream->stored());
  EXPECT_THAT(house.InSpool(".bytes"), SizeIs(1)) << "the neighbour's";
}

// What is complete takes no chunk, whoever comes first.
TEST_F(IntakeLeftoverTest, DeviceThatComesBeforeItsLeftoverIsToldToFinish) {
  const std::string footage = Footage(10'000);
  LeaveFinished(Recording(), footage);
  ASSERT_OK(house.RestartAfterPowerCut());
  auto stream = house.Connect();
  stream->Begin(Recording());
  (void)stream->Chunk(footage + "more", footage.size());
  house.Run();
  ASSERT_TRUE(stream->Last<Ready>());
  EXPECT_TRUE(stream->Last<Ready>()->already_stored);
  EXPECT_FALSE(stream->end());
  EXPECT_THAT(house.InStore(Recording()), ElementsAre(footage));
  stream->Finish(footage);
  house.Run();
  EXPECT_TRUE(stream->stored());
}

TEST_F(IntakeLeftoverTest, OneThatCouldNotBeReadAtTheStartWasForgotten) {
  const std::string footage = Footage(10'000);
  for (const Kind kind : {Kind::kOpen, Kind::kRead, Kind::kList}) {
    const RecordingName name =
        Recording(absl::StrCat("r", static_cast<int>(kind)));
    LeaveFinished(name, footage);
    ASSERT_OK(house.Restart());  // its journal is read before the trouble
    house.disk.SetFault([kind](const DiskOperation& operation) {
      return operation.kind == kind ? absl::UnavailableError("not now")
                                    : absl::OkStatus();
    });
    house.Run();
    house.Wait(absl::Minutes(2));
    house.FailNoMore();
    EXPECT_THAT(house.InStore(name), IsEmpty());
    house.Wait(absl::Minutes(10));
    EXPECT_THAT(house.InStore(name), ElementsAre(footage))
        << "no device came back";
  }
}

// At the start, and once a store that was away is back.
TEST_F(IntakeLeftoverTest, AllOfThemWereOpenedAtOnce) {
  constexpr int kMany = 5 * limits::kLeftoversAtOnceMax;
  for (const bool away : {false, true}) {
    const auto name = [away](int i) {
      return Recording(absl::StrCat(away ? "away" : "there", i));
    };
    for (int i = 0; i < kMany; ++i) LeaveFinished(name(i), Footage(5000, i));
    std::set<std::string> open;
    size_t most = 0;
    bool is_away = away;
    house.disk.SetFault([&](const DiskOperation& operation) {
      if (is_away && operation.kind == Kind::kList &&
          absl::StartsWith(operation.path, kStoreDirectory)) {
        return absl::UnavailableError("the store is away");
      }
      if (absl::EndsWith(operation.path, ".bytes")) {
        if (operation.kind == Kind::kOpen) open.insert(operation.path);
        if (operation.kind == Kind::kRemove) open.erase(operation.path);
        most = std::max(most, open.size());
      }
      return absl::OkStatus();
    });
    ASSERT_OK(house.RestartAfterPowerCut());
    house.Wait(absl::Minutes(3));
    is_away = false;
    house.executor.Advance(absl::Minutes(20));  // all are due at once
    house.Run();
    house.FailNoMore();
    EXPECT_GT(most, 1u);
    EXPECT_LE(most, size_t{limits::kLeftoversAtOnceMax});
    for (int i = 0; i < kMany; ++i) {
      EXPECT_THAT(house.InStore(name(i)), ElementsAre(Footage(5000, i)));
    }
  }
}

// Those that wait for a store do not hold up the ones behind them.
TEST_F(IntakeLeftoverTest, PoisonedOnesBlockedTheRest) {
  constexpr int kMany = 3 * limits::kLeftoversAtOnceMax;
  const auto name = [](int i) {
    return Recording(absl::StrCat("r", i), i % 3 == 0 ? "cam-ok" : "cam-bad");
  };
  for (int i = 0; i < kMany; ++i) LeaveFinished(name(i), Footage(5000, i));
  house.disk.SetFault([](const DiskOperation& operation) {
    return operation.kind == Kind::kLink &&
                   absl::StrContains(operation.path, "cam-bad")
               ? absl::DataLossError("poisoned")
               : absl::OkStatus();
  });
  ASSERT_OK(house.RestartAfterPowerCut());
  house.Run();
  for (int i = 0; i < kMany; i += 3) {
    EXPECT_THAT(house.InStore(name(i)), ElementsAre(Footage(5000, i)));
  }
  house.FailNoMore();
  house.Wait(absl::Minutes(30));
  for (int i = 0; i < kMany; ++i) {
    EXPECT_THAT(house.InStore(name(i)), ElementsAre(Footage(5000, i)));
  }
}

TEST_F(IntakeLeftoverTest, OtherBytesUnderItsNameAreKeptAndSoAreOurs) {
  const std::string footage = Footage(10'000);
  const std::string theirs = Footage(7000, 2);
  LeaveFinished(Recording(), footage);
  house.Kill();
  const std::string directory =
      JoinPath(kStoreDirectory, Recording().ToString());
  ASSERT_OK(MakeDirectories(house.disk, directory));
  ASSERT_OK(WriteFileAtomically(house.disk,
                                JoinPath(directory, "recording.mkv"), theirs));
  ASSERT_OK(house.Start());
  house.Run();
  EXPECT_THAT(house.InStore(Recording()), ElementsAre(theirs));
  EXPECT_THAT(house.InSpool(".aside"), SizeIs(2));
  auto stream = house.Bring(Recording(), footage);
  ExpectEnd(*stream, StatusCode::kAlreadyExists, EndReason::kOtherBytesStored);
  EXPECT_EQ(stream->end()->stored_sha256, Sha256::Of(theirs));
}

// Somebody put a recording there while a device was still bringing it.
TEST_F(IntakeLeftoverTest, UnfinishedTransferOfWhatIsStoredIsSetAside) {
  const std::string footage = Footage(10'000);
  auto stream = house.Begin(Recording());
  (void)stream->Chunk(footage, 0, 4000);
  house.Wait(absl::Seconds(1));
  house.Kill();
  const std::string directory =
      JoinPath(kStoreDirectory, Recording().ToString());
  ASSERT_OK(MakeDirectories(house.disk, directory));
  ASSERT_OK(WriteFileAtomically(house.disk,
                                JoinPath(directory, "recording.mp4"), footage));
  ASSERT_OK(house.Start());
  auto again = house.Bring(Recording(), footage);
  EXPECT_TRUE(again->stored());
  EXPECT_THAT(house.InSpool(".aside"), SizeIs(2)) << "for a person";
}

// A file that only a page cache has is not confirmed before it is synced.
TEST_F(IntakeLeftoverTest, StoredByAnotherHandIsMadeDurableBeforeItCounts) {
  const std::string footage = Footage(10'000);
  const std::string camera = JoinPath(kStoreDirectory, Recording().camera_id());
  const std::string directory = JoinPath(camera, Recording().recording_id());
  ASSERT_OK(house.disk.MakeDirectory(camera));
  ASSERT_OK(house.disk.MakeDirectory(directory));
  {
    ASSERT_OK_AND_ASSIGN(
        const std::unique_ptr<File> file,
        house.disk.Create(JoinPath(directory, "recording.mp4")));
    ASSERT_OK(file->Write(0, footage));
  }
  house.Fail(Kind::kSync, absl::DataLossError("medium error"), ".mp4");
  auto stream = house.Bring(Recording(), footage);
  ExpectEnd(*stream, StatusCode::kUnavailable, EndReason::kUnspecified);
  EXPECT_FALSE(stream->stored());
  house.FailNoMore();
  EXPECT_FALSE(house.Bring(Recording(), footage)->stored())
      << "a sync that failed is not asked again";
  // What it left is not to be trusted: written once more, as whoever put it
  // there would.
  {
    ASSERT_OK_AND_ASSIGN(const std::unique_ptr<File> file,
                         house.disk.Open(JoinPath(directory, "recording.mp4")));
    ASSERT_OK(file->Write(0, footage));
  }
  ASSERT_OK(house.Restart());
  EXPECT_TRUE(house.Bring(Recording(), footage)->stored());
  ASSERT_OK(house.RestartAfterPowerCut());
  EXPECT_THAT(house.InStore(Recording()), ElementsAre(footage));
}

}  // namespace
}  // namespace schleuse
