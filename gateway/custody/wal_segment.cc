#include "gateway/custody/wal_segment.h"

#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/status.h"

namespace schleuse {
namespace {

constexpr absl::string_view kMagic = "SchlWal";
constexpr char kVersion = 1;
constexpr uint64_t kHeaderBytes = 8;
constexpr uint64_t kFrameBytes = 8;  // length and CRC
// No segment is meant to grow near this.
constexpr uint64_t kSegmentBytesMax = 256 << 20;

// The CRC covers the length too, so that zeros are no record.
uint32_t FrameCrc(absl::string_view length_field, absl::string_view payload) {
  return ExtendCrc32c(Crc32c(length_field), payload);
}

// The payload of the record that `bytes` begin with, if it is intact.
std::optional<absl::string_view> IntactPayload(absl::string_view bytes) {
  if (bytes.size() < kFrameBytes) return std::nullopt;
  const uint64_t length = ReadU32(bytes);
  if (length > WalSegment::kPayloadBytesMax) return std::nullopt;
  if (length > bytes.size() - kFrameBytes) return std::nullopt;
  const absl::string_view payload = bytes.substr(kFrameBytes, length);
  if (FrameCrc(bytes.substr(0, 4), payload) != ReadU32(bytes.substr(4))) {
    return std::nullopt;
  }
  return payload;
}

bool AnyIntactRecord(absl::string_view bytes) {
  for (size_t at = 0; at < bytes.size(); ++at) {
    if (IntactPayload(bytes.substr(at))) return true;
  }
  return false;
}

bool OnlyZeros(absl::string_view bytes) {
  return bytes.find_first_not_of('\0') == absl::string_view::npos;
}

absl::Status Damaged(absl::string_view path, uint64_t at) {
  return absl::DataLossError(absl::StrCat(
      path, " is damaged at byte ", at,
      ": what follows is not the torn end that a power cut leaves. Keep a copy "
      "of the whole custody directory, check the disk, and have the log "
      "audited "
      "before a new origin is begun"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<WalSegment>> WalSegment::Create(
    Disk& disk, absl::string_view path) {
  ASSIGN_OR_RETURN(std::unique_ptr<File> file, disk.Create(path));
  RETURN_IF_ERROR(
      file->Write(0, absl::StrCat(kMagic, std::string(1, kVersion))));
  return std::unique_ptr<WalSegment>(
      new WalSegment(std::move(file), kHeaderBytes));
}

absl::Status WalSegment::Append(absl::string_view payload) {
  if (payload.size() > kPayloadBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("a batch of ", payload.size(), " bytes is too long"));
  }
  std::string frame;
  frame.reserve(kFrameBytes + payload.size());
  AppendU32(frame, static_cast<uint32_t>(payload.size()));
  AppendU32(frame, FrameCrc(frame, payload));
  frame.append(payload.data(), payload.size());
  const absl::Status written = file_->Write(end_, frame);
  if (written.ok()) {
    end_ += frame.size();
    return absl::OkStatus();
  }
  if (!absl::IsResourceExhausted(written)) return written;
  // A part of it may be there, and would stand before the next one.
  const absl::Status cut = file_->Truncate(end_);
  if (!cut.ok()) {
    return absl::DataLossError(
        absl::StrCat("half a record cannot be cut: ", cut.message()));
  }
  return written;
}

absl::StatusOr<WalSegment::Tail> WalSegment::Read(
    const Disk& disk, absl::string_view path,
    absl::FunctionRef<absl::Status(absl::string_view payload)> visit) {
  ASSIGN_OR_RETURN(const std::string bytes,
                   ReadFile(disk, path, kSegmentBytesMax));
  const absl::string_view header =
      absl::string_view(bytes).substr(0, kHeaderBytes);
  if (header.size() < kHeaderBytes || OnlyZeros(header)) {
    // Made, and never synced.
    if (AnyIntactRecord(bytes)) return Damaged(path, 0);
    return Tail{.begin = 0, .bytes = bytes.size()};
  }
  if (!absl::StartsWith(header, kMagic)) return Damaged(path, 0);
  if (header.back() != kVersion) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, " has version ", static_cast<uint8_t>(header.back()),
                     "; this program knows version ", int{kVersion}));
  }
  absl::string_view rest = absl::string_view(bytes).substr(kHeaderBytes);
  while (const auto payload = IntactPayload(rest)) {
    RETURN_IF_ERROR(visit(*payload));
    rest.remove_prefix(kFrameBytes + payload->size());
  }
  const uint64_t at = bytes.size() - rest.size();
  // The first byte of `rest` begins none; any other might.
  if (!rest.empty() && AnyIntactRecord(rest.substr(1))) {
    return Damaged(path, at);
  }
  return Tail{.begin = at, .bytes = rest.size()};
}

}  // namespace schleuse
