// Brings one recording to its receipt, over as many streams as it takes. It
// knows the rules of the protocol; bytes, links, time and chance come from
// outside.
#ifndef SCHLEUSE_CLIENT_UPLOADER_UPLOAD_H_
#define SCHLEUSE_CLIENT_UPLOADER_UPLOAD_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/executor.h"
#include "base/limits.h"
#include "base/random.h"
#include "base/recording_name.h"
#include "client/uploader/ack_delays.h"
#include "client/uploader/backoff.h"
#include "client/uploader/link.h"
#include "client/uploader/messages.h"
#include "client/uploader/source.h"
#include "client/uploader/source_hash.h"
#include "crypto/digest.h"
#include "evidence/checkpoint.h"

namespace schleuse::client {

struct UploadOptions {
  // Data of one chunk at most, in bytes: 1 MiB suits docks, 16 to 64 KiB
  // radios. The gateway may ask for less, and a slow link gets less, so that
  // what moves on it is seen to move.
  uint64_t chunk_bytes = 1 << 20;
  // Data sent behind Begin before Ready has come, in bytes.
  uint64_t early_bytes = limits::kEarlyBytesMax;
  // Waits before trying again: uniform between zero and a bound that doubles
  // from the first to the second of these, until there is progress.
  absl::Duration backoff_initial = absl::Milliseconds(500);
  absl::Duration backoff_max = absl::Seconds(60);
  // A stream on which for so long neither a request is taken nor a reply comes
  // that moves something, while one is due, is given up. A slow one is not.
  absl::Duration stall_after = absl::Seconds(60);
  // Gives up when there was no progress for so long and no stream stands.
  absl::Duration retry_for = absl::InfiniteDuration();
  // Of the gateways' custody logs, one of each gateway that may give the
  // receipt. With them an upload is done when its receipt is verified; without
  // them when the gateway says that it is stored.
  std::vector<PinnedKeys> custody_keys = {};
};

enum class UploadState {
  kConnecting,  // Begin is on its way
  kSending,
  kHashing,    // the gateway has all; the recording is read once more for it
  kVerifying,  // Finish is sent; the gateway compares and stores
  kWaiting,    // see Progress::reason and wait_until
  kStored,
  kFailed,
};
// "connecting", "sending", ...
absl::string_view ToString(UploadState state);

// All numbers are bytes unless the name says otherwise.
struct Progress {
  UploadState state = UploadState::kConnecting;
  std::string reason;  // in kWaiting: why, for a person
  // In kWaiting: when it tries again. Far from exact: a person's clue.
  absl::Time wait_until = absl::InfinitePast();
  // The gateway holds all of it durably, and waits for its store: nothing is left
  // to do here but to ask again.
  bool awaits_store = false;
  uint64_t size = 0;
  // Up to where the recording was sent on the present stream or, without one,
  // is known to be at the gateway.
  uint64_t position = 0;
  // The last Ack's word; goes down only if the gateway says that it lost bytes.
  uint64_t durable = 0;
  uint64_t hashed = 0;  // up to where it was hashed

  // --- counted over all streams ---
  uint64_t sent = 0;  // data of all chunks ever sent, those sent twice included
  // Sent and not acknowledged when their stream broke, or sent ahead of a Ready
  // that said the gateway holds them: what may be sent twice without fault.
  uint64_t unacknowledged = 0;
  uint64_t rewound = 0;  // sent and asked for again by Rewind
  int attempts = 0;      // streams opened
};

struct UploadResult {
  // OK                 stored: the final store holds exactly these bytes; with
  //                    UploadOptions::custody_keys the receipt proves it
  // Cancelled          Stop() was called
  // DeadlineExceeded   gave up after UploadOptions::retry_for
  // DataLoss           somebody must be called: bytes differ where they must
  //                    not, or a receipt does not hold
  // Aborted            another program uploads the same recording
  // FailedPrecondition held for an operator, the source changed, or the gateway
  //                    gives no receipts and custody_keys asks for one
  // others             refused by the gateway, or the source cannot be read
  absl::Status status;
  // As stored; its recording_id may have been lengthened (see Upload).
  RecordingName name;
  std::optional<Digest> sha256;  // set at least when stored
  Progress progress;
  // Only a verified one permits erasing.
  enum class ReceiptState {
    kNone,        // the gateway gave none
    kUnverified,  // it gave one; no key to verify it by
    kVerified,    // for this recording's name, size and SHA-256
  };
  ReceiptState receipt_state = ReceiptState::kNone;
  std::optional<Receipt> receipt = {};  // as it came, with whatever status
  DelayCounts ack_delays = {};          // over all streams
};

// Called on the upload's strand. Must not destroy the Upload inside a call.
class UploadObserver {
 public:
  virtual ~UploadObserver() = default;
  // Something changed; comes with every chunk, so be quick.
  virtual void OnProgress(const Progress& progress) = 0;
  // Once, at the end; nothing follows.
  virtual void OnDone(const UploadResult& result) = 0;
};

// All calls, events and destruction happen on `strand` (or where nothing runs
// on it any more). What it is given must outlive it; `link` is used by this
// upload alone.
//
// If the gateway holds other bytes under the recording's name it is sent once
// more as `<recording_id>~<first 8 hex digits of its SHA-256>`. Where that
// would exceed the 128 characters of an id, recording_id is cut to its first
// 119 characters before; the digits keep such names apart.
class Upload final : public LinkEvents {
 public:
  Upload(RecordingName name, Metadata metadata, Priority priority,
         UploadOptions options, Source& source, Link& link, Strand& strand,
         const Clock& clock, Random& random, UploadObserver& observer);
  ~Upload() override;

