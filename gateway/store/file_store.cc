#include "gateway/store/file_store.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/failpoint.h"
#include "base/status.h"

namespace schleuse {
namespace {

constexpr absl::string_view kBytesPrefix = "recording.";
constexpr uint64_t kReadBytes = 1 << 20;

// Camera directories remembered as durable; beyond that the memory starts anew.
constexpr size_t kDurableCamerasMax = 10'000;

absl::Status MadeOrThere(const absl::Status& made) {
  return absl::IsAlreadyExists(made) ? absl::OkStatus() : made;
}

class StoredFile final : public StoredBytes {
 public:
  explicit StoredFile(std::unique_ptr<File> file) : file_(std::move(file)) {}
  absl::StatusOr<std::string> Read(uint64_t offset,
                                   uint64_t length) const override {
    return file_->Read(offset, length);
  }

 private:
  const std::unique_ptr<File> file_;
};

}  // namespace

class FileStore::Upload final : public StoreUpload {
 public:
  Upload(FileStore& store, StoreSource source)
      : store_(store), source_(std::move(source)) {}

  void Offer(uint64_t) override {}  // the bytes lie where they will stay
  void Abort() override {}          // nothing was begun

  absl::StatusOr<Bundle> Commit(uint64_t size, const Digest& sha256) override {
    ASSIGN_OR_RETURN(const std::vector<Bundle> found,
                     store_.Find(source_.name));
    if (!found.empty()) return Adopt(found.front(), size, sha256);

    const std::string camera = ParentOf(store_.DirectoryOf(source_.name));
    const std::string directory = store_.DirectoryOf(source_.name);
    const std::string target = store_.TargetOf(source_);
    RETURN_IF_ERROR(store_.MakeCameraDirectory(camera));
    RETURN_IF_ERROR(MadeOrThere(store_.disk_.MakeDirectory(directory)));
    // Also when it was there already: a crash may have come before this sync.
    RETURN_IF_ERROR(store_.disk_.SyncDirectory(camera));
    Failpoint("store.linking");
    // A link and not a rename: the bytes never lose the name that is durable
    // before the new one is (docs/decisions/0003).
    RETURN_IF_ERROR(store_.disk_.Link(source_.path, target));
    Failpoint("store.linked");
    RETURN_IF_ERROR(store_.disk_.SyncDirectory(directory));
    const absl::StatusOr<Bundle> verified =
        Verify({.location = target, .size = size}, sha256);
    if (absl::IsDataLoss(verified.status())) {
      // Nobody may find damaged bytes under this name; the spool has them
      // still.
      RETURN_IF_ERROR(store_.disk_.Remove(target));
      RETURN_IF_ERROR(store_.disk_.SyncDirectory(directory));
    }
    return verified;
  }

 private:
  // Somebody stored this name before: we, and crashed before we could say so,
  // or another.
  absl::StatusOr<Bundle> Adopt(const Bundle& bundle, uint64_t size,
                               const Digest& sha256) {
    if (bundle.size != size) return OtherBytes(bundle);
    ASSIGN_OR_RETURN(const Digest held, store_.HashOf(bundle.location));
    if (held != sha256) return OtherBytes(bundle);
    // The crash may have come before these syncs.
    const std::string directory = store_.DirectoryOf(source_.name);
    RETURN_IF_ERROR(store_.disk_.SyncDirectory(store_.root_));
    RETURN_IF_ERROR(store_.disk_.SyncDirectory(ParentOf(directory)));
    RETURN_IF_ERROR(store_.disk_.SyncDirectory(directory));
    return bundle;
  }

  absl::StatusOr<Bundle> Verify(Bundle bundle, const Digest& sha256) {
    ASSIGN_OR_RETURN(const FileInfo info, store_.disk_.Stat(bundle.location));
    if (info.size != bundle.size) {
      return absl::DataLossError(absl::StrCat(bundle.location, " has ",
                                              info.size, " bytes instead of ",
                                              bundle.size));
    }
    if (store_.options_.read_back) {
      ASSIGN_OR_RETURN(const Digest held, store_.HashOf(bundle.location));
      if (held != sha256) {
        return absl::DataLossError(absl::StrCat(
            bundle.location, " does not read back as it was written"));
      }
    }
    return bundle;
  }

