// Hashes out of tiles. The input: the log's size, a level and the number of a
// node in eight little-endian bytes each, and a tile.
#include <cstdint>

#include "absl/status/status.h"
#include "base/bytes.h"
#include "evidence/merkle.h"
#include "evidence/tile.h"
#include "tests/fuzz/fuzz.h"

namespace schleuse {
namespace {

uint64_t TakeU64(absl::string_view& bytes) {
  const uint64_t value = ReadU32(bytes) | uint64_t{ReadU32(bytes.substr(4))}
                                              << 32;
  bytes.remove_prefix(8);
  return value;
}

// As RFC 6962 says it, for a power of two of hashes.
Digest RootOver(absl::string_view hashes) {
  if (hashes.size() == Digest::kBytes) return *Digest::FromBytes(hashes);
  const size_t half = hashes.size() / 2;
  return NodeHash(RootOver(hashes.substr(0, half)),
                  RootOver(hashes.substr(half)));
}

}  // namespace

void Fuzz(absl::string_view input) {
  if (input.size() < 24) return;
  const uint64_t size = TakeU64(input) >> 1;
  const int level = static_cast<int>(TakeU64(input) % 63);
  if (size >> level == 0) return;  // no full subtree is so high
  const uint64_t index = TakeU64(input) % (size >> level);

  const NodePlace place = PlaceOfNode(size, level, index);
  FUZZ_CHECK(place.first + place.count <= place.tile.width);
  FUZZ_CHECK(*ParseTilePath(TilePath(place.tile.level, place.tile.number,
                                     place.tile.width)) == place.tile);
  const absl::StatusOr<Digest> hash = NodeInTile(input, place);
  const size_t begin = place.first * Digest::kBytes;
  const size_t length = place.count * Digest::kBytes;
  if (input.size() < begin + length) {
    FUZZ_CHECK(absl::IsDataLoss(hash.status()));
  } else {
    FUZZ_CHECK(*hash == RootOver(input.substr(begin, length)));
  }
}

}  // namespace schleuse
