// What this process knows of the objects that it makes, before the store can be
// asked: which are being made, which were made and are not proved yet, and
// which are about to go. It makes no request.
#ifndef SCHLEUSE_GATEWAY_STORE_S3_BOOK_H_
#define SCHLEUSE_GATEWAY_STORE_S3_BOOK_H_

#include <deque>
#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/functional/any_invocable.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/mutex.h"

namespace schleuse {

// Objects by their keys. Safe to call from many threads.
class S3Book {
 public:
  // One at a time makes, or takes back, an object: calls `yours`, here or from
  // whoever gives it back, once nobody else does.
  void Acquire(const std::string& key, absl::AnyInvocable<void()> yours);
  void GiveBack(const std::string& key);
  bool IsBeingMade(absl::string_view key) const;

  // Made by this process, and nothing was laid beside it yet: there is no need
  // to ask the store for that.
  void SetUnproved(const std::string& key);
  void ForgetUnproved(absl::string_view key);
  bool IsUnproved(absl::string_view key) const;

  // Somebody was told that it is there, and may be about to state so. False: it
  // is about to go, or being made, and nobody must be told.
  bool Tell(const std::string& key, absl::Time now);
  // It may go: nobody makes it, nobody needs it, nobody was told of it within
  // the last hour. Until Gone nobody is told of it; where nobody knows whether
  // it went it is not, and this may be called again.
  bool BeginRemoval(const std::string& key, absl::Time now);
  void Gone(absl::string_view key);

 private:
  mutable Mutex mutex_;
  std::map<std::string, std::deque<absl::AnyInvocable<void()>>, std::less<>>
      making_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_set<std::string> unproved_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, absl::Time, std::less<>> told_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_set<std::string> going_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_STORE_S3_BOOK_H_
