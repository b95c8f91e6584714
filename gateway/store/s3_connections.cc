#include "gateway/store/s3_connections.h"

#include <chrono>
#include <utility>

namespace schleuse {
namespace {

// What whoever waits for an answer may wait for a connection.
constexpr std::chrono::seconds kLeaseWithin{5};

std::unique_ptr<S3Bucket> TakeOne(
    std::vector<std::unique_ptr<S3Bucket>>& from) {
  if (from.empty()) return nullptr;
  std::unique_ptr<S3Bucket> taken = std::move(from.back());
  from.pop_back();
  return taken;
}

}  // namespace

S3Connections::S3Connections(int count, Make make, Make make_lease)
    : make_(std::move(make)),
      make_lease_(std::move(make_lease)),
      leases_(count),
      pool_(count) {}

void S3Connections::Post(const S3Order& order, Job job) {
  {
    MutexLock lock(mutex_);
    if (stopping_) return;
    jobs_.emplace(std::pair(order, posted_++), std::move(job));
  }
  // One turn for each job, whichever it will be.
  pool_.Post([this] { RunNext(); });
}

void S3Connections::PostAfter(absl::Duration delay, const S3Order& order,
                              Job job) {
  pool_.PostAfter(delay, [this, order, job = std::move(job)]() mutable {
    Post(order, std::move(job));
  });
}

void S3Connections::Stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  pool_.Stop();
}

void S3Connections::RunNext() {
  Job job;
  std::unique_ptr<S3Bucket> bucket;
  {
    MutexLock lock(mutex_);
    if (jobs_.empty()) return;
    job = std::move(jobs_.begin()->second);
    jobs_.erase(jobs_.begin());
    bucket = TakeOne(free_);
  }
  if (bucket == nullptr) bucket = make_();
  job(*bucket);
  MutexLock lock(mutex_);
  free_.push_back(std::move(bucket));
}

absl::StatusOr<std::unique_ptr<S3Connections::Lease>> S3Connections::Take() {
  if (!leases_.try_acquire_for(kLeaseWithin)) {
    return absl::UnavailableError("the store's connections are all busy");
  }
  std::unique_ptr<S3Bucket> bucket;
  {
    MutexLock lock(mutex_);
    bucket = TakeOne(lent_free_);
  }
  if (bucket == nullptr) bucket = make_lease_();
  return std::make_unique<Lease>(*this, std::move(bucket));
}

void S3Connections::GiveBack(std::unique_ptr<S3Bucket> bucket) {
  {
    MutexLock lock(mutex_);
    lent_free_.push_back(std::move(bucket));
  }
  leases_.release();
}

}  // namespace schleuse
