#include <utility>

#include "base/limits.h"
#include "gateway/transfer/intake_inside.h"

namespace schleuse {

std::shared_ptr<LiveRecording> LiveRegistry::Join(const RecordingName& name,
                                                  Make make) {
  MutexLock lock(mutex_);
  auto [place, is_new] = live_.try_emplace(name);
  Entry& entry = place->second;
  if (is_new) {
    entry.live = make();
  } else if (entry.holders == 0) {
    idle_.erase(entry.idle);
  }
  ++entry.holders;
  return entry.live;
}

void LiveRegistry::Hold(const RecordingName& name) {
  MutexLock lock(mutex_);
  const auto place = live_.find(name);
  if (place == live_.end()) return;  // Clear came first
  if (place->second.holders++ == 0) idle_.erase(place->second.idle);
}

void LiveRegistry::Leave(const RecordingName& name, bool worth_keeping) {
  // Let go outside the lock: closing files is another room's work.
  std::shared_ptr<LiveRecording> evicted;
  MutexLock lock(mutex_);
  const auto place = live_.find(name);
  if (place == live_.end()) return;
  if (--place->second.holders > 0) return;
  if (!worth_keeping) {
    evicted = std::move(place->second.live);
    live_.erase(place);
    return;
  }
  place->second.idle = idle_.insert(idle_.end(), name);
  if (idle_.size() <= limits::kIdleRecordingsMax) return;
  const auto longest = live_.find(idle_.front());
  evicted = std::move(longest->second.live);
  live_.erase(longest);
  idle_.pop_front();
}

std::vector<std::shared_ptr<LiveRecording>> LiveRegistry::All() const {
  MutexLock lock(mutex_);
  std::vector<std::shared_ptr<LiveRecording>> all;
  all.reserve(live_.size());
  for (const auto& [name, entry] : live_) all.push_back(entry.live);
  return all;
}

std::vector<std::shared_ptr<LiveRecording>> LiveRegistry::HoldAll() {
  MutexLock lock(mutex_);
  std::vector<std::shared_ptr<LiveRecording>> all;
  all.reserve(live_.size());
  for (auto& [name, entry] : live_) {
    if (entry.holders++ == 0) idle_.erase(entry.idle);
    all.push_back(entry.live);
  }
  return all;
}

bool LiveRegistry::IsHeld(const RecordingName& name) const {
  MutexLock lock(mutex_);
  const auto place = live_.find(name);
  return place != live_.end() && place->second.holders > 0;
}

bool LiveRegistry::Has(const RecordingName& name) const {
  MutexLock lock(mutex_);
  return live_.find(name) != live_.end();
}

void LiveRegistry::Clear() {
  std::map<RecordingName, Entry> let_go;
  MutexLock lock(mutex_);
  let_go.swap(live_);
  idle_.clear();
}

}  // namespace schleuse
