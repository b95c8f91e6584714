#include "base/recording_name.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "base/limits.h"

namespace schleuse {
namespace {

bool IsIdStart(char c) {
  return absl::ascii_isalnum(c) || c == '_' || c == '-';
}
bool IsIdPart(char c) { return IsIdStart(c) || c == '.' || c == '~'; }

absl::Status BadId(absl::string_view what) {
  // The bad text itself is not repeated: it may hold anything.
  return absl::InvalidArgumentError(
      absl::StrCat(what, " must match [A-Za-z0-9_-][A-Za-z0-9._~-]{0,127}"));
}

}  // namespace

bool IsId(absl::string_view text) {
  return !text.empty() && text.size() <= limits::kIdBytesMax &&
         IsIdStart(text[0]) && std::all_of(text.begin(), text.end(), IsIdPart);
}

bool IsIdPattern(absl::string_view text) {
  const bool any_rest = absl::ConsumeSuffix(&text, "*");
  return IsId(text) || (any_rest && text.empty());
}

bool FitsIdPattern(absl::string_view pattern, absl::string_view id) {
  return absl::ConsumeSuffix(&pattern, "*") ? absl::StartsWith(id, pattern)
                                            : id == pattern;
}

absl::StatusOr<RecordingName> RecordingName::Parse(
    absl::string_view camera_id, absl::string_view recording_id) {
  if (!IsId(camera_id)) return BadId("camera_id");
  if (!IsId(recording_id)) return BadId("recording_id");
  return RecordingName(camera_id, recording_id);
}

TransferId TransferId::Make(Random& random, absl::string_view tag) {
  const uint64_t high = random.Next();
  const uint64_t low = random.Next();
  std::string text = absl::StrFormat("%016x%016x", high, low);
  text.replace(0, tag.size(), tag.data(), tag.size());
  return TransferId(std::move(text));
}

absl::StatusOr<TransferId> TransferId::Parse(absl::string_view text) {
  const bool hex = std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f');
  });
  if (text.size() != 32 || !hex) {
    return absl::InvalidArgumentError(
        "a transfer_id is 32 lowercase hex digits");
  }
  return TransferId(std::string(text));
}

}  // namespace schleuse
