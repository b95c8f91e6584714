#include "gateway/access/roster.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status_matchers.h"
#include "certs/test_pki.h"
#include "disk/posix_disk.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Matcher;
using ::testing::SizeIs;

const TestPki& Pki() {
  static const auto* const pki = new TestPki();
  return *pki;
}

absl::StatusOr<Roster> Load(absl::string_view text) {
  const std::string path = Pki().Path("roster.textproto");
  WriteTestFile(path, text);
  return Roster::Load(PosixDisk(), path);
}

std::vector<std::string> MistakesIn(absl::string_view text) {
  const absl::Status status = Load(text).status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument));
  return absl::StrSplit(status.message(), '\n');
}

Matcher<std::string> At(int line, const std::string& words) {
  return AllOf(HasSubstr(absl::StrCat("roster.textproto:", line, ": ")),
               HasSubstr(words));
}

Principal Who(absl::string_view path) {
  return *Principal::Parse(absl::StrCat("spiffe://police.example/", path),
                           "police.example");
}

TEST(RosterTest, ReadsDomainAndIssuers) {
  ASSERT_OK_AND_ASSIGN(
      const Roster roster,
      Load(absl::StrCat("trust_domain: 'police.example'\n"
                        "issuer { role: ['dock', 'radio']\n"
                        "         certificate_file: 'ca-devices.pem' }\n"
                        "issuer { role: 'operator' certificate_file: '",
                        Pki().Path("ca-people.pem"),
                        "' }\n"
                        // One CA takes over from another.
                        "issuer { role: 'dock'\n"
                        "         certificate_file: 'ca-gateway.pem' }\n")));
  EXPECT_EQ(roster.trust_domain(), "police.example");
  const auto name = [](const Certificate& ca) { return ca.SubjectText(); };
  ASSERT_THAT(roster.IssuersOf(Role::kDock), SizeIs(2));
  EXPECT_THAT(name(roster.IssuersOf(Role::kDock)[0]), HasSubstr("CA devices"));
  EXPECT_THAT(name(roster.IssuersOf(Role::kDock)[1]), HasSubstr("CA gateway"));
  ASSERT_THAT(roster.IssuersOf(Role::kRadio), SizeIs(1));
  ASSERT_THAT(roster.IssuersOf(Role::kOperator), SizeIs(1));
  EXPECT_THAT(roster.IssuersOf(Role::kAuditor), IsEmpty());
  EXPECT_THAT(roster.Issuers(), SizeIs(3));
}

