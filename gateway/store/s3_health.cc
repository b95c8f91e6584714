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

bool S3Health::Failed(const absl::Status& why, bool for_all) {
  MutexLock lock(mutex_);
  if (away_) return false;
  if (++failures_ < kFailuresMax && !for_all) return false;
  away_ = std::string(why.message());
  return true;
}

bool S3Health::Back() {
  MutexLock lock(mutex_);
  failures_ = 0;
  const bool was_away = away_.has_value();
  away_.reset();
  return was_away;
}

}  // namespace schleuse
