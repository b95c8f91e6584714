#include "client/verify/bundle.h"

#include <string>

#include "base/status_matchers.h"
#include "disk/fake_disk.h"
#include "evidence/test_receipts.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse::client {
namespace {

using absl::StatusCode;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr char kBundle[] = "/b";
constexpr char kFootage[] = "footage of a recording";

class BundleTest : public testing::Test {
 protected:
  BundleTest() {
    EXPECT_OK(disk_.MakeDirectory(kBundle));
    const TestReceipts::Given given =
        gateway_.For({*RecordingName::Parse("cam", "r.mp4"),
                      sizeof(kFootage) - 1, Sha256::Of(kFootage)});
    Put("recording.mp4", kFootage);
    Put("statement.json", given.statement);
    Put("receipt.tlog-proof", given.receipt);
  }
  void Put(const char* name, absl::string_view bytes) {
    EXPECT_OK(WriteFileAtomically(disk_, JoinPath(kBundle, name), bytes));
  }
  void Remove(const char* name) {
    EXPECT_OK(disk_.Remove(JoinPath(kBundle, name)));
  }
  absl::StatusOr<Report> Verify(const WitnessPolicy& policy = {}) {
    return VerifyBundle(disk_, kBundle, gateway_.pinned(), policy,
                        [](uint64_t, uint64_t) {});
  }
  void ExpectProblem(const char* words) {
    ASSERT_OK_AND_ASSIGN(const Report report, Verify());
    EXPECT_THAT(report.problems, ElementsAre(HasSubstr(words)));
    EXPECT_THAT(ToText(report), HasSubstr(": NOT PROVEN\n"));
    EXPECT_THAT(ToJson(report), HasSubstr("\"verdict\":\"not proven\""));
  }

  const TestReceipts gateway_;
  FakeDisk disk_;
};

TEST_F(BundleTest, SaysWhatIsProvenAndWhatIsNot) {
  ASSERT_OK_AND_ASSIGN(const Report report, Verify());
  EXPECT_THAT(report.problems, IsEmpty());
  EXPECT_THAT(report.proven, Contains(HasSubstr("not one bit has changed")));
  EXPECT_THAT(report.not_proven, Contains(HasSubstr("what the camera saw")));
  EXPECT_THAT(report.not_proven, Contains(HasSubstr("no witness")));
  EXPECT_THAT(ToText(report), HasSubstr("/b: PROVEN\n"));
  EXPECT_THAT(ToJson(report),
              HasSubstr("{\"verdict\":\"proven\",\"subject\":\"/b\",\"facts\":"
                        "{\"camera\":\"cam\",\"recording\":\"r.mp4\","));
}

TEST_F(BundleTest, FootageThatWasChangedCutOrExchangedIsNoticed) {
  for (const char* other : {"Footage of a recording", "footage", ""}) {
    Put("recording.mp4", other);
    ExpectProblem("recording.mp4 is not what was stored");
  }
}

TEST_F(BundleTest, WhatIsMissingIsNamed) {
  Remove("recording.mp4");
  ExpectProblem("the footage itself is missing");
  Put("recording.mp4", kFootage);
  Put("recording.bin", kFootage);
  ExpectProblem("more than one file");
  Remove("recording.bin");
  Remove("statement.json");
  ExpectProblem("statement.json is missing");
}

TEST_F(BundleTest, AReceiptThatDoesNotHoldSaysWhy) {
  Put("statement.json", "{}");
  ExpectProblem("the receipt does not hold");
  Put("statement.json", std::string(70'000, ' '));
  ExpectProblem("far longer than one can be");
}

TEST_F(BundleTest, ADirectoryThatIsNotThereTellsNothing) {
  EXPECT_THAT(VerifyBundle(disk_, "/none", gateway_.pinned(), {},
                           [](uint64_t, uint64_t) {})
                  .status(),
              StatusIs(StatusCode::kNotFound));
}

TEST_F(BundleTest, WitnessesThatAreAskedForMustHaveCosigned) {
  const PrivateKey key = PrivateKey::Generate(KeyKind::kEd25519);
  const WitnessPolicy one = {
      .witnesses = {*NoteVerifier::Make(
          "dpo.example/w", NoteKeyType::kCosignature, key.public_key())},
      .required = 1};
  ASSERT_OK_AND_ASSIGN(Report report, Verify(one));
  EXPECT_THAT(report.problems, ElementsAre(HasSubstr("no witness")));
  const auto receipt =
      ReadFile(disk_, JoinPath(kBundle, "receipt.tlog-proof"), 1 << 20);
  const absl::StatusOr<Receipt> parsed = ParseReceipt(*receipt);
  ASSERT_OK(parsed.status());
  Put("receipt.witnessed.tlog-proof",
      *receipt + *CosignatureLine("dpo.example/w", key,
                                  *NoteText(parsed->checkpoint),
                                  1'800'000'000));
  ASSERT_OK_AND_ASSIGN(report, Verify(one));
  EXPECT_THAT(report.problems, IsEmpty());
  EXPECT_THAT(report.proven, Contains(HasSubstr("dpo.example/w has seen")));
  EXPECT_THAT(report.not_proven, Not(Contains(HasSubstr("no witness"))));
}

TEST_F(BundleTest, NoStatementCanMoveTheCursor) {
  Report report = {.subject = "/b\x1b[2J"};
  report.Proves("x\x1b[2J");
  EXPECT_THAT(ToText(report), Not(HasSubstr("\x1b")));
}

}  // namespace
}  // namespace schleuse::client