TEST(RosterTest, ListsEveryMistakeWithItsLine) {
  WriteTestFile(Pki().Path("no-certificate.pem"), "hello\n");
  WriteTestFile(Pki().Path("two.pem"),
                Pki().Read("ca-devices.pem") + Pki().Read("ca-people.pem"));
  const std::string leaf = Pki().Issue("dock leaf --file leaf-with-chain");
  RunForTest(absl::StrCat("openssl x509 -in ", leaf, " -out ",
                          Pki().Path("leaf.pem")));
  EXPECT_THAT(
      MistakesIn("trust_domain: 'Police.example'\n"
                 "isuer { role: 'dock' }\n"
                 "issuer {\n"
                 "  role: 'dock'\n"
                 "  role: 'driver'\n"
                 "  role: 'dock'\n"
                 "  certificate_file: 'ca-devices.pem'\n"
                 "}\n"
                 "issuer { role: 'dock' certificate_file: 'ca-devices.pem' }\n"
                 "issuer { role: 'radio' certificate_file: 'missing.pem' }\n"
                 "issuer { role: 'radio' certificate_file: 'leaf.pem' }\n"
                 "issuer { role: 'radio'\n"
                 "  certificate_file: 'no-certificate.pem' }\n"
                 "issuer { role: 'radio' certificate_file: 'two.pem' }\n"
                 "issuer { role: 'radio' }\n"
                 "issuer { certificate_file: 'ca-people.pem' }\n"
                 "grant {\n"
                 "  name: 'g'\n"
                 "  device: 'dock/*/*'\n"
                 "  camera: 'cam-*'\n"
                 "}\n"
                 "grant {\n"
                 "  name: 'g'\n"
                 "  device: 'operator/s/n'\n"
                 "  device: 'dock/s'\n"
                 "  device: 'dock/s*/n'\n"
                 "  camera: 'a/b'\n"
                 "  camera: '*a'\n"
                 "  camera: ''\n"
                 "}\n"
                 "grant { }\n"
                 "grant {\n"
                 "  name: 'bell \\007'\n"
                 "  device: 'dock/s/n' camera: '*'\n"
                 "}\n"),
      ElementsAre(At(1, "trust_domain: must match"), At(2, "isuer"),
                  At(5, "issuer[0].role[1]: must be dock, radio"),
                  At(6, "issuer[0].role[2]: this issuer has the role already"),
                  At(9, "issuer[1].role[0]: the same CA has the role already"),
                  At(10, "missing.pem"),
                  At(11, "certificate_file: is not a CA's certificate"),
                  At(13, "certificate_file: "),
                  At(14, "certificate_file: holds more than one certificate"),
                  At(15, "issuer[6].certificate_file: is missing"),
                  At(16, "issuer[7].role: is missing"),
                  At(23, "grant[1].name: another grant has this name"),
                  At(24, "grant[1].device[0]: only \"dock\" and \"radio\""),
                  At(25, "grant[1].device[1]: must be <role>/"),
                  At(26, "grant[1].device[2]: station and name"),
                  At(27, "grant[1].camera[0]: must be a camera id"),
                  At(28, "grant[1].camera[1]: must be a camera id"),
                  At(29, "grant[1].camera[2]: must be a camera id"),
                  At(31, "grant[2].name: is missing"),
                  At(31, "grant[2].device: is missing"),
                  At(31, "grant[2].camera: is missing"),
                  At(33, "grant[3].name: must be up to 128 printable")));
}

TEST(RosterTest, NeedsATrustDomain) {
  EXPECT_THAT(MistakesIn(""),
              ElementsAre(EndsWith(":1: trust_domain: is missing")));
}

TEST(RosterTest, RefusesAnIssuerWithAWeakKey) {
  RunForTest(absl::StrCat(
      "openssl req -x509 -newkey rsa:2048 -nodes -keyout /dev/null "
      "-subj /CN=weak -out ",
      Pki().Path("weak.pem"), " 2>/dev/null"));
  EXPECT_THAT(
      MistakesIn("trust_domain: 'd'\n"
                 "issuer { role: 'dock' certificate_file: 'weak.pem' }"),
      ElementsAre(At(2, "weak key")));
}

TEST(RosterTest, AMissingFileIsNotAnEmptyRoster) {
  EXPECT_THAT(Roster::Load(PosixDisk(), Pki().Path("no-such-roster")),
              StatusIs(absl::StatusCode::kNotFound));
}

class MayBringTest : public testing::Test {
 protected:
  // Of a roster with these grants.
  static Roster With(absl::string_view grants) {
    const auto roster =
        Load(absl::StrCat("trust_domain: 'police.example'\n", grants));
    EXPECT_OK(roster.status());
    return *roster;
  }
};

TEST_F(MayBringTest, ARosterWithoutGrantsDeniesAll) {
  const Roster roster = With("");
  const Decision decision = roster.MayBring(Who("dock/s1/d1"), "cam-1");
  EXPECT_FALSE(decision.permitted());
  EXPECT_EQ(decision.reason(), "no grant gives this camera to this device");
  EXPECT_FALSE(roster.MayBring(Who("radio/s1/d1"), "cam-1").permitted());
}

