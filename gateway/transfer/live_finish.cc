// From Finish on: the bytes are what the device declared, and durable in the
// spool; and what happens when they are not.

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "gateway/transfer/live_recording.h"

namespace schleuse {

StreamEnd StreamEnd::OtherBytesStored(const std::optional<Digest>& stored) {
  return {.status = absl::AlreadyExistsError(
              "other bytes are stored under this name"),
          .reason = EndReason::kOtherBytesStored,
          .stored_sha256 = stored};
}

StoreSource LiveRecording::SourceOf(const TransferId& id,
                                    const std::string& extension, int priority,
                                    absl::Time since) const {
  return {.name = name_,
          .transfer_id = id,
          .path = house_->spool.BytesPath(id),
          .extension = extension,
          .urgency = priority,
          .since = since};
}

StoreSource LiveRecording::SourceOfPartial() const {
  const Begun& begun = partial_->begun();
  return SourceOf(partial_->id(), begun.extension, begun.priority, begun.at);
}

void LiveRecording::ForgetFinish() {
  finish_.reset();
  finish_sync_ = FinishSync::kNone;
  checking_ = false;
}

void LiveRecording::OnFinish(const std::shared_ptr<Stream>& stream,
                             const Finish& finish) {
  if (stream != current_ || current_ended_ || draining_) return;
  const bool asked_before = std::exchange(current_asked_, true);
  if (stating_) {
    if (finish.size != stating_->finished.size ||
        finish.sha256 != stating_->finished.sha256) {
      return End(StreamEnd::OtherBytesStored(stating_->finished.sha256));
    }
    if (stating_->proof) return SayReceipt();
    // Answered once the log holds it; if that had no room, look whether it has.
    return StateAgain();
  }
  if (in_store_) return AnswerFromStore(finish);
  if (committing_) {
    if (finish.size != committing_->finished.size ||
        finish.sha256 != committing_->finished.sha256) {
      return End(StreamEnd::OtherBytesStored(committing_->finished.sha256));
    }
    // The device waits; if the store was away, look whether it is back.
    return Commit();
  }
  if (!state_) return;
  if (finish_) {
    const bool same =
        finish.size == finish_->size && finish.sha256 == finish_->sha256;
    if (same) return;  // it is being looked at
    if (asked_before) {
      return End({.status = absl::InvalidArgumentError(
                      "Finish contradicts the one before it"),
                  .reason = EndReason::kBadMessage});
    }
    // What an earlier stream declared and was found to be true.
    return End(StreamEnd::OtherBytesStored(finish_->sha256));
  }
  if (const std::optional<Finished>& finished = partial_->finished();
      finished &&
      (finish.size != finished->size || finish.sha256 != finished->sha256)) {
    // Declared before, found to be true, and not stored yet.
    return End(StreamEnd::OtherBytesStored(finished->sha256));
  }
  using Kind = TransferState::FinishVerdict::Kind;
  const auto verdict = state_->OnFinish(finish.size);
  switch (verdict.kind) {
    case Kind::kDrop:
      return;
    case Kind::kRewind:
      return current_->inside_->Send(verdict.rewind);
    case Kind::kTooManyRewinds:
      return End({.status = absl::DataLossError("too many rewinds"),
                  .reason = EndReason::kTooManyRewinds});
    case Kind::kBadSize:
      return End({.status = absl::InvalidArgumentError(
                      "Finish names another size than Begin"),
                  .reason = EndReason::kBadMessage});
    case Kind::kTooMany:
    case Kind::kCheck:
      finish_ = finish;
      return ContinueFinish();
  }
}

void LiveRecording::ContinueFinish() {
  if (checking_) return;
  if (!partial_->hash_is_current()) return StepReading();
  if (finish_->size == state_->received() &&
      finish_->sha256 == partial_->Hash()) {
    return RecordFinished();
  }
  // Before the device is blamed, the spool is held against its own journal.
  house_->Say(Severity::kWarning, "spool: checking the bytes of a transfer",
              {{"recording", name_.ToString()},
               {"transfer_id", partial_->id().ToString()}});
  checking_ = true;
  partial_->BeginCheck();
  StepReading();
}

void LiveRecording::RecordFinished() {
  const absl::Status recorded = partial_->RecordFinished(
      {.size = finish_->size, .sha256 = finish_->sha256},
      house_->store.TargetOf(SourceOfPartial()));
  if (!recorded.ok()) return OnSpoolError(recorded);
  // What is finished before anything was acknowledged needs no journal: it has
  // a durable name in the store before anybody hears of it.
  if (!partial_->has_journal() && !sync_running_ &&
      house_->store.keeps_spool_file()) {
    return CommitAtOnce();
  }
  if (sync_running_) {
    // That one may have begun before the record was written.
    finish_sync_ = FinishSync::kWanted;
  } else {
    finish_sync_ = FinishSync::kRunning;
    StartSync();
  }
}

void LiveRecording::OnChecked(const Partial::SelfCheck& check) {
  if (check.first_damage < state_->received()) {
    return GoBackTo(check.first_damage);
  }
  if (finish_->size == state_->received() && finish_->sha256 == check.sha256) {
    return RecordFinished();  // it was the running hash that was damaged
  }
  CloseAsMismatch(check.sha256);
}

void LiveRecording::GoBackTo(uint64_t offset) {
  house_->Say(Severity::kAlarm,
              "spool: damaged, the device is asked to send again",
              {{"recording", name_.ToString()},
               {"transfer_id", partial_->id().ToString()},
               {"offset", offset}});
  ForgetFinish();
  early_upload_ = nullptr;  // it may have carried the damage away
  if (house_->store.keeps_spool_file()) {
    // What is stored may be this very file, and is not cut whatever it holds.
    const absl::StatusOr<std::vector<Bundle>> stored =
        house_->store.Find(name_);
    if (!stored.ok()) {
      return End({.status = absl::UnavailableError(
                      "the gateway's storage does not answer")});
    }
    if (!stored->empty()) {
      return LoseTransfer(absl::DataLossError("damaged, and perhaps stored"));
    }
  }
  if (CustodyLog* const custody = house_->options.custody) {
    const absl::StatusOr<std::optional<Logged>> stated =
        custody->FindStored(name_);
    if (!stated.ok() || stated->has_value()) {
      return LoseTransfer(absl::DataLossError("damaged, and stated as stored"));
    }
  }
  const absl::Status cut = partial_->CutTo(offset);
  // Half cut: journal and bytes may contradict each other.
  if (!cut.ok()) return LoseTransfer(cut);
  // What a sync beside us covers ends there as well.
  sync_offset_ = std::min(sync_offset_, partial_->received());
  const Rewind rewind = state_->CutBack(partial_->received());
  if (current_ != nullptr) current_->inside_->Send(rewind);
}

void LiveRecording::CloseAsMismatch(const Digest& received) {
  const TransferId id = partial_->id();
  house_->Say(Severity::kAlarm, "the bytes are not what the device declared",
              {{"recording", name_.ToString()},
               {"transfer_id", id.ToString()},
               {"declared_size", finish_->size},
               {"declared_sha256", finish_->sha256.ToHex()},
               {"received_size", state_->received()},
               {"received_sha256", received.ToHex()}});
  house_->State(statement::Quarantined{.name = name_,
                                       .transfer_id = id,
                                       .device = partial_->begun().principal,
                                       .declared_size = finish_->size,
                                       .declared = finish_->sha256,
                                       .received_size = state_->received(),
                                       .received = received},
                CustodyLog::Importance::kMust);
  partial_->RecordMismatch(finish_->size, finish_->sha256, received,
                           house_->clock.Now());
  // Rare, so on the strand: nothing may come between the record and its sync.
  absl::Status synced = partial_->BeginSync().status();
  if (synced.ok()) synced = partial_->Sync();
  // The journal may say by now that this transfer ended: it cannot go on.
  if (!synced.ok()) return LoseTransfer(synced);
  house_->spool.CloseMismatched(name_, id);
  partial_ = nullptr;
  early_upload_ = nullptr;
  state_.reset();
  ForgetFinish();
  End({.status = absl::DataLossError(
           "size or hash differ from what the device declared"),
       .reason = EndReason::kMismatch});
}

// What the journal says is finished is hashed again, then stored.
void LiveRecording::FinishFromSpool() {
  finish_ = Finish{.size = partial_->finished()->size,
                   .sha256 = partial_->finished()->sha256};
  // Not from here: whoever has just loaded it goes on first.
  StepReading();
}

}  // namespace schleuse
