// The write-ahead log: batches in segments `<directory>/<n, 12 digits>.wal`.
// One that ends in `.base` repeats all that came before it: what has a lower
// number counts no more. It knows what a batch is made of, not whether it is
// true.
#ifndef SCHLEUSE_GATEWAY_CUSTODY_WAL_H_
#define SCHLEUSE_GATEWAY_CUSTODY_WAL_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "disk/disk.h"
#include "gateway/custody/wal_segment.h"

namespace schleuse {

struct Batch {
  std::string origin;
  uint64_t first_index;
  std::vector<std::string> entries;
  std::string checkpoint;  // a signed note of the tree behind the last entry

  uint64_t end() const { return first_index + entries.size(); }
};

// One thread at a time.
class Wal {
 public:
  Wal(Disk& disk, absl::string_view directory);

  // Hands every batch that an earlier process left to `visit`, in order, until
  // it returns an error, which is handed on. Returns how many bytes a power cut
  // tore. Once, first.
  //   DataLoss            a file is damaged
  //   FailedPrecondition  a version that this program does not know
  absl::StatusOr<uint64_t> Read(
      absl::FunctionRef<absl::Status(Batch batch)> visit);
  // Begins anew with these, durably, and removes all that was: what a process
  // left whose sync failed, or never came, can be read and may not be on the
  // medium. May be tried again after ResourceExhausted.
  absl::Status BeginAnew(absl::Span<const Batch> batches);

  // Writes a batch behind the others. ResourceExhausted: the disk is full,
  // nothing has changed. After any other error the log is at its end.
  absl::Status Append(const Batch& batch);
  // Makes it durable. Any error is final.
  absl::Status Sync();

  // The number of the segment that the last batch is in, and its bytes.
  uint64_t segment() const { return number_; }
  uint64_t segment_bytes() const {
    return segment_ == nullptr ? 0 : segment_->bytes();
  }
  // The next batch begins a new segment.
  void EndSegment() { segment_ = nullptr; }
  // Removes a segment that is not needed any more.
  absl::Status Remove(uint64_t number);

 private:
  struct Name {
    uint64_t number;
    bool is_base;
    std::string path;
  };

  std::string PathOf(uint64_t number) const;
  absl::StatusOr<std::vector<Name>> Names() const;
  // Durable but for its name.
  absl::StatusOr<std::unique_ptr<WalSegment>> Copy(
      absl::Span<const Batch> batches, const std::string& path);

  Disk& disk_;
  const std::string directory_;
  std::unique_ptr<WalSegment> segment_;
  uint64_t number_ = 0;  // of the newest
  uint64_t base_ = 0;    // of this process's; 0: none
  bool name_unsynced_ = false;
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_CUSTODY_WAL_H_
