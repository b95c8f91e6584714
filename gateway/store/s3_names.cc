#include "gateway/store/s3_names.h"

#include <utility>
#include <vector>

#include "absl/strings/str_split.h"

namespace schleuse::s3 {

std::optional<Named> Read(absl::string_view key) {
  const std::vector<absl::string_view> parts = absl::StrSplit(key, '/');
  if (parts.size() != 3) return std::nullopt;
  absl::StatusOr<RecordingName> name = RecordingName::Parse(parts[0], parts[1]);
  absl::StatusOr<TransferId> id = TransferId::Parse(parts[2]);
  if (!name.ok() || !id.ok()) return std::nullopt;
  return Named{*std::move(name), *std::move(id)};
}

}  // namespace schleuse::s3
