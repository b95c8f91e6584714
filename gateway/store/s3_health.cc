#include "gateway/store/s3_health.h"

#include "absl/strings/str_cat.h"

namespace schleuse {

absl::Status S3Health::Check() const {
  MutexLock lock(mutex_);
  if (!away_) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("the store is away: ", *away_));
}

void S3Health::Answered() {
  MutexLock lock(mutex_);
  failures_ = 0;
}

void S3Health::Failed(bool for_all) {
  MutexLock lock(mutex_);
  failures_ += for_all ? kFailuresMax : 1;
}

bool S3Health::WantsALook() const {
  MutexLock lock(mutex_);
  return away_.has_value() || failures_ >= kFailuresMax;
}

bool S3Health::Looked(const absl::Status& found) {
  MutexLock lock(mutex_);
  const bool was_away = away_.has_value();
  failures_ = 0;
  away_.reset();
  if (!found.ok()) away_ = std::string(found.message());
  return was_away == found.ok();
}

}  // namespace schleuse
