// The final storage inside the network. A store keeps bundles: the bytes of a
// recording under its name, never replaced, and what proves them. It knows
// nothing of devices, streams or the spool's journals.
#ifndef SCHLEUSE_GATEWAY_STORE_STORE_H_
#define SCHLEUSE_GATEWAY_STORE_STORE_H_

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
#include "absl/types/span.h"
#include "base/recording_name.h"
#include "crypto/digest.h"

namespace schleuse {

// What is to be stored: a file in the spool that grows until its commit.
struct StoreSource {
  RecordingName name;
  TransferId transfer_id;
  std::string path;       // absolute
  std::string extension;  // without a dot
  // Where the store takes one before the other: 0 is urgent, and of those that
  // are alike the oldest goes first.
  int urgency = 1;
  absl::Time since = absl::InfinitePast();
};

// Something that a store holds under a recording's name.
struct Bundle {
  std::string location;  // absolute path, or object key
  uint64_t size;         // bytes

  friend bool operator==(const Bundle&, const Bundle&) = default;
};

// What lies beside a bundle's bytes, so that a stranger can check them.
struct Proof {
  std::string statement;  // JSON
  std::string receipt;    // C2SP tlog-proof

  friend bool operator==(const Proof&, const Proof&) = default;
};

// What is left of a recording whose bytes were deleted.
struct DeletedBundle {
  std::string location;  // where it lies; absolute path, or object key
  Proof stored;          // that it was stored: it stays
  Proof deletion;        // and that it was deleted

  friend bool operator==(const DeletedBundle&, const DeletedBundle&) = default;
};

// Some of the names that a store knows.
struct StorePage {
  std::vector<RecordingName> names;
  std::string next;  // where the others follow; empty: these were the last
};

// Brings one recording in. One thread at a time.
class StoreUpload {
 public:
  virtual ~StoreUpload() = default;

  // The source's bytes below `durable_offset` are final: a store far away may
  // begin to carry them. Never blocks.
  virtual void Offer(uint64_t durable_offset) = 0;

  // Stores the whole source, whose bytes are durable in the spool and whose
  // size and hash were found to be these, in steps of at most some tens of
  // milliseconds: nullopt means that there is more to do, call again. Once it
  // returns a bundle the store holds exactly those bytes, verified and durable.
  // May be called again after an error, and begins anew; finding the same bytes
  // already there is success.
  //   AlreadyExists      other bytes are stored under this name, or what was
  //                      stored under it was deleted
  //   ResourceExhausted  the store is full     Unavailable  it is away
  //   DataLoss           what it holds now is not what was given to it
  virtual absl::StatusOr<std::optional<Bundle>> Commit(
      uint64_t size, const Digest& sha256) = 0;

  // Calls `ready` once, here or from some thread, when Commit has more to do
  // than to say nullopt: calling it before is no mistake, and no use.
  virtual void WhenReady(absl::AnyInvocable<void()> ready) { ready(); }

  // Gives up; what was begun is removed, perhaps behind the caller.
  virtual void Abort() = 0;
};

// Reads what is stored. One thread at a time.
class StoredBytes {
 public:
  virtual ~StoredBytes() = default;
  // Up to `length` bytes from `offset` on; fewer only at the end.
  virtual absl::StatusOr<std::string> Read(uint64_t offset,
                                           uint64_t length) const = 0;
};

// What is to lie beside a bundle's bytes.
struct Laying {
  Bundle bundle;
  Proof proof;
};

// Safe to call from many threads.
class Store {
 public:
  virtual ~Store() = default;

  virtual absl::StatusOr<std::unique_ptr<StoreUpload>> Open(
      const StoreSource& source) = 0;
  // Where Commit will put `source`: for the journal.
  virtual std::string TargetOf(const StoreSource& source) const = 0;
  // What proves that something was stored under `name`, whether or not it is
  // there any more.
  virtual absl::StatusOr<std::optional<Proof>> FindProof(
      const RecordingName& name) const = 0;
  // What is stored under `name`; none if nothing is.
  virtual absl::StatusOr<std::vector<Bundle>> Find(
      const RecordingName& name) const = 0;
  virtual absl::StatusOr<std::unique_ptr<StoredBytes>> Read(
      const Bundle& bundle) const = 0;
  // Makes durable what Find found: whoever put it there may not have got as
  // far. Reads nothing: whether it is intact is not asked.
  //   NotFound  it is not there     Unavailable  the store is away
  //   DataLoss, ResourceExhausted  nobody knows what of it is durable, and a
  //             later OK does not change that
  virtual absl::Status Keep(const Bundle& bundle) = 0;
  // Lays statement and receipt beside the bytes of each bundle, durably; many
  // at a time share their syncs. The same once more is OK. One status for each:
  //   AlreadyExists  others lie there: they stay
  //   others         nobody knows which of it is durable: lay it anew
  virtual std::vector<absl::Status> Lay(absl::Span<const Laying> layings) = 0;
  // Lays receipts that witnesses have cosigned beside the statements that they
  // are for, durably; likewise. One that lies there already stays: OK.
  //   NotFound       no such bundle: deleted
  //   Unavailable    its statement does not lie there yet
  //   AlreadyExists  it is the bundle of another statement
  virtual std::vector<absl::Status> LayWitnessed(
      absl::Span<const Laying> layings) = 0;
  // Of all receipts that Lay ever laid, one whose log was the largest: what is
  // stored here says how far the log must have come. nullopt: none was laid.
  virtual absl::StatusOr<std::optional<std::string>> NewestReceipt() const = 0;
  // nullopt: not both lie there.
  virtual absl::StatusOr<std::optional<Proof>> ReadProof(
      const Bundle& bundle) const = 0;
  // Every recording of ours that is stored or was deleted, some hundreds at a
  // time, each once; `after` is empty at first, and then the page's `next`,
  // also in a later process. What comes or goes meanwhile may be among them or
  // not; so may be a name that nothing is stored under.
  virtual absl::StatusOr<StorePage> List(const std::string& after) const = 0;
  // What List goes on with behind a name that it gave.
  virtual std::string Behind(const RecordingName& name) const = 0;
  // Deletes the bytes of a bundle, once it is durable that `deletion` says so
  // beside them: from there on it is deleted, whatever a crash leaves of it.
  // What proves that it was stored stays. Where a deletion lies there already,
  // that one stays, and the bytes go.
  //   Unimplemented       this store deletes by itself
  //   FailedPrecondition  nothing proves there that it was stored
  //   others              perhaps deleted: call it again
  virtual absl::Status Delete(const Bundle& bundle, const Proof& deletion) = 0;
  // nullopt: nothing of that name was deleted.
  virtual absl::StatusOr<std::optional<DeletedBundle>> FindDeleted(
      const RecordingName& name) const = 0;
  // Where a bundle lies, as a statement says it: below the store's root.
  virtual std::string StatedLocation(const Bundle& bundle) const = 0;
  // Whether Commit reads back what it stored.
  virtual bool reads_back() const = 0;
  // Whether what is stored may be the spool's own file, so that nobody may
  // write to that any more. Else the store is far away: asking it takes time.
  virtual bool keeps_spool_file() const { return true; }
  // Whether Delete is its to do; else it deletes by its own rules.
  virtual bool deletes() const { return true; }
  // OK if the store can be reached and is the one that was set up.
  virtual absl::Status Probe() const = 0;
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_STORE_STORE_H_
