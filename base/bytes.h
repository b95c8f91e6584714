// Fixed-width little-endian integers in byte strings. It knows no format.
#ifndef SCHLEUSE_BASE_BYTES_H_
#define SCHLEUSE_BASE_BYTES_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace schleuse {

inline void AppendU32(std::string& out, uint32_t value) {
  for (int shift = 0; shift < 32; shift += 8) {
    out.push_back(static_cast<char>(value >> shift));
  }
}

// `bytes` must hold at least four.
inline uint32_t ReadU32(absl::string_view bytes) {
  uint32_t value = 0;
  for (int i = 3; i >= 0; --i) {
    value = value << 8 | static_cast<uint8_t>(bytes[i]);
  }
  return value;
}

}  // namespace schleuse

#endif  // SCHLEUSE_BASE_BYTES_H_
