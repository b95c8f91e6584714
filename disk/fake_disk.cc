#include "disk/fake_disk.h"

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "disk/path_error.h"

namespace schleuse {
namespace {

using Kind = DiskOperation::Kind;

constexpr uint64_t kSectorBytes = 512;
constexpr uint64_t kOffsetMax = std::numeric_limits<int64_t>::max();
// What FreeBytes says of a disk without a capacity: a sum of several still
// fits into 64 bits.
constexpr uint64_t kNoCapacity = uint64_t{1} << 50;

// A write; or, without bytes, a truncation to `offset`.
struct FileChange {
  uint64_t offset;
  std::string bytes;

  bool truncates() const { return bytes.empty(); }
  uint64_t end() const { return offset + bytes.size(); }
};

struct FileNode {
  uint64_t inode = 0;
  std::string bytes;                // as reads show them
  std::string durable;              // what was synced
  std::vector<FileChange> pending;  // since the last sync
  absl::Time modified;
  int names = 0;
  int handles = 0;  // open files, of this life of the disk
};

struct DirectoryNode;

// What a name points to: one of the two. Shared, because a file may have
// several names, durable and not, and be open as well.
struct Entry {
  std::shared_ptr<FileNode> file;
  std::shared_ptr<DirectoryNode> directory;
};
using Entries = std::map<std::string, Entry>;

// One change of the names in a directory; Replace removes and sets.
struct NameChange {
  std::optional<std::string> removed;
  std::optional<std::string> set;
  Entry entry;
};

struct DirectoryNode {
  uint64_t inode = 0;
  Entries entries;                  // as List shows them
  Entries durable;                  // what was synced
  std::vector<NameChange> pending;  // since the last sync
  absl::Time modified;
};

void Put(absl::string_view bytes, uint64_t offset, std::string& file) {
  if (file.size() < offset + bytes.size()) file.resize(offset + bytes.size());
  bytes.copy(file.data() + offset, bytes.size());
}

void Apply(const FileChange& change, std::string& file) {
  if (change.truncates()) {
    file.resize(change.offset);
  } else {
    Put(change.bytes, change.offset, file);
  }
}

void Apply(const NameChange& change, Entries& entries) {
  if (change.removed) entries.erase(*change.removed);
  if (change.set) entries[*change.set] = change.entry;
}

// "/a//b/" -> "/a/b"; "/" -> "".
std::string Normal(absl::string_view path) {
  std::string normal;
  for (const absl::string_view name :
       absl::StrSplit(path, '/', absl::SkipEmpty())) {
    absl::StrAppend(&normal, "/", name);
  }
  return normal;
}

std::string NameOf(absl::string_view path) {
  const std::string normal = Normal(path);
  return normal.substr(normal.rfind('/') + 1);
}

}  // namespace

// Where chance decides what survives, it often decides for all or nothing:
// most bugs hide at the two ends.
enum class Luck { kNothing, kEverything, kEachOnItsOwn };

struct FakeDisk::State {
  explicit State(uint64_t seed) : random(seed) {}

  // Whether an operation succeeds, and whether it happens: where the power
  // goes it may happen and yet fail.
  struct Verdict {
    absl::Status status;
    bool happens;
    bool cut;

    absl::Status Answer(const absl::Status& done) const {
      return status.ok() ? done : status;
    }
  };

