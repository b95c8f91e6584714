#include "evidence/receipt.h"

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using absl::StatusCode;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// transparency-dev/formats, proof/tlog_proof_test.go.
TEST(ReceiptVectorsTest, ReadsAndWritesWhatOthersDo) {
  const Receipt receipt = {.index = 5,
                           .proof = {Sha256::Of("hash1"), Sha256::Of("hash2")},
                           .checkpoint = "test checkpoint\n"};
  const std::string text =
      "c2sp.org/tlog-proof@v1\nindex 5\n"
      "rzFuy5Go7nrpkhBwKy1HWPMM3eO/YePY54fXRoH5Cm4=\n"
      "5784L25ZFbP4hhm4ZiI+vx1RxMUyHMzeLp/3AKMlkIY=\n\ntest checkpoint\n";
  EXPECT_EQ(ToText(receipt), text);
  ASSERT_OK_AND_ASSIGN(const Receipt again, ParseReceipt(text));
  EXPECT_EQ(again.index, 5u);
  EXPECT_THAT(again.proof, SizeIs(2));
  EXPECT_EQ(again.checkpoint, "test checkpoint\n");
}

TEST(ReceiptVectorsTest, WithSomethingExtra) {
  const Receipt receipt = {.extra = "extra information",
                           .index = 10,
                           .proof = {Sha256::Of("hash1")},
                           .checkpoint = "test checkpoint\n"};
  EXPECT_THAT(ToText(receipt),
              HasSubstr("\nextra ZXh0cmEgaW5mb3JtYXRpb24=\nindex 10\n"));
  ASSERT_OK_AND_ASSIGN(const Receipt again, ParseReceipt(ToText(receipt)));
  EXPECT_EQ(again.extra, "extra information");
}

TEST(ReceiptVectorsTest, OfALogOfOne) {
  EXPECT_OK(
      ParseReceipt("c2sp.org/tlog-proof@v1\nindex 0\n\ncheckpoint\n").status());
}

TEST(ReceiptTest, WhatIsNoneIsRefused) {
  const std::string head = "c2sp.org/tlog-proof@v1\n";
  const std::string hash = "rzFuy5Go7nrpkhBwKy1HWPMM3eO/YePY54fXRoH5Cm4=\n";
  std::string hashes64;
  for (int i = 0; i < 64; ++i) hashes64 += hash;
  for (const std::string& bad : {
           std::string(),
           head,
           std::string("c2sp.org/tlog-proof@v2\nindex 0\n\ncheckpoint\n"),
           head + "extra not base64\nindex 0\n\ncheckpoint\n",
           head + "extra ZXh0cmE=\n\ncheckpoint\n",
           head + hash + "\ncheckpoint\n",
           head + "index notanumber\n\ncheckpoint\n",
           head + "index -5\n\ncheckpoint\n",
           head + "index 05\n\ncheckpoint\n",
           head + "index \n\ncheckpoint\n",
           head + "index 5\nnot base64\n\ncheckpoint\n",
           head + "index 5\n" + absl::Base64Escape(std::string(64, 'x')) +
               "\n\ncheckpoint\n",
           absl::StrCat(head, "index 5\n", hashes64, "\ncheckpoint\n"),
           absl::StrCat(head, "index 5\n", hash),
           absl::StrCat(head, "index 5\n", hash, "\n"),
           absl::StrCat(head, "index 5\n", hash, "checkpoint\n"),
           std::string(kReceiptBytesMax + 1, 'x'),
       }) {
    EXPECT_THAT(ParseReceipt(bad).status(),
                StatusIs(StatusCode::kInvalidArgument))
        << bad.substr(0, 300);
  }
}

// A log of three statements.
class VerifyReceiptTest : public testing::Test {
 protected:
  VerifyReceiptTest() {
    const Digest pair = NodeHash(LeafHash("zero"), LeafHash("one"));
    const Checkpoint checkpoint = {"g/custody/2026", 3,
                                   NodeHash(pair, LeafHash("two"))};
    text_ = ToText(checkpoint);
    receipt_ = {
        .index = 1,
        .proof = {LeafHash("zero"), LeafHash("two")},
        .checkpoint = *SignNote(text_, {Signer(ed25519_), Signer(ecdsa_)})};
  }
  static NoteSigner Signer(const PrivateKey& key) {
    return *NoteSigner::Make("g/custody/2026", key);
  }

