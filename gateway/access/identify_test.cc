#include "gateway/access/identify.h"

#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/status_matchers.h"
#include "certs/test_pki.h"
#include "disk/posix_disk.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using ::testing::HasSubstr;

const TestPki& Pki() {
  static const auto* const pki = new TestPki();
  return *pki;
}

Certificate Load(const std::string& path) {
  return *Certificate::FromPem(ReadTestFile(path));
}
Certificate Issue(absl::string_view words) { return Load(Pki().Issue(words)); }

constexpr char kIssuers[] =
    "issuer { role: 'dock' role: 'radio' certificate_file: 'ca-devices.pem' }\n"
    "issuer { role: 'operator' role: 'auditor' role: 'monitor'\n"
    "         certificate_file: 'ca-people.pem' }\n";

Roster RosterWith(const TestPki& pki, absl::string_view issuers) {
  const std::string path = pki.Path("roster.textproto");
  WriteTestFile(path,
                absl::StrCat("trust_domain: 'police.example'\n", issuers));
  const auto roster = Roster::Load(PosixDisk(), path);
  EXPECT_OK(roster.status());
  return *roster;
}

RevocationList List(const TestPki& pki, absl::string_view file) {
  std::vector<Certificate> issuers;
  for (const char* ca : {"ca-devices.pem", "ca-people.pem", "ca-gateway.pem"}) {
    issuers.push_back(*Certificate::FromPem(pki.Read(ca)));
  }
  return *RevocationList::FromPem(pki.Read(file), issuers);
}

Identifier Usual() {
  return Identifier(
      RosterWith(Pki(), kIssuers),
      {List(Pki(), "crl-devices.pem"), List(Pki(), "crl-people.pem")});
}

// Takes the time after the certificate was issued, whatever the order in which
// a compiler evaluates arguments.
absl::StatusOr<Principal> IdentifyNow(const Identifier& identifier,
                                      const Certificate& leaf) {
  return identifier.Identify(leaf, absl::Now());
}

auto Refused(const std::string& why) {
  return StatusIs(absl::StatusCode::kUnauthenticated, HasSubstr(why));
}

TEST(IdentifierTest, SaysWhoACertificateIs) {
  const Identifier identifier = Usual();
  ASSERT_OK_AND_ASSIGN(const Principal who,
                       IdentifyNow(identifier, Issue("dock d1 --station s1")));
  EXPECT_EQ(who.spiffe_id(), "spiffe://police.example/dock/s1/d1");
  for (const char* role : {"radio", "operator", "auditor", "monitor"}) {
    EXPECT_OK(IdentifyNow(identifier, Issue(absl::StrCat(role, " n1"))))
        << role;
  }
}

TEST(IdentifierTest, RefusesACertificateBeforeAndAfterItsTime) {
  const Identifier identifier = Usual();
  const absl::Time now = absl::Now();
  EXPECT_THAT(identifier.Identify(Issue("dock old --not-before '3 days ago' "
                                        "--not-after '1 day ago'"),
                                  now),
              Refused("expired at"));
  EXPECT_THAT(
      identifier.Identify(Issue("dock early --not-before '1 day'"), now),
      Refused("not valid before"));
}

// RFC 5280: both ends belong to it.
TEST(IdentifierTest, ValidityHasBothItsEnds) {
  const Identifier identifier = Usual();
  const Certificate leaf = Issue("dock ends --days 1");
  const absl::Duration second = absl::Seconds(1);
  EXPECT_OK(identifier.Identify(leaf, leaf.not_before()));
  EXPECT_OK(identifier.Identify(leaf, leaf.not_after()));
  EXPECT_THAT(identifier.Identify(leaf, leaf.not_before() - second),
              Refused("not valid before"));
  EXPECT_THAT(identifier.Identify(leaf, leaf.not_after() + second),
              Refused("expired at"));
}

