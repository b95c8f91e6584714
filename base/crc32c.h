// CRC-32C (Castagnoli, RFC 3720 appendix B.4), as in the chunks of the wire
// and the records of the spool. Detects accidents, not attackers.
#ifndef SCHLEUSE_BASE_CRC32C_H_
#define SCHLEUSE_BASE_CRC32C_H_

#include <cstdint>

#include "absl/strings/cord.h"
#include "absl/strings/string_view.h"

namespace schleuse {

// Continues `crc` (0 to begin) over `bytes`.
uint32_t ExtendCrc32c(uint32_t crc, absl::string_view bytes);

inline uint32_t ExtendCrc32c(uint32_t crc, const absl::Cord& bytes) {
  for (const absl::string_view piece : bytes.Chunks()) {
    crc = ExtendCrc32c(crc, piece);
  }
  return crc;
}

inline uint32_t Crc32c(absl::string_view bytes) {
  return ExtendCrc32c(0, bytes);
}

inline uint32_t Crc32c(const absl::Cord& bytes) {
  uint32_t crc = 0;
  for (const absl::string_view piece : bytes.Chunks()) {
    crc = ExtendCrc32c(crc, piece);
  }
  return crc;
}

}  // namespace schleuse

#endif  // SCHLEUSE_BASE_CRC32C_H_
