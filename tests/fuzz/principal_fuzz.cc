// SPIFFE IDs: one text for each principal, and nothing in it that could mean
// something to a file system or a log.
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/utf8.h"
#include "gateway/access/principal.h"
#include "tests/fuzz/fuzz.h"

namespace schleuse {

void Fuzz(absl::string_view id) {
  constexpr absl::string_view kTrustDomain = "police.example";
  const absl::StatusOr<Principal> principal =
      Principal::Parse(id, kTrustDomain);
  if (!principal.ok()) {
    FUZZ_CHECK(absl::IsInvalidArgument(principal.status()));
    FUZZ_CHECK(IsUtf8(principal.status().message()));
    return;
  }
  FUZZ_CHECK(principal->spiffe_id() == id);
  FUZZ_CHECK(absl::StrCat("spiffe://", kTrustDomain, "/", principal->Path()) ==
             id);
  FUZZ_CHECK(ParseRole(RoleName(principal->role())) == principal->role());
  FUZZ_CHECK(IsSegment(principal->station()));
  FUZZ_CHECK(IsSegment(principal->name()));
  // Others do not know it, and nobody belongs to no domain.
  FUZZ_CHECK(!Principal::Parse(id, "police.exampl").ok());
  FUZZ_CHECK(!Principal::Parse(id, "").ok());
}

}  // namespace schleuse
