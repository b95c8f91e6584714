#include "client/verify/tree_check.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "evidence/merkle.h"
#include "evidence/tile.h"

namespace schleuse::client {
namespace {

// Of a whole tile.
absl::StatusOr<Digest> HashOf(const std::string& tile) {
  return NodeInTile(
      tile, {.tile = {}, .first = 0, .count = tile.size() / Digest::kBytes});
}

}  // namespace

absl::Status TreeCheck::Append(const Digest& leaf) {
  ++leaves_;
  Digest hash = leaf;
  for (size_t i = 0;; ++i) {
    if (i == peaks_.size()) peaks_.emplace_back();
    if (!peaks_[i]) {
      peaks_[i] = hash;
      break;
    }
    hash = NodeHash(*std::exchange(peaks_[i], std::nullopt), hash);
  }
  return AppendAt(0, leaf);
}

absl::Status TreeCheck::AppendAt(size_t level, const Digest& hash) {
  if (level == levels_.size()) levels_.emplace_back();
  absl::StrAppend(&levels_[level].tile, hash.bytes());
  if (levels_[level].tile.size() < kTileWidth * Digest::kBytes) {
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(Compare(level, /*full=*/true));
  ASSIGN_OR_RETURN(const Digest above, HashOf(levels_[level].tile));
  levels_[level].tile.clear();
  ++levels_[level].number;
  return AppendAt(level + 1, above);
}

absl::Status TreeCheck::Compare(size_t level, bool full) {
  const Level& own = levels_[level];
  const uint64_t width = full ? kTileWidth : own.tile.size() / Digest::kBytes;
  const std::string path = TilePath(static_cast<int>(level), own.number, width);
  ASSIGN_OR_RETURN(const std::optional<std::string> published,
                   log_.ReadFileAt(path));
  ++tiles_;
  if (!published) {
    report_.Problem(log_.directory(), "/", path, " is missing");
  } else if (*published != own.tile) {
    report_.Problem(log_.directory(), "/", path,
                    " is not what the entries lead to");
  }
  return absl::OkStatus();
}

absl::Status TreeCheck::Finish() {
  for (size_t level = 0; level < levels_.size(); ++level) {
    if (levels_[level].tile.empty()) continue;
    RETURN_IF_ERROR(Compare(level, /*full=*/false));
  }
  std::optional<Digest> root;
  for (const std::optional<Digest>& peak : peaks_) {
    if (!peak) continue;
    root = root ? NodeHash(*peak, *root) : *peak;
  }
  if (root.value_or(EmptyRoot()) != log_.checkpoint().root) {
    report_.Problem("the ", leaves_, " entries of ", log_.directory(),
                    " do not lead to the root that its checkpoint signs: "
                    "something was changed, dropped, swapped or put in");
  }
  return absl::OkStatus();
}

}  // namespace schleuse::client
