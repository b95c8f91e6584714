// States whither footage went: once a day, and at the end, what the book of
// egress holds. A span leaves the book only once the log holds all of its
// statements durably; after a crash between the two it is stated once more,
// alike.
#ifndef SCHLEUSE_GATEWAY_CUSTODY_RESIDENCY_H_
#define SCHLEUSE_GATEWAY_CUSTODY_RESIDENCY_H_

#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/executor.h"
#include "base/mutex.h"
#include "gateway/custody/custody_log.h"
#include "gateway/custody/statement.h"
#include "gateway/egress/footage_span.h"
#include "gateway/egress/peer_book.h"

namespace schleuse {

// As many as it takes, one at least.
std::vector<statement::Residency> StatementsOf(const FootageSpan& span);

// One call at a time.
class Residency : public std::enable_shared_from_this<Residency> {
 public:
  // Between rounds: so much of the counts can a crash lose, and so long behind
  // midnight may a day be stated.
  static constexpr absl::Duration kEvery = absl::Seconds(5);

  // The book is shared with those who count: the log may have told of the last
  // statement when they are gone. The others are borrowed and outlive the last
  // task on `executor`, which waits for the disk.
  Residency(std::shared_ptr<PeerBook> book, CustodyLog& log,
            Executor& executor);

  // Round after round, until `executor` stops; the first states what an earlier
  // process left.
  void Start();
  // Writes down what was counted, and states the days that are over. What does
  // not succeed is tried again by the next round.
  void Round();
  // The last of it, behind the last round: states the present span too, ahead
  // of whatever is appended to the log later. What does not succeed is stated
  // by the next start.
  void Finish();

 private:
  struct Telling;
  void StateEnded();
  void Told(Telling& telling, const absl::Status& status);
  void Heed(const absl::Status& written);

  const std::shared_ptr<PeerBook> book_;
  CustodyLog& log_;
  Executor& executor_;
  bool written_ = true;  // the last time it was tried
  Mutex mutex_;
  // What the log was given and has not told of yet.
  std::vector<FootageSpan> stating_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_CUSTODY_RESIDENCY_H_
