// The part of a log's Merkle tree that still grows: at each level of tiles the
// hashes that no full, published tile holds yet. Its memory does not grow with
// the log. Tiles as in C2SP tlog-tiles: hash i of tile (L, n) is that of the
// full subtree of 256^L leaves with number n * 256 + i.
#ifndef SCHLEUSE_EVIDENCE_RIGHT_EDGE_H_
#define SCHLEUSE_EVIDENCE_RIGHT_EDGE_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "crypto/digest.h"

namespace schleuse {

// One thread at a time; copies are independent.
class RightEdge {
 public:
  static constexpr int kTileLog2 = 8;
  static constexpr uint64_t kTileHashes = 1 << kTileLog2;

  uint64_t size() const { return size_; }  // leaves

  void Append(const Digest& leaf);
  // SHA-256 of nothing for an empty tree.
  Digest Root() const;
  // Of the full subtree of 2^level leaves with number `index`.
  //   NotFound  it is not full, or lies left of what is kept
  absl::StatusOr<Digest> Node(int level, uint64_t index) const;

  // How many levels of tiles there are.
  int levels() const { return static_cast<int>(levels_.size()); }
  // How many hashes that level has, in all its tiles.
  uint64_t HashesAt(int level) const;
  // The first `width` hashes of a tile, one behind the other.
  //   NotFound  as Node
  absl::StatusOr<std::string> Tile(int level, uint64_t number,
                                   uint64_t width) const;

  // Forgets what lies in tiles that are full in the tree of the first
  // `published` leaves.
  void Trim(uint64_t published);

  // Takes the place of an empty edge: a tree of `size` leaves, of which
  // `tiles[L]` are the hashes of the last tile of level L that is not full
  // (none where there is none).
  //   DataLoss  these are not the tiles of such a tree
  static absl::StatusOr<RightEdge> Restore(
      uint64_t size, const std::vector<std::string>& tiles);

 private:
  struct Level {
    uint64_t first = 0;  // number of the first hash kept, a multiple of 256
    // rows[i]: of the full subtrees of 2^i such hashes, from the one with
    // number `first` >> i on; so that no proof hashes anything twice.
    std::array<std::vector<Digest>, kTileLog2> rows;

    uint64_t end() const { return first + rows[0].size(); }
    // Returns the hash of a tile that is full now.
    std::optional<Digest> Append(const Digest& hash);
  };

  uint64_t size_ = 0;
  std::vector<Level> levels_;
};

}  // namespace schleuse

#endif  // SCHLEUSE_EVIDENCE_RIGHT_EDGE_H_
