#include "evidence/right_edge.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "evidence/merkle.h"

namespace schleuse {

std::optional<Digest> RightEdge::Level::Append(const Digest& hash) {
  rows[0].push_back(hash);
  // Whatever subtrees this one completes.
  for (size_t i = 0; i + 1 < rows.size() && rows[i].size() % 2 == 0; ++i) {
    rows[i + 1].push_back(NodeHash(rows[i].end()[-2], rows[i].end()[-1]));
  }
  if (rows[0].size() % kTileHashes != 0) return std::nullopt;
  return NodeHash(rows.back().end()[-2], rows.back().end()[-1]);
}

void RightEdge::Append(const Digest& leaf) {
  ++size_;
  std::optional<Digest> hash = leaf;
  for (size_t level = 0; hash; ++level) {
    if (levels_.size() == level) levels_.emplace_back();
    hash = levels_[level].Append(*hash);
  }
}

Digest RightEdge::Root() const {
  if (size_ == 0) return Sha256::Of("");
  // The full subtrees that make it up, the smallest first: each bit of the size
  // is one. They all lie in tiles that are not full, which are always kept.
  std::optional<Digest> root;
  for (int level = 0; size_ >> level != 0; ++level) {
    if ((size_ >> level & 1) == 0) continue;
    const Digest left = *Node(level, (size_ >> level) - 1);
    root = root ? NodeHash(left, *root) : left;
  }
  return *root;
}

absl::StatusOr<Digest> RightEdge::Node(int level, uint64_t index) const {
  const auto tile_level = static_cast<size_t>(level / kTileLog2);
  if (tile_level < levels_.size()) {
    const Level& at = levels_[tile_level];
    const int row_number = level % kTileLog2;
    const auto& row = at.rows[static_cast<size_t>(row_number)];
    const uint64_t first = at.first >> row_number;
    if (index >= first && index - first < row.size()) {
      return row[index - first];
    }
  }
  return absl::NotFoundError(
      absl::StrCat("no hash of level ", level, " with number ", index));
}

uint64_t RightEdge::HashesAt(int level) const {
  return levels_[static_cast<size_t>(level)].end();
}

absl::StatusOr<std::string> RightEdge::Tile(int level, uint64_t number,
                                            uint64_t width) const {
  std::string tile;
  for (uint64_t i = 0; i < width; ++i) {
    ASSIGN_OR_RETURN(const Digest hash,
                     Node(level * kTileLog2, number * kTileHashes + i));
    tile.append(hash.bytes().data(), hash.bytes().size());
  }
  return tile;
}

void RightEdge::Trim(uint64_t published) {
  for (size_t level = 0; level < levels_.size(); ++level) {
    Level& at = levels_[level];
    const uint64_t full =
        std::min(published / kTileHashes, at.end() / kTileHashes) * kTileHashes;
    if (full > at.first) {
      for (size_t i = 0; i < at.rows.size(); ++i) {
        const auto gone = static_cast<ptrdiff_t>((full - at.first) >> i);
        at.rows[i].erase(at.rows[i].begin(), at.rows[i].begin() + gone);
      }
      at.first = full;
    }
    published /= kTileHashes;
  }
}

absl::StatusOr<RightEdge> RightEdge::Restore(
    uint64_t size, const std::vector<std::string>& tiles) {
  RightEdge edge;
  edge.size_ = size;
  size_t level = 0;
  for (uint64_t hashes = size; hashes > 0; hashes /= kTileHashes, ++level) {
    const uint64_t width = hashes % kTileHashes;
    const absl::string_view tile =
        level < tiles.size() ? absl::string_view(tiles[level]) : "";
    if (tile.size() != width * Digest::kBytes) {
      return absl::DataLossError(
          absl::StrCat("the last tile of level ", level, " has ", tile.size(),
                       " bytes instead of ", width * Digest::kBytes));
    }
    Level& at = edge.levels_.emplace_back();
    at.first = hashes - width;
    for (uint64_t i = 0; i < width; ++i) {
      ASSIGN_OR_RETURN(
          const Digest hash,
          Digest::FromBytes(tile.substr(i * Digest::kBytes, Digest::kBytes)));
      at.Append(hash);
    }
  }
  return edge;
}

}  // namespace schleuse
