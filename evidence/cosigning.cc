#include "evidence/cosigning.h"

#include <optional>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status.h"
#include "evidence/base64.h"
#include "evidence/decimal.h"

namespace schleuse {
namespace {

absl::Status NoRequest(absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat("not an add-checkpoint request: ", why));
}

}  // namespace

std::string ToText(const AddCheckpoint& request) {
  std::string text = absl::StrCat("old ", request.old_size, "\n");
  for (const Digest& hash : request.proof) {
    absl::StrAppend(&text, absl::Base64Escape(hash.bytes()), "\n");
  }
  absl::StrAppend(&text, "\n", request.checkpoint);
  return text;
}

absl::StatusOr<AddCheckpoint> ParseAddCheckpoint(absl::string_view text) {
  if (text.size() > kAddCheckpointBytesMax) return NoRequest("it is too long");
  const size_t blank = text.find("\n\n");
  if (blank == absl::string_view::npos) {
    return NoRequest("no empty line ends its hashes");
  }
  const std::vector<absl::string_view> lines =
      absl::StrSplit(text.substr(0, blank), '\n');
  AddCheckpoint request = {.checkpoint = std::string(text.substr(blank + 2))};
  if (request.checkpoint.empty()) return NoRequest("it has no checkpoint");
  absl::string_view old_size = lines.front();
  if (!absl::ConsumePrefix(&old_size, "old ")) {
    return NoRequest("it does not begin with an old size");
  }
  const std::optional<uint64_t> size = StrictDecimal(old_size);
  if (!size) return NoRequest("its old size is no number");
  request.old_size = *size;
  if (lines.size() - 1 > kProofHashesMax) {
    return NoRequest("it has too many hashes");
  }
  for (size_t i = 1; i < lines.size(); ++i) {
    const std::optional<std::string> bytes = StrictBase64(lines[i]);
    if (!bytes) return NoRequest("a hash is not base64");
    const absl::StatusOr<Digest> hash = Digest::FromBytes(*bytes);
    if (!hash.ok()) return NoRequest("a hash has not 32 bytes");
    request.proof.push_back(*hash);
  }
  return request;
}

absl::StatusOr<std::string> WithCosignature(absl::string_view checkpoint,
                                            absl::string_view lines,
                                            const NoteVerifier& witness) {
  ASSIGN_OR_RETURN(const std::string text, NoteText(checkpoint));
  const absl::Status before = OpenNote(checkpoint, {witness}).status();
  if (before.ok()) return std::string(checkpoint);
  // A bad one that is there already would spoil every note made of it.
  if (!absl::IsPermissionDenied(before)) return before;
  ASSIGN_OR_RETURN(const OpenedNote cosigned,
                   OpenNote(absl::StrCat(text, "\n", lines), {witness}));
  // A blank line among them would move the end of the text.
  if (cosigned.text != text) {
    return absl::InvalidArgumentError("these are no signature lines");
  }
  for (const absl::string_view line : absl::StrSplit(lines, '\n')) {
    const std::string alone = absl::StrCat(line, "\n");
    if (!OpenNote(absl::StrCat(text, "\n", alone), {witness}).ok()) continue;
    std::string added = absl::StrCat(checkpoint, alone);
    // It may be one signature too many.
    RETURN_IF_ERROR(OpenNote(added, {witness}).status());
    return added;
  }
  return absl::InternalError("a cosignature was good among others alone");
}

}  // namespace schleuse
