// A power cut, at every place there is.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/status_matchers.h"
#include "gateway/transfer/test_house.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// What a device remembers through all that happens to the gateway.
struct DeviceMemory {
  uint64_t acknowledged = 0;
  bool told_stored = false;

  void Learn(const TestStream& stream) {
    acknowledged = std::max(acknowledged, stream.acknowledged());
    told_stored = told_stored || stream.stored();
  }
};

// A whole transfer with several chunks and Acks, or, `at_once`, too small for
// an Ack; until it ends or the power does.
void BringUntilTheCut(TestHouse& house, absl::string_view footage, bool at_once,
                      DeviceMemory& memory) {
  constexpr uint64_t kChunkBytes = 3000;
  auto stream = house.Begin(Recording(), footage.size());
  for (uint64_t at = 0; at < footage.size(); at += kChunkBytes) {
    (void)stream->Chunk(footage, at, kChunkBytes);
    // Every other chunk is acknowledged by time.
    if (!at_once && at / kChunkBytes % 2 == 1) house.Wait(absl::Seconds(1));
    house.Run();
  }
  stream->Finish(footage);
  house.Wait(absl::Seconds(1));
  memory.Learn(*stream);
}

struct Places {
  int transfer = 0;  // operations of the transfer, each cut once
  int recovery = 0;  // of all recoveries after those
};

