#include "base/crc32c.h"

#include <isa-l/crc.h>

namespace schleuse {

uint32_t ExtendCrc32c(uint32_t crc, absl::string_view bytes) {
  // isa-l leaves the two inversions of the standard to its caller and takes
  // the length as an int.
  constexpr size_t kPiece = size_t{1} << 30;
  uint32_t state = ~crc;
  while (!bytes.empty()) {
    const absl::string_view piece = bytes.substr(0, kPiece);
    // The library's prototype lacks const; it does not write.
    state = crc32_iscsi(
        reinterpret_cast<unsigned char*>(const_cast<char*>(piece.data())),
        static_cast<int>(piece.size()), state);
    bytes.remove_prefix(piece.size());
  }
  return ~state;
}

}  // namespace schleuse
