// Who may have how much on the way. It knows no stream, only shares.
#ifndef SCHLEUSE_GATEWAY_TRANSFER_CREDIT_BOOK_H_
#define SCHLEUSE_GATEWAY_TRANSFER_CREDIT_BOOK_H_

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"

namespace schleuse {

// Hands out credit so that all that devices were told stays within a total, but
// for limits::kCreditBytesMin, which everyone gets. Safe to call from many
// threads.
class CreditBook {
 public:
  // In bytes.
  explicit CreditBook(uint64_t total) : total_(total) {}

  // What one stream was told last; its end gives it back. `book` outlives it.
  class Share {
   public:
    explicit Share(CreditBook& book) : book_(book) {}
    ~Share() { book_.GiveBack(told_); }
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    // What to tell the device now: a part of the total that `sharers` leave to
    // it, or less where others were told more and have not heard better yet;
    // at most `most`, never below kCreditBytesMin.
    uint64_t Renew(int sharers, uint64_t most);
    // What Renew said last; 0 before the first.
    uint64_t told() const { return told_; }

   private:
    CreditBook& book_;
    uint64_t told_ = 0;
  };

  // An equal part of the total for each of `sharers`, within the bounds of
  // limits.h.
  uint64_t PartOf(int sharers) const;

 private:
  void GiveBack(uint64_t told);

  const uint64_t total_;
  Mutex mutex_;
  uint64_t told_ ABSL_GUARDED_BY(mutex_) = 0;  // to all together
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_TRANSFER_CREDIT_BOOK_H_