  Upload(const Upload&) = delete;
  Upload& operator=(const Upload&) = delete;

  // Once. OnDone may come inside this call.
  void Start();
  // Ends the upload, if it has not ended, with Cancelled. The gateway keeps
  // what it has; another Upload of the same recording goes on from there.
  void Stop();

  const Progress& progress() const { return progress_; }
  const RecordingName& name() const { return name_; }

  void OnSent(uint64_t stream) override;
  void OnReply(uint64_t stream, Reply reply) override;
  void OnClosed(uint64_t stream, absl::Status status,
                ErrorDetail detail) override;

 private:
  enum class Phase {
    kIdle,        // Start was not called
    kConnecting,  // Begin is sent, and perhaps all else; Ready is not here
    kSending,
    kFinishing,  // Finish is sent
    kWaiting,
    kRenaming,  // hashing, to know the other name
    kDone,
  };
  // What waits in the link for its OnSent.
  struct Given {
    enum class Kind { kBegin, kChunk, kFinish } kind;
    absl::Time time;
  };

  // --- the present stream ---
  struct Stream {
    uint64_t begin = 0;  // where its chunks began
    uint64_t base = 0;   // credit counts from here: durable, or held at Ready
    uint64_t end = 0;    // of the last chunk sent: where the next one begins
    uint64_t held = 0;   // the gateway can have bytes up to here, no further
    uint64_t credit = 0;
    uint64_t chunk_bytes = 0;      // of the next chunk, at most
    uint64_t chunk_bytes_max = 0;  // as the options and Ready say
    bool already_stored = false;
    bool finish_sent = false;  // and nothing was asked for again since
    int rewinds = 0;
    std::deque<Given> given;        // at most Link::kSendsMax
    std::optional<Chunk> prepared;  // begins at `end`
    absl::Time moved;               // when something last did
    absl::Time taken;               // when the link last took something
  };

  void Open();
  void On(const Ready& ready);
  void Begun();
  void On(const Ack& ack);
  void On(const Rewind& rewind);
  void On(const Pause& pause);
  void On(const Stored& stored);
  void On(const Receipt& receipt);
  void EndStored(uint64_t size, const Digest& sha256);
  absl::Status Verify(const Receipt& receipt) const;

  // Does all that can be done now: sends, prepares, hashes.
  void Advance();
  bool MaySend() const;
  void Send(Given::Kind kind, Request request, Link::Next next);
  // False if there is nothing to send now.
  bool SendNext();
  bool MayFinish() const;
  void Prepare();
  void FitChunksToLink(absl::Duration taken_after);
  uint64_t Sendable() const;
  void SendFinish();
  uint64_t HashTarget() const;
  bool OnlyHashing() const;
  void CatchUp();
  void Rename();

  // The stream is over, by the gateway's or the link's word.
  void Judge(const absl::Status& status, const ErrorDetail& detail);
  // The stream is over, by our decision.
  void GiveUpStream(Link::Why why, const absl::Status& status);
  void AccountForBrokenStream();
  void RenameOrFail(const absl::Status& status, const ErrorDetail& detail);
  void Retry(absl::Duration wait, std::string reason);
  void WatchForStall(absl::Duration after);
  void WatchForDeadline();
  absl::Duration StallLimit() const;
  absl::Time Deadline() const { return last_progress_ + options_.retry_for; }
  void GiveUp();

  void NoteProgress();
  void Enter(Phase phase, UploadState state);
  void Report();
  void End(absl::Status status);
  bool streaming() const;
  void PostAfter(absl::Duration delay, Task task);

  RecordingName name_;
  Metadata metadata_;
  const Priority priority_;
  const UploadOptions options_;
  Source& source_;
  Link& link_;
  Strand& strand_;
  const Clock& clock_;
  Random& random_;
  UploadObserver& observer_;

  Phase phase_ = Phase::kIdle;
  uint64_t stream_number_ = 0;
  Stream stream_;
  Progress progress_;
  AckDelays ack_delays_;
  SourceHash hash_;
  bool catching_up_ = false;  // a task of CatchUp is posted
  std::optional<Digest> sha256_;

  Backoff backoff_;
  uint64_t best_ = 0;      // the most that the gateway said it holds
  uint64_t furthest_ = 0;  // the most that it ever did, of what it lost too
  absl::Time last_progress_;
  int takeovers_ = 0;  // without progress in between
  int slow_verifications_ = 0;
  bool renamed_ = false;
  UploadResult::ReceiptState receipt_state_ = UploadResult::ReceiptState::kNone;
  std::optional<Receipt> receipt_;
  // Posted tasks watch it to know whether we still live.
  std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);
};

}  // namespace schleuse::client

#endif  // SCHLEUSE_CLIENT_UPLOADER_UPLOAD_H_
