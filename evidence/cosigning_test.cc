#include "evidence/cosigning.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_matchers.h"
#include "crypto/signer.h"
#include "evidence/checkpoint.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

constexpr char kOrigin[] = "police.example/gw-1/custody/2026";

class CosigningTest : public testing::Test {
 protected:
  std::string Note(uint64_t size = 5) const {
    return *SignNote(ToText(Checkpoint{kOrigin, size, LeafHash("root")}),
                     {*NoteSigner::Make(kOrigin, log_)});
  }
  std::string Line(const PrivateKey& key, absl::string_view name,
                   absl::string_view note, uint64_t time = 1795000000) const {
    return *CosignatureLine(name, key, *NoteText(note), time);
  }
  static NoteVerifier Verifier(const PrivateKey& key, absl::string_view name) {
    return *NoteVerifier::Make(name, NoteKeyType::kCosignature,
                               key.public_key());
  }

  const PrivateKey log_ = PrivateKey::Generate(KeyKind::kEd25519);
  const PrivateKey witness_ = PrivateKey::Generate(KeyKind::kEd25519);
  const PrivateKey other_ = PrivateKey::Generate(KeyKind::kEd25519);
};

TEST_F(CosigningTest, RequestIsReadAsItWasWritten) {
  for (const size_t hashes : {size_t{0}, size_t{1}, kProofHashesMax}) {
    AddCheckpoint request = {.old_size = 3, .proof = {}, .checkpoint = Note()};
    for (size_t i = 0; i < hashes; ++i) {
      request.proof.push_back(LeafHash(absl::StrCat(i)));
    }
    const auto read = ParseAddCheckpoint(ToText(request));
    ASSERT_THAT(read, IsOk());
    EXPECT_EQ(read->old_size, 3u);
    EXPECT_EQ(read->proof, request.proof);
    EXPECT_EQ(read->checkpoint, request.checkpoint);
    EXPECT_EQ(ToText(*read), ToText(request));
  }
}

TEST_F(CosigningTest, RefusesWhatIsNoRequest) {
  const std::string hash = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
  std::string many = "old 3\n";
  for (size_t i = 0; i <= kProofHashesMax; ++i) many += hash;
  const std::vector<std::string> bad = {
      "",
      "old 3\n",
      "old 3\n\n",
      absl::StrCat("old 3\n", Note().substr(0, 20)),
      absl::StrCat("Old 3\n\n", Note()),
      absl::StrCat("old\n\n", Note()),
      absl::StrCat("old 03\n\n", Note()),
      absl::StrCat("old +3\n\n", Note()),
      absl::StrCat("old -3\n\n", Note()),
      absl::StrCat("old  3\n\n", Note()),
      absl::StrCat("old 3 \n\n", Note()),
      absl::StrCat("old 3\r\n\r\n", Note()),
      absl::StrCat("old 9223372036854775808\n\n", Note()),
      absl::StrCat("old 3\nAAAA\n\n", Note()),
      absl::StrCat("old 3\n", hash.substr(0, 43), "\n\n", Note()),
      absl::StrCat("old 3\n ", hash, "\n", Note()),
      absl::StrCat(many, "\n", Note()),
      absl::StrCat("old 3\n\n", std::string(kAddCheckpointBytesMax, 'x')),
  };
  for (const std::string& text : bad) {
    EXPECT_THAT(ParseAddCheckpoint(text),
                StatusIs(absl::StatusCode::kInvalidArgument))
        << text.substr(0, 60);
  }
}

TEST_F(CosigningTest, AddsTheLineOfTheWitnessThatWasAsked) {
  const std::string note = Note();
  const std::string mine = Line(witness_, "w1", note);
  const auto cosigned =
      WithCosignature(note, absl::StrCat(Line(other_, "w2", note), mine),
                      Verifier(witness_, "w1"));
  ASSERT_THAT(cosigned, IsOk());
  EXPECT_EQ(*cosigned, note + mine);
  EXPECT_THAT(
      OpenNote(*cosigned, {*NoteVerifier::Make(kOrigin, NoteKeyType::kEd25519,
                                               log_.public_key()),
                           Verifier(witness_, "w1")}),
      IsOk());
}

TEST_F(CosigningTest, TheSameOnceMoreAddsNothing) {
  const std::string note = Note();
  const NoteVerifier witness = Verifier(witness_, "w1");
  const auto once = WithCosignature(note, Line(witness_, "w1", note), witness);
  ASSERT_THAT(once, IsOk());
  const auto twice =
      WithCosignature(*once, Line(witness_, "w1", note, 1795000001), witness);
  ASSERT_THAT(twice, IsOk());
  EXPECT_EQ(*twice, *once);
}

TEST_F(CosigningTest, RefusesWhatIsNoCosignatureOfIt) {
  const std::string note = Note();
  const NoteVerifier witness = Verifier(witness_, "w1");
  EXPECT_THAT(WithCosignature(note, Line(other_, "w2", note), witness),
              StatusIs(absl::StatusCode::kPermissionDenied));
  EXPECT_THAT(WithCosignature(note, Line(witness_, "w1", Note(6)), witness),
              StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(WithCosignature(note, "", witness),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(WithCosignature(note, "hello\n", witness),
              StatusIs(absl::StatusCode::kInvalidArgument));
  // No line feed at its end: two lines would become one.
  std::string open = Line(witness_, "w1", note);
  open.pop_back();
  EXPECT_THAT(WithCosignature(note, open, witness),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(WithCosignature("no note", Line(witness_, "w1", note), witness),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

// It would lie in the note for good, before the good one.
TEST_F(CosigningTest, ABadCosignatureThatIsThereIsNotBuiltUpon) {
  const std::string note = Note();
  const std::string spoilt = note + Line(witness_, "w1", Note(6));
  EXPECT_THAT(WithCosignature(spoilt, Line(witness_, "w1", note),
                              Verifier(witness_, "w1")),
              StatusIs(absl::StatusCode::kDataLoss));
}

TEST_F(CosigningTest, ACosignatureThatIsOneTooManyIsRefused) {
  std::string note = Note();
  for (int i = 1; i < 100; ++i) {
    absl::StrAppend(&note, "\xe2\x80\x94 stranger", i, " AAAAAAAA\n");
  }
  ASSERT_THAT(NoteText(note), IsOk());
  EXPECT_THAT(WithCosignature(note, Line(witness_, "w1", note),
                              Verifier(witness_, "w1")),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

// A blank line in an answer would make what stands before it text.
TEST_F(CosigningTest, AnAnswerCannotMoveTheEndOfTheText) {
  const std::string note = Note();
  const std::string forged = absl::StrCat(*NoteText(note), "\nmore\n");
  const std::string line = *CosignatureLine("w1", witness_, forged, 1795000000);
  EXPECT_THAT(WithCosignature(note, absl::StrCat("more\n\n", line),
                              Verifier(witness_, "w1")),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace schleuse
