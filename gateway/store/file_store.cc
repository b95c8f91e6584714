#include "gateway/store/file_store.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/status.h"
#include "gateway/store/newest_receipt.h"

namespace schleuse {
namespace {

constexpr absl::string_view kBytesPrefix = "recording.";
constexpr absl::string_view kStatement = "statement.json";
constexpr absl::string_view kReceipt = "receipt.tlog-proof";
constexpr absl::string_view kWitnessed = "receipt.witnessed.tlog-proof";
constexpr absl::string_view kDeletion = "deleted.json";
constexpr absl::string_view kDeletionReceipt = "deleted.tlog-proof";
// No camera can be called so.
constexpr absl::string_view kNewestReceipt = ".newest-receipt.tlog-proof";
constexpr uint64_t kProofBytesMax = 128 << 10;
constexpr uint64_t kReadBytes = 1 << 20;
// Names of one page.
constexpr size_t kPageNames = 256;
// Hashed in one step of a commit: some ten milliseconds.
constexpr uint64_t kStepBytes = 8 << 20;

// Camera directories remembered as durable; beyond that the memory starts anew.
constexpr size_t kDurableCamerasMax = 10'000;

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

// Whether a sync that ended so leaves something that no later one makes
// durable; the other errors say that nothing was tried.
bool MayHaveLost(const absl::Status& synced) {
  return absl::IsDataLoss(synced) || absl::IsResourceExhausted(synced);
}

absl::Status NotOursToMakeAnew(absl::string_view location) {
  return absl::DataLossError(
      absl::StrCat(location,
                   " could not be synced before, and is not ours to make "
                   "anew: check the disk, copy the file, restart"));
}

std::string DraftOf(absl::string_view path) {
  return absl::StrCat(path, ".new");
}

}  // namespace

class FileStore::Names {
 public:
  Names(FileStore& store, const std::string& directory)
      : store_(store), directory_(directory) {
    MutexLock lock(store_.mutex_);
    while (!store_.changing_.insert(directory_).second) {
      store_.names_free_.Wait(store_.mutex_);
    }
  }
  ~Names() {
    MutexLock lock(store_.mutex_);
    store_.changing_.erase(directory_);
    store_.names_free_.NotifyAll();
  }
  Names(const Names&) = delete;
  Names& operator=(const Names&) = delete;

 private:
  FileStore& store_;
  const std::string directory_;
};

class FileStore::Upload final : public StoreUpload {
 public:
  Upload(FileStore& store, StoreSource source)
      : store_(store),
        source_(std::move(source)),
        directory_(store.DirectoryOf(source_.name)) {}

  void Offer(uint64_t) override {}  // the bytes lie where they will stay

  absl::StatusOr<std::optional<Bundle>> Commit(uint64_t size,
                                               const Digest& sha256) override {
    absl::StatusOr<std::optional<Bundle>> step = Step(size, sha256);
    if (!step.ok() || step->has_value()) reading_.reset();
    return step;
  }

  void Abort() override {
    if (reading_ && reading_->linked_here) {
      const Names names(store_, directory_);
      TakeBack(reading_->bundle.location).IgnoreError();
    }
    reading_.reset();
  }

 private:
  // A bundle that is read from step to step.
  struct Reading {
    Bundle bundle;
    bool linked_here;  // by this commit, else found
    std::unique_ptr<File> file = nullptr;
    Sha256 hash = {};
  };

  absl::StatusOr<std::optional<Bundle>> Step(uint64_t size,
                                             const Digest& sha256) {
    if (!reading_) {
      ASSIGN_OR_RETURN(std::optional<Bundle> stored, Begin(size));
      if (stored) return stored;
    }
    const absl::StatusOr<bool> whole = ReadOn();
    if (whole.ok() && !*whole) return std::nullopt;
    const Names names(store_, directory_);
    RETURN_IF_ERROR(reading_->linked_here ? Verify(whole.status(), sha256)
                                          : Adopt(whole.status(), sha256));
    return reading_->bundle;
  }

