// Paths of tiles: one for each tile, and none that leads elsewhere.
#include <string>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "evidence/tile.h"
#include "tests/fuzz/fuzz.h"

namespace schleuse {

void Fuzz(absl::string_view path) {
  const absl::StatusOr<TileName> name = ParseTilePath(path);
  if (!name.ok()) {
    FUZZ_CHECK(absl::IsInvalidArgument(name.status()));
    return;
  }
  FUZZ_CHECK(name->level >= -1 && name->level <= kTileLevelMax);
  FUZZ_CHECK(name->width >= 1 && name->width <= kTileWidth);
  FUZZ_CHECK((name->level < 0
                  ? EntriesPath(name->number, name->width)
                  : TilePath(name->level, name->number, name->width)) == path);
  const std::string partial = name->level < 0
                                  ? PartialEntriesPath(name->number)
                                  : PartialTilesPath(name->level, name->number);
  FUZZ_CHECK(absl::StartsWith(path, partial) == (name->width < kTileWidth));
}

}  // namespace schleuse
