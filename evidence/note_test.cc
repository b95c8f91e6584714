#include "evidence/note.h"

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

// golang/mod, sumdb/note/note_test.go.
constexpr char kPeter[] =
    "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
constexpr char kEnoch[] =
    "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop";
constexpr char kText[] =
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n";
constexpr char kPeterLine[] =
    "\xe2\x80\x94 PeterNeumann "
    "x08go/ZJkuBS9UG/"
    "SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotp"
    "RZb6KE6RyyBwJnAM=\n";
constexpr char kEnochLine[] =
    "\xe2\x80\x94 EnochRoot "
    "rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/"
    "5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWL"
    "ox33WWd1RvMc+QQ=\n";

NoteVerifier Verifier(absl::string_view vkey) {
  return *NoteVerifier::Parse(vkey);
}
std::string Note(absl::string_view lines) {
  return absl::StrCat(kText, "\n", lines);
}

TEST(NoteVectorsTest, BothSignaturesAreGood) {
  const std::vector<NoteVerifier> known = {Verifier(kEnoch), Verifier(kPeter)};
  ASSERT_OK_AND_ASSIGN(
      const OpenedNote opened,
      OpenNote(Note(absl::StrCat(kPeterLine, kEnochLine)), known));
  EXPECT_EQ(opened.text, kText);
  ASSERT_THAT(opened.signatures, SizeIs(2));
  EXPECT_EQ(opened.signatures[0].verifier, 1u);
  EXPECT_EQ(opened.signatures[1].verifier, 0u);
  EXPECT_EQ(known[1].ToString(), kPeter);
}

TEST(NoteVectorsTest, SignsAsOthersDo) {
  std::string secret;
  ASSERT_TRUE(absl::Base64Unescape(
      "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz", &secret));
  ASSERT_OK_AND_ASSIGN(PrivateKey key,
                       PrivateKey::FromEd25519Seed(secret.substr(1)));
  ASSERT_OK_AND_ASSIGN(const NoteSigner signer,
                       NoteSigner::Make("PeterNeumann", key));
  EXPECT_EQ(signer.verifier().ToString(), kPeter);
  EXPECT_THAT(SignNote(kText, {signer}), IsOkAndHolds(Note(kPeterLine)));
}

// C2SP, signed-note.md.
TEST(NoteVectorsTest, SpecificationsExample) {
  EXPECT_OK(
      OpenNote(
          "This is an example message.\n\n\xe2\x80\x94 example.com/foo "
          "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYj"
          "OBH3mFXmRKuwHjG1Yu72IneyaQM=\n",
          {Verifier("example.com/foo+530d903a+"
                    "AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")})
          .status());
}

// transparency-dev/formats, note/note_verifier_test.go: a key of type 2.
TEST(NoteVectorsTest, EcdsaP256) {
  const std::string note =
      "Rekor\n798034\nf+7CoKgXKE/tNys9TTXcr/ad6U/K3xvznmzew9y6SP0=\n\n"
      "\xe2\x80\x94 rekor.sigstore.dev "
      "wNI9ajBEAiARInWIWyCdyG27CO6LPnPekyw20qO0YJfoaPaowGp/XgIgc+qEHS3+"
      "GKVClgqq20uDLet7MCoTURUCRdxwWBHHufk=\n";
  const NoteVerifier known = Verifier(
      "rekor.sigstore.dev+c0d23d6a+"
      "AjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNhtmPtrWm3U1eQXBogSMdGvXwBcK5AW5i0h"
      "rZLOC96l+smGNM7nwZ4QvFK/4sueRoVj//QP22Ni4Qt9DPfkWLc=");
  EXPECT_OK(OpenNote(note, {known}).status());
  std::string changed = note;
  changed[7] = '8';
  EXPECT_THAT(OpenNote(changed, {known}).status(),
              StatusIs(StatusCode::kDataLoss));
}

// transparency-dev/formats, note/note_cosigv1_test.go.
TEST(NoteVectorsTest, CosignatureKey) {
  constexpr char kWitness[] =
      "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2";
  const NoteVerifier witness = Verifier(kWitness);
  EXPECT_EQ(witness.type(), NoteKeyType::kCosignature);
  EXPECT_EQ(witness.ToString(), kWitness);
}

TEST(NoteVerifierTest, WhatIsNoKeyIsRefused) {
  constexpr char kTooLong[] =
      "PeterNeumann+cc469956+"
      "ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==";
  for (const char* bad :
       {kTooLong,
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "", "+", "++", "a+b+c", "PeterNeumann"}) {
    EXPECT_THAT(NoteVerifier::Parse(bad).status(),
                StatusIs(StatusCode::kInvalidArgument))
        << bad;
  }
  const std::string good = kPeter;
  for (size_t begin = 0; begin < good.size(); ++begin) {
    for (size_t end = begin; end <= good.size(); ++end) {
      if (end - begin == good.size()) continue;
      EXPECT_FALSE(NoteVerifier::Parse(good.substr(begin, end - begin)).ok());
    }
  }
  for (size_t i = 0; i < good.size(); ++i) {
    std::string other = good;
    ++other[i];
    EXPECT_FALSE(NoteVerifier::Parse(other).ok()) << other;
  }
}

TEST(NoteVerifierTest, NamesHaveNoSpaceAndNoPlus) {
  const PublicKey key = Verifier(kPeter).key();
  for (const std::string& bad :
       {std::string(), std::string("a b"), std::string("a+b"),
        std::string("a\tb"), std::string("a\xc2\xa0 b"),
        std::string("a\xe3\x80\x80z"), std::string("a\xff")}) {
    EXPECT_FALSE(NoteVerifier::Make(bad, NoteKeyType::kEd25519, key).ok());
  }
  EXPECT_FALSE(NoteVerifier::Make("a", NoteKeyType::kEcdsaP256, key).ok());
}

