// Recomputes the tree of a log from its leaves, in order, and compares every
// tile with what the log published. Its memory is a tile for each level.
#ifndef SCHLEUSE_CLIENT_VERIFY_TREE_CHECK_H_
#define SCHLEUSE_CLIENT_VERIFY_TREE_CHECK_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/verify/published_log.h"
#include "client/verify/report.h"
#include "crypto/digest.h"

namespace schleuse::client {

class TreeCheck {
 public:
  // Both are borrowed.
  TreeCheck(const PublishedLog& log, Report& report)
      : log_(log), report_(report) {}

  absl::Status Append(const Digest& leaf);
  // Behind the last leaf: the tiles that are not full, and the root.
  absl::Status Finish();
  uint64_t tiles() const { return tiles_; }

 private:
  struct Level {
    uint64_t number = 0;  // of the tile that grows
    std::string tile;
  };

  absl::Status AppendAt(size_t level, const Digest& hash);
  absl::Status Compare(size_t level, bool full);

  const PublishedLog& log_;
  Report& report_;
  std::vector<Level> levels_;
  uint64_t leaves_ = 0;
  uint64_t tiles_ = 0;
  // The root of the full subtree of 2^i leaves that waits for its sibling.
  std::vector<std::optional<Digest>> peaks_;
};

}  // namespace schleuse::client

#endif  // SCHLEUSE_CLIENT_VERIFY_TREE_CHECK_H_
