// Disk on the kernel's file systems. The only code of ours that calls them.
#ifndef SCHLEUSE_DISK_POSIX_DISK_H_
#define SCHLEUSE_DISK_POSIX_DISK_H_

#include <string>

#include "absl/strings/string_view.h"
#include "disk/disk.h"

namespace schleuse {

// What a person typed, made absolute by the directory that the process is in;
// no file is touched. Empty, which cannot be opened, if that cannot be told.
std::string AbsolutePath(absl::string_view path);

class PosixDisk final : public Disk {
 public:
  absl::StatusOr<std::unique_ptr<File>> Create(absl::string_view path) override;
  absl::StatusOr<std::unique_ptr<File>> Open(absl::string_view path) override;
  absl::StatusOr<std::unique_ptr<File>> OpenForReading(
      absl::string_view path) const override;
  absl::Status Link(absl::string_view from, absl::string_view to) override;
  absl::Status Replace(absl::string_view from, absl::string_view to) override;
  absl::Status Remove(absl::string_view path) override;
  absl::Status MakeDirectory(absl::string_view path) override;
  absl::Status RemoveDirectory(absl::string_view path) override;
  absl::Status SyncDirectory(absl::string_view path) override;
  absl::Status SyncFileSystem(absl::string_view path) override;
  absl::StatusOr<std::vector<std::string>> List(
      absl::string_view path) const override;
  absl::StatusOr<FileInfo> Stat(absl::string_view path) const override;
  absl::StatusOr<uint64_t> FreeBytes(absl::string_view path) const override;
};

// A lock that the kernel gives up when this process ends, however it ends
// (flock on `path`, made if missing): one gateway to a spool.
class ProcessLock {
 public:
  //   Unavailable  another process holds it
  static absl::StatusOr<std::unique_ptr<ProcessLock>> Take(
      absl::string_view path);
  ~ProcessLock();
  ProcessLock(const ProcessLock&) = delete;
  ProcessLock& operator=(const ProcessLock&) = delete;

 private:
  explicit ProcessLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace schleuse

#endif  // SCHLEUSE_DISK_POSIX_DISK_H_
