// A recording that is a file. A file that changes while it is read is no
// recording: its size and modification time are watched.
#ifndef SCHLEUSE_CLIENT_UPLOADER_FILE_SOURCE_H_
#define SCHLEUSE_CLIENT_UPLOADER_FILE_SOURCE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/uploader/source.h"
#include "disk/disk.h"

namespace schleuse::client {

class FileSource final : public Source {
 public:
  // Opens the file at `path`, which is absolute. `disk` must outlive it.
  //   NotFound, PermissionDenied  as they say
  //   InvalidArgument             it is a directory
  static absl::StatusOr<std::unique_ptr<FileSource>> Open(
      const Disk& disk, absl::string_view path);

  absl::StatusOr<uint64_t> Size() override { return seen_.size; }
  absl::StatusOr<absl::Cord> Read(uint64_t offset, uint64_t length) override;
  absl::Status CheckUnchanged() override;

 private:
  FileSource(const Disk& disk, absl::string_view path, FileInfo seen,
             std::unique_ptr<File> file)
      : disk_(disk), path_(path), seen_(seen), file_(std::move(file)) {}

  const Disk& disk_;
  const std::string path_;
  const FileInfo seen_;
  const std::unique_ptr<File> file_;
};

}  // namespace schleuse::client

#endif  // SCHLEUSE_CLIENT_UPLOADER_FILE_SOURCE_H_
