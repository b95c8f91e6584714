#include "evidence/checkpoint.h"

#include <algorithm>
#include <deque>
#include <limits>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/mutex.h"
#include "base/status.h"
#include "evidence/base64.h"
#include "evidence/decimal.h"
#include "evidence/merkle.h"

namespace schleuse {
namespace {

constexpr absl::string_view kPath = "/custody/";
constexpr int kYearMin = 1970;
constexpr int kYearMax = 9999;
// Nobody begins so many logs within a year.
constexpr int kNumberMax = 9999;
constexpr size_t kPinnedKeysMax = 16;

absl::Status NoCheckpoint(absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("not a checkpoint: ", why));
}

NoteKeyType TypeOf(const PublicKey& key) {
  return key.kind() == KeyKind::kEd25519 ? NoteKeyType::kEd25519
                                         : NoteKeyType::kEcdsaP256;
}

}  // namespace

std::string ToText(const Checkpoint& checkpoint) {
  return absl::StrCat(checkpoint.origin, "\n", checkpoint.size, "\n",
                      absl::Base64Escape(checkpoint.root.bytes()), "\n");
}

absl::StatusOr<Checkpoint> ParseCheckpoint(absl::string_view text) {
  const std::vector<absl::string_view> lines = absl::StrSplit(text, '\n');
  if (lines.size() != 4 || !lines[3].empty()) {
    return NoCheckpoint("it has not three lines");
  }
  if (lines[0].empty()) return NoCheckpoint("its origin is empty");
  const std::optional<uint64_t> size = StrictDecimal(lines[1]);
  if (!size) return NoCheckpoint("its size is no number");
  const std::optional<std::string> root = StrictBase64(lines[2]);
  if (!root) return NoCheckpoint("its root is not base64");
  const absl::StatusOr<Digest> digest = Digest::FromBytes(*root);
  if (!digest.ok()) return NoCheckpoint("its root has not 32 bytes");
  if (*size == 0 && *digest != EmptyRoot()) {
    return NoCheckpoint("the root of no entries is another");
  }
  return Checkpoint{std::string(lines[0]), *size, *digest};
}

std::string Origin::Directory() const {
  return number == 1 ? absl::StrCat(year) : absl::StrCat(year, "-", number);
}

std::string Origin::ToString() const {
  return absl::StrCat(gateway, kPath, Directory());
}

absl::StatusOr<Origin> Origin::Parse(absl::string_view text) {
  const absl::Status bad = absl::InvalidArgumentError(
      absl::StrCat("'", absl::CHexEscape(text.substr(0, 200)),
                   "' is not the origin of a custody log"));
  const size_t path = text.rfind(kPath);
  if (path == absl::string_view::npos || path == 0) return bad;
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(text.substr(path + kPath.size()), absl::MaxSplits('-', 1));
  const std::optional<uint64_t> year = StrictDecimal(parts.first);
  if (!year || *year < kYearMin || *year > kYearMax) return bad;
  Origin origin = {.gateway = std::string(text.substr(0, path)),
                   .year = static_cast<int>(*year)};
  if (text.find('-', path) != absl::string_view::npos) {
    const std::optional<uint64_t> number = StrictDecimal(parts.second);
    if (!number || *number < 2 || *number > kNumberMax) return bad;
    origin.number = static_cast<int>(*number);
  }
  return origin;
}

// The last few notes that were found good, byte for byte, and what they say.
class PinnedKeys::GoodNotes {
 public:
  std::optional<Checkpoint> Find(absl::string_view note) {
    MutexLock lock(mutex_);
    for (const auto& [good, checkpoint] : notes_) {
      if (good == note) return checkpoint;
    }
    return std::nullopt;
  }
  void Add(absl::string_view note, const Checkpoint& checkpoint) {
    MutexLock lock(mutex_);
    notes_.emplace_front(std::string(note), checkpoint);
    if (notes_.size() > kNotesMax) notes_.pop_back();
  }

 private:
  static constexpr size_t kNotesMax = 8;
  Mutex mutex_;
  std::deque<std::pair<std::string, Checkpoint>> notes_ ABSL_GUARDED_BY(mutex_);
};

