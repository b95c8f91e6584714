// A store on the file system of the spool: footage is written once, by the
// spool, and gets its final name by a link.
//
// Layout (docs/formats.md): <root>/<camera_id>/<recording_id>/recording.<ext>.
#ifndef SCHLEUSE_GATEWAY_STORE_FILE_STORE_H_
#define SCHLEUSE_GATEWAY_STORE_FILE_STORE_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "base/mutex.h"
#include "disk/disk.h"
#include "disk/name_syncs.h"
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
  std::vector<absl::Status> Lay(absl::Span<const Laying> layings) override;
  std::vector<absl::Status> LayWitnessed(
      absl::Span<const Laying> layings) override;
  absl::StatusOr<std::optional<std::string>> NewestReceipt() const override;
  absl::StatusOr<std::optional<Proof>> ReadProof(
      const Bundle& bundle) const override;
  absl::StatusOr<std::optional<Proof>> FindProof(
      const RecordingName& name) const override;
  absl::StatusOr<StorePage> List(const std::string& after) const override;
  std::string Behind(const RecordingName& name) const override {
    return name.ToString();
  }
  absl::Status Delete(const Bundle& bundle, const Proof& deletion) override;
  absl::StatusOr<std::optional<DeletedBundle>> FindDeleted(
      const RecordingName& name) const override;
  std::string StatedLocation(const Bundle& bundle) const override;
  bool reads_back() const override { return options_.read_back; }
  absl::Status Probe() const override;

  // Proves that a link from `spool_directory` into the root works, by making
  // one.
  //   FailedPrecondition  they lie on different file systems
  absl::Status CheckReach(absl::string_view spool_directory);

 private:
  class Upload;
  // While it lives, nobody else changes the names of that recording: what one
  // commit may take back, no other shall find and call stored.
  class Names;
  // What a recording's directory holds.
  struct Held {
    std::vector<Bundle> bundles = {};
    bool deleted = false;  // a deletion lies there
  };
  absl::StatusOr<Held> Look(const RecordingName& name) const;
  std::string DirectoryOf(const RecordingName& name) const;
  // The names in a directory that can be ids, sorted.
  absl::StatusOr<std::vector<std::string>> ListIds(
      absl::string_view directory) const;
  // False also if there is none.
  absl::StatusOr<bool> IsDirectory(absl::string_view path) const;
  // nullopt: not both files are there.
  absl::StatusOr<std::optional<Proof>> ReadBoth(
      absl::string_view directory, absl::string_view statement,
      absl::string_view receipt) const;
  // Makes a directory, whose name is durable once the change is synced.
  absl::StatusOr<NameSyncs::Change> Make(absl::string_view directory);
  // Makes a camera's directory and its name durable, once a process; leaves
  // none that may not be so.
  absl::Status MakeCameraDirectory(absl::string_view camera);
  absl::StatusOr<NameSyncs::Change> MakeDirectoryOf(const RecordingName& name);
  // Small files that are to appear in one directory.
  struct Drafts {
    std::string directory;
    std::vector<std::pair<absl::string_view, std::string>> files;  // by name
  };
  absl::StatusOr<Drafts> DraftsOf(const Laying& laying) const;
  absl::StatusOr<Drafts> WitnessedDrafts(const Laying& laying) const;
  // Of the newest receipt among them, if none is kept that is as new.
  std::optional<Drafts> NewestOf(absl::Span<const Laying> layings) const;
  // Writes and names them all, durably. One status for each.
  std::vector<absl::Status> LayAll(
      absl::Span<const absl::StatusOr<Drafts>> all);
  absl::Status Write(const Drafts& drafts);
  absl::Status Name(const Drafts& drafts);
  void SyncFor(std::vector<absl::Status>& results);
  // Whether a sync of a name at `location` failed, so that no later one counts.
  bool IsDoubted(absl::string_view location);
  void SetDoubt(absl::string_view location, bool doubted);
  // Makes the bytes at `location` durable, and the names that lead to it.
  absl::Status SyncUpwards(absl::string_view location);

  Disk& disk_;
  const std::string root_;
  const FileStoreOptions options_;
  NameSyncs name_syncs_{disk_};  // of the root and the cameras' directories
  // Held while the disk works: one group at a time, which share the draft of
  // the newest receipt.
  Mutex laying_;
  // Held while the disk works, once a camera and process.
  Mutex making_camera_;
  Mutex mutex_;
  CondVar names_free_;
  // The directories of those whose names are being changed.
  absl::flat_hash_set<std::string> changing_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_set<std::string> durable_cameras_ ABSL_GUARDED_BY(mutex_);
  // Bundles whose names could neither be synced nor be taken back.
  absl::flat_hash_set<std::string> doubted_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_STORE_FILE_STORE_H_