TEST(IdentifierTest, RefusesNamesThatAreNotExactlyOnePrincipal) {
  const Identifier identifier = Usual();
  const struct {
    std::string options;
    std::string why;
  } kCases[] = {
      {"--no-uri", "no SPIFFE ID"},
      {"--no-uri --dns police.example", "no SPIFFE ID"},
      {"--uri spiffe://police.example/dock/hq/a "
       "--uri spiffe://police.example/dock/hq/b",
       "more than one URI"},
      // Twice the same one is two as well; so is one beside another URI.
      {"--uri spiffe://police.example/dock/hq/a "
       "--uri spiffe://police.example/dock/hq/a",
       "more than one URI"},
      {"--uri https://police.example "
       "--uri spiffe://police.example/dock/hq/a",
       "more than one URI"},
      {"--uri https://police.example/dock/hq/a", "does not begin with"},
      {"--uri spiffe://other.example/dock/hq/a", "another trust domain"},
      {"--uri spiffe://police.example.evil/dock/hq/a", "another trust domain"},
      {"--uri spiffe://police.example/dock/hq/A", "must match"},
      {"--uri spiffe://police.example/dock/hq/a/", "is not /<role>"},
      {"--uri spiffe://police.example/admin/hq/a", "unknown role"},
      // "spiffe://police.example/dock/hq/a" NUL "b"
      {"--alt-names DER:3025"
       "8623"
       "7370696666653a2f2f706f6c6963652e6578616d706c65"
       "2f646f636b2f68712f61"
       "0062",
       "must match"},
  };
  int number = 0;
  for (const auto& bad : kCases) {
    const Certificate leaf =
        Issue(absl::StrCat("dock bad --file bad-", ++number, " ", bad.options));
    EXPECT_THAT(IdentifyNow(identifier, leaf), Refused(bad.why)) << bad.options;
  }
}

TEST(IdentifierTest, RefusesARoleThatTheRosterGivesNoCa) {
  EXPECT_THAT(IdentifyNow(Usual(), Issue("witness w1")),
              Refused("no CA for the role witness"));
  EXPECT_THAT(IdentifyNow(Usual(), Issue("gateway g1")),
              Refused("no CA for the role gateway"));
  const Identifier empty(RosterWith(Pki(), ""),
                         {List(Pki(), "crl-devices.pem")});
  EXPECT_THAT(IdentifyNow(empty, Issue("dock nobody")),
              Refused("no CA for the role dock"));
}

// Whoever breaks into the CA for docks cannot make an operator.
TEST(IdentifierTest, RefusesTheCaOfAnotherRole) {
  EXPECT_THAT(IdentifyNow(Usual(), Issue("operator o2 --ca devices")),
              Refused("no CA for the role operator issued it"));
  EXPECT_THAT(IdentifyNow(Usual(), Issue("dock o3 --ca people")),
              Refused("no CA for the role dock issued it"));
}

TEST(IdentifierTest, RefusesAStrangersCaOfTheSameName) {
  const TestPki stranger;
  EXPECT_THAT(IdentifyNow(Usual(), Load(stranger.Issue("dock d1"))),
              Refused("no CA for the role dock issued it"));
}

TEST(IdentifierTest, RefusesAWeakKey) {
  const std::string out = Pki().Path("weak-leaf.pem");
  RunForTest(absl::StrCat(
      "openssl req -x509 -newkey rsa:2048 -nodes -keyout /dev/null -subj /CN=x"
      " -addext subjectAltName=URI:spiffe://police.example/dock/hq/weak"
      " -CA ",
      Pki().Path("ca-devices.pem"), " -CAkey ", Pki().Path("ca-devices.key"),
      " -out ", out, " 2>/dev/null"));
  EXPECT_THAT(IdentifyNow(Usual(), Load(out)), Refused("key is too weak"));
}

TEST(IdentifierTest, AcceptsOldAndNewCaWhileOneTakesOver) {
  const Identifier identifier(
      RosterWith(Pki(),
                 "issuer { role: 'dock' "
                 "certificate_file: 'ca-devices.pem' }\n"
                 "issuer { role: 'dock' "
                 "certificate_file: 'ca-gateway.pem' }\n"),
      {List(Pki(), "crl-devices.pem"), List(Pki(), "crl-gateway.pem")});
  EXPECT_OK(IdentifyNow(identifier, Issue("dock rolled-1")));
  EXPECT_OK(IdentifyNow(identifier, Issue("dock rolled-2 --ca gateway")));
  EXPECT_THAT(IdentifyNow(identifier, Issue("dock rolled-3 --ca people")),
              Refused("issued it"));
}

TEST(IdentifierTest, RefusesTheRevokedAndNobodyElse) {
  const TestPki pki;
  const std::string revoked = pki.Issue("dock d1");
  const std::string other = pki.Issue("dock d2");
  const RevocationList before = List(pki, "crl-devices.pem");
  pki.Revoke(revoked);
  const RevocationList after = List(pki, "crl-devices.pem");
  const Roster roster = RosterWith(pki, kIssuers);
  const Identifier identifier(roster, {after});
  EXPECT_THAT(IdentifyNow(identifier, Load(revoked)), Refused("revoked"));
  EXPECT_OK(IdentifyNow(identifier, Load(other)));
  EXPECT_OK(IdentifyNow(Identifier(roster, {before}), Load(revoked)));
  // An old list beside the new one takes nothing back, in whatever order.
  for (const auto& both : {std::vector<RevocationList>{before, after},
                           std::vector<RevocationList>{after, before}}) {
    EXPECT_THAT(IdentifyNow(Identifier(roster, both), Load(revoked)),
                Refused("revoked"));
  }
}

