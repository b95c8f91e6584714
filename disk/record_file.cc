#include "disk/record_file.h"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/limits.h"
#include "base/status.h"

namespace schleuse {
namespace {

constexpr absl::string_view kMagic = "SchlRec";
constexpr char kVersion = 1;
constexpr uint64_t kHeaderBytes = RecordFile::kHeaderBytes;
constexpr uint64_t kFrameBytes = 8;  // length and CRC
// Read at once; many records, or one of the longest.
constexpr uint64_t kWindowBytes = 4 * limits::kRecordBytesMax;
static_assert(kWindowBytes > kFrameBytes + limits::kRecordBytesMax);

absl::Status CheckHeader(const File& file, absl::string_view path) {
  ASSIGN_OR_RETURN(const std::string header, file.Read(0, kHeaderBytes));
  if (header.size() < kHeaderBytes || !absl::StartsWith(header, kMagic)) {
    return absl::DataLossError(
        absl::StrCat(path, " does not begin as a record file does"));
  }
  if (header.back() != kVersion) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, " has version ", static_cast<uint8_t>(header.back()),
                     "; this program knows version ", int{kVersion}));
  }
  return absl::OkStatus();
}

// The CRC covers the length too, so that zeros are no record.
uint32_t FrameCrc(absl::string_view length_field, absl::string_view payload) {
  return ExtendCrc32c(Crc32c(length_field), payload);
}

// The payload of the record that `bytes` begin with, if it is intact.
std::optional<absl::string_view> IntactPayload(absl::string_view bytes) {
  if (bytes.size() < kFrameBytes) return std::nullopt;
  const uint64_t length = ReadU32(bytes);
  if (length > limits::kRecordBytesMax) return std::nullopt;
  if (length > bytes.size() - kFrameBytes) return std::nullopt;
  const absl::string_view payload = bytes.substr(kFrameBytes, length);
  if (FrameCrc(bytes.substr(0, 4), payload) != ReadU32(bytes.substr(4))) {
    return std::nullopt;
  }
  return payload;
}

struct Visited {
  uint64_t end;          // of the last record that counted
  bool stopped = false;  // by `visit`
};

// Hands the intact records from `from` to `limit` to `visit`.
absl::StatusOr<Visited> VisitRecords(
    const File& file, uint64_t from, uint64_t limit,
    absl::FunctionRef<bool(absl::string_view payload, uint64_t end)> visit) {
  std::string window;
  uint64_t window_begin = from;
  uint64_t at = from;
  while (at < limit) {
    const uint64_t longest =
        std::min(kFrameBytes + limits::kRecordBytesMax, limit - at);
    if (window_begin + window.size() < at + longest) {
      ASSIGN_OR_RETURN(window,
                       file.Read(at, std::min(kWindowBytes, limit - at)));
      window_begin = at;
    }
    const std::optional<absl::string_view> payload =
        IntactPayload(absl::string_view(window).substr(at - window_begin));
    if (!payload) break;
    const uint64_t end = at + kFrameBytes + payload->size();
    if (!visit(*payload, end)) return Visited{.end = at, .stopped = true};
    at = end;
  }
  return Visited{.end = at};
}

}  // namespace

std::unique_ptr<RecordFile> RecordFile::Create(Disk& disk,
                                               absl::string_view path) {
  std::unique_ptr<RecordFile> records(
      new RecordFile(nullptr, kHeaderBytes, /*has_tail=*/false));
  records->disk_ = &disk;
  records->path_ = std::string(path);
  return records;
}

absl::Status RecordFile::Make() {
  ASSIGN_OR_RETURN(std::unique_ptr<File> file, disk_->Create(path_));
  const absl::Status written =
      file->Write(0, absl::StrCat(kMagic, std::string(1, kVersion), buffer_));
  if (!written.ok()) {
    disk_->Remove(path_).IgnoreError();  // so that it may be tried again
    return written;
  }
  file_ = std::move(file);
  end_ += buffer_.size();
  buffer_.clear();
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<RecordFile>> RecordFile::Open(
    Disk& disk, absl::string_view path,
    absl::FunctionRef<bool(absl::string_view payload, uint64_t end)> visit) {
  ASSIGN_OR_RETURN(std::unique_ptr<File> file, disk.Open(path));
  RETURN_IF_ERROR(CheckHeader(*file, path));
  ASSIGN_OR_RETURN(const uint64_t size, file->Size());
  ASSIGN_OR_RETURN(const Visited visited,
                   VisitRecords(*file, kHeaderBytes, size, visit));
  return std::unique_ptr<RecordFile>(new RecordFile(
      std::move(file), visited.end, /*has_tail=*/visited.end < size));
}

absl::Status RecordFile::Visit(
    const Disk& disk, absl::string_view path,
    absl::FunctionRef<bool(absl::string_view payload, uint64_t end)> visit) {
  ASSIGN_OR_RETURN(const std::unique_ptr<File> file, disk.OpenForReading(path));
  RETURN_IF_ERROR(CheckHeader(*file, path));
  ASSIGN_OR_RETURN(const uint64_t size, file->Size());
  return VisitRecords(*file, kHeaderBytes, size, visit).status();
}

RecordFile::RecordFile(std::unique_ptr<File> file, uint64_t end, bool has_tail)
    : file_(std::move(file)), end_(end), has_tail_(has_tail) {}

void RecordFile::Append(absl::string_view payload) {
  // Nobody could read it back. Whoever lets outside bytes into a record bounds
  // them first.
  if (payload.size() > limits::kRecordBytesMax) std::abort();
  std::string length_field;
  AppendU32(length_field, static_cast<uint32_t>(payload.size()));
  buffer_ += length_field;
  AppendU32(buffer_, FrameCrc(length_field, payload));
  absl::StrAppend(&buffer_, payload);
}

absl::Status RecordFile::Flush() {
  if (buffer_.empty()) return absl::OkStatus();
  if (!is_made()) return Make();
  if (has_tail_) RETURN_IF_ERROR(CutFile(end_));
  RETURN_IF_ERROR(file_->Write(end_, buffer_));
  end_ += buffer_.size();
  buffer_.clear();
  return absl::OkStatus();
}

absl::Status RecordFile::Sync() {
  return is_made() ? file_->Sync() : absl::OkStatus();
}

absl::Status RecordFile::Read(
    absl::FunctionRef<bool(absl::string_view payload, uint64_t end)> visit,
    uint64_t from) const {
  ASSIGN_OR_RETURN(const Visited visited,
                   VisitRecords(*file_, from, end_, visit));
  if (visited.end < end_ && !visited.stopped) {
    return absl::DataLossError(
        absl::StrCat("the record at ", visited.end, " is no longer intact"));
  }
  return absl::OkStatus();
}

absl::Status RecordFile::WriteAnew(uint64_t from) {
  while (from < end_) {
    ASSIGN_OR_RETURN(const std::string piece,
                     file_->Read(from, std::min(kWindowBytes, end_ - from)));
    if (piece.empty()) return absl::DataLossError("the record file shrank");
    RETURN_IF_ERROR(file_->Write(from, piece));
    from += piece.size();
  }
  return CutFile(end_);
}

absl::Status RecordFile::CutTo(uint64_t end) {
  buffer_.clear();
  return CutFile(end);
}

absl::Status RecordFile::CutFile(uint64_t end) {
  has_tail_ = true;  // until the cut is durable
  RETURN_IF_ERROR(file_->Truncate(end));
  end_ = end;
  RETURN_IF_ERROR(file_->Sync());
  has_tail_ = false;
  return absl::OkStatus();
}

}  // namespace schleuse
