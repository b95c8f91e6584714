// A log as static files (C2SP tlog-tiles 0.1.0): where its tiles and its
// entries lie, and how a bundle of entries is written. Pure: it touches no
// file.
//
// A full tile holds 256 hashes of 32 bytes; hash i of tile (L, n) is that of
// the full subtree of 256^L entries with number n * 256 + i. A full bundle
// holds 256 entries, each a big-endian u16 of its length and its bytes.
#ifndef SCHLEUSE_EVIDENCE_TILE_H_
#define SCHLEUSE_EVIDENCE_TILE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "crypto/digest.h"

namespace schleuse {

constexpr uint64_t kTileWidth = 256;
constexpr int kTileLevelMax = 63;
constexpr size_t kEntryBytesMax = 65'535;

// "tile/0/x001/x234/067", or with ".p/89" behind it where `width` is not 256.
std::string TilePath(int level, uint64_t number, uint64_t width);
// "tile/entries/x001/x234/067", likewise.
std::string EntriesPath(uint64_t number, uint64_t width);
// The directory of the partial ones: "tile/0/x001/x234/067.p".
std::string PartialTilesPath(int level, uint64_t number);
std::string PartialEntriesPath(uint64_t number);

struct TileName {
  int level;  // -1: a bundle of entries
  uint64_t number;
  uint64_t width;

  friend bool operator==(const TileName&, const TileName&) = default;
};
// The other way.
//   InvalidArgument  no tile has that path
absl::StatusOr<TileName> ParseTilePath(absl::string_view path);

// How many entries, or hashes of level L for size / 256^L, the tile `number`
// has in a tree of `size`; 0 if there is none.
uint64_t TileWidthAt(uint64_t size, uint64_t number);

// Where the full subtree of 2^level leaves with number `index` is found in a
// tree of `size` leaves: it covers `count` hashes of a tile, from `first` on.
struct NodePlace {
  TileName tile;
  uint64_t first;
  uint64_t count;
};
NodePlace PlaceOfNode(uint64_t size, int level, uint64_t index);
// The hash of that subtree, out of the tile's bytes.
//   DataLoss  the tile is too short
absl::StatusOr<Digest> NodeInTile(absl::string_view tile,
                                  const NodePlace& place);

//   InvalidArgument  an entry is longer than kEntryBytesMax
absl::StatusOr<std::string> EncodeEntries(
    absl::Span<const std::string> entries);
//   InvalidArgument  not a bundle of exactly `width` entries
absl::StatusOr<std::vector<std::string>> DecodeEntries(absl::string_view bundle,
                                                       uint64_t width);

}  // namespace schleuse

#endif  // SCHLEUSE_EVIDENCE_TILE_H_
