// Bundles of entries: read for the one number of entries that they hold, and
// written again as they were.
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "evidence/tile.h"
#include "tests/fuzz/fuzz.h"

namespace schleuse {

void Fuzz(absl::string_view bundle) {
  // How many it begins, be the last one whole or not.
  uint64_t count = 0;
  size_t end = 0;
  for (; end + 2 <= bundle.size(); ++count) {
    end += 2 + (static_cast<uint8_t>(bundle[end]) << 8 |
                static_cast<uint8_t>(bundle[end + 1]));
  }
  const absl::StatusOr<std::vector<std::string>> entries =
      DecodeEntries(bundle, count);
  FUZZ_CHECK(entries.ok() == (end == bundle.size()));
  for (const uint64_t other : {count - 1, count + 1, count + kTileWidth}) {
    FUZZ_CHECK(absl::IsInvalidArgument(DecodeEntries(bundle, other).status()));
  }
  if (entries.ok()) {
    FUZZ_CHECK(entries->size() == count);
    FUZZ_CHECK(*EncodeEntries(*entries) == bundle);
  }
}

}  // namespace schleuse
