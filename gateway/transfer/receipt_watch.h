// Who waits for receipts that are not given yet: devices whose streams have
// ended. It knows no call.
#ifndef SCHLEUSE_GATEWAY_TRANSFER_RECEIPT_WATCH_H_
#define SCHLEUSE_GATEWAY_TRANSFER_RECEIPT_WATCH_H_

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/mutex.h"
#include "base/recording_name.h"
#include "gateway/access/principal.h"
#include "gateway/transfer/messages.h"

namespace schleuse {

// One that waits. Safe to call from many threads; no call blocks or calls back.
class ReceiptWatch {
 public:
  virtual ~ReceiptWatch() = default;
  // May bring one twice.
  virtual void OnReceipt(const GivenReceipt& receipt) = 0;
  // Nothing follows.
  virtual void OnEnd(const absl::Status& why) = 0;
};

// All of them. Safe to call from many threads.
class ReceiptWatches {
 public:
  // `names`: those that it waits for, beside whatever its device brings.
  void Add(const std::shared_ptr<ReceiptWatch>& watch,
           const Principal& principal, const std::vector<RecordingName>& names);
  void Remove(const ReceiptWatch& watch);
  // A receipt was given for what `device` brought (a SPIFFE ID). `may_see` says
  // whether a principal may still be told.
  template <typename MaySee>
  void Tell(const GivenReceipt& receipt, absl::string_view device,
            MaySee may_see) {
    for (const auto& [watch, principal] : WhoWaits(receipt.name, device)) {
      if (may_see(principal)) watch->OnReceipt(receipt);
    }
  }
  void EndAll(const absl::Status& why);
  bool empty() const;

 private:
  struct Entry {
    std::shared_ptr<ReceiptWatch> watch;
    Principal principal;
    std::set<RecordingName> names;
  };
  using Waiting = std::pair<std::shared_ptr<ReceiptWatch>, Principal>;

  std::vector<Waiting> WhoWaits(const RecordingName& name,
                                absl::string_view device) const;

  mutable Mutex mutex_;
  std::map<const ReceiptWatch*, Entry> watches_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_TRANSFER_RECEIPT_WATCH_H_
