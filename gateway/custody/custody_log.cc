// The sequencer: statements become batches, and batches durable.

#include "gateway/custody/custody_log.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"
#include "base/bytes.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/status.h"
#include "evidence/merkle.h"
#include "evidence/receipt.h"
#include "gateway/custody/file_custody_log.h"

namespace schleuse {
namespace {

// A batch that ended so lately means that there are many who wait.
constexpr absl::Duration kBusy = absl::Milliseconds(5);
// Of one batch, far below what a record of the write-ahead log may hold.
constexpr size_t kBatchBytesMax = 1 << 20;

std::string Nonce(Random& random) {
  std::string bytes;
  for (int i = 0; i < 4; ++i) {
    const uint64_t word = random.Next();
    AppendU32(bytes, static_cast<uint32_t>(word));
    AppendU32(bytes, static_cast<uint32_t>(word >> 32));
  }
  return bytes;
}

int YearOf(absl::Time time) {
  return static_cast<int>(absl::ToCivilYear(time, absl::UTCTimeZone()).year());
}

absl::Status Full() {
  return absl::ResourceExhaustedError("the disk of the custody log is full");
}

}  // namespace

FileCustodyLog::FileCustodyLog(Disk& disk, absl::string_view directory,
                               const CustodyKeys& keys, Executor& executor,
                               const Clock& clock, Random& random,
                               CustodyOptions options)
    : disk_(disk),
      directory_(directory),
      keys_(keys),
      executor_(executor),
      clock_(clock),
      random_(random),
      options_(std::move(options)),
      wal_(disk, JoinPath(directory, "wal")) {}

absl::StatusOr<std::unique_ptr<CustodyLog>> CustodyLog::Open(
    Disk& disk, absl::string_view directory, const CustodyKeys& keys,
    Executor& executor, const Clock& clock, Random& random,
    CustodyOptions options, const std::vector<KnownTree>& known) {
  // Posted tasks keep the log alive; whoever opened it holds a handle.
  class Handle final : public CustodyLog {
   public:
    explicit Handle(std::shared_ptr<FileCustodyLog> log)
        : log_(std::move(log)) {}
    void Append(statement::Event event, Importance importance,
                Done done) override {
      log_->Append(std::move(event), importance, std::move(done));
    }
    std::vector<RecordingName> Unlaid() const override {
      return log_->Unlaid();
    }
    absl::StatusOr<std::optional<Logged>> FindStored(
        const RecordingName& name) const override {
      return log_->FindStored(name);
    }
    void Laid(const RecordingName& name) override { log_->Laid(name); }
    std::string checkpoint() const override { return log_->checkpoint(); }
    void Flush(absl::AnyInvocable<void()> done) override {
      log_->Flush(std::move(done));
    }

   private:
    const std::shared_ptr<FileCustodyLog> log_;
  };
  auto log = std::make_shared<FileCustodyLog>(
      disk, directory, keys, executor, clock, random, std::move(options));
  RETURN_IF_ERROR(log->Recover(known));
  return std::make_unique<Handle>(std::move(log));
}

void FileCustodyLog::Append(statement::Event event, Importance importance,
                            Done done) {
  {
    MutexLock lock(mutex_);
    if (stopped_) return;
    if (waiting_.size() < options_.waiting_max) {
      const bool somebody_waits = done != nullptr;
      waiting_.push_back({std::move(event), importance, std::move(done)});
      if (running_) return;
      return RunAfter(somebody_waits ? Company() : options_.gather);
    }
  }
  if (done) {
    done(absl::ResourceExhaustedError("too many statements wait"));
  }
}

// How long to wait for others: not at all, unless they came of late. Signing
// and syncing cost as much for one as for many.
absl::Duration FileCustodyLog::Company() const {
  return clock_.Now() - ran_at_ < kBusy ? options_.gather_awaited
                                        : absl::ZeroDuration();
}

void FileCustodyLog::RunAfter(absl::Duration delay) {
  const absl::Time due = clock_.Now() + delay;
  if (due >= gathered_at_) return;
  gathered_at_ = due;
  Task task = [self = shared_from_this()] {
    {
      MutexLock lock(self->mutex_);
      self->gathered_at_ = absl::InfiniteFuture();
      if (self->running_ || self->stopped_ || self->waiting_.empty()) return;
      self->running_ = true;
    }
    self->Run();
  };
  if (delay <= absl::ZeroDuration()) {
    executor_.Post(std::move(task));
  } else {
    executor_.PostAfter(delay, std::move(task));
  }
}

void FileCustodyLog::Run() {
  absl::Status status = RolloverIsDue() ? Rollover() : absl::OkStatus();
  if (status.ok()) {
    std::vector<Pending> batch;
    for (Waiting& waiting : Take()) {
      absl::StatusOr<Pending> pending = Prepare(std::move(waiting));
      if (pending.ok()) batch.push_back(*std::move(pending));
    }
    status = Commit(std::move(batch));
  }
  if (!status.ok()) return Stop(status);
  MutexLock lock(mutex_);
  ran_at_ = clock_.Now();
  running_ = false;
  if (waiting_.empty()) return;
  RunAfter(waiting_.size() >= options_.batch_max ? absl::ZeroDuration()
                                                 : Company());
}

std::vector<FileCustodyLog::Waiting> FileCustodyLog::Take() {
  MutexLock lock(mutex_);
  const size_t count = std::min(waiting_.size(), options_.batch_max);
  std::vector<Waiting> taken(
      std::make_move_iterator(waiting_.begin()),
      std::make_move_iterator(waiting_.begin() + static_cast<long>(count)));
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<long>(count));
  return taken;
}

