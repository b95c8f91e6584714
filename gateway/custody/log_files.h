// One log as static files for others to read (C2SP tlog-tiles 0.1.0):
// `checkpoint`, `tile/<L>/<N>`, `tile/entries/<N>`. All of it can be written
// again from the write-ahead log; nothing of it is ever changed but
// `checkpoint`.
#ifndef SCHLEUSE_GATEWAY_CUSTODY_LOG_FILES_H_
#define SCHLEUSE_GATEWAY_CUSTODY_LOG_FILES_H_

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "disk/disk.h"
#include "evidence/checkpoint.h"
#include "evidence/right_edge.h"

namespace schleuse {

// The logs of `gateway` that have a directory in `directory`, published or not,
// in the order in which they follow each other.
absl::StatusOr<std::vector<Origin>> OriginsIn(const Disk& disk,
                                              absl::string_view directory,
                                              absl::string_view gateway);

// One thread at a time.
class LogFiles {
 public:
  // `directory` is made by the first Publish.
  LogFiles(Disk& disk, absl::string_view directory);

  const std::string& directory() const { return directory_; }

  // What is published: the tree of `edge`, whose entries from
  // `first_entry` on are `entries`, under a signed checkpoint.
  struct State {
    const RightEdge& edge;
    uint64_t first_entry;  // a multiple of 256
    absl::Span<const std::string> entries;
    absl::string_view checkpoint;
  };
  // Writes all that the tree has beyond its first `published` entries, durably,
  // and last of all the checkpoint.
  //   DataLoss           a file is there already and says something else, or
  //                      the medium failed: nobody may go on
  //   ResourceExhausted  the disk is full; may be called again
  absl::Status Publish(const State& state, uint64_t published);

  // nullopt: there is none.
  absl::StatusOr<std::optional<std::string>> ReadCheckpoint() const;
  // Makes the checkpoint that can be read durable: the sync of its name may
  // have failed when it was written.
  absl::Status RenewCheckpoint();
  // The edge of the published tree of `size`, and its entries from the last
  // full bundle on.
  //   DataLoss  a file is missing, or not what it should be
  absl::StatusOr<RightEdge> ReadEdge(uint64_t size) const;
  absl::StatusOr<std::vector<std::string>> ReadLastEntries(uint64_t size) const;
  // The hash of the full subtree of 2^level leaves with number `index`, in the
  // published tree of `size`, which may have grown since.
  absl::StatusOr<Digest> ReadNode(uint64_t size, int level,
                                  uint64_t index) const;
  // Whether there is a bundle of entries, or a part of one.
  absl::StatusOr<bool> HasEntries() const;
  // Removes all of them; tiles and checkpoint stay.
  absl::Status RemoveEntries();
  // The entries of a published bundle, or the first `width` of one that has
  // grown since.
  absl::StatusOr<std::vector<std::string>> ReadEntries(uint64_t number,
                                                       uint64_t width) const;

 private:
  // Durable but for its name, which SyncNames sees to.
  absl::Status WriteOnce(const std::string& path, absl::string_view bytes);
  absl::Status WriteTiles(const RightEdge& edge, uint64_t published);
  absl::Status WriteEntries(const State& state, uint64_t published);
  absl::Status SyncNames();
  // Of what is full now. Its loss or its staying harms nobody.
  void RemovePartials(const std::string& path);
  absl::StatusOr<std::string> ReadOwn(const std::string& path) const;

  Disk& disk_;
  const std::string directory_;
  std::set<std::string> unsynced_;       // directories with new names
  std::set<std::string> made_;           // directories that are there
  std::vector<std::string> superseded_;  // partial ones, to be removed
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_CUSTODY_LOG_FILES_H_