  static absl::Status OtherBytes(const Bundle& bundle) {
    return absl::AlreadyExistsError(
        absl::StrCat("other bytes are stored at ", bundle.location));
  }

  FileStore& store_;
  const StoreSource source_;
};

FileStore::FileStore(Disk& disk, absl::string_view root,
                     const FileStoreOptions& options)
    : disk_(disk), root_(root), options_(options) {}

std::string FileStore::DirectoryOf(const RecordingName& name) const {
  return JoinPath(JoinPath(root_, name.camera_id()), name.recording_id());
}

std::string FileStore::TargetOf(const StoreSource& source) const {
  return JoinPath(DirectoryOf(source.name),
                  absl::StrCat(kBytesPrefix, source.extension));
}

absl::Status FileStore::MakeCameraDirectory(absl::string_view camera) {
  {
    MutexLock lock(mutex_);
    if (durable_cameras_.contains(camera)) return absl::OkStatus();
  }
  // Its parent is the root, which is never made here: one that is gone must
  // not come back empty below a missing mount.
  RETURN_IF_ERROR(MadeOrThere(disk_.MakeDirectory(camera)));
  RETURN_IF_ERROR(disk_.SyncDirectory(root_));
  MutexLock lock(mutex_);
  if (durable_cameras_.size() >= kDurableCamerasMax) durable_cameras_.clear();
  durable_cameras_.emplace(camera);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<StoreUpload>> FileStore::Open(
    const StoreSource& source) {
  return std::make_unique<Upload>(*this, source);
}

absl::StatusOr<std::vector<Bundle>> FileStore::Find(
    const RecordingName& name) const {
  const std::string directory = DirectoryOf(name);
  const absl::StatusOr<std::vector<std::string>> names = disk_.List(directory);
  if (absl::IsNotFound(names.status())) {
    // Nothing of that name, unless the whole store is gone.
    RETURN_IF_ERROR(Probe());
    return std::vector<Bundle>{};
  }
  RETURN_IF_ERROR(names.status());
  std::vector<Bundle> bundles;
  for (const std::string& file : *names) {
    if (!absl::StartsWith(file, kBytesPrefix)) continue;
    const std::string path = JoinPath(directory, file);
    ASSIGN_OR_RETURN(const FileInfo info, disk_.Stat(path));
    bundles.push_back({.location = path, .size = info.size});
  }
  return bundles;
}

absl::StatusOr<std::unique_ptr<StoredBytes>> FileStore::Read(
    const Bundle& bundle) const {
  ASSIGN_OR_RETURN(std::unique_ptr<File> file,
                   disk_.OpenForReading(bundle.location));
  return std::make_unique<StoredFile>(std::move(file));
}

absl::StatusOr<Digest> FileStore::HashOf(absl::string_view path) const {
  ASSIGN_OR_RETURN(const std::unique_ptr<File> file,
                   disk_.OpenForReading(path));
  Sha256 hash;
  while (true) {
    ASSIGN_OR_RETURN(const std::string piece,
                     file->Read(hash.bytes_hashed(), kReadBytes));
    if (piece.empty()) return hash.Current();
    hash.Update(piece);
  }
}

absl::Status FileStore::Probe() const {
  const absl::StatusOr<FileInfo> info = disk_.Stat(root_);
  if (absl::IsNotFound(info.status())) {
    return absl::UnavailableError(
        absl::StrCat("the store's folder ", root_, " is gone"));
  }
  return info.status();
}

absl::Status FileStore::CheckReach(absl::string_view spool_directory) {
  const std::string from = JoinPath(spool_directory, "reach.probe");
  const std::string to = JoinPath(root_, "reach.probe");
  // Left by a process that was killed between the lines below.
  for (const std::string& path : {from, to}) {
    const absl::Status removed = disk_.Remove(path);
    if (!removed.ok() && !absl::IsNotFound(removed)) return removed;
  }
  RETURN_IF_ERROR(disk_.Create(from).status());
  const absl::Status linked = disk_.Link(from, to);
  RETURN_IF_ERROR(disk_.Remove(from));
  if (absl::IsFailedPrecondition(linked)) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the store ", root_, " is not on the file system of the spool ",
        spool_directory,
        "; put both on one, since footage is written once and then linked"));
  }
  RETURN_IF_ERROR(linked);
  return disk_.Remove(to);
}

}  // namespace schleuse
