#include "client/uploader/file_source.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "base/status.h"

namespace schleuse::client {

absl::StatusOr<std::unique_ptr<FileSource>> FileSource::Open(
    const Disk& disk, absl::string_view path) {
  // Looked at before it is opened: a change in between shows as a change.
  ASSIGN_OR_RETURN(const FileInfo seen, disk.Stat(path));
  if (seen.is_directory) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " is a directory, not a recording"));
  }
  ASSIGN_OR_RETURN(std::unique_ptr<File> file, disk.OpenForReading(path));
  return std::unique_ptr<FileSource>(
      new FileSource(disk, path, seen, std::move(file)));
}

absl::StatusOr<absl::Cord> FileSource::Read(uint64_t offset, uint64_t length) {
  // Costs a microsecond and saves sending hours of a file that still grows.
  RETURN_IF_ERROR(CheckUnchanged());
  // Not a string, which would be filled with zeros first.
  auto bytes = std::make_unique_for_overwrite<char[]>(length);
  const auto into = absl::MakeSpan(bytes.get(), length);
  ASSIGN_OR_RETURN(const uint64_t got, file_->ReadInto(offset, into));
  if (got != length) {
    return absl::FailedPreconditionError(
        absl::StrCat(path_, " became shorter while it was read"));
  }
  return absl::MakeCordFromExternal(absl::string_view(into.data(), length),
                                    [bytes = std::move(bytes)] {});
}

absl::Status FileSource::CheckUnchanged() {
  const absl::StatusOr<FileInfo> looked = disk_.Stat(path_);
  if (!looked.ok()) return Annotate(looked.status(), "during the transfer");
  const FileInfo& now = *looked;
  if (now.size == seen_.size && now.modified == seen_.modified &&
      !now.is_directory) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(absl::StrCat(
      path_, " changed during the transfer: it ",
      now.size == seen_.size
          ? absl::StrCat("was written at ", absl::FormatTime(now.modified))
          : absl::StrCat("had ", seen_.size, " bytes and now has ", now.size)));
}

}  // namespace schleuse::client
