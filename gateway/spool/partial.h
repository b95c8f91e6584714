// One transfer in the spool: its bytes, its journal and its running hash.
#ifndef SCHLEUSE_GATEWAY_SPOOL_PARTIAL_H_
#define SCHLEUSE_GATEWAY_SPOOL_PARTIAL_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/cord.h"
#include "absl/time/time.h"
#include "base/mutex.h"
#include "base/recording_name.h"
#include "crypto/digest.h"
#include "disk/block_writer.h"
#include "disk/disk.h"
#include "disk/name_syncs.h"
#include "disk/record_file.h"

namespace schleuse {

// How a transfer began: the first record of its journal.
struct Begun {
  RecordingName name;
  std::string principal;  // SPIFFE ID
  std::string metadata;   // as it came on the wire
  std::string extension;  // of the stored file, without a dot
  int priority = 0;       // schleuse.transfer.v1.Priority
  absl::Time at;
};

struct Finished {
  uint64_t size;
  Digest sha256;
};

// Threads: one at a time, but for Sync, which may run beside all others.
class Partial {
 public:
  ~Partial();

  const TransferId& id() const { return id_; }
  const Begun& begun() const { return begun_; }
  // End of the bytes written, durable or not.
  uint64_t received() const { return received_; }
  // What the journal says of a finish, also after a restart.
  const std::optional<Finished>& finished() const { return finished_; }

  // Writes `data`, whose CRC-32C is `crc32c`, behind the bytes received, and
  // hashes it if the hash is up to date. A finish that was noted before counts
  // no more, also after a restart. After an error nothing has changed.
  absl::Status Append(const absl::Cord& data, uint32_t crc32c);

  // Whether the bytes at `offset`, all of them received, equal `data`.
  absl::StatusOr<bool> Holds(uint64_t offset, const absl::Cord& data) const;

  // --- durability, in three steps so that the middle one may take its time ---
  // Writes out bytes and journal. What was appended before it is covered by the
  // next Sync; the number returned is then durable.
  absl::StatusOr<uint64_t> BeginSync();
  // Makes bytes, journal and their names durable. Any error: set the transfer
  // aside, what is on the disk is unknown.
  absl::Status Sync();
  // Notes in the journal that `offset`, from BeginSync, is durable.
  void EndSync(uint64_t offset);

  // The journal is made by the first BeginSync. A transfer without one was
  // never synced: it survives no restart, and nobody was promised anything.
  bool has_journal() const { return records_->is_made(); }
  // BeginSync and Sync for the bytes alone, without journal and names: for what
  // goes into the store at once, under a name of its own.
  absl::StatusOr<uint64_t> BeginBytesSync();
  absl::Status SyncBytes() { return bytes_->Sync(); }

  // --- the hash of everything received ---
  bool hash_is_current() const { return hash_.bytes_hashed() == received_; }
  // Reads and hashes up to `bytes_max` more of what was not hashed on the way
  // in (a resumed transfer).
  absl::Status HashSome(uint64_t bytes_max);
  // hash_is_current() holds.
  Digest Hash() const { return hash_.Current(); }

  // --- what the disk holds, held against the journal ---
  // Both fail with DataLoss if the journal itself is damaged: set the transfer
  // aside.
  // The offset of the first chunk among those that overlap the `length` bytes
  // from `offset` on, all of them received, whose bytes are not what the
  // journal says they were; nullopt if there is none. Reads these chunks alone.
  absl::StatusOr<std::optional<uint64_t>> FirstDamage(uint64_t offset,
                                                      uint64_t length);

  // All bytes, in steps. Append and CutTo end a check that is under way.
  void BeginCheck();
  struct SelfCheck {
    // Offset of the first chunk that is not what the journal says it was;
    // received() if there is none.
    uint64_t first_damage;
    Digest sha256;  // of the bytes below it
  };
  // Reads about `bytes_max` more; nullopt: there is more to read, call again.
  // After an error it may be called again.
  //   FailedPrecondition  no BeginCheck came before, or the check has ended
  absl::StatusOr<std::optional<SelfCheck>> CheckSome(uint64_t bytes_max);

  // Gives up everything from `offset` on, where a chunk was damaged; the
  // hash starts anew.
  absl::Status CutTo(uint64_t offset);

  // Notes that all bytes are there (durable with the next Sync), and makes the
  // file end where they do.
  absl::Status RecordFinished(const Finished& finished,
                              absl::string_view target);
  // Notes that the device declared something else (durable with the next Sync).
  void RecordMismatch(uint64_t declared_size, const Digest& declared,
                      const Digest& received, absl::Time at);

 private:
  friend class Spool;
  // `names` covers the names of both files.
  Partial(TransferId id, Begun begun, std::unique_ptr<File> bytes,
          std::unique_ptr<RecordFile> records, BlockBuffers& buffers,
          NameSyncs::Change names);
  // One of the two comes first, once.
  absl::Status Begin();
  // Takes over what the journal says and what of it the bytes confirm.
  absl::Status Load();
  absl::Status WriteFrom(uint64_t end);
  absl::StatusOr<uint64_t> LastSynced() const;
  void RecordPending();

  const TransferId id_;
  const Begun begun_;
  const std::unique_ptr<File> bytes_;
  const std::unique_ptr<RecordFile> records_;
  BlockBuffers& buffers_;
  std::optional<BlockWriter> writer_;  // to bytes_; there since Begin or Load
  uint64_t received_ = 0;
  std::optional<Finished> finished_;
  Sha256 hash_;
  // Written and not in the journal's buffer yet.
  struct Pending {
    uint64_t offset;
    uint64_t length;
    uint32_t crc32c;
  };
  std::optional<Pending> pending_;
  struct Check {
    Sha256 hash;          // of the chunks that were found good
    uint64_t journal_at;  // behind their records
  };
  std::optional<Check> check_;  // while one is under way

  Mutex sync_mutex_;
  // Until they are durable.
  std::optional<NameSyncs::Change> names_ ABSL_GUARDED_BY(sync_mutex_);
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_SPOOL_PARTIAL_H_
