// The file of next hops: one text for what it says, and spans that follow what
// the book of peers relies on.
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gateway/egress/footage_span.h"
#include "tests/fuzz/fuzz.h"

namespace schleuse {

void Fuzz(absl::string_view text) {
  const absl::StatusOr<std::vector<FootageSpan>> spans =
      ParseFootageSpans(text);
  if (!spans.ok()) {
    FUZZ_CHECK(absl::IsInvalidArgument(spans.status()));
    return;
  }
  FUZZ_CHECK(ToText(*spans) == text);
  FUZZ_CHECK(!spans->empty());
  for (const FootageSpan& span : *spans) {
    FUZZ_CHECK(span.from < span.to);
    const bool present = &span == &spans->back();
    FUZZ_CHECK((span.to == absl::InfiniteFuture()) == present);
  }
}

}  // namespace schleuse
