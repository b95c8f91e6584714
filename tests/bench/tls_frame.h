// What the bare TLS stream carries, for each file: this header, the name, the
// bytes, their SHA-256. The answer is one byte, once the file is synced under
// its name. Both ends run on one machine: its byte order.
#ifndef SCHLEUSE_TESTS_BENCH_TLS_FRAME_H_
#define SCHLEUSE_TESTS_BENCH_TLS_FRAME_H_

#include <cstdint>

namespace schleuse::bench {

struct FrameHeader {
  uint64_t file_bytes;
  uint64_t name_bytes;
};

inline constexpr uint64_t kNameBytesMax = 255;
inline constexpr char kKept = 'k';

}  // namespace schleuse::bench

#endif  // SCHLEUSE_TESTS_BENCH_TLS_FRAME_H_
