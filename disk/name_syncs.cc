#include "disk/name_syncs.h"

namespace schleuse {

uint64_t NameSyncs::Enter(absl::string_view directory) {
  MutexLock lock(mutex_);
  Directory& of = directories_[std::string(directory)];
  ++of.users;
  return ++of.entered;
}

void NameSyncs::Leave(const std::string& directory) {
  MutexLock lock(mutex_);
  const auto place = directories_.find(directory);
  if (--place->second.users == 0) directories_.erase(place);
}

uint64_t NameSyncs::NextSync(const std::string& directory) {
  MutexLock lock(mutex_);
  return directories_.find(directory)->second.begun + 1;
}

absl::Status NameSyncs::Sync(const std::string& directory, uint64_t number,
                             uint64_t needed) {
  MutexLock lock(mutex_);
  Directory& of = directories_.find(directory)->second;
  // A sync that is running now began before our last change, perhaps.
  if (needed == 0) needed = of.begun + 1;
  while (true) {
    if (number <= of.lost) return absl::Status(of.loss_code, of.loss_message);
    if (of.good_begun >= needed) return absl::OkStatus();
    if (!of.syncing) break;
    of.changed.Wait(mutex_);
  }
  // We sync for all that wait.
  of.syncing = true;
  const uint64_t ours = ++of.begun;
  mutex_.Unlock();
  absl::Status synced = disk_.SyncDirectory(directory);
  mutex_.Lock();
  of.syncing = false;
  if (synced.ok()) {
    of.good_begun = ours;
  } else if (!absl::IsUnavailable(synced)) {
    // Also those that have not asked yet: their changes may be lost with ours.
    of.lost = of.entered;
    of.loss_code = synced.code();
    of.loss_message = std::string(synced.message());
  }
  of.changed.NotifyAll();
  return synced;
}

}  // namespace schleuse
