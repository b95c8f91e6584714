#include "gateway/custody_room.h"

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status_matchers.h"
#include "disk/fake_disk.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using absl::StatusCode;
using ::testing::HasSubstr;

const std::string kId(32, 'a');
const std::string kOtherId(32, 'b');
const CustodyPlace kPlace = {.gateway_name = "police.example/gw-1",
                             .directory = "/srv/custody",
                             .key_directory = "/etc/keys",
                             .reserve_bytes = 1 << 20,
                             .keep_years = 1};

class CustodyRoomTest : public testing::Test {
 protected:
  CustodyRoomTest() {
    EXPECT_OK(MakeDirectories(disk_, "/srv"));
    EXPECT_OK(MakeDirectories(disk_, "/etc"));
  }
  FakeDisk disk_;
};

TEST_F(CustodyRoomTest, IsMadeOnceAndOpens) {
  ASSERT_OK(InitCustodyPlace(disk_, kPlace, kId));
  ASSERT_OK_AND_ASSIGN(const CustodyKeys keys,
                       OpenCustodyPlace(disk_, kPlace, kId));
  EXPECT_THAT(ReadFile(disk_, "/srv/custody/keys.pub", 4096),
              IsOkAndHolds(keys.pinned().ToString()));
  EXPECT_THAT(InitCustodyPlace(disk_, kPlace, kId),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("already")));
  ASSERT_OK_AND_ASSIGN(const CustodyKeys again,
                       OpenCustodyPlace(disk_, kPlace, kId));
  EXPECT_EQ(again.pinned().ToString(), keys.pinned().ToString());
}

TEST_F(CustodyRoomTest, WithoutItsMarkerItDoesNotOpen) {
  ASSERT_OK(InitCustodyPlace(disk_, kPlace, kId));
  ASSERT_OK(disk_.Remove("/srv/custody/schleuse.marker"));
  EXPECT_THAT(OpenCustodyPlace(disk_, kPlace, kId).status(),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("mounted")));
}

TEST_F(CustodyRoomTest, AnotherGatewaysIsRefused) {
  ASSERT_OK(InitCustodyPlace(disk_, kPlace, kOtherId));
  EXPECT_THAT(
      OpenCustodyPlace(disk_, kPlace, kId).status(),
      StatusIs(StatusCode::kFailedPrecondition, HasSubstr("another gateway")));
}

TEST_F(CustodyRoomTest, WhatIsNotOursIsNotTouched) {
  ASSERT_OK(MakeDirectories(disk_, "/srv/custody"));
  ASSERT_OK(disk_.Create("/srv/custody/diary").status());
  EXPECT_THAT(InitCustodyPlace(disk_, kPlace, kId),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("diary")));
  EXPECT_OK(disk_.Stat("/srv/custody/diary").status());
}

TEST_F(CustodyRoomTest, AMissingParentIsSaidSo) {
  CustodyPlace place = kPlace;
  place.directory = "/mnt/away/custody";
  EXPECT_THAT(
      InitCustodyPlace(disk_, place, kId),
      StatusIs(StatusCode::kFailedPrecondition, HasSubstr("/mnt/away")));
}

TEST_F(CustodyRoomTest, InterruptedAnywhereItIsBegunAnew) {
  bool cut = true;
  for (int operations = 0; cut; ++operations) {
    SCOPED_TRACE(operations);
    FakeDisk disk;
    ASSERT_OK(MakeDirectories(disk, "/srv"));
    ASSERT_OK(MakeDirectories(disk, "/etc"));
    disk.CutPowerAfter(operations);
    const absl::Status first = InitCustodyPlace(disk, kPlace, kId);
    cut = disk.power_was_cut();
    disk.CutPower();
    disk.RestorePower();
    if (!first.ok() && !OpenCustodyPlace(disk, kPlace, kId).ok()) {
      ASSERT_OK(InitCustodyPlace(disk, kPlace, kId));
    }
    EXPECT_OK(OpenCustodyPlace(disk, kPlace, kId).status());
    EXPECT_OK(disk.Stat("/srv/custody/reserve").status());
    EXPECT_OK(disk.Stat("/srv/custody/wal").status());
  }
}

}  // namespace
}  // namespace schleuse
