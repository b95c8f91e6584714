#include "gateway/custody/wal.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "base/failpoint.h"
#include "base/status.h"
#include "proto/custody_wal.pb.h"

namespace schleuse {
namespace {

constexpr absl::string_view kSuffix = ".wal";
constexpr size_t kDigits = 12;

std::string Encode(const Batch& batch) {
  custody::v1::Batch message;
  message.set_origin(batch.origin);
  message.set_first_index(batch.first_index);
  for (const std::string& entry : batch.entries) message.add_entry(entry);
  message.set_checkpoint(batch.checkpoint);
  return message.SerializeAsString();
}

absl::StatusOr<Batch> Decode(absl::string_view payload,
                             absl::string_view path) {
  custody::v1::Batch message;
  if (!message.ParseFromArray(payload.data(),
                              static_cast<int>(payload.size())) ||
      message.entry().empty()) {
    return absl::DataLossError(
        absl::StrCat(path, ": a record is intact and no batch"));
  }
  return Batch{.origin = message.origin(),
               .first_index = message.first_index(),
               .entries = {message.entry().begin(), message.entry().end()},
               .checkpoint = message.checkpoint()};
}

}  // namespace

Wal::Wal(Disk& disk, absl::string_view directory)
    : disk_(disk), directory_(directory) {}

std::string Wal::PathOf(uint64_t number) const {
  return JoinPath(directory_,
                  absl::StrFormat("%0*d%s", kDigits, number, kSuffix));
}

absl::StatusOr<std::vector<uint64_t>> Wal::Segments() const {
  ASSIGN_OR_RETURN(const std::vector<std::string> names,
                   disk_.List(directory_));
  std::vector<uint64_t> numbers;  // in order, as the names are
  for (const std::string& name : names) {
    absl::string_view digits = name;
    uint64_t number = 0;
    if (name.size() != kDigits + kSuffix.size() ||
        !absl::ConsumeSuffix(&digits, kSuffix) ||
        !absl::SimpleAtoi(digits, &number)) {
      return absl::FailedPreconditionError(absl::StrCat(
          JoinPath(directory_, name), " does not belong there: take it out"));
    }
    numbers.push_back(number);
  }
  return numbers;
}

absl::StatusOr<uint64_t> Wal::Read(
    absl::FunctionRef<absl::Status(Batch batch)> visit) {
  ASSIGN_OR_RETURN(const std::vector<uint64_t> numbers, Segments());
  uint64_t torn = 0;
  for (const uint64_t number : numbers) {
    const std::string path = PathOf(number);
    ASSIGN_OR_RETURN(
        const WalSegment::Tail tail,
        WalSegment::Read(disk_, path, [&](absl::string_view payload) {
          absl::StatusOr<Batch> batch = Decode(payload, path);
          if (!batch.ok()) return batch.status();
          return Annotate(visit(*std::move(batch)), path);
        }));
    torn += tail.bytes;
    number_ = number;
  }
  return torn;
}

absl::Status Wal::BeginAnew(absl::Span<const Batch> batches) {
  ASSIGN_OR_RETURN(const std::vector<uint64_t> others, Segments());
  EndSegment();
  for (const Batch& batch : batches) {
    const absl::Status written = Append(batch);
    if (!written.ok()) {
      // Half a copy would be read beside the whole.
      EndSegment();
      disk_.Remove(PathOf(number_)).IgnoreError();
      return written;
    }
  }
  if (!batches.empty()) RETURN_IF_ERROR(Sync());
  Failpoint("custody.wal_copied");
  for (const uint64_t number : others) RETURN_IF_ERROR(Remove(number));
  return absl::OkStatus();
}

absl::Status Wal::Append(const Batch& batch) {
  if (segment_ != nullptr) return segment_->Append(Encode(batch));
  const std::string path = PathOf(number_ + 1);
  absl::StatusOr<std::unique_ptr<WalSegment>> segment =
      WalSegment::Create(disk_, path);
  absl::Status written = segment.status();
  if (written.ok()) written = (*segment)->Append(Encode(batch));
  if (!written.ok()) {
    // One that has a header and nothing else is no harm, but stands in the way.
    disk_.Remove(path).IgnoreError();
    return written;
  }
  segment_ = *std::move(segment);
  ++number_;
  name_unsynced_ = true;
  return absl::OkStatus();
}

absl::Status Wal::Sync() {
  RETURN_IF_ERROR(segment_->Sync());
  if (std::exchange(name_unsynced_, false)) {
    RETURN_IF_ERROR(disk_.SyncDirectory(directory_));
  }
  return absl::OkStatus();
}

absl::Status Wal::Remove(uint64_t number) {
  return disk_.Remove(PathOf(number));
}

}  // namespace schleuse
