#include "evidence/note.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "base/utf8.h"
#include "crypto/digest.h"
#include "evidence/base64.h"

namespace schleuse {
namespace {

constexpr absl::string_view kDashSpace = "\xe2\x80\x94 ";  // U+2014
constexpr size_t kIdBytes = 4;
constexpr size_t kTimeBytes = 8;
constexpr size_t kNameBytesMax = 1024;
constexpr size_t kKeyBytesMax = 1024;

// Unicode's White_Space, in UTF-8, beyond ASCII.
constexpr std::array<absl::string_view, 19> kWideSpaces = {
    "\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\x80",
    "\xe2\x80\x81", "\xe2\x80\x82", "\xe2\x80\x83", "\xe2\x80\x84",
    "\xe2\x80\x85", "\xe2\x80\x86", "\xe2\x80\x87", "\xe2\x80\x88",
    "\xe2\x80\x89", "\xe2\x80\x8a", "\xe2\x80\xa8", "\xe2\x80\xa9",
    "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80"};

bool IsName(absl::string_view name) {
  if (name.empty() || name.size() > kNameBytesMax || !IsUtf8(name)) {
    return false;
  }
  for (const char c : name) {
    if (c == '+' || absl::ascii_isspace(static_cast<unsigned char>(c)) ||
        absl::ascii_iscntrl(static_cast<unsigned char>(c))) {
      return false;
    }
  }
  return std::none_of(kWideSpaces.begin(), kWideSpaces.end(),
                      [name](absl::string_view space) {
                        return absl::StrContains(name, space);
                      });
}

bool IsText(absl::string_view text) {
  return !text.empty() && text.back() == '\n' && IsUtf8(text) &&
         std::none_of(text.begin(), text.end(), [](char c) {
           return static_cast<unsigned char>(c) < 0x20 && c != '\n';
         });
}

void AppendBigEndian(std::string& out, uint64_t value, size_t bytes) {
  for (size_t i = bytes; i-- > 0;) {
    out.push_back(static_cast<char>(value >> (8 * i)));
  }
}

uint64_t ReadBigEndian(absl::string_view bytes) {
  uint64_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<uint8_t>(c);
  return value;
}

uint32_t IdOf(absl::string_view name, NoteKeyType type, const PublicKey& key) {
  const Digest hash =
      type == NoteKeyType::kEcdsaP256
          ? Sha256::Of(key.bytes())
          : Sha256::Of(absl::StrCat(name, "\n",
                                    std::string(1, static_cast<char>(type)),
                                    key.bytes()));
  return static_cast<uint32_t>(ReadBigEndian(hash.bytes().substr(0, kIdBytes)));
}

std::string CosignedText(absl::string_view text, uint64_t time) {
  return absl::StrCat("cosignature/v1\ntime ", time, "\n", text);
}

absl::Status NoKey(absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("not a verifier key: ", why));
}

absl::Status NoNote(absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("not a signed note: ", why));
}

struct Parts {
  absl::string_view text;
  absl::string_view signatures;
};

absl::StatusOr<Parts> Split(absl::string_view note) {
  if (note.size() > kNoteBytesMax) return NoNote("it is too long");
  if (!IsText(note)) return NoNote("it is no text that ends in a line feed");
  const size_t blank = note.rfind("\n\n");
  if (blank == absl::string_view::npos) return NoNote("it has no blank line");
  const Parts parts = {note.substr(0, blank + 1), note.substr(blank + 2)};
  if (parts.signatures.empty()) return NoNote("it has no signature");
  return parts;
}

struct Line {
  absl::string_view name;
  uint32_t id;
  std::string signature;
};

std::optional<Line> ParseLine(absl::string_view line) {
  if (!absl::StartsWith(line, kDashSpace)) return std::nullopt;
  line.remove_prefix(kDashSpace.size());
  const size_t space = line.find(' ');
  if (space == absl::string_view::npos) return std::nullopt;
  const absl::string_view name = line.substr(0, space);
  std::optional<std::string> bytes = StrictBase64(line.substr(space + 1));
  if (!IsName(name) || !bytes || bytes->size() <= kIdBytes) return std::nullopt;
  const auto id = static_cast<uint32_t>(
      ReadBigEndian(absl::string_view(*bytes).substr(0, kIdBytes)));
  return Line{name, id, bytes->substr(kIdBytes)};
}

