// What follows behind the write-ahead log: the files that others read, and the
// cutting of the log itself.

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status.h"
#include "evidence/tile.h"
#include "gateway/custody/file_custody_log.h"

namespace schleuse {
namespace {

constexpr absl::string_view kReserve = "reserve";
constexpr uint64_t kReserveStepBytes = 1 << 20;

absl::Status WriteReserve(Disk& disk, const std::string& path, uint64_t bytes) {
  ASSIGN_OR_RETURN(const std::unique_ptr<File> file, disk.Create(path));
  const std::string zeros(kReserveStepBytes, '\0');
  for (uint64_t at = 0; at < bytes; at += zeros.size()) {
    RETURN_IF_ERROR(
        file->Write(at, absl::string_view(zeros).substr(
                            0, std::min<uint64_t>(zeros.size(), bytes - at))));
  }
  return file->Sync();
}

}  // namespace

absl::Status InitCustody(Disk& disk, absl::string_view directory,
                         absl::string_view key_directory,
                         absl::string_view gateway, uint64_t reserve_bytes) {
  ASSIGN_OR_RETURN(const CustodyKeys keys, CustodyKeys::Generate(gateway));
  RETURN_IF_ERROR(keys.Save(disk, key_directory));
  RETURN_IF_ERROR(WriteFileAtomically(disk, JoinPath(directory, "keys.pub"),
                                      keys.pinned().ToString()));
  RETURN_IF_ERROR(
      WriteReserve(disk, JoinPath(directory, kReserve), reserve_bytes));
  RETURN_IF_ERROR(disk.MakeDirectory(JoinPath(directory, "wal")));
  return disk.SyncDirectory(directory);
}

void FileCustodyLog::PublishSoon() {
  {
    MutexLock lock(mutex_);
    if (stopped_ || std::exchange(publish_set_, true)) return;
  }
  executor_.PostAfter(options_.publish_every, [self = shared_from_this()] {
    {
      MutexLock lock(self->mutex_);
      self->publish_set_ = false;
      if (self->stopped_) return;
    }
    const absl::Status published = self->Publish();
    if (!published.ok()) self->Stop(published);
  });
}

absl::Status FileCustodyLog::Publish() {
  MutexLock publishing(publishing_);
  RestoreReserve();
  RightEdge edge;
  std::vector<std::string> entries;
  uint64_t first_entry, published;
  std::string checkpoint;
  {
    MutexLock lock(mutex_);
    if (state_.edge.size() == state_.published) return absl::OkStatus();
    edge = state_.edge;
    entries.assign(state_.entries.begin(), state_.entries.end());
    first_entry = state_.first_entry;
    published = state_.published;
    checkpoint = state_.checkpoint;
  }
  const absl::Status written =
      files_->Publish({.edge = edge,
                       .first_entry = first_entry,
                       .entries = absl::MakeConstSpan(entries).subspan(
                           0, edge.size() - first_entry),
                       .checkpoint = checkpoint},
                      published);
  if (absl::IsResourceExhausted(written)) {
    Log(Severity::kAlarm, "custody: the log cannot be published",
        {{"reason", written.message()},
         {"what_to_do", "make room on the disk of the custody log"}});
    ReleaseReserve();
    PublishSoon();
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(written);
  MutexLock lock(mutex_);
  state_.published = edge.size();
  state_.edge.Trim(state_.published);
  const uint64_t keep = state_.published / kTileWidth * kTileWidth;
  for (; state_.first_entry < keep; ++state_.first_entry) {
    state_.entries.pop_front();
  }
  RemoveSegments();
  return absl::OkStatus();
}

void FileCustodyLog::Flush(absl::AnyInvocable<void()> done) {
  executor_.Post([self = shared_from_this(), done = std::move(done)]() mutable {
    const absl::Status published = self->Publish();
    if (!published.ok()) return self->Stop(published);
    done();
  });
}

// --- what the write-ahead log need not keep ----------------------------------

void FileCustodyLog::Keep(const RecordingName& name, Kept kept) {
  if (const auto older = kept_.find(name); older != kept_.end()) {
    Release(older);
  }
  ++segments_[kept.segment].kept;
  kept_.emplace(name, std::move(kept));
}

void FileCustodyLog::Release(std::map<RecordingName, Kept>::iterator kept) {
  --segments_[kept->second.segment].kept;
  kept_.erase(kept);
}

std::vector<RecordingName> FileCustodyLog::Unlaid() const {
  MutexLock lock(mutex_);
  std::vector<RecordingName> names;
  for (const auto& [name, kept] : kept_) names.push_back(name);
  return names;
}

void FileCustodyLog::Laid(const RecordingName& name) {
  MutexLock lock(mutex_);
  const auto found = kept_.find(name);
  if (found != kept_.end()) Release(found);
}

// The newest always stays: it says how far the log has come.
void FileCustodyLog::RemoveSegments() {
  const std::string origin = state_.origin.ToString();
  while (segments_.size() > 1) {
    const auto& [number, segment] = *segments_.begin();
    const bool published =
        segment.origin != origin || segment.end <= state_.published;
    if (!published || segment.kept > 0) return;
    const absl::Status removed = wal_.Remove(number);
    if (!removed.ok() && !absl::IsNotFound(removed)) {
      return Log(Severity::kWarning, "custody: a segment cannot be removed",
                 {{"reason", removed.message()}});
    }
    segments_.erase(segments_.begin());
  }
}

// --- room for what must be said
// -----------------------------------------------

void FileCustodyLog::ReleaseReserve() {
  MutexLock lock(mutex_);
  if (std::exchange(reserve_released_, true)) return;
  const absl::Status removed = disk_.Remove(JoinPath(directory_, kReserve));
  Log(Severity::kAlarm, "custody: living on the reserve",
      {{"released", removed.ok() ? "yes" : removed.message()}});
}

void FileCustodyLog::RestoreReserve() {
  {
    MutexLock lock(mutex_);
    if (!reserve_released_) return;
  }
  const std::string path = JoinPath(directory_, kReserve);
  const absl::Status gone = disk_.Remove(path);
  if (!gone.ok() && !absl::IsNotFound(gone)) return;
  if (!WriteReserve(disk_, path, options_.reserve_bytes).ok()) {
    disk_.Remove(path).IgnoreError();
    return;
  }
  MutexLock lock(mutex_);
  reserve_released_ = false;
  Log(Severity::kInfo, "custody: the reserve is whole again");
}

}  // namespace schleuse