absl::StatusOr<std::string> FileCustodyLog::Write(
    const statement::Event& event) {
  return statement::Write({.gateway = keys_.pinned().gateway(),
                           .time = clock_.Now(),
                           .clock_synchronised = options_.clock_synchronised(),
                           .nonce = Nonce(random_)},
                          event);
}

// Tells the caller itself if it cannot be said.
absl::StatusOr<FileCustodyLog::Pending> FileCustodyLog::Prepare(
    Waiting waiting) {
  absl::StatusOr<std::string> bytes = Write(waiting.event);
  if (!bytes.ok()) {
    Log(Severity::kAlarm, "custody: an event cannot be stated",
        {{"reason", bytes.status().message()}});
    if (waiting.done) waiting.done(bytes.status());
    return bytes.status();
  }
  Pending pending = {.bytes = *std::move(bytes),
                     .stored = std::nullopt,
                     .importance = waiting.importance,
                     .done = std::move(waiting.done)};
  if (const auto* stored = std::get_if<statement::Stored>(&waiting.event)) {
    pending.stored = stored->name;
  }
  return pending;
}

absl::Status FileCustodyLog::Say(const statement::Event& event) {
  ASSIGN_OR_RETURN(std::string bytes, Write(event));
  absl::Status said = absl::OkStatus();
  std::vector<Pending> batch;
  batch.push_back({.bytes = std::move(bytes),
                   .stored = std::nullopt,
                   .importance = Importance::kMust,
                   .done = [&said](const absl::StatusOr<Logged>& logged) {
                     said = logged.status();
                   }});
  RETURN_IF_ERROR(Commit(std::move(batch)));
  return said;
}

// As few batches as their bounds allow.
absl::Status FileCustodyLog::Commit(std::vector<Pending> all) {
  for (size_t from = 0; from < all.size();) {
    std::vector<Pending> batch;
    size_t bytes = 0;
    while (from < all.size() &&
           (batch.empty() || bytes + all[from].bytes.size() < kBatchBytesMax)) {
      bytes += all[from].bytes.size();
      batch.push_back(std::move(all[from++]));
    }
    Written written;
    RETURN_IF_ERROR(WriteBatch(batch, written));
    if (batch.empty()) continue;
    auto& [origin, edge, checkpoint] = written;
    const std::vector<std::string> receipts =
        ReceiptsOf(batch, edge, checkpoint);
    const uint64_t end = edge.size();
    const uint64_t first = end - batch.size();
    {
      MutexLock lock(mutex_);
      // What was published meanwhile needs no place here.
      edge.Trim(state_.published);
      state_.edge = std::move(edge);
      state_.checkpoint = checkpoint;
      Segment& segment = segments_[wal_.segment()];
      segment.origin = origin;
      segment.end = end;
      for (size_t i = 0; i < batch.size(); ++i) {
        state_.entries.push_back(batch[i].bytes);
        if (!batch[i].stored) continue;
        Keep(*batch[i].stored, {.origin = origin,
                                .index = first + i,
                                .tree_size = end,
                                .statement = batch[i].bytes,
                                .checkpoint = checkpoint,
                                .receipt = receipts[i],
                                .segment = wal_.segment()});
      }
    }
    PublishSoon();
    Failpoint("custody.durable");
    for (size_t i = 0; i < batch.size(); ++i) {
      if (!batch[i].done) continue;
      batch[i].done(Logged{.origin = origin,
                           .index = first + i,
                           .statement = std::move(batch[i].bytes),
                           .receipt = receipts[i]});
    }
  }
  return absl::OkStatus();
}

