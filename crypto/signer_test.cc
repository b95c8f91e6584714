#include "crypto/signer.h"

#include <string>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using absl::StatusCode;
using ::testing::SizeIs;

class SignerTest : public testing::TestWithParam<KeyKind> {};

INSTANTIATE_TEST_SUITE_P(Kinds, SignerTest,
                         testing::Values(KeyKind::kEd25519,
                                         KeyKind::kEcdsaP256));

TEST_P(SignerTest, WhatItSignsVerifies) {
  const PrivateKey key = PrivateKey::Generate(GetParam());
  EXPECT_EQ(key.kind(), GetParam());
  for (const char* text : {"", "a", "a longer text\nof two lines\n"}) {
    EXPECT_TRUE(key.public_key().Verify(text, key.Sign(text)));
  }
}

TEST_P(SignerTest, AnyOtherByteFails) {
  const PrivateKey key = PrivateKey::Generate(GetParam());
  const std::string text = "what was said";
  const std::string signature = key.Sign(text);
  for (size_t i = 0; i < text.size(); ++i) {
    std::string other = text;
    other[i] ^= 1;
    EXPECT_FALSE(key.public_key().Verify(other, signature)) << i;
  }
  for (size_t i = 0; i < signature.size(); ++i) {
    std::string other = signature;
    other[i] ^= 1;
    EXPECT_FALSE(key.public_key().Verify(text, other)) << i;
  }
  EXPECT_FALSE(key.public_key().Verify(text, ""));
  EXPECT_FALSE(key.public_key().Verify(text, absl::StrCat(signature, "x")));
  EXPECT_FALSE(
      PrivateKey::Generate(GetParam()).public_key().Verify(text, signature));
}

TEST_P(SignerTest, ComesBackFromPem) {
  const PrivateKey key = PrivateKey::Generate(GetParam());
  ASSERT_OK_AND_ASSIGN(const PrivateKey again,
                       PrivateKey::FromPem(key.ToPem()));
  EXPECT_EQ(again.kind(), GetParam());
  EXPECT_EQ(again.public_key().bytes(), key.public_key().bytes());
  EXPECT_TRUE(key.public_key().Verify("text", again.Sign("text")));
}

TEST_P(SignerTest, PemWithMoreOrLessIsRefused) {
  const std::string pem = PrivateKey::Generate(GetParam()).ToPem();
  for (const std::string& bad :
       {std::string(), std::string("no key"), pem.substr(0, pem.size() / 2),
        absl::StrCat(pem, pem)}) {
    EXPECT_THAT(PrivateKey::FromPem(bad).status(),
                StatusIs(StatusCode::kInvalidArgument));
  }
}

// RFC 8032, 7.1, TEST 2.
TEST(SignerVectorsTest, Ed25519) {
  ASSERT_OK_AND_ASSIGN(
      const PrivateKey key,
      PrivateKey::FromEd25519Seed(absl::HexStringToBytes(
          "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")));
  EXPECT_EQ(absl::BytesToHexString(key.public_key().bytes()),
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
  EXPECT_EQ(
      absl::BytesToHexString(key.Sign("\x72")),
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085"
      "ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
}

TEST(SignerVectorsTest, EcdsaIsRandomised) {
  const PrivateKey key = PrivateKey::Generate(KeyKind::kEcdsaP256);
  EXPECT_NE(key.Sign("text"), key.Sign("text"));
}

TEST(PublicKeyTest, WhatIsNoKeyIsRefused) {
  EXPECT_THAT(PublicKey::FromEd25519("short").status(),
              StatusIs(StatusCode::kInvalidArgument));
  const std::string spki =
      PrivateKey::Generate(KeyKind::kEcdsaP256).public_key().bytes();
  EXPECT_THAT(spki, SizeIs(91));
  EXPECT_OK(PublicKey::FromEcdsaP256(spki).status());
  for (const std::string& bad :
       {std::string(), spki.substr(0, 90), absl::StrCat(spki, "x"),
        std::string(91, 'x'), std::string(1000, 'x')}) {
    EXPECT_THAT(PublicKey::FromEcdsaP256(bad).status(),
                StatusIs(StatusCode::kInvalidArgument));
  }
}

}  // namespace
}  // namespace schleuse
