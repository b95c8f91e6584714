#include "crypto/certificate.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "base/status_matchers.h"
#include "certs/test_pki.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

const TestPki& Pki() {
  static const auto* const pki = new TestPki();
  return *pki;
}
// The same names everywhere, other keys.
const TestPki& Stranger() {
  static const auto* const pki = new TestPki();
  return *pki;
}

Certificate Load(const std::string& path) {
  return *Certificate::FromPem(ReadTestFile(path));
}
Certificate Issue(absl::string_view words) { return Load(Pki().Issue(words)); }
Certificate Ca(const TestPki& pki, absl::string_view name) {
  return *Certificate::FromPem(pki.Read(absl::StrCat("ca-", name, ".pem")));
}

std::string OpenSslSays(const std::string& words) {
  const std::string out = Pki().Path("said");
  RunForTest(absl::StrCat("openssl ", words, " >", out));
  return ReadTestFile(out);
}

class CertificateTest : public testing::Test {
 protected:
  // An error left behind would end somebody's next TLS connection.
  void TearDown() override { EXPECT_EQ(ERR_peek_error(), 0); }
};
using RevocationListTest = CertificateTest;

TEST_F(CertificateTest, SaysWhatOpenSslSays) {
  const absl::Time before = absl::Now() - absl::Seconds(1);
  const std::string path = Pki().Issue("dock said --station st-1 --days 30");
  const Certificate certificate = Load(path);
  EXPECT_THAT(certificate.UriNames(),
              ElementsAre("spiffe://police.example/dock/st-1/said"));
  EXPECT_EQ(certificate.SubjectText(),
            "CN=said,OU=st-1,OU=dock,O=Schleuse development PKI");
  EXPECT_GE(certificate.not_before(), before);
  EXPECT_LE(certificate.not_before(), absl::Now());
  EXPECT_EQ(certificate.not_after() - certificate.not_before(),
            absl::Hours(30 * 24));
  EXPECT_EQ(absl::StrCat("serial=",
                         absl::AsciiStrToUpper(certificate.SerialHex()), "\n"),
            OpenSslSays("x509 -noout -serial -in " + path));
  EXPECT_THAT(
      absl::StrReplaceAll(
          OpenSslSays("x509 -noout -fingerprint -sha256 -in " + path),
          {{":", ""}}),
      HasSubstr(absl::AsciiStrToUpper(certificate.Fingerprint().ToHex())));
}

TEST_F(CertificateTest, ReadsAChainInOrder) {
  const std::string pem = ReadTestFile(Pki().Issue("dock chain"));
  ASSERT_OK_AND_ASSIGN(const std::vector<Certificate> chain,
                       Certificate::AllFromPem(pem));
  ASSERT_EQ(chain.size(), 2);
  EXPECT_EQ(chain[0].Fingerprint(), Certificate::FromPem(pem)->Fingerprint());
  EXPECT_FALSE(chain[0].is_ca());
  EXPECT_TRUE(chain[1].is_ca());
  EXPECT_TRUE(chain[0].IssuedBy(chain[1]));
  EXPECT_FALSE(chain[1].IssuedBy(chain[0]));
}

TEST_F(CertificateTest, RefusesWhatIsNone) {
  const std::string pem = ReadTestFile(Pki().Issue("dock none"));
  const std::string key = ReadTestFile(TestPki::KeyOf(Pki().Path("root.pem")));
  for (const std::string& bad :
       {std::string(), std::string("text"), std::string("\0\0", 2), key,
        pem.substr(0, 200),
        std::string("-----BEGIN CERTIFICATE-----\nAAAA\n"
                    "-----END CERTIFICATE-----\n"),
        std::string("-----BEGIN CERTIFICATE-----\n!!!!\n"
                    "-----END CERTIFICATE-----\n")}) {
    EXPECT_THAT(Certificate::FromPem(bad), StatusIs(kInvalid)) << bad;
    EXPECT_THAT(Certificate::AllFromPem(bad), StatusIs(kInvalid)) << bad;
  }
  // A broken one behind a good one does not go unseen.
  EXPECT_THAT(Certificate::AllFromPem(pem + pem.substr(0, 200)),
              StatusIs(kInvalid));
}

