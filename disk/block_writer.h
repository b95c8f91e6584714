// Appends bulk to a file in whole blocks, so that it can go around the page
// cache: what is appended is gathered in an aligned buffer and written in large
// pieces. It knows nothing of what the bytes are.
#ifndef SCHLEUSE_DISK_BLOCK_WRITER_H_
#define SCHLEUSE_DISK_BLOCK_WRITER_H_

#include <array>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/cord.h"
#include "base/mutex.h"
#include "disk/disk.h"

namespace schleuse {

// Aligned memory that is used again while it is warm: the first touch of a
// fresh page costs far more than a write of it. Safe to call from many threads.
class BlockBuffers {
 public:
  // A small recording needs no large one, nor does one of many that are synced
  // often.
  static constexpr uint64_t kSizes[] = {128 * 1024, 512 * 1024,
                                        (1 << 20) + File::kBlockBytes};
  static constexpr uint64_t kLargeBytes = kSizes[2];

  struct Free {
    void operator()(char* memory) const { std::free(memory); }
  };
  struct Buffer {
    std::unique_ptr<char, Free> memory;  // nullptr: none
    uint64_t capacity = 0;
  };

  // The smallest kind that holds `bytes`, at most kLargeBytes.
  Buffer Take(uint64_t bytes);
  void Give(Buffer buffer);

 private:
  // More are freed. What is in use is bounded by those who append.
  static constexpr size_t kKeptMax = 32;  // of each kind
  static size_t KindOf(uint64_t bytes);

  Mutex mutex_;
  std::array<std::vector<Buffer>, std::size(kSizes)> kept_
      ABSL_GUARDED_BY(mutex_);
};

// One thread at a time. The file's own Sync may run beside all of it: it covers
// what Flush had written when it began.
class BlockWriter {
 public:
  // Appends behind the first `end` bytes of `file`. Both outlive the writer.
  // What lies behind `end` in the file is written over.
  static absl::StatusOr<BlockWriter> At(File& file, BlockBuffers& buffers,
                                        uint64_t end);
  BlockWriter(BlockWriter&&) = default;
  ~BlockWriter();

  // Where the next bytes go.
  uint64_t end() const { return written_ + fill_; }

  // At most 1 MiB. After an error nothing has changed; what was appended
  // earlier is tried again by the next Append or Flush.
  absl::Status Append(const absl::Cord& bytes);

  // Writes all that was appended. The file may then be longer, by less than a
  // block of zeros. After an error it may be called again.
  absl::Status Flush();

  // Up to `length` bytes from `offset` on, written or not; fewer only at end(),
  // or where the file ends before its time.
  absl::StatusOr<std::string> Read(uint64_t offset, uint64_t length) const;

 private:
  BlockWriter(File& file, BlockBuffers& buffers, uint64_t written)
      : file_(&file), buffers_(&buffers), written_(written) {}
  // Room for `bytes` more behind fill_.
  absl::Status MakeRoom(uint64_t bytes);
  void MoveTo(BlockBuffers::Buffer buffer);
  char* at(uint64_t fill) { return buffer_.memory.get() + fill; }

  File* file_;
  BlockBuffers* buffers_;
  // The file holds all bytes below it. A whole number of blocks.
  uint64_t written_;
  // What lies behind it, so many bytes: in the buffer, or, where there is none,
  // in tail_.
  uint64_t fill_ = 0;
  uint64_t flushed_ = 0;  // of fill_: what the file holds as well
  BlockBuffers::Buffer buffer_;
  std::string tail_;  // less than a block
};

}  // namespace schleuse

#endif  // SCHLEUSE_DISK_BLOCK_WRITER_H_
