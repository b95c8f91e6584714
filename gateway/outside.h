// Other servers: the egress that leads to them, the witnesses who are shown the
// custody log, and what is stated of those whom footage went to. In the
// background alone: whatever is away there keeps no
// transfer waiting.
#ifndef SCHLEUSE_GATEWAY_OUTSIDE_H_
#define SCHLEUSE_GATEWAY_OUTSIDE_H_

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/log_budget.h"
#include "base/random.h"
#include "base/thread_pool.h"
#include "crypto/tls_context.h"
#include "disk/disk.h"
#include "gateway/custody/custody_log.h"
#include "gateway/custody/keys.h"
#include "gateway/custody/residency.h"
#include "gateway/custody/witnessing.h"
#include "gateway/egress/egress.h"
#include "gateway/egress/peer_book.h"
#include "gateway/outside_config.h"
#include "gateway/store/store.h"

namespace schleuse {

class Outside {
 public:
  // `disk` and `clock` are borrowed. `peers`: where it is kept whom footage was
  // exchanged with; absent where there is no log to state it in.
  //   InvalidArgument  `identity` cannot be used
  //   others           what an earlier process left there cannot be read
  static absl::StatusOr<std::unique_ptr<Outside>> Open(
      Disk& disk, const EgressPlan& plan, TlsIdentity identity,
      std::vector<RevocationList> revocation_lists, const Clock& clock,
      std::optional<PeerBookOptions> peers);
  ~Outside() { Stop(); }
  Outside(const Outside&) = delete;
  Outside& operator=(const Outside&) = delete;

  // Whom the log in `directory` is shown to. `on_ahead`: somebody knows more
  // than the log; nothing more may be signed. Everything is borrowed.
  void Witness(absl::string_view directory, const WitnessPlan& plan,
               const CustodyKeys& keys, Store& store, Random& random,
               std::function<void(const absl::Status&)> on_ahead);
  // What witnesses know of the log already; those that answer within a few
  // seconds.
  std::vector<KnownTree> Known();

  // Leads to the store, and is not stopped by Stop: what was received may still
  // have to go there.
  Egress& store_egress() { return *store_egress_; }

  // From now on: refusals and next hops are stated there, and witnesses are
  // asked.
  void Start(CustodyLog& log);
  // Ends what is under way to witnesses, within a second or two.
  void Stop();
  // Behind Stop, and ahead of the log's last words: states the next hops of the
  // day so far.
  void StateLastHops();

 private:
  explicit Outside(const Clock& clock) : clock_(clock) {}
  void Refused(const EgressRefusal& refusal);

  const Clock& clock_;
  LogBudget log_budget_;
  LogBudget statements_{1};
  std::atomic<CustodyLog*> log_ = nullptr;
  Disk* disk_ = nullptr;
  std::shared_ptr<PeerBook> peers_;  // shared: see Residency
  std::unique_ptr<Egress> egress_;
  std::unique_ptr<Egress> store_egress_;
  std::shared_ptr<Witnessing> witnessing_;
  std::shared_ptr<Residency> residency_;
  ThreadPool rounds_{1};   // of witnesses, who may take long
  ThreadPool stating_{1};  // of next hops
};

// What the newest receipt in `store` says of the log that gave it; none if
// there is no receipt of these keys.
//   DataLoss  it is damaged      others  as the store says
absl::StatusOr<std::vector<KnownTree>> KnownFromStore(const Store& store,
                                                      const PinnedKeys& pinned);

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_OUTSIDE_H_
