#include "gateway/trust.h"

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "base/status_matchers.h"
#include "certs/test_pki.h"
#include "disk/posix_disk.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

class TrustTest : public testing::Test {
 protected:
  TrustTest() {
    const std::string certificate = pki_.Issue("gateway g1 --ip 127.0.0.1");
    WriteTestFile(pki_.Path("roster"),
                  "trust_domain: 'police.example'\n"
                  "issuer { role: 'dock' certificate_file: 'ca-devices.pem' }\n"
                  "issuer { role: 'operator' role: 'auditor'\n"
                  "         certificate_file: 'ca-people.pem' }\n");
    WriteTestFile(pki_.Path("c"),
                  absl::StrCat("listen: '127.0.0.1:0'\n"
                               "spool_directory: 'spool'\n"
                               "store { file { root: 'store' } }\n"
                               "roster_file: 'roster'\n"
                               "tls { certificate_chain_file: '",
                               certificate, "'\nprivate_key_file: '",
                               TestPki::KeyOf(certificate),
                               "'\nroot_certificates_file: 'root.pem'\n"
                               "revocation_list_files: 'crl-devices.pem'\n"
                               "revocation_list_files: 'crl-people.pem' }"));
    const auto config = Config::Load(PosixDisk(), pki_.Path("c"));
    EXPECT_OK(config);
    config_ = *config;
  }

  absl::StatusOr<Trust> Load(absl::Time now = absl::Now()) {
    return Trust::Load(PosixDisk(), *config_, now);
  }
  std::vector<std::string> Mistakes(absl::Time now = absl::Now()) {
    const absl::Status status = Load(now).status();
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument));
    return absl::StrSplit(status.message(), '\n');
  }
  auto In(const std::string& path, const std::string& words) {
    return AllOf(StartsWith(path + ": "), HasSubstr(words));
  }

  TestPki pki_;
  std::optional<Config> config_;
};

TEST_F(TrustTest, ReadsWhatFits) {
  ASSERT_OK_AND_ASSIGN(const Trust trust, Load());
  EXPECT_THAT(trust.warnings, IsEmpty());
  EXPECT_THAT(trust.revocation_lists, SizeIs(2));
  EXPECT_EQ(trust.roster.trust_domain(), "police.example");
  EXPECT_EQ(trust.certificate_chain_pem,
            ReadTestFile(config_->certificate_chain_file));
  EXPECT_EQ(trust.private_key_pem, ReadTestFile(config_->private_key_file));
  EXPECT_EQ(trust.root_certificates_pem, pki_.Read("root.pem"));
}

TEST_F(TrustTest, ListsWhatIsWrongInEveryFile) {
  WriteTestFile(pki_.Path("empty"), "");
  WriteTestFile(pki_.Path("text"), "hello");
  const std::string chain = config_->certificate_chain_file;
  const std::string other_key = TestPki::KeyOf(pki_.Issue("gateway g2"));
  config_->private_key_file = other_key;
  config_->root_certificates_file = pki_.Path("text");
  config_->revocation_list_files = {pki_.Path("crl-gateway.pem"),
                                    pki_.Path("root.pem"), pki_.Path("gone")};
  EXPECT_THAT(Mistakes(),
              ElementsAre(In(other_key, "is not that of"),
                          In(pki_.Path("text"), "certificate"),
                          In(pki_.Path("crl-gateway.pem"), "signed by none"),
                          In(pki_.Path("root.pem"), "revocation list"),
                          HasSubstr("gone")));

  config_->certificate_chain_file = pki_.Path("empty");
  config_->root_certificates_file = chain;
  config_->revocation_list_files = {};
  WriteTestFile(config_->roster_file, "trust_domain: 'P'\nx: 1\n");
  EXPECT_THAT(Mistakes(), ElementsAre(In(chain, "is no CA"),
                                      HasSubstr("roster:1: trust_domain"),
                                      HasSubstr("roster:2: ")));
}

TEST_F(TrustTest, TheChainMustLeadUpwards) {
  const std::string path = pki_.Path("chain");
  const std::string leaf_and_ca = ReadTestFile(config_->certificate_chain_file);
  const size_t second = leaf_and_ca.find("-----BEGIN", 1);
  const std::string leaf = leaf_and_ca.substr(0, second);
  config_->certificate_chain_file = path;

  WriteTestFile(path, leaf + pki_.Read("ca-devices.pem"));
  EXPECT_THAT(Mistakes(), ElementsAre(In(path, "did not issue")));
  WriteTestFile(path, pki_.Read("ca-gateway.pem") + leaf);
  EXPECT_THAT(Mistakes(),
              ElementsAre(In(path, "did not issue"), HasSubstr("private key")));
  WriteTestFile(path, leaf_and_ca + pki_.Read("root.pem"));
  EXPECT_OK(Load());
}

TEST_F(TrustTest, RefusesCertificatesThatAreNotValidNow) {
  const std::string chain = config_->certificate_chain_file;
  EXPECT_THAT(Mistakes(absl::Now() + absl::Hours(24 * 366)),
              ElementsAre(In(chain, "expired at")));
  EXPECT_THAT(Mistakes(absl::Now() - absl::Hours(24)),
              ElementsAre(In(chain, "is not valid before"),
                          In(chain, "is not valid before"),
                          In(pki_.Path("root.pem"), "is not valid before")));
}

TEST_F(TrustTest, WarnsOfCasWhoseHoldersAreAllRefused) {
  ASSERT_OK_AND_ASSIGN(const Trust old,
                       Load(absl::Now() + absl::Hours(24 * 31)));
  EXPECT_THAT(old.warnings,
              ElementsAre(AllOf(HasSubstr("CA devices"), HasSubstr("ran out")),
                          AllOf(HasSubstr("CA people"), HasSubstr("ran out"))));
  config_->revocation_list_files.pop_back();
  ASSERT_OK_AND_ASSIGN(const Trust without, Load());
  EXPECT_THAT(without.warnings,
              ElementsAre(AllOf(HasSubstr("CA people"),
                                HasSubstr("it has no revocation list"))));
}

}  // namespace
}  // namespace schleuse
