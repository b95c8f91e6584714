// Requests to a witness, each with the lines that came back behind a zero byte:
// what is read is written again as it was, and whatever cosignature is added
// is there for others to see.
#include <string>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "evidence/cosigning.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/keys.h"

namespace schleuse {
namespace {

void CheckAdding(absl::string_view checkpoint, absl::string_view lines) {
  const NoteVerifier& witness = fuzz_keys::Witness();
  const absl::StatusOr<std::string> added =
      WithCosignature(checkpoint, lines, witness);
  if (!added.ok()) {
    FUZZ_CHECK(absl::IsInvalidArgument(added.status()) ||
               absl::IsDataLoss(added.status()) ||
               absl::IsPermissionDenied(added.status()));
    return;
  }
  FUZZ_CHECK(absl::StartsWith(*added, checkpoint));
  FUZZ_CHECK(*NoteText(*added) == *NoteText(checkpoint));
  FUZZ_CHECK(OpenNote(*added, {witness}).ok());
  FUZZ_CHECK(*WithCosignature(*added, lines, witness) == *added);
}

}  // namespace

void Fuzz(absl::string_view input) {
  const auto [text, lines] = SplitAtZero(input);
  const absl::StatusOr<AddCheckpoint> request = ParseAddCheckpoint(text);
  if (!request.ok()) {
    FUZZ_CHECK(absl::IsInvalidArgument(request.status()));
    return;
  }
  FUZZ_CHECK(ToText(*request) == text);
  CheckAdding(request->checkpoint, lines);

  SeededRandom random = RandomOf(input);
  const absl::StatusOr<std::string> note = NoteText(request->checkpoint);
  // A signature costs a hundred times what the rest does.
  if (!note.ok() || Below(random, 4) != 0) return;
  CheckAdding(request->checkpoint,
              absl::StrCat(lines, *CosignatureLine(fuzz_keys::kWitness,
                                                   fuzz_keys::WitnessKey(),
                                                   *note, random.Next())));
}

}  // namespace schleuse
