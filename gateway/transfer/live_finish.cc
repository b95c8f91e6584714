// From Finish to Stored: the bytes are what the device declared, durable in
// the spool, then in the store; and what happens when they are not.

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
constexpr absl::Duration kCommitRetryFirst = absl::Seconds(1);
constexpr absl::Duration kCommitRetryMost = absl::Minutes(5);

StreamEnd OtherBytesStored(const std::optional<Digest>& stored) {
  return {.status = absl::AlreadyExistsError(
              "other bytes are stored under this name"),
          .reason = EndReason::kOtherBytesStored,
          .stored_sha256 = stored};
}

}  // namespace

StoreSource LiveRecording::SourceOf(const Partial& partial) const {
  return {.name = name_,
          .transfer_id = partial.id(),
          .path = house_->spool.BytesPath(partial.id()),
          .extension = partial.begun().extension};
}

void LiveRecording::OnFinish(const std::shared_ptr<Stream>& stream,
                             const Finish& finish) {
  if (stream != current_ || current_ended_ || draining_) return;
  current_asked_ = true;
  if (in_store_) return AnswerFromStore(finish);
  if (committing_) {
    if (finish.size != committing_->finished.size ||
        finish.sha256 != committing_->finished.sha256) {
      return End(OtherBytesStored(committing_->finished.sha256));
    }
    // The device waits; if the store was away, look whether it is back.
    if (committing_->retry_set) Commit();
    return;
  }
  if (!state_) return;
  if (finish_) {
    // An earlier stream declared it already and the check is under way.
    if (finish.size != finish_->size || finish.sha256 != finish_->sha256) {
      End(OtherBytesStored(finish_->sha256));
    }
    return;
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
  if (!partial_->hash_is_current()) return StepHash();
  if (finish_->size != state_->received() ||
      finish_->sha256 != partial_->Hash()) {
    return OnHashDiffers();
  }
  RecordFinished();
}

void LiveRecording::RecordFinished() {
  const absl::Status recorded = partial_->RecordFinished(
      {.size = finish_->size, .sha256 = finish_->sha256},
      house_->store.TargetOf(SourceOf(*partial_)));
  if (!recorded.ok()) return OnSpoolError(recorded);
  if (sync_running_) {
    // That one may have begun before the record was written.
    finish_sync_ = FinishSync::kWanted;
  } else {
    finish_sync_ = FinishSync::kRunning;
    StartSync();
  }
}

absl::StatusOr<Partial::SelfCheck> LiveRecording::CheckOwnBytes() {
  Log(Severity::kWarning, "spool: checking the bytes of a transfer",
      {{"recording", name_.ToString()},
       {"transfer_id", partial_->id().ToString()}});
  return partial_->CheckBytes();
}

// Before the device is blamed, the spool is held against its own journal.
void LiveRecording::OnHashDiffers() {
  const absl::StatusOr<Partial::SelfCheck> check = CheckOwnBytes();
  if (!check.ok()) return OnSpoolError(check.status());
  if (check->first_damage < state_->received()) {
    return GoBackTo(check->first_damage);
  }
  if (finish_->size == state_->received() && finish_->sha256 == check->sha256) {
    return RecordFinished();  // it was the running hash that was damaged
  }
  CloseAsMismatch(check->sha256);
}

void LiveRecording::GoBackTo(uint64_t offset) {
  Log(Severity::kAlarm, "spool: damaged, the device is asked to send again",
      {{"recording", name_.ToString()},
       {"transfer_id", partial_->id().ToString()},
       {"offset", offset}});
  finish_.reset();
  finish_sync_ = FinishSync::kNone;
  // What is stored may be this very file, and is not cut whatever it holds.
  const absl::StatusOr<std::vector<Bundle>> stored = house_->store.Find(name_);
  if (!stored.ok() || !stored->empty()) {
    return LoseTransfer(absl::DataLossError("damaged, and perhaps stored"));
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
  Log(Severity::kAlarm, "the bytes are not what the device declared",
      {{"recording", name_.ToString()},
       {"transfer_id", id.ToString()},
       {"declared_size", finish_->size},
       {"declared_sha256", finish_->sha256.ToHex()},
       {"received_size", state_->received()},
       {"received_sha256", received.ToHex()}});
  partial_->RecordMismatch(finish_->size, finish_->sha256, received,
                           house_->clock.Now());
  // Rare, so on the strand: nothing may come between the record and its sync.
  absl::Status synced = partial_->BeginSync().status();
  if (synced.ok()) synced = partial_->Sync();
  // The journal may say by now that this transfer ended: it cannot go on.
  if (!synced.ok()) return LoseTransfer(synced);
  house_->spool.CloseMismatched(name_, id);
  partial_ = nullptr;
  state_.reset();
  finish_.reset();
  End({.status = absl::DataLossError(
           "size or hash differ from what the device declared"),
       .reason = EndReason::kMismatch});
}

// Everything is durable in the spool: from now on the files are closed and the
// store decides.
void LiveRecording::Commit() {
  if (!committing_) {
    Failpoint("gateway.finished");
    committing_ = Committing{.source = SourceOf(*partial_),
                             .finished = *partial_->finished()};
    partial_ = nullptr;
    state_.reset();
    finish_.reset();
    finish_sync_ = FinishSync::kNone;
  }
  if (committing_->doubtful) return DoubtSpool();
  const Finished& finished = committing_->finished;
  absl::StatusOr<std::unique_ptr<StoreUpload>> upload =
      house_->store.Open(committing_->source);
  if (!upload.ok()) return RetryCommit(upload.status());
  const absl::StatusOr<Bundle> stored =
      (*upload)->Commit(finished.size, finished.sha256);
  if (absl::IsAlreadyExists(stored.status())) return OnConflict();
  committing_->doubtful = absl::IsDataLoss(stored.status());
  if (!stored.ok()) return RetryCommit(stored.status());
  OnStored(*stored);
}

void LiveRecording::OnStored(const Bundle& bundle) {
  Failpoint("gateway.committed");
  const Finished finished = committing_->finished;
  const TransferId id = committing_->source.transfer_id;
  committing_.reset();
  commit_failures_ = 0;
  in_store_ = {.bundle = bundle, .sha256 = finished.sha256};
  Log(Severity::kInfo, "recording stored",
      {{"recording", name_.ToString()},
       {"transfer_id", id.ToString()},
       {"location", bundle.location},
       {"size", finished.size},
       {"sha256", finished.sha256.ToHex()}});
  // A stream that has not declared anything yet will, and is answered then.
  if (current_ != nullptr && current_asked_) {
    current_->inside_->Send(
        Stored{.size = finished.size, .sha256 = finished.sha256});
    End({.status = absl::OkStatus()});
  }
  Failpoint("gateway.stored_sent");
  const absl::Status removed = house_->spool.Remove(name_, id);
  if (!removed.ok()) {
    // The next start finds it stored and tries again.
    Log(Severity::kWarning, "spool: a stored transfer cannot be removed",
        {{"transfer_id", id.ToString()}, {"reason", removed.message()}});
  }
}

// The store holds other bytes under this name since after our Begin. Theirs
// stay; ours are kept for a person; the device sends them under another name.
void LiveRecording::OnConflict() {
  const TransferId id = committing_->source.transfer_id;
  const absl::Status aside = house_->spool.SetAside(name_, id);
  Log(Severity::kAlarm, "other bytes are stored under this name",
      {{"recording", name_.ToString()},
       {"transfer_id", id.ToString()},
       {"set_aside", aside.ok() ? "yes" : aside.message()}});
  const Finish finish = {.size = committing_->finished.size,
                         .sha256 = committing_->finished.sha256};
  committing_.reset();
  const absl::Status found = LookIntoStore();
  if (!found.ok() || !in_store_) {
    return End({.status = absl::UnavailableError(
                    "the gateway's storage does not answer")});
  }
  // Names the stored hash once it is known.
  if (current_asked_) AnswerFromStore(finish);
}

void LiveRecording::RetryCommit(const absl::Status& why) {
  Log(Severity::kAlarm, "the store does not take a recording; it waits",
      {{"recording", name_.ToString()},
       {"transfer_id", committing_->source.transfer_id.ToString()},
       {"attempt", commit_failures_ + 1},
       {"reason", why.message()}});
  const double growth = std::pow(2.0, std::min(commit_failures_, 16));
  const absl::Duration most =
      std::min(kCommitRetryMost, growth * kCommitRetryFirst);
  ++commit_failures_;
  if (!committing_->retry_set) {
    committing_->retry_set = true;
    strand_.PostAfter(most * house_->random.NextFraction(),
                      [self = shared_from_this()] {
                        if (!self->committing_ || !self->committing_->retry_set)
                          return;
                        self->committing_->retry_set = false;
                        if (!self->draining_) self->Commit();
                        self->UpdateBusy();
                      });
  }
  PauseStream(Pause::Reason::kStoreAway, house_->options.pause);
}

// What the store read back was not what was received: the medium below the
// spool may be to blame.
void LiveRecording::DoubtSpool() {
  const Committing doubted = *std::exchange(committing_, std::nullopt);
  if (const absl::Status loaded = EnsureLoaded(); !loaded.ok()) {
    committing_ = doubted;
    return RetryCommit(loaded);
  }
  FinishFromSpool();
}

void LiveRecording::AnswerFromStore(const Finish& finish) {
  finish_ = finish;
  if (in_store_->sha256) {
    const bool same = finish.size == in_store_->bundle.size &&
                      finish.sha256 == *in_store_->sha256;
    finish_.reset();
    if (!same) return End(OtherBytesStored(in_store_->sha256));
    if (current_ == nullptr) return;
    current_->inside_->Send(
        Stored{.size = finish.size, .sha256 = finish.sha256});
    return End({.status = absl::OkStatus()});
  }
  if (store_reading_) return;
  absl::StatusOr<std::unique_ptr<StoredBytes>> bytes =
      house_->store.Read(in_store_->bundle);
  if (!bytes.ok()) return StoreNotReadable(bytes.status());
  store_reading_ = {.bytes = *std::move(bytes), .hash = {}};
  StepStoreReading();
}

void LiveRecording::StepStoreReading() {
  Post([this] {
    if (!store_reading_) return;
    const uint64_t from = store_reading_->hash.bytes_hashed();
    const absl::StatusOr<std::string> piece =
        store_reading_->bytes->Read(from, kStoreStepBytes);
    if (!piece.ok()) return StoreNotReadable(piece.status());
    store_reading_->hash.Update(*piece);
    if (!piece->empty()) return StepStoreReading();
    in_store_->sha256 = store_reading_->hash.Current();
    in_store_->bundle.size = from;
    store_reading_.reset();
    if (finish_) AnswerFromStore(*std::exchange(finish_, std::nullopt));
  });
}

void LiveRecording::StoreNotReadable(const absl::Status& why) {
  Log(Severity::kAlarm, "a stored recording cannot be read",
      {{"recording", name_.ToString()},
       {"location", in_store_->bundle.location},
       {"reason", why.message()}});
  store_reading_.reset();
  in_store_.reset();  // look again next time
  finish_.reset();
  End({.status =
           absl::UnavailableError("the gateway's storage does not answer")});
}

void LiveRecording::StoreLeftover(const Unstored& unstored) {
  Post([this, unstored] { OnLeftover(unstored); });
}

void LiveRecording::OnLeftover(const Unstored& unstored) {
  ++leaves_;
  // A device that came first may have brought it further already.
  if (committing_ || in_store_ || finish_) return;
  if (unstored.bytes_missing) return OnLeftoverWithoutBytes(unstored);
  const absl::StatusOr<std::vector<Bundle>> stored = house_->store.Find(name_);
  if (stored.ok() && !stored->empty()) {
    // The crash came before the spool forgot it. The two may be one file: it is
    // compared, and not opened for writing.
    committing_ =
        Committing{.source = {.name = name_,
                              .transfer_id = unstored.id,
                              .path = house_->spool.BytesPath(unstored.id),
                              .extension = unstored.extension},
                   .finished = unstored.finished};
    return Commit();
  }
  const absl::Status loaded = EnsureLoaded();
  if (!loaded.ok()) {
    return Log(Severity::kAlarm, "spool: a finished transfer cannot be read",
               {{"recording", name_.ToString()},
                {"transfer_id", unstored.id.ToString()},
                {"reason", loaded.message()}});
  }
  FinishFromSpool();
}

// What the journal says is finished is hashed again, then stored.
void LiveRecording::FinishFromSpool() {
  if (partial_ == nullptr || !partial_->finished()) {
    // After a power cut the bytes are not all what the journal said: the
    // device, which has no answer yet, sends the rest again.
    Log(Severity::kWarning, "spool: a finished transfer is incomplete",
        {{"recording", name_.ToString()}});
    if (current_ != nullptr && state_) {
      current_->inside_->Send(state_->CutBack(state_->received()));
    }
    return;
  }
  finish_ = Finish{.size = partial_->finished()->size,
                   .sha256 = partial_->finished()->sha256};
  ContinueFinish();
}

// Bytes leave the spool only once the store has them.
void LiveRecording::OnLeftoverWithoutBytes(const Unstored& unstored) {
  const absl::Status found = LookIntoStore();
  if (!found.ok() || !in_store_ ||
      in_store_->bundle.size != unstored.finished.size) {
    return Log(Severity::kAlarm,
               "a finished transfer is neither in the spool nor in the store",
               {{"recording", name_.ToString()},
                {"transfer_id", unstored.id.ToString()},
                {"sha256", unstored.finished.sha256.ToHex()},
                {"reason", found.message()}});
  }
  const absl::Status removed = house_->spool.Remove(name_, unstored.id);
  if (!removed.ok()) {
    Log(Severity::kWarning, "spool: a stored transfer cannot be removed",
        {{"transfer_id", unstored.id.ToString()},
         {"reason", removed.message()}});
  }
}

}  // namespace schleuse