TEST_F(CertificateTest, ShowsUrisByteForByte) {
  EXPECT_THAT(Issue("dock u1 --uri spiffe://A/b --uri http://c/%00").UriNames(),
              ElementsAre("spiffe://A/b", "http://c/%00"));
  EXPECT_THAT(Issue("dock u2 --no-uri --dns d.example").UriNames(), IsEmpty());
  // "a://b" NUL "c": what a C string would cut short.
  EXPECT_THAT(Issue("dock u3 --alt-names DER:30:09:86:07:61:3a:2f:2f:62:00:63")
                  .UriNames(),
              ElementsAre(std::string("a://b\0c", 7)));
}

TEST_F(CertificateTest, RefusesBrokenAlternativeNames) {
  const std::string path =
      Pki().Issue("dock broken --alt-names DER:30:09:86:07:61");
  EXPECT_THAT(Certificate::FromPem(ReadTestFile(path)),
              StatusIs(kInvalid, HasSubstr("malformed")));
}

TEST_F(CertificateTest, OnlyTheIssuersKeyCounts) {
  const Certificate leaf = Issue("dock leaf");
  EXPECT_TRUE(leaf.IssuedBy(Ca(Pki(), "devices")));
  EXPECT_FALSE(leaf.IssuedBy(Ca(Pki(), "people")));
  EXPECT_FALSE(leaf.IssuedBy(*Certificate::FromPem(Pki().Read("root.pem"))));
  // Same name, another key.
  EXPECT_EQ(Ca(Stranger(), "devices").SubjectText(),
            Ca(Pki(), "devices").SubjectText());
  EXPECT_FALSE(leaf.IssuedBy(Ca(Stranger(), "devices")));
}

// Issuer, key identifier, everything is as it should be; only the name was
// changed after the CA had signed.
TEST_F(CertificateTest, AChangedNameBreaksTheSignature) {
  const std::string path = Pki().Issue("dock d1 --station forged");
  const std::string der_path = Pki().Path("forged.der");
  RunForTest(
      absl::StrCat("openssl x509 -outform DER -in ", path, " -out ", der_path));
  const auto certificate = [](absl::string_view der) {
    return *Certificate::FromPem(absl::StrCat("-----BEGIN CERTIFICATE-----\n",
                                              absl::Base64Escape(der),
                                              "\n-----END CERTIFICATE-----\n"));
  };
  const std::string der = ReadTestFile(der_path);
  EXPECT_TRUE(certificate(der).IssuedBy(Ca(Pki(), "devices")));
  const Certificate forged =
      certificate(absl::StrReplaceAll(der, {{"forged/d1", "forged/d2"}}));
  EXPECT_THAT(forged.UriNames(),
              ElementsAre("spiffe://police.example/dock/forged/d2"));
  EXPECT_FALSE(forged.IssuedBy(Ca(Pki(), "devices")));
}

TEST_F(CertificateTest, ALeafThatSignsIsNoIssuer) {
  const std::string path = Pki().Issue("dock signer");
  const std::string out = Pki().Path("by-a-leaf.pem");
  RunForTest(absl::StrCat(
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
      "-keyout /dev/null -subj /CN=x -CA ",
      path, " -CAkey ", TestPki::KeyOf(path), " -out ", out, " 2>/dev/null"));
  EXPECT_FALSE(Load(out).IssuedBy(Load(path)));
}

TEST_F(CertificateTest, KeyOfTheCertificateAndNoOther) {
  const std::string path = Pki().Issue("dock key1");
  const Certificate certificate = Load(path);
  const std::string key = ReadTestFile(TestPki::KeyOf(path));
  EXPECT_OK(certificate.MatchesKey(key));
  const std::string other =
      ReadTestFile(TestPki::KeyOf(Pki().Issue("dock key2")));
  EXPECT_THAT(certificate.MatchesKey(other),
              StatusIs(kInvalid, HasSubstr("CN=key1")));
  EXPECT_THAT(certificate.MatchesKey(""), StatusIs(kInvalid));
  EXPECT_THAT(certificate.MatchesKey(ReadTestFile(path)), StatusIs(kInvalid));
}

