#include "gateway/custody/residency.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace schleuse {
namespace {

statement::Residency::Peer PeerOf(std::string address, std::string certificate,
                                  const FootageCounts& counts) {
  return {.address = std::move(address),
          .certificate_sha256 = std::move(certificate),
          .bytes_sent = counts.sent,
          .bytes_received = counts.received,
          .connections = counts.connections};
}

}  // namespace

std::vector<statement::Residency> StatementsOf(const FootageSpan& span) {
  using statement::Residency;
  std::vector<Residency::Peer> peers;
  for (const auto& [peer, counts] : span.peers) {
    peers.push_back(
        PeerOf(peer.address.ToString(), peer.certificate.ToHex(), counts));
  }
  if (span.others) peers.push_back(PeerOf("others", "", *span.others));
  std::vector<Residency> statements;
  size_t from = 0;
  do {
    const size_t to = std::min(from + Residency::kPeersMax, peers.size());
    const auto at = [&peers](size_t i) {
      return peers.begin() + static_cast<ptrdiff_t>(i);
    };
    statements.push_back({.from = span.from,
                          .to = span.to,
                          .peers = {at(from), at(to)},
                          .complete = span.complete,
                          .local_store = span.local_store,
                          .part = static_cast<uint32_t>(statements.size() + 1),
                          .parts = 0});
    from = to;
  } while (from < peers.size());
  for (Residency& one : statements) {
    one.parts = static_cast<uint32_t>(statements.size());
  }
  return statements;
}

struct Residency::Telling {
  FootageSpan span;
  Mutex mutex;
  size_t left ABSL_GUARDED_BY(mutex) = 0;
  bool all_well ABSL_GUARDED_BY(mutex) = true;
};

Residency::Residency(std::shared_ptr<PeerBook> book, CustodyLog& log,
                     Executor& executor)
    : book_(std::move(book)), log_(log), executor_(executor) {}

void Residency::Start() {
  executor_.Post([self = shared_from_this()] {
    self->Round();
    self->executor_.PostAfter(kEvery, [self] { self->Start(); });
  });
}

void Residency::Round() {
  Heed(book_->Save());
  StateEnded();
}

void Residency::Finish() {
  Heed(book_->EndSpan());
  StateEnded();
}

void Residency::Heed(const absl::Status& written) {
  if (!written.ok() && written_) {
    Log(Severity::kAlarm, "whom footage was exchanged with is not written down",
        {{"reason", written.message()},
         {"what_now", "footage goes to nobody who is not written down yet"}});
  }
  written_ = written.ok();
}

void Residency::StateEnded() {
  for (const FootageSpan& span : book_->Ended()) {
    {
      MutexLock lock(mutex_);
      if (std::find(stating_.begin(), stating_.end(), span) != stating_.end()) {
        continue;
      }
      stating_.push_back(span);
    }
    std::vector<statement::Residency> statements = StatementsOf(span);
    const auto telling = std::make_shared<Telling>();
    telling->span = span;
    {
      MutexLock lock(telling->mutex);
      telling->left = statements.size();
    }
    for (statement::Residency& one : statements) {
      log_.Append(std::move(one), CustodyLog::Importance::kMust,
                  [self = shared_from_this(),
                   telling](const absl::StatusOr<Logged>& logged) {
                    self->Told(*telling, logged.status());
                  });
    }
  }
}

// On the log's thread, which waits for a small file once a day.
void Residency::Told(Telling& telling, const absl::Status& status) {
  bool stated = false;
  {
    MutexLock lock(telling.mutex);
    telling.all_well &= status.ok();
    if (--telling.left > 0) return;
    stated = telling.all_well;
  }
  if (stated) {
    // Otherwise the next process states it once more, alike.
    book_->Forget(telling.span).IgnoreError();
  }
  MutexLock lock(mutex_);
  std::erase(stating_, telling.span);
}

}  // namespace schleuse