TEST(NoteTest, WhatIsNoNoteIsRefused) {
  const std::string text = kText;
  const std::string line = kPeterLine;
  std::string lines101;
  for (int i = 0; i < 101; ++i) lines101 += line;
  for (const std::string& bad : {
           text,
           text + "\n",
           text + "\n" + line.substr(0, line.size() - 1),
           absl::StrCat("\x01", text, "\n", line),
           absl::StrCat("\xff", text, "\n", line),
           text + "\n" + "\xe2\x80\x94 Bad Name x08go/AAAA=",
           text + "\n" + "\xe2\x80\x94 Bad Name x08go/AAAA=\n",
           absl::StrCat(text, "\n", line, "Unexpected line.\n"),
           absl::StrCat(text, "\n", lines101),
           text + "\n" + "\xe2\x80\x94 Name eDA=\n",         // an id too short
           text + "\n" + "\xe2\x80\x94 Name x08go/ZJ ku\n",  // not base64
           std::string(),
           std::string("\n\n"),
           std::string(kNoteBytesMax, 'x') + "\n\n" + line,
       }) {
    EXPECT_THAT(OpenNote(bad, {Verifier(kPeter)}).status(),
                StatusIs(StatusCode::kInvalidArgument))
        << bad.substr(0, 300);
    EXPECT_FALSE(NoteText(bad).ok());
  }
}

TEST(NoteTest, ABadSignatureOfAKnownKeyRefusesTheWhole) {
  std::string bad = kPeterLine;
  bad.insert(60, "ABCD");
  EXPECT_THAT(OpenNote(Note(absl::StrCat(kEnochLine, bad)),
                       {Verifier(kPeter), Verifier(kEnoch)})
                  .status(),
              StatusIs(StatusCode::kDataLoss, HasSubstr("PeterNeumann")));
}

TEST(NoteTest, ANoteOfStrangersIsRefused) {
  EXPECT_THAT(OpenNote(Note(kEnochLine), {Verifier(kPeter)}).status(),
              StatusIs(StatusCode::kPermissionDenied));
  EXPECT_THAT(NoteText(Note(kEnochLine)), IsOkAndHolds(kText));
}

TEST(NoteTest, ARepeatedLineCountsOnce) {
  ASSERT_OK_AND_ASSIGN(
      const OpenedNote opened,
      OpenNote(Note(absl::StrCat(kPeterLine, kPeterLine)), {Verifier(kPeter)}));
  EXPECT_THAT(opened.signatures, SizeIs(1));
}

TEST(NoteTest, AnyChangedByteIsRefused) {
  const std::string good = Note(kPeterLine);
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    EXPECT_FALSE(OpenNote(bad, {Verifier(kPeter)}).ok()) << i;
  }
}

TEST(NoteTest, TheTextEndsAtTheLastBlankLine) {
  const PrivateKey key = PrivateKey::Generate(KeyKind::kEcdsaP256);
  ASSERT_OK_AND_ASSIGN(const NoteSigner signer, NoteSigner::Make("n", key));
  const std::string text = "one\n\ntwo\n";
  ASSERT_OK_AND_ASSIGN(const std::string note, SignNote(text, {signer}));
  ASSERT_OK_AND_ASSIGN(const OpenedNote opened,
                       OpenNote(note, {signer.verifier()}));
  EXPECT_EQ(opened.text, text);
}

TEST(NoteTest, WhatNoNoteCanSayIsNotSigned) {
  ASSERT_OK_AND_ASSIGN(
      const NoteSigner signer,
      NoteSigner::Make("n", PrivateKey::Generate(KeyKind::kEd25519)));
  for (const char* bad : {"", "no line feed", "a\tb\n", "\xff\n"}) {
    EXPECT_THAT(SignNote(bad, {signer}).status(),
                StatusIs(StatusCode::kInvalidArgument));
  }
}

TEST(CosignatureTest, CarriesItsTime) {
  const PrivateKey key = PrivateKey::Generate(KeyKind::kEd25519);
  ASSERT_OK_AND_ASSIGN(
      const NoteVerifier witness,
      NoteVerifier::Make("w", NoteKeyType::kCosignature, key.public_key()));
  ASSERT_OK_AND_ASSIGN(const std::string line,
                       CosignatureLine("w", key, kText, 1727964367));
  ASSERT_OK_AND_ASSIGN(const OpenedNote opened,
                       OpenNote(Note(line), {witness}));
  EXPECT_EQ(opened.signatures[0].time, 1727964367u);
  // Another time, another text.
  std::string bytes;
  const std::string base64 = line.substr(6, line.size() - 7);
  ASSERT_TRUE(absl::Base64Unescape(base64, &bytes));
  ++bytes[11];
  EXPECT_THAT(OpenNote(Note(absl::StrCat("\xe2\x80\x94 w ",
                                         absl::Base64Escape(bytes), "\n")),
                       {witness})
                  .status(),
              StatusIs(StatusCode::kDataLoss));
}

TEST(CosignatureTest, AnEcdsaKeyCosignsNothing) {
  EXPECT_FALSE(
      CosignatureLine("w", PrivateKey::Generate(KeyKind::kEcdsaP256), kText, 1)
          .ok());
}

}  // namespace
}  // namespace schleuse
