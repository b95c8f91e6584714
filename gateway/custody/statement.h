// What the custody log says, and how: the only code of the gateway that knows
// the JSON of a statement (proto/statement.proto).
#ifndef SCHLEUSE_GATEWAY_CUSTODY_STATEMENT_H_
#define SCHLEUSE_GATEWAY_CUSTODY_STATEMENT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/recording_name.h"
#include "crypto/digest.h"

namespace schleuse::statement {

// --- of the log itself ---

struct LogBegun {
  std::string origin;
  std::string previous_checkpoint;  // empty: the first log
  std::string reason;               // empty: the turn of a year
};
struct LogClosed {
  std::string next_origin;
};
struct LogCut {
  uint64_t bytes;
};
struct GatewayStarted {
  std::string version;
};
struct GatewayStopped {};

struct LogDeleted {
  std::string origin;
  uint64_t entries;
};

// --- of recordings ---

struct Opened {
  RecordingName name;
  TransferId transfer_id;
  std::string device;  // SPIFFE ID
};
struct TakenOver {
  RecordingName name;
  TransferId transfer_id;
  std::string device;       // who goes on
  std::string from_device;  // who had it
};
struct Stored {
  RecordingName name;
  TransferId transfer_id;
  std::string device;
  uint64_t size;  // bytes
  Digest sha256;
  std::string location;
  bool read_back;        // else written and synced
  std::string metadata;  // schleuse.transfer.v1.Metadata as it came
};
struct Conflicting {
  RecordingName name;
  TransferId transfer_id;
  std::string device;
  Digest sha256;  // of the bytes that were not stored
};
struct Quarantined {
  RecordingName name;
  TransferId transfer_id;
  std::string device;
  uint64_t declared_size;
  Digest declared;
  uint64_t received_size;
  Digest received;
};

// --- of what is not kept any longer, or not to be deleted ---

struct Expired {
  RecordingName name;
  TransferId transfer_id;
  std::string device;
  uint64_t received_size;
  absl::Time last_active;
};
// Said before the first byte goes.
struct Deleted {
  enum class Place { kStore, kSpool, kQuarantine };
  std::optional<RecordingName> name;  // absent: nobody knows it any more
  TransferId transfer_id;
  std::string device;  // may be empty
  Place place;
  uint64_t size;
  std::optional<Digest> sha256;
  std::string rule;  // by which it was kept that long
  std::string legal_basis;
  absl::Time retain_until;
};
struct Held {
  std::string hold;
  std::vector<std::string> cameras, recordings, incidents;
  std::string reason;
  std::string by;
};
struct Released {
  std::string hold;
};

// --- of what is stored, read once more ---

struct Damaged {
  enum class Finding { kMissing, kDiffers, kUnreadable, kUnproven };
  RecordingName name;
  Finding finding;
  std::string detail;
  std::string location;
};
struct Scrubbed {
  absl::Time begun;
  uint64_t sound, bytes, damaged, deleted, stated;
};

// --- of who was turned away; left_out: how many since the last such statement
// are not stated ---

struct Refused {
  RecordingName name;
  std::string device;
  std::string reason;
  uint64_t left_out;
};
struct CertificateRefused {
  std::string device;  // who it says it is; empty: it does not say
  std::string serial;  // hexadecimal
  std::string reason;
  uint64_t left_out;
};

// --- of connections that were not made ---

struct EgressRefused {
  std::string host;
  uint16_t port;
  std::string address;  // empty: not known
  std::string reason;
  uint64_t left_out;
};

// --- of connections that carried footage ---

// `part`, from 1 on, of the `parts` that tell of one span.
struct Residency {
  struct Peer {
    std::string address;             // "10.20.0.5:443"; or "others"
    std::string certificate_sha256;  // hexadecimal; empty for "others"
    uint64_t bytes_sent;
    uint64_t bytes_received;
    uint64_t connections;
  };
  // So many fit into one statement, whatever they are.
  static constexpr size_t kPeersMax = 150;

  absl::Time from, to;
  std::vector<Peer> peers;
  bool complete;     // else bytes and connections are at least those
  bool local_store;  // the store is a local directory
  uint32_t part, parts;
};

using Event = std::variant<LogBegun, LogClosed, LogCut, LogDeleted,
                           GatewayStarted, GatewayStopped, Opened, TakenOver,
                           Stored, Conflicting, Quarantined, Expired, Deleted,
                           Held, Released, Damaged, Scrubbed, Refused,
                           CertificateRefused, EgressRefused, Residency>;

// Who says it, and when.
struct Frame {
  std::string gateway;
  absl::Time time;
  bool clock_synchronised;
  std::string nonce;  // 32 random bytes
};

// The bytes of a statement, to be kept as they are from here on.
//   InvalidArgument  they would be too many for an entry of a log, or
//                    `metadata` is no message
absl::StatusOr<std::string> Write(const Frame& frame, const Event& event);

// What a device said of a recording, as far as it says how long that is kept.
struct Basis {
  std::string incident;
  std::string legal_basis;
  bool home = false;
  std::optional<absl::Time> start = {};
  std::optional<absl::Time> retain_until = {};
};
// Of schleuse.transfer.v1.Metadata as it came.
//   DataLoss  these bytes are none
absl::StatusOr<Basis> ReadMetadata(absl::string_view metadata);

// What has to be known of a statement that was written before.
struct Read {
  struct Stored {
    RecordingName name;
    TransferId transfer_id;
    std::string device;
    uint64_t size;
    Digest sha256;
    std::string location;
    absl::Time at;
    bool clock_synchronised;
    Basis basis;
  };
  std::optional<Stored> stored = {};
  // Of a Deleted, what was deleted from the store.
  std::optional<RecordingName> deleted = {};
  // Of a LogClosed.
  std::optional<std::string> next_origin = {};
};
//   DataLoss  these bytes are no statement
absl::StatusOr<Read> ReadBack(absl::string_view statement);

}  // namespace schleuse::statement

#endif  // SCHLEUSE_GATEWAY_CUSTODY_STATEMENT_H_
