// Text that may come from anywhere: a card's file names, a gateway's words. It
// knows what neither a gateway nor a terminal takes.
#ifndef SCHLEUSE_CLIENT_UPLOAD_TEXT_H_
#define SCHLEUSE_CLIENT_UPLOAD_TEXT_H_

#include <string>

#include "absl/strings/string_view.h"

namespace schleuse::client {

// UTF-8 without control characters (U+0000 to U+001F, U+007F to U+009F): what
// metadata may hold.
bool IsPlainText(absl::string_view text);

// `text` with '?' for each byte of whatever makes it no plain text, so that it
// cannot move a terminal's cursor.
std::string PlainText(absl::string_view text);

}  // namespace schleuse::client

#endif  // SCHLEUSE_CLIENT_UPLOAD_TEXT_H_
