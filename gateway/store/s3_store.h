// A store on an S3 object store inside the network, as Ceph's RADOS gateway is
// one: for those who outgrow one machine's disk. What is called how stands in
// s3_names.h.
//
// A recording goes out while it arrives, and is read back and hashed before it
// counts as stored. Calls of this class that need an answer wait for it, some
// seconds at the most; while the store is away they fail at once.
#ifndef SCHLEUSE_GATEWAY_STORE_S3_STORE_H_
#define SCHLEUSE_GATEWAY_STORE_S3_STORE_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/random.h"
#include "base/thread_pool.h"
#include "disk/disk.h"
#include "gateway/egress/egress.h"
#include "gateway/store/s3_credentials.h"
#include "gateway/store/s3_upload.h"
#include "gateway/store/store.h"

namespace schleuse {

class S3Store final : public Store {
 public:
  // Connects to nobody yet. Everything borrowed outlives it, but for `egress`,
  // which may be stopped before.
  S3Store(const Disk& disk, Egress& egress, const S3Place& place,
          std::unique_ptr<S3Credentials> credentials,
          absl::string_view gateway_id, const Clock& clock, Random& random,
          const S3StoreOptions& options);
  ~S3Store() override { Stop(); }

  // With which the transfer_ids of a gateway begin.
  static std::string TagOf(absl::string_view gateway_id);

  // Marks the bucket as one that this gateway stores in. Once, by init.
  //   FailedPrecondition  it is not what it should be; the message says what to
  //                       do
  absl::Status SetUp();
  // OK if the bucket is marked, and as `options` want it.
  //   Unavailable         the store is away: that it is marked is found out
  //   once
  //                       it is back
  //   FailedPrecondition  it is another; the message says what to do
  absl::Status Check();

  struct Hooks {
    // The store was away, and is back. From some thread.
    std::function<void()> on_back = [] {};
    // Whether somebody still needs an object that no statement lies beside.
    std::function<bool(const RecordingName&, const TransferId&)> is_needed =
        [](const RecordingName&, const TransferId&) { return true; };
  };
  // From now on it looks whether a store that is away is back, and removes what
  // earlier processes of this gateway left. Once.
  void Start(Hooks hooks);
  // Ends all that is under way. The egress was stopped.
  void Stop();

  absl::StatusOr<std::unique_ptr<StoreUpload>> Open(
      const StoreSource& source) override;
  std::string TargetOf(const StoreSource& source) const override;
  // Those of this gateway alone: others' may be taken back by them.
  absl::StatusOr<std::vector<Bundle>> Find(
      const RecordingName& name) const override;
  absl::StatusOr<std::unique_ptr<StoredBytes>> Read(
      const Bundle& bundle) const override;
  absl::Status Keep(const Bundle& bundle) override;
  std::vector<absl::Status> Lay(absl::Span<const Laying> layings) override;
  std::vector<absl::Status> LayWitnessed(
      absl::Span<const Laying> layings) override;
  absl::StatusOr<std::optional<std::string>> NewestReceipt() const override;
  absl::StatusOr<std::optional<Proof>> ReadProof(
      const Bundle& bundle) const override;
  absl::StatusOr<std::optional<Proof>> FindProof(
      const RecordingName& name) const override;
  absl::StatusOr<StorePage> List(const std::string& after) const override;
  std::string Behind(const RecordingName& name) const override;
  // The object store's own rules delete (docs/operations.md).
  absl::Status Delete(const Bundle& bundle, const Proof& deletion) override;
  absl::StatusOr<std::optional<DeletedBundle>> FindDeleted(
      const RecordingName& name) const override;
  std::string StatedLocation(const Bundle& bundle) const override;
  bool reads_back() const override { return true; }
  bool keeps_spool_file() const override { return false; }
  bool deletes() const override { return false; }
  absl::Status Probe() const override;

  // One pass of removing what earlier processes of this gateway left: multipart
  // uploads that nobody goes on with, and objects that no statement lies beside
  // and nobody needs. Never another gateway's.
  struct CleanedUp {
    int uploads = 0;
    int objects = 0;
  };
  absl::StatusOr<CleanedUp> CleanUp(
      const std::function<bool(const RecordingName&, const TransferId&)>&
          is_needed);

 private:
  using Lay1 = absl::Status (S3Store::*)(S3Bucket&, const Laying&);
  std::unique_ptr<S3Bucket> NewBucket(const S3Patience& patience) const;
  std::vector<absl::Status> LayEach(absl::Span<const Laying> layings, Lay1 lay);
  absl::Status LayOne(S3Bucket& bucket, const Laying& laying);
  absl::Status LayWitnessedOne(S3Bucket& bucket, const Laying& laying);
  void KeepNewest(absl::Span<const Laying> layings);
  std::string NewestKey() const;
  absl::Status CheckMarker(S3Bucket& bucket) const;
  void Look();
  absl::Status CleanUpUploads(S3Bucket& bucket, CleanedUp& cleaned);
  absl::Status CleanUpObjects(
      S3Bucket& bucket,
      const std::function<bool(const RecordingName&, const TransferId&)>&
          is_needed,
      CleanedUp& cleaned);

  Egress& egress_;
  const S3Place place_;
  const std::unique_ptr<S3Credentials> credentials_;
  const std::shared_ptr<S3Inside> inside_;
  Hooks hooks_;
  Mutex newest_mutex_;  // held while the store is asked
  // Of the newest receipt, as this process laid it.
  std::optional<std::string> newest_ ABSL_GUARDED_BY(newest_mutex_);
  S3Version newest_version_ ABSL_GUARDED_BY(newest_mutex_);
  // --- by Look alone ---
  std::unique_ptr<S3Bucket> looking_;
  int looks_failed_ = 0;
  absl::Time next_cleanup_ = absl::InfinitePast();
  std::unique_ptr<ThreadPool> watch_;
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_STORE_S3_STORE_H_
