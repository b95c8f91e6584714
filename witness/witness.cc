#include "witness/witness.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/log.h"
#include "base/status.h"
#include "crypto/digest.h"
#include "evidence/merkle.h"

namespace schleuse {
namespace {

using Kind = WitnessVerdict::Kind;

constexpr absl::string_view kHeader = "schleuse-witnessed-checkpoint-v1\n";
constexpr absl::string_view kConflict = ".conflict";
constexpr size_t kNameHexDigits = 64;

WitnessVerdict Refuse(Kind kind, absl::string_view reason) {
  return {.kind = kind, .reason = std::string(reason)};
}

absl::Status Damaged(absl::string_view path, absl::string_view what) {
  return absl::DataLossError(absl::StrCat(
      path, " ", what,
      ": this witness no longer knows what it cosigned. Keep a copy, check the "
      "disk, and begin anew with another name and key"));
}

}  // namespace

Witness::Witness(Disk& disk, absl::string_view state_directory, WitnessKey key,
                 std::vector<PinnedKeys> gateways, const Clock& clock)
    : disk_(disk),
      directory_(state_directory),
      key_(std::move(key)),
      gateways_(std::move(gateways)),
      clock_(clock) {}

absl::StatusOr<std::unique_ptr<Witness>> Witness::Open(
    Disk& disk, absl::string_view state_directory, WitnessKey key,
    std::vector<PinnedKeys> gateways, const Clock& clock) {
  auto witness = std::unique_ptr<Witness>(new Witness(
      disk, state_directory, std::move(key), std::move(gateways), clock));
  RETURN_IF_ERROR(witness->ReadState());
  return witness;
}

absl::Status Witness::ReadState() {
  ASSIGN_OR_RETURN(const std::vector<std::string> names,
                   disk_.List(directory_));
  MutexLock lock(mutex_);
  for (const std::string& name : names) {
    if (name.size() != kNameHexDigits) continue;  // markers, conflicts
    ASSIGN_OR_RETURN(Latest latest, ReadLatest(JoinPath(directory_, name)));
    const std::string origin = latest.checkpoint.origin;
    latest_.emplace(origin, std::move(latest));
  }
  return absl::OkStatus();
}

// Whoever pinned a gateway then, and under which keys: that we cosigned it is
// what counts.
absl::StatusOr<Witness::Latest> Witness::ReadLatest(
    const std::string& path) const {
  ASSIGN_OR_RETURN(const std::string bytes,
                   ReadFile(disk_, path, kAddCheckpointBytesMax));
  absl::string_view note = bytes;
  if (!absl::ConsumePrefix(&note, kHeader)) {
    return Damaged(path, "is no cosigned checkpoint");
  }
  const absl::StatusOr<OpenedNote> opened = OpenNote(note, {key_.verifier()});
  if (!opened.ok()) return Damaged(path, opened.status().message());
  const absl::StatusOr<Checkpoint> checkpoint = ParseCheckpoint(opened->text);
  if (!checkpoint.ok()) return Damaged(path, checkpoint.status().message());
  if (PathOf(checkpoint->origin) != path) {
    return Damaged(path, absl::StrCat("is of ", checkpoint->origin));
  }
  return Latest{*checkpoint, std::string(note)};
}

std::string Witness::PathOf(absl::string_view origin) const {
  return JoinPath(directory_, Sha256::Of(origin).ToHex());
}

const PinnedKeys* Witness::PinnedFor(const Origin& origin) const {
  const auto found = std::find_if(
      gateways_.begin(), gateways_.end(),
      [&](const PinnedKeys& keys) { return keys.gateway() == origin.gateway; });
  return found == gateways_.end() ? nullptr : &*found;
}

// In the order of the standard.
WitnessVerdict Witness::Add(absl::string_view body, absl::string_view gateway) {
  const absl::StatusOr<AddCheckpoint> request = ParseAddCheckpoint(body);
  if (!request.ok()) {
    return Refuse(Kind::kMalformed, request.status().message());
  }
  const absl::StatusOr<std::string> text = NoteText(request->checkpoint);
  if (!text.ok()) return Refuse(Kind::kMalformed, text.status().message());
  const absl::StatusOr<Checkpoint> claimed = ParseCheckpoint(*text);
  if (!claimed.ok()) {
    return Refuse(Kind::kMalformed, claimed.status().message());
  }
  const absl::StatusOr<Origin> origin = Origin::Parse(claimed->origin);
  const PinnedKeys* const pinned = origin.ok() ? PinnedFor(*origin) : nullptr;
  if (pinned == nullptr || (!gateway.empty() && gateway != origin->gateway)) {
    return Refuse(Kind::kUnknownOrigin,
                  absl::StrCat("the log ", claimed->origin,
                               " is not witnessed here, or not for you"));
  }
  const absl::StatusOr<Checkpoint> checkpoint =
      OpenCheckpoint(request->checkpoint, *pinned);
  if (!checkpoint.ok()) {
    return Refuse(Kind::kNotSigned, checkpoint.status().message());
  }
  if (request->old_size > checkpoint->size) {
    return Refuse(Kind::kMalformed,
                  "its old size is larger than its checkpoint's");
  }
  WitnessVerdict verdict = Compare(*request, *checkpoint);
  verdict.origin = checkpoint->origin;
  verdict.size = checkpoint->size;
  return verdict;
}

WitnessVerdict Witness::Compare(const AddCheckpoint& request,
                                Checkpoint checkpoint) {
  MutexLock lock(mutex_);
  const auto known = latest_.find(checkpoint.origin);
  const Checkpoint before = known == latest_.end()
                                ? Checkpoint{checkpoint.origin, 0, EmptyRoot()}
                                : known->second.checkpoint;
  if (request.old_size != before.size) {
    return {.kind = Kind::kStale,
            .latest = before.size,
            .reason = absl::StrCat("the latest size is ", before.size)};
  }
  if (checkpoint.size == before.size) {
    if (checkpoint.root != before.root) {
      return Contradiction(Kind::kFork, request, checkpoint,
                           "another root at the same size");
    }
    if (!request.proof.empty()) {
      return Refuse(Kind::kBadProof, "there is nothing to be proven");
    }
    return Keep(request, std::move(checkpoint));
  }
  if (before.size == 0) {
    // Every tree begins with nothing.
    if (!request.proof.empty()) {
      return Refuse(Kind::kBadProof, "there is nothing to be proven");
    }
    return Keep(request, std::move(checkpoint));
  }
  const absl::Status consistent =
      VerifyConsistency(before.size, checkpoint.size, before.root,
                        checkpoint.root, request.proof);
  if (!consistent.ok()) {
    return Contradiction(Kind::kBadProof, request, checkpoint,
                         consistent.message());
  }
  return Keep(request, std::move(checkpoint));
}

bool Witness::MayRemember(const Origin& origin) const {
  const auto same = [&](const auto& entry) {
    const absl::StatusOr<Origin> other = Origin::Parse(entry.first);
    return other.ok() && other->gateway == origin.gateway;
  };
  return static_cast<size_t>(std::count_if(latest_.begin(), latest_.end(),
                                           same)) < kOriginsPerGatewayMax;
}

WitnessVerdict Witness::Keep(const AddCheckpoint& request,
                             Checkpoint checkpoint) {
  const bool is_new = !latest_.contains(checkpoint.origin);
  if (is_new && !MayRemember(*Origin::Parse(checkpoint.origin))) {
    if (const auto left_out = alarms_.Take(clock_.Now())) {
      Log(Severity::kAlarm, "a gateway has begun too many logs",
          {{"origin", checkpoint.origin},
           {"what_to_do", "are its keys in the wrong hands?"},
           {"left_out", *left_out}});
    }
    return Refuse(Kind::kFailed, "too many logs of one gateway");
  }
  const std::string text = ToText(checkpoint);
  std::string lines =
      key_.Line(text, static_cast<uint64_t>(absl::ToUnixSeconds(clock_.Now())));
  // With the log's own signatures alone, one a key: ours could else be one too
  // many to be read again.
  const Origin origin = *Origin::Parse(checkpoint.origin);
  const std::vector<NoteVerifier> known = *PinnedFor(origin)->For(origin);
  std::string note =
      absl::StrCat(*WithSignaturesOf(known, request.checkpoint), lines);
  const absl::Status kept = WriteFileAtomically(
      disk_, PathOf(checkpoint.origin), absl::StrCat(kHeader, note));
  if (!kept.ok()) {
    // The old file lies there or the new one, and nobody was given a
    // cosignature: whichever it is, the next request is held against the old
    // one here and writes its own anew, and a restart finds a checkpoint that
    // this gateway did sign as the continuation of the old.
    if (const auto left_out = alarms_.Take(clock_.Now())) {
      Log(Severity::kAlarm, "a cosigned checkpoint cannot be kept",
          {{"origin", checkpoint.origin},
           {"reason", kept.message()},
           {"left_out", *left_out}});
    }
    return Refuse(Kind::kFailed, "it cannot be kept at the moment");
  }
  latest_.insert_or_assign(checkpoint.origin,
                           Latest{checkpoint, std::move(note)});
  return {.kind = Kind::kCosigned, .lines = std::move(lines)};
}

WitnessVerdict Witness::Contradiction(Kind kind, const AddCheckpoint& request,
                                      const Checkpoint& checkpoint,
                                      absl::string_view reason) {
  // Both are signed by the gateway: together they convict it, if the proof that
  // it brought was its best.
  const std::string path = absl::StrCat(PathOf(checkpoint.origin), kConflict);
  if (absl::IsNotFound(disk_.Stat(path).status())) {
    const absl::Status kept = WriteFileAtomically(disk_, path, ToText(request));
    if (!kept.ok()) {
      Log(Severity::kError, "a contradiction cannot be kept",
          {{"reason", kept.message()}});
    }
  }
  if (const auto left_out = alarms_.Take(clock_.Now())) {
    Log(Severity::kAlarm, "a log contradicts what it signed before",
        {{"origin", checkpoint.origin},
         {"old_size", request.old_size},
         {"size", checkpoint.size},
         {"reason", reason},
         {"kept", path},
         {"what_to_do",
          "keep that file and the one beside it without .conflict: ask the "
          "gateway's operators for the log itself"},
         {"left_out", *left_out}});
  }
  return Refuse(kind, reason);
}

std::map<std::string, Witness::Latest> Witness::latest() const {
  MutexLock lock(mutex_);
  return latest_;
}

}  // namespace schleuse
