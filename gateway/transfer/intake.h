// Takes recordings in: binds streams to transfers and carries out, on the
// spool and the store, what the state machine decides (transfer_state.h). It
// holds no gRPC type, no thread, no clock and no file of its own.
#ifndef SCHLEUSE_GATEWAY_TRANSFER_INTAKE_H_
#define SCHLEUSE_GATEWAY_TRANSFER_INTAKE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/executor.h"
#include "base/random.h"
#include "base/recording_name.h"
#include "gateway/access/principal.h"
#include "gateway/access/roster.h"
#include "gateway/access/roster_source.h"
#include "gateway/custody/custody_log.h"
#include "gateway/spool/spool.h"
#include "gateway/store/store.h"
#include "gateway/transfer/messages.h"
#include "gateway/transfer/receipt_watch.h"

namespace schleuse {

struct IntakeOptions {
  // Where it is stated what became of recordings; borrowed. nullptr: no
  // receipts are given.
  CustodyLog* custody = nullptr;
  // What may be received and not yet durable, over all streams; each has at
  // least kCreditBytesMin of it.
  uint64_t credit_bytes_total = uint64_t{192} << 20;
  int streams_max = 2048;
  // The same for one device, by its SPIFFE ID.
  int streams_per_device_max = 64;
  // Free bytes of the spool's disk below which devices are told to wait, at
  // Begin and in the middle of a transfer.
  uint64_t spool_reserve_bytes = uint64_t{1} << 30;
  // An Ack comes at the latest after so many bytes or so much time.
  uint64_t ack_every_bytes = 8 << 20;
  absl::Duration ack_every = absl::Milliseconds(250);
  // The same for radios, whose link is dearer than our disk's sync.
  absl::Duration ack_every_radio = absl::Seconds(1);
  // How long a device waits after a Pause; grows no further.
  absl::Duration pause = absl::Seconds(10);
};

// How far a recording is: schleuse.transfer.v1.GetTransferReply.
struct TransferView {
  enum class State {
    kReceiving,
    kFinished,
    kStored,
    kHeldForOperator,
    kDeleted,  // it was stored, until its time ran out
  };
  std::optional<TransferId> transfer_id = {};
  State state;
  uint64_t received_offset = 0;
  uint64_t durable_offset = 0;
  int mismatches = 0;
};

class LiveRecording;
struct IntakeInside;

// Whoever decides that something is not kept any longer. Asked twice: before
// that is stated, and again before the first byte goes. nullopt: it stays.
using DecideSpooled =
    absl::AnyInvocable<std::optional<statement::Event>(const Spooled&)>;
using DecideStored = absl::AnyInvocable<std::optional<statement::Event>(
    const Bundle&, const Proof&)>;
// Whether it was deleted; false: it stays, or somebody is busy with it.
//   Unavailable, ResourceExhausted and others  not now
using Removed = absl::AnyInvocable<void(absl::StatusOr<bool>)>;

// One stream from a device. Its calls come from one thread at a time and
// never block: they neither hash nor touch a disk. Begin comes first and
// once; what breaks that order is answered by ending the stream.
class Stream : public std::enable_shared_from_this<Stream> {
 public:
  void OnBegin(Begin begin);
  // False: enough is queued, read nothing more until Outlet::ResumeReading.
  [[nodiscard]] bool OnChunk(Chunk chunk);
  void OnFinish(const Finish& finish);
  // A message that the door could not make sense of: ends the stream.
  void OnBadMessage(absl::string_view what_is_wrong);
  // The call is over, whoever ended it. The last call.
  void OnClosed();

  ~Stream();

 private:
  friend class Intake;
  friend class LiveRecording;
  struct Inside;
  explicit Stream(std::unique_ptr<Inside> inside);
  std::unique_ptr<Inside> inside_;
};

// Safe to call from many threads.
struct RefusedCertificate {
  std::string device;  // the URI that it names, if it names one
  std::string serial;  // hexadecimal; empty: it cannot be read
  std::string reason;
};

class Intake {
 public:
  // Everything is borrowed and must outlive the last task on the two executors:
  // `workers` hash and write; `waiters` have tasks that mostly wait for the
  // disk or the store, so that however many of these one device causes, the
  // others' chunks go on. `roster` answers which cameras a device may bring, at
  // each Begin anew.
  Intake(Spool& spool, Store& store, const RosterSource& roster,
         Executor& workers, Executor& waiters, const Clock& clock,
         Random& random, const IntakeOptions& options);
  ~Intake();

  // Reads what an earlier process left in the spool, and begins to bring what
  // was finished into the store, in the background. Once, before Connect.
  //   DataLoss and others: the spool cannot be read; do not start
  absl::Status Recover();

  // The store was away and is back: what waits for it is tried now, from here
  // in the order in which it takes it.
  void StoreIsBack();

  // Whether somebody still needs what the store holds of that transfer,
  // although no statement lies beside it.
  bool NeedsUnstated(const RecordingName& name, const TransferId& id) const;

  // Whether somebody is busy with that recording.
  bool IsBusy(const RecordingName& name) const;

  // Gives up what the spool has of a recording that nobody is busy with and
  // that is not stored, if `decide` says so: what that returns is stated first,
  // where there is a log. `done` hears from some thread.
  void GiveUpSpooled(const RecordingName& name, DecideSpooled decide,
                     Removed done);
  // Deletes a stored recording that nobody is busy with, likewise.
  //   Unimplemented  there is no log, or the store deletes by itself
  void DeleteStored(const RecordingName& name, DecideStored decide,
                    Removed done);

  // A new stream of `principal`, who was identified just now.
  std::shared_ptr<Stream> Connect(const Principal& principal,
                                  std::shared_ptr<Outlet> outlet);

  // Tells `done`, from some thread, how far `name` is.
  //   NotFound          nothing known of it
  //   PermissionDenied  the roster does not grant it
  void Look(const Principal& principal, const RecordingName& name,
            absl::AnyInvocable<void(absl::StatusOr<TransferView>)> done);

  // Tells `done`, from some thread, the receipt that was given for `name`.
  //   NotFound          none, or not yet
  //   PermissionDenied  the roster does not grant it
  //   Unimplemented     this gateway gives none
  void FindReceipt(const Principal& principal, const RecordingName& name,
                   absl::AnyInvocable<void(absl::StatusOr<GivenReceipt>)> done);

  // Tells `watch` the receipts of `names`, as far as they were given, and from
  // then on those that are given for them or for what the principal brings;
  // until Unwatch, or its OnEnd:
  //   PermissionDenied  the roster does not grant one of the names
  //   Unimplemented     this gateway gives none
  //   Unavailable       the gateway is stopping
  void Watch(const Principal& principal,
             const std::vector<RecordingName>& names,
             const std::shared_ptr<ReceiptWatch>& watch);
  void Unwatch(const ReceiptWatch& watch);

  // Takes nothing new, makes durable and acknowledges what was received,
  // brings what was finished to its end, ends all streams with UNAVAILABLE,
  // then calls `done` from some thread, once.
  void Drain(absl::AnyInvocable<void()> done);

  // The door refused somebody's certificate: it goes into the custody log.
  void StateRefusedCertificate(const RefusedCertificate& refused);

  // Streams that carry a transfer; for metrics and logs.
  int streams() const;

 private:
  // Shared with the tasks that are still queued.
  std::shared_ptr<IntakeInside> inside_;
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_TRANSFER_INTAKE_H_
