#include "gateway/custody/right_edge.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "evidence/merkle.h"

namespace schleuse {
namespace {

// The root above a power of two of hashes.
Digest Combine(const std::deque<Digest>& hashes, uint64_t begin,
               uint64_t count) {
  if (count == 1) return hashes[begin];
  return NodeHash(Combine(hashes, begin, count / 2),
                  Combine(hashes, begin + count / 2, count / 2));
}

}  // namespace

void RightEdge::Append(const Digest& leaf) {
  AppendAt(0, leaf);
  ++size_;
}

void RightEdge::AppendAt(size_t level, const Digest& hash) {
  if (levels_.size() == level) levels_.emplace_back();
  Level& at = levels_[level];
  at.hashes.push_back(hash);
  if ((at.first + at.hashes.size()) % kTileHashes != 0) return;
  AppendAt(level + 1,
           Combine(levels_[level].hashes,
                   levels_[level].hashes.size() - kTileHashes, kTileHashes));
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
  const uint64_t count = uint64_t{1} << (level % kTileLog2);
  const uint64_t begin = index * count;
  if (tile_level < levels_.size()) {
    const Level& at = levels_[tile_level];
    if (begin >= at.first && begin + count <= at.first + at.hashes.size()) {
      return Combine(at.hashes, begin - at.first, count);
    }
  }
  return absl::NotFoundError(
      absl::StrCat("no hash of level ", level, " with number ", index));
}

uint64_t RightEdge::HashesAt(int level) const {
  const Level& at = levels_[static_cast<size_t>(level)];
  return at.first + at.hashes.size();
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
    const uint64_t full = published / kTileHashes * kTileHashes;
    while (at.first < full && !at.hashes.empty()) {
      at.hashes.pop_front();
      ++at.first;
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
      at.hashes.push_back(hash);
    }
  }
  return edge;
}

}  // namespace schleuse
