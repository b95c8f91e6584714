// A store far away, in memory, that a test can send away, fill or poison. Its
// server stays when a store on it goes, as when a process dies.
#ifndef SCHLEUSE_GATEWAY_STORE_FAKE_STORE_H_
#define SCHLEUSE_GATEWAY_STORE_FAKE_STORE_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/mutex.h"
#include "disk/disk.h"
#include "gateway/store/store.h"

namespace schleuse {

// Safe to call from many threads.
class FakeStoreServer {
 public:
  // Every request is answered so from now on.
  void SetStatus(const absl::Status& status);
  // Commits of that recording are.
  void Refuse(const RecordingName& name, const absl::Status& status);
  void RefuseNoMore();
  // Another gateway's, which Find does not show.
  void PutForeign(const RecordingName& name, absl::string_view bytes);
  // All that is stored under a name goes, as by a rule of the store's own.
  void Remove(const RecordingName& name);
  // What is stored under a name, ours alone.
  std::vector<std::string> Stored(const RecordingName& name) const;
  // Recordings in the order in which they were stored.
  std::vector<RecordingName> order() const;
  // The largest offset that was offered of a recording before its commit.
  uint64_t offered(const RecordingName& name) const;
  int aborted() const;  // uploads that were given up

 private:
  friend class FakeStore;
  struct Object {
    RecordingName name;
    std::string bytes;
    std::optional<Proof> proof = {};
    std::string witnessed = {};
    bool foreign = false;
  };
  mutable Mutex mutex_;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  std::map<RecordingName, absl::Status> refused_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Object> objects_ ABSL_GUARDED_BY(mutex_);  // by key
  std::vector<RecordingName> order_ ABSL_GUARDED_BY(mutex_);
  std::map<RecordingName, uint64_t> offered_ ABSL_GUARDED_BY(mutex_);
  std::optional<std::string> newest_ ABSL_GUARDED_BY(mutex_);
  int aborted_ ABSL_GUARDED_BY(mutex_) = 0;
};

class FakeStore final : public Store {
 public:
  // Both are borrowed; `disk` holds what is committed.
  FakeStore(const Disk& disk, FakeStoreServer& server)
      : disk_(disk), server_(server) {}

  absl::StatusOr<std::unique_ptr<StoreUpload>> Open(
      const StoreSource& source) override;
  std::string TargetOf(const StoreSource& source) const override;
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
  std::string StatedLocation(const Bundle& bundle) const override {
    return bundle.location;
  }
  bool reads_back() const override { return true; }
  bool keeps_spool_file() const override { return false; }
  bool deletes() const override { return false; }
  absl::Status Probe() const override;
  std::string Witnessed(const Bundle& bundle) const;

 private:
  class Upload;
  absl::StatusOr<Bundle> Store(const StoreSource& source, uint64_t size,
                               const Digest& sha256);

  const Disk& disk_;
  FakeStoreServer& server_;
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_STORE_FAKE_STORE_H_
