#include "client/upload/text.h"

#include <algorithm>

#include "base/utf8.h"

namespace schleuse::client {
namespace {

// Bytes of the first character if it may stand in plain text, else 0.
size_t PlainLength(absl::string_view text) {
  const size_t length = Utf8Length(text);
  if (length == 0) return 0;
  const auto first = static_cast<unsigned char>(text[0]);
  if (first < 0x20 || first == 0x7F) return 0;
  if (first == 0xC2 && static_cast<unsigned char>(text[1]) < 0xA0) return 0;
  return length;
}

}  // namespace

bool IsPlainText(absl::string_view text) {
  while (!text.empty()) {
    const size_t length = PlainLength(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string PlainText(absl::string_view text) {
  std::string plain;
  while (!text.empty()) {
    const size_t length = PlainLength(text);
    if (length == 0) {
      plain += '?';
    } else {
      plain.append(text.data(), length);
    }
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return plain;
}

}  // namespace schleuse::client
