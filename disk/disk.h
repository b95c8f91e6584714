// The file system, as the gateway needs it. It knows nothing of recordings.
//
// What survives a power cut is only what was synced: a file's bytes by
// File::Sync, a name in a directory by SyncDirectory. Until then every change
// may be there afterwards, or not, or in part, in any order.
//
// Errors, the same from every call:
//   NotFound           no such file or directory      (ENOENT, ENOTDIR)
//   AlreadyExists      the name is taken              (EEXIST)
//   ResourceExhausted  the disk or a quota is full    (ENOSPC, EDQUOT, EFBIG)
//   FailedPrecondition the two names are on different file systems (EXDEV),
//                      a directory is not empty       (ENOTEMPTY)
//                      or stands where a file is meant (EISDIR)
//   PermissionDenied   not allowed, or read-only      (EACCES, EPERM, EROFS)
//   Unavailable        no descriptors or memory left  (EMFILE, ENFILE, ENOMEM)
//   InvalidArgument    no such path can be            (EINVAL, ENAMETOOLONG),
//                      it is relative, or holds a NUL
//   DataLoss           the medium failed              (EIO and all others)
// Messages name the operation, the path and the reason.
#ifndef SCHLEUSE_DISK_DISK_H_
#define SCHLEUSE_DISK_DISK_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/cord.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"

namespace schleuse {

// An open file. Closed by its destructor; nothing that matters may depend on
// close, so Sync first.
//
// Calls may come from many threads; writes that overlap in the file must not
// run side by side. Sync may run beside writes: it covers those that had
// returned when it began.
class File {
 public:
  virtual ~File() = default;

  // Writes all of `bytes` at `offset`, growing the file as needed. On an error
  // any part of that range may have changed.
  virtual absl::Status Write(uint64_t offset, const absl::Cord& bytes) = 0;
  virtual absl::Status Write(uint64_t offset, absl::string_view bytes) = 0;

  // The same for whole blocks: `offset`, the size of `bytes` and their address
  // are multiples of kBlockBytes. Where the file system can, they go around the
  // page cache; reads see them as any other write, and Sync covers them.
  //   InvalidArgument  not whole blocks
  static constexpr uint64_t kBlockBytes = 4096;
  virtual absl::Status WriteBlocks(uint64_t offset,
                                   absl::string_view bytes) = 0;

  // Up to `length` bytes from `offset` on; fewer only at the end of the file.
  virtual absl::StatusOr<std::string> Read(uint64_t offset,
                                           uint64_t length) const = 0;

  // The same into memory of the caller's; returns how many bytes came.
  virtual absl::StatusOr<uint64_t> ReadInto(uint64_t offset,
                                            absl::Span<char> into) const = 0;

  virtual absl::StatusOr<uint64_t> Size() const = 0;

  // Cuts or extends (with zeros) the file to `size`.
  virtual absl::Status Truncate(uint64_t size) = 0;

  // Makes bytes and size durable (fdatasync), whoever wrote them: a file opened
  // for reading can be synced too. After an error nobody knows what of the
  // unsynced part is on the disk, and a later OK does not change that: give the
  // file up. So the error is never Unavailable, as if nothing had been tried:
  // it is ResourceExhausted or else DataLoss.
  virtual absl::Status Sync() = 0;
};

// Equal for two paths that name the same file or directory; one that is gone
// may hand its identity on to a new one.
struct FileIdentity {
  uint64_t device = 0;
  uint64_t inode = 0;

  friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
};

struct FileInfo {
  FileIdentity identity;
  uint64_t size = 0;  // bytes; 0 for a directory
  bool is_directory = false;
  uint64_t links = 1;            // names that this file has
  bool others_may_read = false;  // or write: group or world
  absl::Time modified;
};

// Safe to call from many threads. Paths are absolute.
class Disk {
 public:
  virtual ~Disk() = default;

  // Makes a new, empty file, mode 0600, open for reading and writing.
  virtual absl::StatusOr<std::unique_ptr<File>> Create(
      absl::string_view path) = 0;
  // Opens a file that exists, for reading and writing.
  virtual absl::StatusOr<std::unique_ptr<File>> Open(
      absl::string_view path) = 0;
  // Opens a file that exists, for reading.
  virtual absl::StatusOr<std::unique_ptr<File>> OpenForReading(
      absl::string_view path) const = 0;

  // Gives the file at `from` a second name `to`; never replaces one. Both
  // lie on the same file system.
  virtual absl::Status Link(absl::string_view from, absl::string_view to) = 0;
  // Renames within one directory, replacing `to` in one step: after a power cut
  // `to` names the old file or the new one.
  //   InvalidArgument  the two lie in different directories
  virtual absl::Status Replace(absl::string_view from,
                               absl::string_view to) = 0;
  // Removes the name of a file.
  virtual absl::Status Remove(absl::string_view path) = 0;

  // Makes one directory, mode 0700; its parent must exist.
  virtual absl::Status MakeDirectory(absl::string_view path) = 0;
  virtual absl::Status RemoveDirectory(absl::string_view path) = 0;
  // Makes the names in `path` durable (fsync of the directory). Unavailable: it
  // could not be opened and nothing was tried. After an error of the sync
  // itself (ResourceExhausted, DataLoss) nobody knows which of the unsynced
  // changes are on the disk, and a later OK does not change that: make each of
  // them anew.
  virtual absl::Status SyncDirectory(absl::string_view path) = 0;
  // Makes durable whatever was written, and every name that was changed, on the
  // file system that holds `path` (syncfs): one sync for many small files.
  // Unavailable: nothing was tried. After any other error nobody knows what of
  // it is on the disk: make each change anew. Whoever syncs files and
  // directories of his own hears of it there.
  virtual absl::Status SyncFileSystem(absl::string_view path) = 0;
  // The names in `path`, sorted, without "." and "..".
  virtual absl::StatusOr<std::vector<std::string>> List(
      absl::string_view path) const = 0;

  virtual absl::StatusOr<FileInfo> Stat(absl::string_view path) const = 0;
  // Bytes that we could still write to the file system that holds `path`.
  virtual absl::StatusOr<uint64_t> FreeBytes(absl::string_view path) const = 0;
};

// The whole of a file no longer than `bytes_max`.
//   ResourceExhausted  it is longer
absl::StatusOr<std::string> ReadFile(const Disk& disk, absl::string_view path,
                                     uint64_t bytes_max);

// Puts `bytes` under `path` so that a power cut leaves the old file or the new
// one, and which of the two nobody knows before the directory is synced:
// temporary file `<path>.new`, sync, Replace. One caller at a time for each
// path.
absl::Status ReplaceFile(Disk& disk, absl::string_view path,
                         absl::string_view bytes);
// The same, and the sync of the directory.
absl::Status WriteFileAtomically(Disk& disk, absl::string_view path,
                                 absl::string_view bytes);

// OK if these are whole blocks, as WriteBlocks wants them.
absl::Status CheckBlocks(uint64_t offset, absl::string_view bytes);

// Makes `path` and those parents that are missing, each made durable in its
// parent before the next.
absl::Status MakeDirectories(Disk& disk, absl::string_view path);

// "/a/b/c" -> "/a/b"; "/a" -> "/".
std::string ParentOf(absl::string_view path);
// One slash between the two.
std::string JoinPath(absl::string_view directory, absl::string_view name);

}  // namespace schleuse

#endif  // SCHLEUSE_DISK_DISK_H_
