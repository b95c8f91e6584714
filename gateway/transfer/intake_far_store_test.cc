// A store far away that goes, comes back, is full, or takes one recording and
// not another: devices bring on, and what waits drains by itself.
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status_matchers.h"
#include "gateway/transfer/test_house.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::IsEmpty;

class IntakeFarStoreTest : public testing::Test {
 protected:
  IntakeFarStoreTest() {
    SetLogThreshold(std::nullopt);
    house.StoreFarAway();
    house.KeepLog();
    EXPECT_OK(house.Start());
  }

  void GoAway() {
    house.server.SetStatus(absl::UnavailableError("the store is away"));
  }
  void ComeBack() {
    house.server.SetStatus(absl::OkStatus());
    house.intake().StoreIsBack();
  }
  // Brought while the store is away: all of it is safe, and the device waits.
  void ExpectWaits(const RecordingName& name, absl::string_view footage) {
    const auto stream = house.Bring(name, footage);
    ASSERT_TRUE(stream->Last<Pause>());
    EXPECT_EQ(stream->Last<Pause>()->reason, Pause::Reason::kStoreAway);
    EXPECT_GT(stream->Last<Pause>()->retry_after, absl::ZeroDuration());
    stream->Close();
    house.Run();
  }
  absl::StatusOr<GivenReceipt> FindReceipt(const RecordingName& name) {
    absl::StatusOr<GivenReceipt> found = absl::UnknownError("no answer");
    house.intake().FindReceipt(
        Device(), name,
        [&found](absl::StatusOr<GivenReceipt> given) { found = given; });
    house.Run();
    return found;
  }
  // Begins it with that priority, and sends and finishes it.
  void BringWith(Priority priority, const RecordingName& name,
                 absl::string_view footage) {
    auto ear = std::make_shared<Ear>();
    const auto stream = house.intake().Connect(Device(), ear);
    stream->OnBegin({.name = name,
                     .metadata = kMetadata,
                     .extension = "mp4",
                     .priority = priority,
                     .size = footage.size()});
    house.Run();
    (void)stream->OnChunk(
        {.offset = 0, .crc32c = Crc32c(footage), .data = absl::Cord(footage)});
    stream->OnFinish({.size = footage.size(), .sha256 = Sha256::Of(footage)});
    house.Run();
    stream->OnClosed();
    house.Run();
  }

  TestHouse house;
};

