// What client and gateway say to each other, as plain values: the messages of
// proto/transfer.proto, which says what each means. They know no protobuf.
#ifndef SCHLEUSE_CLIENT_UPLOADER_MESSAGES_H_
#define SCHLEUSE_CLIENT_UPLOADER_MESSAGES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "absl/strings/cord.h"
#include "absl/time/time.h"
#include "base/recording_name.h"
#include "crypto/digest.h"

namespace schleuse::client {

// --- to the gateway ----------------------------------------------------------

struct Metadata {
  std::string camera_serial;
  std::string wearer;
  int64_t start_unix_micros = 0;
  uint64_t duration_millis = 0;
  std::string incident;
  std::string legal_basis;
  bool home = false;
  int64_t retain_until_unix_micros = 0;
  std::string codec;
  std::string original_file_name;
  int64_t device_clock_unix_micros = 0;  // Upload sets it in each Begin
};

enum class Priority { kUnspecified, kUrgent, kNormal, kBulk };

struct Begin {
  RecordingName name;
  Metadata metadata;
  Priority priority = Priority::kUnspecified;
  std::optional<uint64_t> size;  // bytes
};

struct Chunk {
  uint64_t offset = 0;  // bytes
  uint32_t crc32c = 0;
  absl::Cord data;
};

struct Finish {
  uint64_t size;  // bytes
  Digest sha256;
};

using Request = std::variant<Begin, Chunk, Finish>;

// --- from the gateway --------------------------------------------------------

struct Ready {
  std::string transfer_id;
  uint64_t offset = 0;           // bytes
  uint64_t chunk_bytes_max = 0;  // 0: not said
  uint64_t credit_bytes = 0;
  uint64_t ack_every_bytes = 0;
  absl::Duration ack_every;
  bool already_stored = false;
};

struct Ack {
  uint64_t durable_offset = 0;  // bytes
  uint64_t credit_bytes = 0;
};

struct Rewind {
  enum class Reason { kUnspecified, kGap, kBadCrc, kGatewayFault };
  uint64_t offset = 0;  // bytes
  Reason reason = Reason::kUnspecified;
};

struct Pause {
  enum class Reason {
    kUnspecified,
    kSpoolFull,
    kStoreAway,
    kTooManyStreams,
    kHeld,
    kTooManyTransfers,
  };
  absl::Duration retry_after;
  Reason reason = Reason::kUnspecified;
};

struct Stored {
  uint64_t size;  // bytes
  Digest sha256;
};

struct Receipt {
  std::string camera_id;
  std::string recording_id;
  uint64_t size;  // bytes
  Digest sha256;
  std::string statement;  // JSON, to be kept byte for byte
  std::string proof;      // C2SP tlog-proof
};

using Reply = std::variant<Ready, Ack, Rewind, Pause, Stored, Receipt>;

// What the gateway adds to the status that ends a stream; all of it may be
// missing.
struct ErrorDetail {
  enum class Reason {
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
  Reason reason = Reason::kUnspecified;
  std::optional<Digest> stored_sha256 = {};
  absl::Duration retry_after = {};  // zero: not said
};

}  // namespace schleuse::client

#endif  // SCHLEUSE_CLIENT_UPLOADER_MESSAGES_H_
