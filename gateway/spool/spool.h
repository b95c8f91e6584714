// Where the bytes of a recording are durable before they are stored. It keeps
// two files a transfer, `<transfer_id>.bytes` and `<transfer_id>.records`
// (docs/formats.md), and knows nothing of streams, devices' rights or stores.
#ifndef SCHLEUSE_GATEWAY_SPOOL_SPOOL_H_
#define SCHLEUSE_GATEWAY_SPOOL_SPOOL_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/mutex.h"
#include "base/random.h"
#include "base/recording_name.h"
#include "disk/block_writer.h"
#include "disk/disk.h"
#include "disk/name_syncs.h"
#include "gateway/spool/partial.h"

namespace schleuse {

namespace journal {
struct Summary;
}

// A transfer that was finished and that nobody has seen stored.
struct Unstored {
  TransferId id;
  RecordingName name;
  std::string extension;  // of the stored file
  std::string principal;  // SPIFFE ID of who began it
  std::string metadata;   // as it came on the wire
  Finished finished;
  int priority;      // schleuse.transfer.v1.Priority
  absl::Time since;  // when it began
  // Its bytes are gone from the spool: the store must have them.
  bool bytes_missing;
};

// What the journal of a transfer says that nobody is busy with.
struct Spooled {
  TransferId id;
  Begun begun;
  uint64_t received;                 // bytes
  std::optional<Finished> finished;  // all bytes were there
  absl::Time last_active;            // when something was last written to it
};

// A transfer that ended without being stored, and whose files are kept.
struct SetAsideTransfer {
  TransferId id;
  std::optional<Begun> begun;  // absent where its journal cannot be read
  uint64_t size;               // of what arrived, bytes
  absl::Time last_active;      // as above
};

// Safe to call from many threads.
class Spool {
 public:
  // `directory` exists. Nothing is read yet. `id_tag`: with which the ids of
  // new transfers begin (TransferId::Make).
  Spool(Disk& disk, absl::string_view directory, Random& random,
        absl::string_view id_tag = "");

  // Reads what an earlier process left, builds the index below, and removes
  // what nobody was promised. Reads journals, not footage. Once, first.
  // Returns the transfers whose bytes were all there: to be stored now.
  // One transfer that cannot be read, or not be set aside, is an alarm in the
  // log and stays out of the index; the others do not wait for it.
  //   FailedPrecondition  a journal is of a version that this program does not
  //                       know: a person has to decide
  //   Unavailable, ResourceExhausted  no fault of the files: start again
  absl::StatusOr<std::vector<Unstored>> Recover();

  // Begins a transfer for a recording that has none.
  absl::StatusOr<std::unique_ptr<Partial>> Create(const Begun& begun);
  // Opens a transfer again, with all that survived (see Partial).
  //   DataLoss  its files are damaged beyond use: set it aside
  //   NotFound  it has no journal: nobody was promised anything, remove it
  absl::StatusOr<std::unique_ptr<Partial>> Resume(const TransferId& id);

  // The open transfer of a recording, if there is one.
  std::optional<TransferId> Lookup(const RecordingName& name) const;
  // Whether files of that transfer lie here, open or not, or nobody can tell.
  bool HasFilesOf(const TransferId& id) const;
  // What the journal of an open transfer says if it says that all bytes were
  // there; nullopt if it does not. Nothing is opened for writing. Errors are
  // those of reading it.
  //   NotFound  it has no journal yet
  absl::StatusOr<std::optional<Unstored>> ReadFinished(
      const TransferId& id) const;
  // The open transfers, in the order of their recordings' names.
  std::vector<std::pair<RecordingName, TransferId>> OpenTransfers() const;
  // What the journal of an open transfer says, as ReadFinished.
  absl::StatusOr<Spooled> Look(const TransferId& id) const;
  // Those that ended in a mismatch, and those that were set aside. Reads their
  // journals.
  absl::StatusOr<std::vector<SetAsideTransfer>> Quarantine() const;
  // Removes the files of one of these, and counts it no more.
  absl::Status RemoveSetAside(const SetAsideTransfer& transfer);
  // How many transfers of `principal` (SPIFFE ID) the spool keeps: open ones
  // and those that ended in a mismatch.
  int HeldBy(absl::string_view principal) const;
  // How many of its transfers ended in a mismatch.
  int Mismatches(const RecordingName& name) const;

  // Forgets a transfer whose recording is stored: the records first, so that
  // bytes without records are always nobody's. The index forgets it even when
  // the removing fails; the next Recover names it again.
  absl::Status Remove(const RecordingName& name, const TransferId& id);
  // Makes durable what Remove did.
  absl::Status SyncNames();
  // Sets a transfer aside whose files cannot be trusted: they are renamed with
  // `.aside` behind, for a person, and the recording has no open transfer.
  // The index forgets it even when the renaming fails.
  absl::Status SetAside(const RecordingName& name, const TransferId& id);
  // The device declared other bytes than came (Partial::RecordMismatch is
  // durable): the bytes stay, the recording has no open transfer.
  void CloseMismatched(const RecordingName& name, const TransferId& id);

  std::string BytesPath(const TransferId& id) const;
  absl::StatusOr<uint64_t> FreeBytes() const;

 private:
  // How many transfers each principal holds; those that hold none are not in
  // it.
  using Held = std::map<std::string, int, std::less<>>;
  struct Open {
    TransferId id;
    Held::iterator by;
  };
  struct Entry {
    std::optional<Open> open;
    int mismatches = 0;
  };
  std::string RecordsPath(const TransferId& id) const;
  absl::Status ReadJournal(absl::string_view records,
                           journal::Summary& summary) const;

  // Steps of Recover. Their errors stop it.
  absl::Status RecoverTransfer(const TransferId& id, bool has_bytes,
                               std::vector<Unstored>& unstored);
  absl::Status RecoverUnreadable(const TransferId& id, const absl::Status& why);
  absl::StatusOr<bool> WinsOver(const TransferId& other,
                                const journal::Summary& summary) const;
  absl::Status RecoverAside(const TransferId& id);
  absl::Status RecoverRemoval(const TransferId& id);

  absl::StatusOr<std::optional<SetAsideTransfer>> ReadSetAside(
      const TransferId& id, bool aside) const;
  absl::Status RenameAside(const TransferId& id);
  void Index(const Begun& begun, const TransferId& id);
  Held::iterator Hold(absl::string_view principal)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Release(Held::iterator held) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Forget(const RecordingName& name, const TransferId& id);

  Disk& disk_;
  const std::string directory_;
  Random& random_;
  const std::string id_tag_;
  NameSyncs name_syncs_{disk_};  // of our directory
  BlockBuffers buffers_;
  mutable Mutex mutex_;
  std::map<RecordingName, Entry> index_ ABSL_GUARDED_BY(mutex_);
  Held held_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_SPOOL_SPOOL_H_
