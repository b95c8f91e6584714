// From Stored to the receipt, whatever happens in between: one statement, one
// receipt, and a bundle that proves itself.
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_matchers.h"
#include "evidence/receipt.h"
#include "gateway/transfer/test_house.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using absl::StatusCode;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Kind = DiskOperation::Kind;

// With a journal, and without one: what is finished before its first Ack.
const uint64_t kSizes[] = {40'000, 1'000};

std::string FileOf(const TestHouse& house, absl::string_view file) {
  return ReadFile(house.disk,
                  absl::StrCat(kStoreDirectory, "/", Recording().ToString(),
                               "/", file),
                  1 << 20)
      .value_or("(none)");
}

void ExpectProves(const TestHouse& house, const GivenReceipt& receipt,
                  absl::string_view footage) {
  EXPECT_EQ(receipt.name, Recording());
  EXPECT_EQ(receipt.size, footage.size());
  EXPECT_EQ(receipt.sha256, Sha256::Of(footage));
  EXPECT_OK(
      VerifyReceipt(receipt.proof, receipt.statement, house.keys().pinned())
          .status());
  EXPECT_THAT(receipt.statement, HasSubstr(Sha256::Of(footage).ToHex()));
}

void ExpectComplete(TestHouse& house, const GivenReceipt& receipt) {
  house.Wait(absl::Seconds(4));  // those who bring recordings go first
  EXPECT_EQ(FileOf(house, "statement.json"), receipt.statement);
  EXPECT_EQ(FileOf(house, "receipt.tlog-proof"), receipt.proof);
  EXPECT_THAT(house.InSpool(".bytes"), IsEmpty());
  EXPECT_THAT(house.InSpool(".records"), IsEmpty());
  EXPECT_THAT(house.custody().Unlaid(), IsEmpty());
}

// All statements that the log publishes.
std::vector<std::string> Statements(TestHouse& house) {
  house.Wait(absl::Seconds(2));
  return house.LogEntries();
}
int CountOf(TestHouse& house, absl::string_view event) {
  int count = 0;
  for (const std::string& statement : Statements(house)) {
    count += absl::StrContains(statement, absl::StrCat("\"", event, "\":{"));
  }
  return count;
}

class IntakeReceiptTest : public testing::TestWithParam<uint64_t> {
 protected:
  IntakeReceiptTest() { house_.KeepLog(); }

  TestHouse house_;
  const std::string footage_ = Footage(GetParam());
};
INSTANTIATE_TEST_SUITE_P(Sizes, IntakeReceiptTest, testing::ValuesIn(kSizes));

TEST_P(IntakeReceiptTest, ATransferEndsWithAReceiptAndACompleteBundle) {
  ASSERT_OK(house_.Start());
  const auto stream = house_.Bring(Recording(), footage_);
  const auto receipt = stream->Last<GivenReceipt>();
  ASSERT_TRUE(receipt);
  EXPECT_OK(stream->end()->status);
  EXPECT_FALSE(stream->Last<Stored>());
  ExpectProves(house_, *receipt, footage_);
  ExpectComplete(house_, *receipt);
  EXPECT_THAT(receipt->statement,
              AllOf(HasSubstr("\"location\":\"cam-1/r.mp4/recording.mp4\""),
                    HasSubstr("\"device\":\"spiffe://test/dock/s1/d1\""),
                    HasSubstr("\"incident\":\"2024-17\"")));
  EXPECT_EQ(CountOf(house_, "opened"), 1);
  EXPECT_EQ(CountOf(house_, "stored"), 1);
}

