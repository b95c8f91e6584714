// Signed notes: nobody makes one without the key, and whatever is signed opens.
#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "evidence/note.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/keys.h"

namespace schleuse {
namespace {

// Whose notes are seeds (evidence/note_test.cc says where they come from), and
// our own.
const std::vector<NoteVerifier>& Known() {
  static const auto& known = *new std::vector<NoteVerifier>{
      *NoteVerifier::Parse(
          "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/"
          "LDE4izWy10TW"),
      *NoteVerifier::Parse("EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJD"
                           "pjrASKGLWdop"),
      *NoteVerifier::Parse("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54"
                           "Id2LKaANYcrnKv3U2k"),
      *NoteVerifier::Parse(
          "rekor.sigstore.dev+c0d23d6a+AjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNht"
          "mPtrWm3U1eQXBogSMdGvXwBcK5AW5i0hrZLOC96l+smGNM7nwZ4QvFK/4sueRoVj//"
          "QP22Ni4Qt9DPfkWLc="),
      fuzz_keys::Witness()};
  return known;
}

// All that these have ever signed.
bool IsSigned(absl::string_view text) {
  static constexpr absl::string_view kSigned[] = {
      "If you think cryptography is the answer to your problem,\n"
      "then you don't know what your problem is.\n",
      "This is an example message.\n",
      "Rekor\n798034\nf+7CoKgXKE/tNys9TTXcr/ad6U/K3xvznmzew9y6SP0=\n"};
  return std::find(std::begin(kSigned), std::end(kSigned), text) !=
         std::end(kSigned);
}

void CheckOpened(absl::string_view note, const OpenedNote& opened,
                 Random& random) {
  FUZZ_CHECK(IsSigned(opened.text));
  FUZZ_CHECK(!opened.signatures.empty());
  std::set<size_t> verifiers;
  for (const NoteSignature& signature : opened.signatures) {
    FUZZ_CHECK(signature.verifier < Known().size());
    FUZZ_CHECK(verifiers.insert(signature.verifier).second);
    const NoteVerifier& verifier = Known()[signature.verifier];
    FUZZ_CHECK(verifier.type() == NoteKeyType::kCosignature ||
               signature.time == 0);
    FUZZ_CHECK(OpenNote(note, {verifier}).ok());
  }
  const std::string other = WithAByteChanged(opened.text, random);
  FUZZ_CHECK(
      !OpenNote(absl::StrCat(other, note.substr(other.size())), Known()).ok());
}

void CheckSigning(absl::string_view text, Random& random) {
  const absl::StatusOr<std::string> note = fuzz_keys::Sign(text);
  if (!note.ok()) return;
  const uint64_t time = random.Next();
  const std::string cosigned = absl::StrCat(
      *note, *CosignatureLine(fuzz_keys::kWitness, fuzz_keys::WitnessKey(),
                              text, time));
  const NoteVerifier signer =
      *NoteVerifier::Make(fuzz_keys::kOrigin, NoteKeyType::kEd25519,
                          fuzz_keys::GatewayKey().public_key());
  const auto opened = OpenNote(cosigned, {signer, fuzz_keys::Witness()});
  FUZZ_CHECK(opened.ok());
  FUZZ_CHECK(opened->text == text);
  FUZZ_CHECK(opened->signatures.size() == 2);
  FUZZ_CHECK(opened->signatures[1].time == time);
}

}  // namespace

void Fuzz(absl::string_view note) {
  SeededRandom random = RandomOf(note);
  const absl::StatusOr<std::string> text = NoteText(note);
  const absl::StatusOr<OpenedNote> opened = OpenNote(note, Known());
  if (text.ok()) {
    FUZZ_CHECK(absl::StartsWith(note, absl::StrCat(*text, "\n")));
    FUZZ_CHECK(absl::EndsWith(*text, "\n"));
    FUZZ_CHECK(!opened.ok() || opened->text == *text);
    FUZZ_CHECK(!absl::IsInvalidArgument(opened.status()));
  } else {
    FUZZ_CHECK(absl::IsInvalidArgument(text.status()));
    FUZZ_CHECK(!opened.ok());
  }
  if (opened.ok()) CheckOpened(note, *opened, random);
  // Signatures cost a hundred times what the rest does.
  if (Below(random, 16) == 0) CheckSigning(note, random);
}

}  // namespace schleuse
