// The custody log: statements, signed and in an order that nobody can change
// unseen. One log a gateway and calendar year, chained to the one before.
//
// A statement counts once its batch lies durable in the write-ahead log
// together with the checkpoint that was signed over it: one sync a batch,
// however many wait. The files that others read follow about once a second and
// can be made anew from it.
//
//   <directory>/<year>[-n]/   checkpoint, tile/... (log_files.h)
//   <directory>/wal/<n>.wal   the write-ahead log (wal_segment.h)
//   <directory>/keys.pub      what others pin
//   <directory>/reserve       room for what must be said on a full disk
#ifndef SCHLEUSE_GATEWAY_CUSTODY_CUSTODY_LOG_H_
#define SCHLEUSE_GATEWAY_CUSTODY_CUSTODY_LOG_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/executor.h"
#include "base/random.h"
#include "base/recording_name.h"
#include "crypto/digest.h"
#include "disk/disk.h"
#include "evidence/checkpoint.h"
#include "gateway/custody/keys.h"
#include "gateway/custody/statement.h"

namespace schleuse {

// A statement that the log holds durably.
struct Logged {
  std::string origin;
  uint64_t index;
  std::string statement;  // its bytes
  std::string receipt;    // C2SP tlog-proof
};

// What somebody else holds of the log: it must not have fallen behind that.
struct KnownTree {
  std::string origin;
  uint64_t size;
  std::optional<Digest> root;  // a witness tells its size alone
  std::string by;              // "the witness w1", for people
};

struct CustodyOptions {
  // How long the files that others read may lag behind.
  absl::Duration publish_every = absl::Seconds(1);
  // Bytes that are kept free for what must be said on a full disk.
  uint64_t reserve_bytes = 16 << 20;
  // A segment of the write-ahead log that has grown so far is followed by
  // another.
  uint64_t segment_bytes = 8 << 20;
  // How long a statement that nobody waits for may wait for others; and one
  // that somebody waits for, while there are many.
  absl::Duration gather = absl::Milliseconds(50);
  absl::Duration gather_awaited = absl::Milliseconds(2);
  // Statements that may wait; and of one batch.
  size_t waiting_max = 20'000;
  size_t batch_max = 512;
  // Entries of a closed log are deleted so many years after the end of its
  // year.
  int keep_years = 1;
  // Whether the clock is synchronised with the network's: without that no year
  // begins and nothing is deleted.
  absl::AnyInvocable<bool()> clock_synchronised;
  // The log cannot go on: nothing more is answered, and the process is to end.
  // Called once, from some thread.
  absl::AnyInvocable<void(const absl::Status&)> on_fatal;
};

// Safe to call from many threads; no call but Open blocks.
class CustodyLog {
 public:
  // Everything is borrowed and must outlive the last task on `executor`, whose
  // tasks wait for the disk. `known`: what others hold of it,
  // which the log must not have fallen behind. Reads what an earlier process
  // left, makes it durable anew, and publishes it.
  //   DataLoss, FailedPrecondition  the log is not what it was: do not start;
  //                                 the message says which file and what to do
  //   others                        as Disk says
  static absl::StatusOr<std::unique_ptr<CustodyLog>> Open(
      Disk& disk, absl::string_view directory, const CustodyKeys& keys,
      Executor& executor, const Clock& clock, Random& random,
      CustodyOptions options, const std::vector<KnownTree>& known = {});
  virtual ~CustodyLog() = default;

  // Begins another log behind one that Open refuses, once a person knows why:
  // "<year>-2", and so on, whose first statement names the last checkpoint that
  // is published of the log before, and `reason`. What the write-ahead log held
  // is kept beside it, and nothing of it is gone on with: recordings that it
  // alone states are stated anew. Of no log that is open.
  //   FailedPrecondition  there is no log that another could follow
  static absl::StatusOr<Origin> BeginNewOrigin(
      Disk& disk, absl::string_view directory, const CustodyKeys& keys,
      Executor& executor, const Clock& clock, Random& random,
      CustodyOptions options, const std::vector<KnownTree>& known,
      absl::string_view reason);

  enum class Importance {
    kOrdinary,
    kMust,  // is said on a full disk too, out of the reserve
  };
  // Told once, from some thread, unless the log cannot go on: then never.
  //   ResourceExhausted  the disk is full, or too many wait: later
  //   InvalidArgument    no statement can say that
  using Done = absl::AnyInvocable<void(absl::StatusOr<Logged>)>;
  virtual void Append(statement::Event event, Importance importance,
                      Done done) = 0;

  // Recordings that were stated as stored, and whose bundles nobody has called
  // complete yet.
  virtual std::vector<RecordingName> Unlaid() const = 0;
  // The statement that one of these was stored, with the receipt that was given
  // for it. Of an earlier process's it reads the log's files, which may fail:
  // then it was stated, and nobody may state it again.
  virtual absl::StatusOr<std::optional<Logged>> FindStored(
      const RecordingName& name) const = 0;
  // Statement and receipt lie durable in the bundle: the write-ahead log need
  // not keep them.
  virtual void Laid(const RecordingName& name) = 0;

  // The newest durable one, a signed note.
  virtual std::string checkpoint() const = 0;
  // Publishes what is not published, then calls `done` from some thread.
  virtual void Flush(absl::AnyInvocable<void()> done) = 0;
};

// Makes a new log directory: keys, the list of them for others, the reserve and
// the write-ahead log's directory. `directory` and `key_directory` exist and
// are empty, or are one.
absl::Status InitCustody(Disk& disk, absl::string_view directory,
                         absl::string_view key_directory,
                         absl::string_view gateway, uint64_t reserve_bytes);

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_CUSTODY_CUSTODY_LOG_H_