PinnedKeys::PinnedKeys(std::string gateway, std::vector<PublicKey> keys)
    : gateway_(std::move(gateway)),
      keys_(std::move(keys)),
      good_(std::make_shared<GoodNotes>()) {}

absl::StatusOr<PinnedKeys> PinnedKeys::Make(absl::string_view gateway,
                                            std::vector<PublicKey> keys) {
  if (keys.empty()) return absl::InvalidArgumentError("no key is pinned");
  if (keys.size() > kPinnedKeysMax) {
    return absl::InvalidArgumentError("too many keys are pinned");
  }
  // Whether the name can stand in an origin: in the longest, since its keys are
  // asked for much later.
  const Origin longest = {.gateway = std::string(gateway),
                          .year = 9999,
                          .number = std::numeric_limits<int>::max()};
  for (const std::string& name : {longest.gateway, longest.ToString()}) {
    RETURN_IF_ERROR(
        NoteVerifier::Make(name, TypeOf(keys.front()), keys.front()).status());
  }
  return PinnedKeys(std::string(gateway), std::move(keys));
}

absl::StatusOr<PinnedKeys> PinnedKeys::Parse(absl::string_view text) {
  std::optional<std::string> gateway;
  std::vector<PublicKey> keys;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    if (line.empty() || line.front() == '#') continue;
    const absl::StatusOr<NoteVerifier> verifier = NoteVerifier::Parse(line);
    if (!verifier.ok()) {
      return Annotate(verifier.status(), absl::StrCat("line ", number));
    }
    if (verifier->type() == NoteKeyType::kCosignature) {
      return absl::InvalidArgumentError(
          absl::StrCat("line ", number, ": a witness's key is no gateway's"));
    }
    if (gateway && *gateway != verifier->name()) {
      return absl::InvalidArgumentError(
          absl::StrCat("line ", number, ": keys of two gateways, ", *gateway,
                       " and ", verifier->name()));
    }
    gateway = verifier->name();
    keys.push_back(verifier->key());
  }
  if (!gateway) return absl::InvalidArgumentError("no key is pinned");
  return Make(*gateway, std::move(keys));
}

std::string PinnedKeys::ToString() const {
  std::string text;
  for (const PublicKey& key : keys_) {
    absl::StrAppend(&text,
                    NoteVerifier::Make(gateway_, TypeOf(key), key)->ToString(),
                    "\n");
  }
  return text;
}

absl::StatusOr<std::vector<NoteVerifier>> PinnedKeys::For(
    const Origin& origin) const {
  if (origin.gateway != gateway_) {
    return absl::PermissionDeniedError(
        absl::StrCat("it is of ", origin.ToString(),
                     ", but the keys given are those of ", gateway_));
  }
  std::vector<NoteVerifier> verifiers;
  for (const PublicKey& key : keys_) {
    ASSIGN_OR_RETURN(NoteVerifier verifier,
                     NoteVerifier::Make(origin.ToString(), TypeOf(key), key));
    verifiers.push_back(std::move(verifier));
  }
  return verifiers;
}

absl::StatusOr<Checkpoint> OpenCheckpoint(absl::string_view note,
                                          const PinnedKeys& pinned) {
  if (std::optional<Checkpoint> good = pinned.good_->Find(note)) {
    return *std::move(good);
  }
  ASSIGN_OR_RETURN(const std::string text, NoteText(note));
  ASSIGN_OR_RETURN(Checkpoint checkpoint, ParseCheckpoint(text));
  ASSIGN_OR_RETURN(const Origin origin, Origin::Parse(checkpoint.origin));
  ASSIGN_OR_RETURN(const std::vector<NoteVerifier> verifiers,
                   pinned.For(origin));
  ASSIGN_OR_RETURN(const OpenedNote opened, OpenNote(note, verifiers));
  if (opened.signatures.size() < verifiers.size()) {
    return absl::PermissionDeniedError(
        absl::StrCat("only ", opened.signatures.size(), " of the ",
                     verifiers.size(), " pinned keys signed it"));
  }
  pinned.good_->Add(note, checkpoint);
  return checkpoint;
}

}  // namespace schleuse