  // The first step of every operation.
  Verdict Begin(Kind kind, absl::string_view path)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  bool Coin() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) { return random.Next() & 1; }
  // Uniform in [0, most].
  uint64_t UpTo(uint64_t most) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    return random.Next() % (most + 1);
  }
  Luck DrawLuck() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // A clock that moves with each operation.
  absl::Time Now() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    return epoch + absl::Microseconds(operations);
  }

  // --- names ---
  absl::StatusOr<Entry> Find(absl::string_view operation,
                             absl::string_view path) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  absl::StatusOr<std::shared_ptr<DirectoryNode>> FindDirectory(
      absl::string_view operation, absl::string_view path) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  absl::StatusOr<std::shared_ptr<FileNode>> FindFile(
      absl::string_view operation, absl::string_view path) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // The directory in which `path` may be made.
  absl::StatusOr<std::shared_ptr<DirectoryNode>> RoomFor(
      absl::string_view operation, absl::string_view path) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  std::string MountOf(absl::string_view path) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  absl::StatusOr<std::shared_ptr<FileNode>> Create(absl::string_view path)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  absl::Status Link(absl::string_view from, absl::string_view to)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  absl::Status Replace(absl::string_view from, absl::string_view to)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  absl::Status Remove(absl::string_view path)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  absl::Status MakeDirectory(absl::string_view path)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  absl::Status RemoveDirectory(absl::string_view path)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void Change(DirectoryNode& directory, NameChange change)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  // --- bytes ---
  void Change(FileNode& file, FileChange change)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  absl::Status Write(FileNode& file, absl::string_view path, uint64_t offset,
                     absl::string_view bytes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  absl::Status Truncate(FileNode& file, absl::string_view path, uint64_t size)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // Gives back the room of a file that nobody can reach any more.
  void Release(const FileNode& file) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  // --- what survives ---
  // Some of what is pending becomes durable, the rest never will.
  void Settle(FileNode& file, Luck luck) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void Settle(DirectoryNode& directory, Luck luck)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void Tear(const FileChange& change, std::string& durable)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // After a power cut: `directory` and all below it.
  void Restore(DirectoryNode& directory, Luck luck)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // `directory` and all below it.
  void SettleAll(DirectoryNode& directory) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  Mutex mutex;
  SeededRandom random ABSL_GUARDED_BY(mutex);
  std::shared_ptr<DirectoryNode> root ABSL_GUARDED_BY(mutex) =
      std::make_shared<DirectoryNode>();
  uint64_t next_inode ABSL_GUARDED_BY(mutex) = 1;  // the root has 0
  std::vector<std::string> mounts ABSL_GUARDED_BY(mutex);
  Fault fault ABSL_GUARDED_BY(mutex);
  std::optional<int> operations_left ABSL_GUARDED_BY(mutex);
  bool power ABSL_GUARDED_BY(mutex) = true;
  int life ABSL_GUARDED_BY(mutex) = 0;  // ends with each power cut
  int operations ABSL_GUARDED_BY(mutex) = 0;
  absl::Time epoch ABSL_GUARDED_BY(mutex) =
      absl::FromUnixSeconds(1'700'000'000);
  int syncs ABSL_GUARDED_BY(mutex) = 0;
  uint64_t capacity ABSL_GUARDED_BY(mutex) = kNoCapacity;
  uint64_t used ABSL_GUARDED_BY(mutex) = 0;
};

FakeDisk::State::Verdict FakeDisk::State::Begin(Kind kind,
                                                absl::string_view path) {
  const absl::Status no_power = absl::UnavailableError(
      absl::StrCat(path, ": the power of this disk was cut"));
  if (!power) return {no_power, /*happens=*/false, /*cut=*/false};
  ++operations;
  if (operations_left && (*operations_left)-- == 0) {
    power = false;
    return {no_power, /*happens=*/Coin(), /*cut=*/true};
  }
  if (kind == Kind::kSync || kind == Kind::kSyncDirectory ||
      kind == Kind::kSyncFileSystem) {
    ++syncs;
  }
  if (fault) {
    absl::Status failure = fault({kind, std::string(path), operations});
    if (!failure.ok()) {
      return {std::move(failure), /*happens=*/false, /*cut=*/false};
    }
  }
  return {absl::OkStatus(), /*happens=*/true, /*cut=*/false};
}

Luck FakeDisk::State::DrawLuck() {
  switch (UpTo(3)) {
    case 0:
      return Luck::kNothing;
    case 1:
      return Luck::kEverything;
    default:
      return Luck::kEachOnItsOwn;
  }
}

absl::StatusOr<Entry> FakeDisk::State::Find(absl::string_view operation,
                                            absl::string_view path) const {
  RETURN_IF_ERROR(CheckPath(operation, path));
  Entry at{.file = nullptr, .directory = root};
  for (const absl::string_view name :
       absl::StrSplit(path, '/', absl::SkipEmpty())) {
    if (at.directory == nullptr) return PathError(ENOTDIR, operation, path);
    const auto found = at.directory->entries.find(std::string(name));
    if (found == at.directory->entries.end()) {
      return PathError(ENOENT, operation, path);
    }
    at = Entry(found->second);
  }
  return at;
}

absl::StatusOr<std::shared_ptr<DirectoryNode>> FakeDisk::State::FindDirectory(
    absl::string_view operation, absl::string_view path) const {
  ASSIGN_OR_RETURN(const Entry entry, Find(operation, path));
  if (entry.directory == nullptr) return PathError(ENOTDIR, operation, path);
  return entry.directory;
}

absl::StatusOr<std::shared_ptr<FileNode>> FakeDisk::State::FindFile(
    absl::string_view operation, absl::string_view path) const {
  ASSIGN_OR_RETURN(const Entry entry, Find(operation, path));
  if (entry.file == nullptr) return PathError(EISDIR, operation, path);
  return entry.file;
}

absl::StatusOr<std::shared_ptr<DirectoryNode>> FakeDisk::State::RoomFor(
    absl::string_view operation, absl::string_view path) const {
  RETURN_IF_ERROR(CheckPath(operation, path));
  ASSIGN_OR_RETURN(const std::shared_ptr<DirectoryNode> parent,
                   FindDirectory(operation, ParentOf(path)));
  const std::string name = NameOf(path);
  if (name.empty() || parent->entries.contains(name)) {
    return PathError(EEXIST, operation, path);
  }
  if (name.size() > 255) return PathError(ENAMETOOLONG, operation, path);
  return parent;
}

std::string FakeDisk::State::MountOf(absl::string_view path) const {
  const std::string normal = Normal(path);
  std::string longest;
  for (const std::string& mount : mounts) {
    const bool below =
        normal == mount || absl::StartsWith(normal, absl::StrCat(mount, "/"));
    if (below && mount.size() > longest.size()) longest = mount;
  }
  return longest;
}

absl::StatusOr<std::shared_ptr<FileNode>> FakeDisk::State::Create(
    absl::string_view path) {
  ASSIGN_OR_RETURN(const std::shared_ptr<DirectoryNode> parent,
                   RoomFor("create", path));
  auto file = std::make_shared<FileNode>();
  file->inode = next_inode++;
  file->names = 1;
  file->modified = Now();
  Change(*parent, {.removed = std::nullopt,
                   .set = NameOf(path),
                   .entry = {.file = file, .directory = nullptr}});
  return file;
}

// Refuses in the kernel's order.
absl::Status FakeDisk::State::Link(absl::string_view from,
                                   absl::string_view to) {
  const std::string both = absl::StrCat(from, " to ", to);
  ASSIGN_OR_RETURN(const Entry entry, Find("link", from));
  ASSIGN_OR_RETURN(const std::shared_ptr<DirectoryNode> parent,
                   RoomFor("link", to));
  if (MountOf(from) != MountOf(to)) return PathError(EXDEV, "link", both);
  if (entry.file == nullptr) return PathError(EPERM, "link", both);
  ++entry.file->names;
  Change(*parent, {.removed = std::nullopt, .set = NameOf(to), .entry = entry});
  return absl::OkStatus();
}

absl::Status FakeDisk::State::Replace(absl::string_view from,
                                      absl::string_view to) {
  RETURN_IF_ERROR(CheckPath("replace", from));
  RETURN_IF_ERROR(CheckPath("replace", to));
  const std::string both = absl::StrCat(to, " by ", from);
  if (ParentOf(from) != ParentOf(to)) {
    return absl::InvalidArgumentError(
        absl::StrCat("replace ", both, ": not in one directory"));
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<FileNode> file,
                   FindFile("replace", from));
  const absl::StatusOr<std::shared_ptr<FileNode>> old = FindFile("replace", to);
  if (!old.ok() && !absl::IsNotFound(old.status())) return old.status();
  // The kernel leaves two names of one file as they are.
  if (old.ok() && *old == file) return absl::OkStatus();
  if (NameOf(to).size() > 255) return PathError(ENAMETOOLONG, "replace", both);
  ASSIGN_OR_RETURN(const std::shared_ptr<DirectoryNode> parent,
                   FindDirectory("replace", ParentOf(to)));
  Change(*parent, {.removed = NameOf(from),
                   .set = NameOf(to),
                   .entry = {.file = file, .directory = nullptr}});
  if (old.ok()) {
    --(*old)->names;
    Release(**old);
  }
  return absl::OkStatus();
}

absl::Status FakeDisk::State::Remove(absl::string_view path) {
  ASSIGN_OR_RETURN(const std::shared_ptr<FileNode> file,
                   FindFile("remove", path));
  ASSIGN_OR_RETURN(const std::shared_ptr<DirectoryNode> parent,
                   FindDirectory("remove", ParentOf(path)));
  Change(*parent, {.removed = NameOf(path), .set = std::nullopt, .entry = {}});
  --file->names;
  Release(*file);
  return absl::OkStatus();
}

absl::Status FakeDisk::State::MakeDirectory(absl::string_view path) {
  ASSIGN_OR_RETURN(const std::shared_ptr<DirectoryNode> parent,
                   RoomFor("make directory", path));
  auto directory = std::make_shared<DirectoryNode>();
  directory->inode = next_inode++;
  directory->modified = Now();
  Change(*parent, {.removed = std::nullopt,
                   .set = NameOf(path),
                   .entry = {.file = nullptr, .directory = directory}});
  return absl::OkStatus();
}

absl::Status FakeDisk::State::RemoveDirectory(absl::string_view path) {
  ASSIGN_OR_RETURN(const std::shared_ptr<DirectoryNode> directory,
                   FindDirectory("remove directory", path));
  if (!directory->entries.empty()) {
    return PathError(ENOTEMPTY, "remove directory", path);
  }
  if (directory == root) return PathError(EPERM, "remove directory", path);
  ASSIGN_OR_RETURN(const std::shared_ptr<DirectoryNode> parent,
                   FindDirectory("remove directory", ParentOf(path)));
  Change(*parent, {.removed = NameOf(path), .set = std::nullopt, .entry = {}});
  return absl::OkStatus();
}

void FakeDisk::State::Change(DirectoryNode& directory, NameChange change) {
  Apply(change, directory.entries);
  directory.pending.push_back(std::move(change));
  directory.modified = Now();
}

void FakeDisk::State::Change(FileNode& file, FileChange change) {
  used -= file.bytes.size();
  Apply(change, file.bytes);
  used += file.bytes.size();
  file.pending.push_back(std::move(change));
  file.modified = Now();
}

absl::Status FakeDisk::State::Write(FileNode& file, absl::string_view path,
                                    uint64_t offset, absl::string_view bytes) {
  if (offset > kOffsetMax || bytes.size() > kOffsetMax - offset) {
    return PathError(EFBIG, "write", path);
  }
  const uint64_t free = capacity - std::min(used, capacity);
  const uint64_t end_max = file.bytes.size() + free;
  const uint64_t room = end_max - std::min(offset, end_max);
  const absl::string_view fits = bytes.substr(0, room);
  if (!fits.empty()) {
    Change(file, {.offset = offset, .bytes = std::string(fits)});
  }
  if (fits.size() < bytes.size()) return PathError(ENOSPC, "write", path);
  return absl::OkStatus();
}

absl::Status FakeDisk::State::Truncate(FileNode& file, absl::string_view path,
                                       uint64_t size) {
  if (size > kOffsetMax) return PathError(EFBIG, "truncate", path);
  const uint64_t free = capacity - std::min(used, capacity);
  if (size > file.bytes.size() && size - file.bytes.size() > free) {
    return PathError(ENOSPC, "truncate", path);
  }
  Change(file, {.offset = size, .bytes = ""});
  return absl::OkStatus();
}

void FakeDisk::State::Release(const FileNode& file) {
  if (file.names == 0 && file.handles == 0) used -= file.bytes.size();
}

void FakeDisk::State::Settle(FileNode& file, Luck luck) {
  for (const FileChange& change : file.pending) {
    const Luck its_luck = luck == Luck::kEachOnItsOwn ? DrawLuck() : luck;
    if (its_luck == Luck::kEverything) Apply(change, file.durable);
    if (its_luck == Luck::kEachOnItsOwn) Tear(change, file.durable);
  }
  file.pending.clear();
}

void FakeDisk::State::Tear(const FileChange& change, std::string& durable) {
  if (change.truncates()) {
    if (Coin()) Apply(change, durable);
    return;
  }
  uint64_t next;
  for (uint64_t at = change.offset; at < change.end(); at = next) {
    next = std::min(change.end(), (at / kSectorBytes + 1) * kSectorBytes);
    if (Coin()) {
      Put(absl::string_view(change.bytes).substr(at - change.offset, next - at),
          at, durable);
    }
  }
  // The size may reach the disk without the bytes.
  if (Coin()) durable.resize(std::max<uint64_t>(durable.size(), change.end()));
}

void FakeDisk::State::Settle(DirectoryNode& directory, Luck luck) {
  for (const NameChange& change : directory.pending) {
    const bool survives =
        luck == Luck::kEachOnItsOwn ? Coin() : luck == Luck::kEverything;
    if (survives) Apply(change, directory.durable);
  }
  directory.pending.clear();
}

void FakeDisk::State::Restore(DirectoryNode& directory, Luck luck) {
  Settle(directory, luck);
  directory.entries = directory.durable;
  for (const auto& [name, entry] : directory.entries) {
    if (entry.directory != nullptr) {
      Restore(*entry.directory, luck);
    } else if (!entry.file->pending.empty()) {
      Settle(*entry.file, luck);
    }
  }
}

void FakeDisk::State::SettleAll(DirectoryNode& directory) {
  Settle(directory, Luck::kEverything);
  for (const auto& [name, entry] : directory.entries) {
    if (entry.directory != nullptr) {
      SettleAll(*entry.directory);
    } else {
      Settle(*entry.file, Luck::kEverything);
    }
  }
}

namespace {

// The files below `directory`, one for each of their names.
void CollectFiles(const DirectoryNode& directory,
                  std::vector<FileNode*>& files) {
  for (const auto& [name, entry] : directory.entries) {
    if (entry.directory != nullptr) {
      CollectFiles(*entry.directory, files);
    } else {
      files.push_back(entry.file.get());
    }
  }
}

}  // namespace

// Keeps its file alive, named or not; dies with the power.
class FakeDisk::OpenFile final : public File {
 public:
  OpenFile(State& state, std::shared_ptr<FileNode> node, absl::string_view path,
           bool writable) ABSL_EXCLUSIVE_LOCKS_REQUIRED(state.mutex)
      : state_(state),
        node_(std::move(node)),
        path_(path),
        writable_(writable),
        life_(state.life) {
    ++node_->handles;
  }

  ~OpenFile() override {
    MutexLock lock(state_.mutex);
    if (life_ != state_.life) return;
    --node_->handles;
    state_.Release(*node_);
  }

  absl::Status Write(uint64_t offset, const absl::Cord& bytes) override {
    return Write(offset, absl::string_view(std::string(bytes)));
  }

  absl::Status Write(uint64_t offset, absl::string_view bytes) override {
    MutexLock lock(state_.mutex);
    const State::Verdict verdict = Begin(Kind::kWrite);
    if (!verdict.status.ok()) {
      if (life_ == state_.life && writable_ && (verdict.cut || state_.power)) {
        WriteInPart(offset, bytes);
      }
      return verdict.status;
    }
    if (!writable_) return PathError(EACCES, "write", path_);
    return state_.Write(*node_, path_, offset, bytes);
  }

  absl::Status WriteBlocks(uint64_t offset, absl::string_view bytes) override {
    RETURN_IF_ERROR(CheckBlocks(offset, bytes));
    return Write(offset, bytes);
  }

  absl::StatusOr<std::string> Read(uint64_t offset,
                                   uint64_t length) const override {
    MutexLock lock(state_.mutex);
    RETURN_IF_ERROR(Begin(Kind::kRead).status);
    if (offset >= node_->bytes.size()) return std::string();
    return node_->bytes.substr(offset, length);
  }

  absl::StatusOr<uint64_t> ReadInto(uint64_t offset,
                                    absl::Span<char> into) const override {
    ASSIGN_OR_RETURN(const std::string bytes, Read(offset, into.size()));
    bytes.copy(into.data(), bytes.size());
    return bytes.size();
  }

  absl::StatusOr<uint64_t> Size() const override {
    MutexLock lock(state_.mutex);
    RETURN_IF_ERROR(Begin(Kind::kStat).status);
    return node_->bytes.size();
  }

  absl::Status Truncate(uint64_t size) override {
    MutexLock lock(state_.mutex);
    const State::Verdict verdict = Begin(Kind::kTruncate);
    if (!verdict.happens) return verdict.status;
    if (!writable_) return PathError(EACCES, "truncate", path_);
    return verdict.Answer(state_.Truncate(*node_, path_, size));
  }

  absl::Status Sync() override {
    MutexLock lock(state_.mutex);
    const State::Verdict verdict = Begin(Kind::kSync);
    if (verdict.status.ok()) {
      for (const FileChange& change : node_->pending) {
        Apply(change, node_->durable);
      }
      node_->pending.clear();
    } else if (state_.power && life_ == state_.life) {
      state_.Settle(*node_, state_.DrawLuck());
    }
    // Where the power goes, what is pending stays so: whatever part of it the
    // sync may have saved, RestorePower may save.
    return verdict.status;
  }

 private:
  State::Verdict Begin(Kind kind) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(state_.mutex) {
    if (life_ == state_.life) return state_.Begin(kind, path_);
    return {absl::UnavailableError(
                absl::StrCat(path_, ": opened before the power was cut")),
            /*happens=*/false, /*cut=*/false};
  }

  void WriteInPart(uint64_t offset, absl::string_view bytes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(state_.mutex) {
    if (offset > kOffsetMax) return;
    const uint64_t end = state_.UpTo(bytes.size());
    const uint64_t begin = state_.Coin() ? 0 : state_.UpTo(end);
    state_
        .Write(*node_, path_, offset + begin, bytes.substr(begin, end - begin))
        .IgnoreError();
  }

  State& state_;
  const std::shared_ptr<FileNode> node_;
  const std::string path_;
  const bool writable_;
  const int life_;
};

FakeDisk::FakeDisk(uint64_t seed) : state_(std::make_unique<State>(seed)) {}
FakeDisk::~FakeDisk() = default;

void FakeDisk::CutPowerAfter(int operations) {
  MutexLock lock(state_->mutex);
  state_->operations_left = operations;
}

void FakeDisk::CutPower() {
  MutexLock lock(state_->mutex);
  state_->power = false;
}

bool FakeDisk::power_was_cut() const {
  MutexLock lock(state_->mutex);
  return !state_->power;
}

void FakeDisk::RestorePower() {
  MutexLock lock(state_->mutex);
  state_->Restore(*state_->root, state_->DrawLuck());

  std::vector<FileNode*> files;
  CollectFiles(*state_->root, files);
  state_->used = 0;
  for (FileNode* file : files) file->names = 0;
  for (FileNode* file : files) {
    if (++file->names > 1) continue;
    file->bytes = file->durable;
    file->handles = 0;
    state_->used += file->bytes.size();
  }

  ++state_->life;
  state_->operations_left.reset();
  state_->power = true;
}

void FakeDisk::SetFault(Fault fault) {
  MutexLock lock(state_->mutex);
  state_->fault = std::move(fault);
}

void FakeDisk::SetCapacity(uint64_t bytes) {
  MutexLock lock(state_->mutex);
  state_->capacity = bytes;
}

void FakeDisk::MountAt(absl::string_view directory) {
  MutexLock lock(state_->mutex);
  state_->mounts.push_back(Normal(directory));
}

void FakeDisk::SetNow(absl::Time now) {
  MutexLock lock(state_->mutex);
  state_->epoch = now - absl::Microseconds(state_->operations);
}

int FakeDisk::operations() const {
  MutexLock lock(state_->mutex);
  return state_->operations;
}

int FakeDisk::syncs() const {
  MutexLock lock(state_->mutex);
  return state_->syncs;
}

absl::StatusOr<std::unique_ptr<File>> FakeDisk::Create(absl::string_view path) {
  MutexLock lock(state_->mutex);
  const State::Verdict verdict = state_->Begin(Kind::kCreate, path);
  if (!verdict.happens) return verdict.status;
  absl::StatusOr<std::shared_ptr<FileNode>> file = state_->Create(path);
  RETURN_IF_ERROR(verdict.Answer(file.status()));
  return std::make_unique<OpenFile>(*state_, *std::move(file), path,
                                    /*writable=*/true);
}

absl::StatusOr<std::unique_ptr<File>> FakeDisk::Open(absl::string_view path) {
  MutexLock lock(state_->mutex);
  RETURN_IF_ERROR(state_->Begin(Kind::kOpen, path).status);
  ASSIGN_OR_RETURN(std::shared_ptr<FileNode> file,
                   state_->FindFile("open", path));
  return std::make_unique<OpenFile>(*state_, std::move(file), path,
                                    /*writable=*/true);
}

absl::StatusOr<std::unique_ptr<File>> FakeDisk::OpenForReading(
    absl::string_view path) const {
  MutexLock lock(state_->mutex);
  RETURN_IF_ERROR(state_->Begin(Kind::kOpen, path).status);
  ASSIGN_OR_RETURN(std::shared_ptr<FileNode> file,
                   state_->FindFile("open", path));
  return std::make_unique<OpenFile>(*state_, std::move(file), path,
                                    /*writable=*/false);
}

absl::Status FakeDisk::Link(absl::string_view from, absl::string_view to) {
  MutexLock lock(state_->mutex);
  const State::Verdict verdict = state_->Begin(Kind::kLink, to);
  if (!verdict.happens) return verdict.status;
  return verdict.Answer(state_->Link(from, to));
}

absl::Status FakeDisk::Replace(absl::string_view from, absl::string_view to) {
  MutexLock lock(state_->mutex);
  const State::Verdict verdict = state_->Begin(Kind::kReplace, to);
  if (!verdict.happens) return verdict.status;
  return verdict.Answer(state_->Replace(from, to));
}

absl::Status FakeDisk::Remove(absl::string_view path) {
  MutexLock lock(state_->mutex);
  const State::Verdict verdict = state_->Begin(Kind::kRemove, path);
  if (!verdict.happens) return verdict.status;
  return verdict.Answer(state_->Remove(path));
}

absl::Status FakeDisk::MakeDirectory(absl::string_view path) {
  MutexLock lock(state_->mutex);
  const State::Verdict verdict = state_->Begin(Kind::kMakeDirectory, path);
  if (!verdict.happens) return verdict.status;
  return verdict.Answer(state_->MakeDirectory(path));
}

absl::Status FakeDisk::RemoveDirectory(absl::string_view path) {
  MutexLock lock(state_->mutex);
  const State::Verdict verdict = state_->Begin(Kind::kRemoveDirectory, path);
  if (!verdict.happens) return verdict.status;
  return verdict.Answer(state_->RemoveDirectory(path));
}

absl::Status FakeDisk::SyncDirectory(absl::string_view path) {
  MutexLock lock(state_->mutex);
  const State::Verdict verdict = state_->Begin(Kind::kSyncDirectory, path);
  // Nothing was tried; or the power goes, and what is pending stays so, as in
  // File::Sync.
  if (absl::IsUnavailable(verdict.status)) return verdict.status;
  const absl::StatusOr<std::shared_ptr<DirectoryNode>> directory =
      state_->FindDirectory("sync directory", path);
  if (directory.ok()) {
    state_->Settle(**directory, verdict.status.ok() ? Luck::kEverything
                                                    : state_->DrawLuck());
  }
  return verdict.Answer(directory.status());
}

absl::Status FakeDisk::SyncFileSystem(absl::string_view path) {
  MutexLock lock(state_->mutex);
  const State::Verdict verdict = state_->Begin(Kind::kSyncFileSystem, path);
  const absl::StatusOr<Entry> entry = state_->Find("sync file system", path);
  if (entry.ok() && verdict.happens && !verdict.cut) {
    state_->SettleAll(*state_->root);
  }
  return verdict.Answer(entry.status());
}

absl::StatusOr<std::vector<std::string>> FakeDisk::List(
    absl::string_view path) const {
  MutexLock lock(state_->mutex);
  RETURN_IF_ERROR(state_->Begin(Kind::kList, path).status);
  ASSIGN_OR_RETURN(const std::shared_ptr<DirectoryNode> directory,
                   state_->FindDirectory("list", path));
  std::vector<std::string> names;
  for (const auto& [name, entry] : directory->entries) names.push_back(name);
  return names;
}

absl::StatusOr<FileInfo> FakeDisk::Stat(absl::string_view path) const {
  MutexLock lock(state_->mutex);
  RETURN_IF_ERROR(state_->Begin(Kind::kStat, path).status);
  ASSIGN_OR_RETURN(const Entry entry, state_->Find("stat", path));
  // Inodes are never given twice, whatever is mounted: one device will do.
  if (entry.directory != nullptr) {
    return FileInfo{.identity = {.device = 1, .inode = entry.directory->inode},
                    .size = 0,
                    .is_directory = true,
                    .links = 1,
                    .modified = entry.directory->modified};
  }
  return FileInfo{.identity = {.device = 1, .inode = entry.file->inode},
                  .size = entry.file->bytes.size(),
                  .is_directory = false,
                  .links = static_cast<uint64_t>(entry.file->names),
                  .modified = entry.file->modified};
}

absl::StatusOr<uint64_t> FakeDisk::FreeBytes(absl::string_view path) const {
  MutexLock lock(state_->mutex);
  RETURN_IF_ERROR(state_->Begin(Kind::kFreeBytes, path).status);
  RETURN_IF_ERROR(state_->Find("free bytes of", path).status());
  return state_->capacity - std::min(state_->used, state_->capacity);
}

}  // namespace schleuse