std::string MakeLine(absl::string_view name, uint32_t id,
                     absl::string_view signature) {
  std::string bytes;
  AppendBigEndian(bytes, id, kIdBytes);
  bytes.append(signature.data(), signature.size());
  return absl::StrCat(kDashSpace, name, " ", absl::Base64Escape(bytes), "\n");
}

// nullopt: the signature is bad.
std::optional<NoteSignature> Check(absl::string_view text,
                                   absl::string_view signature,
                                   const NoteVerifier& verifier,
                                   size_t number) {
  if (verifier.type() != NoteKeyType::kCosignature) {
    if (!verifier.key().Verify(text, signature)) return std::nullopt;
    return NoteSignature{.verifier = number};
  }
  if (signature.size() <= kTimeBytes) return std::nullopt;
  const uint64_t time = ReadBigEndian(signature.substr(0, kTimeBytes));
  if (!verifier.key().Verify(CosignedText(text, time),
                             signature.substr(kTimeBytes))) {
    return std::nullopt;
  }
  return NoteSignature{.verifier = number, .time = time};
}

}  // namespace

NoteVerifier::NoteVerifier(std::string name, NoteKeyType type, PublicKey key)
    : name_(std::move(name)),
      type_(type),
      key_(std::move(key)),
      id_(IdOf(name_, type_, key_)) {}

absl::StatusOr<NoteVerifier> NoteVerifier::Make(absl::string_view name,
                                                NoteKeyType type,
                                                PublicKey key) {
  if (!IsName(name)) {
    return NoKey("a name is UTF-8 without spaces and '+', and not empty");
  }
  const bool fits =
      (type == NoteKeyType::kEcdsaP256) == (key.kind() == KeyKind::kEcdsaP256);
  if (!fits) return NoKey("its type is for keys of another kind");
  return NoteVerifier(std::string(name), type, std::move(key));
}

absl::StatusOr<NoteVerifier> NoteVerifier::Parse(absl::string_view vkey) {
  const size_t first = vkey.find('+');
  if (first == absl::string_view::npos) return NoKey("it has no '+'");
  const size_t second = vkey.find('+', first + 1);
  if (second == absl::string_view::npos) return NoKey("it has one '+' only");
  const absl::string_view id = vkey.substr(first + 1, second - first - 1);
  const std::optional<std::string> bytes =
      StrictBase64(vkey.substr(second + 1));
  if (!bytes || bytes->size() < 2 || bytes->size() > kKeyBytesMax) {
    return NoKey("what stands behind the second '+' is no key in base64");
  }
  const absl::string_view rest = absl::string_view(*bytes).substr(1);
  const auto type = static_cast<NoteKeyType>(bytes->front());
  absl::StatusOr<PublicKey> key = NoKey("its type is not known");
  if (type == NoteKeyType::kEd25519 || type == NoteKeyType::kCosignature) {
    key = PublicKey::FromEd25519(rest);
  } else if (type == NoteKeyType::kEcdsaP256) {
    key = PublicKey::FromEcdsaP256(rest);
  }
  if (!key.ok()) return NoKey(key.status().message());
  ASSIGN_OR_RETURN(NoteVerifier verifier,
                   Make(vkey.substr(0, first), type, *std::move(key)));
  if (absl::StrCat(absl::Hex(verifier.id_, absl::kZeroPad8)) != id) {
    return NoKey("its id is not that of name and key");
  }
  return verifier;
}

std::string NoteVerifier::ToString() const {
  return absl::StrCat(
      name_, "+", absl::Hex(id_, absl::kZeroPad8), "+",
      absl::Base64Escape(absl::StrCat(std::string(1, static_cast<char>(type_)),
                                      key_.bytes())));
}

