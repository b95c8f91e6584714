#include "gateway/store/s3_book.h"

#include <utility>

namespace schleuse {
namespace {

// Far longer than anybody takes from looking to stating.
constexpr absl::Duration kToldFor = absl::Hours(1);
// Beyond that those who were told long ago are forgotten.
constexpr size_t kToldMax = 10'000;

}  // namespace

void S3Book::Acquire(const std::string& key, absl::AnyInvocable<void()> yours) {
  {
    MutexLock lock(mutex_);
    const auto [entry, is_first] = making_.try_emplace(key);
    if (!is_first) {
      entry->second.push_back(std::move(yours));
      return;
    }
  }
  yours();
}

void S3Book::GiveBack(const std::string& key) {
  absl::AnyInvocable<void()> next;
  {
    MutexLock lock(mutex_);
    const auto entry = making_.find(key);
    if (entry->second.empty()) {
      making_.erase(entry);
      return;
    }
    next = std::move(entry->second.front());
    entry->second.pop_front();
  }
  next();
}

bool S3Book::IsBeingMade(absl::string_view key) const {
  MutexLock lock(mutex_);
  return making_.find(key) != making_.end();
}

void S3Book::SetUnproved(const std::string& key) {
  MutexLock lock(mutex_);
  unproved_.insert(key);
}

void S3Book::ForgetUnproved(absl::string_view key) {
  MutexLock lock(mutex_);
  unproved_.erase(key);
}

bool S3Book::IsUnproved(absl::string_view key) const {
  MutexLock lock(mutex_);
  return unproved_.contains(key);
}

bool S3Book::Tell(const std::string& key, absl::Time now) {
  MutexLock lock(mutex_);
  if (going_.contains(key) || making_.find(key) != making_.end()) return false;
  if (told_.size() >= kToldMax) {
    std::erase_if(told_, [now](const auto& told) {
      return told.second + kToldFor < now;
    });
  }
  told_[key] = now;
  return true;
}

bool S3Book::BeginRemoval(const std::string& key, absl::Time now) {
  MutexLock lock(mutex_);
  const auto told = told_.find(key);
  const bool is_told = told != told_.end() && told->second + kToldFor >= now;
  if (is_told || unproved_.contains(key) ||
      making_.find(key) != making_.end()) {
    return false;
  }
  going_.insert(key);
  return true;
}

void S3Book::Gone(absl::string_view key) {
  MutexLock lock(mutex_);
  going_.erase(key);
}

}  // namespace schleuse
