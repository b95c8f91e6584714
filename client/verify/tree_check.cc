#include "client/verify/tree_check.h"

#include <optional>
#include <string>

#include "base/status.h"
#include "evidence/tile.h"

namespace schleuse::client {

absl::Status TreeCheck::Append(const Digest& leaf) {
  edge_.Append(leaf);
  if (edge_.size() % kTileWidth != 0) return absl::OkStatus();
  // The tile that is full now, and those above it that this one completes.
  uint64_t hashes = edge_.size();
  for (int level = 0; hashes % kTileWidth == 0; ++level) {
    hashes /= kTileWidth;
    RETURN_IF_ERROR(Compare(level, hashes - 1, kTileWidth));
  }
  edge_.Trim(edge_.size());
  return absl::OkStatus();
}

absl::Status TreeCheck::Finish() {
  uint64_t hashes = edge_.size();
  for (int level = 0; hashes > 0; ++level, hashes /= kTileWidth) {
    const uint64_t width = hashes % kTileWidth;
    if (width == 0) continue;
    RETURN_IF_ERROR(Compare(level, hashes / kTileWidth, width));
  }
  if (edge_.Root() != log_.checkpoint().root) {
    report_.Problem("the ", edge_.size(), " entries of ", log_.directory(),
                    " do not lead to the root that its checkpoint signs: "
                    "something was changed, dropped, swapped or put in");
  }
  return absl::OkStatus();
}

absl::Status TreeCheck::Compare(int level, uint64_t number, uint64_t width) {
  const std::string path = TilePath(level, number, width);
  ASSIGN_OR_RETURN(const std::string own, edge_.Tile(level, number, width));
  ASSIGN_OR_RETURN(const std::optional<std::string> published,
                   log_.ReadFileAt(path));
  ++tiles_;
  if (!published) {
    report_.Problem(log_.directory(), "/", path, " is missing");
  } else if (*published != own) {
    report_.Problem(log_.directory(), "/", path,
                    " is not what the entries lead to");
  }
  return absl::OkStatus();
}

}  // namespace schleuse::client
