#include "evidence/receipt.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status.h"
#include "evidence/base64.h"
#include "evidence/decimal.h"

namespace schleuse {
namespace {

constexpr absl::string_view kHeader = "c2sp.org/tlog-proof@v1";

absl::Status NoReceipt(absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("not a receipt: ", why));
}

// Takes a line off, without its line feed; nullopt: there is none.
std::optional<absl::string_view> TakeLine(absl::string_view& text) {
  const size_t end = text.find('\n');
  if (end == absl::string_view::npos) return std::nullopt;
  const absl::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return line;
}

}  // namespace

std::string ToText(const Receipt& receipt) {
  std::string text = absl::StrCat(kHeader, "\n");
  if (receipt.extra) {
    absl::StrAppend(&text, "extra ", absl::Base64Escape(*receipt.extra), "\n");
  }
  absl::StrAppend(&text, "index ", receipt.index, "\n");
  for (const Digest& hash : receipt.proof) {
    absl::StrAppend(&text, absl::Base64Escape(hash.bytes()), "\n");
  }
  absl::StrAppend(&text, "\n", receipt.checkpoint);
  return text;
}

absl::StatusOr<Receipt> ParseReceipt(absl::string_view text) {
  if (text.size() > kReceiptBytesMax) return NoReceipt("it is too long");
  if (TakeLine(text) != kHeader) {
    return NoReceipt(absl::StrCat("it does not begin with ", kHeader));
  }
  Receipt receipt = {.index = 0, .proof = {}, .checkpoint = {}};
  std::optional<absl::string_view> line = TakeLine(text);
  if (line && absl::ConsumePrefix(&*line, "extra ")) {
    receipt.extra = StrictBase64(*line);
    if (!receipt.extra) return NoReceipt("what is extra is not base64");
    line = TakeLine(text);
  }
  if (!line || !absl::ConsumePrefix(&*line, "index ")) {
    return NoReceipt("it names no index");
  }
  const std::optional<uint64_t> index = StrictDecimal(*line);
  if (!index) return NoReceipt("its index is no number");
  receipt.index = *index;
  while ((line = TakeLine(text)) && !line->empty()) {
    const std::optional<std::string> bytes = StrictBase64(*line);
    if (!bytes) return NoReceipt("a hash is not base64");
    const absl::StatusOr<Digest> hash = Digest::FromBytes(*bytes);
    if (!hash.ok()) return NoReceipt("a hash has not 32 bytes");
    if (receipt.proof.size() == kProofHashesMax) {
      return NoReceipt("it has too many hashes");
    }
    receipt.proof.push_back(*hash);
  }
  if (!line) return NoReceipt("no empty line ends its hashes");
  if (text.empty()) return NoReceipt("it has no checkpoint");
  receipt.checkpoint = std::string(text);
  return receipt;
}

absl::StatusOr<Proven> VerifyReceipt(absl::string_view receipt,
                                     absl::string_view statement,
                                     const PinnedKeys& pinned,
                                     const WitnessPolicy& policy) {
  ASSIGN_OR_RETURN(const Receipt parsed, ParseReceipt(receipt));
  ASSIGN_OR_RETURN(Checkpoint checkpoint,
                   OpenCheckpoint(parsed.checkpoint, pinned));
  std::vector<NoteSignature> cosignatures;
  const absl::StatusOr<OpenedNote> cosigned =
      OpenNote(parsed.checkpoint, policy.witnesses);
  if (cosigned.ok()) {
    cosignatures = cosigned->signatures;
  } else if (!absl::IsPermissionDenied(cosigned.status())) {
    return cosigned.status();
  }
  if (cosignatures.size() < policy.required) {
    return absl::PermissionDeniedError(
        absl::StrCat("only ", cosignatures.size(), " of the ", policy.required,
                     " witnesses asked for cosigned it"));
  }
  RETURN_IF_ERROR(VerifyInclusion(parsed.index, checkpoint.size,
                                  LeafHash(statement), parsed.proof,
                                  checkpoint.root));
  return Proven{std::move(checkpoint), parsed.index, std::move(cosignatures)};
}

}  // namespace schleuse
