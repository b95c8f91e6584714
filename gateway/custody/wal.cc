#include "gateway/custody/wal.h"

#include <algorithm>
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

constexpr absl::string_view kSegment = ".wal";
constexpr absl::string_view kBase = ".base";
constexpr absl::string_view kUnfinished = ".new";  // behind kBase
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
                  absl::StrFormat("%0*d%s", kDigits, number,
                                  number == base_ ? kBase : kSegment));
}

absl::StatusOr<std::vector<Wal::Name>> Wal::Names() const {
  ASSIGN_OR_RETURN(const std::vector<std::string> files,
                   disk_.List(directory_));
  std::vector<Name> names;  // in order, as the files are
  for (const std::string& file : files) {
    // Of a process that died over its copy: nobody relied on it.
    if (absl::EndsWith(file, kUnfinished)) continue;
    Name name = {.number = 0,
                 .is_base = absl::EndsWith(file, kBase),
                 .path = JoinPath(directory_, file)};
    absl::string_view digits = file;
    if ((!absl::ConsumeSuffix(&digits, kBase) &&
         !absl::ConsumeSuffix(&digits, kSegment)) ||
        digits.size() != kDigits || !absl::SimpleAtoi(digits, &name.number)) {
      return absl::FailedPreconditionError(
          absl::StrCat(name.path, " does not belong there: take it out"));
    }
    names.push_back(std::move(name));
  }
  return names;
}

absl::StatusOr<uint64_t> Wal::Read(
    absl::FunctionRef<absl::Status(Batch batch)> visit) {
  ASSIGN_OR_RETURN(std::vector<Name> names, Names());
  const auto base = std::find_if(names.rbegin(), names.rend(),
                                 [](const Name& name) { return name.is_base; });
  if (base != names.rend()) names.erase(names.begin(), base.base() - 1);
  uint64_t torn = 0;
  for (const Name& name : names) {
    ASSIGN_OR_RETURN(
        const WalSegment::Tail tail,
        WalSegment::Read(disk_, name.path, [&](absl::string_view payload) {
          absl::StatusOr<Batch> batch = Decode(payload, name.path);
          if (!batch.ok()) return batch.status();
          return Annotate(visit(*std::move(batch)), name.path);
        }));
    torn += tail.bytes;
    number_ = name.number;
  }
  return torn;
}

// Under another name until it is whole: of many records that were not synced a
// power cut may leave any. Behind that it stands for all that came before it,
// however little of that is gone.
absl::Status Wal::BeginAnew(absl::Span<const Batch> batches) {
  ASSIGN_OR_RETURN(const std::vector<Name> others, Names());
  EndSegment();
  if (!batches.empty()) {
    base_ = ++number_;  // whatever comes, the name is taken
    const std::string path = PathOf(base_);
    const std::string unfinished = absl::StrCat(path, kUnfinished);
    const absl::Status gone = disk_.Remove(unfinished);
    if (!gone.ok() && !absl::IsNotFound(gone)) return gone;
    auto copied = Copy(batches, unfinished);
    if (!copied.ok()) {
      disk_.Remove(unfinished).IgnoreError();  // what it took may be needed
      return copied.status();
    }
    RETURN_IF_ERROR(disk_.Replace(unfinished, path));
    RETURN_IF_ERROR(disk_.SyncDirectory(directory_));
    segment_ = *std::move(copied);
  }
  Failpoint("custody.wal_copied");
  // Before the base itself goes one day, another segment's name is synced, and
  // with it that these are gone.
  for (const Name& name : others) RETURN_IF_ERROR(disk_.Remove(name.path));
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<WalSegment>> Wal::Copy(
    absl::Span<const Batch> batches, const std::string& path) {
  ASSIGN_OR_RETURN(std::unique_ptr<WalSegment> copy,
                   WalSegment::Create(disk_, path));
  for (const Batch& batch : batches) {
    RETURN_IF_ERROR(copy->Append(Encode(batch)));
  }
  RETURN_IF_ERROR(copy->Sync());
  return copy;
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
