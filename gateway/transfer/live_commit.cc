// From what is durable in the spool to Stored, and what a device hears of a
// recording that is stored already.

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/failpoint.h"
#include "base/log.h"
#include "base/status.h"
#include "gateway/transfer/live_recording.h"

namespace schleuse {
namespace {

// One step of reading back from the store: a few milliseconds.
constexpr uint64_t kStoreStepBytes = 8 << 20;
// Between attempts to bring a finished transfer into a store that is away:
// doubling, each with full jitter.
constexpr absl::Duration kRetryFirst = absl::Seconds(1);
constexpr absl::Duration kRetryMost = absl::Minutes(5);

}  // namespace

absl::Status LiveRecording::LookIntoStore() {
  ASSIGN_OR_RETURN(const std::vector<Bundle> found, house_->store.Find(name_));
  if (found.empty()) return LookForDeleted();
  in_store_ = {.bundle = found.front(), .sha256 = {}};
  return absl::OkStatus();
}

absl::Status LiveRecording::LookForDeleted() {
  ASSIGN_OR_RETURN(std::optional<DeletedBundle> deleted,
                   house_->store.FindDeleted(name_));
  if (!deleted) return absl::OkStatus();
  ASSIGN_OR_RETURN(const statement::Read read,
                   statement::ReadBack(deleted->stored.statement));
  if (!read.stored || read.stored->name != name_) {
    return absl::DataLossError(absl::StrCat(
        "the statement in ", deleted->location, " is about something else"));
  }
  in_store_ = {
      .bundle = {.location = deleted->location, .size = read.stored->size},
      .sha256 = read.stored->sha256,
      .proof = std::move(deleted->stored),
      .deleted = true};
  return absl::OkStatus();
}

// Everything is durable in the spool: from now on the files are closed and the
// store decides.
void LiveRecording::Commit() {
  if (!committing_) BeginCommitting();
  if (committing_->running) return;
  if (committing_->doubtful) return DoubtSpool();
  if (committing_->upload == nullptr) {
    absl::StatusOr<std::unique_ptr<StoreUpload>> upload =
        house_->store.Open(committing_->source);
    if (!upload.ok()) {
      return OnCommitStep(
          {upload.status(), KeepInSpool(committing_->without_journal.get())});
    }
    committing_->upload = *std::move(upload);
  }
  committing_->running = true;
  StepCommit();
}

void LiveRecording::BeginCommitting() {
  Failpoint("gateway.finished");
  committing_ = Committing{
      .source = SourceOfPartial(),
      .finished = *partial_->finished(),
      .device = partial_->begun().principal,
      .metadata = partial_->begun().metadata,
      .without_journal = partial_->has_journal() ? nullptr : partial_,
      .upload = std::move(early_upload_)};
  partial_ = nullptr;
  state_.reset();
  ForgetFinish();
}

// A small recording of which only the bytes are synced: that and the commit are
// one task, since each change of threads costs more than either.
void LiveRecording::CommitAtOnce() {
  const absl::StatusOr<uint64_t> written = partial_->BeginBytesSync();
  if (!written.ok()) return OnSpoolError(written.status());
  Commit();
}

// Beside the strand, with all its syncs.
void LiveRecording::StepCommit() {
  house_->waiters.Post(
      [self = shared_from_this(), unkept = committing_->without_journal,
       upload = committing_->upload, finished = committing_->finished] {
        absl::Status synced =
            unkept != nullptr ? unkept->SyncBytes() : absl::OkStatus();
        if (!synced.ok()) {
          upload->Abort();
          return self->GoOn([self = self.get(), synced = std::move(synced)] {
            self->OnUnsynced(synced);
          });
        }
        CommitStep step = {upload->Commit(finished.size, finished.sha256), {}};
        if (!step.stored.ok()) step.kept = KeepInSpool(unkept.get());
        self->GoOn([self = self.get(), step = std::move(step)] {
          self->OnCommitStep(step);
        });
      });
}

// The bytes of what has no journal are not durable. Where there was no room, it
// makes some.
void LiveRecording::OnUnsynced(const absl::Status& why) {
  committing_->running = false;
  committing_->upload = nullptr;
  if (absl::IsResourceExhausted(why)) return OnUnkept(absl::OkStatus(), why);
  LoseTransfer(why);
}

void LiveRecording::OnCommitStep(const CommitStep& step) {
  const auto& [stored, kept] = step;
  if (stored.ok() && !*stored) return AwaitStore();
  committing_->running = false;
  // One that is away goes on where it was.
  if (!absl::IsUnavailable(stored.status())) committing_->upload = nullptr;
  if (!kept.ok()) return OnUnkept(stored.status(), kept);
  if (!stored.ok()) committing_->without_journal = nullptr;
  if (absl::IsAlreadyExists(stored.status())) return OnConflict();
  committing_->doubtful = absl::IsDataLoss(stored.status());
  if (!stored.ok()) return RetryCommit(stored.status());
  OnStored(**stored);
}

void LiveRecording::AwaitStore() {
  if (house_->store.keeps_spool_file()) return StepCommit();
  // Not on the store's own thread: what follows may ask it.
  committing_->upload->WhenReady([self = shared_from_this()] {
    self->Post([self = self.get()] {
      if (self->committing_ && self->committing_->running) self->StepCommit();
    });
  });
}

// Makes durable what the store did not take at once: it stays here for longer
// than it was meant to. nullptr: it is durable.
absl::Status LiveRecording::KeepInSpool(Partial* unkept) {
  if (unkept == nullptr) return absl::OkStatus();
  RETURN_IF_ERROR(unkept->BeginSync().status());
  return unkept->Sync();
}

// Neither the store nor the spool took it. Nothing of it was acknowledged.
void LiveRecording::OnUnkept(const absl::Status& stored,
                             const absl::Status& kept) {
  const TransferId id = committing_->source.transfer_id;
  if (absl::IsUnavailable(kept)) {
    house_->Say(Severity::kAlarm,
                "neither store nor spool take a recording; it waits",
                {{"recording", name_.ToString()},
                 {"transfer_id", id.ToString()},
                 {"store", stored.message()},
                 {"reason", kept.message()}});
    RetryLater();
    return End({.status = absl::UnavailableError(
                    "the gateway's storage does not answer")});
  }
  committing_.reset();
  const absl::Status removed = house_->spool.Remove(name_, id);
  house_->Say(Severity::kAlarm,
              "spool: transfer given up, it begins again at 0",
              {{"recording", name_.ToString()},
               {"transfer_id", id.ToString()},
               {"store", stored.message()},
               {"reason", kept.message()},
               {"removed", removed.ok() ? "yes" : removed.message()}});
  if (absl::IsResourceExhausted(kept)) {
    return PauseStream(Pause::Reason::kSpoolFull);
  }
  End({.status = absl::UnavailableError(
           "the gateway lost what it had received; begin again"),
       .reason = EndReason::kSpoolFault});
}

void LiveRecording::OnStored(const Bundle& bundle) {
  Failpoint("gateway.committed");
  const Committing committed = *std::exchange(committing_, std::nullopt);
  const Finished& finished = committed.finished;
  const TransferId& id = committed.source.transfer_id;
  failures_ = 0;
  in_store_ = {.bundle = bundle, .sha256 = finished.sha256};
  Log(Severity::kInfo, "recording stored",
      {{"recording", name_.ToString()},
       {"transfer_id", id.ToString()},
       {"location", bundle.location},
       {"size", finished.size},
       {"sha256", finished.sha256.ToHex()}});
  if (house_->options.custody != nullptr) {
    return State({.bundle = bundle,
                  .finished = finished,
                  .transfer_id = id,
                  .device = committed.device,
                  .metadata = committed.metadata,
                  .read_back = house_->store.reads_back(),
                  .in_spool = true});
  }
  // A stream that has not declared anything yet will, and is answered then.
  if (current_ != nullptr && current_asked_) {
    SayStored(Stored{.size = finished.size, .sha256 = finished.sha256});
  }
  Failpoint("gateway.stored_sent");
  ForgetTransfer(id);
}

void LiveRecording::ForgetTransfer(const TransferId& id) {
  const absl::Status removed = house_->spool.Remove(name_, id);
  if (!removed.ok()) {
    // The next start finds it stored and tries again.
    house_->Say(
        Severity::kWarning, "spool: a stored transfer cannot be removed",
        {{"transfer_id", id.ToString()}, {"reason", removed.message()}});
  }
}

// The store holds other bytes under this name since after our Begin. Theirs
// stay; ours are kept for a person; the device sends them under another name.
void LiveRecording::OnConflict() {
  const TransferId id = committing_->source.transfer_id;
  const absl::Status aside = house_->spool.SetAside(name_, id);
  house_->Say(Severity::kAlarm, "other bytes are stored under this name",
              {{"recording", name_.ToString()},
               {"transfer_id", id.ToString()},
               {"set_aside", aside.ok() ? "yes" : aside.message()}});
  const Finish finish = {.size = committing_->finished.size,
                         .sha256 = committing_->finished.sha256};
  house_->State(statement::Conflicting{.name = name_,
                                       .transfer_id = id,
                                       .device = committing_->device,
                                       .sha256 = finish.sha256},
                CustodyLog::Importance::kMust);
  committing_.reset();
  const absl::Status found = LookIntoStore();
  // Another gateway's, which we do not answer for.
  if (found.ok() && !in_store_ && current_asked_) {
    return End(StreamEnd::OtherBytesStored(std::nullopt));
  }
  if (!found.ok() || !in_store_) {
    return End({.status = absl::UnavailableError(
                    "the gateway's storage does not answer")});
  }
  // Names the stored hash once it is known.
  if (current_asked_) AnswerFromStore(finish);
}

// Whatever keeps a finished transfer from the store, it is tried again by
// itself; the device need not come back.
void LiveRecording::RetryLater() {
  if (retry_set_) return;
  retry_set_ = true;
  // Longer each time, with full jitter.
  const double growth = std::pow(2.0, std::min(failures_, 16));
  ++failures_;
  const absl::Duration delay = std::min(kRetryMost, growth * kRetryFirst) *
                               house_->random.NextFraction();
  strand_.PostAfter(delay, [self = shared_from_this()] {
    self->retry_set_ = false;
    if (!self->draining_) self->TryAgain();
    self->UpdateBusy();
  });
}

void LiveRecording::StoreIsBack() {
  Post([this] {
    if (retry_set_ && !draining_) TryAgain();
    ++leaves_;
  });
}

void LiveRecording::TryAgain() {
  if (removing_) return;  // what stays is tried behind it
  if (committing_) return Commit();
  if (stating_) return StateAgain();
  if (leftover_) return LeftoverAgain(house_, *leftover_);
  if (lays_stated_) return LayStatedNow();
  if (partial_ != nullptr && partial_->finished() && !finish_) {
    FinishFromSpool();
  }
}

void LiveRecording::RetryCommit(const absl::Status& why) {
  house_->Say(Severity::kAlarm, "the store does not take a recording; it waits",
              {{"recording", name_.ToString()},
               {"transfer_id", committing_->source.transfer_id.ToString()},
               {"attempt", failures_ + 1},
               {"reason", why.message()}});
  RetryLater();
  PauseStream(Pause::Reason::kStoreAway);
}

// What the store read back was not what was received: the medium below the
// spool may be to blame.
void LiveRecording::DoubtSpool() {
  Committing doubted = *std::exchange(committing_, std::nullopt);
  if (const absl::Status loaded = EnsureLoaded(); !loaded.ok()) {
    committing_ = std::move(doubted);
    return RetryCommit(loaded);
  }
  if (!HasTransfer()) {
    return End({.status = absl::UnavailableError(
                    "the gateway lost what it had received; begin again"),
                .reason = EndReason::kSpoolFault});
  }
  if (partial_ == nullptr || finish_) return;
  // The bytes are not all what the journal said, and the device was told that
  // they are all here.
  if (current_ == nullptr) return;
  current_->inside_->Send(state_->CutBack(state_->received()));
}

void LiveRecording::StoreLeftover(const Unstored& unstored) {
  Post([this, unstored] {
    leftover_ = unstored;
    leftover_has_turn_ = true;
    LoadLeftover();
    ++leaves_;
  });
}

void LiveRecording::LoadLeftover() {
  const absl::Status loaded = EnsureLoaded();
  if (!loaded.ok()) {
    house_->Say(Severity::kAlarm,
                "spool: a finished transfer cannot be read; it waits",
                {{"recording", name_.ToString()},
                 {"transfer_id", leftover_->id.ToString()},
                 {"reason", loaded.message()}});
    return RetryLater();
  }
  if (partial_ != nullptr && !partial_->finished()) {
    // After a power cut the bytes are not all what the journal said: the
    // device, which had no answer yet, sends the rest again.
    house_->Say(Severity::kWarning, "spool: a finished transfer is incomplete",
                {{"recording", name_.ToString()},
                 {"transfer_id", leftover_->id.ToString()},
                 {"received", state_->received()}});
  }
  leftover_.reset();
}

void LiveRecording::AnswerFromStore(const Finish& finish) {
  // What was deleted was stored: its receipt says so for good.
  if (in_store_->deleted) return AnswerOf(finish);
  // What we remember may be older than what somebody did to the store.
  const absl::StatusOr<std::vector<Bundle>> found = house_->store.Find(name_);
  if (!found.ok()) return StoreNotReadable(found.status());
  if (std::find(found->begin(), found->end(), in_store_->bundle) ==
      found->end()) {
    return StoreNotReadable(absl::DataLossError("it is no longer there"));
  }
  if (in_store_->sha256) {
    finish_.reset();
    return AnswerOf(finish);
  }
  finish_ = finish;
  if (store_reading_) return;
  absl::StatusOr<std::unique_ptr<StoredBytes>> bytes =
      house_->store.Read(in_store_->bundle);
  if (!bytes.ok()) return StoreNotReadable(bytes.status());
  store_reading_ = {.bytes = *std::move(bytes), .hash = {}};
  StepStoreReading();
}

// Of what is in the store, or was, and hashed.
void LiveRecording::AnswerOf(const Finish& finish) {
  const bool same = finish.size == in_store_->bundle.size &&
                    finish.sha256 == *in_store_->sha256;
  if (!same) return End(StreamEnd::OtherBytesStored(in_store_->sha256));
  if (current_ == nullptr) return;
  if (house_->options.custody != nullptr) return AnswerWithReceipt(finish);
  SayStored(Stored{.size = finish.size, .sha256 = finish.sha256});
}

void LiveRecording::StepStoreReading() {
  PostStep([this] {
    if (!store_reading_) return;
    const uint64_t from = store_reading_->hash.bytes_hashed();
    const absl::StatusOr<std::string> piece =
        store_reading_->bytes->Read(from, kStoreStepBytes);
    if (!piece.ok()) return StoreNotReadable(piece.status());
    store_reading_->hash.Update(*piece);
    if (!piece->empty()) return StepStoreReading();
    // Nobody knows whether whoever put it there made it durable.
    const absl::Status kept = house_->store.Keep(in_store_->bundle);
    if (!kept.ok()) return StoreNotReadable(kept);
    in_store_->sha256 = store_reading_->hash.Current();
    in_store_->bundle.size = from;
    store_reading_.reset();
    if (finish_) AnswerFromStore(*std::exchange(finish_, std::nullopt));
  });
}

void LiveRecording::StoreNotReadable(const absl::Status& why) {
  house_->Say(Severity::kAlarm, "a stored recording cannot be read",
              {{"recording", name_.ToString()},
               {"location", in_store_->bundle.location},
               {"reason", why.message()}});
  store_reading_.reset();
  in_store_.reset();  // look again next time
  finish_.reset();
  End({.status =
           absl::UnavailableError("the gateway's storage does not answer")});
}

}  // namespace schleuse
