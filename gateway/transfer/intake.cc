#include "gateway/transfer/intake.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/crc32c.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/status.h"
#include "gateway/transfer/intake_inside.h"
#include "gateway/transfer/live_recording.h"

namespace schleuse {

uint64_t IntakeInside::CreditBytes() const {
  return credit.PartOf(streams->all());
}

uint64_t IntakeInside::ChunkBytesMax() const {
  return std::min(CreditBytes() / 8, limits::kChunkBytesMax);
}

void IntakeInside::Say(Severity severity, absl::string_view event,
                       std::initializer_list<LogField> fields) {
  std::optional<uint64_t> left_out;
  {
    MutexLock lock(log_mutex);
    left_out = log_budgets[std::string(event)].Take(clock.Now());
  }
  if (!left_out) return;
  Log(severity, event, fields);
  if (*left_out == 0) return;
  Log(Severity::kWarning, "lines were left out",
      {{"event", event}, {"lines", *left_out}});
}

namespace {

// The live recording of that name, made if there is none; one holder more.
std::shared_ptr<LiveRecording> JoinLive(
    const std::shared_ptr<IntakeInside>& house, const RecordingName& name) {
  return house->registry.Join(
      name, [&] { return std::make_shared<LiveRecording>(name, house); });
}

}  // namespace

void StartLeftovers(const std::shared_ptr<IntakeInside>& house) {
  while (!house->draining) {
    std::optional<Unstored> next;
    {
      MutexLock lock(house->leftovers_mutex);
      if (house->leftovers.empty() ||
          house->leftovers_running >= limits::kLeftoversAtOnceMax) {
        return;
      }
      ++house->leftovers_running;
      next = std::move(house->leftovers.front());
      house->leftovers.pop_front();
    }
    JoinLive(house, next->name)->StoreLeftover(*next);
  }
}

void LeftoverDone(const std::shared_ptr<IntakeInside>& house) {
  {
    MutexLock lock(house->leftovers_mutex);
    --house->leftovers_running;
  }
  StartLeftovers(house);
}

void LeftoverAgain(const std::shared_ptr<IntakeInside>& house,
                   const Unstored& unstored) {
  {
    MutexLock lock(house->leftovers_mutex);
    house->leftovers.push_back(unstored);
  }
  StartLeftovers(house);
}

void IntakeInside::State(statement::Event event,
                         CustodyLog::Importance importance) {
  if (options.custody == nullptr) return;
  options.custody->Append(std::move(event), importance, nullptr);
}

void IntakeInside::StateRefused(const RecordingName& name,
                                const Principal& principal,
                                absl::string_view reason) {
  if (const auto left_out = refusals.Take(clock.Now())) {
    State(statement::Refused{.name = name,
                             .device = principal.spiffe_id(),
                             .reason = std::string(reason),
                             .left_out = *left_out},
          CustodyLog::Importance::kOrdinary);
  }
}

// --- Stream ------------------------------------------------------------------

void Stream::Inside::End(const StreamEnd& end) {
  if (!ended.exchange(true)) outlet->End(end);
}

void Stream::Inside::Send(const Reply& reply) {
  if (!ended) outlet->Send(reply);
}

void Stream::Inside::SayRefused(absl::string_view event,
                                absl::string_view reason) {
  house->Say(Severity::kWarning, event,
             {{"principal", principal.spiffe_id()}, {"reason", reason}});
}

void Stream::Inside::Dequeued(uint64_t bytes) {
  {
    MutexLock lock(mutex);
    queued_bytes -= bytes + limits::kQueuedChunkCostBytes;
    const uint64_t most =
        std::min(limits::kQueuedBytesMax, house->CreditBytes());
    if (!reading_stopped || queued_bytes > most / 2) return;
    reading_stopped = false;
  }
  outlet->ResumeReading();
}

Stream::Stream(std::unique_ptr<Inside> inside) : inside_(std::move(inside)) {}

Stream::~Stream() = default;

void Stream::OnBegin(Begin begin) {
  // Who may bring what is asked first, at every Begin.
  const Decision decision = inside_->house->roster.Current()->MayBring(
      inside_->principal, begin.name.camera_id());
  if (inside_->begun) return OnBadMessage("a second Begin");
  inside_->begun = true;
  if (!decision.permitted()) {
    inside_->SayRefused("begin refused", absl::StrCat(begin.name.ToString(),
                                                      ": ", decision.reason()));
    inside_->house->StateRefused(begin.name, inside_->principal,
                                 decision.reason());
    return inside_->End({.status = absl::PermissionDeniedError(
                             "the roster does not grant this camera"),
                         .reason = EndReason::kNotGranted});
  }
  IntakeInside& house = *inside_->house;
  if (house.draining) {
    return inside_->End(
        {.status = absl::UnavailableError("the gateway is stopping"),
         .reason = EndReason::kStopping});
  }
  auto counted =
      DeviceCounted::Enter(house.streams, inside_->principal.spiffe_id());
  if (!counted) {
    inside_->SayRefused("too many streams", "it has to wait");
    inside_->Send(Pause{.retry_after = house.options.pause,
                        .reason = Pause::Reason::kTooManyStreams});
    return inside_->End(
        {.status = absl::ResourceExhaustedError("too many streams are open"),
         .reason = EndReason::kPaused,
         .retry_after = house.options.pause});
  }
  inside_->counted.emplace(*std::move(counted));
  inside_->live = JoinLive(inside_->house, begin.name);
  inside_->live->Attach(shared_from_this(), std::move(begin));
}

bool Stream::OnChunk(Chunk chunk) {
  if (inside_->ended) return true;
  if (!inside_->begun) {
    OnBadMessage("a chunk before Begin");
    return true;
  }
  const uint64_t bytes = chunk.data.size();
  if (bytes == 0 || bytes > limits::kChunkBytesMax) {
    OnBadMessage("a chunk holds 1 byte to 1 MiB");
    return true;
  }
  // Here and not on the strand: the door's thread has the bytes in its cache
  // and nothing else to do with them.
  const bool crc_is_good = Crc32c(chunk.data) == chunk.crc32c;
  bool read_on;
  {
    MutexLock lock(inside_->mutex);
    inside_->queued_bytes += bytes + limits::kQueuedChunkCostBytes;
    inside_->reading_stopped =
        inside_->queued_bytes >
        std::min(limits::kQueuedBytesMax, inside_->house->CreditBytes());
    read_on = !inside_->reading_stopped;
  }
  inside_->live->Take(shared_from_this(), std::move(chunk), crc_is_good);
  return read_on;
}

void Stream::OnFinish(const Finish& finish) {
  if (inside_->ended) return;
  if (!inside_->begun) return OnBadMessage("Finish before Begin");
  inside_->live->TakeFinish(shared_from_this(), finish);
}

void Stream::OnBadMessage(absl::string_view what_is_wrong) {
  inside_->SayRefused("bad message", what_is_wrong);
  inside_->End({.status = absl::InvalidArgumentError(what_is_wrong),
                .reason = EndReason::kBadMessage});
}

void Stream::OnClosed() {
  inside_->ended = true;
  const auto live = std::exchange(inside_->live, nullptr);
  if (live == nullptr || inside_->left.exchange(true)) return;
  live->Detach(shared_from_this());
}

// --- Intake ------------------------------------------------------------------

Intake::Intake(Spool& spool, Store& store, const RosterSource& roster,
               Executor& workers, Executor& waiters, const Clock& clock,
               Random& random, const IntakeOptions& options)
    : inside_(new IntakeInside{.spool = spool,
                               .store = store,
                               .roster = roster,
                               .workers = workers,
                               .waiters = waiters,
                               .clock = clock,
                               .random = random,
                               .options = options}) {}

Intake::~Intake() { inside_->registry.Clear(); }

absl::Status Intake::Recover() {
  ASSIGN_OR_RETURN(const std::vector<Unstored> unstored,
                   inside_->spool.Recover());
  {
    MutexLock lock(inside_->leftovers_mutex);
    inside_->leftovers.assign(unstored.begin(), unstored.end());
    // Urgent ones first, and of those that are alike the oldest.
    std::stable_sort(inside_->leftovers.begin(), inside_->leftovers.end(),
                     [](const Unstored& a, const Unstored& b) {
                       return std::pair(a.priority, a.since) <
                              std::pair(b.priority, b.since);
                     });
  }
  StartLeftovers(inside_);
  if (CustodyLog* const custody = inside_->options.custody) {
    // Stated, and perhaps not told or laid beside the bytes.
    for (const RecordingName& name : custody->Unlaid()) {
      JoinLive(inside_, name)->LayStated();
    }
  }
  return absl::OkStatus();
}

void Intake::StoreIsBack() {
  for (const auto& live : inside_->registry.HoldAll()) live->StoreIsBack();
}

bool Intake::NeedsUnstated(const RecordingName& name,
                           const TransferId& id) const {
  if (inside_->spool.HasFilesOf(id)) return true;
  if (inside_->registry.Has(name)) return true;
  if (inside_->options.custody == nullptr) return true;
  const std::vector<RecordingName> unlaid = inside_->options.custody->Unlaid();
  return std::find(unlaid.begin(), unlaid.end(), name) != unlaid.end();
}

bool Intake::IsBusy(const RecordingName& name) const {
  return inside_->registry.IsHeld(name);
}

void Intake::GiveUpSpooled(const RecordingName& name, DecideSpooled decide,
                           Removed done) {
  JoinLive(inside_, name)->GiveUpSpooled(std::move(decide), std::move(done));
}

void Intake::DeleteStored(const RecordingName& name, DecideStored decide,
                          Removed done) {
  if (inside_->options.custody == nullptr || !inside_->store.deletes()) {
    return done(absl::UnimplementedError(
        "there is no log to state it in, or the store deletes by itself"));
  }
  JoinLive(inside_, name)->DeleteStored(std::move(decide), std::move(done));
}

std::shared_ptr<Stream> Intake::Connect(const Principal& principal,
                                        std::shared_ptr<Outlet> outlet) {
  std::unique_ptr<Stream::Inside> inside(new Stream::Inside{
      .house = inside_, .principal = principal, .outlet = std::move(outlet)});
  return std::shared_ptr<Stream>(new Stream(std::move(inside)));
}

void Intake::Look(const Principal& principal, const RecordingName& name,
                  absl::AnyInvocable<void(absl::StatusOr<TransferView>)> done) {
  const Decision decision =
      inside_->roster.Current()->MayBring(principal, name.camera_id());
  if (!decision.permitted()) {
    return done(
        absl::PermissionDeniedError("the roster does not grant this camera"));
  }
  JoinLive(inside_, name)->Look(std::move(done));
}

void Intake::FindReceipt(
    const Principal& principal, const RecordingName& name,
    absl::AnyInvocable<void(absl::StatusOr<GivenReceipt>)> done) {
  const Decision decision =
      inside_->roster.Current()->MayBring(principal, name.camera_id());
  if (!decision.permitted()) {
    return done(
        absl::PermissionDeniedError("the roster does not grant this camera"));
  }
  if (inside_->options.custody == nullptr) {
    return done(absl::UnimplementedError("this gateway gives no receipts"));
  }
  JoinLive(inside_, name)->FindReceipt(std::move(done));
}

void Intake::Watch(const Principal& principal,
                   const std::vector<RecordingName>& names,
                   const std::shared_ptr<ReceiptWatch>& watch) {
  const auto roster = inside_->roster.Current();
  for (const RecordingName& name : names) {
    if (!roster->MayBring(principal, name.camera_id()).permitted()) {
      return watch->OnEnd(absl::PermissionDeniedError(absl::StrCat(
          "the roster does not grant the camera of ", name.ToString())));
    }
  }
  if (inside_->options.custody == nullptr) {
    return watch->OnEnd(
        absl::UnimplementedError("this gateway gives no receipts"));
  }
  inside_->watches.Add(watch, principal, names);
  // Looked at behind that, so that none falls between the two.
  if (inside_->draining) {
    return inside_->watches.EndAll(
        absl::UnavailableError("the gateway is stopping"));
  }
  for (const RecordingName& name : names) {
    FindReceipt(principal, name,
                [watch](const absl::StatusOr<GivenReceipt>& found) {
                  if (found.ok()) watch->OnReceipt(*found);
                });
  }
}

void Intake::Unwatch(const ReceiptWatch& watch) {
  inside_->watches.Remove(watch);
}

void Intake::Drain(absl::AnyInvocable<void()> done) {
  inside_->draining = true;
  inside_->watches.EndAll(absl::UnavailableError("the gateway is stopping"));
  inside_->layer->Hurry();
  const std::vector<std::shared_ptr<LiveRecording>> live =
      inside_->registry.All();
  if (live.empty()) return done();
  struct Countdown {
    std::atomic<size_t> left;
    absl::AnyInvocable<void()> done;
  };
  auto countdown = std::make_shared<Countdown>();
  countdown->left = live.size();
  countdown->done = std::move(done);
  for (const std::shared_ptr<LiveRecording>& recording : live) {
    recording->Drain([countdown] {
      if (--countdown->left == 0) countdown->done();
    });
  }
}

void Intake::StateRefusedCertificate(const RefusedCertificate& refused) {
  if (const auto left_out =
          inside_->certificate_refusals.Take(inside_->clock.Now())) {
    inside_->State(statement::CertificateRefused{.device = refused.device,
                                                 .serial = refused.serial,
                                                 .reason = refused.reason,
                                                 .left_out = *left_out},
                   CustodyLog::Importance::kOrdinary);
  }
}

int Intake::streams() const { return inside_->streams->all(); }

}  // namespace schleuse
