#include "gateway/scrub/scrub_state.h"

#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace schleuse {
namespace {

constexpr absl::string_view kHeader = "schleuse-scrub-v1";

bool ParsePlace(const std::vector<std::string>& words, ScrubState& state) {
  using Phase = ScrubState::Phase;
  if (words.size() == 1 && words[0] == "over") {
    state.phase = Phase::kOver;
    return true;
  }
  if (words.size() == 2 && words[0] == "store") {
    state.phase = Phase::kStore;
    state.after = words[1];
    return true;
  }
  state.phase = Phase::kLog;
  if (words.size() != 3 || words[0] != "log") return false;
  state.log = words[1];
  return absl::SimpleAtoi(words[2], &state.bundle);
}

}  // namespace

std::string ScrubState::ToText() const {
  std::string place = "over";
  if (phase == Phase::kStore) place = absl::StrCat("store ", after);
  if (phase == Phase::kLog) place = absl::StrCat("log ", log, " ", bundle);
  return absl::StrCat(kHeader, "\n", absl::ToUnixMicros(begun), "\n", place,
                      "\n", sound, " ", bytes, " ", damaged, " ", deleted, " ",
                      stated, "\n");
}

absl::StatusOr<ScrubState> ScrubState::Parse(absl::string_view text) {
  const absl::Status none =
      absl::InvalidArgumentError("not how far a scrub has come");
  const std::vector<absl::string_view> lines = absl::StrSplit(text, '\n');
  if (lines.size() != 5 || lines[0] != kHeader || !lines[4].empty()) {
    return none;
  }
  ScrubState state;
  int64_t micros = 0;
  if (!absl::SimpleAtoi(lines[1], &micros)) return none;
  state.begun = absl::FromUnixMicros(micros);
  if (!ParsePlace(absl::StrSplit(lines[2], ' '), state)) return none;
  const std::vector<absl::string_view> counts = absl::StrSplit(lines[3], ' ');
  uint64_t* const into[] = {&state.sound, &state.bytes, &state.damaged,
                            &state.deleted, &state.stated};
  if (counts.size() != std::size(into)) return none;
  for (size_t i = 0; i < counts.size(); ++i) {
    if (!absl::SimpleAtoi(counts[i], into[i])) return none;
  }
  return state;
}

}  // namespace schleuse
