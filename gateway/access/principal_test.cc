#include "gateway/access/principal.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

constexpr char kDomain[] = "police.example";

TEST(PrincipalTest, ReadsASpiffeId) {
  ASSERT_OK_AND_ASSIGN(
      const Principal who,
      Principal::Parse("spiffe://police.example/dock/stuttgart-1/d07",
                       kDomain));
  EXPECT_EQ(who.role(), Role::kDock);
  EXPECT_EQ(who.station(), "stuttgart-1");
  EXPECT_EQ(who.name(), "d07");
  EXPECT_EQ(who.Path(), "dock/stuttgart-1/d07");
  EXPECT_EQ(who.spiffe_id(), "spiffe://police.example/dock/stuttgart-1/d07");
}

TEST(PrincipalTest, KnowsEveryRoleByOneName) {
  for (const char* name : {"dock", "radio", "operator", "auditor", "monitor",
                           "witness", "gateway"}) {
    ASSERT_OK_AND_ASSIGN(
        const Principal who,
        Principal::Parse(absl::StrCat("spiffe://police.example/", name, "/s/n"),
                         kDomain));
    EXPECT_EQ(RoleName(who.role()), name);
    EXPECT_EQ(ParseRole(name), who.role());
  }
  for (const char* name : {"", "Dock", "docks", "admin", "*", "dock "}) {
    EXPECT_EQ(ParseRole(name), std::nullopt);
  }
}

TEST(PrincipalTest, RefusesWhateverDiffersInOneByte) {
  const std::string good = "spiffe://police.example/dock/s1/d1";
  ASSERT_OK(Principal::Parse(good, kDomain));
  for (const std::string& bad : {
           std::string(),
           std::string("spiffe://"),
           std::string("spiffe://police.example"),
           std::string("spiffe://police.example/dock/s1"),
           std::string("spiffe://police.example/dock/s1/"),
           std::string("spiffe://police.example/dock//d1"),
           std::string("spiffe://police.example//s1/d1"),
           std::string("spiffe://police.example/dock/s1/d1/"),
           std::string("spiffe://police.example/dock/s1/d1/x"),
           std::string("spiffe://police.example/dock/s1/d1?q=1"),
           std::string("spiffe://police.example/dock/s1/d1#f"),
           std::string("spiffe://police.example/dock/s1/d%31"),
           std::string("spiffe://police.example/dock/s1/D1"),
           std::string("spiffe://police.example/dock/../d1"),
           std::string("spiffe://police.example/dock/s1/d_1"),
           std::string("spiffe://police.example/dock/*/d1"),
           std::string("spiffe://police.example/Dock/s1/d1"),
           std::string("spiffe://police.example/admin/s1/d1"),
           std::string("spiffe://police.example:443/dock/s1/d1"),
           std::string("spiffe://user@police.example/dock/s1/d1"),
           std::string("spiffe://police.example./dock/s1/d1"),
           std::string("spiffe://Police.example/dock/s1/d1"),
           std::string("spiffe://evil.police.example/dock/s1/d1"),
           std::string("spiffe://police.example.evil/dock/s1/d1"),
           std::string("spiffe:///dock/s1/d1"),
           std::string("SPIFFE://police.example/dock/s1/d1"),
           std::string("spiffe:/police.example/dock/s1/d1"),
           std::string("https://police.example/dock/s1/d1"),
           " " + good,
           good + " ",
           good + "\n",
           good + std::string(1, '\0'),
           std::string("spiffe://police.example/dock/s1/d1\0", 35) + ".evil",
           std::string("spiffe://police.example\0/dock/s1/d1", 35),
           std::string("spiffe://police.example/dock/s1/d\xc3\xa4"),
           absl::StrCat("spiffe://police.example/dock/s1/",
                        std::string(64, 'd')),
           std::string(3000, 'a'),
       }) {
    EXPECT_THAT(Principal::Parse(bad, kDomain),
                StatusIs(absl::StatusCode::kInvalidArgument))
        << bad;
  }
}

TEST(PrincipalTest, TakesTheLongestNamesAllowed) {
  const std::string longest(63, 'a');
  EXPECT_OK(Principal::Parse(
      absl::StrCat("spiffe://police.example/dock/", longest, "/", longest),
      kDomain));
}

TEST(PrincipalTest, WithoutATrustDomainNobodyIsAnybody) {
  EXPECT_THAT(Principal::Parse("spiffe:///dock/s1/d1", ""),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace schleuse
