#include "disk/block_writer.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status.h"

namespace schleuse {
namespace {

constexpr uint64_t kBlockBytes = File::kBlockBytes;

uint64_t WholeBlocks(uint64_t bytes) { return bytes - bytes % kBlockBytes; }

}  // namespace

size_t BlockBuffers::KindOf(uint64_t bytes) {
  return static_cast<size_t>(
      std::lower_bound(std::begin(kSizes), std::end(kSizes) - 1, bytes) -
      std::begin(kSizes));
}

BlockBuffers::Buffer BlockBuffers::Take(uint64_t bytes) {
  const size_t kind = KindOf(bytes);
  {
    MutexLock lock(mutex_);
    std::vector<Buffer>& kept = kept_[kind];
    if (!kept.empty()) {
      Buffer buffer = std::move(kept.back());  // the warmest
      kept.pop_back();
      return buffer;
    }
  }
  Buffer buffer;
  buffer.capacity = kSizes[kind];
  buffer.memory.reset(
      static_cast<char*>(std::aligned_alloc(kBlockBytes, buffer.capacity)));
  if (buffer.memory == nullptr) std::abort();  // as operator new would
  return buffer;
}

void BlockBuffers::Give(Buffer buffer) {
  if (buffer.memory == nullptr) return;
  MutexLock lock(mutex_);
  std::vector<Buffer>& kept = kept_[KindOf(buffer.capacity)];
  if (kept.size() < kKeptMax) kept.push_back(std::move(buffer));
}

absl::StatusOr<BlockWriter> BlockWriter::At(File& file, BlockBuffers& buffers,
                                            uint64_t end) {
  BlockWriter writer(file, buffers, WholeBlocks(end));
  const uint64_t rest = end - writer.written_;
  if (rest == 0) return writer;
  ASSIGN_OR_RETURN(writer.tail_, file.Read(writer.written_, rest));
  if (writer.tail_.size() != rest) {
    return absl::DataLossError(absl::StrCat("the file ends before byte ", end));
  }
  writer.fill_ = writer.flushed_ = rest;
  return writer;
}

BlockWriter::~BlockWriter() { buffers_->Give(std::move(buffer_)); }

void BlockWriter::MoveTo(BlockBuffers::Buffer buffer) {
  const char* from = buffer_.memory ? buffer_.memory.get() : tail_.data();
  std::memcpy(buffer.memory.get(), from, fill_);
  tail_.clear();
  buffers_->Give(std::exchange(buffer_, std::move(buffer)));
}

absl::Status BlockWriter::MakeRoom(uint64_t bytes) {
  if (fill_ + bytes <= buffer_.capacity) return absl::OkStatus();
  if (fill_ + bytes <= BlockBuffers::kLargeBytes) {
    MoveTo(buffers_->Take(fill_ + bytes));
    return absl::OkStatus();
  }
  const uint64_t whole = WholeBlocks(fill_);
  RETURN_IF_ERROR(
      file_->WriteBlocks(written_, absl::string_view(at(0), whole)));
  std::memmove(at(0), at(whole), fill_ - whole);
  written_ += whole;
  fill_ -= whole;
  flushed_ -= std::min(flushed_, whole);
  return MakeRoom(bytes);
}

absl::Status BlockWriter::Append(const absl::Cord& bytes) {
  RETURN_IF_ERROR(MakeRoom(bytes.size()));
  for (const absl::string_view piece : bytes.Chunks()) {
    std::memcpy(at(fill_), piece.data(), piece.size());
    fill_ += piece.size();
  }
  return absl::OkStatus();
}

absl::Status BlockWriter::Flush() {
  if (fill_ > flushed_) {
    const uint64_t padded = WholeBlocks(fill_ + kBlockBytes - 1);
    std::memset(at(fill_), 0, padded - fill_);
    RETURN_IF_ERROR(
        file_->WriteBlocks(written_, absl::string_view(at(0), padded)));
  }
  const uint64_t whole = WholeBlocks(fill_);
  if (buffer_.memory != nullptr) {
    tail_.assign(at(whole), fill_ - whole);
    buffers_->Give(std::exchange(buffer_, {}));
  }
  written_ += whole;
  fill_ -= whole;
  flushed_ = fill_;
  return absl::OkStatus();
}

absl::StatusOr<std::string> BlockWriter::Read(uint64_t offset,
                                              uint64_t length) const {
  std::string bytes;
  if (offset < written_) {
    ASSIGN_OR_RETURN(bytes,
                     file_->Read(offset, std::min(length, written_ - offset)));
  }
  if (offset + bytes.size() >= written_) {
    const absl::string_view held(
        buffer_.memory ? buffer_.memory.get() : tail_.data(), fill_);
    const uint64_t from = offset + bytes.size() - written_;
    bytes +=
        std::string(held.substr(std::min(from, fill_), length - bytes.size()));
  }
  return bytes;
}

}  // namespace schleuse
