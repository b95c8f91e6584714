// From Stored to the receipt: the custody log states it, the device hears it,
// and statement and receipt are laid beside the bytes. Only then the spool
// forgets the transfer, and the log's write-ahead records may go. A crash
// anywhere in between ends in one statement and one receipt: what the bundle
// has counts first, then what the log has, and only then it is stated.

#include <utility>

#include "base/failpoint.h"
#include "base/log.h"
#include "base/status.h"
#include "gateway/transfer/live_recording.h"

namespace schleuse {

void LiveRecording::State(Stating stating) {
  stating_ = std::move(stating);
  StateAgain();
}

void LiveRecording::StateAgain() {
  if (stating_->running) return;
  if (stating_->proof) return LayProof();
  absl::StatusOr<std::optional<Proof>> laid =
      house_->store.ReadProof(stating_->bundle);
  if (!laid.ok()) return OnStated(laid.status());
  if (laid->has_value()) {
    if (const absl::Status ours = IsOfWhatIsStored((*laid)->statement);
        !ours.ok()) {
      return OnStated(ours);
    }
    return OnProof(**std::move(laid));
  }
  CustodyLog& custody = *house_->options.custody;
  absl::StatusOr<std::optional<Logged>> before = custody.FindStored(name_);
  if (!before.ok()) return OnStated(before.status());
  // One of a bundle that is there no more, of which the log knows still, says
  // nothing of this one.
  if (before->has_value() && IsOfWhatIsStored((*before)->statement).ok()) {
    return OnStated(**std::move(before));
  }
  stating_->running = true;
  custody.Append(statement::Stored{.name = name_,
                                   .transfer_id = stating_->transfer_id,
                                   .device = stating_->device,
                                   .size = stating_->finished.size,
                                   .sha256 = stating_->finished.sha256,
                                   .location = house_->store.StatedLocation(
                                       stating_->bundle),
                                   .read_back = stating_->read_back,
                                   .metadata = stating_->metadata},
                 CustodyLog::Importance::kMust,
                 [self = shared_from_this()](absl::StatusOr<Logged> logged) {
                   // Others wait for the log's thread.
                   self->Post([self = self.get(), logged = std::move(logged)] {
                     self->stating_->running = false;
                     self->OnStated(logged);
                   });
                 });
}

absl::Status LiveRecording::IsOfWhatIsStored(
    absl::string_view statement) const {
  ASSIGN_OR_RETURN(const statement::Read read, statement::ReadBack(statement));
  const Bundle& bundle = stating_->bundle;
  if (!read.stored || read.stored->name != name_ ||
      read.stored->size != stating_->finished.size ||
      read.stored->sha256 != stating_->finished.sha256 ||
      read.stored->location != house_->store.StatedLocation(bundle)) {
    return absl::DataLossError(absl::StrCat(
        "the statement beside ", bundle.location, " is about something else"));
  }
  return absl::OkStatus();
}

void LiveRecording::OnStated(const absl::StatusOr<Logged>& logged) {
  if (logged.ok()) {
    Failpoint("gateway.stated");
    return OnProof(
        {.statement = logged->statement, .receipt = logged->receipt});
  }
  house_->Say(Severity::kAlarm, "a stored recording cannot be stated; it waits",
              {{"recording", name_.ToString()},
               {"attempt", failures_ + 1},
               {"reason", logged.status().message()}});
  RetryLater();
  PauseStream(Pause::Reason::kStoreAway);
}

void LiveRecording::OnProof(Proof proof) {
  failures_ = 0;
  in_store_->proof = proof;
  stating_->proof = std::move(proof);
  if (current_ != nullptr && current_asked_) SayReceipt();
  TellWatches();
  Failpoint("gateway.receipt_sent");
  LayProof();
}

void LiveRecording::TellWatches() {
  if (house_->watches.empty()) return;
  const absl::StatusOr<GivenReceipt> receipt = Given();
  if (!receipt.ok()) return;  // whoever asks for it is told so
  house_->watches.Tell(*receipt, stating_->device,
                       [this](const Principal& principal) {
                         return house_->roster.Current()
                             ->MayBring(principal, name_.camera_id())
                             .permitted();
                       });
}

// Beside the strand, with its syncs.
void LiveRecording::LayProof() {
  stating_->running = true;
  // The house has the layer, and we have the house; who is at work is held by
  // the registry.
  house_->layer->Lay({.bundle = stating_->bundle, .proof = *stating_->proof},
                     [us = weak_from_this()](absl::Status laid) {
                       const auto self = us.lock();
                       if (self == nullptr) return;
                       self->GoOn([self = self.get(), laid = std::move(laid)] {
                         self->stating_->running = false;
                         self->OnLaid(laid);
                       });
                     });
}

void LiveRecording::OnLaid(const absl::Status& status) {
  if (!status.ok()) {
    house_->Say(Severity::kAlarm, "a receipt cannot be laid beside its bytes",
                {{"recording", name_.ToString()},
                 {"location", stating_->bundle.location},
                 {"reason", status.message()}});
    return RetryLater();
  }
  Failpoint("gateway.laid");
  const Stating stated = *std::exchange(stating_, std::nullopt);
  house_->options.custody->Laid(name_);
  failures_ = 0;
  if (stated.in_spool) ForgetTransfer(stated.transfer_id);
}

void LiveRecording::SayReceipt() {
  const absl::StatusOr<GivenReceipt> receipt = Given();
  if (receipt.ok()) return SayStored(*receipt);
  house_->Say(Severity::kAlarm, "a receipt cannot be read",
              {{"recording", name_.ToString()},
               {"location", in_store_->bundle.location},
               {"reason", receipt.status().message()}});
  End({.status =
           absl::UnavailableError("the gateway's storage does not answer")});
}

// Of what is in the store, and hashed.
void LiveRecording::AnswerWithReceipt(const Finish& finish) {
  if (!in_store_->proof) {
    absl::StatusOr<std::optional<Proof>> laid =
        house_->store.ReadProof(in_store_->bundle);
    if (!laid.ok()) return StoreNotReadable(laid.status());
    in_store_->proof = *std::move(laid);
  }
  if (in_store_->proof) return SayReceipt();
  // The process died between the two, or kept no log.
  State({.bundle = in_store_->bundle,
         .finished = {.size = finish.size, .sha256 = finish.sha256},
         .transfer_id = TransferId::Make(house_->random),
         .device = current_->inside_->principal.spiffe_id(),
         .metadata = current_metadata_,
         .read_back = true,
         .in_spool = false});
}

absl::StatusOr<GivenReceipt> LiveRecording::Given() const {
  const Proof& proof = *in_store_->proof;
  ASSIGN_OR_RETURN(const statement::Read read,
                   statement::ReadBack(proof.statement));
  if (!read.stored || read.stored->name != name_) {
    return absl::DataLossError("its statement is about something else");
  }
  return GivenReceipt{.name = name_,
                      .size = read.stored->size,
                      .sha256 = read.stored->sha256,
                      .statement = proof.statement,
                      .proof = proof.receipt};
}

void LiveRecording::FindReceipt(
    absl::AnyInvocable<void(absl::StatusOr<GivenReceipt>)> done) {
  Post([this, done = std::move(done)]() mutable {
    absl::Status found = EnsureLoaded();
    if (found.ok() && in_store_ && !in_store_->proof && !stating_) {
      absl::StatusOr<std::optional<Proof>> laid =
          house_->store.ReadProof(in_store_->bundle);
      found = laid.status();
      if (laid.ok()) in_store_->proof = *std::move(laid);
    }
    if (!found.ok()) {
      done(absl::UnavailableError("the store cannot be read now"));
    } else if (!in_store_ || !in_store_->proof) {
      done(absl::NotFoundError("no receipt of this recording was given yet"));
    } else {
      done(Given());
    }
    ++leaves_;
  });
}

void LiveRecording::LayStated() {
  Post([this] {
    ++leaves_;
    LayStatedNow();
  });
}

void LiveRecording::LayStatedNow() {
  lays_stated_ = false;
  const auto later = [this] {
    lays_stated_ = true;
    RetryLater();
  };
  const absl::Status loaded = EnsureLoaded();
  // What the spool has of it goes on by itself.
  if (committing_ || stating_ || partial_ != nullptr) return;
  if (!loaded.ok()) return later();
  const absl::StatusOr<std::optional<Logged>> found =
      house_->options.custody->FindStored(name_);
  if (!found.ok()) {
    house_->Say(Severity::kAlarm, "a receipt is not laid into its bundle yet",
                {{"recording", name_.ToString()},
                 {"reason", found.status().message()}});
    return later();
  }
  const std::optional<Logged>& logged = *found;
  if (!logged) return;
  if (!in_store_) {
    house_->Say(Severity::kAlarm,
                "stated as stored, but the store does not have it",
                {{"recording", name_.ToString()}});
    // It deletes by its own rules, and the log need not wait for what does
    // not come back.
    if (!house_->store.deletes()) house_->options.custody->Laid(name_);
    return;
  }
  if (in_store_->deleted) {
    // It was laid before that, or there would be no deletion.
    return house_->options.custody->Laid(name_);
  }
  const absl::StatusOr<statement::Read> read =
      statement::ReadBack(logged->statement);
  if (!read.ok() || !read->stored) return;
  const absl::StatusOr<std::optional<Bundle>> stated =
      FindAt(read->stored->location);
  if (!stated.ok()) return later();
  if (!*stated) {
    house_->Say(Severity::kAlarm,
                "stated as stored, but the store does not have it there",
                {{"recording", name_.ToString()},
                 {"location", read->stored->location}});
    return;
  }
  in_store_->bundle = **stated;
  State(
      {.bundle = in_store_->bundle,
       .finished = {.size = read->stored->size, .sha256 = read->stored->sha256},
       .transfer_id = TransferId::Make(house_->random),
       .device = {},
       .metadata = {},
       .read_back = false,
       .in_spool = false});
}

// Of all that is stored under this name, what a statement says lies there.
absl::StatusOr<std::optional<Bundle>> LiveRecording::FindAt(
    absl::string_view location) const {
  ASSIGN_OR_RETURN(const std::vector<Bundle> found, house_->store.Find(name_));
  for (const Bundle& bundle : found) {
    if (house_->store.StatedLocation(bundle) == location) return bundle;
  }
  return std::nullopt;
}

}  // namespace schleuse
