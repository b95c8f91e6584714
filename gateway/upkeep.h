// What goes on behind all transfers: the deletion of what is overdue, and the
// scrub of what is stored. Each has a thread of its own, which mostly waits.
#ifndef SCHLEUSE_GATEWAY_UPKEEP_H_
#define SCHLEUSE_GATEWAY_UPKEEP_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/thread_pool.h"
#include "disk/disk.h"
#include "evidence/checkpoint.h"
#include "gateway/config.h"
#include "gateway/custody/custody_log.h"
#include "gateway/retention/retention.h"
#include "gateway/retention/rules.h"
#include "gateway/scrub/scrub.h"
#include "gateway/spool/spool.h"
#include "gateway/store/store.h"
#include "gateway/transfer/intake.h"

namespace schleuse {

// The rules that `config` names, if it does, and whether its holds can be read.
//   InvalidArgument  one of the files is wrong; the message lists every mistake
absl::StatusOr<std::optional<RetentionRules>> LoadRetention(
    const Disk& disk, const Config& config);

class Upkeep {
 public:
  // Everything is borrowed. `log` and `pinned` are nullptr where no log is
  // kept.
  struct House {
    Disk& disk;
    const Clock& clock;
    Intake& intake;
    Spool& spool;
    const Store& store;
    CustodyLog* log;
    const PinnedKeys* pinned;
    std::function<bool()> clock_synchronised;
  };
  // Begins at once.
  //   others  what an earlier process left cannot be read, as Disk says
  static absl::StatusOr<std::unique_ptr<Upkeep>> Start(
      const House& house, const Config& config,
      std::optional<RetentionRules> rules);
  ~Upkeep() { Stop(); }
  Upkeep(const Upkeep&) = delete;
  Upkeep& operator=(const Upkeep&) = delete;

  // Ends between two steps; a deletion that was begun goes on where recordings
  // are.
  void Stop();

 private:
  Upkeep() = default;

  // Above their threads: shared with the tasks of others.
  std::shared_ptr<Retention> retention_;
  std::shared_ptr<Scrub> scrub_;
  ThreadPool retaining_{1};
  ThreadPool scrubbing_{1};
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_UPKEEP_H_