TEST_F(IntakeFarStoreTest, StoresAndGivesAReceiptAndForgetsTheSpool) {
  const std::string footage = Footage(50'000);
  const auto stream = house.Bring(Recording(), footage);
  EXPECT_TRUE(stream->Last<GivenReceipt>().has_value());
  house.Wait(absl::Seconds(3));
  EXPECT_THAT(house.server.Stored(Recording()), ElementsAre(footage));
  EXPECT_THAT(house.InSpool(".bytes"), IsEmpty());
  EXPECT_THAT(FindReceipt(Recording()), IsOk());
}

TEST_F(IntakeFarStoreTest, WhatIsDurableIsOfferedWhileItArrives) {
  const std::string footage = Footage(60'000);
  auto stream = house.Begin(Recording(), footage.size());
  for (uint64_t at = 0; at < 40'000; at += 4000) {
    (void)stream->Chunk(footage, at, 4000);
    house.Run();
  }
  house.Wait(absl::Seconds(1));
  EXPECT_EQ(house.server.offered(Recording()), stream->acknowledged());
  EXPECT_GE(stream->acknowledged(), 32'000u);
  EXPECT_THAT(house.server.Stored(Recording()), IsEmpty());
}

TEST_F(IntakeFarStoreTest, AwayItKeepsNobodyFromBringingAndDrainsWithoutThem) {
  GoAway();
  std::vector<std::string> footage;
  for (int i = 0; i < 20; ++i) {
    footage.push_back(Footage(9'000, 10 + i));
    ExpectWaits(Recording(absl::StrCat("r", i)), footage.back());
  }
  house.Wait(absl::Minutes(30));
  EXPECT_THAT(FindReceipt(Recording("r0")), testing::Not(IsOk()));
  ComeBack();
  house.Run();
  house.Wait(absl::Seconds(5));
  for (int i = 0; i < 20; ++i) {
    const RecordingName name = Recording(absl::StrCat("r", i));
    EXPECT_THAT(house.server.Stored(name), ElementsAre(footage[i]));
    EXPECT_THAT(FindReceipt(name), IsOk());
  }
  EXPECT_THAT(house.InSpool(".bytes"), IsEmpty());
}

TEST_F(IntakeFarStoreTest, WhatWaitsIsNotLostByRestartsAndNeedsNoWord) {
  GoAway();
  const std::string footage = Footage(9'000);
  ExpectWaits(Recording(), footage);
  for (int i = 0; i < 3; ++i) {
    ASSERT_OK(i == 1 ? house.RestartAfterPowerCut() : house.Restart());
    house.Wait(absl::Minutes(1));
  }
  // Nobody says that it is back: what waits looks by itself.
  house.server.SetStatus(absl::OkStatus());
  house.Wait(absl::Minutes(6));
  EXPECT_THAT(house.server.Stored(Recording()), ElementsAre(footage));
  EXPECT_THAT(FindReceipt(Recording()), IsOk());
  EXPECT_THAT(house.InSpool(".bytes"), IsEmpty());
}

TEST_F(IntakeFarStoreTest, AfterARestartTheUrgentAndThenTheOldestGoFirst) {
  GoAway();
  BringWith(Priority::kBulk, Recording("bulk"), Footage(5'000, 1));
  // More than have their turn at one time.
  for (int i = 0; i < 20; ++i) {
    house.Wait(absl::Seconds(1));
    BringWith(Priority::kNormal, Recording(absl::StrCat("n", 10 + i)),
              Footage(5'000, 100 + i));
  }
  house.Wait(absl::Seconds(1));
  BringWith(Priority::kUrgent, Recording("urgent"), Footage(5'000, 2));
  house.Kill();
  house.server.SetStatus(absl::OkStatus());
  ASSERT_OK(house.Start());
  house.Wait(absl::Seconds(5));
  const std::vector<RecordingName> order = house.server.order();
  ASSERT_EQ(order.size(), 22u);
  EXPECT_EQ(order.front(), Recording("urgent"));
  EXPECT_EQ(order.back(), Recording("bulk"));
}

TEST_F(IntakeFarStoreTest, OneThatTheStoreRefusesBlocksNoOther) {
  house.server.Refuse(Recording("poison"),
                      absl::FailedPreconditionError("400 InvalidRequest"));
  const std::string poison = Footage(9'000, 1), other = Footage(9'000, 2);
  ExpectWaits(Recording("poison"), poison);
  EXPECT_TRUE(house.Bring(Recording("other"), other)->Last<GivenReceipt>());
  house.Wait(absl::Hours(2));
  EXPECT_THAT(house.server.Stored(Recording("poison")), IsEmpty());
  house.server.RefuseNoMore();
  house.Wait(absl::Minutes(6));
  EXPECT_THAT(house.server.Stored(Recording("poison")), ElementsAre(poison));
}

TEST_F(IntakeFarStoreTest, FullItIsWaitedFor) {
  house.server.Refuse(Recording(), absl::ResourceExhaustedError("full"));
  const std::string footage = Footage(9'000);
  ExpectWaits(Recording(), footage);
  house.server.RefuseNoMore();
  house.Wait(absl::Minutes(6));
  EXPECT_THAT(house.server.Stored(Recording()), ElementsAre(footage));
}

TEST_F(IntakeFarStoreTest, BelowTheReserveDevicesWaitAndAreToldForHowLong) {
  IntakeOptions options = TestHouse::SmallOptions();
  options.spool_reserve_bytes = 50'000;
  house.SetOptions(options);
  ASSERT_OK(house.Restart());
  GoAway();
  ExpectWaits(Recording("one"), Footage(9'000, 1));
  house.disk.SetCapacity(1);
  const auto stream = house.Begin(Recording("two"), 20'000);
  ASSERT_TRUE(stream->Last<Pause>());
  EXPECT_EQ(stream->Last<Pause>()->reason, Pause::Reason::kSpoolFull);
  EXPECT_GT(stream->Last<Pause>()->retry_after, absl::ZeroDuration());
}

TEST_F(IntakeFarStoreTest, OtherBytesOfAnotherGatewayEndWithAnotherName) {
  house.server.PutForeign(Recording(), "theirs");
  const std::string footage = Footage(9'000);
  const auto stream = house.Bring(Recording(), footage);
  ASSERT_TRUE(stream->end());
  EXPECT_THAT(stream->end()->status, StatusIs(StatusCode::kAlreadyExists));
  EXPECT_THAT(house.server.Stored(Recording()), IsEmpty());
  EXPECT_TRUE(
      house.Bring(Recording("r.mp4~0badcafe"), footage)->Last<GivenReceipt>());
}

TEST_F(IntakeFarStoreTest, DamageOfTheSpoolIsNotCarriedAway) {
  const std::string footage = Footage(60'000);
  auto stream = house.Begin(Recording(), footage.size());
  (void)stream->Chunk(footage, 0, 40'000);
  house.Wait(absl::Seconds(1));
  ASSERT_GT(house.server.offered(Recording()), 0u);
  house.DamageSpool(Recording(), 1'000);
  stream->Close();
  house.Run();
  ASSERT_OK(house.Restart());  // hashed anew
  const auto again = house.Bring(Recording(), footage);
  EXPECT_TRUE(again->Last<GivenReceipt>());
  EXPECT_THAT(house.server.Stored(Recording()), ElementsAre(footage));
}

TEST_F(IntakeFarStoreTest, DeviceThatComesAgainGetsTheSameReceipt) {
  const std::string footage = Footage(9'000);
  const auto first = house.Bring(Recording(), footage);
  ASSERT_TRUE(first->Last<GivenReceipt>());
  ASSERT_OK(house.Restart());
  const auto again = house.Bring(Recording(), footage);
  ASSERT_TRUE(again->Last<GivenReceipt>());
  EXPECT_EQ(again->Last<GivenReceipt>()->proof,
            first->Last<GivenReceipt>()->proof);
  EXPECT_THAT(house.server.Stored(Recording()), ElementsAre(footage));
}

// The write-ahead log still knew the statement of bytes that the store had
// deleted by its own rule, and a device heard that receipt for other bytes.
TEST_F(IntakeFarStoreTest, ReceiptOfWhatTheStoreDeletedWasGivenForOtherBytes) {
  const std::string first = Footage(9'000, 1), second = Footage(7'000, 2);
  house.Bring(Recording(), first);
  house.Wait(absl::Seconds(3));
  house.server.Remove(Recording());
  ASSERT_OK(house.Restart());
  house.Wait(absl::Seconds(3));
  const auto stream = house.Bring(Recording(), second);
  ASSERT_TRUE(stream->Last<GivenReceipt>());
  EXPECT_EQ(stream->Last<GivenReceipt>()->sha256, Sha256::Of(second));
  EXPECT_THAT(house.server.Stored(Recording()), ElementsAre(second));
}

// Nothing of that is in the store, nor comes back: the log kept its write-ahead
// records of it for ever.
TEST_F(IntakeFarStoreTest, LogWaitedForEverForWhatTheStoreDeletedByItself) {
  house.Bring(Recording(), Footage(9'000));
  house.Wait(absl::Seconds(3));
  house.server.Remove(Recording());
  ASSERT_OK(house.Restart());
  house.Wait(absl::Seconds(3));
  EXPECT_THAT(house.custody().Unlaid(), IsEmpty());
}

TEST_F(IntakeFarStoreTest, ReceiptIsLaidOnceAStoreThatWasAwayAtTheStartIsBack) {
  const auto stream = house.Bring(Recording(), Footage(9'000));
  ASSERT_TRUE(stream->Last<GivenReceipt>());
  house.Wait(absl::Seconds(3));
  GoAway();
  ASSERT_OK(house.Restart());
  house.Wait(absl::Seconds(3));
  EXPECT_THAT(house.custody().Unlaid(), ElementsAre(Recording()));
  ComeBack();
  house.Wait(absl::Seconds(3));
  EXPECT_THAT(house.custody().Unlaid(), IsEmpty());
}

// Their calls may end while the store's comes: nobody's place is given up for
// another's.
TEST_F(IntakeFarStoreTest, StoreThatIsBackTakesNobodysPlace) {
  const std::string footage = Footage(9'000);
  GoAway();
  for (int i = 0; i < 3; ++i) {
    // Made by a look alone, which is over before it is heard that the store is.
    house.intake().Look(Device(), Recording(), [](const auto&) {});
    house.intake().StoreIsBack();
  }
  const auto stream = house.Begin(Recording(), footage.size());
  (void)stream->Chunk(footage, 0, 4'000);
  house.Run();
  house.intake().StoreIsBack();
  house.Run();
  EXPECT_TRUE(house.intake().IsBusy(Recording()));
  const auto newer = house.Begin(Recording(), footage.size());
  ASSERT_TRUE(stream->end());
  EXPECT_EQ(stream->end()->reason, EndReason::kTakenOver);
  EXPECT_EQ(newer->Last<Ready>()->offset, 4'000u);
}

}  // namespace
}  // namespace schleuse
