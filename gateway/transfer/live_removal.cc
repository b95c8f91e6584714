// What is not kept any longer: its deletion is stated, then the bytes go. Only
// of a recording at rest; whoever comes meanwhile is asked to come back.

#include <utility>

#include "base/failpoint.h"
#include "base/log.h"
#include "base/status.h"
#include "gateway/transfer/live_recording.h"

namespace schleuse {

// nullopt: there is nothing, or somebody is busy with it.
absl::StatusOr<std::optional<Spooled>> LiveRecording::LookForGivingUp() {
  const std::optional<Spooled> kNothing;
  const bool at_work =
      sync_running_ || sync_timer_set_ || reading_step_posted_ || checking_ ||
      finish_ ||
      (committing_ && (committing_->running || committing_->without_journal));
  if (removing_ || draining_ || current_ != nullptr || at_work || stating_ ||
      in_store_) {
    return kNothing;
  }
  const std::optional<TransferId> id = house_->spool.Lookup(name_);
  if (!id) return kNothing;
  if (house_->store.keeps_spool_file()) {
    // What was stored, or is about to be called so, is not the spool's.
    ASSIGN_OR_RETURN(const std::vector<Bundle> stored,
                     house_->store.Find(name_));
    if (!stored.empty()) return kNothing;
  }
  if (CustodyLog* const custody = house_->options.custody) {
    ASSIGN_OR_RETURN(const std::optional<Logged> stated,
                     custody->FindStored(name_));
    if (stated) return kNothing;
  }
  absl::StatusOr<Spooled> spooled = house_->spool.Look(*id);
  // Nothing of it was synced yet.
  if (absl::IsNotFound(spooled.status())) return kNothing;
  RETURN_IF_ERROR(spooled.status());
  return *std::move(spooled);
}

void LiveRecording::GiveUpSpooled(DecideSpooled decide, Removed done) {
  Post([this, decide = std::move(decide), done = std::move(done)]() mutable {
    ++leaves_;
    absl::StatusOr<std::optional<Spooled>> found = LookForGivingUp();
    if (!found.ok()) return done(found.status());
    if (!*found) return done(false);
    std::optional<statement::Event> event = decide(**found);
    if (!event) return done(false);
    removing_ = true;
    StateRemoval(*std::move(event),
                 [this, spooled = **std::move(found),
                  decide = std::move(decide), done = std::move(done)](
                     const absl::StatusOr<const Logged*>& stated) mutable {
                   const bool goes = stated.ok() && decide(spooled).has_value();
                   const absl::Status removed =
                       goes ? ForgetSpooled(spooled.id) : stated.status();
                   EndRemoval();
                   if (!removed.ok()) return done(removed);
                   done(goes);
                 });
  });
}

absl::Status LiveRecording::ForgetSpooled(const TransferId& id) {
  Failpoint("gateway.removal_stated");
  if (committing_ && committing_->upload != nullptr) {
    committing_->upload->Abort();
  }
  if (early_upload_ != nullptr) early_upload_->Abort();
  committing_.reset();
  early_upload_ = nullptr;
  partial_ = nullptr;
  state_.reset();
  failures_ = 0;
  RETURN_IF_ERROR(house_->spool.Remove(name_, id));
  // What is said to be deleted does not come back with a power cut.
  return house_->spool.SyncNames();
}

// nullopt: there is nothing, or somebody is busy with it.
absl::StatusOr<std::optional<Bundle>> LiveRecording::LookForDeleting() {
  const std::optional<Bundle> kNothing;
  if (removing_ || draining_ || current_ != nullptr || stating_ ||
      committing_ || partial_ != nullptr || store_reading_) {
    return kNothing;
  }
  RETURN_IF_ERROR(EnsureLoaded());
  // What the spool has goes on by itself.
  if (!in_store_ || in_store_->deleted || committing_ || partial_ != nullptr) {
    return kNothing;
  }
  // What we remember may be older than what somebody did to the store.
  ASSIGN_OR_RETURN(const std::vector<Bundle> found, house_->store.Find(name_));
  if (found.empty()) {
    in_store_.reset();
    return kNothing;
  }
  return found.front();
}

void LiveRecording::DeleteStored(DecideStored decide, Removed done) {
  Post([this, decide = std::move(decide), done = std::move(done)]() mutable {
    ++leaves_;
    const absl::StatusOr<std::optional<Bundle>> found = LookForDeleting();
    if (!found.ok()) return done(found.status());
    if (!*found) return done(false);
    const Bundle bundle = **found;
    absl::StatusOr<std::optional<Proof>> proof =
        house_->store.ReadProof(bundle);
    if (!proof.ok()) return done(proof.status());
    if (!*proof) {
      return done(absl::FailedPreconditionError(
          absl::StrCat("nothing proves what lies at ", bundle.location)));
    }
    // A crash came behind the word that it is deleted, and ahead of the bytes.
    absl::StatusOr<std::optional<DeletedBundle>> begun =
        house_->store.FindDeleted(name_);
    if (!begun.ok()) return done(begun.status());
    const auto remove = [this, bundle](Proof deletion, Removed removed) {
      house_->waiters.Post([self = shared_from_this(), bundle,
                            deletion = std::move(deletion),
                            removed = std::move(removed)]() mutable {
        absl::Status gone = self->house_->store.Delete(bundle, deletion);
        self->GoOn([self = self.get(), gone = std::move(gone),
                    removed = std::move(removed)]() mutable {
          self->in_store_.reset();
          self->EndRemoval();
          if (!gone.ok()) return removed(gone);
          removed(true);
        });
      });
    };
    std::optional<statement::Event> event = decide(bundle, **proof);
    if (!event) return done(false);
    removing_ = true;
    if (*begun) return remove((*begun)->deletion, std::move(done));
    StateRemoval(*std::move(event),
                 [this, bundle, proof = **std::move(proof), remove,
                  decide = std::move(decide), done = std::move(done)](
                     const absl::StatusOr<const Logged*>& stated) mutable {
                   if (stated.ok() && decide(bundle, proof)) {
                     Failpoint("gateway.removal_stated");
                     return remove({.statement = (*stated)->statement,
                                    .receipt = (*stated)->receipt},
                                   std::move(done));
                   }
                   EndRemoval();
                   if (!stated.ok()) return done(stated.status());
                   done(false);
                 });
  });
}

void LiveRecording::StateRemoval(
    statement::Event event,
    absl::AnyInvocable<void(absl::StatusOr<const Logged*>)> next) {
  CustodyLog* const custody = house_->options.custody;
  if (custody == nullptr) return next(nullptr);
  custody->Append(std::move(event), CustodyLog::Importance::kMust,
                  [self = shared_from_this(), next = std::move(next)](
                      absl::StatusOr<Logged> logged) mutable {
                    // Others wait for the log's thread.
                    self->Post([next = std::move(next),
                                logged = std::move(logged)]() mutable {
                      if (!logged.ok()) return next(logged.status());
                      next(&*logged);
                    });
                  });
}

// What stays goes on.
void LiveRecording::EndRemoval() {
  removing_ = false;
  const bool waits = (committing_ && !committing_->running) || leftover_ ||
                     lays_stated_ ||
                     (partial_ != nullptr && partial_->finished() && !finish_);
  if (waits) RetryLater();
}

}  // namespace schleuse
