#include "disk/disk.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status.h"

namespace schleuse {
namespace {

absl::Status WriteNewFile(Disk& disk, absl::string_view path,
                          absl::string_view bytes) {
  ASSIGN_OR_RETURN(const std::unique_ptr<File> file, disk.Create(path));
  RETURN_IF_ERROR(file->Write(0, bytes));
  return file->Sync();
}

absl::string_view WithoutTrailingSlashes(absl::string_view path) {
  while (absl::EndsWith(path, "/")) path.remove_suffix(1);
  return path;
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const Disk& disk, absl::string_view path,
                                     uint64_t bytes_max) {
  ASSIGN_OR_RETURN(const std::unique_ptr<File> file, disk.OpenForReading(path));
  ASSIGN_OR_RETURN(std::string bytes, file->Read(0, bytes_max));
  // Asked last: a file that grows meanwhile is not taken for a short one.
  ASSIGN_OR_RETURN(const uint64_t size, file->Size());
  if (size > bytes_max) {
    return absl::ResourceExhaustedError(absl::StrCat("read ", path, ": ", size,
                                                     " bytes, more than the ",
                                                     bytes_max, " allowed"));
  }
  return bytes;
}

absl::Status ReplaceFile(Disk& disk, absl::string_view path,
                         absl::string_view bytes) {
  const std::string temporary = absl::StrCat(path, ".new");
  // An earlier crash may have left one.
  if (const absl::Status removed = disk.Remove(temporary);
      !removed.ok() && !absl::IsNotFound(removed)) {
    return removed;
  }
  absl::Status written = WriteNewFile(disk, temporary, bytes);
  if (written.ok()) written = disk.Replace(temporary, path);
  if (!written.ok()) {
    // Only to give back its space; the next attempt removes it too.
    disk.Remove(temporary).IgnoreError();
  }
  return written;
}

absl::Status WriteFileAtomically(Disk& disk, absl::string_view path,
                                 absl::string_view bytes) {
  RETURN_IF_ERROR(ReplaceFile(disk, path, bytes));
  return disk.SyncDirectory(ParentOf(path));
}

absl::Status CheckBlocks(uint64_t offset, absl::string_view bytes) {
  const auto whole = [](uint64_t number) {
    return number % File::kBlockBytes == 0;
  };
  if (whole(offset) && whole(bytes.size()) &&
      whole(reinterpret_cast<uintptr_t>(bytes.data()))) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError("write of blocks: these are not whole");
}

absl::Status MakeDirectories(Disk& disk, absl::string_view path) {
  std::vector<std::string> missing;  // deepest first
  std::string existing(path);
  while (true) {
    const absl::StatusOr<FileInfo> info = disk.Stat(existing);
    if (info.ok() && info->is_directory) break;
    if (info.ok()) {
      return absl::AlreadyExistsError(
          absl::StrCat("make directory ", path, ": ", existing, " is a file"));
    }
    if (!absl::IsNotFound(info.status())) return info.status();
    if (existing == "/") return info.status();
    missing.push_back(existing);
    existing = ParentOf(existing);
  }

  // A crash may have come between making `existing` and syncing its name. Where
  // we may not even read the parent, somebody else made it.
  if (existing != "/") {
    const absl::Status synced = disk.SyncDirectory(ParentOf(existing));
    if (!synced.ok() && !absl::IsPermissionDenied(synced)) return synced;
  }

  for (; !missing.empty(); missing.pop_back()) {
    const absl::Status made = disk.MakeDirectory(missing.back());
    // Another thread may make the same one.
    if (!made.ok() && !absl::IsAlreadyExists(made)) return made;
    const absl::Status synced = disk.SyncDirectory(ParentOf(missing.back()));
    if (!synced.ok()) {
      // Its name may be lost for good: the next attempt makes it anew.
      disk.RemoveDirectory(missing.back()).IgnoreError();
      return synced;
    }
  }
  return absl::OkStatus();
}

std::string ParentOf(absl::string_view path) {
  path = WithoutTrailingSlashes(path);
  path = WithoutTrailingSlashes(path.substr(0, path.rfind('/') + 1));
  return path.empty() ? "/" : std::string(path);
}

std::string JoinPath(absl::string_view directory, absl::string_view name) {
  return absl::StrCat(WithoutTrailingSlashes(directory), "/",
                      absl::StripPrefix(name, "/"));
}

}  // namespace schleuse
