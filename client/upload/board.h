// What is known about all recordings of a run: uploads write it from their
// threads, whoever shows it reads it from another.
#ifndef SCHLEUSE_CLIENT_UPLOAD_BOARD_H_
#define SCHLEUSE_CLIENT_UPLOAD_BOARD_H_

#include <cstddef>
#include <set>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "base/mutex.h"
#include "client/upload/format.h"

namespace schleuse::client {

// Safe to call from many threads.
class Board {
 public:
  // What nobody may miss, however short it lasted.
  struct Event {
    // "waiting", "resumed", "stored", "failed"
    const char* name;
    View view;
  };

  // One view for each recording, with its names.
  explicit Board(std::vector<View> views);

  void Started(size_t index);
  void Progressed(size_t index, const Progress& progress);
  void Finished(size_t index, const UploadResult& result);

  // What happened since the last call, in order.
  std::vector<Event> TakeEvents();
  // As of `now`, with the rates since the call before.
  Overview Look(absl::Time now);
  std::vector<View> All() const;

 private:
  struct Entry {
    View view;
    bool waited = false;  // since it last moved
    // --- when its rate was last reckoned ---
    absl::Time look = absl::UnixEpoch();
    bool hashed_at_look = false;
    uint64_t moved_at_look = 0;  // bytes sent or hashed

    void Look(absl::Time now);
  };

  mutable Mutex mutex_;
  std::vector<Entry> entries_ ABSL_GUARDED_BY(mutex_);
  std::set<size_t> running_ ABSL_GUARDED_BY(mutex_);
  size_t queued_ ABSL_GUARDED_BY(mutex_);
  std::vector<Event> events_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace schleuse::client

#endif  // SCHLEUSE_CLIENT_UPLOAD_BOARD_H_
