#include "gateway/retention/retention.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/status.h"
#include "evidence/stored_receipt.h"

namespace schleuse {
namespace {

using statement::Deleted;

// Devices come first, and what was stored before the start is laid.
constexpr absl::Duration kFirst = absl::Seconds(5);
// Where somebody was busy with what is overdue.
constexpr absl::Duration kAgain = absl::Minutes(5);

std::string TextOf(absl::Time time) {
  return absl::FormatTime(absl::RFC3339_sec, time, absl::UTCTimeZone());
}

// What the device said of it; nothing where that cannot be read.
statement::Basis BasisOf(const Begun& begun) {
  return statement::ReadMetadata(begun.metadata).value_or(statement::Basis{});
}

}  // namespace

// What one pass has to look at, and what came of it.
struct Retention::Run {
  absl::AnyInvocable<void(bool)> done;
  std::vector<std::pair<RecordingName, TransferId>> open;  // last one first
  std::vector<SetAsideTransfer> set_aside;                 // last one first
  std::vector<RecordingName> stored;                       // last one first
  bool lists_store = false;
  std::string next_page = {};
  std::set<std::string> seen = {};  // transfer_ids

  Mutex mutex = {};
  uint64_t deleted ABSL_GUARDED_BY(mutex) = 0;
  uint64_t busy ABSL_GUARDED_BY(mutex) = 0;
  uint64_t failed ABSL_GUARDED_BY(mutex) = 0;
  uint64_t held ABSL_GUARDED_BY(mutex) = 0;
  uint64_t without_rule ABSL_GUARDED_BY(mutex) = 0;
  uint64_t without_time ABSL_GUARDED_BY(mutex) = 0;
};

Retention::Retention(Disk& disk, Intake& intake, Spool& spool,
                     const Store& store, CustodyLog* log,
                     const PinnedKeys* pinned, Executor& executor,
                     const Clock& clock, RetentionOptions options)
    : disk_(disk),
      intake_(intake),
      spool_(spool),
      store_(store),
      log_(log),
      pinned_(pinned),
      executor_(executor),
      clock_(clock),
      options_(std::move(options)) {}

absl::Status Retention::Load() {
  if (options_.state_file.empty()) return absl::OkStatus();
  const absl::StatusOr<std::string> text =
      ReadFile(disk_, options_.state_file, limits::kSettingsBytesMax);
  if (absl::IsNotFound(text.status())) return absl::OkStatus();
  RETURN_IF_ERROR(text.status());
  const absl::StatusOr<RetentionState> read = RetentionState::Parse(*text);
  if (!read.ok()) {
    // Holds are stated once more, and warnings are given once more: no harm.
    Log(Severity::kAlarm, "retention: what it remembers is damaged",
        {{"file", options_.state_file}, {"what_now", "it begins anew"}});
    return absl::OkStatus();
  }
  MutexLock lock(mutex_);
  state_ = *read;
  saved_ = *read;
  return absl::OkStatus();
}

void Retention::Start() { StartAfter(kFirst); }

void Retention::StartAfter(absl::Duration wait) {
  executor_.PostAfter(wait, [self = shared_from_this()] {
    self->Pass([self](bool again_soon) {
      self->StartAfter(again_soon ? std::min(kAgain, self->options_.every)
                                  : self->options_.every);
    });
  });
}

void Retention::Pass(absl::AnyInvocable<void(bool)> done) {
  const auto hold_back = [&](absl::string_view why, absl::string_view what) {
    if (!std::exchange(held_back_, true)) {
      Log(Severity::kAlarm, "nothing is deleted for its age",
          {{"reason", why}, {"what_to_do", what}});
    }
    done(false);
  };
  if (!options_.clock_synchronised()) {
    return hold_back("the clock is not synchronised with the network's",
                     "see to the host's NTP or PTP service");
  }
  const absl::StatusOr<Holds> holds = LoadHolds();
  if (!holds.ok()) {
    return hold_back(holds.status().message(),
                     "mend the file of holds; until then all is held");
  }
  held_back_ = false;
  StateHolds(*holds);
  absl::StatusOr<std::vector<SetAsideTransfer>> set_aside = spool_.Quarantine();
  if (!set_aside.ok()) {
    Log(Severity::kAlarm, "retention: the quarantine cannot be read",
        {{"reason", set_aside.status().message()}});
    set_aside = std::vector<SetAsideTransfer>();
  }
  auto run = std::make_shared<Run>();
  run->done = std::move(done);
  run->open = spool_.OpenTransfers();
  run->set_aside = *std::move(set_aside);
  run->lists_store = options_.rules && store_.deletes();
  StepSoon(run);
}

void Retention::StepSoon(const std::shared_ptr<Run>& run) {
  executor_.Post([self = shared_from_this(), run] { self->Step(run); });
}

void Retention::Step(const std::shared_ptr<Run>& run) {
  if (StepSpool(run) || StepQuarantine(run) || StepStore(run)) return;
  End(*run);
}

// Each looks at one thing, and goes on behind it; false: nothing is left.

bool Retention::StepSpool(const std::shared_ptr<Run>& run) {
  if (run->open.empty()) return false;
  const auto [name, id] = std::move(run->open.back());
  run->open.pop_back();
  run->seen.insert(id.ToString());
  intake_.GiveUpSpooled(
      name,
      [self = shared_from_this()](const Spooled& spooled) {
        return self->Decide(spooled);
      },
      Heed(run, name.ToString()));
  return true;
}

bool Retention::StepQuarantine(const std::shared_ptr<Run>& run) {
  if (run->set_aside.empty()) return false;
  const SetAsideTransfer transfer = std::move(run->set_aside.back());
  run->set_aside.pop_back();
  run->seen.insert(transfer.id.ToString());
  std::optional<statement::Event> event = Decide(transfer);
  if (!event) {
    StepSoon(run);
    return true;
  }
  Removed heed = Heed(run, transfer.id.ToString());
  log_->Append(*std::move(event), CustodyLog::Importance::kMust,
               [self = shared_from_this(), transfer, heed = std::move(heed)](
                   const absl::StatusOr<Logged>& logged) mutable {
                 self->executor_.Post([self, transfer, stated = logged.status(),
                                       heed = std::move(heed)]() mutable {
                   if (!stated.ok()) return heed(stated);
                   if (!self->Decide(transfer)) return heed(false);
                   const absl::Status removed =
                       self->spool_.RemoveSetAside(transfer);
                   if (!removed.ok()) return heed(removed);
                   heed(true);
                 });
               });
  return true;
}

bool Retention::StepStore(const std::shared_ptr<Run>& run) {
  if (!run->stored.empty()) {
    const RecordingName name = std::move(run->stored.back());
    run->stored.pop_back();
    LookAtStored(run, name);
    return true;
  }
  if (!run->lists_store) return false;
  absl::StatusOr<StorePage> page = store_.List(run->next_page);
  if (!page.ok()) {
    Log(Severity::kAlarm, "retention: the store cannot be listed",
        {{"reason", page.status().message()}});
    return false;
  }
  run->stored.assign(page->names.rbegin(), page->names.rend());
  run->next_page = std::move(page->next);
  run->lists_store = !run->next_page.empty();
  StepSoon(run);
  return true;
}

void Retention::LookAtStored(const std::shared_ptr<Run>& run,
                             const RecordingName& name) {
  const absl::StatusOr<std::vector<Bundle>> found = store_.Find(name);
  if (!found.ok() || found->empty()) return StepSoon(run);
  const absl::StatusOr<std::optional<Proof>> proof =
      store_.ReadProof(found->front());
  // Scrubbing says what is wrong with it.
  if (!proof.ok() || !*proof || !Decide(*run, name, found->front(), **proof)) {
    return StepSoon(run);
  }
  intake_.DeleteStored(
      name,
      [self = shared_from_this(), run, name](const Bundle& bundle,
                                             const Proof& held) {
        return self->Decide(*run, name, bundle, held);
      },
      [self = shared_from_this(), run, heed = Heed(run, name.ToString())](
          absl::StatusOr<bool> removed) mutable {
        if (removed.ok() && !*removed) {
          MutexLock lock(run->mutex);
          ++run->busy;
        }
        heed(std::move(removed));
      });
}

Removed Retention::Heed(const std::shared_ptr<Run>& run, std::string what) {
  return [self = shared_from_this(), run,
          what = std::move(what)](const absl::StatusOr<bool>& removed) {
    if (!removed.ok()) {
      Log(Severity::kAlarm, "what is overdue cannot be deleted now",
          {{"what", what}, {"reason", removed.status().message()}});
    } else if (*removed) {
      Log(Severity::kInfo, "deleted", {{"what", what}});
    }
    {
      MutexLock lock(run->mutex);
      run->failed += !removed.ok();
      run->deleted += removed.ok() && *removed;
    }
    self->StepSoon(run);
  };
}

void Retention::End(Run& run) {
  bool again_soon = false;
  {
    MutexLock lock(mutex_);
    std::erase_if(state_.warned, [&run](const auto& warned) {
      return !run.seen.contains(warned.first);
    });
  }
  Save();
  {
    MutexLock lock(run.mutex);
    again_soon = run.busy > 0;
    if (run.deleted + run.failed + run.held + run.without_time > 0) {
      Log(Severity::kInfo, "retention: looked at all there is",
          {{"deleted", run.deleted},
           {"failed", run.failed},
           {"held", run.held},
           {"without_rule", run.without_rule},
           {"stored_under_a_clock_that_stood_alone", run.without_time}});
    }
    if (run.without_rule > 0) {
      Log(Severity::kWarning, "no rule says how long recordings are kept",
          {{"recordings", run.without_rule},
           {"what_now", "they are kept until a person deletes them"}});
    }
  }
  run.done(again_soon);
}

// --- deciding ----------------------------------------------------------------

absl::StatusOr<Holds> Retention::LoadHolds() const {
  if (options_.holds_file.empty()) return Holds();
  return Holds::Load(disk_, options_.holds_file);
}

bool Retention::IsHeld(const std::optional<RecordingName>& name,
                       absl::string_view incident) const {
  const absl::StatusOr<Holds> holds = LoadHolds();
  if (!holds.ok() || holds->Of(name, incident)) return true;
  // One that is gone from the file holds until that is stated: a file that was
  // cut short releases nothing in passing.
  MutexLock lock(mutex_);
  return std::any_of(
      state_.holds.begin(), state_.holds.end(), [&holds](const auto& known) {
        return std::none_of(holds->all().begin(), holds->all().end(),
                            [&known](const statement::Held& hold) {
                              return hold.hold == known.first;
                            });
      });
}

bool Retention::WasWarned(const TransferId& id,
                          const std::optional<RecordingName>& name,
                          absl::string_view what, absl::Time goes) {
  const absl::Time now = clock_.Now();
  MutexLock lock(mutex_);
  const auto [warned, is_new] = state_.warned.try_emplace(
      id.ToString(), absl::FromUnixSeconds(absl::ToUnixSeconds(now)));
  if (!is_new) return now - warned->second >= options_.notice;
  Log(Severity::kAlarm, "something will leave the spool unstored",
      {{"recording", name ? name->ToString() : "unknown"},
       {"transfer_id", id.ToString()},
       {"reason", what},
       {"goes_at", TextOf(std::max(goes, now + options_.notice))},
       {"what_to_do", "bring it to its end, or hold it"}});
  return false;
}

std::optional<statement::Event> Retention::Decide(const Spooled& spooled) {
  if (!options_.clock_synchronised()) return std::nullopt;
  const absl::Time now = clock_.Now();
  const Begun& begun = spooled.begun;
  const statement::Basis basis = BasisOf(begun);
  std::optional<Keeping> keeping;
  if (options_.rules) keeping = options_.rules->Of(basis, begun.at);
  const bool is_overdue = keeping && now >= keeping->until - options_.notice;
  const absl::Time idle_until = spooled.last_active + options_.idle;
  const bool is_idle = !spooled.finished && now >= idle_until - options_.notice;
  if (!is_overdue && !is_idle) return std::nullopt;
  if (IsHeld(begun.name, basis.incident)) return std::nullopt;
  const absl::Time goes =
      std::min(is_overdue ? keeping->until : absl::InfiniteFuture(),
               is_idle ? idle_until : absl::InfiniteFuture());
  const bool warned =
      WasWarned(spooled.id, begun.name,
                is_overdue ? "its time runs out and it is not stored yet"
                           : "nobody goes on with it",
                goes);
  if (!warned || now < goes) return std::nullopt;
  if (is_overdue && now >= keeping->until) {
    return Deleted{.name = begun.name,
                   .transfer_id = spooled.id,
                   .device = begun.principal,
                   .place = Deleted::Place::kSpool,
                   .size = spooled.received,
                   .sha256 = spooled.finished
                                 ? std::optional(spooled.finished->sha256)
                                 : std::nullopt,
                   .rule = keeping->rule,
                   .legal_basis = basis.legal_basis,
                   .retain_until = keeping->until};
  }
  return statement::Expired{.name = begun.name,
                            .transfer_id = spooled.id,
                            .device = begun.principal,
                            .received_size = spooled.received,
                            .last_active = spooled.last_active};
}

std::optional<statement::Event> Retention::Decide(
    const SetAsideTransfer& transfer) {
  if (!options_.clock_synchronised()) return std::nullopt;
  if (!options_.rules) return std::nullopt;
  std::optional<RecordingName> name;
  statement::Basis basis;
  absl::Time brought = transfer.last_active;
  if (transfer.begun) {
    name = transfer.begun->name;
    basis = BasisOf(*transfer.begun);
    brought = transfer.begun->at;
  }
  const std::optional<Keeping> keeping = options_.rules->Of(basis, brought);
  const absl::Time now = clock_.Now();
  if (!keeping || now < keeping->until - options_.notice) return std::nullopt;
  if (IsHeld(name, basis.incident)) return std::nullopt;
  const bool warned = WasWarned(
      transfer.id, name, "its time runs out in quarantine", keeping->until);
  if (!warned || now < keeping->until) return std::nullopt;
  return Deleted{.name = name,
                 .transfer_id = transfer.id,
                 .device = transfer.begun ? transfer.begun->principal : "",
                 .place = Deleted::Place::kQuarantine,
                 .size = transfer.size,
                 .sha256 = {},
                 .rule = keeping->rule,
                 .legal_basis = basis.legal_basis,
                 .retain_until = keeping->until};
}

std::optional<statement::Event> Retention::Decide(Run& run,
                                                  const RecordingName& name,
                                                  const Bundle& bundle,
                                                  const Proof& proof) const {
  if (!options_.clock_synchronised()) return std::nullopt;
  const absl::StatusOr<statement::Read> read =
      statement::ReadBack(proof.statement);
  if (!read.ok() || !read->stored) return std::nullopt;
  const statement::Read::Stored& stored = *read->stored;
  const auto stays = [&run](uint64_t Run::*because) {
    MutexLock lock(run.mutex);
    ++(run.*because);
    return std::nullopt;
  };
  const std::optional<Keeping> keeping =
      options_.rules->Of(stored.basis, stored.at);
  if (!keeping) return stays(&Run::without_rule);
  if (clock_.Now() < keeping->until) return std::nullopt;
  // Nobody knows when that was.
  if (!stored.clock_synchronised) return stays(&Run::without_time);
  if (IsHeld(name, stored.basis.incident)) return stays(&Run::held);
  // Whoever can write to the store shall not say how long it is kept: neither
  // by another's receipt nor by one of his own.
  if (stored.name != name || stored.size != bundle.size ||
      stored.location != store_.StatedLocation(bundle) ||
      !VerifyStored(proof.receipt, proof.statement, *pinned_).ok()) {
    Log(Severity::kAlarm, "overdue, but its receipt does not hold: it is kept",
        {{"recording", name.ToString()}, {"location", bundle.location}});
    return std::nullopt;
  }
  return Deleted{.name = stored.name,
                 .transfer_id = stored.transfer_id,
                 .device = stored.device,
                 .place = Deleted::Place::kStore,
                 .size = stored.size,
                 .sha256 = stored.sha256,
                 .rule = keeping->rule,
                 .legal_basis = stored.basis.legal_basis,
                 .retain_until = keeping->until};
}

// --- what is remembered ------------------------------------------------------

// What is stated of the holds that came and went; until the log has all of it
// durably, the next pass states it again.
struct Retention::Telling {
  std::map<std::string, Digest> holds;
  Mutex mutex = {};
  size_t left ABSL_GUARDED_BY(mutex) = 0;
  bool all_well ABSL_GUARDED_BY(mutex) = true;
};

// They are in force as soon as they are in the file.
void Retention::StateHolds(const Holds& holds) {
  auto telling = std::make_shared<Telling>();
  for (const statement::Held& hold : holds.all()) {
    telling->holds.emplace(hold.hold, DigestOf(hold));
  }
  std::map<std::string, Digest> before;
  {
    MutexLock lock(mutex_);
    before = state_.holds;
  }
  std::vector<statement::Event> events;
  for (const statement::Held& hold : holds.all()) {
    const auto known = before.find(hold.hold);
    if (known != before.end() && known->second == DigestOf(hold)) continue;
    Log(Severity::kInfo, "recordings are held",
        {{"hold", hold.hold}, {"by", hold.by}, {"reason", hold.reason}});
    events.emplace_back(hold);
  }
  for (const auto& [name, digest] : before) {
    if (telling->holds.contains(name)) continue;
    Log(Severity::kInfo, "a hold was released", {{"hold", name}});
    events.emplace_back(statement::Released{.hold = name});
  }
  if (events.empty()) return;
  {
    MutexLock lock(telling->mutex);
    telling->left = events.size();
  }
  for (statement::Event& event : events) {
    log_->Append(
        std::move(event), CustodyLog::Importance::kMust,
        [self = shared_from_this(),
         telling](const absl::StatusOr<Logged>& logged) {
          self->executor_.Post([self, telling, stated = logged.status()] {
            self->Told(*telling, stated);
          });
        });
  }
}

void Retention::Told(Telling& telling, const absl::Status& stated) {
  {
    MutexLock lock(telling.mutex);
    telling.all_well &= stated.ok();
    if (--telling.left > 0 || !telling.all_well) return;
  }
  {
    MutexLock lock(mutex_);
    state_.holds = telling.holds;
  }
  Save();
}

void Retention::Save() {
  MutexLock lock(mutex_);
  if (options_.state_file.empty() || state_ == saved_) return;
  const absl::Status written =
      WriteFileAtomically(disk_, options_.state_file, state_.ToText());
  if (!written.ok()) {
    // It is said once more, and warned once more, by the next process.
    Log(Severity::kWarning, "retention: what it remembers is not written",
        {{"reason", written.message()}});
    return;
  }
  saved_ = state_;
}

}  // namespace schleuse
