#include "gateway/transfer/credit_book.h"

#include <algorithm>

#include "base/limits.h"

namespace schleuse {

uint64_t CreditBook::Share::Renew(int sharers, uint64_t most) {
  MutexLock lock(book_.mutex_);
  const uint64_t others = book_.told_ - told_;
  const uint64_t left = book_.total_ > others ? book_.total_ - others : 0;
  told_ = std::max(std::min({book_.PartOf(sharers), left, most}),
                   limits::kCreditBytesMin);
  book_.told_ = others + told_;
  return told_;
}

uint64_t CreditBook::PartOf(int sharers) const {
  return std::clamp(total_ / static_cast<uint64_t>(std::max(1, sharers)),
                    limits::kCreditBytesMin, limits::kCreditBytesMax);
}

void CreditBook::GiveBack(uint64_t told) {
  MutexLock lock(mutex_);
  told_ -= told;
}

}  // namespace schleuse