TEST_F(CertificateTest, AnEncryptedKeyIsRefusedWithoutAskingForItsPassword) {
  const std::string path = Pki().Issue("dock encrypted");
  const std::string out = Pki().Path("encrypted-key");
  RunForTest(absl::StrCat("openssl pkey -aes256 -passout pass:secret -in ",
                          TestPki::KeyOf(path), " -out ", out));
  EXPECT_THAT(Load(path).MatchesKey(ReadTestFile(out)), StatusIs(kInvalid));
}

TEST_F(CertificateTest, TellsWeakKeys) {
  const auto with_key = [](absl::string_view newkey) {
    const std::string out = Pki().Path("with-key.pem");
    RunForTest(
        absl::StrCat("openssl req -x509 -nodes -keyout /dev/null "
                     "-subj /CN=x -out ",
                     out, " -newkey ", newkey, " 2>/dev/null"));
    return Load(out);
  };
  EXPECT_TRUE(Issue("dock strong").KeyIsStrongEnough());
  EXPECT_TRUE(with_key("rsa:3072").KeyIsStrongEnough());
  EXPECT_FALSE(with_key("rsa:2048").KeyIsStrongEnough());
  EXPECT_FALSE(
      with_key("ec -pkeyopt ec_paramgen_curve:P-224").KeyIsStrongEnough());
  EXPECT_TRUE(
      with_key("ec -pkeyopt ec_paramgen_curve:P-384").KeyIsStrongEnough());
  EXPECT_FALSE(with_key("ed25519").KeyIsStrongEnough());
}

TEST_F(RevocationListTest, RevokesWhatItsIssuerRevoked) {
  const TestPki pki;
  const std::string bad = pki.Issue("dock bad");
  const std::string good = pki.Issue("dock good");
  const std::string person = pki.Issue("operator person");
  pki.Revoke(bad);
  const absl::Time now = absl::Now();
  ASSERT_OK_AND_ASSIGN(
      const RevocationList list,
      RevocationList::FromPem(pki.Read("crl-devices.pem"),
                              {Ca(pki, "people"), Ca(pki, "devices")}));
  EXPECT_TRUE(list.Covers(Load(bad)));
  EXPECT_TRUE(list.Covers(Load(good)));
  EXPECT_FALSE(list.Covers(Load(person)));
  EXPECT_TRUE(list.Revokes(Load(bad)));
  EXPECT_FALSE(list.Revokes(Load(good)));
  EXPECT_FALSE(list.Revokes(Load(person)));
  EXPECT_EQ(list.IssuerText(),
            "CN=Issuing CA devices,O=Schleuse development PKI");
  EXPECT_GT(list.next_update(), now + absl::Hours(29 * 24));
  EXPECT_LE(list.next_update(), absl::Now() + absl::Hours(30 * 24));
}

TEST_F(RevocationListTest, DoesNotCoverACaOfTheSameNameWithAnotherKey) {
  ASSERT_OK_AND_ASSIGN(const RevocationList list,
                       RevocationList::FromPem(
                           Stranger().Read("crl-devices.pem"),
                           {Ca(Pki(), "devices"), Ca(Stranger(), "devices")}));
  EXPECT_FALSE(list.Covers(Issue("dock covered")));
  EXPECT_TRUE(list.Covers(Load(Stranger().Issue("dock covered"))));
}

TEST_F(RevocationListTest, RefusesListsThatNoneOfOursSigned) {
  const std::string pem = Pki().Read("crl-devices.pem");
  for (const std::vector<Certificate>& issuers : {std::vector<Certificate>{},
                                                  {Ca(Pki(), "people")},
                                                  {Ca(Stranger(), "devices")},
                                                  // Its name is no CA's.
                                                  {Issue("dock no-ca")}}) {
    EXPECT_THAT(RevocationList::FromPem(pem, issuers),
                StatusIs(kInvalid, HasSubstr("signed by none")));
  }
}

TEST_F(RevocationListTest, RefusesAnIssuerThatMayNotSignLists) {
  const std::string out = Pki().Path("no-lists.pem");
  RunForTest(
      absl::StrCat("openssl req -x509 -key ", Pki().Path("ca-devices.key"),
                   " -subj '/O=Schleuse development PKI/CN=Issuing CA devices'"
                   " -addext keyUsage=critical,keyCertSign -out ",
                   out));
  EXPECT_THAT(
      RevocationList::FromPem(Pki().Read("crl-devices.pem"), {Load(out)}),
      StatusIs(kInvalid, HasSubstr("signed by none")));
}

