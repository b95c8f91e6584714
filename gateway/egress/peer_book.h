// Remembers whom footage was exchanged with, so that it can be stated: by the
// address at the other end of each connection and the certificate there. It
// knows nothing of what is sent, nor of the log.
//
// A peer lies durable in a small file before the first byte of footage goes to
// it, each day (UTC) anew; how many bytes went, some seconds later. So a crash
// leaves nobody out: it leaves counts that are the least there can have been,
// and the span says so.
//
// Spans follow each other without a gap, also over the time in which no process
// ran: nothing went out then.
#ifndef SCHLEUSE_GATEWAY_EGRESS_PEER_BOOK_H_
#define SCHLEUSE_GATEWAY_EGRESS_PEER_BOOK_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "disk/disk.h"
#include "gateway/egress/footage_span.h"

namespace schleuse {

struct PeerBookOptions {
  std::string path;          // of its file, absolute
  bool local_store = false;  // footage is stored in a local directory
};

// Safe to call from many threads; calls may wait for the disk.
class PeerBook {
 public:
  // Reads what an earlier process left; without that, its first span begins
  // now. Changes nothing on the disk, unless the file is damaged: then it is
  // set aside, with an alarm, and what it held is a gap. Both are borrowed.
  //   others  the file cannot be read, as Disk says
  static absl::StatusOr<std::unique_ptr<PeerBook>> Open(
      Disk& disk, const Clock& clock, PeerBookOptions options);

  // Counts footage that is about to go to `peer`, or has come from it. Once
  // this returns OK, that `peer` is one of today's survives a power cut; else
  // the footage must not go.
  //   others  the file cannot be written, as Disk says
  absl::Status Count(const FootagePeer& peer, const FootageCounts& more);

  // Ends the days that are over, and writes down what was counted.
  absl::Status Save();
  // The same, and ends the present span now.
  absl::Status EndSpan();

  // Spans that ended and lie so in the file, oldest first: they never change
  // again.
  std::vector<FootageSpan> Ended() const;
  // One of these is stated, durably.
  absl::Status Forget(const FootageSpan& span);

 private:
  struct EndedSpan {
    uint64_t number;
    FootageSpan span;
    bool durable;
  };

  PeerBook(Disk& disk, const Clock& clock, PeerBookOptions options);
  absl::Status Read();
  absl::Status Write();
  absl::Time Now() const;
  void EndDays() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndAt(absl::Time to) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Where to count what goes to `peer`; null: not before the file was written.
  FootageCounts* Durable(const FootagePeer& peer)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::string Text() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Disk& disk_;
  const Clock& clock_;
  const PeerBookOptions options_;

  mutable Mutex mutex_;
  CondVar written_;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool changed_ ABSL_GUARDED_BY(mutex_) = true;
  std::deque<EndedSpan> ended_ ABSL_GUARDED_BY(mutex_);
  FootageSpan present_ ABSL_GUARDED_BY(mutex_);
  uint64_t number_ ABSL_GUARDED_BY(mutex_) = 0;  // of the present one
  // Of the present one, what the file names.
  std::set<FootagePeer> durable_ ABSL_GUARDED_BY(mutex_);
  bool others_durable_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_EGRESS_PEER_BOOK_H_
