#include "evidence/checkpoint.h"

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status_matchers.h"
#include "evidence/merkle.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using absl::StatusCode;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr char kRoot[] = "TszzRgjTG6xce+z2AG31kAXYKBgQVtCSCE40HmuwBb0=";

// golang/mod, sumdb/tlog/note_test.go.
TEST(CheckpointTest, ReadsAndWritesWhatOthersDo) {
  const std::string text =
      absl::StrCat("go.sum database tree\n123456789012\n", kRoot, "\n");
  ASSERT_OK_AND_ASSIGN(const Checkpoint checkpoint, ParseCheckpoint(text));
  EXPECT_EQ(checkpoint.origin, "go.sum database tree");
  EXPECT_EQ(checkpoint.size, 123456789012u);
  EXPECT_EQ(checkpoint.root, LeafHash("hello world"));
  EXPECT_EQ(ToText(checkpoint), text);
}

TEST(CheckpointTest, AnEmptyLogHasOneRoot) {
  EXPECT_OK(
      ParseCheckpoint("o\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n")
          .status());
  EXPECT_FALSE(
      ParseCheckpoint("o\n0\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n")
          .ok());
}

TEST(CheckpointTest, WhatIsNoneIsRefused) {
  for (const std::string& bad : {
           std::string(),
           std::string("o\n1\n"),
           absl::StrCat("\n1\n", kRoot, "\n"),
           absl::StrCat("o\n1\n", kRoot),
           absl::StrCat("o\n1\n", kRoot, "\nextension\n"),
           absl::StrCat("o\nbananas\n", kRoot, "\n"),
           absl::StrCat("o\n-34\n", kRoot, "\n"),
           absl::StrCat("o\n3438945738945739845734895735\n", kRoot, "\n"),
           absl::StrCat("o\n0xabcdef\n", kRoot, "\n"),
           absl::StrCat("o\n007\n", kRoot, "\n"),
           absl::StrCat("o\n+7\n", kRoot, "\n"),
           absl::StrCat("o\n\n", kRoot, "\n"),
           absl::StrCat("o\n 7\n", kRoot, "\n"),
           std::string("o\n7\nnot base64\n"),
           std::string("o\n7\nAAAA\n"),
           absl::StrCat("o\n7\n", kRoot, " \n"),
       }) {
    EXPECT_THAT(ParseCheckpoint(bad).status(),
                StatusIs(StatusCode::kInvalidArgument))
        << bad;
  }
}

TEST(OriginTest, NamesGatewayAndYear) {
  const Origin first = {.gateway = "police.example/gw-1", .year = 2026};
  EXPECT_EQ(first.ToString(), "police.example/gw-1/custody/2026");
  EXPECT_EQ(first.Directory(), "2026");
  EXPECT_THAT(Origin::Parse(first.ToString()), IsOkAndHolds(first));
  const Origin third = {.gateway = "g", .year = 2026, .number = 3};
  EXPECT_EQ(third.ToString(), "g/custody/2026-3");
  EXPECT_THAT(Origin::Parse("g/custody/2026-3"), IsOkAndHolds(third));
}

TEST(OriginTest, WhatIsNoneIsRefused) {
  for (const char* bad :
       {"", "g", "/custody/2026", "g/custody/", "g/custody/26", "g/custody/x",
        "g/custody/2026-", "g/custody/2026-1", "g/custody/2026-02",
        "g/custody/2026-x", "g/custody/02026", "g/custody/2026/",
        "g/custody/-2026", "g/custody/20260"}) {
    EXPECT_THAT(Origin::Parse(bad).status(),
                StatusIs(StatusCode::kInvalidArgument))
        << bad;
  }
}

class PinnedTest : public testing::Test {
 protected:
  std::string Sign(const Checkpoint& checkpoint,
                   const std::vector<PrivateKey>& keys) const {
    std::vector<NoteSigner> signers;
    for (const PrivateKey& key : keys) {
      signers.push_back(*NoteSigner::Make(checkpoint.origin, key));
    }
    return *SignNote(ToText(checkpoint), signers);
  }

