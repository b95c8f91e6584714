// Well-formed UTF-8 (Unicode 15, table 3-7; RFC 3629).
#ifndef SCHLEUSE_BASE_UTF8_H_
#define SCHLEUSE_BASE_UTF8_H_

#include <cstddef>

#include "absl/strings/string_view.h"

namespace schleuse {

// The bytes of the first character of `text`; 0 if it is ill-formed or `text`
// is empty.
size_t Utf8Length(absl::string_view text);

inline bool IsUtf8(absl::string_view text) {
  while (!text.empty()) {
    const size_t length = Utf8Length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace schleuse

#endif  // SCHLEUSE_BASE_UTF8_H_