TEST_P(IntakeReceiptTest, WhoeverAsksAgainGetsTheSameBytes) {
  ASSERT_OK(house_.Start());
  const auto first = house_.Bring(Recording(), footage_)->Last<GivenReceipt>();
  ASSERT_TRUE(first);
  for (const bool restart : {false, true}) {
    if (restart) {
      ASSERT_OK(house_.Restart());
    }
    const auto again =
        house_.Bring(Recording(), footage_)->Last<GivenReceipt>();
    ASSERT_TRUE(again);
    EXPECT_EQ(again->statement, first->statement);
    EXPECT_EQ(again->proof, first->proof);
    ASSERT_OK_AND_ASSIGN(const GivenReceipt found,
                         house_.FindReceipt(Recording()));
    EXPECT_EQ(found.proof, first->proof);
    EXPECT_EQ(found.statement, first->statement);
  }
  EXPECT_EQ(CountOf(house_, "stored"), 1);
}

TEST_P(IntakeReceiptTest, OtherBytesGetNoReceipt) {
  ASSERT_OK(house_.Start());
  ASSERT_TRUE(house_.Bring(Recording(), footage_)->Last<GivenReceipt>());
  const auto other = house_.Bring(Recording(), Footage(GetParam(), 2));
  EXPECT_FALSE(other->Last<GivenReceipt>());
  EXPECT_THAT(other->end()->status, StatusIs(StatusCode::kAlreadyExists));
}

// --- what goes wrong ---------------------------------------------------------

TEST_P(IntakeReceiptTest, ABundleThatCannotBeCompletedIsTriedAgain) {
  ASSERT_OK(house_.Start());
  house_.store().lays = absl::UnavailableError("away");
  const auto receipt =
      house_.Bring(Recording(), footage_)->Last<GivenReceipt>();
  ASSERT_TRUE(receipt);
  EXPECT_THAT(house_.custody().Unlaid(), SizeIs(1));
  EXPECT_THAT(house_.InSpool(".bytes"), SizeIs(1));
  house_.store().lays = absl::OkStatus();
  house_.Wait(absl::Minutes(5));
  ExpectComplete(house_, *receipt);
  EXPECT_EQ(CountOf(house_, "stored"), 1);
}

TEST_P(IntakeReceiptTest, ALogThatCannotGoOnGivesNoReceipt) {
  ASSERT_OK(house_.Start());
  house_.Fail(Kind::kSync, absl::DataLossError("medium"), ".wal");
  const auto stream = house_.Bring(Recording(), footage_);
  EXPECT_FALSE(stream->Last<GivenReceipt>());
  EXPECT_FALSE(stream->Last<Stored>());
  EXPECT_THAT(house_.fatal, StatusIs(StatusCode::kDataLoss));
  house_.FailNoMore();
  ASSERT_OK(house_.RestartAfterPowerCut());
  const auto receipt =
      house_.Bring(Recording(), footage_)->Last<GivenReceipt>();
  ASSERT_TRUE(receipt);
  ExpectProves(house_, *receipt, footage_);
  ExpectComplete(house_, *receipt);
  EXPECT_EQ(CountOf(house_, "stored"), 1);
}

TEST_P(IntakeReceiptTest, AFullLogMakesTheDeviceWait) {
  ASSERT_OK(house_.Start());
  house_.Fail(Kind::kWrite, absl::ResourceExhaustedError("full"), ".wal");
  const auto stream = house_.Bring(Recording(), footage_);
  EXPECT_FALSE(stream->Last<GivenReceipt>());
  ASSERT_TRUE(stream->Last<Pause>());
  EXPECT_OK(house_.fatal);
  house_.FailNoMore();
  const auto receipt =
      house_.Bring(Recording(), footage_)->Last<GivenReceipt>();
  ASSERT_TRUE(receipt);
  ExpectProves(house_, *receipt, footage_);
  house_.Wait(absl::Minutes(5));
  ExpectComplete(house_, *receipt);
}

