#include "gateway/transfer/receipt_watch.h"

#include <utility>

namespace schleuse {

void ReceiptWatches::Add(const std::shared_ptr<ReceiptWatch>& watch,
                         const Principal& principal,
                         const std::vector<RecordingName>& names) {
  MutexLock lock(mutex_);
  watches_.emplace(watch.get(), Entry{.watch = watch,
                                      .principal = principal,
                                      .names = {names.begin(), names.end()}});
}

void ReceiptWatches::Remove(const ReceiptWatch& watch) {
  MutexLock lock(mutex_);
  watches_.erase(&watch);
}

std::vector<ReceiptWatches::Waiting> ReceiptWatches::WhoWaits(
    const RecordingName& name, absl::string_view device) const {
  std::vector<Waiting> waiting;
  MutexLock lock(mutex_);
  for (const auto& [key, entry] : watches_) {
    if (entry.principal.spiffe_id() != device && !entry.names.contains(name)) {
      continue;
    }
    waiting.emplace_back(entry.watch, entry.principal);
  }
  return waiting;
}

bool ReceiptWatches::empty() const {
  MutexLock lock(mutex_);
  return watches_.empty();
}

void ReceiptWatches::EndAll(const absl::Status& why) {
  std::map<const ReceiptWatch*, Entry> all;
  {
    MutexLock lock(mutex_);
    all.swap(watches_);
  }
  for (const auto& [key, entry] : all) entry.watch->OnEnd(why);
}

}  // namespace schleuse