TEST(IdentifierTest, WithoutItsCasListNobodyIsKnown) {
  const Certificate leaf = Issue("dock listless");
  const Roster roster = RosterWith(Pki(), kIssuers);
  EXPECT_THAT(IdentifyNow(Identifier(roster, {}), leaf),
              Refused("no revocation list"));
  EXPECT_THAT(
      IdentifyNow(Identifier(roster, {List(Pki(), "crl-people.pem")}), leaf),
      Refused("no revocation list"));
  // That of a stranger's CA of the same name does not stand in for it.
  const TestPki stranger;
  EXPECT_THAT(
      IdentifyNow(Identifier(roster, {List(stranger, "crl-devices.pem")}),
                  leaf),
      Refused("no revocation list"));
}

TEST(IdentifierTest, AnOutdatedListFailsClosed) {
  const TestPki pki;
  const Certificate leaf = Load(pki.Issue("dock d1 --days 365"));
  const RevocationList list = List(pki, "crl-devices.pem");
  const Identifier identifier(RosterWith(pki, kIssuers), {list});
  EXPECT_OK(identifier.Identify(leaf, list.next_update() - absl::Seconds(1)));
  for (const absl::Duration late : {absl::ZeroDuration(), absl::Hours(1)}) {
    EXPECT_THAT(identifier.Identify(leaf, list.next_update() + late),
                Refused("out of date"));
  }
}

TEST(IdentifierTest, RevokedStaysRevokedThoughTheListIsOutdated) {
  const TestPki pki;
  const std::string path = pki.Issue("dock d1 --days 365");
  pki.Revoke(path);
  const RevocationList list = List(pki, "crl-devices.pem");
  const Identifier identifier(RosterWith(pki, kIssuers), {list});
  EXPECT_THAT(
      identifier.Identify(Load(path), list.next_update() + absl::Hours(1)),
      Refused("revoked"));
}

TEST(IdentifierTest, WhoIsRememberedIsStillAskedForTheTime) {
  const Identifier identifier = Usual();
  const std::string pem = ReadTestFile(Pki().Issue("dock again --days 1"));
  const Certificate leaf = *Certificate::FromPem(pem);
  const absl::Duration second = absl::Seconds(1);
  for (int i = 0; i < 2; ++i) {
    ASSERT_OK_AND_ASSIGN(const Principal who,
                         identifier.IdentifyPem(pem, leaf.not_before()));
    EXPECT_EQ(who.spiffe_id(), "spiffe://police.example/dock/hq/again");
    EXPECT_OK(identifier.IdentifyPem(pem, leaf.not_after()));
    EXPECT_THAT(identifier.IdentifyPem(pem, leaf.not_before() - second),
                Refused("not valid before"));
    EXPECT_THAT(identifier.IdentifyPem(pem, leaf.not_after() + second),
                Refused("expired at"));
  }
}

TEST(IdentifierTest, WhoIsRememberedDoesNotOutliveTheList) {
  const TestPki pki;
  const std::string pem = ReadTestFile(pki.Issue("dock d1 --days 365"));
  const RevocationList list = List(pki, "crl-devices.pem");
  const Identifier identifier(RosterWith(pki, kIssuers), {list});
  EXPECT_OK(identifier.IdentifyPem(pem, list.next_update() - absl::Seconds(1)));
  EXPECT_THAT(identifier.IdentifyPem(pem, list.next_update()),
              Refused("out of date"));
}

TEST(IdentifierTest, ACertificateThatCannotBeReadIsNobody) {
  const Identifier identifier = Usual();
  for (const char* pem : {"", "no certificate"}) {
    EXPECT_THAT(identifier.IdentifyPem(pem, absl::Now()),
                StatusIs(absl::StatusCode::kInvalidArgument));
  }
}

TEST(IdentifierTest, ManyThreadsMayAskAtOnce) {
  const Identifier identifier = Usual();
  const std::string good = ReadTestFile(Pki().Issue("dock threads"));
  const Certificate bad = Issue("operator threads --ca devices");
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 50; ++j) {
        EXPECT_OK(identifier.IdentifyPem(good, absl::Now()));
        EXPECT_FALSE(IdentifyNow(identifier, bad).ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace schleuse
