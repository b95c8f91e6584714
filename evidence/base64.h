// Base64 (RFC 4648, section 4), strict: padded, no byte that does not belong,
// one text for each string of bytes. For evidence/*.cc alone.
#ifndef SCHLEUSE_EVIDENCE_BASE64_H_
#define SCHLEUSE_EVIDENCE_BASE64_H_

#include <optional>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/string_view.h"

namespace schleuse {

inline std::optional<std::string> StrictBase64(absl::string_view text) {
  std::string bytes;
  if (!absl::Base64Unescape(text, &bytes)) return std::nullopt;
  // The library forgives spaces and missing padding.
  if (absl::Base64Escape(bytes) != text) return std::nullopt;
  return bytes;
}

}  // namespace schleuse

#endif  // SCHLEUSE_EVIDENCE_BASE64_H_