  const PrivateKey ed25519_ = PrivateKey::Generate(KeyKind::kEd25519);
  const PrivateKey ecdsa_ = PrivateKey::Generate(KeyKind::kEcdsaP256);
  const PinnedKeys pinned_ =
      *PinnedKeys::Make("g", {ed25519_.public_key(), ecdsa_.public_key()});
  std::string text_;
  Receipt receipt_;
};

TEST_F(VerifyReceiptTest, ShowsThatTheLogHoldsTheStatement) {
  ASSERT_OK_AND_ASSIGN(const Proven proven,
                       VerifyReceipt(ToText(receipt_), "one", pinned_));
  EXPECT_EQ(proven.index, 1u);
  EXPECT_EQ(proven.checkpoint.size, 3u);
}

TEST_F(VerifyReceiptTest, AnAlteredStatementIsRefused) {
  for (const char* other : {"", "One", "one ", "zero", "two"}) {
    EXPECT_THAT(VerifyReceipt(ToText(receipt_), other, pinned_).status(),
                StatusIs(StatusCode::kDataLoss));
  }
}

TEST_F(VerifyReceiptTest, AnotherKeyIsRefused) {
  const PinnedKeys other = *PinnedKeys::Make(
      "g", {PrivateKey::Generate(KeyKind::kEd25519).public_key()});
  EXPECT_THAT(VerifyReceipt(ToText(receipt_), "one", other).status(),
              StatusIs(StatusCode::kPermissionDenied));
}

TEST_F(VerifyReceiptTest, AnyChangedByteIsRefused) {
  const std::string good = ToText(receipt_);
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    EXPECT_FALSE(VerifyReceipt(bad, "one", pinned_).ok()) << i;
  }
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(VerifyReceipt(good.substr(0, size), "one", pinned_).ok());
  }
}

TEST_F(VerifyReceiptTest, WitnessesCountWhereTheyAreAskedFor) {
  const PrivateKey key = PrivateKey::Generate(KeyKind::kEd25519);
  const NoteVerifier witness =
      *NoteVerifier::Make("w", NoteKeyType::kCosignature, key.public_key());
  const NoteVerifier absent = *NoteVerifier::Make(
      "absent", NoteKeyType::kCosignature, key.public_key());
  const WitnessPolicy one = {.witnesses = {absent, witness}, .required = 1};
  const WitnessPolicy both = {.witnesses = {absent, witness}, .required = 2};
  EXPECT_THAT(VerifyReceipt(ToText(receipt_), "one", pinned_, one).status(),
              StatusIs(StatusCode::kPermissionDenied, HasSubstr("only 0")));
  receipt_.checkpoint += *CosignatureLine("w", key, text_, 1'700'000'000);
  ASSERT_OK_AND_ASSIGN(const Proven proven,
                       VerifyReceipt(ToText(receipt_), "one", pinned_, one));
  ASSERT_THAT(proven.cosignatures, SizeIs(1));
  EXPECT_EQ(proven.cosignatures[0].time, 1'700'000'000u);
  EXPECT_FALSE(VerifyReceipt(ToText(receipt_), "one", pinned_, both).ok());
}

TEST_F(VerifyReceiptTest, AWitnessOfOtherBytesIsRefused) {
  const PrivateKey key = PrivateKey::Generate(KeyKind::kEd25519);
  const WitnessPolicy one = {
      .witnesses = {*NoteVerifier::Make("w", NoteKeyType::kCosignature,
                                        key.public_key())},
      .required = 1};
  receipt_.checkpoint += *CosignatureLine("w", key, "other\n", 1'700'000'000);
  EXPECT_THAT(VerifyReceipt(ToText(receipt_), "one", pinned_, one).status(),
              StatusIs(StatusCode::kDataLoss));
}

}  // namespace
}  // namespace schleuse
