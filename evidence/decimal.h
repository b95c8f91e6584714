// Numbers as the log's texts write them: decimal digits without a sign or a
// leading zero. For evidence/*.cc alone.
#ifndef SCHLEUSE_EVIDENCE_DECIMAL_H_
#define SCHLEUSE_EVIDENCE_DECIMAL_H_

#include <algorithm>
#include <cstdint>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"

namespace schleuse {

// Up to 2^63 - 1, as all others who read such logs can hold it.
inline std::optional<uint64_t> StrictDecimal(absl::string_view text) {
  int64_t value = 0;
  if (!std::all_of(text.begin(), text.end(), absl::ascii_isdigit) ||
      (text.size() > 1 && text.front() == '0') ||
      !absl::SimpleAtoi(text, &value)) {
    return std::nullopt;
  }
  return static_cast<uint64_t>(value);
}

}  // namespace schleuse

#endif  // SCHLEUSE_EVIDENCE_DECIMAL_H_
