#include "client/upload/board.h"

#include <utility>

namespace schleuse::client {
namespace {

// Rates over shorter times are noise.
constexpr absl::Duration kLookAgain = absl::Milliseconds(200);

}  // namespace

Board::Board(std::vector<View> views) : queued_(views.size()) {
  for (View& view : views) entries_.push_back({std::move(view)});
}

void Board::Started(size_t index) {
  MutexLock lock(mutex_);
  --queued_;
  running_.insert(index);
}

void Board::Progressed(size_t index, const Progress& progress) {
  MutexLock lock(mutex_);
  Entry& entry = entries_[index];
  const UploadState before = entry.view.progress.state;
  entry.view.progress = progress;
  if (progress.state == before) return;
  if (progress.state == UploadState::kWaiting) {
    entry.waited = true;
    events_.push_back({"waiting", entry.view});
  } else if (progress.state == UploadState::kSending && entry.waited) {
    entry.waited = false;
    events_.push_back({"resumed", entry.view});
  }
}

void Board::Finished(size_t index, const UploadResult& result) {
  MutexLock lock(mutex_);
  Entry& entry = entries_[index];
  if (running_.erase(index) == 0) --queued_;
  entry.view.progress = result.progress;
  entry.view.recording = result.name.recording_id();
  entry.view.result = result;
  events_.push_back({result.status.ok() ? "stored" : "failed", entry.view});
}

std::vector<Board::Event> Board::TakeEvents() {
  MutexLock lock(mutex_);
  return std::exchange(events_, {});
}

Overview Board::Look(absl::Time now) {
  MutexLock lock(mutex_);
  Overview overview;
  overview.queued = queued_;
  overview.done = entries_.size() - queued_ - running_.size();
  for (const size_t index : running_) {
    entries_[index].Look(now);
    overview.running.push_back(entries_[index].view);
  }
  return overview;
}

void Board::Entry::Look(absl::Time now) {
  const Progress& progress = view.progress;
  const bool hashes = progress.state == UploadState::kHashing;
  const uint64_t moved = hashes ? progress.hashed : progress.sent;
  double& shown = view.bytes_per_second;
  if (hashes != hashed_at_look) {  // how fast the other went says nothing
    shown = 0;
    moved_at_look = moved;
    look = now;
    hashed_at_look = hashes;
  }
  const absl::Duration since = now - look;
  if (since < kLookAgain) return;
  const double rate =
      static_cast<double>(moved - moved_at_look) / absl::ToDoubleSeconds(since);
  shown = shown == 0 ? rate : 0.8 * shown + 0.2 * rate;
  look = now;
  moved_at_look = moved;
}

std::vector<View> Board::All() const {
  MutexLock lock(mutex_);
  std::vector<View> views;
  views.reserve(entries_.size());
  for (const Entry& entry : entries_) views.push_back(entry.view);
  return views;
}

}  // namespace schleuse::client
