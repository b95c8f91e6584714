// A log of one gateway and year as its gateway published it in a directory
// (C2SP tlog-tiles), opened for reading. It trusts nothing but what the
// checkpoint's signatures cover; whoever uses a hash checks it against that.
#ifndef SCHLEUSE_CLIENT_VERIFY_PUBLISHED_LOG_H_
#define SCHLEUSE_CLIENT_VERIFY_PUBLISHED_LOG_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "disk/disk.h"
#include "evidence/checkpoint.h"
#include "evidence/merkle.h"

namespace schleuse::client {

// Larger files than these are none of a log's.
constexpr uint64_t kLogFileBytesMax = 32 << 20;

// One thread at a time.
class PublishedLog {
 public:
  // `directory` holds `checkpoint` and `tile/`.
  //   NotFound             there is no log
  //   others               as OpenCheckpoint, or as Disk says
  static absl::StatusOr<PublishedLog> Open(const Disk& disk,
                                           absl::string_view directory,
                                           const PinnedKeys& pinned);

  const std::string& directory() const { return directory_; }
  const Origin& origin() const { return origin_; }
  const Checkpoint& checkpoint() const { return checkpoint_; }
  const std::string& note() const { return note_; }

  // nullopt: the file is not there.
  absl::StatusOr<std::optional<std::string>> ReadFileAt(
      absl::string_view path) const;
  // nullopt: the bundle is not there.
  //   DataLoss  it is there, and is none
  absl::StatusOr<std::optional<std::vector<std::string>>> ReadBundle(
      uint64_t number) const;
  // Of tiles, unchecked.
  //   DataLoss  a tile is missing or too short
  absl::StatusOr<Digest> Node(int level, uint64_t index) const;

 private:
  PublishedLog(const Disk& disk, std::string directory, std::string note,
               Checkpoint checkpoint, Origin origin);

  const Disk* disk_;
  std::string directory_;
  std::string note_;
  Checkpoint checkpoint_;
  Origin origin_;
  // The tile that was read last: proofs ask for it again and again.
  mutable std::string last_path_, last_tile_;
};

// The logs below a custody directory, in order of their years, or the one that
// `directory` itself is.
//   NotFound  there is none
//   others    as PublishedLog::Open
absl::StatusOr<std::vector<PublishedLog>> OpenLogs(const Disk& disk,
                                                   absl::string_view directory,
                                                   const PinnedKeys& pinned);

}  // namespace schleuse::client

#endif  // SCHLEUSE_CLIENT_VERIFY_PUBLISHED_LOG_H_
