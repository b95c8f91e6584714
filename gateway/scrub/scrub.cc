#include "gateway/scrub/scrub.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/status.h"
#include "evidence/receipt.h"
#include "evidence/stored_receipt.h"
#include "evidence/tile.h"
#include "gateway/custody/log_files.h"

namespace schleuse {
namespace {

using Phase = ScrubState::Phase;
using Stored = statement::Read::Stored;

constexpr uint64_t kStepBytes = 1 << 20;
// Between two looks that read no footage, so that others have the disk.
constexpr absl::Duration kBreath = absl::Milliseconds(2);
// Behind each finding: a lost disk is a million of them.
constexpr absl::Duration kBehindFinding = absl::Seconds(1);
constexpr absl::Duration kNotNow = absl::Minutes(1);
// Devices come first, and what was stored before the start is laid.
constexpr absl::Duration kFirst = absl::Seconds(5);
// So often it waits for whoever is busy with something that seems wrong.
constexpr int kTriesMost = 3;
constexpr absl::Duration kSaveEvery = absl::Seconds(30);
constexpr absl::Duration kLookAtLeast = absl::Minutes(10);

const char* NameOf(statement::Damaged::Finding finding) {
  using Finding = statement::Damaged::Finding;
  switch (finding) {
    case Finding::kMissing:
      return "a stored recording is missing";
    case Finding::kDiffers:
      return "a stored recording is not what its receipt says";
    case Finding::kUnreadable:
      return "a stored recording cannot be read";
    case Finding::kUnproven:
      return "nothing proves a stored recording";
  }
  return "a stored recording is damaged";
}

// Passes by itself, or with its cause.
bool IsPassing(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsResourceExhausted(status) ||
         absl::IsCancelled(status);
}

}  // namespace

Scrub::Scrub(Disk& disk, const Store& store, CustodyLog& log,
             const PinnedKeys& pinned, Executor& executor, const Clock& clock,
             ScrubOptions options)
    : disk_(disk),
      store_(store),
      log_(log),
      pinned_(pinned),
      executor_(executor),
      clock_(clock),
      options_(std::move(options)) {}

absl::Status Scrub::Load() {
  const absl::StatusOr<std::string> text =
      ReadFile(disk_, options_.state_file, limits::kSettingsBytesMax);
  if (absl::IsNotFound(text.status())) return absl::OkStatus();
  RETURN_IF_ERROR(text.status());
  const absl::StatusOr<ScrubState> read = ScrubState::Parse(*text);
  if (!read.ok()) {
    Log(Severity::kAlarm, "scrub: how far it came is damaged",
        {{"file", options_.state_file}, {"what_now", "it begins anew"}});
    return absl::OkStatus();
  }
  state_ = kept_ = saved_ = *read;
  return absl::OkStatus();
}

void Scrub::Start() {
  executor_.PostAfter(kFirst, [self = shared_from_this()] { self->Go(); });
}

void Scrub::Go() {
  const absl::Duration wait = Step();
  executor_.PostAfter(wait, [self = shared_from_this()] { self->Go(); });
}

absl::Duration Scrub::Step() {
  if (clock_.Now() >= save_at_) Save();
  if (reading_) return StepReading();
  switch (state_.phase) {
    case Phase::kStore:
      return StepStore();
    case Phase::kLog:
      return StepLog();
    case Phase::kOver:
      return BeginPass();
  }
  return kNotNow;
}

absl::Duration Scrub::BeginPass() {
  const absl::Time now = clock_.Now();
  const absl::Time due = state_.begun + options_.every;
  // A clock that was ahead once must not keep it from ever beginning.
  if (now < due && state_.begun <= now) {
    return std::min(due - now, kLookAtLeast);
  }
  state_ = {.begun = now, .phase = Phase::kStore};
  next_page_.clear();
  last_page_ = false;
  kept_ = state_;
  Save();
  return kBreath;
}

absl::Duration Scrub::EndPass() {
  state_.phase = Phase::kOver;
  kept_ = state_;
  Save();
  Log(state_.damaged > 0 ? Severity::kAlarm : Severity::kInfo,
      "scrub: all that is stored was read once more",
      {{"sound", state_.sound},
       {"bytes", state_.bytes},
       {"damaged", state_.damaged},
       {"deleted_in_time", state_.deleted},
       {"looked_for", state_.stated}});
  log_.Append(statement::Scrubbed{.begun = state_.begun,
                                  .sound = state_.sound,
                                  .bytes = state_.bytes,
                                  .damaged = state_.damaged,
                                  .deleted = state_.deleted,
                                  .stated = state_.stated},
              CustodyLog::Importance::kMust, nullptr);
  return kBreath;
}

// --- what the store has ------------------------------------------------------

absl::Duration Scrub::StepStore() {
  if (!names_.empty()) {
    const RecordingName name = names_.back();
    const absl::Duration wait = LookAt(name);
    if (wait != kNotNow && !reading_) DoneWith(name);
    return wait;
  }
  if (last_page_) {
    state_.phase = Phase::kLog;
    state_.log.clear();
    state_.bundle = 0;
    return kBreath;
  }
  if (!next_page_.empty()) state_.after = next_page_;
  absl::StatusOr<StorePage> page = store_.List(state_.after);
  if (!page.ok()) return NotNow(page.status());
  complained_ = false;
  names_.assign(page->names.rbegin(), page->names.rend());
  next_page_ = std::move(page->next);
  last_page_ = next_page_.empty();
  return kBreath;
}

// Here a later process would go on.
void Scrub::DoneWith(const RecordingName& name) {
  names_.pop_back();
  tries_ = 0;
  state_.after = store_.Behind(name);
  kept_ = state_;
}

absl::Duration Scrub::LookAt(const RecordingName& name) {
  const absl::StatusOr<std::vector<Bundle>> found = store_.Find(name);
  if (!found.ok()) {
    if (IsPassing(found.status())) return NotNow(found.status());
    return Found(name, Finding::kUnreadable, found.status().message(), "");
  }
  if (found->empty() && IsDeleted(name)) {
    ++state_.deleted;
    return kBreath;
  }
  const absl::StatusOr<std::optional<Proof>> proof =
      found->empty() ? store_.FindProof(name)
                     : store_.ReadProof(found->front());
  if (IsPassing(proof.status())) return NotNow(proof.status());
  if (found->empty() && proof.ok() && !*proof) return kBreath;  // nothing
  const std::string location = found->empty() ? "" : found->front().location;
  if (!proof.ok() || !*proof) {
    return Found(name, Finding::kUnproven,
                 proof.ok() ? "statement or receipt is not there"
                            : proof.status().message(),
                 location);
  }
  absl::StatusOr<Stored> stored = ReadProven(name, **proof);
  if (!stored.ok()) {
    return Found(name, Finding::kUnproven, stored.status().message(), location);
  }
  if (found->empty()) {
    if (options_.is_over(*stored)) {
      ++state_.deleted;
      return kBreath;
    }
    return Found(name, Finding::kMissing, "its receipt lies there alone",
                 stored->location);
  }
  const Bundle& bundle = found->front();
  if (bundle.size != stored->size) {
    return Found(name, Finding::kDiffers,
                 absl::StrCat("it has ", bundle.size, " bytes instead of ",
                              stored->size),
                 location);
  }
  absl::StatusOr<std::unique_ptr<StoredBytes>> bytes = store_.Read(bundle);
  if (!bytes.ok()) {
    if (IsPassing(bytes.status())) return NotNow(bytes.status());
    return Found(name, Finding::kUnreadable, bytes.status().message(),
                 location);
  }
  reading_.emplace(Reading{.name = name,
                           .bundle = bundle,
                           .stored = *std::move(stored),
                           .bytes = *std::move(bytes)});
  return kBreath;
}

absl::Duration Scrub::StepReading() {
  Reading& reading = *reading_;
  const uint64_t from = reading.hash.bytes_hashed();
  const absl::StatusOr<std::string> piece =
      reading.bytes->Read(from, kStepBytes);
  if (IsPassing(piece.status())) return NotNow(piece.status());
  complained_ = false;
  if (piece.ok() && !piece->empty()) {
    reading.hash.Update(*piece);
    // What it read more than it may in a second it makes up for here.
    return absl::Seconds(static_cast<double>(piece->size()) /
                         static_cast<double>(options_.bytes_per_second));
  }
  const Reading done = *std::exchange(reading_, std::nullopt);
  absl::Duration wait = kBreath;
  if (!piece.ok()) {
    wait = Found(done.name, Finding::kUnreadable, piece.status().message(),
                 done.bundle.location);
  } else if (done.hash.Current() != done.stored.sha256) {
    wait = Found(done.name, Finding::kDiffers,
                 absl::StrCat("its SHA-256 is ", done.hash.Current().ToHex(),
                              " instead of ", done.stored.sha256.ToHex()),
                 done.bundle.location);
  } else {
    ++state_.sound;
    state_.bytes += done.stored.size;
  }
  if (wait != kNotNow) DoneWith(done.name);
  return wait;
}

absl::StatusOr<Stored> Scrub::ReadProven(const RecordingName& name,
                                         const Proof& proof) const {
  RETURN_IF_ERROR(
      VerifyStored(proof.receipt, proof.statement, pinned_).status());
  ASSIGN_OR_RETURN(statement::Read read, statement::ReadBack(proof.statement));
  if (!read.stored || read.stored->name != name) {
    return absl::DataLossError("its statement is about something else");
  }
  return *std::move(read.stored);
}

// --- what the log says that it has -------------------------------------------

absl::Duration Scrub::StepLog() {
  if (!stated_.empty()) {
    const absl::Duration wait = LookForStated(stated_.back());
    if (wait == kNotNow) return wait;
    stated_.pop_back();
    tries_ = 0;
    ++state_.stated;
    return wait;
  }
  kept_ = state_;
  absl::StatusOr<std::vector<Stored>> stated = ReadBundle();
  if (!stated.ok()) {
    if (absl::IsOutOfRange(stated.status())) return EndPass();
    return NotNow(stated.status());
  }
  stated_ = *std::move(stated);
  std::reverse(stated_.begin(), stated_.end());
  return kBreath;
}

// What the next bundle of entries says that is stored, and moves on behind it.
//   OutOfRange  that was all
absl::StatusOr<std::vector<Stored>> Scrub::ReadBundle() {
  ASSIGN_OR_RETURN(
      const std::vector<Origin> origins,
      OriginsIn(disk_, options_.log_directory, options_.gateway_name));
  auto origin = origins.begin();
  if (!state_.log.empty()) {
    origin = std::find_if(
        origins.begin(), origins.end(),
        [this](const Origin& one) { return one.Directory() == state_.log; });
  }
  for (; origin != origins.end(); ++origin) {
    if (origin->Directory() != state_.log) {
      state_.log = origin->Directory();
      state_.bundle = 0;
    }
    LogFiles files(disk_, JoinPath(options_.log_directory, state_.log));
    ASSIGN_OR_RETURN(const std::optional<std::string> note,
                     files.ReadCheckpoint());
    if (!note) continue;
    // Deleted in their time.
    ASSIGN_OR_RETURN(const bool has_entries, files.HasEntries());
    if (!has_entries) continue;
    const absl::StatusOr<Checkpoint> checkpoint =
        OpenCheckpoint(*note, pinned_);
    if (!checkpoint.ok()) {
      LogIsDamaged(checkpoint.status());
      continue;
    }
    if (state_.bundle * kTileWidth >= checkpoint->size) continue;
    const absl::StatusOr<std::vector<std::string>> entries = files.ReadEntries(
        state_.bundle, TileWidthAt(checkpoint->size, state_.bundle));
    if (IsPassing(entries.status())) return entries.status();
    std::vector<Stored> stated;
    ++state_.bundle;
    if (!entries.ok()) {
      // It keeps nothing else from being looked for.
      LogIsDamaged(entries.status());
      return stated;
    }
    for (const std::string& entry : *entries) {
      absl::StatusOr<statement::Read> read = statement::ReadBack(entry);
      if (read.ok() && read->stored) stated.push_back(*std::move(read->stored));
    }
    return stated;
  }
  return absl::OutOfRangeError("the end of the logs");
}

void Scrub::LogIsDamaged(const absl::Status& why) {
  ++state_.damaged;
  Log(Severity::kAlarm, "scrub: a part of the custody log cannot be read",
      {{"log", state_.log},
       {"reason", why.message()},
       {"what_to_do", "audit it: schleuse-verify log"}});
}

absl::Duration Scrub::LookForStated(const Stored& stored) {
  const absl::StatusOr<std::vector<Bundle>> found = store_.Find(stored.name);
  if (IsPassing(found.status())) return NotNow(found.status());
  complained_ = false;
  // What cannot be read was found by its name.
  if (!found.ok() || !found->empty()) return kBreath;
  const absl::StatusOr<std::optional<DeletedBundle>> deleted =
      store_.FindDeleted(stored.name);
  if (IsPassing(deleted.status())) return NotNow(deleted.status());
  if (deleted.ok() && *deleted) return kBreath;
  const absl::StatusOr<std::optional<Proof>> proof =
      store_.FindProof(stored.name);
  if (IsPassing(proof.status())) return NotNow(proof.status());
  // Its receipt lies there: that was said when the store was gone through.
  if (proof.ok() && *proof) return kBreath;
  if (options_.is_over(stored)) return kBreath;
  return Found(stored.name, Finding::kMissing,
               absl::StrCat("stated as stored at ",
                            absl::FormatTime(absl::RFC3339_sec, stored.at,
                                             absl::UTCTimeZone()),
                            ", and nothing of it is there"),
               stored.location);
}

// Whether the log said so: anybody can lay two files there.
bool Scrub::IsDeleted(const RecordingName& name) const {
  const absl::StatusOr<std::optional<DeletedBundle>> deleted =
      store_.FindDeleted(name);
  if (!deleted.ok() || !*deleted) return false;
  const Proof& deletion = (*deleted)->deletion;
  const absl::StatusOr<statement::Read> read =
      statement::ReadBack(deletion.statement);
  return read.ok() && read->deleted == name &&
         VerifyReceipt(deletion.receipt, deletion.statement, pinned_).ok();
}

// --- both --------------------------------------------------------------------

bool Scrub::IsSettled(const RecordingName& name, Finding finding) const {
  if (options_.is_busy(name)) return false;
  // Its bytes were there before it was stated, its receipt comes behind.
  if (finding != Finding::kUnproven) return true;
  const std::vector<RecordingName> unlaid = log_.Unlaid();
  return std::find(unlaid.begin(), unlaid.end(), name) == unlaid.end();
}

absl::Duration Scrub::NotNow(const absl::Status& why) {
  if (!std::exchange(complained_, true)) {
    Log(Severity::kWarning, "scrub: what is stored cannot be read now",
        {{"reason", why.message()}, {"what_now", "it is tried again"}});
  }
  return kNotNow;
}

absl::Duration Scrub::Found(const RecordingName& name, Finding finding,
                            absl::string_view detail,
                            absl::string_view location) {
  if (!IsSettled(name, finding)) {
    // Behind that the next pass looks again.
    return ++tries_ < kTriesMost ? kNotNow : kBreath;
  }
  // It may have been deleted since it was looked at.
  const absl::StatusOr<std::vector<Bundle>> found = store_.Find(name);
  if (found.ok() && found->empty() && IsDeleted(name)) {
    ++state_.deleted;
    return kBreath;
  }
  ++state_.damaged;
  Log(Severity::kAlarm, NameOf(finding),
      {{"recording", name.ToString()},
       {"location", location},
       {"detail", detail},
       {"what_to_do", "keep the disk as it is; see docs/operations.md"}});
  log_.Append(statement::Damaged{.name = name,
                                 .finding = finding,
                                 .detail = std::string(detail),
                                 .location = std::string(location)},
              CustodyLog::Importance::kMust, nullptr);
  return kBehindFinding;
}

void Scrub::Save() {
  save_at_ = clock_.Now() + kSaveEvery;
  if (kept_ == saved_) return;
  const absl::Status written =
      WriteFileAtomically(disk_, options_.state_file, kept_.ToText());
  if (!written.ok()) {
    Log(Severity::kWarning, "scrub: how far it came is not written",
        {{"reason", written.message()},
         {"what_now", "the next process begins where it was written last"}});
    return;
  }
  saved_ = kept_;
}

}  // namespace schleuse
