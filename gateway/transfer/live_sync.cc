// How what was received becomes durable, and what happens when it cannot.

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "base/log.h"
#include "base/status.h"
#include "gateway/transfer/live_recording.h"

namespace schleuse {
namespace {

// One step of reading in the background: a few milliseconds.
constexpr uint64_t kReadStepBytes = 8 << 20;

}  // namespace

uint64_t LiveRecording::RenewCredit(uint64_t most) {
  return current_->inside_->credit.Renew(house_->streams->all(), most);
}

// An Ack has to come before the device's credit is used up.
uint64_t LiveRecording::AckEveryBytes() const {
  const uint64_t credit = current_ == nullptr
                              ? limits::kCreditBytesMin
                              : current_->inside_->credit.told();
  return std::min(house_->options.ack_every_bytes, credit / 2);
}

absl::Duration LiveRecording::AckEvery() const {
  const bool radio = current_ != nullptr &&
                     current_->inside_->principal.role() == Role::kRadio;
  return radio ? house_->options.ack_every_radio : house_->options.ack_every;
}

void LiveRecording::SyncSoon() {
  if (sync_running_) return;  // SyncNext looks again
  const uint64_t waiting = state_->received() - state_->durable();
  // A stopping gateway does not wait for more.
  if (waiting >= AckEveryBytes() || (draining_ && waiting > 0)) {
    return StartSync();
  }
  if (sync_timer_set_ || waiting == 0) return;
  sync_timer_set_ = true;
  strand_.PostAfter(AckEvery(), [self = shared_from_this()] {
    self->sync_timer_set_ = false;
    if (self->state_ && self->state_->durable() < self->state_->received()) {
      self->StartSync();
    }
    self->UpdateBusy();
  });
}

void LiveRecording::StartSync() {
  if (sync_running_ || partial_ == nullptr) return;
  const absl::StatusOr<uint64_t> offset = partial_->BeginSync();
  if (!offset.ok()) return OnSpoolError(offset.status());
  sync_running_ = true;
  sync_offset_ = *offset;
  // Beside the strand: chunks go on being written, and the syncs of other
  // transfers run at the same time, so that the file system joins them.
  house_->waiters.Post([self = shared_from_this(), partial = partial_] {
    self->GoOn([self = self.get(), partial, synced = partial->Sync()] {
      self->sync_running_ = false;
      if (self->partial_ == partial) return self->OnSynced(synced);
      // That transfer is gone; the one behind it had to wait.
      self->SyncNext();
    });
  });
}

// Begins what could not begin while another sync ran.
void LiveRecording::SyncNext() {
  if (finish_sync_ == FinishSync::kWanted) {
    finish_sync_ = FinishSync::kRunning;
    return StartSync();
  }
  if (state_) SyncSoon();
}

void LiveRecording::OnSynced(const absl::Status& status) {
  // Without descriptors or memory nothing was tried, so nothing is in doubt.
  if (absl::IsUnavailable(status)) return OnSpoolError(status);
  if (!status.ok()) return LoseTransfer(status);
  partial_->EndSync(sync_offset_);
  state_->Synced(sync_offset_);
  if (finish_sync_ == FinishSync::kRunning) return Commit();
  OfferToStore();
  if (finish_sync_ == FinishSync::kNone && current_ != nullptr) {
    current_->inside_->Send(
        Ack{.durable_offset = state_->durable(),
            .credit_bytes = RenewCredit(limits::kCreditBytesMax)});
    // Others may have taken the room that was there at Begin.
    const absl::StatusOr<bool> room = HasRoom(0);
    if (room.ok() && !*room && !state_->complete() && !current_ended_) {
      PauseStream(Pause::Reason::kSpoolFull);
    }
  }
  SyncNext();
}

// A store far away carries it while it arrives.
void LiveRecording::OfferToStore() {
  if (house_->store.keeps_spool_file()) return;
  if (early_upload_ == nullptr) {
    absl::StatusOr<std::unique_ptr<StoreUpload>> upload =
        house_->store.Open(SourceOfPartial());
    if (!upload.ok()) return;  // the commit says so
    early_upload_ = *std::move(upload);
  }
  early_upload_->Offer(state_->durable());
}

// The transfer stays as it is and the device tries again; what is lost is lost.
void LiveRecording::OnSpoolError(const absl::Status& status) {
  if (absl::IsResourceExhausted(status) || absl::IsUnavailable(status)) {
    ForgetFinish();  // the device will say it again
    if (partial_->finished()) RetryLater();
  }
  if (absl::IsResourceExhausted(status)) {
    house_->Say(
        Severity::kAlarm, "spool: disk full",
        {{"recording", name_.ToString()}, {"reason", status.message()}});
    return PauseStream(Pause::Reason::kSpoolFull);
  }
  if (absl::IsUnavailable(status)) {
    house_->Say(
        Severity::kError, "spool: cannot be used now",
        {{"recording", name_.ToString()}, {"reason", status.message()}});
    return End({.status = absl::UnavailableError(
                    "the gateway's storage does not answer")});
  }
  LoseTransfer(status);
}

// What is on the disk is unknown: the transfer begins again at 0. The device
// still holds its recording.
void LiveRecording::LoseTransfer(const absl::Status& why) {
  const TransferId id =
      partial_ != nullptr ? partial_->id() : committing_->source.transfer_id;
  const absl::Status aside = house_->spool.SetAside(name_, id);
  house_->Say(Severity::kAlarm,
              "spool: transfer set aside, it begins again at 0",
              {{"recording", name_.ToString()},
               {"transfer_id", id.ToString()},
               {"reason", why.message()},
               {"renamed", aside.ok() ? "yes" : aside.message()}});
  partial_ = nullptr;
  early_upload_ = nullptr;
  committing_.reset();
  state_.reset();
  ForgetFinish();
  End({.status = absl::UnavailableError(
           "the gateway lost what it had received; begin again"),
       .reason = EndReason::kSpoolFault});
}

void LiveRecording::StepReading() {
  if (reading_step_posted_) return;
  reading_step_posted_ = true;
  PostStep([this] {
    reading_step_posted_ = false;
    if (partial_ != nullptr) ReadStep();
  });
}

void LiveRecording::ReadStep() {
  // A stopping gateway waits for no hash that nobody has asked for.
  if (draining_ && !finish_) return;
  if (checking_) {
    const absl::StatusOr<std::optional<Partial::SelfCheck>> check =
        partial_->CheckSome(kReadStepBytes);
    if (!check.ok()) return OnSpoolError(check.status());
    if (!*check) return StepReading();
    checking_ = false;
    return OnChecked(**check);
  }
  const absl::Status hashed = partial_->HashSome(kReadStepBytes);
  if (!hashed.ok()) return OnSpoolError(hashed);
  if (!partial_->hash_is_current()) return StepReading();
  if (finish_) ContinueFinish();
}

void LiveRecording::UpdateBusy() {
  const bool waits_for_store =
      committing_ && retry_set_ && !committing_->running;
  const bool at_work = sync_running_ || removing_ || reading_step_posted_ ||
                       store_reading_ || (stating_ && stating_->running) ||
                       (finish_ && partial_ != nullptr) ||
                       (committing_ && !waits_for_store);
  const bool busy = at_work || sync_timer_set_ || retry_set_;
  if (busy != busy_) {
    busy_ = busy;
    if (busy) {
      house_->registry.Hold(name_);
    } else {
      house_->registry.Leave(name_, HasTransfer());
    }
  }
  if (leftover_has_turn_ && !at_work) {
    leftover_has_turn_ = false;
    LeftoverDone(house_);
  }
  if (drained_ && !at_work) {
    End({.status = absl::UnavailableError("the gateway is stopping"),
         .reason = EndReason::kStopping});
    std::exchange(drained_, nullptr)();
  }
}

}  // namespace schleuse