  const PrivateKey ed25519_ = PrivateKey::Generate(KeyKind::kEd25519);
  const PrivateKey ecdsa_ = PrivateKey::Generate(KeyKind::kEcdsaP256);
  const PinnedKeys pinned_ =
      *PinnedKeys::Make("g", {ed25519_.public_key(), ecdsa_.public_key()});
  const Checkpoint checkpoint_ = {"g/custody/2026", 1, LeafHash("entry")};
};

TEST_F(PinnedTest, OneSetOfKeysServesEveryYear) {
  for (const char* origin :
       {"g/custody/2026", "g/custody/2027", "g/custody/2027-2"}) {
    const Checkpoint checkpoint = {origin, 1, LeafHash("entry")};
    EXPECT_THAT(OpenCheckpoint(Sign(checkpoint, {ed25519_, ecdsa_}), pinned_),
                IsOkAndHolds(checkpoint));
  }
}

TEST_F(PinnedTest, AllPinnedKeysMustHaveSigned) {
  EXPECT_THAT(OpenCheckpoint(Sign(checkpoint_, {ed25519_}), pinned_).status(),
              StatusIs(StatusCode::kPermissionDenied, HasSubstr("only 1")));
  const PrivateKey other = PrivateKey::Generate(KeyKind::kEd25519);
  EXPECT_THAT(OpenCheckpoint(Sign(checkpoint_, {other}), pinned_).status(),
              StatusIs(StatusCode::kPermissionDenied));
}

TEST_F(PinnedTest, AnotherGatewaysCheckpointIsRefused) {
  const Checkpoint other = {"h/custody/2026", 1, LeafHash("entry")};
  EXPECT_THAT(OpenCheckpoint(Sign(other, {ed25519_, ecdsa_}), pinned_).status(),
              StatusIs(StatusCode::kPermissionDenied));
}

TEST_F(PinnedTest, ASignatureUnderAnotherNameIsNone) {
  const NoteSigner signer = *NoteSigner::Make("g/custody/2025", ed25519_);
  EXPECT_THAT(OpenCheckpoint(*SignNote(ToText(checkpoint_), {signer}), pinned_)
                  .status(),
              StatusIs(StatusCode::kPermissionDenied));
}

TEST_F(PinnedTest, AnyChangedByteIsRefused) {
  const std::string good = Sign(checkpoint_, {ed25519_, ecdsa_});
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    EXPECT_FALSE(OpenCheckpoint(bad, pinned_).ok()) << i;
  }
}

TEST_F(PinnedTest, ComesBackFromItsText) {
  ASSERT_OK_AND_ASSIGN(const PinnedKeys again,
                       PinnedKeys::Parse(absl::StrCat("# the gateway of G\n\n",
                                                      pinned_.ToString())));
  EXPECT_EQ(again.gateway(), "g");
  EXPECT_THAT(again.keys(), SizeIs(2));
  EXPECT_EQ(again.ToString(), pinned_.ToString());
}

TEST_F(PinnedTest, WhatPinsNothingIsRefused) {
  const std::string other =
      PinnedKeys::Make("h", {ed25519_.public_key()})->ToString();
  const std::string witness =
      NoteVerifier::Make("g", NoteKeyType::kCosignature, ed25519_.public_key())
          ->ToString();
  for (const std::string& bad :
       {std::string(), std::string("# nothing\n"), std::string("no key\n"),
        absl::StrCat(pinned_.ToString(), other), witness,
        absl::StrCat(" ", pinned_.ToString())}) {
    EXPECT_THAT(PinnedKeys::Parse(bad).status(),
                StatusIs(StatusCode::kInvalidArgument))
        << bad;
  }
  EXPECT_FALSE(PinnedKeys::Make("a b", {ed25519_.public_key()}).ok());
}

}  // namespace
}  // namespace schleuse
