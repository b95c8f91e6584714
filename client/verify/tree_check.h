// Recomputes the tree of a log from its leaves, in order, and compares every
// tile with what the log published. Its memory is a tile for each level.
#ifndef SCHLEUSE_CLIENT_VERIFY_TREE_CHECK_H_
#define SCHLEUSE_CLIENT_VERIFY_TREE_CHECK_H_

#include <cstdint>

#include "absl/status/status.h"
#include "client/verify/published_log.h"
#include "client/verify/report.h"
#include "crypto/digest.h"
#include "evidence/right_edge.h"

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
  absl::Status Compare(int level, uint64_t number, uint64_t width);

  const PublishedLog& log_;
  Report& report_;
  RightEdge edge_;
  uint64_t tiles_ = 0;
};

}  // namespace schleuse::client

#endif  // SCHLEUSE_CLIENT_VERIFY_TREE_CHECK_H_
