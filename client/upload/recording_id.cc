#include "client/upload/recording_id.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/limits.h"

namespace schleuse::client {
namespace {

// Longer than any extension; what is longer is no extension.
constexpr size_t kExtensionMax = 16;

bool Allowed(char c, bool first) {
  if (absl::ascii_isalnum(c) || c == '_' || c == '-') return true;
  return !first && (c == '.' || c == '~');
}

}  // namespace

absl::string_view BaseName(absl::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == absl::string_view::npos ? path : path.substr(slash + 1);
}

std::string RecordingIdOf(absl::string_view path) {
  std::string id(BaseName(path));
  for (size_t i = 0; i < id.size(); ++i) {
    if (!Allowed(id[i], i == 0)) id[i] = '_';
  }
  if (id.size() <= limits::kIdBytesMax) return id;
  const size_t dot = id.rfind('.');
  const std::string extension =
      dot != std::string::npos && id.size() - dot <= kExtensionMax
          ? id.substr(dot)
          : "";
  return absl::StrCat(id.substr(0, limits::kIdBytesMax - extension.size()),
                      extension);
}

}  // namespace schleuse::client
