// A store on the file system of the spool: footage is written once, by the
// spool, and gets its final name by a link.
//
// Layout (docs/formats.md): <root>/<camera_id>/<recording_id>/recording.<ext>.
#ifndef SCHLEUSE_GATEWAY_STORE_FILE_STORE_H_
#define SCHLEUSE_GATEWAY_STORE_FILE_STORE_H_

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "base/mutex.h"
#include "disk/disk.h"
#include "gateway/store/store.h"

namespace schleuse {

struct FileStoreOptions {
  // Read every recording back and hash it before its commit succeeds. Without
  // it the store vouches by the hash of what was written and by its sync.
  bool read_back = false;
};

class FileStore final : public Store {
 public:
  // `root` exists, on the file system of the spool.
  FileStore(Disk& disk, absl::string_view root,
            const FileStoreOptions& options);

  absl::StatusOr<std::unique_ptr<StoreUpload>> Open(
      const StoreSource& source) override;
  std::string TargetOf(const StoreSource& source) const override;
  absl::StatusOr<std::vector<Bundle>> Find(
      const RecordingName& name) const override;
  absl::StatusOr<std::unique_ptr<StoredBytes>> Read(
      const Bundle& bundle) const override;
  // Syncs the file's bytes and the names on the way to it.
  absl::Status Keep(const Bundle& bundle) override;
  absl::Status Probe() const override;

  // Proves that a link from `spool_directory` into the root works, by making
  // one.
  //   FailedPrecondition  they lie on different file systems
  absl::Status CheckReach(absl::string_view spool_directory);

 private:
  class Upload;
  std::string DirectoryOf(const RecordingName& name) const;
  // Held by whoever changes or syncs names below a camera's directory.
  Mutex& NamesOf(absl::string_view camera);
  // Makes a directory and its name durable; leaves none that may not be so.
  absl::Status MakeDurably(absl::string_view directory);
  // Makes a camera's directory and its name durable, once a process.
  absl::Status MakeCameraDirectory(absl::string_view camera);
  absl::Status MakeDirectoryOf(const RecordingName& name);
  // Whether a sync of a name at `location` failed, so that no later one counts.
  bool IsDoubted(absl::string_view location);
  void SetDoubt(absl::string_view location, bool doubted);
  // Makes the bytes at `location` durable, and the names that lead to it.
  absl::Status SyncUpwards(absl::string_view location);

  Disk& disk_;
  const std::string root_;
  const FileStoreOptions options_;
  // A failed sync loses the pending names of everybody in that directory, and
  // the next one says OK to all of them. So each directory's names are changed,
  // synced and taken back by one thread at a time: alone here a lock is held
  // while the disk works. A camera's lock, which some share, comes first.
  std::array<Mutex, 64> camera_names_;
  Mutex root_names_;
  Mutex mutex_;
  absl::flat_hash_set<std::string> durable_cameras_ ABSL_GUARDED_BY(mutex_);
  // Bundles whose names could neither be synced nor be taken back.
  absl::flat_hash_set<std::string> doubted_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_STORE_FILE_STORE_H_