absl::Status FileCustodyLog::WriteBatch(std::vector<Pending>& batch,
                                        Written& written) {
  const auto released = [this] {
    MutexLock lock(mutex_);
    return reserve_released_;
  };
  // Once on a full disk, and once with what the reserve gave.
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (released()) RefuseAll(batch, /*but_the_important=*/true);
    if (batch.empty()) return absl::OkStatus();
    {
      MutexLock lock(mutex_);
      written.origin = state_.origin.ToString();
      written.edge = state_.edge;
    }
    RightEdge& edge = written.edge;
    Batch record = {.origin = written.origin,
                    .first_index = edge.size(),
                    .entries = {},
                    .checkpoint = {}};
    for (const Pending& pending : batch) {
      edge.Append(LeafHash(pending.bytes));
      record.entries.push_back(pending.bytes);
    }
    record.checkpoint = written.checkpoint = keys_.Sign(
        {.origin = written.origin, .size = edge.size(), .root = edge.Root()});
    const absl::Status status = AppendToWal(record);
    if (!absl::IsResourceExhausted(status)) return status;
    Log(Severity::kAlarm, "custody: the disk is full",
        {{"reason", status.message()},
         {"what_to_do", "make room on the disk of the custody log"}});
    if (released()) break;
    ReleaseReserve();
  }
  RefuseAll(batch, /*but_the_important=*/false);
  return absl::OkStatus();
}

absl::Status FileCustodyLog::AppendToWal(const Batch& batch) {
  if (wal_.segment_bytes() >= options_.segment_bytes) wal_.EndSegment();
  RETURN_IF_ERROR(wal_.Append(batch));
  Failpoint("custody.written");
  const absl::Status synced = wal_.Sync();
  // Of a failed sync nothing can be known, whatever it says.
  if (!synced.ok()) return absl::DataLossError(synced.message());
  return absl::OkStatus();
}

void FileCustodyLog::RefuseAll(std::vector<Pending>& batch,
                               bool but_the_important) {
  std::vector<Pending> left;
  for (Pending& pending : batch) {
    if (but_the_important && pending.importance == Importance::kMust) {
      left.push_back(std::move(pending));
    } else if (pending.done) {
      pending.done(Full());
    }
  }
  batch = std::move(left);
}

// Empty for those that nobody asked for.
std::vector<std::string> FileCustodyLog::ReceiptsOf(
    const std::vector<Pending>& batch, const RightEdge& edge,
    absl::string_view checkpoint) const {
  std::vector<std::string> receipts;
  for (size_t i = 0; i < batch.size(); ++i) {
    receipts.emplace_back();
    if (!batch[i].done && !batch[i].stored) continue;
    const uint64_t index = edge.size() - batch.size() + i;
    // The edge has all that a new entry needs.
    const absl::StatusOr<MerkleProof> proof =
        InclusionProof(index, edge.size(), [&edge](int level, uint64_t number) {
          return edge.Node(level, number);
        });
    receipts.back() = ToText(Receipt{.index = index,
                                     .proof = proof.value(),
                                     .checkpoint = std::string(checkpoint)});
  }
  return receipts;
}

