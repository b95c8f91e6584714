#include "gateway/custody/witnessed_state.h"

#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status.h"

namespace schleuse {
namespace {

constexpr absl::string_view kHeader = "schleuse-witnessed-v1";
constexpr absl::string_view kLeft = "left";

}  // namespace

std::string WitnessedState::ToText() const {
  std::string text =
      absl::StrCat(kHeader, "\n", origin.ToString(), "\n", covered, "\n");
  for (const uint64_t index : left) {
    absl::StrAppend(&text, kLeft, " ", index, "\n");
  }
  for (const auto& [name, when] : heard) {
    absl::StrAppend(&text, absl::ToUnixSeconds(when), " ", name, "\n");
  }
  return text;
}

absl::StatusOr<WitnessedState> WitnessedState::Parse(absl::string_view text) {
  const absl::Status none =
      absl::InvalidArgumentError("not how far receipts are witnessed");
  const std::vector<absl::string_view> lines = absl::StrSplit(text, '\n');
  if (lines.size() < 4 || lines[0] != kHeader || !lines.back().empty()) {
    return none;
  }
  ASSIGN_OR_RETURN(Origin origin, Origin::Parse(lines[1]));
  WitnessedState state = {.origin = std::move(origin)};
  if (!absl::SimpleAtoi(lines[2], &state.covered)) return none;
  for (size_t i = 3; i + 1 < lines.size(); ++i) {
    const std::pair<absl::string_view, absl::string_view> words =
        absl::StrSplit(lines[i], absl::MaxSplits(' ', 1));
    if (words.first == kLeft) {
      uint64_t index = 0;
      if (!absl::SimpleAtoi(words.second, &index)) return none;
      state.left.insert(index);
      continue;
    }
    int64_t seconds = 0;
    if (!absl::SimpleAtoi(words.first, &seconds) || words.second.empty()) {
      return none;
    }
    state.heard[std::string(words.second)] = absl::FromUnixSeconds(seconds);
  }
  return state;
}

}  // namespace schleuse
