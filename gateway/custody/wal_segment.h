// One file of the custody log's write-ahead log: framed records that only grow.
// It knows framing, not what the records mean.
//
// Bytes (docs/formats.md): an 8-byte header, 'S' 'c' 'h' 'l' 'W' 'a' 'l' and
// the version 0x01; then for each record: u32 length, u32 CRC-32C of the length
// field and the payload, payload. Little-endian.
//
// A record is one batch, written whole and synced before the next begins. So a
// power cut leaves at most one that is not intact, and nothing behind it; an
// intact record behind one that is not means that somebody or something damaged
// the file.
#ifndef SCHLEUSE_GATEWAY_CUSTODY_WAL_SEGMENT_H_
#define SCHLEUSE_GATEWAY_CUSTODY_WAL_SEGMENT_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "disk/disk.h"

namespace schleuse {

// One thread at a time.
class WalSegment {
 public:
  static constexpr uint64_t kPayloadBytesMax = 2 << 20;

  // A new file with its header, nothing of it durable yet.
  //   AlreadyExists  there is one
  static absl::StatusOr<std::unique_ptr<WalSegment>> Create(
      Disk& disk, absl::string_view path);

  // Writes a record behind the last one. ResourceExhausted: the disk is full,
  // and the file ends where it did. After any other error nothing may be
  // written to it any more.
  absl::Status Append(absl::string_view payload);
  // Makes all records durable. Any error is final.
  absl::Status Sync() { return file_->Sync(); }

  uint64_t bytes() const { return end_; }

  struct Tail {
    uint64_t begin = 0;  // where the last intact record ends
    uint64_t bytes = 0;  // behind it, torn by a power cut; 0: none
  };
  // Hands each intact record to `visit`, in order, until it returns an error,
  // which is handed on.
  //   DataLoss            damaged: not a torn tail
  //   FailedPrecondition  a version that this program does not know
  static absl::StatusOr<Tail> Read(
      const Disk& disk, absl::string_view path,
      absl::FunctionRef<absl::Status(absl::string_view payload)> visit);

 private:
  WalSegment(std::unique_ptr<File> file, uint64_t end)
      : file_(std::move(file)), end_(end) {}

  std::unique_ptr<File> file_;
  uint64_t end_;
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_CUSTODY_WAL_SEGMENT_H_