TEST_F(RevocationListTest, RefusesATamperedList) {
  const std::string path = Pki().Path("tampered.der");
  RunForTest(absl::StrCat("openssl crl -outform DER -in ",
                          Pki().Path("crl-devices.pem"), " -out ", path));
  const std::string der = ReadTestFile(path);
  int still_read = 0;
  for (size_t i = 0; i < der.size(); ++i) {
    std::string tampered = der;
    tampered[i] ^= 1;
    const std::string pem =
        absl::StrCat("-----BEGIN X509 CRL-----\n", absl::Base64Escape(tampered),
                     "\n-----END X509 CRL-----\n");
    const auto list = RevocationList::FromPem(pem, {Ca(Pki(), "devices")});
    if (list.ok()) ++still_read;
  }
  EXPECT_EQ(still_read, 0);
}

TEST_F(RevocationListTest, RefusesWhatIsNoSingleList) {
  const std::vector<Certificate> issuers = {Ca(Pki(), "devices")};
  const std::string pem = Pki().Read("crl-devices.pem");
  EXPECT_THAT(RevocationList::FromPem("", issuers), StatusIs(kInvalid));
  EXPECT_THAT(RevocationList::FromPem(Pki().Read("root.pem"), issuers),
              StatusIs(kInvalid));
  EXPECT_THAT(RevocationList::FromPem(pem.substr(0, 150), issuers),
              StatusIs(kInvalid));
  EXPECT_THAT(RevocationList::FromPem(pem + pem, issuers),
              StatusIs(kInvalid, HasSubstr("more than one")));
}

// A list of some reasons or some certificates only must not pass for the whole.
TEST_F(RevocationListTest, RefusesPartialLists) {
  const std::string config = Pki().Path("partial.cnf");
  WriteTestFile(config,
                absl::StrCat(ReadTestFile("certs/profiles.cnf"),
                             "[partial]\n"
                             "issuingDistributionPoint = critical, @point\n"
                             "[point]\nonlyuser = TRUE\n"));
  const std::string out = Pki().Path("partial.pem");
  RunForTest(absl::StrCat(
      "SCHLEUSE_PKI=", Pki().Path("."), " openssl ca -config ", config,
      " -name ca_devices -gencrl -crldays 1 -crlexts partial -out ", out,
      " 2>/dev/null"));
  EXPECT_THAT(
      RevocationList::FromPem(ReadTestFile(out), {Ca(Pki(), "devices")}),
      StatusIs(kInvalid, HasSubstr("critical extension")));
}

// Nobody could say when it is out of date.
TEST_F(RevocationListTest, RefusesAListThatDoesNotNameTheNext) {
  const std::string pem = Pki().Read("crl-devices.pem");
  const std::string key = Pki().Read("ca-devices.key");
  BIO* in = BIO_new_mem_buf(pem.data(), -1);
  BIO* key_in = BIO_new_mem_buf(key.data(), -1);
  X509_CRL* whole = PEM_read_bio_X509_CRL(in, nullptr, nullptr, nullptr);
  EVP_PKEY* signer = PEM_read_bio_PrivateKey(key_in, nullptr, nullptr, nullptr);
  X509_CRL* list = X509_CRL_new();
  X509_CRL_set_version(list, 1);
  X509_CRL_set_issuer_name(list, X509_CRL_get_issuer(whole));
  X509_CRL_set1_lastUpdate(list, X509_CRL_get0_lastUpdate(whole));
  ASSERT_GT(X509_CRL_sign(list, signer, EVP_sha256()), 0);
  BIO* out = BIO_new(BIO_s_mem());
  ASSERT_EQ(PEM_write_bio_X509_CRL(out, list), 1);
  char* text = nullptr;
  const long size = BIO_get_mem_data(out, &text);
  EXPECT_THAT(RevocationList::FromPem(absl::string_view(text, size),
                                      {Ca(Pki(), "devices")}),
              StatusIs(kInvalid, HasSubstr("when the next is due")));
  X509_CRL_free(list);
  X509_CRL_free(whole);
  EVP_PKEY_free(signer);
  BIO_free(in);
  BIO_free(key_in);
  BIO_free(out);
}

}  // namespace
}  // namespace schleuse
