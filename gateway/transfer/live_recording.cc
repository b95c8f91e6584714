#include "gateway/transfer/live_recording.h"

#include <algorithm>
#include <utility>

#include "base/crc32c.h"
#include "base/failpoint.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/status.h"

namespace schleuse {
namespace {

// So many takeovers within a minute are worth a person's look.
constexpr size_t kTakeoversAMinuteMax = 5;

}  // namespace

LiveRecording::LiveRecording(RecordingName name,
                             std::shared_ptr<IntakeInside> house)
    : name_(std::move(name)),
      house_(std::move(house)),
      strand_(house_->workers) {}

Task LiveRecording::Work(absl::AnyInvocable<void()> work) {
  return [self = shared_from_this(), work = std::move(work)]() mutable {
    work();
    self->UpdateBusy();
    // Last: whoever still works here is counted by now.
    for (; self->leaves_ > 0; --self->leaves_) {
      self->house_->registry.Leave(self->name_, self->HasTransfer());
    }
  };
}

void LiveRecording::Post(absl::AnyInvocable<void()> work) {
  strand_.Post(Work(std::move(work)));
}

void LiveRecording::GoOn(absl::AnyInvocable<void()> work) {
  strand_.RunOrPost(Work(std::move(work)));
}

void LiveRecording::PostStep(absl::AnyInvocable<void()> work) {
  house_->workers.Post(
      [self = shared_from_this(), work = std::move(work)]() mutable {
        self->Post(std::move(work));
      });
}

void LiveRecording::Attach(std::shared_ptr<Stream> stream, Begin begin) {
  std::shared_ptr<Stream> before;
  {
    // Posted under the lock: whoever is newest is also the last in the queue.
    MutexLock lock(newest_mutex_);
    before = std::exchange(newest_, stream);
    Post([this, stream, begin = std::move(begin)] { OnAttach(stream, begin); });
  }
  if (before != nullptr && before != stream) {
    before->inside_->End(
        {.status = absl::AbortedError("a newer stream carries this transfer"),
         .reason = EndReason::kTakenOver});
  }
}

void LiveRecording::Take(std::shared_ptr<Stream> stream, Chunk chunk,
                         bool crc_is_good) {
  Post([this, stream = std::move(stream), chunk = std::move(chunk),
        crc_is_good] {
    OnChunk(stream, chunk, crc_is_good);
    stream->inside_->Dequeued(chunk.data.size());
  });
}

void LiveRecording::TakeFinish(std::shared_ptr<Stream> stream,
                               const Finish& finish) {
  Post(
      [this, stream = std::move(stream), finish] { OnFinish(stream, finish); });
}

void LiveRecording::Detach(std::shared_ptr<Stream> stream) {
  ForgetNewest(stream);
  Post([this, stream = std::move(stream)] { OnDetach(stream); });
}

void LiveRecording::ForgetNewest(const std::shared_ptr<Stream>& stream) {
  MutexLock lock(newest_mutex_);
  if (newest_ == stream) newest_ = nullptr;
}

void LiveRecording::Look(
    absl::AnyInvocable<void(absl::StatusOr<TransferView>)> done) {
  Post([this, done = std::move(done)]() mutable {
    const absl::Status loaded = EnsureLoaded();
    if (!loaded.ok()) {
      done(absl::UnavailableError("the spool or the store cannot be read now"));
    } else if (!HasTransfer() && house_->spool.Mismatches(name_) == 0) {
      done(absl::NotFoundError("no transfer of this recording is known"));
    } else {
      done(View());
    }
    ++leaves_;
  });
}

TransferView LiveRecording::View() const {
  using State = TransferView::State;
  TransferView view = {.state = State::kReceiving,
                       .mismatches = house_->spool.Mismatches(name_)};
  if (in_store_) {
    view.state = in_store_->deleted ? State::kDeleted : State::kStored;
    view.received_offset = view.durable_offset = in_store_->bundle.size;
  } else if (committing_) {
    view.state = State::kFinished;
    view.transfer_id = committing_->source.transfer_id;
    view.received_offset = committing_->finished.size;
    view.durable_offset =
        committing_->without_journal ? 0 : committing_->finished.size;
  } else if (partial_ != nullptr) {
    view.transfer_id = partial_->id();
    view.received_offset = state_->received();
    view.durable_offset = state_->durable();
  } else if (view.mismatches >= limits::kMismatchesMax) {
    view.state = State::kHeldForOperator;
  }
  return view;
}

void LiveRecording::End(StreamEnd end) {
  if (current_ == nullptr) return;
  current_ended_ = true;
  current_->inside_->End(end);
}

void LiveRecording::SayStored(const Reply& stored) {
  current_->inside_->Send(stored);
  End({.status = absl::OkStatus()});
  ForgetNewest(current_);
  if (!current_->inside_->left.exchange(true)) ++leaves_;
  current_ = nullptr;
}

void LiveRecording::PauseStream(Pause::Reason reason) {
  if (current_ == nullptr) return;
  const absl::Duration retry_after = house_->options.pause;
  current_->inside_->Send(Pause{.retry_after = retry_after, .reason = reason});
  absl::string_view why;
  switch (reason) {
    case Pause::Reason::kStoreAway:
      why = "received and safe, but the store cannot take it now";
      break;
    case Pause::Reason::kTooManyTransfers:
      why = "this device has begun too many transfers without finishing them";
      break;
    default:
      why = "the spool is full";
  }
  house_->Say(Severity::kAlarm, "a device has to wait",
              {{"recording", name_.ToString()},
               {"principal", current_->inside_->principal.spiffe_id()},
               {"reason", why}});
  End({.status = absl::ResourceExhaustedError(why),
       .reason = EndReason::kPaused,
       .retry_after = retry_after});
}

void LiveRecording::NoteTakeover(const Principal& by) {
  const std::string& before = current_->inside_->principal.spiffe_id();
  if (before != by.spiffe_id()) {
    house_->Say(Severity::kWarning, "transfer taken over by another device",
                {{"recording", name_.ToString()},
                 {"from", before},
                 {"to", by.spiffe_id()}});
    if (partial_ != nullptr) {
      house_->State(statement::TakenOver{.name = name_,
                                         .transfer_id = partial_->id(),
                                         .device = by.spiffe_id(),
                                         .from_device = before},
                    CustodyLog::Importance::kOrdinary);
    }
  }
  const absl::Time now = house_->clock.Now();
  takeovers_.push_back(now);
  while (now - takeovers_.front() > absl::Minutes(1)) takeovers_.pop_front();
  if (takeovers_.size() == kTakeoversAMinuteMax) {
    house_->Say(Severity::kAlarm, "transfer taken over again and again",
                {{"recording", name_.ToString()}, {"by", by.spiffe_id()}});
  }
  // The alarm is given; how often beyond it does not matter.
  if (takeovers_.size() > kTakeoversAMinuteMax) takeovers_.pop_front();
}

void LiveRecording::OnAttach(const std::shared_ptr<Stream>& stream,
                             const Begin& begin) {
  const Principal& principal = stream->inside_->principal;
  if (current_ != nullptr) NoteTakeover(principal);
  current_ = stream;
  current_ended_ = false;
  current_asked_ = false;
  if (house_->options.custody != nullptr) current_metadata_ = begin.metadata;
  // What an older stream declared binds nobody, unless it was found to be true.
  const bool found_true = finish_ && partial_ != nullptr &&
                          partial_->finished() &&
                          partial_->finished()->size == finish_->size &&
                          partial_->finished()->sha256 == finish_->sha256;
  if (!found_true) ForgetFinish();
  // That goes on by itself, whatever this stream declares.
  if (!finish_ && partial_ != nullptr && partial_->finished()) RetryLater();
  if (house_->draining) {
    return End({.status = absl::UnavailableError("the gateway is stopping"),
                .reason = EndReason::kStopping});
  }
  if (removing_) {
    return End({.status = absl::UnavailableError(
                    "what there was of it is being deleted; begin again")});
  }
  OpenTransfer(begin, principal);
  if (!current_ended_) SendReady();
}

bool LiveRecording::HasTransfer() const {
  return partial_ != nullptr || committing_ || in_store_;
}

// Goes on with what there is, or begins; or ends the stream and says why.
void LiveRecording::OpenTransfer(const Begin& begin,
                                 const Principal& principal) {
  const auto refuse = [this](const absl::Status& why) {
    if (absl::IsResourceExhausted(why)) {
      return PauseStream(Pause::Reason::kSpoolFull);
    }
    house_->Say(Severity::kError, "transfer cannot be opened",
                {{"recording", name_.ToString()}, {"reason", why.message()}});
    End({.status =
             absl::UnavailableError("the gateway's storage does not answer")});
  };
  const absl::Status loaded = EnsureLoaded();
  // A store far away that does not answer now keeps nobody from bringing: what
  // is stored already shows when this is committed.
  const bool goes_on =
      absl::IsUnavailable(loaded) && !house_->store.keeps_spool_file();
  if (!loaded.ok() && !goes_on) return refuse(loaded);
  const bool is_new = !HasTransfer();
  if (is_new && house_->spool.Mismatches(name_) >= limits::kMismatchesMax) {
    return End({.status = absl::FailedPreconditionError(
                    "held for an operator: what arrived was not what the "
                    "device declared, several times"),
                .reason = EndReason::kHeldForOperator});
  }
  if (is_new && house_->spool.HeldBy(principal.spiffe_id()) >=
                    limits::kTransfersPerDeviceMax) {
    return PauseStream(Pause::Reason::kTooManyTransfers);
  }
  if (state_) state_->Attach(begin.size);
  // While chunks arrive, what came before the restart is hashed again.
  if (partial_ != nullptr && !partial_->hash_is_current()) StepReading();
  // What is complete needs no room, and storing it may make some.
  if (is_new || (state_ && !finish_ && !state_->complete())) {
    const absl::StatusOr<bool> room =
        HasRoom(state_ ? state_->missing() : begin.size.value_or(0));
    if (!room.ok()) return refuse(room.status());
    if (!*room) return PauseStream(Pause::Reason::kSpoolFull);
  }
  if (!is_new) return;
  absl::StatusOr<std::unique_ptr<Partial>> created =
      house_->spool.Create({.name = name_,
                            .principal = principal.spiffe_id(),
                            .metadata = begin.metadata,
                            .extension = begin.extension,
                            .priority = static_cast<int>(begin.priority) + 1,
                            .at = house_->clock.Now()});
  if (!created.ok()) return refuse(created.status());
  partial_ = *std::move(created);
  state_.emplace(0, 0);
  state_->Attach(begin.size);
  house_->State(statement::Opened{.name = name_,
                                  .transfer_id = partial_->id(),
                                  .device = principal.spiffe_id()},
                CustodyLog::Importance::kOrdinary);
}

// Brings back to memory what spool and store know of this recording; what was
// finished goes on into the store from here.
absl::Status LiveRecording::EnsureLoaded() {
  if (HasTransfer()) return absl::OkStatus();
  if (removing_) return absl::UnavailableError("it is being deleted");
  const std::optional<TransferId> id = house_->spool.Lookup(name_);
  if (!id) return LookIntoStore();
  if (!house_->store.keeps_spool_file()) return LoadPartial(*id);
  // If a crash came before the spool forgot a stored transfer, its bytes are
  // the stored file itself, which nobody opens for writing.
  ASSIGN_OR_RETURN(const std::vector<Bundle> stored, house_->store.Find(name_));
  if (!stored.empty()) return LoadStored(*id, stored.front());
  RETURN_IF_ERROR(LookForDeleted());
  if (!in_store_) return LoadPartial(*id);
  // Stored from this very transfer, which the spool was to forget.
  return house_->spool.Remove(name_, *id);
}

absl::Status LiveRecording::LoadPartial(const TransferId& id) {
  absl::StatusOr<std::unique_ptr<Partial>> partial = house_->spool.Resume(id);
  // It never came to its first sync and was let go of.
  if (absl::IsNotFound(partial.status())) {
    return house_->spool.Remove(name_, id);
  }
  if (absl::IsDataLoss(partial.status())) {
    house_->Say(Severity::kAlarm,
                "spool: transfer damaged, it begins again at 0",
                {{"recording", name_.ToString()},
                 {"transfer_id", id.ToString()},
                 {"reason", partial.status().message()}});
    return house_->spool.SetAside(name_, id);
  }
  RETURN_IF_ERROR(partial.status());
  partial_ = *std::move(partial);
  // Nothing is known to be synced; the first sync says so.
  state_.emplace(partial_->received(), 0);
  if (partial_->finished()) FinishFromSpool();
  return absl::OkStatus();
}

// The spool has a transfer of what is stored already.
absl::Status LiveRecording::LoadStored(const TransferId& id,
                                       const Bundle& stored) {
  const absl::StatusOr<std::optional<Unstored>> left =
      house_->spool.ReadFinished(id);
  if (left.ok() && *left) {
    committing_ =
        Committing{.source = SourceOf(id, (*left)->extension, (*left)->priority,
                                      (*left)->since),
                   .finished = (*left)->finished,
                   .device = (*left)->principal,
                   .metadata = (*left)->metadata};
    Post([this] {
      if (committing_) Commit();
    });
    return absl::OkStatus();
  }
  if (absl::IsNotFound(left.status())) {
    // It never came to its first sync and was let go of.
    RETURN_IF_ERROR(house_->spool.Remove(name_, id));
    in_store_ = {.bundle = stored, .sha256 = {}};
    return absl::OkStatus();
  }
  if (!left.ok() && !absl::IsDataLoss(left.status())) return left.status();
  house_->Say(Severity::kAlarm,
              "spool: unfinished transfer of a stored recording",
              {{"recording", name_.ToString()},
               {"transfer_id", id.ToString()},
               {"location", stored.location},
               {"reason", left.status().message()}});
  RETURN_IF_ERROR(house_->spool.SetAside(name_, id));
  in_store_ = {.bundle = stored, .sha256 = {}};
  return absl::OkStatus();
}

absl::StatusOr<bool> LiveRecording::HasRoom(uint64_t missing) const {
  ASSIGN_OR_RETURN(const uint64_t free, house_->spool.FreeBytes());
  const uint64_t reserve = house_->options.spool_reserve_bytes;
  return free >= reserve && free - reserve >= missing;
}

void LiveRecording::SendReady() {
  Ready ready = {.offset = 0,
                 .chunk_bytes_max = house_->ChunkBytesMax(),
                 .credit_bytes = RenewCredit(limits::kFirstCreditBytes),
                 .ack_every_bytes = AckEveryBytes(),
                 .ack_every = AckEvery()};
  if (in_store_) {
    ready.offset = in_store_->bundle.size;
    ready.already_stored = true;
  } else if (committing_) {
    ready.transfer_id = committing_->source.transfer_id;
    ready.offset = committing_->finished.size;
    ready.already_stored = true;
  } else {
    ready.transfer_id = partial_->id();
    ready.offset = state_->received();
    ready.already_stored = finish_.has_value();
  }
  current_->inside_->Send(ready);
}

void LiveRecording::OnChunk(const std::shared_ptr<Stream>& stream,
                            const Chunk& chunk, bool crc_is_good) {
  // A stream that was closed or overtaken still counts with all that it had
  // queued by then.
  if (stream != current_ || current_ended_) return;
  // Nothing is missing, or nothing more is taken.
  if (!state_ || finish_ || draining_) return;
  using Kind = TransferState::ChunkVerdict::Kind;
  const auto verdict =
      state_->OnChunk(chunk.offset, chunk.data.size(), crc_is_good);
  switch (verdict.kind) {
    case Kind::kTake:
      return TakeChunk(chunk, verdict.known);
    case Kind::kDrop:
      return;
    case Kind::kRewind:
      return current_->inside_->Send(verdict.rewind);
    case Kind::kTooLong:
      return End({.status = absl::InvalidArgumentError(
                      "a chunk lies beyond the size of the recording"),
                  .reason = EndReason::kBadMessage});
    case Kind::kTooManyRewinds:
      return End({.status = absl::DataLossError("too many rewinds"),
                  .reason = EndReason::kTooManyRewinds});
  }
}

void LiveRecording::TakeChunk(const Chunk& chunk, uint64_t known) {
  if (known > 0) {
    const absl::StatusOr<bool> same =
        partial_->Holds(chunk.offset, chunk.data.Subcord(0, known));
    if (!same.ok()) return OnSpoolError(same.status());
    if (!*same) {
      // Ours may be the damaged copy: then it is we who go back.
      const absl::StatusOr<std::optional<uint64_t>> damage =
          partial_->FirstDamage(chunk.offset, known);
      if (!damage.ok()) return OnSpoolError(damage.status());
      if (*damage) return GoBackTo(**damage);
      return End({.status = absl::DataLossError(
                      "bytes sent again differ from those received before"),
                  .reason = EndReason::kResentBytesDiffer});
    }
  }
  if (known == chunk.data.size()) return;
  const absl::Cord fresh = chunk.data.Subcord(known, chunk.data.size() - known);
  const uint32_t crc = known == 0 ? chunk.crc32c : Crc32c(fresh);
  const absl::Status appended = partial_->Append(fresh, crc);
  if (!appended.ok()) return OnSpoolError(appended);
  state_->Appended(fresh.size());
  Failpoint("gateway.appended");
  SyncSoon();
}

void LiveRecording::OnDetach(const std::shared_ptr<Stream>& stream) {
  ++leaves_;
  if (stream != current_) return;
  current_ = nullptr;
  if (!state_) return;
  // What the device sent is kept for its next stream; nothing is nothing.
  if (state_->durable() < state_->received()) return StartSync();
  if (state_->received() > 0 || finish_ || sync_running_) return;
  const absl::Status removed = house_->spool.Remove(name_, partial_->id());
  partial_ = nullptr;
  early_upload_ = nullptr;
  state_.reset();
  if (!removed.ok()) {
    house_->Say(
        Severity::kWarning, "spool: an empty transfer cannot be removed",
        {{"recording", name_.ToString()}, {"reason", removed.message()}});
  }
}

void LiveRecording::Drain(absl::AnyInvocable<void()> done) {
  Post([this, done = std::move(done)]() mutable {
    draining_ = true;
    drained_ = std::move(done);
    store_reading_.reset();
    if (state_ && state_->durable() < state_->received()) StartSync();
  });
}

}  // namespace schleuse
