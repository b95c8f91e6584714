#include "witness/config.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "base/status_matchers.h"
#include "certs/test_pki.h"
#include "crypto/tls_profile.h"
#include "disk/posix_disk.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "witness/test_log.h"

namespace schleuse {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Matcher;
using testing::SizeIs;
using testing::StartsWith;

class WitnessConfigTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    ASSERT_OK(InstallTlsProfile());
    pki_ = new TestPki;
    for (const char* words :
         {"witness w-1 --ip 127.0.0.1 --file witness",
          "witness w-2 --file old --not-before '3 days ago' --not-after "
          "'1 day ago'"}) {
      pki_->Issue(words);
    }
    WriteTestFile(pki_->Path("gw-1.keys.pub"), TestLog().pinned().ToString());
  }
  std::string path() const { return pki_->Path("witness.textproto"); }
  absl::StatusOr<WitnessConfig> Load(absl::string_view text) const {
    WriteTestFile(path(), text);
    return WitnessConfig::Load(disk_, path(), absl::Now());
  }
  std::vector<std::string> MistakesIn(absl::string_view text) const {
    const absl::Status status = Load(text).status();
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument));
    return absl::StrSplit(status.message(), '\n');
  }
  Matcher<std::string> At(int line, const std::string& words) const {
    return AllOf(StartsWith(absl::StrCat(path(), ":", line, ": ")),
                 HasSubstr(words));
  }
  static std::string Example() {
    return ReadTestFile("deploy/witness.textproto");
  }

  static const TestPki* pki_;
  const PosixDisk disk_{};
};
const TestPki* WitnessConfigTest::pki_ = nullptr;

TEST_F(WitnessConfigTest, TheExampleHasNoMistake) {
  ASSERT_OK_AND_ASSIGN(const WitnessConfig config, Load(Example()));
  EXPECT_EQ(config.places.name, "dpo.police.example/w1");
  EXPECT_EQ(config.places.state_directory, "/srv/schleuse-witness/state");
  ASSERT_THAT(config.gateways, SizeIs(1));
  EXPECT_EQ(config.gateways[0].gateway(), "police.example/gw-1");
  ASSERT_TRUE(config.https);
  EXPECT_EQ(config.https->listen.ToString(), "0.0.0.0:8444");
  EXPECT_EQ(config.https->clients.at("spiffe://police.example/gateway/hq/gw-1"),
            "police.example/gw-1");
  EXPECT_THAT(config.warnings, IsEmpty());
}

TEST_F(WitnessConfigTest, WithoutANetworkItNeedsNoCertificates) {
  ASSERT_OK_AND_ASSIGN(const WitnessConfig config,
                       Load("name: 'w' state_directory: 'state' "
                            "key_directory: 'key' "
                            "gateway { keys_file: 'gw-1.keys.pub' }"));
  EXPECT_FALSE(config.https);
  EXPECT_EQ(config.places.state_directory, pki_->Path("state"));
}

TEST_F(WitnessConfigTest, InitNeedsThePlacesAlone) {
  WriteTestFile(path(),
                "name: 'w' state_directory: '/a' key_directory: '/b' "
                "gateway { keys_file: 'not-there-yet' }");
  ASSERT_OK_AND_ASSIGN(const WitnessPlaces places,
                       WitnessConfig::LoadPlaces(disk_, path()));
  EXPECT_EQ(places.key_directory, "/b");
}

TEST_F(WitnessConfigTest, ListsEverythingThatIsMissing) {
  EXPECT_THAT(MistakesIn(""), ElementsAre(At(1, "state_directory: is missing"),
                                          At(1, "key_directory: is missing"),
                                          At(1, "name: is missing"),
                                          At(1, "gateway: is missing")));
  EXPECT_THAT(
      MistakesIn("name: 'w' state_directory: 'state' key_directory: 'key' "
                 "gateway { keys_file: 'gw-1.keys.pub' client: 'spiffe://a' }\n"
                 "https { }"),
      ElementsAre(At(2, "https.listen: is missing"),
                  At(2, "https.certificate_chain_file: is missing"),
                  At(2, "https.private_key_file: is missing"),
                  At(2, "https.root_certificates_file: is missing"),
                  At(2, "https.issuing_ca_files: is missing")));
}

TEST_F(WitnessConfigTest, ListsEveryMistakeWithItsLine) {
  EXPECT_THAT(
      MistakesIn("name: 'a b'\n"
                 "state_directory: '/x'\n"
                 "key_directory: '/x'\n"
                 "gateway { keys_file: 'none' }\n"
                 "gateway { keys_file: 'root.pem' }\n"
                 "gateway { keys_file: 'gw-1.keys.pub' client: 'gw-1' }\n"
                 "gateway { keys_file: 'gw-1.keys.pub' }\n"
                 "https {\n"
                 "listen: 'localhost:1'\n"
                 "prefix: 'w1/'\n"
                 "certificate_chain_file: 'witness.pem'\n"
                 "private_key_file: 'witness.key'\n"
                 "root_certificates_file: 'root.pem'\n"
                 "issuing_ca_files: 'witness.pem'\n"
                 "revocation_list_files: 'crl-gateway.pem'\n"
                 "}\n"),
      ElementsAre(At(1, "name: must be"), At(3, "key_directory: must not be"),
                  At(4, "gateway[0].keys_file: open"),
                  At(5, "gateway[1].keys_file: "),
                  At(6, "gateway[2].client: must be a SPIFFE ID"),
                  At(7, "gateway[3].keys_file: is of a gateway that was named"),
                  At(9, "https.listen: must be an IP address"),
                  At(10, "https.prefix: must be a path"),
                  At(14, "https.issuing_ca_files[0]: "),
                  At(15, "https.revocation_list_files[0]: ")));
}

TEST_F(WitnessConfigTest, ADoorThatLetsNobodyInIsAMistake) {
  EXPECT_THAT(
      MistakesIn(absl::StrReplaceAll(
          Example(),
          {{"client: \"spiffe://police.example/gateway/hq/gw-1\"", ""}})),
      ElementsAre(HasSubstr("https: lets nobody in")));
}

TEST_F(WitnessConfigTest, ACertificateThatIsNoneIsFoundAtOnce) {
  EXPECT_THAT(MistakesIn(absl::StrReplaceAll(
                  Example(), {{"\"witness.pem\"", "\"old.pem\""},
                              {"\"witness.key\"", "\"old.key\""}})),
              ElementsAre(HasSubstr("has expired")));
  EXPECT_THAT(MistakesIn(absl::StrReplaceAll(
                  Example(), {{"\"witness.key\"", "\"old.key\""}})),
              ElementsAre(HasSubstr("the private key cannot be used")));
}

TEST_F(WitnessConfigTest, WarnsOfWhatKeepsGatewaysOut) {
  ASSERT_OK_AND_ASSIGN(
      const WitnessConfig config,
      Load(absl::StrReplaceAll(
          Example(), {{"revocation_list_files: \"crl-gateway.pem\"", ""}})));
  EXPECT_THAT(config.warnings,
              ElementsAre(HasSubstr("its gateways are refused")));
}

}  // namespace
}  // namespace schleuse
