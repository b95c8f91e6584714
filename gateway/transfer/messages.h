// What a device and the gateway say to each other on a stream, as types that
// were parsed and bounded at the door. It knows nothing of gRPC or protobuf.
// The words and their wire form stand in proto/transfer.proto.
#ifndef SCHLEUSE_GATEWAY_TRANSFER_MESSAGES_H_
#define SCHLEUSE_GATEWAY_TRANSFER_MESSAGES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "absl/status/status.h"
#include "absl/strings/cord.h"
#include "absl/time/time.h"
#include "base/recording_name.h"
#include "crypto/digest.h"

namespace schleuse {

enum class Priority { kUrgent, kNormal, kBulk };

// --- device to gateway ---

struct Begin {
  RecordingName name;
  // schleuse.transfer.v1.Metadata as it came: checked at the door, kept byte
  // for byte, opaque from here on.
  std::string metadata;
  // Of the stored file, without a dot, from the door's list.
  std::string extension;
  Priority priority = Priority::kNormal;
  // Bytes; absent while the recording grows.
  std::optional<uint64_t> size = {};
};

struct Chunk {
  uint64_t offset;  // bytes
  uint32_t crc32c;  // as the device computed it
  absl::Cord data;  // 1 byte to limits::kChunkBytesMax
};

struct Finish {
  uint64_t size;  // bytes
  Digest sha256;
};

// --- gateway to device ---

struct Ready {
  std::optional<TransferId> transfer_id = {};  // absent if it is stored already
  uint64_t offset;
  uint64_t chunk_bytes_max;  // asked for; the gateway takes larger ones
  uint64_t credit_bytes;
  uint64_t ack_every_bytes;
  absl::Duration ack_every;
  // Send Finish at once: it is stored, or all of it is received.
  bool already_stored = false;
};

struct Ack {
  uint64_t durable_offset;
  uint64_t credit_bytes;
};

struct Rewind {
  enum class Reason { kGap, kBadCrc, kGatewayFault };
  uint64_t offset;
  Reason reason;
};

struct Pause {
  enum class Reason {
    kSpoolFull,
    kStoreAway,
    kTooManyStreams,
    kHeld,
    kTooManyTransfers,
  };
  absl::Duration retry_after;
  Reason reason;
};

struct Stored {
  uint64_t size;
  Digest sha256;
};

// The statement that it is stored, and the proof that the custody log holds it.
struct GivenReceipt {
  RecordingName name;
  uint64_t size;
  Digest sha256;
  std::string statement;  // JSON
  std::string proof;      // C2SP tlog-proof
};

using Reply = std::variant<Ready, Ack, Rewind, Pause, Stored, GivenReceipt>;

// Why a stream ends with an error: schleuse.transfer.v1.ErrorDetail.Reason.
enum class EndReason {
  kUnspecified,
  kBadMessage,
  kNotGranted,
  kTakenOver,
  kOtherBytesStored,
  kResentBytesDiffer,
  kMismatch,
  kTooManyRewinds,
  kHeldForOperator,
  kStopping,
  kSpoolFault,
  kPaused,
  kSilent,
};

struct StreamEnd {
  // `stored`: the hash of the bytes that have the name, if it is known.
  static StreamEnd OtherBytesStored(const std::optional<Digest>& stored);

  // OK after Stored or GivenReceipt. The message goes to the device: no inner
  // detail.
  absl::Status status;
  EndReason reason = EndReason::kUnspecified;
  std::optional<Digest> stored_sha256 = {};  // with kOtherBytesStored
  absl::Duration retry_after = {};           // with kPaused
};

// One stream's way back to the device. Implemented by the gRPC door and by the
// simulator. Safe to call from many threads; no call blocks or calls back.
class Outlet {
 public:
  virtual ~Outlet() = default;
  // An Ack replaces one that still waits to be sent.
  virtual void Send(const Reply& reply) = 0;
  // Replies sent before still go out; everything after is ignored.
  virtual void End(const StreamEnd& end) = 0;
  // What was queued has been worked off: Stream::OnChunk may be called again.
  virtual void ResumeReading() = 0;
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_TRANSFER_MESSAGES_H_
