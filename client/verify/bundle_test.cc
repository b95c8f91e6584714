#include "client/verify/bundle.h"

#include <string>

#include "absl/strings/str_cat.h"
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

// --- of what was deleted in its time ---

class DeletedBundleTest : public BundleTest {
 protected:
  DeletedBundleTest() {
    Remove("recording.mp4");
    PutDeletion("r.mp4", Sha256::Of(kFootage).ToHex());
  }
  void PutDeletion(absl::string_view recording, absl::string_view sha256,
                   absl::string_view place = "STORE") {
    const TestReceipts::Given given = gateway_.Sign(absl::StrCat(
        R"({"gateway":"g","time":"2026-12-26T18:05:29.123456Z",)"
        R"("clock_synchronised":true,)"
        R"("nonce":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",)"
        R"("deleted":{"transfer":{"camera_id":"cam","recording_id":")",
        recording, R"("},"place":")", place, R"(","sha256":")", sha256,
        R"(","rule":"month","legal_basis":"PolG 44",)"
        R"("retain_until":"2026-12-26T18:05:29.000000Z","by":"retention"}})"));
    Put("deleted.json", given.statement);
    Put("deleted.tlog-proof", given.receipt);
  }
};

TEST_F(DeletedBundleTest, SaysThatItWasStoredAndThatItWasDeleted) {
  ASSERT_OK_AND_ASSIGN(const Report report, Verify());
  EXPECT_THAT(report.problems, IsEmpty());
  EXPECT_THAT(report.proven, Contains(HasSubstr("by the rule \"month\"")));
  EXPECT_THAT(report.proven, Contains(HasSubstr("2026-12-26T18:05:29")));
  EXPECT_THAT(report.proven, Not(Contains(HasSubstr("not one bit"))));
  EXPECT_THAT(report.not_proven, Contains(HasSubstr("no copy")));
}

TEST_F(DeletedBundleTest, FootageThatStillLiesThereIsCheckedAllTheSame) {
  Put("recording.mp4", kFootage);
  ASSERT_OK_AND_ASSIGN(const Report report, Verify());
  EXPECT_THAT(report.problems, IsEmpty());
  EXPECT_THAT(report.proven, Contains(HasSubstr("not one bit")));
  EXPECT_THAT(report.not_proven, Contains(HasSubstr("still lies here")));
  Put("recording.mp4", "other footage");
  ExpectProblem("is not what was stored");
}

TEST_F(DeletedBundleTest, DeletionOfSomethingElseIsFound) {
  PutDeletion("other.mp4", Sha256::Of(kFootage).ToHex());
  ExpectProblem("about something else");
  PutDeletion("r.mp4", Sha256::Of("other").ToHex());
  ExpectProblem("about something else");
  PutDeletion("r.mp4", Sha256::Of(kFootage).ToHex(), "SPOOL");
  ExpectProblem("about something else");
}

// Whoever deletes footage by hand cannot make it look lawful.
TEST_F(DeletedBundleTest, DeletionThatTheLogNeverSaidIsFound) {
  const TestReceipts stranger("police.example/gw-1");
  const TestReceipts::Given given = stranger.Sign("{}");
  Put("deleted.json", given.statement);
  Put("deleted.tlog-proof", given.receipt);
  ExpectProblem("deleted.tlog-proof does not hold");
  Remove("deleted.tlog-proof");
  ExpectProblem("deleted.tlog-proof is missing");
}

}  // namespace
}  // namespace schleuse::client