void FileCustodyLog::Stop(const absl::Status& why) {
  {
    MutexLock lock(mutex_);
    if (std::exchange(stopped_, true)) return;
    waiting_.clear();
  }
  Log(Severity::kAlarm, "custody: the log cannot go on",
      {{"reason", why.message()}});
  if (options_.on_fatal) options_.on_fatal(why);
}

// --- years -------------------------------------------------------------------

bool FileCustodyLog::RolloverIsDue() {
  const int year = YearOf(clock_.Now());
  MutexLock lock(mutex_);
  const int present = state_.origin.year;
  if (year == present) {
    year_is_odd_ = false;
    return false;
  }
  if (year == present + 1 && options_.clock_synchronised()) return true;
  if (!std::exchange(year_is_odd_, true)) {
    Log(Severity::kAlarm, "custody: no new year is begun",
        {{"year_of_the_log", present},
         {"year_of_the_clock", year},
         {"what_to_do", "see that the clock is right and synchronised"}});
  }
  return false;
}

absl::Status FileCustodyLog::Rollover() {
  Origin next;
  {
    MutexLock lock(mutex_);
    next = {.gateway = state_.origin.gateway, .year = state_.origin.year + 1};
  }
  const absl::Status closed = Say(statement::LogClosed{next.ToString()});
  // The old year goes on for as long as the disk is full.
  if (absl::IsResourceExhausted(closed)) return absl::OkStatus();
  RETURN_IF_ERROR(closed);
  Failpoint("custody.closed");
  RETURN_IF_ERROR(Publish());
  RETURN_IF_ERROR(BeginLog(next, checkpoint()));
  return DeleteOld();
}

absl::Status FileCustodyLog::DeleteOld() {
  const int present = [this] {
    MutexLock lock(mutex_);
    return state_.origin.year;
  }();
  if (!options_.clock_synchronised() || YearOf(clock_.Now()) != present) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const std::vector<Origin> origins,
                   OriginsIn(disk_, directory_, keys_.pinned().gateway()));
  for (const Origin& origin : origins) {
    if (origin.year + options_.keep_years >= present) continue;
    auto files = std::make_shared<LogFiles>(disk_, DirectoryOf(origin));
    ASSIGN_OR_RETURN(const bool any, files->HasEntries());
    if (!any) continue;
    ASSIGN_OR_RETURN(const std::optional<std::string> note,
                     files->ReadCheckpoint());
    if (!note) continue;
    ASSIGN_OR_RETURN(const Checkpoint last,
                     OpenCheckpoint(*note, keys_.pinned()));
    const absl::Status said =
        Say(statement::LogDeleted{.origin = last.origin, .entries = last.size});
    // It will be said, and done, by the next start.
    if (absl::IsResourceExhausted(said)) continue;
    RETURN_IF_ERROR(said);
    Failpoint("custody.deletion_stated");
    executor_.Post([self = shared_from_this(), files, origin = last.origin] {
      const absl::Status removed = files->RemoveEntries();
      Log(removed.ok() ? Severity::kInfo : Severity::kAlarm,
          removed.ok() ? "custody: the statements of a year are deleted"
                       : "custody: the statements of a year cannot be deleted",
          {{"origin", origin}, {"reason", removed.message()}});
    });
  }
  return absl::OkStatus();
}

absl::Status FileCustodyLog::BeginLog(const Origin& origin,
                                      absl::string_view previous_checkpoint,
                                      absl::string_view reason) {
  {
    MutexLock publishing(publishing_);
    MutexLock lock(mutex_);
    state_ = State{.origin = origin};
    files_ = std::make_unique<LogFiles>(disk_, DirectoryOf(origin));
  }
  RETURN_IF_ERROR(Say(statement::LogBegun{
      .origin = origin.ToString(),
      .previous_checkpoint = std::string(previous_checkpoint),
      .reason = std::string(reason)}));
  Log(Severity::kInfo, "custody: a log begins",
      {{"origin", origin.ToString()}});
  return Publish();
}

std::string FileCustodyLog::DirectoryOf(const Origin& origin) const {
  return JoinPath(directory_, origin.Directory());
}

std::string FileCustodyLog::checkpoint() const {
  MutexLock lock(mutex_);
  return state_.checkpoint;
}

}  // namespace schleuse
