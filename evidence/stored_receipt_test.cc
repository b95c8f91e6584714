#include "evidence/stored_receipt.h"

#include <string>
#include <utility>

#include "absl/strings/str_replace.h"
#include "base/status_matchers.h"
#include "evidence/test_receipts.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using absl::StatusCode;
using ::testing::HasSubstr;

Held Ours() {
  return {*RecordingName::Parse("cam", "r.mp4"), 3, Sha256::Of("abc")};
}

absl::Status Verify(const TestReceipts& gateway,
                    const TestReceipts::Given& given) {
  return VerifyStored(given.receipt, given.statement, gateway.pinned())
      .status();
}

TEST(StoredReceiptTest, SaysWhatIsStored) {
  const TestReceipts gateway;
  const auto [statement, receipt] = gateway.For(Ours());
  ASSERT_OK_AND_ASSIGN(const StoredProven stored,
                       VerifyStored(receipt, statement, gateway.pinned()));
  EXPECT_OK(CheckIsFor(stored, Ours()));
  EXPECT_EQ(stored.gateway, "police.example/gw-1");
  EXPECT_EQ(stored.time, "2026-11-26T18:05:29.123456Z");
  EXPECT_TRUE(stored.clock_synchronised);
  EXPECT_EQ(stored.device, "spiffe://police.example/dock/s/d");
  EXPECT_EQ(stored.location, "cam/rec");
  EXPECT_FALSE(stored.read_back);
}

TEST(StoredReceiptTest, OfAnotherRecordingSizeOrHashIsRefused) {
  const TestReceipts gateway;
  const auto [statement, receipt] = gateway.For(Ours());
  ASSERT_OK_AND_ASSIGN(const StoredProven stored,
                       VerifyStored(receipt, statement, gateway.pinned()));
  Held other = Ours();
  other.name = *RecordingName::Parse("cam", "s.mp4");
  EXPECT_THAT(CheckIsFor(stored, other),
              StatusIs(StatusCode::kDataLoss, HasSubstr("for cam/r.mp4")));
  other = Ours();
  other.size = 4;
  EXPECT_THAT(CheckIsFor(stored, other),
              StatusIs(StatusCode::kDataLoss, HasSubstr("bytes, not for 4")));
  other = Ours();
  other.sha256 = Sha256::Of("abd");
  EXPECT_THAT(CheckIsFor(stored, other),
              StatusIs(StatusCode::kDataLoss, HasSubstr("SHA-256")));
}

TEST(StoredReceiptTest, AnyChangedByteOfTheStatementIsRefused) {
  const TestReceipts gateway;
  TestReceipts::Given given = gateway.For(Ours());
  for (char& c : given.statement) {
    const char before = std::exchange(c, static_cast<char>(c ^ 1));
    EXPECT_FALSE(Verify(gateway, given).ok());
    c = before;
  }
  EXPECT_OK(Verify(gateway, given));
}

TEST(StoredReceiptTest, OfAnotherGatewayOrKeyIsRefused) {
  const TestReceipts gateway, same_name, other("police.example/gw-2");
  for (const TestReceipts* stranger : {&same_name, &other}) {
    EXPECT_THAT(Verify(gateway, stranger->For(Ours())),
                StatusIs(StatusCode::kPermissionDenied));
  }
}

TEST(StoredReceiptTest, AStatementThatSaysSomethingElseIsRefused) {
  const TestReceipts gateway;
  const std::string good = gateway.StatementFor(Ours());
  const auto with = [&](const std::string& from, const std::string& to) {
    return Verify(gateway,
                  gateway.Sign(absl::StrReplaceAll(good, {{from, to}})));
  };
  EXPECT_THAT(with("\"stored\"", "\"opened\""),
              StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_THAT(with("gw-1", "gw-2"), StatusIs(StatusCode::kDataLoss));
  EXPECT_THAT(with("r.mp4", "../r"), StatusIs(StatusCode::kDataLoss));
  EXPECT_THAT(with("\"sha256\":\"b", "\"sha256\":\"x"),
              StatusIs(StatusCode::kDataLoss));
  EXPECT_THAT(with("{", "["), StatusIs(StatusCode::kDataLoss));
}

}  // namespace
}  // namespace schleuse
