// A disk in memory whose power can be cut and whose every operation can be
// made to fail. It is as unkind as Disk's promises allow: what was not synced
// is forgotten, kept or torn, in any order, decided by a seed.
#ifndef SCHLEUSE_DISK_FAKE_DISK_H_
#define SCHLEUSE_DISK_FAKE_DISK_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "base/mutex.h"
#include "base/random.h"
#include "disk/disk.h"

namespace schleuse {

// One operation on the way to the disk, as FakeDisk counts and names them.
struct DiskOperation {
  enum class Kind {
    kCreate,
    kOpen,
    kWrite,
    kRead,
    kTruncate,
    kSync,
    kLink,
    kReplace,
    kRemove,
    kMakeDirectory,
    kRemoveDirectory,
    kSyncDirectory,
    kSyncFileSystem,
    kList,
    kStat,
    kFreeBytes,
  };
  Kind kind;
  std::string path;  // of two names, the one that it makes
  int number;        // from 1 on, since the disk was made
};

// Model:
// - A file is what its names point to. Sync makes its bytes durable. A write
//   that was not synced survives a cut in any subset of its 512-byte sectors;
//   writes and truncations survive independently of each other's order.
// - A name that was made, replaced or removed is durable once its directory is
//   synced; before, each change of a name survives or not on its own (Replace
//   within one directory as one change). A new directory's name lies in its
//   parent and is made durable there.
// - A Sync that is made to fail loses, by the seed, some of what it should have
//   made durable, while reading still shows it: as a page cache does. A later
//   Sync of the same file succeeds and does not bring it back. A SyncDirectory
//   does the same to the changes of its names: List and Stat still show them,
//   some are durable, the rest never will be. To change the same name again
//   (remove it, then link it) is a new change, which can become durable. Only
//   an Unavailable one has tried nothing, as disk.h says: that is also how a
//   process that is dead syncs.
//   A SyncFileSystem that is made to fail leaves all as it was.
// - Open files die with the power: every later call on them fails.
class FakeDisk final : public Disk {
 public:
  // "/" exists. The same seed and the same calls give the same disk.
  explicit FakeDisk(uint64_t seed = 1);
  ~FakeDisk() override;

  // --- making it fail ---
  // Lets `operations` more operations happen; the next one is where the power
  // goes: it happens in part or not at all, it and all later ones fail with
  // Unavailable until RestorePower.
  void CutPowerAfter(int operations);
  // Cuts now.
  void CutPower();
  bool power_was_cut() const;
  // Forgets and tears what was not synced, then works again.
  void RestorePower();

  // Asked before every operation; an error is returned to the caller instead
  // of doing it (a failing write is done in part). nullptr ends it. Called
  // under the disk's lock: it must not call the disk.
  using Fault =
      absl::AnyInvocable<absl::Status(const DiskOperation& operation)>;
  void SetFault(Fault fault);

  // What files say that are written to from now on; each operation adds a
  // microsecond.
  void SetNow(absl::Time now);

  // Bytes that all files together may take; beyond that writes fail with
  // ResourceExhausted. No limit at first.
  void SetCapacity(uint64_t bytes);

  // Paths below `directory` count as another file system: Link across fails.
  void MountAt(absl::string_view directory);

  // --- looking ---
  int operations() const;  // so far
  int syncs() const;       // of all kinds, so far

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

 private:
  struct State;
  class OpenFile;
  std::unique_ptr<State> state_;
};

}  // namespace schleuse

#endif  // SCHLEUSE_DISK_FAKE_DISK_H_
