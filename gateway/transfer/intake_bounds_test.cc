// What one device, honest or not, can use up of the gateway.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/crc32c.h"
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
using Kind = DiskOperation::Kind;

using IntakeBoundsTest = WithNeighbour;

TEST_F(IntakeBoundsTest, OneDeviceTookAllStreams) {
  Restart({.streams_max = 10,
           .streams_per_device_max = 2,
           .spool_reserve_bytes = 0});
  auto first = house.Begin(Recording("r1"));
  auto second = house.Begin(Recording("r2"));
  ExpectPaused(*house.Begin(Recording("r3")), Pause::Reason::kTooManyStreams);
  auto other = house.Begin(Recording("r4"), {}, Device("dock/s2/d2"));
  EXPECT_TRUE(other->Last<Ready>()) << "another device";
  first->Close();
  house.Run();
  auto again = house.Begin(Recording("r3"));
  EXPECT_TRUE(again->Last<Ready>()) << "as soon as one of its own is over";
  for (const auto& stream : {second, other, again}) stream->Close();
  house.Run();
}

TEST_F(IntakeBoundsTest, StreamsThatDidNotBeginTookTheOthersPlace) {
  Restart({.streams_max = 2, .spool_reserve_bytes = 0});
  for (int i = 0; i < 5; ++i) house.Connect();
  // Nor do those that were refused.
  house.Begin(Recording("r.mp4", "not-granted"));
  auto first = house.Begin(Recording("r1"));
  auto second = house.Begin(Recording("r2"));
  EXPECT_TRUE(first->Last<Ready>());
  EXPECT_TRUE(second->Last<Ready>());
  EXPECT_EQ(house.intake().streams(), 2);
  first->Close();
  second->Close();
  house.Run();
  EXPECT_EQ(house.intake().streams(), 0);
}

TEST_F(IntakeBoundsTest, BeginningsWithoutBytesLeftTheirFiles) {
  const std::vector<std::string> before = house.InSpool();
  for (int i = 0; i < 100; ++i) {
    auto stream = house.Begin(Recording(absl::StrCat("r", i)), 1000);
    ASSERT_TRUE(stream->Last<Ready>());
    stream->Close();
    house.Wait(absl::Seconds(1));
  }
  EXPECT_EQ(house.InSpool(), before);
  EXPECT_THAT(house.Look(Recording("r1")), StatusIs(StatusCode::kNotFound));
  ExpectCanBeBrought(Recording("r1"), Footage(1000));
}

// The newer stream's transfer is not the older one's to remove.
TEST_F(IntakeBoundsTest, TakenOverBeginningIsKept) {
  const std::string footage = Footage(10'000);
  auto older = house.Begin(Recording(), footage.size());
  auto newer = house.Begin(Recording(), footage.size());
  older->Close();
  house.Wait(absl::Seconds(1));
  house.SendRest(*newer, footage, 0);
  EXPECT_TRUE(newer->stored());
}

TEST_F(IntakeBoundsTest, OneDeviceFilledTheSpoolWithBeginnings) {
  const Principal greedy = Device("dock/s2/d2");
  const auto begin_one = [&](int i, const Principal& who) {
    auto stream = house.Begin(Recording(absl::StrCat("r", i)), 1000, who);
    if (stream->Last<Ready>()) {
      (void)stream->Chunk(Footage(1), 0);
      house.Run();
      stream->Close();
      house.Run();
    }
    return stream;
  };
  for (int i = 0; i < limits::kTransfersPerDeviceMax; ++i) {
    ASSERT_TRUE(begin_one(i, greedy)->Last<Ready>()) << i;
  }
  ExpectPaused(*begin_one(-1, greedy), Pause::Reason::kTooManyTransfers);
  EXPECT_TRUE(begin_one(-2, Device())->Last<Ready>()) << "another device";
  EXPECT_TRUE(begin_one(7, greedy)->Last<Ready>()) << "what is begun goes on";
  ASSERT_OK(house.Restart());
  ExpectPaused(*begin_one(-1, greedy), Pause::Reason::kTooManyTransfers);
}

TEST_F(IntakeBoundsTest, SpoolFilledUpBelowItsReserve) {
  constexpr uint64_t kReserve = 50'000;
  Restart({.spool_reserve_bytes = kReserve, .ack_every_bytes = 8 * 1024});
  const std::string footage = Footage(100'000);
  // Two grow without a size, so that Begin cannot know.
  auto stream = house.Begin(Recording());
  auto other = house.Begin(Recording("other.mp4"));
  house.disk.SetCapacity(120'000);
  uint64_t sent = 0;
  for (; sent < footage.size() && !stream->end(); sent += 4000) {
    (void)stream->Chunk(footage, sent, 4000);
    (void)other->Chunk(footage, sent, 4000);
    house.Wait(absl::Seconds(1));
  }
  ExpectPaused(*stream, Pause::Reason::kSpoolFull);
  ExpectPaused(*other, Pause::Reason::kSpoolFull);
  EXPECT_GE(*house.disk.FreeBytes(kSpoolDirectory), kReserve - 3 * 8 * 1024)
      << "an Ack's worth of each is already on its way";
  EXPECT_GT(stream->acknowledged(), 0u);
  house.disk.SetCapacity(1 << 30);
  auto again = house.Begin(Recording());
  EXPECT_EQ(again->Last<Ready>()->offset, stream->acknowledged());
  house.SendRest(*again, footage, again->Last<Ready>()->offset);
  EXPECT_TRUE(again->stored());
}

TEST_F(IntakeBoundsTest, ByteSentDifferentlyMadeUsReadTheWholeFile) {
  const std::string footage = Footage(400'000);
  auto stream = house.Begin(Recording(), footage.size());
  for (uint64_t at = 0; at < footage.size(); at += 4000) {
    (void)stream->Chunk(footage, at, 4000);
  }
  house.Wait(absl::Seconds(1));
  int reads = 0;
  house.disk.SetFault([&reads](const DiskOperation& operation) {
    reads += operation.kind == Kind::kRead &&
             absl::EndsWith(operation.path, ".bytes");
    return absl::OkStatus();
  });
  const std::string other = Footage(4000, 5);
  (void)stream->ChunkWithCrc(other, 200'000, Crc32c(other));
  house.Run();
  house.FailNoMore();
  ExpectEnd(*stream, StatusCode::kDataLoss, EndReason::kResentBytesDiffer);
  EXPECT_LE(reads, 3) << "the comparison, and one chunk held to its journal";
  ExpectCanBeBrought(Recording(), footage);
}

}  // namespace
}  // namespace schleuse
