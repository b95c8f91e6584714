// Makes names durable for many threads at once: one sync of a directory serves
// all whose changes were complete when it began.
//
// It also knows what a failed sync does to others. A file system may lose, for
// good, every change of names that was pending then, and say OK to the next
// sync; so whoever changed a name of the directory by then hears the error, and
// has to take the change back and make it anew.
#ifndef SCHLEUSE_DISK_NAME_SYNCS_H_
#define SCHLEUSE_DISK_NAME_SYNCS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/mutex.h"
#include "disk/disk.h"

namespace schleuse {

// Safe to call from many threads. All changes of names that are to be believed
// in a directory, and all syncs of it, go through one object.
class NameSyncs {
 public:
  // `disk` must outlive this.
  explicit NameSyncs(Disk& disk) : disk_(disk) {}

  // One thread's changes of names in one directory.
  class Change {
   public:
    // Before the first change.
    Change(NameSyncs& syncs, absl::string_view directory)
        : syncs_(&syncs),
          directory_(directory),
          number_(syncs.Enter(directory)) {}
    ~Change() {
      if (syncs_ != nullptr) syncs_->Leave(directory_);
    }
    Change(Change&& other) noexcept
        : syncs_(other.syncs_),
          directory_(std::move(other.directory_)),
          number_(other.number_),
          needed_(other.needed_) {
      other.syncs_ = nullptr;
    }
    Change& operator=(Change&&) = delete;

    // Behind the last change, where something else is done before Sync: that is
    // content with any sync that began meanwhile.
    void Made() { needed_ = syncs_->NextSync(directory_); }

    // Behind the last change: makes all of them durable. May be asked again,
    // for changes made since.
    //   Unavailable  nothing was tried; ask again
    //   others       as Disk::SyncDirectory, also if it was another thread's
    //                sync that failed: take back what was changed
    absl::Status Sync() {
      return syncs_->Sync(directory_, number_, std::exchange(needed_, 0));
    }

   private:
    NameSyncs* syncs_;  // nullptr: moved away
    std::string directory_;
    uint64_t number_;
    uint64_t needed_ = 0;  // the sync that covers all, or one after it; 0: next
  };

 private:
  struct Directory {
    uint64_t users = 0;    // Changes that live
    uint64_t entered = 0;  // the number of the newest Change
    uint64_t lost = 0;     // Changes up to it met a failed sync
    // Of the last failed sync. No Status: threads would share its count, and
    // the thread sanitizer cannot see into Debian's library that they do it
    // rightly.
    absl::StatusCode loss_code = absl::StatusCode::kOk;
    std::string loss_message;
    bool syncing = false;
    uint64_t begun = 0;       // syncs that began
    uint64_t good_begun = 0;  // `begun` of the last one that said OK
    CondVar changed;
  };

  uint64_t Enter(absl::string_view directory);
  void Leave(const std::string& directory);
  // The number of the sync that would begin now.
  uint64_t NextSync(const std::string& directory);
  absl::Status Sync(const std::string& directory, uint64_t number,
                    uint64_t needed);

  Disk& disk_;
  Mutex mutex_;
  // Those with users; few at a time.
  std::map<std::string, Directory, std::less<>> directories_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace schleuse

#endif  // SCHLEUSE_DISK_NAME_SYNCS_H_
