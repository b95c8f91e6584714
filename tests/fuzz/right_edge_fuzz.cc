// The growing part of a log's tree, taken up from its last tiles. The input:
// the log's size in eight little-endian bytes, then the tiles, lowest first.
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/bytes.h"
#include "evidence/right_edge.h"
#include "tests/fuzz/fuzz.h"

namespace schleuse {

void Fuzz(absl::string_view input) {
  if (input.size() < 8) return;
  const uint64_t size =
      (ReadU32(input) | uint64_t{ReadU32(input.substr(4))} << 32) >> 1;
  absl::string_view rest = input.substr(8);
  std::vector<std::string> tiles;
  for (uint64_t hashes = size; hashes > 0; hashes >>= RightEdge::kTileLog2) {
    const size_t bytes = hashes % RightEdge::kTileHashes * Digest::kBytes;
    tiles.emplace_back(rest.substr(0, bytes));
    rest.remove_prefix(tiles.back().size());
  }
  if (!tiles.empty()) tiles.back().append(rest.data(), rest.size());

  absl::StatusOr<RightEdge> edge = RightEdge::Restore(size, tiles);
  if (!edge.ok()) {
    FUZZ_CHECK(absl::IsDataLoss(edge.status()));
    return;
  }
  FUZZ_CHECK(edge->size() == size);
  for (int level = 0; level < edge->levels(); ++level) {
    const uint64_t hashes = edge->HashesAt(level);
    FUZZ_CHECK(hashes == size >> (level * RightEdge::kTileLog2));
    const absl::StatusOr<std::string> tile =
        edge->Tile(level, hashes / RightEdge::kTileHashes,
                   hashes % RightEdge::kTileHashes);
    FUZZ_CHECK(*tile == tiles[static_cast<size_t>(level)]);
  }
  const Digest root = edge->Root();
  RightEdge longer = *edge;
  longer.Append(Sha256::Of("one more"));
  FUZZ_CHECK(longer.size() == size + 1);
  FUZZ_CHECK(longer.Root() != root);
  FUZZ_CHECK(edge->Root() == root);
}

}  // namespace schleuse