absl::StatusOr<OpenedNote> OpenNote(absl::string_view note,
                                    absl::Span<const NoteVerifier> known) {
  ASSIGN_OR_RETURN(const Parts parts, Split(note));
  OpenedNote opened = {.text = std::string(parts.text), .signatures = {}};
  size_t lines = 0;
  for (absl::string_view rest = parts.signatures; !rest.empty();) {
    const size_t end = rest.find('\n');  // there is one: Split saw to it
    const std::optional<Line> line = ParseLine(rest.substr(0, end));
    rest.remove_prefix(end + 1);
    if (!line) return NoNote("what stands behind the text is no signature");
    if (++lines > kNoteSignaturesMax) return NoNote("too many signatures");
    for (size_t i = 0; i < known.size(); ++i) {
      if (known[i].name() != line->name || known[i].id() != line->id) continue;
      const std::optional<NoteSignature> good =
          Check(parts.text, line->signature, known[i], i);
      if (!good) {
        return absl::DataLossError(
            absl::StrCat("the signature of ", line->name, " is bad"));
      }
      const bool counted = std::any_of(
          opened.signatures.begin(), opened.signatures.end(),
          [i](const NoteSignature& other) { return other.verifier == i; });
      if (!counted) opened.signatures.push_back(*good);
    }
  }
  if (opened.signatures.empty()) {
    return absl::PermissionDeniedError("no known key signed it");
  }
  return opened;
}

absl::StatusOr<std::string> NoteText(absl::string_view note) {
  const absl::StatusOr<OpenedNote> opened = OpenNote(note, {});
  // With no key known, a note is one exactly if that is all that is wrong.
  if (!absl::IsPermissionDenied(opened.status())) return opened.status();
  ASSIGN_OR_RETURN(const Parts parts, Split(note));
  return std::string(parts.text);
}

absl::StatusOr<std::string> WithSignaturesOf(
    absl::Span<const NoteVerifier> known, absl::string_view note) {
  RETURN_IF_ERROR(NoteText(note).status());
  ASSIGN_OR_RETURN(const Parts parts, Split(note));
  std::string kept = absl::StrCat(parts.text, "\n");
  std::vector<bool> counted(known.size());
  for (absl::string_view rest = parts.signatures; !rest.empty();) {
    const absl::string_view text_line = rest.substr(0, rest.find('\n') + 1);
    rest.remove_prefix(text_line.size());
    const std::optional<Line> line =
        ParseLine(text_line.substr(0, text_line.size() - 1));
    for (size_t i = 0; i < known.size(); ++i) {
      if (counted[i] || known[i].name() != line->name ||
          known[i].id() != line->id ||
          !Check(parts.text, line->signature, known[i], i)) {
        continue;
      }
      counted[i] = true;
      absl::StrAppend(&kept, text_line);
      break;
    }
  }
  return kept;
}

absl::StatusOr<NoteSigner> NoteSigner::Make(absl::string_view name,
                                            PrivateKey key) {
  const NoteKeyType type = key.kind() == KeyKind::kEd25519
                               ? NoteKeyType::kEd25519
                               : NoteKeyType::kEcdsaP256;
  ASSIGN_OR_RETURN(NoteVerifier verifier,
                   NoteVerifier::Make(name, type, key.public_key()));
  return NoteSigner(std::move(verifier), std::move(key));
}

std::string NoteSigner::SignatureLine(absl::string_view text) const {
  return MakeLine(verifier_.name(), verifier_.id(), key_.Sign(text));
}

absl::StatusOr<std::string> CosignatureLine(absl::string_view name,
                                            const PrivateKey& key,
                                            absl::string_view text,
                                            uint64_t time) {
  ASSIGN_OR_RETURN(
      const NoteVerifier verifier,
      NoteVerifier::Make(name, NoteKeyType::kCosignature, key.public_key()));
  std::string signature;
  AppendBigEndian(signature, time, kTimeBytes);
  signature += key.Sign(CosignedText(text, time));
  return MakeLine(verifier.name(), verifier.id(), signature);
}

absl::StatusOr<std::string> SignNote(absl::string_view text,
                                     absl::Span<const NoteSigner> signers) {
  if (!IsText(text)) {
    return absl::InvalidArgumentError(
        "a note's text ends in a line feed and has no control character");
  }
  std::string note = absl::StrCat(text, "\n");
  for (const NoteSigner& signer : signers) note += signer.SignatureLine(text);
  return note;
}

}  // namespace schleuse