// One life: cut after `cut` operations of the transfer, then, if asked, once
// more after `recovery_cut` of what follows the restart. Returns whether the
// first and the second cut came at all.
struct Came {
  bool first, second;
};
Came LiveThrough(int cut, std::optional<int> recovery_cut, uint64_t disk_seed,
                 const FileStoreOptions& store, bool at_once) {
  const std::string footage = Footage(at_once ? 6000 : 20'000);
  TestHouse house(TestHouse::SmallOptions(), store, /*order=*/0, disk_seed);
  EXPECT_OK(house.Start());
  DeviceMemory memory;
  house.disk.CutPowerAfter(cut);
  BringUntilTheCut(house, footage, at_once, memory);
  Came came = {.first = house.disk.power_was_cut(), .second = false};
  EXPECT_TRUE(came.first || memory.told_stored);

  if (recovery_cut) {
    if (!house.disk.power_was_cut()) house.disk.CutPower();
    house.Kill();
    house.disk.RestorePower();
    house.disk.CutPowerAfter(*recovery_cut);
    if (house.Start().ok()) {
      auto stream = house.Begin(Recording(), footage.size());
      house.Wait(absl::Seconds(1));
      memory.Learn(*stream);
    }
    came.second = house.disk.power_was_cut();
  }
  EXPECT_OK(house.RestartAfterPowerCut());
  if (memory.told_stored) {
    EXPECT_THAT(house.InStore(Recording()), ElementsAre(footage));
  }

  auto stream = house.Begin(Recording(), footage.size());
  const auto ready = stream->Last<Ready>();
  EXPECT_TRUE(ready.has_value());
  if (!ready) return came;
  EXPECT_GE(ready->offset, memory.acknowledged);
  house.SendRest(*stream, footage, ready->offset);
  EXPECT_TRUE(stream->stored());
  EXPECT_THAT(stream->All<Rewind>(), IsEmpty());

  // Once more, so that what was told just now is tried as well.
  EXPECT_OK(house.RestartAfterPowerCut());
  house.Run();
  EXPECT_THAT(house.InStore(Recording()), ElementsAre(footage));
  EXPECT_THAT(house.InSpool(".bytes"), IsEmpty());
  EXPECT_THAT(house.InSpool(".records"), IsEmpty());
  return came;
}

struct PowerCutCase {
  bool read_back;
  bool at_once;
};
class PowerCutTest : public testing::TestWithParam<PowerCutCase> {
 protected:
  void SetUp() override { SetLogThreshold(std::nullopt); }
};

// Power is cut at the first disk operation of a transfer, then at the second,
// and so on; and after each of these at the first operation of the recovery,
// at the second, and so on. Each with several outcomes of what was not synced.
TEST_P(PowerCutTest, NothingAcknowledgedIsLostWhereverThePowerIsCut) {
  Places places;
  for (uint64_t disk_seed = 1; disk_seed <= 3; ++disk_seed) {
    bool cut_came = true;
    for (int cut = 0; cut_came; ++cut) {
      SCOPED_TRACE(absl::StrCat("disk seed ", disk_seed, ", cut after ", cut));
      cut_came =
          LiveThrough(cut, std::nullopt, disk_seed,
                      {.read_back = GetParam().read_back}, GetParam().at_once)
              .first;
      if (cut_came) ++places.transfer;
      bool second_came = true;
      for (int again = 0; second_came; ++again) {
        SCOPED_TRACE(absl::StrCat("and of the recovery after ", again));
        second_came =
            LiveThrough(cut, again, disk_seed,
                        {.read_back = GetParam().read_back}, GetParam().at_once)
                .second;
        if (second_came) ++places.recovery;
        if (HasFailure()) return;  // one place is enough to look at
      }
    }
  }
  RecordProperty("places_in_the_transfer", places.transfer);
  RecordProperty("places_in_recoveries", places.recovery);
  std::printf("tried %d places in the transfer, %d in recoveries\n",
              places.transfer, places.recovery);
  const int least = GetParam().at_once ? 10 : 25;
  EXPECT_GT(places.transfer, 3 * least);
  EXPECT_GT(places.recovery, 3 * least * 8);
}

// Some operations in a row fail, from the first on, then from the second, and
// so on, while another recording is being begun; then the power goes. Whether
// the first one was stored at once or came again, it is there; and what the
// other one was told is durable is, unless it was told that it is lost.
TEST_P(PowerCutTest, NothingIsLostWhicheverOperationsFail) {
  const std::string footage = Footage(GetParam().at_once ? 6000 : 20'000);
  const std::string other = Footage(6000, 2);
  const RecordingName other_name = Recording("other.mp4");
  int places = 0;
  for (const absl::Status& fault : {absl::DataLossError("medium error"),
                                    absl::ResourceExhaustedError("disk full"),
                                    absl::UnavailableError("no descriptors")}) {
    for (const int in_a_row : {1, 2, 5, 100}) {
      bool reached = true;
      for (int place = 0; reached; ++place) {
        SCOPED_TRACE(
            absl::StrCat(fault.ToString(), ", ", in_a_row, " from ", place));
        ++places;
        TestHouse house(TestHouse::SmallOptions(),
                        {.read_back = GetParam().read_back}, /*order=*/0,
                        /*disk_seed=*/place + 1);
        ASSERT_OK(house.Start());
        auto neighbour = house.Begin(other_name, other.size());
        (void)neighbour->Chunk(other, 0, 3000);
        house.Run();
        reached = false;
        house.disk.SetFault([&, count = 0](const DiskOperation& of) mutable {
          const int at = count++ - place;
          reached = reached || at >= 0;
          // Which no sync of a file says (disk.h).
          const bool is_never_said = of.kind == DiskOperation::Kind::kSync &&
                                     absl::IsUnavailable(fault);
          return at >= 0 && at < in_a_row && !is_never_said ? fault
                                                            : absl::OkStatus();
        });
        DeviceMemory memory;
        BringUntilTheCut(house, footage, GetParam().at_once, memory);
        house.FailNoMore();
        house.Wait(absl::Seconds(1));
        for (int again = 0; again < 3 && !memory.told_stored; ++again) {
          memory.Learn(*house.Bring(Recording(), footage));
          house.Wait(absl::Minutes(10));
        }
        const bool lost = neighbour->end() &&
                          neighbour->end()->reason == EndReason::kSpoolFault;
        const uint64_t promised = lost ? 0 : neighbour->acknowledged();
        ASSERT_OK(house.RestartAfterPowerCut());
        // A disk that failed at all that was to undo a failure leaves a doubt
        // that only a restart ends.
        EXPECT_TRUE(memory.told_stored || in_a_row >= 5);
        if (!memory.told_stored) {
          EXPECT_TRUE(house.Bring(Recording(), footage)->stored());
          ASSERT_OK(house.RestartAfterPowerCut());
        }
        const auto stored = house.InStore(Recording());
        ASSERT_TRUE(stored == std::vector<std::string>{footage});
        auto stream = house.Begin(other_name, other.size());
        ASSERT_TRUE(stream->Last<Ready>());
        ASSERT_GE(stream->Last<Ready>()->offset, promised);
        house.SendRest(*stream, other, stream->Last<Ready>()->offset);
        ASSERT_TRUE(stream->stored());
      }
    }
  }
  std::printf("tried %d places\n", places);
  EXPECT_GT(places, 100);
}

INSTANTIATE_TEST_SUITE_P(
    All, PowerCutTest,
    testing::Values(PowerCutCase{.read_back = false, .at_once = false},
                    PowerCutCase{.read_back = true, .at_once = false},
                    PowerCutCase{.read_back = false, .at_once = true},
                    PowerCutCase{.read_back = true, .at_once = true}),
    [](const auto& info) {
      return absl::StrCat(info.param.at_once ? "AtOnce" : "WithAcks",
                          info.param.read_back ? "ReadBack" : "");
    });

}  // namespace
}  // namespace schleuse
