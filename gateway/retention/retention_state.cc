#include "gateway/retention/retention_state.h"

#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status.h"

namespace schleuse {
namespace {

constexpr absl::string_view kHeader = "schleuse-retention-v1";
constexpr absl::string_view kHold = "hold";
constexpr absl::string_view kWarned = "warned";

}  // namespace

Digest DigestOf(const statement::Held& hold) {
  Sha256 hash;
  const auto add = [&hash](absl::string_view text) {
    hash.Update(absl::StrCat(text.size(), ":", text));
  };
  for (const auto* list : {&hold.cameras, &hold.recordings, &hold.incidents}) {
    hash.Update(absl::StrCat(list->size(), ";"));
    for (const std::string& text : *list) add(text);
  }
  add(hold.reason);
  add(hold.by);
  return hash.Current();
}

std::string RetentionState::ToText() const {
  std::string text = absl::StrCat(kHeader, "\n");
  for (const auto& [name, digest] : holds) {
    absl::StrAppend(&text, kHold, " ", name, " ", digest.ToHex(), "\n");
  }
  for (const auto& [id, when] : warned) {
    absl::StrAppend(&text, kWarned, " ", id, " ", absl::ToUnixSeconds(when),
                    "\n");
  }
  return text;
}

absl::StatusOr<RetentionState> RetentionState::Parse(absl::string_view text) {
  const absl::Status none =
      absl::InvalidArgumentError("not what retention remembers");
  const std::vector<absl::string_view> lines = absl::StrSplit(text, '\n');
  if (lines.size() < 2 || lines[0] != kHeader || !lines.back().empty()) {
    return none;
  }
  RetentionState state;
  for (size_t i = 1; i + 1 < lines.size(); ++i) {
    const std::vector<std::string> words = absl::StrSplit(lines[i], ' ');
    if (words.size() != 3) return none;
    if (words[0] == kHold) {
      ASSIGN_OR_RETURN(const Digest digest, Digest::FromHex(words[2]));
      state.holds.emplace(words[1], digest);
      continue;
    }
    int64_t seconds = 0;
    if (words[0] != kWarned || !absl::SimpleAtoi(words[2], &seconds)) {
      return none;
    }
    state.warned[words[1]] = absl::FromUnixSeconds(seconds);
  }
  return state;
}

}  // namespace schleuse