TEST_F(MayBringTest, GivesADeviceTheCamerasOfItsGrantAlone) {
  const Roster roster = With(
      "grant { name: 'one' device: 'dock/s1/d1' camera: 'cam-1' }\n"
      "grant { name: 'two' device: 'dock/s2/d2' device: 'radio/s2/r2'\n"
      "        camera: 'cam-2' camera: 'cam-3' }\n");
  const Decision decision = roster.MayBring(Who("dock/s1/d1"), "cam-1");
  EXPECT_TRUE(decision.permitted());
  EXPECT_EQ(decision.reason(), "one");
  EXPECT_EQ(roster.MayBring(Who("radio/s2/r2"), "cam-3").reason(), "two");
  // The device of one grant and the camera of another.
  EXPECT_FALSE(roster.MayBring(Who("dock/s1/d1"), "cam-2").permitted());
  EXPECT_FALSE(roster.MayBring(Who("dock/s2/d2"), "cam-1").permitted());
  // Nearly the same.
  for (const char* who : {"dock/s1/d2", "dock/s2/d1", "radio/s1/d1",
                          "dock/s1/d11", "dock/s1/d"}) {
    EXPECT_FALSE(roster.MayBring(Who(who), "cam-1").permitted()) << who;
  }
  for (const char* camera : {"cam-11", "cam-", "CAM-1", "", "cam-1/", "*"}) {
    EXPECT_FALSE(roster.MayBring(Who("dock/s1/d1"), camera).permitted())
        << camera;
  }
}

TEST_F(MayBringTest, AStarIsOneWholeSegment) {
  const Roster roster =
      With("grant { name: 'g' device: 'dock/*/d1' camera: 'cam-1' }\n");
  EXPECT_TRUE(roster.MayBring(Who("dock/s1/d1"), "cam-1").permitted());
  EXPECT_TRUE(roster.MayBring(Who("dock/s2/d1"), "cam-1").permitted());
  EXPECT_FALSE(roster.MayBring(Who("dock/s1/d2"), "cam-1").permitted());
  EXPECT_FALSE(roster.MayBring(Who("radio/s1/d1"), "cam-1").permitted());
}

TEST_F(MayBringTest, AStarAtACamerasEndIsAnyRest) {
  const Roster roster = With(
      "grant { name: 'g' device: 'dock/s1/d1' camera: 'cam-*' }\n"
      "grant { name: 'h' device: 'dock/s2/*' camera: '*' }\n");
  EXPECT_TRUE(roster.MayBring(Who("dock/s1/d1"), "cam-").permitted());
  EXPECT_TRUE(roster.MayBring(Who("dock/s1/d1"), "cam-12").permitted());
  EXPECT_FALSE(roster.MayBring(Who("dock/s1/d1"), "cam").permitted());
  EXPECT_FALSE(roster.MayBring(Who("dock/s1/d1"), "xcam-1").permitted());
  // What is no id is nobody's camera.
  EXPECT_FALSE(roster.MayBring(Who("dock/s1/d1"), "cam-/../x").permitted());
  EXPECT_TRUE(roster.MayBring(Who("dock/s2/d9"), "anything").permitted());
  EXPECT_FALSE(roster.MayBring(Who("dock/s2/d9"), "").permitted());
}

TEST_F(MayBringTest, OnlyDocksAndRadiosBringRecordings) {
  const Roster roster =
      With("grant { name: 'all' device: '*/*/*' camera: '*' }\n");
  EXPECT_TRUE(roster.MayBring(Who("dock/s/n"), "c").permitted());
  EXPECT_TRUE(roster.MayBring(Who("radio/s/n"), "c").permitted());
  for (const char* who : {"operator/s/n", "auditor/s/n", "monitor/s/n",
                          "witness/s/n", "gateway/s/n"}) {
    const Decision decision = roster.MayBring(Who(who), "c");
    EXPECT_FALSE(decision.permitted()) << who;
    EXPECT_EQ(decision.reason(), "only docks and radios bring recordings");
  }
}

}  // namespace
}  // namespace schleuse