// Stored by a gateway that kept no log.
TEST_P(IntakeReceiptTest, WhatWasStoredBeforeIsStatedWhenItIsAskedFor) {
  TestHouse house;
  ASSERT_OK(house.Start());
  ASSERT_TRUE(house.Bring(Recording(), footage_)->Last<Stored>());
  EXPECT_THAT(house.FindReceipt(Recording()).status(),
              StatusIs(StatusCode::kUnimplemented));
  house.KeepLog();
  ASSERT_OK(house.Restart());
  EXPECT_THAT(house.FindReceipt(Recording()).status(),
              StatusIs(StatusCode::kNotFound));
  const auto receipt = house.Bring(Recording(), footage_)->Last<GivenReceipt>();
  ASSERT_TRUE(receipt);
  ExpectProves(house, *receipt, footage_);
  EXPECT_THAT(receipt->statement, HasSubstr("\"verified\":\"READ_BACK\""));
  ExpectComplete(house, *receipt);
}

TEST_P(IntakeReceiptTest, AReceiptIsForThoseWhoMayBringTheCamera) {
  ASSERT_OK(house_.Start());
  EXPECT_THAT(house_.FindReceipt(Recording("r", "other-1")).status(),
              StatusIs(StatusCode::kPermissionDenied));
}

// --- crashes -----------------------------------------------------------------

// The device comes back until it has its receipt; what it heard before counts.
void ExpectOneStory(TestHouse& house, const std::optional<GivenReceipt>& heard,
                    absl::string_view footage) {
  const auto receipt = house.Bring(Recording(), footage)->Last<GivenReceipt>();
  ASSERT_TRUE(receipt);
  ExpectProves(house, *receipt, footage);
  if (heard) {
    EXPECT_EQ(heard->statement, receipt->statement);
    EXPECT_EQ(heard->proof, receipt->proof);
  }
  house.Wait(absl::Minutes(5));
  ExpectComplete(house, *receipt);
  EXPECT_THAT(FileOf(house, "recording.mp4"), SizeIs(footage.size()));
  EXPECT_EQ(CountOf(house, "stored"), 1);
}

TEST_P(IntakeReceiptTest, APowerCutAnywhereEndsInOneStatementAndOneReceipt) {
  int places = 0;
  for (uint64_t seed = 1; seed <= 2; ++seed) {
    bool cut = true;
    for (int operations = 0; cut; ++operations) {
      SCOPED_TRACE(absl::StrCat("seed ", seed, ", cut after ", operations));
      TestHouse house(TestHouse::SmallOptions(), {}, 0, seed);
      house.KeepLog();
      ASSERT_OK(house.Start());
      house.disk.CutPowerAfter(operations);
      const auto stream = house.Bring(Recording(), footage_);
      house.Wait(absl::Seconds(2));
      cut = house.disk.power_was_cut();
      const auto heard = stream->Last<GivenReceipt>();
      ASSERT_OK(house.RestartAfterPowerCut());
      ExpectOneStory(house, heard, footage_);
      ++places;
    }
  }
  EXPECT_GT(places, 2 * 30);
}

TEST_P(IntakeReceiptTest,
       AProcessKilledAnywhereEndsInOneStatementAndOneReceipt) {
  int places = 0;
  for (uint64_t order = 0; order <= 2; ++order) {
    bool killed = true;
    for (int tasks = 0; killed; ++tasks) {
      SCOPED_TRACE(absl::StrCat("order ", order, ", killed after ", tasks));
      TestHouse house(TestHouse::SmallOptions(), {}, order);
      house.KeepLog();
      ASSERT_OK(house.Start());
      const auto stream = house.Begin(Recording(), footage_.size());
      for (uint64_t at = 0; at < footage_.size(); at += 4096) {
        (void)stream->Chunk(footage_, at, 4096);
      }
      stream->Finish(footage_);
      killed = false;
      for (int i = 0; i < tasks && !killed; ++i) {
        if (!house.executor.RunOne() && !house.executor.SkipToNext()) break;
      }
      killed = !house.executor.idle() ||
               house.executor.next_due() != absl::InfiniteFuture();
      const auto heard = stream->Last<GivenReceipt>();
      ASSERT_OK(house.Restart());
      ExpectOneStory(house, heard, footage_);
      if (++places > 3000) break;
    }
  }
  EXPECT_GT(places, 3 * 10);
  EXPECT_LT(places, 3000);
}

}  // namespace
}  // namespace schleuse
