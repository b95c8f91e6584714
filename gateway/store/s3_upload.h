// One recording on its way into an object store: parts go out while it still
// arrives, the last of them and all checks when it is committed.
#ifndef SCHLEUSE_GATEWAY_STORE_S3_UPLOAD_H_
#define SCHLEUSE_GATEWAY_STORE_S3_UPLOAD_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/random.h"
#include "crypto/digest.h"
#include "disk/disk.h"
#include "gateway/store/s3_book.h"
#include "gateway/store/s3_bucket.h"
#include "gateway/store/s3_connections.h"
#include "gateway/store/s3_health.h"
#include "gateway/store/store.h"

namespace schleuse {

// Object Lock: for how long nobody can delete what was stored.
struct S3Lock {
  std::string mode;  // GOVERNANCE or COMPLIANCE
  absl::Duration span;
};

struct S3StoreOptions {
  uint64_t part_bytes = 8 << 20;  // of the first parts; later ones are larger
  int connections = 8;
  int parts_at_once = 4;  // of one recording
  std::optional<S3Lock> lock = {};
  S3Patience patience = {};
};

// What the uploads of one store share.
struct S3Inside {
  const Disk& disk;
  const Clock& clock;
  Random& random;
  const S3StoreOptions options;
  const std::string gateway_id;
  const std::string tag;  // with which our transfer_ids begin
  S3Book book{};
  S3Health health{};
  std::unique_ptr<S3Connections> connections{};
};

// The work behind an upload, which goes on beside whoever asked for it. Shared
// with its jobs. Safe to call from many threads.
class S3Transfer : public std::enable_shared_from_this<S3Transfer> {
 public:
  // Shared: whoever brings a recording may let go of it behind the store's end.
  S3Transfer(std::shared_ptr<S3Inside> inside, StoreSource source);

  void Offer(uint64_t durable_offset);
  absl::StatusOr<std::optional<Bundle>> Commit(uint64_t size,
                                               const Digest& sha256);
  void WhenReady(absl::AnyInvocable<void()> ready);
  // Gives up. What was begun is removed beside the caller; a Commit that comes
  // later begins anew behind that.
  void Abandon();

 private:
  struct Wanted {
    uint64_t size;
    Digest sha256;
  };
  struct Part {
    std::string upload;
    int number;
    uint64_t offset;
    uint64_t length;
    int failures = 0;
  };
  using Job = void (S3Transfer::*)(S3Bucket&);

  // Posts whatever can be done now.
  void Pump() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void PumpParts() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void PostJob(Job job) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void PostPart(const Part& part) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  uint64_t PartBytes(int number) const;
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsMultipart() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool HasAllParts() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void BeginAnew() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Of a commit, if there is one.
  void End(absl::StatusOr<Bundle> result) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void GiveBackKey() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void GetStuck(const absl::Status& why) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CleanUp() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Makes the calls that had to wait until the lock was free.
  void MakeCalls();
  absl::Duration Jitter(int failures) const;

  // Jobs, on a connection of the store's, without the lock while they ask.
  void RunBegin(S3Bucket& bucket);
  void RunPart(S3Bucket& bucket, const Part& part);
  void RunFinish(S3Bucket& bucket);
  void RunCleanUp(S3Bucket& bucket);

  absl::Status AbortOthers(S3Bucket& bucket);
  absl::StatusOr<RequestBody> BodyOf(uint64_t offset, uint64_t length) const;
  // Nothing if ours is still to be stored; what is there already, if it is ours
  // and the same.
  absl::StatusOr<std::optional<Bundle>> LookAround(S3Bucket& bucket,
                                                   const Wanted& wanted);
  absl::StatusOr<Bundle> Finish(S3Bucket& bucket, const Wanted& wanted);
  absl::Status Store(S3Bucket& bucket, const Wanted& wanted);
  absl::Status Verify(S3Bucket& bucket, const Wanted& wanted);
  bool IsMade();

  const std::shared_ptr<S3Inside> shared_;
  S3Inside& inside_ = *shared_;
  const StoreSource source_;
  const std::string key_;
  const S3Order order_;

  Mutex mutex_;
  bool owns_key_ ABSL_GUARDED_BY(mutex_) = false;
  bool wants_key_ ABSL_GUARDED_BY(mutex_) = false;
  bool abandoned_ ABSL_GUARDED_BY(mutex_) = false;
  int jobs_ ABSL_GUARDED_BY(mutex_) = 0;  // posted and not over
  uint64_t offered_ ABSL_GUARDED_BY(mutex_) = 0;
  std::optional<Wanted> wanted_ ABSL_GUARDED_BY(mutex_);  // by a commit
  std::optional<absl::StatusOr<Bundle>> result_ ABSL_GUARDED_BY(mutex_);
  std::vector<absl::AnyInvocable<void()>> ready_ ABSL_GUARDED_BY(mutex_);
  // Whoever waits, to be called without the lock.
  std::vector<absl::AnyInvocable<void()>> call_ ABSL_GUARDED_BY(mutex_);

  std::string upload_ ABSL_GUARDED_BY(mutex_);  // empty: none was begun
  bool beginning_ ABSL_GUARDED_BY(mutex_) = false;
  bool finishing_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t next_offset_ ABSL_GUARDED_BY(mutex_) = 0;
  int next_number_ ABSL_GUARDED_BY(mutex_) = 1;
  int parts_running_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<S3Part> parts_ ABSL_GUARDED_BY(mutex_);
  std::vector<Part> again_ ABSL_GUARDED_BY(mutex_);  // those that failed
  // Why nothing goes on until somebody commits, or a while is over.
  absl::Status stuck_ ABSL_GUARDED_BY(mutex_);
  int stuck_times_ ABSL_GUARDED_BY(mutex_) = 0;
  // An object that this commit made and nobody was told of.
  bool made_ ABSL_GUARDED_BY(mutex_) = false;
  S3Version version_ ABSL_GUARDED_BY(mutex_);
};

class S3Upload final : public StoreUpload {
 public:
  S3Upload(std::shared_ptr<S3Inside> inside, const StoreSource& source)
      : transfer_(std::make_shared<S3Transfer>(std::move(inside), source)) {}
  ~S3Upload() override { transfer_->Abandon(); }

  void Offer(uint64_t durable_offset) override {
    transfer_->Offer(durable_offset);
  }
  absl::StatusOr<std::optional<Bundle>> Commit(uint64_t size,
                                               const Digest& sha256) override {
    return transfer_->Commit(size, sha256);
  }
  void WhenReady(absl::AnyInvocable<void()> ready) override {
    transfer_->WhenReady(std::move(ready));
  }
  void Abort() override { transfer_->Abandon(); }

 private:
  const std::shared_ptr<S3Transfer> transfer_;
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_STORE_S3_UPLOAD_H_