  // Nothing if there is something to be read first.
  absl::StatusOr<std::optional<Bundle>> Begin(uint64_t size) {
    const Names names(store_, directory_);
    ASSIGN_OR_RETURN(const Held held, store_.Look(source_.name));
    if (!held.bundles.empty()) {
      const Bundle& found = held.bundles.front();
      if (found.size != size) return OtherBytes(found);
      reading_ = Reading{.bundle = found, .linked_here = false};
      return std::nullopt;
    }
    if (held.deleted) {
      return absl::AlreadyExistsError(
          absl::StrCat("what was stored in ", directory_, " was deleted"));
    }
    ASSIGN_OR_RETURN(NameSyncs::Change made,
                     store_.MakeDirectoryOf(source_.name));
    const Bundle bundle = {.location = store_.TargetOf(source_), .size = size};
    Failpoint("store.linking");
    // A link and not a rename: the bytes never lose the name that is durable
    // before the new one is (docs/decisions/0003).
    const absl::Status linked =
        store_.disk_.Link(source_.path, bundle.location);
    if (!linked.ok()) {
      store_.disk_.RemoveDirectory(directory_).IgnoreError();
      return linked;
    }
    Failpoint("store.linked");
    absl::Status kept = store_.disk_.SyncDirectory(directory_);
    if (kept.ok()) kept = made.Sync();
    if (kept.ok()) kept = CheckSize(bundle);
    if (!kept.ok()) {
      RETURN_IF_ERROR(TakeBack(bundle.location));
      return kept;
    }
    store_.SetDoubt(bundle.location, false);  // of an attempt before this one
    if (!store_.options_.read_back) return bundle;
    reading_ = Reading{.bundle = bundle, .linked_here = true};
    return std::nullopt;
  }

  absl::Status CheckSize(const Bundle& bundle) const {
    ASSIGN_OR_RETURN(const FileInfo info, store_.disk_.Stat(bundle.location));
    if (info.size == bundle.size) return absl::OkStatus();
    return absl::DataLossError(absl::StrCat(bundle.location, " has ", info.size,
                                            " bytes instead of ", bundle.size));
  }

  // Whether all of it has been read.
  absl::StatusOr<bool> ReadOn() {
    if (reading_->file == nullptr) {
      ASSIGN_OR_RETURN(reading_->file,
                       store_.disk_.OpenForReading(reading_->bundle.location));
    }
    Sha256& hash = reading_->hash;
    const uint64_t step_end = hash.bytes_hashed() + kStepBytes;
    while (hash.bytes_hashed() < step_end) {
      ASSIGN_OR_RETURN(const std::string piece,
                       reading_->file->Read(hash.bytes_hashed(), kReadBytes));
      if (piece.empty()) return true;
      hash.Update(piece);
    }
    return false;
  }

  absl::Status Verify(absl::Status read, const Digest& sha256) {
    const std::string& location = reading_->bundle.location;
    if (read.ok() && reading_->hash.Current() != sha256) {
      read = absl::DataLossError(
          absl::StrCat(location, " does not read back as it was written"));
    }
    if (!read.ok()) RETURN_IF_ERROR(TakeBack(location));
    return read;
  }

  // Somebody stored this name before: we, and crashed before we could say so,
  // or another.
  absl::Status Adopt(const absl::Status& read, const Digest& sha256) {
    RETURN_IF_ERROR(read);
    if (reading_->hash.Current() != sha256) return OtherBytes(reading_->bundle);
    const std::string location = reading_->bundle.location;
    if (store_.IsDoubted(location)) RETURN_IF_ERROR(LinkAnew(location));
    const absl::Status kept = store_.SyncUpwards(location);
    store_.SetDoubt(location, MayHaveLost(kept));
    return kept;
  }

  // Behind a sync that failed a name may be lost for good, however often it is
  // synced: it is made anew. The bytes have theirs in the spool meanwhile.
  // Never without that reason: the device may have been told that it is stored.
  absl::Status LinkAnew(absl::string_view location) {
    ASSIGN_OR_RETURN(const bool ours, IsSource(location));
    if (!ours) return NotOursToMakeAnew(location);
    RETURN_IF_ERROR(store_.disk_.Remove(location));
    store_.disk_.RemoveDirectory(directory_).IgnoreError();
    ASSIGN_OR_RETURN(NameSyncs::Change made,
                     store_.MakeDirectoryOf(source_.name));
    RETURN_IF_ERROR(store_.disk_.Link(source_.path, location));
    return made.Sync();
  }

  static absl::Status OtherBytes(const Bundle& bundle) {
    return absl::AlreadyExistsError(
        absl::StrCat("other bytes are stored at ", bundle.location));
  }

