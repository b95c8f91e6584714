// The payloads of a transfer's journal: the only code that knows their
// protobuf form (proto/spool.proto).
#ifndef SCHLEUSE_GATEWAY_SPOOL_JOURNAL_H_
#define SCHLEUSE_GATEWAY_SPOOL_JOURNAL_H_

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "crypto/digest.h"
#include "gateway/spool/partial.h"

namespace schleuse::journal {

struct ChunkWritten {
  uint64_t offset;
  uint64_t length;
  uint32_t crc32c;
};
struct SyncedTo {
  uint64_t offset;
};
struct FinishedAt {
  Finished finished;
  std::string target;
};
struct Mismatch {
  uint64_t declared_size;
  Digest declared;
  uint64_t received_size;
  Digest received;
  absl::Time at;
};
// A record of a later version, which this one passes over.
struct Unknown {};

using Record =
    std::variant<Begun, ChunkWritten, SyncedTo, FinishedAt, Mismatch, Unknown>;

std::string Encode(const Record& record);
// nullopt: the payload, though its frame was intact, makes no sense.
std::optional<Record> Decode(absl::string_view payload);

// What the records of one journal add up to, without a look at the bytes.
struct Summary {
  std::optional<Begun> begun;
  uint64_t received = 0;
  std::optional<Finished> finished;
  bool mismatched = false;

  // Takes the next record. False: it contradicts those before it; neither it
  // nor any behind it counts.
  bool Add(const std::optional<Record>& record);
};

}  // namespace schleuse::journal

#endif  // SCHLEUSE_GATEWAY_SPOOL_JOURNAL_H_
