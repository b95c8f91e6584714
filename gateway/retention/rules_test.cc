#include "gateway/retention/rules.h"

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "base/status_matchers.h"
#include "disk/fake_disk.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using statement::Basis;
using testing::HasSubstr;

constexpr char kPath[] = "/rules.textproto";
const absl::Time kBrought = absl::FromUnixSeconds(1'790'000'000);
const absl::Duration kDay = absl::Hours(24);

Basis With(absl::string_view legal_basis, bool home = false) {
  Basis basis;
  basis.legal_basis = std::string(legal_basis);
  basis.home = home;
  return basis;
}
Basis Started(absl::Time start) {
  Basis basis;
  basis.start = start;
  return basis;
}

absl::StatusOr<RetentionRules> Load(absl::string_view text) {
  FakeDisk disk;
  RETURN_IF_ERROR(WriteFileAtomically(disk, kPath, text));
  return RetentionRules::Load(disk, kPath);
}

RetentionRules Rules(absl::string_view text) {
  auto rules = Load(text);
  EXPECT_OK(rules.status());
  return *std::move(rules);
}

absl::Duration KeptFor(const RetentionRules& rules, const Basis& basis) {
  const auto keeping = rules.Of(basis, kBrought);
  EXPECT_TRUE(keeping.has_value());
  return keeping ? keeping->until - kBrought : absl::ZeroDuration();
}

TEST(RetentionRulesTest, TheFirstRuleThatFitsCounts) {
  const RetentionRules rules = Rules(
      "rule { name: 'home' legal_basis: '*' home: true days: 14 }"
      "rule { name: 'body' legal_basis: 'PolG 44' days: 28 }"
      "rule { name: 'traffic' legal_basis: 'StVG' legal_basis: 'OWiG'"
      " days: 90 }");
  EXPECT_EQ(rules.Of(With("PolG 44"), kBrought)->rule, "body");
  EXPECT_EQ(rules.Of(With("OWiG"), kBrought)->rule, "traffic");
  EXPECT_EQ(rules.Of(With("PolG 44", true), kBrought)->rule, "home");
  EXPECT_EQ(rules.Of(With("", true), kBrought)->rule, "home");
  // Exactly as it is named, and nothing for what no rule is for.
  for (const char* other : {"", "PolG", "PolG 44 ", "polg 44"}) {
    EXPECT_FALSE(rules.Of(With(other), kBrought)) << other;
  }
}

TEST(RetentionRulesTest, CountsFromTheRecordingWhereThatCanBe) {
  const RetentionRules rules =
      Rules("rule { name: 'a' legal_basis: '*' days: 30 at_least_days: 3 }");
  EXPECT_EQ(KeptFor(rules, Basis{}), 30 * kDay);
  EXPECT_EQ(KeptFor(rules, Started(kBrought - 10 * kDay)), 20 * kDay);
  // A camera that lay in a drawer.
  EXPECT_EQ(KeptFor(rules, Started(kBrought - 100 * kDay)), 3 * kDay);
  // Cameras without a clock: the evidence is kept as if it were from today.
  EXPECT_EQ(KeptFor(rules, Started(absl::FromUnixSeconds(1))), 30 * kDay);
  EXPECT_EQ(KeptFor(rules, Started(kBrought + kDay)), 30 * kDay);
}

TEST(RetentionRulesTest, DeviceMovesTheEndOnlyAsFarAsTheRuleLetsIt) {
  const RetentionRules strict =
      Rules("rule { name: 'a' legal_basis: '*' days: 30 at_least_days: 2 }");
  const RetentionRules lenient = Rules(
      "rule { name: 'a' legal_basis: '*' days: 30 at_least_days: 2"
      " device_may_shorten: true device_may_extend_days: 60 }");
  const auto wants = [](int days) {
    Basis basis;
    basis.retain_until = kBrought + days * kDay;
    return basis;
  };
  for (const int days : {-1, 1, 5, 31, 1000}) {
    EXPECT_EQ(KeptFor(strict, wants(days)), 30 * kDay);
  }
  EXPECT_EQ(KeptFor(lenient, wants(5)), 5 * kDay);
  EXPECT_EQ(KeptFor(lenient, wants(1)), 2 * kDay);
  EXPECT_EQ(KeptFor(lenient, wants(-1)), 2 * kDay);
  EXPECT_EQ(KeptFor(lenient, wants(80)), 80 * kDay);
  EXPECT_EQ(KeptFor(lenient, wants(1000)), 90 * kDay);
}

TEST(RetentionRulesTest, EveryMistakeIsNamed) {
  const auto rules = Load(
      "rule { legal_basis: 'x' days: 0 }\n"
      "rule { name: 'a b' legal_basis: 'x' days: 1 at_least_days: 40000 }\n"
      "rule { name: 'c' days: 40000 }\n"
      "rule { name: 'c' legal_basis: 'x' }\n");
  ASSERT_THAT(rules, StatusIs(absl::StatusCode::kInvalidArgument));
  for (const char* mistake :
       {":1: rule[0].name", ":1: rule[0].days", ":2: rule[1].name",
        ":2: rule[1].at_least_days", ":3: rule[2].legal_basis",
        ":3: rule[2].days", ":4: rule[3].name", ":4: rule[3].days"}) {
    EXPECT_THAT(rules.status().message(), HasSubstr(mistake));
  }
  EXPECT_THAT(Load(""), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(Load("rul {"), StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace schleuse
