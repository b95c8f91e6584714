// Runs the uploads of many recordings, so many at a time.
#ifndef SCHLEUSE_CLIENT_UPLOAD_RUNNER_H_
#define SCHLEUSE_CLIENT_UPLOAD_RUNNER_H_

#include <cstddef>
#include <map>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "base/clock.h"
#include "base/executor.h"
#include "base/mutex.h"
#include "base/random.h"
#include "client/link/connections.h"
#include "client/upload/arguments.h"
#include "client/upload/board.h"
#include "disk/disk.h"

namespace schleuse::client {

// Safe to call from many threads. All that it is given must outlive it, and the
// executor must have run its tasks when it is destroyed.
class Runner {
 public:
  // The board's views are those of `arguments.recordings`, in their order.
  // `on_all_over` comes once, on some thread, when nothing runs any more.
  Runner(const Arguments& arguments, Disk& disk, Connections& connections,
         Executor& executor, const Clock& clock, Random& random, Board& board,
         absl::AnyInvocable<void()> on_all_over);
  ~Runner();

  void Start();
  // Ends what runs with Cancelled, in order, and begins nothing more.
  void Stop();

 private:
  class Job;

  // Gives the lane its next recording, or none.
  void FillLane(int lane);
  // A recording that is received and only waits for the gateway's store makes
  // room for the next one; false: too many do so already.
  bool Park(int lane);
  void JobOver(size_t index, int lane, bool parked);

  const Arguments& arguments_;
  Disk& disk_;
  Connections& connections_;
  Executor& executor_;
  const Clock& clock_;
  Random& random_;
  Board& board_;
  absl::AnyInvocable<void()> on_all_over_;

  Mutex mutex_;
  size_t next_ ABSL_GUARDED_BY(mutex_) = 0;
  int lanes_ ABSL_GUARDED_BY(mutex_) = 0;   // that have work
  int parked_ ABSL_GUARDED_BY(mutex_) = 0;  // jobs that have no lane any more
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  // Shared with the tasks on the jobs' strands.
  std::map<size_t, std::shared_ptr<Job>> jobs_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace schleuse::client

#endif  // SCHLEUSE_CLIENT_UPLOAD_RUNNER_H_