  // Whether `location` is a name of the spool's own file.
  absl::StatusOr<bool> IsSource(absl::string_view location) const {
    const absl::StatusOr<FileInfo> source = store_.disk_.Stat(source_.path);
    if (absl::IsNotFound(source.status())) return false;
    RETURN_IF_ERROR(source.status());
    ASSIGN_OR_RETURN(const FileInfo held, store_.disk_.Stat(location));
    return held.identity == source->identity;
  }

  // Takes away a name that is not kept: nobody may find damaged bytes under it,
  // nor take it for durable after a failed sync. The directory goes as well if
  // that leaves it empty; the next commit makes all of it anew.
  absl::Status TakeBack(absl::string_view location) {
    absl::Status gone = store_.disk_.Remove(location);
    if (gone.ok()) gone = store_.disk_.SyncDirectory(directory_);
    store_.disk_.RemoveDirectory(directory_).IgnoreError();
    store_.SetDoubt(location, !gone.ok());
    return gone;
  }

  FileStore& store_;
  const StoreSource source_;
  const std::string directory_;
  std::optional<Reading> reading_;
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

absl::StatusOr<NameSyncs::Change> FileStore::Make(absl::string_view directory) {
  NameSyncs::Change name(name_syncs_, ParentOf(directory));
  absl::Status made = disk_.MakeDirectory(directory);
  // An empty one may be left from a process that died before this sync, or
  // behind its failure: made anew, it can be synced.
  if (absl::IsAlreadyExists(made)) {
    const absl::Status removed = disk_.RemoveDirectory(directory);
    if (absl::IsDataLoss(removed) || absl::IsUnavailable(removed)) {
      return removed;  // empty or not, nobody knows
    }
    if (removed.ok()) made = disk_.MakeDirectory(directory);
  }
  if (!made.ok() && !absl::IsAlreadyExists(made)) return made;
  name.Made();
  return name;
}

absl::Status FileStore::MakeCameraDirectory(absl::string_view camera) {
  const auto is_durable = [&] {
    MutexLock lock(mutex_);
    return durable_cameras_.contains(camera);
  };
  if (is_durable()) return absl::OkStatus();
  // One at a time: an empty one is made anew, and not under the feet of another
  // who has just made it.
  MutexLock making(making_camera_);
  if (is_durable()) return absl::OkStatus();
  // Its parent is the root, which is never made here: one that is gone must not
  // come back empty below a missing mount.
  ASSIGN_OR_RETURN(NameSyncs::Change made, Make(camera));
  if (const absl::Status synced = made.Sync(); !synced.ok()) {
    disk_.RemoveDirectory(camera).IgnoreError();
    return synced;
  }
  MutexLock lock(mutex_);
  if (durable_cameras_.size() >= kDurableCamerasMax) durable_cameras_.clear();
  durable_cameras_.emplace(camera);
  return absl::OkStatus();
}

absl::StatusOr<NameSyncs::Change> FileStore::MakeDirectoryOf(
    const RecordingName& name) {
  const std::string directory = DirectoryOf(name);
  const std::string camera = ParentOf(directory);
  RETURN_IF_ERROR(MakeCameraDirectory(camera));
  absl::StatusOr<NameSyncs::Change> made = Make(directory);
  if (!absl::IsNotFound(made.status())) return made;
  // Somebody removed the camera's directory that we remember.
  {
    MutexLock lock(mutex_);
    durable_cameras_.erase(camera);
  }
  RETURN_IF_ERROR(MakeCameraDirectory(camera));
  return Make(directory);
}

bool FileStore::IsDoubted(absl::string_view location) {
  MutexLock lock(mutex_);
  return doubted_.contains(location);
}

void FileStore::SetDoubt(absl::string_view location, bool doubted) {
  MutexLock lock(mutex_);
  if (doubted) {
    doubted_.emplace(location);
  } else {
    doubted_.erase(location);
  }
}

absl::Status FileStore::SyncUpwards(absl::string_view location) {
  ASSIGN_OR_RETURN(const std::unique_ptr<File> file,
                   disk_.OpenForReading(location));
  RETURN_IF_ERROR(file->Sync());
  const std::string directory = ParentOf(location);
  for (const std::string& above : {directory, ParentOf(directory), root_}) {
    RETURN_IF_ERROR(NameSyncs::Change(name_syncs_, above).Sync());
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<StoreUpload>> FileStore::Open(
    const StoreSource& source) {
  return std::make_unique<Upload>(*this, source);
}

absl::StatusOr<std::vector<Bundle>> FileStore::Find(
    const RecordingName& name) const {
  ASSIGN_OR_RETURN(Held held, Look(name));
  return std::move(held.bundles);
}

absl::StatusOr<FileStore::Held> FileStore::Look(
    const RecordingName& name) const {
  const std::string directory = DirectoryOf(name);
  const absl::StatusOr<std::vector<std::string>> names = disk_.List(directory);
  if (absl::IsNotFound(names.status())) {
    // Nothing of that name, unless the whole store is gone.
    RETURN_IF_ERROR(Probe());
    return Held{};
  }
  RETURN_IF_ERROR(names.status());
  Held held;
  for (const std::string& file : *names) {
    held.deleted |= file == kDeletion;
    if (!absl::StartsWith(file, kBytesPrefix)) continue;
    const std::string path = JoinPath(directory, file);
    ASSIGN_OR_RETURN(const FileInfo info, disk_.Stat(path));
    held.bundles.push_back({.location = path, .size = info.size});
  }
  return held;
}

absl::StatusOr<std::unique_ptr<StoredBytes>> FileStore::Read(
    const Bundle& bundle) const {
  ASSIGN_OR_RETURN(std::unique_ptr<File> file,
                   disk_.OpenForReading(bundle.location));
  return std::make_unique<StoredFile>(std::move(file));
}

absl::Status FileStore::Keep(const Bundle& bundle) {
  const Names names(*this, ParentOf(bundle.location));
  if (IsDoubted(bundle.location)) return NotOursToMakeAnew(bundle.location);
  const absl::Status kept = SyncUpwards(bundle.location);
  SetDoubt(bundle.location, MayHaveLost(kept));
  // Not there, unless the whole store is gone.
  if (absl::IsNotFound(kept)) RETURN_IF_ERROR(Probe());
  return kept;
}

std::vector<absl::Status> FileStore::Lay(absl::Span<const Laying> layings) {
  MutexLock laying(laying_);
  std::vector<absl::StatusOr<Drafts>> all;
  for (const Laying& laying : layings) all.push_back(DraftsOf(laying));
  const std::optional<Drafts> newest = NewestOf(layings);
  if (newest) all.push_back(*newest);
  std::vector<absl::Status> results = LayAll(all);
  if (newest) {
    // It only says how far the log had come: an older one says less, and does
    // no harm.
    if (!results.back().ok()) {
      Log(Severity::kWarning, "store: the newest receipt is not kept aside",
          {{"reason", results.back().message()}});
    }
    results.pop_back();
  }
  return results;
}

std::vector<absl::Status> FileStore::LayWitnessed(
    absl::Span<const Laying> layings) {
  std::vector<absl::StatusOr<Drafts>> all;
  for (const Laying& laying : layings) all.push_back(WitnessedDrafts(laying));
  return LayAll(all);
}

// All bytes are durable before the first of them gets its name.
std::vector<absl::Status> FileStore::LayAll(
    absl::Span<const absl::StatusOr<Drafts>> all) {
  std::vector<absl::Status> results;
  for (const absl::StatusOr<Drafts>& drafts : all) {
    results.push_back(drafts.ok() ? Write(*drafts) : drafts.status());
  }
  SyncFor(results);
  for (size_t i = 0; i < all.size(); ++i) {
    if (results[i].ok()) results[i] = Name(*all[i]);
  }
  SyncFor(results);
  return results;
}

// One sync for all that went well so far.
void FileStore::SyncFor(std::vector<absl::Status>& results) {
  const bool any = std::any_of(results.begin(), results.end(),
                               [](const absl::Status& s) { return s.ok(); });
  if (!any) return;
  const absl::Status synced = disk_.SyncFileSystem(root_);
  for (absl::Status& result : results) result.Update(synced);
}

absl::StatusOr<FileStore::Drafts> FileStore::DraftsOf(
    const Laying& laying) const {
  Drafts drafts = {
      ParentOf(laying.bundle.location),
      {{kStatement, laying.proof.statement}, {kReceipt, laying.proof.receipt}}};
  for (const auto& [name, bytes] : drafts.files) {
    const std::string path = JoinPath(drafts.directory, name);
    const absl::StatusOr<std::string> held =
        ReadFile(disk_, path, kProofBytesMax);
    if (held.ok() && *held != bytes) {
      return absl::AlreadyExistsError(
          absl::StrCat(path, " holds something else"));
    }
    if (!held.ok() && !absl::IsNotFound(held.status())) return held.status();
  }
  return drafts;
}

absl::StatusOr<FileStore::Drafts> FileStore::WitnessedDrafts(
    const Laying& laying) const {
  const std::string directory = ParentOf(laying.bundle.location);
  RETURN_IF_ERROR(disk_.Stat(laying.bundle.location).status());
  const std::string statement = JoinPath(directory, kStatement);
  const absl::StatusOr<std::string> stated =
      ReadFile(disk_, statement, kProofBytesMax);
  if (absl::IsNotFound(stated.status())) {
    return absl::UnavailableError(absl::StrCat(statement, " is not there yet"));
  }
  RETURN_IF_ERROR(stated.status());
  if (*stated != laying.proof.statement) {
    return absl::AlreadyExistsError(
        absl::StrCat(statement, " is another statement"));
  }
  const absl::StatusOr<std::string> held =
      ReadFile(disk_, JoinPath(directory, kWitnessed), kProofBytesMax);
  if (!held.ok() && !absl::IsNotFound(held.status())) return held.status();
  return Drafts{directory,
                {{kWitnessed, held.ok() ? *held : laying.proof.receipt}}};
}

std::optional<FileStore::Drafts> FileStore::NewestOf(
    absl::Span<const Laying> layings) const {
  const absl::StatusOr<std::optional<std::string>> kept = NewestReceipt();
  const std::string* const newest =
      NewestReceiptOf(layings, kept.ok() ? *kept : std::nullopt);
  if (newest == nullptr) return std::nullopt;
  return Drafts{root_, {{kNewestReceipt, *newest}}};
}

// Found alike a file may come from a process that died before its sync, or
// whose sync failed: made anew, it can be synced.
absl::Status FileStore::Write(const Drafts& drafts) {
  for (const auto& [name, bytes] : drafts.files) {
    const std::string path = DraftOf(JoinPath(drafts.directory, name));
    auto file = disk_.Create(path);
    if (absl::IsAlreadyExists(file.status())) {
      RETURN_IF_ERROR(disk_.Remove(path));
      file = disk_.Create(path);
    }
    RETURN_IF_ERROR(file.status());
    RETURN_IF_ERROR((*file)->Write(0, bytes));
  }
  return absl::OkStatus();
}

absl::Status FileStore::Name(const Drafts& drafts) {
  const Names names(*this, drafts.directory);
  for (const auto& [name, bytes] : drafts.files) {
    const std::string path = JoinPath(drafts.directory, name);
    RETURN_IF_ERROR(disk_.Replace(DraftOf(path), path));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<std::string>> FileStore::NewestReceipt() const {
  absl::StatusOr<std::string> receipt =
      ReadFile(disk_, JoinPath(root_, kNewestReceipt), kProofBytesMax);
  if (receipt.ok()) return std::optional<std::string>(*std::move(receipt));
  if (!absl::IsNotFound(receipt.status())) return receipt.status();
  RETURN_IF_ERROR(Probe());
  return std::optional<std::string>();
}

absl::StatusOr<std::optional<Proof>> FileStore::ReadProof(
    const Bundle& bundle) const {
  return ReadBoth(ParentOf(bundle.location), kStatement, kReceipt);
}

absl::StatusOr<std::optional<Proof>> FileStore::FindProof(
    const RecordingName& name) const {
  return ReadBoth(DirectoryOf(name), kStatement, kReceipt);
}

absl::StatusOr<std::optional<Proof>> FileStore::ReadBoth(
    absl::string_view directory, absl::string_view statement,
    absl::string_view receipt) const {
  Proof proof;
  const std::pair<absl::string_view, std::string*> files[] = {
      {statement, &proof.statement}, {receipt, &proof.receipt}};
  for (const auto& [name, into] : files) {
    absl::StatusOr<std::string> bytes =
        ReadFile(disk_, JoinPath(directory, name), kProofBytesMax);
    if (absl::IsNotFound(bytes.status())) return std::nullopt;
    RETURN_IF_ERROR(bytes.status());
    *into = *std::move(bytes);
  }
  return proof;
}

absl::StatusOr<std::vector<std::string>> FileStore::ListIds(
    absl::string_view directory) const {
  ASSIGN_OR_RETURN(std::vector<std::string> names, disk_.List(directory));
  std::erase_if(names, [](const std::string& name) { return !IsId(name); });
  return names;
}

absl::StatusOr<StorePage> FileStore::List(const std::string& after) const {
  RETURN_IF_ERROR(Probe());
  const std::pair<std::string, std::string> begin =
      absl::StrSplit(after, absl::MaxSplits('/', 1));
  StorePage page;
  ASSIGN_OR_RETURN(const std::vector<std::string> cameras, ListIds(root_));
  for (auto camera =
           std::lower_bound(cameras.begin(), cameras.end(), begin.first);
       camera != cameras.end(); ++camera) {
    const std::string directory = JoinPath(root_, *camera);
    ASSIGN_OR_RETURN(const bool is_camera, IsDirectory(directory));
    if (!is_camera) continue;  // the marker
    const absl::StatusOr<std::vector<std::string>> recordings =
        ListIds(directory);
    if (absl::IsUnavailable(recordings.status())) return recordings.status();
    if (!recordings.ok()) {
      // It keeps none of those behind it from being looked at.
      Log(Severity::kAlarm, "a camera's recordings cannot be listed",
          {{"directory", directory},
           {"reason", recordings.status().message()}});
      continue;
    }
    auto recording = recordings->begin();
    if (*camera == begin.first) {
      recording = std::upper_bound(recordings->begin(), recordings->end(),
                                   begin.second);
    }
    for (; recording != recordings->end(); ++recording) {
      if (page.names.size() == kPageNames) {
        page.next = Behind(page.names.back());
        return page;
      }
      ASSIGN_OR_RETURN(RecordingName name,
                       RecordingName::Parse(*camera, *recording));
      page.names.push_back(std::move(name));
    }
  }
  return page;
}

absl::StatusOr<bool> FileStore::IsDirectory(absl::string_view path) const {
  const absl::StatusOr<FileInfo> info = disk_.Stat(path);
  if (absl::IsNotFound(info.status())) return false;
  RETURN_IF_ERROR(info.status());
  return info->is_directory;
}

absl::Status FileStore::Delete(const Bundle& bundle, const Proof& deletion) {
  const std::string directory = ParentOf(bundle.location);
  ASSIGN_OR_RETURN(const std::optional<Proof> stored, ReadProof(bundle));
  if (!stored) {
    return absl::FailedPreconditionError(
        absl::StrCat(directory, " holds no receipt"));
  }
  ASSIGN_OR_RETURN(const std::optional<Proof> before,
                   ReadBoth(directory, kDeletion, kDeletionReceipt));
  // Written anew where it lies already: whether that is durable, nobody knows.
  const Proof& said = before ? *before : deletion;
  {
    MutexLock laying(laying_);
    RETURN_IF_ERROR(LayAll(std::vector<absl::StatusOr<Drafts>>{
                               Drafts{directory,
                                      {{kDeletion, said.statement},
                                       {kDeletionReceipt, said.receipt}}}})
                        .front());
  }
  Failpoint("store.deletion_laid");
  const Names names(*this, directory);
  const absl::Status removed = disk_.Remove(bundle.location);
  if (!removed.ok() && !absl::IsNotFound(removed)) return removed;
  Failpoint("store.deleted");
  return disk_.SyncDirectory(directory);
}

absl::StatusOr<std::optional<DeletedBundle>> FileStore::FindDeleted(
    const RecordingName& name) const {
  const std::string directory = DirectoryOf(name);
  ASSIGN_OR_RETURN(std::optional<Proof> deletion,
                   ReadBoth(directory, kDeletion, kDeletionReceipt));
  if (!deletion) return std::optional<DeletedBundle>();
  ASSIGN_OR_RETURN(std::optional<Proof> stored,
                   ReadBoth(directory, kStatement, kReceipt));
  if (!stored) {
    return absl::DataLossError(
        absl::StrCat(directory, " holds a deletion, and no receipt"));
  }
  return DeletedBundle{.location = directory,
                       .stored = *std::move(stored),
                       .deletion = *std::move(deletion)};
}

std::string FileStore::StatedLocation(const Bundle& bundle) const {
  return std::string(
      absl::StripPrefix(bundle.location, absl::StrCat(root_, "/")));
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
