// Origins: one text for each, and a directory that is a plain name.
#include <string>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "evidence/checkpoint.h"
#include "tests/fuzz/fuzz.h"

namespace schleuse {

void Fuzz(absl::string_view text) {
  const absl::StatusOr<Origin> origin = Origin::Parse(text);
  if (!origin.ok()) {
    FUZZ_CHECK(absl::IsInvalidArgument(origin.status()));
    return;
  }
  FUZZ_CHECK(origin->ToString() == text);
  FUZZ_CHECK(origin->year >= 1970 && origin->year <= 9999);
  FUZZ_CHECK(origin->number >= 1);
  FUZZ_CHECK(absl::EndsWith(text, "/custody/" + origin->Directory()));
  FUZZ_CHECK(origin->Directory().find_first_not_of("0123456789-") ==
             std::string::npos);
}

}  // namespace schleuse
