// The connections to an object store, each kept, and the work that waits for
// them: what is urgent first, then what is oldest. It knows nothing of what the
// work is.
#ifndef SCHLEUSE_GATEWAY_STORE_S3_CONNECTIONS_H_
#define SCHLEUSE_GATEWAY_STORE_S3_CONNECTIONS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <semaphore>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/mutex.h"
#include "base/thread_pool.h"
#include "gateway/store/s3_bucket.h"

namespace schleuse {

// Whose turn it is; smaller goes first.
struct S3Order {
  int urgency = 1;  // 0 is urgent
  absl::Time since = absl::InfinitePast();

  friend bool operator<(const S3Order& a, const S3Order& b) {
    return std::tie(a.urgency, a.since) < std::tie(b.urgency, b.since);
  }
};

// Safe to call from many threads.
class S3Connections {
 public:
  using Job = absl::AnyInvocable<void(S3Bucket&)>;
  using Make = std::function<std::unique_ptr<S3Bucket>()>;

  // `count` connections for what is posted, made by `make`, and as many by
  // `make_lease` for those who wait for an answer.
  S3Connections(int count, Make make, Make make_lease);
  ~S3Connections() { Stop(); }
  S3Connections(const S3Connections&) = delete;
  S3Connections& operator=(const S3Connections&) = delete;

  // Runs `job` when its turn comes. One that is never run is destroyed.
  void Post(const S3Order& order, Job job);
  void PostAfter(absl::Duration delay, const S3Order& order, Job job);

  // A connection for somebody who waits, apart from those above, as long as
  // the result lives.
  //   Unavailable  all are busy, and stayed so for a while
  class Lease {
   public:
    Lease(S3Connections& of, std::unique_ptr<S3Bucket> bucket)
        : of_(of), bucket_(std::move(bucket)) {}
    ~Lease() { of_.GiveBack(std::move(bucket_)); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    S3Bucket* operator->() const { return bucket_.get(); }

   private:
    S3Connections& of_;
    std::unique_ptr<S3Bucket> bucket_;
  };
  absl::StatusOr<std::unique_ptr<Lease>> Take();

  // Runs what was posted, drops what is to come later, and joins. Whoever calls
  // it has stopped the egress, so that no request takes long any more.
  void Stop();

 private:
  void RunNext();
  void GiveBack(std::unique_ptr<S3Bucket> bucket);

  const Make make_;
  const Make make_lease_;
  Mutex mutex_;
  uint64_t posted_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  // Of one order those that came first go first.
  std::map<std::pair<S3Order, uint64_t>, Job> jobs_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<S3Bucket>> free_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<S3Bucket>> lent_free_ ABSL_GUARDED_BY(mutex_);
  std::counting_semaphore<> leases_;
  ThreadPool pool_;  // last: its threads use all of the above
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_STORE_S3_CONNECTIONS_H_
