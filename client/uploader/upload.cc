#include "client/uploader/upload.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/crc32c.h"
#include "base/failpoint.h"
#include "base/status.h"
#include "evidence/stored_receipt.h"

namespace schleuse::client {
namespace {

// One step of hashing what was not read on its way out: about a millisecond.
constexpr uint64_t kCatchUpBytes = 1 << 20;
// Chunks begin at this size. One that the link took within kQuick is followed
// by larger ones, one that took longer than kSlow by smaller ones: the stall
// limit counts from chunk to chunk.
constexpr uint64_t kFirstChunkBytes = 256 * 1024;
constexpr uint64_t kLeastChunkBytes = 16 * 1024;
constexpr absl::Duration kQuick = absl::Milliseconds(200);
constexpr absl::Duration kSlow = absl::Seconds(4);
// Begins that ended by a takeover, with no progress in between, before we
// believe that two programs upload the same recording.
constexpr int kTakeoversMax = 5;
// Verifying a large recording may take the gateway longer than a stall; each
// time that it did we wait twice as long, up to this.
constexpr absl::Duration kVerifyingMax = absl::Hours(1);
// What a gateway may ask for; a larger number is a mistake of somebody's.
constexpr absl::Duration kRetryAfterMax = absl::Hours(24);
// An id of 128 characters less '~' and eight digits.
constexpr size_t kRenamedBaseMax = limits::kIdBytesMax - 9;

absl::string_view ToText(Pause::Reason reason) {
  switch (reason) {
    case Pause::Reason::kUnspecified:
      break;
    case Pause::Reason::kSpoolFull:
      return "its spool is full";
    case Pause::Reason::kStoreAway:
      return "all is received, but the store is away";
    case Pause::Reason::kTooManyStreams:
      return "it has too many streams";
    case Pause::Reason::kHeld:
      return "an operator holds the station";
    case Pause::Reason::kTooManyTransfers:
      return "this device has too many unfinished transfers";
  }
  return "no reason given";
}

}  // namespace

absl::string_view ToString(UploadState state) {
  switch (state) {
    case UploadState::kConnecting:
      return "connecting";
    case UploadState::kSending:
      return "sending";
    case UploadState::kHashing:
      return "hashing";
    case UploadState::kVerifying:
      return "verifying";
    case UploadState::kWaiting:
      return "waiting";
    case UploadState::kStored:
      return "stored";
    case UploadState::kFailed:
      return "failed";
  }
  return "failed";
}

Upload::Upload(RecordingName name, Metadata metadata, Priority priority,
               UploadOptions options, Source& source, Link& link,
               Strand& strand, const Clock& clock, Random& random,
               UploadObserver& observer)
    : name_(std::move(name)),
      metadata_(std::move(metadata)),
      priority_(priority),
      options_(options),
      source_(source),
      link_(link),
      strand_(strand),
      clock_(clock),
      random_(random),
      observer_(observer),
      backoff_(options.backoff_initial, options.backoff_max, random) {}

Upload::~Upload() = default;

void Upload::Start() {
  last_progress_ = clock_.Now();
  const absl::StatusOr<uint64_t> size = source_.Size();
  if (!size.ok()) return End(size.status());
  if (*size > limits::kRecordingBytesMax) {
    return End(absl::InvalidArgumentError(
        absl::StrCat("a recording of ", *size, " bytes is larger than the ",
                     limits::kRecordingBytesMax, " that a gateway takes")));
  }
  progress_.size = *size;
  Open();
}

void Upload::Stop() {
  if (phase_ == Phase::kDone) return;
  if (streaming()) {
    AccountForBrokenStream();
    link_.Close(Link::Why::kNotNeeded);
  }
  End(absl::CancelledError("interrupted; not stored yet"));
}

// --- a stream ----------------------------------------------------------------

void Upload::Open() {
  if (const absl::Status status = source_.CheckUnchanged(); !status.ok()) {
    return End(status);
  }
  ++stream_number_;
  ++progress_.attempts;
  stream_ = Stream{};
  ack_delays_.Forget();
  stream_.begin = stream_.base = stream_.end = stream_.held = progress_.durable;
  stream_.moved = clock_.Now();
  Enter(Phase::kConnecting, UploadState::kConnecting);
  metadata_.device_clock_unix_micros = absl::ToUnixMicros(clock_.Now());
  link_.Open(stream_number_, *this);
  Send(Given::Kind::kBegin, Begin{name_, metadata_, priority_, progress_.size},
       Sendable() > 0 || MayFinish() ? Link::Next::kFollows
                                     : Link::Next::kUnknown);
  WatchForStall(StallLimit());
  WatchForDeadline();
  Advance();
}

void Upload::OnSent(uint64_t stream) {
  if (stream != stream_number_ || !streaming()) return;
  if (stream_.given.empty()) return;
  const Given given = stream_.given.front();
  stream_.given.pop_front();
  // The link began with it when it was done with what it had before.
  const absl::Time begun = std::max(given.time, stream_.taken);
  stream_.moved = stream_.taken = clock_.Now();
  switch (given.kind) {
    case Given::Kind::kBegin:
      // What waited behind it, perhaps for a link to come about, goes now.
      ack_delays_.Forget();
      if (stream_.end > stream_.begin) {
        ack_delays_.Sent(stream_.end, stream_.moved);
      }
      break;
    case Given::Kind::kChunk:
      Failpoint("client.chunk_sent");
      FitChunksToLink(stream_.moved - begun);
      break;
    case Given::Kind::kFinish:
      break;
  }
  Advance();
}

void Upload::OnReply(uint64_t stream, Reply reply) {
  if (stream != stream_number_ || !streaming()) return;
  // Acks that say the same again and again are no life.
  if (const auto* ack = std::get_if<Ack>(&reply);
      ack == nullptr || ack->durable_offset > stream_.base) {
    stream_.moved = clock_.Now();
  }
  std::visit([this](const auto& message) { On(message); }, reply);
}

void Upload::OnClosed(uint64_t stream, absl::Status status,
                      ErrorDetail detail) {
  if (stream != stream_number_ || !streaming()) return;
  AccountForBrokenStream();
  Judge(status, detail);
}

void Upload::On(const Ready& ready) {
  if (phase_ != Phase::kConnecting) {
    return GiveUpStream(Link::Why::kNotNeeded,
                        absl::InternalError("the gateway sent Ready twice"));
  }
  Stream& stream = stream_;
  stream.credit = ready.credit_bytes;
  stream.chunk_bytes_max =
      std::min(options_.chunk_bytes, limits::kChunkBytesMax);
  if (ready.chunk_bytes_max > 0) {
    stream.chunk_bytes_max =
        std::min(stream.chunk_bytes_max, ready.chunk_bytes_max);
  }
  stream.chunk_bytes = std::min(kFirstChunkBytes, stream.chunk_bytes_max);
  const uint64_t early = stream.end - stream.begin;
  // What was sent ahead was not needed, or is of no use.
  if (ready.already_stored || ready.offset != stream.begin) {
    ack_delays_.Forget();
  }
  if (ready.already_stored) {
    progress_.unacknowledged += early;
    stream.already_stored = true;
    stream.base = stream.end = stream.held = progress_.size;
    stream.prepared.reset();
    return Begun();
  }
  if (ready.offset > progress_.size) {
    AccountForBrokenStream();
    link_.Close(Link::Why::kNotNeeded);
    return End(absl::FailedPreconditionError(
        absl::StrCat("the gateway holds ", ready.offset,
                     " bytes under this name, but the "
                     "recording here has only ",
                     progress_.size, ": is it another recording?")));
  }
  if (ready.offset < stream.begin) {
    // The gateway lost what it had acknowledged; what went ahead is a gap
    // there.
    progress_.rewound += early;
    stream.end = ready.offset;
    stream.finish_sent = false;
  } else {
    progress_.unacknowledged +=
        std::min(ready.offset, stream.end) - stream.begin;
    stream.end = std::max(stream.end, ready.offset);
  }
  if (stream.prepared && stream.prepared->offset != stream.end) {
    stream.prepared.reset();
  }
  progress_.durable = std::min(progress_.durable, ready.offset);
  const bool progress = ready.offset > best_;
  best_ = ready.offset;
  if (progress) NoteProgress();
  stream.base = ready.offset;
  stream.held = stream.end;
  Begun();
}

// Ready is here.
void Upload::Begun() {
  if (stream_.finish_sent) {
    Enter(Phase::kFinishing, UploadState::kVerifying);
  } else {
    Enter(Phase::kSending, UploadState::kSending);
  }
  Advance();
}

void Upload::On(const Ack& ack) {
  if (phase_ == Phase::kConnecting || ack.durable_offset > stream_.held) {
    return GiveUpStream(
        Link::Why::kNotNeeded,
        absl::InternalError("the gateway acknowledged what was never sent"));
  }
  stream_.base = std::max(stream_.base, ack.durable_offset);
  stream_.credit = ack.credit_bytes;
  ack_delays_.Acknowledged(ack.durable_offset, clock_.Now());
  progress_.durable = std::max(progress_.durable, ack.durable_offset);
  if (progress_.durable > best_) {
    best_ = progress_.durable;
    NoteProgress();
  }
  Report();
  Advance();
}

void Upload::On(const Rewind& rewind) {
  if (phase_ == Phase::kConnecting || rewind.offset > stream_.end) {
    return GiveUpStream(
        Link::Why::kNotNeeded,
        absl::InternalError("the gateway asked to go back to what is ahead"));
  }
  if (++stream_.rewinds > limits::kRewindsPerStreamMax) {
    return GiveUpStream(
        Link::Why::kNotNeeded,
        absl::InternalError("the gateway asked to go back again and again"));
  }
  progress_.rewound += stream_.end - rewind.offset;
  ack_delays_.Forget();
  stream_.end = rewind.offset;
  stream_.held = rewind.offset;
  stream_.base = std::min(stream_.base, rewind.offset);
  stream_.already_stored = false;
  stream_.finish_sent = false;
  stream_.prepared.reset();
  progress_.durable = std::min(progress_.durable, rewind.offset);
  best_ = std::min(best_, rewind.offset);
  Enter(Phase::kSending, UploadState::kSending);
  Advance();
}

void Upload::On(const Pause& pause) {
  AccountForBrokenStream();
  progress_.awaits_store = pause.reason == Pause::Reason::kStoreAway;
  link_.Close(Link::Why::kNotNeeded);
  ErrorDetail detail;
  detail.retry_after = pause.retry_after;
  Judge(absl::ResourceExhaustedError(ToText(pause.reason)), detail);
}

void Upload::On(const Stored& stored) {
  if (phase_ == Phase::kFinishing && !options_.custody_keys.empty()) {
    link_.Close(Link::Why::kNotNeeded);
    return End(absl::FailedPreconditionError(
        "the gateway says that it is stored, but gives no receipt: does it "
        "keep a custody log?"));
  }
  EndStored(stored.size, stored.sha256);
}

void Upload::EndStored(uint64_t size, const Digest& sha256) {
  Failpoint("client.stored_received");
  if (phase_ != Phase::kFinishing) {
    return GiveUpStream(
        Link::Why::kNotNeeded,
        absl::InternalError("the gateway sent Stored before Finish"));
  }
  if (size != progress_.size || sha256 != *sha256_) {
    link_.Close(Link::Why::kNotNeeded);
    return End(absl::DataLossError(
        absl::StrCat("the gateway says it stored something else: ", size,
                     " bytes with SHA-256 ", sha256.ToHex(), " instead of ",
                     progress_.size, " with ", sha256_->ToHex())));
  }
  if (receipt_ && !options_.custody_keys.empty()) {
    if (const absl::Status holds = Verify(*receipt_); !holds.ok()) {
      link_.Close(Link::Why::kNotNeeded);
      return End(absl::DataLossError(absl::StrCat(
          "the gateway's receipt does not hold: ", holds.message())));
    }
    receipt_state_ = UploadResult::ReceiptState::kVerified;
  }
  // Whoever erases the file upon our word must not erase later changes.
  if (const absl::Status status = source_.CheckUnchanged(); !status.ok()) {
    return End(Annotate(status, "stored as it was when it was sent, but"));
  }
  ack_delays_.Acknowledged(progress_.size, clock_.Now());
  progress_.durable = progress_.position = progress_.size;
  End(absl::OkStatus());
}

void Upload::On(const Receipt& receipt) {
  if (receipt.camera_id != name_.camera_id() ||
      receipt.recording_id != name_.recording_id()) {
    link_.Close(Link::Why::kNotNeeded);
    return End(absl::DataLossError(
        absl::StrCat("the gateway's receipt is for another recording than ",
                     name_.ToString())));
  }
  if (phase_ == Phase::kFinishing) {
    receipt_ = receipt;
    receipt_state_ = UploadResult::ReceiptState::kUnverified;
  }
  EndStored(receipt.size, receipt.sha256);
}

// By the keys of whichever gateway gave it.
absl::Status Upload::Verify(const Receipt& receipt) const {
  absl::Status status;
  for (const PinnedKeys& pinned : options_.custody_keys) {
    const absl::StatusOr<StoredProven> stored =
        VerifyStored(receipt.proof, receipt.statement, pinned);
    if (stored.ok()) {
      return CheckIsFor(*stored, {name_, progress_.size, *sha256_});
    }
    // Another's say less than what is wrong with our own's.
    if (status.ok() || !absl::IsPermissionDenied(stored.status())) {
      status = stored.status();
    }
  }
  return status;
}

// --- sending ----------------------------------------------------------------

void Upload::Advance() {
  while (MaySend() && SendNext()) {
  }
  // While that is on its way.
  if (streaming()) Prepare();
  if (phase_ == Phase::kRenaming && hash_.hashed() == progress_.size) Rename();
  if (phase_ == Phase::kDone || catching_up_) return;
  if (hash_.hashed() < HashTarget()) {
    catching_up_ = true;
    if (OnlyHashing()) Enter(phase_, UploadState::kHashing);
    PostAfter(absl::ZeroDuration(), [this] { CatchUp(); });
  }
}

// A small recording goes in one piece. Of a large one the link gets a chunk at
// a time: a second one, ready beforehand, would only push others out of the
// cache.
bool Upload::MaySend() const {
  if (phase_ == Phase::kConnecting) {
    return stream_.given.size() < Link::kSendsMax;
  }
  return streaming() && stream_.given.empty();
}

void Upload::Send(Given::Kind kind, Request request, Link::Next next) {
  stream_.given.push_back({kind, clock_.Now()});
  link_.Send(std::move(request), next);
}

bool Upload::SendNext() {
  if (MayFinish()) {
    SendFinish();
    return true;
  }
  const uint64_t length = Sendable();
  if (length == 0) return false;
  // Prepared with the room of a moment that has passed?
  if (stream_.prepared && stream_.prepared->data.size() > length) {
    stream_.prepared.reset();
  }
  Prepare();
  if (!streaming() || !stream_.prepared) return false;
  Chunk chunk = *std::exchange(stream_.prepared, std::nullopt);
  stream_.end += chunk.data.size();
  stream_.held = std::max(stream_.held, stream_.end);
  progress_.sent += chunk.data.size();
  ack_delays_.Sent(stream_.end, clock_.Now());
  Send(Given::Kind::kChunk, std::move(chunk),
       MayFinish() ? Link::Next::kFollows : Link::Next::kUnknown);
  Report();
  return true;
}

void Upload::FitChunksToLink(absl::Duration taken_after) {
  if (phase_ == Phase::kConnecting) return;
  if (taken_after <= kQuick) {
    stream_.chunk_bytes =
        std::min(stream_.chunk_bytes * 2, stream_.chunk_bytes_max);
  } else if (taken_after > kSlow) {
    stream_.chunk_bytes =
        std::min(std::max(stream_.chunk_bytes / 2, kLeastChunkBytes),
                 stream_.chunk_bytes);
  }
}

// Without a wait for Ready, if all of the recording went ahead of it.
bool Upload::MayFinish() const {
  return (phase_ == Phase::kConnecting || phase_ == Phase::kSending) &&
         !stream_.finish_sent && stream_.end == progress_.size &&
         hash_.hashed() == progress_.size;
}

// Bytes that the next chunk may hold now; 0 if it has to wait.
uint64_t Upload::Sendable() const {
  const uint64_t left = progress_.size - stream_.end;
  if (phase_ == Phase::kConnecting) {
    const uint64_t early =
        std::min(options_.early_bytes, limits::kEarlyBytesMax);
    const uint64_t sent = stream_.end - stream_.begin;
    const uint64_t room = early > sent ? early - sent : 0;
    return std::min({left, room, options_.chunk_bytes});
  }
  if (phase_ != Phase::kSending) return 0;
  const uint64_t in_flight = stream_.end - stream_.base;
  const uint64_t room =
      stream_.credit > in_flight ? stream_.credit - in_flight : 0;
  const uint64_t wanted = std::min(left, stream_.chunk_bytes);
  // No crumbs: an Ack for what is in flight will make more room.
  if (room < std::min(wanted, stream_.chunk_bytes / 4) && in_flight > 0) {
    return 0;
  }
  return std::min(wanted, room);
}

// Reads, hashes and sums up the chunk that begins at stream_.end.
void Upload::Prepare() {
  if (stream_.prepared) return;
  uint64_t length = Sendable();
  if (length == 0 && phase_ == Phase::kSending) {
    length = std::min(progress_.size - stream_.end, stream_.chunk_bytes);
  }
  if (length == 0) return;
  absl::StatusOr<absl::Cord> data = source_.Read(stream_.end, length);
  if (!data.ok()) {
    link_.Close(Link::Why::kNotNeeded);
    return End(data.status());
  }
  hash_.Offer(stream_.end, *data);
  const uint32_t crc32c = Crc32c(*data);
  stream_.prepared = Chunk{stream_.end, crc32c, *std::move(data)};
}

void Upload::SendFinish() {
  // A hash over a file that changed meanwhile would say nothing.
  if (const absl::Status status = source_.CheckUnchanged(); !status.ok()) {
    link_.Close(Link::Why::kNotNeeded);
    return End(status);
  }
  if (!sha256_) sha256_ = hash_.Current();
  stream_.finish_sent = true;
  if (phase_ == Phase::kSending) {
    Enter(Phase::kFinishing, UploadState::kVerifying);
  }
  Send(Given::Kind::kFinish, Finish{progress_.size, *sha256_},
       Link::Next::kUnknown);
  // Here, not in OnSent: the answer may overtake that.
  Failpoint("client.finish_sent");
}

// --- hashing what was not read on its way out -------------------------------

// Up to where the hash should be by now.
uint64_t Upload::HashTarget() const {
  if (phase_ == Phase::kRenaming || stream_.already_stored) {
    return progress_.size;
  }
  return stream_.prepared
             ? stream_.prepared->offset + stream_.prepared->data.size()
             : stream_.end;
}

// Nothing else is left to do now.
bool Upload::OnlyHashing() const {
  if (hash_.hashed() == progress_.size) return false;
  return phase_ == Phase::kRenaming ||
         (phase_ == Phase::kSending && stream_.end == progress_.size &&
          stream_.given.empty());
}

void Upload::CatchUp() {
  catching_up_ = false;
  if (phase_ == Phase::kDone) return;
  const absl::Status status =
      hash_.CatchUp(source_, HashTarget(), kCatchUpBytes);
  if (!status.ok()) {
    if (streaming()) link_.Close(Link::Why::kNotNeeded);
    return End(status);
  }
  // The gateway owes us nothing while we only hash. Should it end the stream
  // over it, that was no time without progress.
  if (stream_.given.empty() && stream_.end == progress_.size) {
    stream_.moved = clock_.Now();
    if (streaming()) last_progress_ = clock_.Now();
  }
  Report();
  Advance();
}

// --- when a stream ends -----------------------------------------------------

void Upload::Judge(const absl::Status& status, const ErrorDetail& detail) {
  using absl::StatusCode;
  std::string said = absl::StrCat(absl::StatusCodeToString(status.code()), ": ",
                                  status.message());
  if (status.ok()) said = "the gateway closed the stream early";
  // What most links die of; the word would tell a person nothing.
  if (status.code() == StatusCode::kUnavailable && !status.message().empty()) {
    said = std::string(status.message());
  }
  switch (status.code()) {
    case StatusCode::kResourceExhausted: {
      // No shorter than our own first wait either: who answers each Begin with
      // "in a millisecond" would keep us busy with beginning.
      const absl::Duration told =
          std::min(std::max(detail.retry_after, options_.backoff_initial),
                   kRetryAfterMax);
      return Retry(
          detail.retry_after > absl::ZeroDuration() ? WaitAsTold(told, random_)
                                                    : backoff_.Next(),
          absl::StrCat("the gateway takes no more now: ", status.message()));
    }
    case StatusCode::kAborted:
      if (++takeovers_ >= kTakeoversMax) {
        return End(absl::AbortedError(
            absl::StrCat("taken over ", takeovers_,
                         " times without progress: another "
                         "program uploads the same recording")));
      }
      return Retry(backoff_.Next(), "another stream took this upload over");
    case StatusCode::kAlreadyExists:
      return RenameOrFail(status, detail);
    case StatusCode::kFailedPrecondition:
      return End(Annotate(status,
                          detail.reason == ErrorDetail::Reason::kHeldForOperator
                              ? "held for an operator at the gateway"
                              : "refused by the gateway"));
    case StatusCode::kDataLoss:
      return End(Annotate(status, "call somebody: the gateway reports"));
    case StatusCode::kInvalidArgument:
    case StatusCode::kPermissionDenied:
    case StatusCode::kUnauthenticated:
    case StatusCode::kUnimplemented:
    case StatusCode::kNotFound:
    case StatusCode::kOutOfRange:
      return End(Annotate(status, "refused by the gateway"));
    default:
      // Whatever a broken link or a stopping gateway can look like.
      return Retry(backoff_.Next(), said);
  }
}

void Upload::GiveUpStream(Link::Why why, const absl::Status& status) {
  AccountForBrokenStream();
  link_.Close(why);
  Judge(status, {});
}

void Upload::AccountForBrokenStream() {
  if (phase_ == Phase::kFinishing) last_progress_ = clock_.Now();
  if (stream_.end > stream_.base) {
    progress_.unacknowledged += stream_.end - stream_.base;
  }
}

void Upload::RenameOrFail(const absl::Status& status,
                          const ErrorDetail& detail) {
  if (renamed_) {
    return End(Annotate(status, "other bytes are stored under ",
                        name_.ToString(), " as well"));
  }
  if (detail.stored_sha256 && sha256_ && *detail.stored_sha256 == *sha256_) {
    return End(absl::InternalError(
        "the gateway says that other bytes are stored, with the hash of ours"));
  }
  Enter(Phase::kRenaming, UploadState::kHashing);
  Advance();
}

void Upload::Rename() {
  if (!sha256_) sha256_ = hash_.Current();
  absl::StatusOr<RecordingName> name = RecordingName::Parse(
      name_.camera_id(),
      absl::StrCat(name_.recording_id().substr(0, kRenamedBaseMax), "~",
                   sha256_->ToHex().substr(0, 8)));
  if (!name.ok()) return End(name.status());
  name_ = *std::move(name);
  renamed_ = true;
  progress_.unacknowledged = progress_.sent;  // all of it goes once more
  progress_.durable = best_ = furthest_ = 0;
  backoff_.Reset();
  takeovers_ = 0;
  last_progress_ = clock_.Now();
  Open();
}

void Upload::Retry(absl::Duration wait, std::string reason) {
  const absl::Time now = clock_.Now();
  progress_.reason = std::move(reason);
  if (now >= Deadline()) return GiveUp();
  wait = std::min(wait, Deadline() - now);
  progress_.wait_until = now + wait;
  Enter(Phase::kWaiting, UploadState::kWaiting);
  PostAfter(wait, [this, number = stream_number_] {
    if (phase_ != Phase::kWaiting || number != stream_number_) return;
    if (clock_.Now() >= Deadline()) return GiveUp();
    Open();
  });
  Advance();  // the hash may catch up meanwhile
}

void Upload::WatchForStall(absl::Duration after) {
  if (after == absl::InfiniteDuration()) return;
  PostAfter(after, [this, number = stream_number_] {
    if (number != stream_number_ || !streaming()) return;
    const absl::Duration quiet = clock_.Now() - stream_.moved;
    const absl::Duration limit = StallLimit();
    if (quiet < limit) return WatchForStall(limit - quiet);
    if (phase_ == Phase::kFinishing) ++slow_verifications_;
    GiveUpStream(Link::Why::kStalled,
                 absl::UnavailableError(absl::StrCat(
                     "nothing moved for ", absl::FormatDuration(limit))));
  });
}

absl::Duration Upload::StallLimit() const {
  absl::Duration limit = options_.stall_after;
  if (phase_ != Phase::kFinishing) return limit;
  for (int i = 0; i < slow_verifications_ && limit < kVerifyingMax; ++i) {
    limit = std::min(limit * 2, kVerifyingMax);
  }
  return limit;
}

void Upload::WatchForDeadline() {
  if (options_.retry_for == absl::InfiniteDuration()) return;
  PostAfter(Deadline() - clock_.Now(), [this, number = stream_number_] {
    if (number != stream_number_ || phase_ != Phase::kConnecting) return;
    AccountForBrokenStream();
    link_.Close(Link::Why::kStalled);
    if (progress_.reason.empty()) progress_.reason = "no answer";
    GiveUp();
  });
}

void Upload::GiveUp() {
  End(absl::DeadlineExceededError(
      absl::StrCat("gave up after ", absl::FormatDuration(options_.retry_for),
                   " without progress; last: ", progress_.reason)));
}

// --- small things -----------------------------------------------------------

void Upload::NoteProgress() {
  last_progress_ = clock_.Now();
  // A gateway that loses what it had again and again is none to hurry for.
  if (best_ <= furthest_) return;
  furthest_ = best_;
  backoff_.Reset();
  takeovers_ = 0;
}

void Upload::Enter(Phase phase, UploadState state) {
  phase_ = phase;
  progress_.state = state;
  if (state == UploadState::kSending) progress_.awaits_store = false;
  Report();
}

void Upload::Report() {
  progress_.position = streaming() ? stream_.end : best_;
  progress_.hashed = hash_.hashed();
  observer_.OnProgress(progress_);
}

void Upload::End(absl::Status status) {
  phase_ = Phase::kDone;
  progress_.state = status.ok() ? UploadState::kStored : UploadState::kFailed;
  if (status.ok()) progress_.reason.clear();
  observer_.OnDone({std::move(status), name_, sha256_, progress_,
                    receipt_state_, std::move(receipt_), ack_delays_.counts()});
}

bool Upload::streaming() const {
  return phase_ == Phase::kConnecting || phase_ == Phase::kSending ||
         phase_ == Phase::kFinishing;
}

void Upload::PostAfter(absl::Duration delay, Task task) {
  Task guarded = [alive = std::weak_ptr<const bool>(alive_),
                  task = std::move(task)]() mutable {
    if (!alive.expired()) task();
  };
  if (delay <= absl::ZeroDuration()) {
    strand_.Post(std::move(guarded));
  } else {
    strand_.PostAfter(delay, std::move(guarded));
  }
}

}  // namespace schleuse::client
