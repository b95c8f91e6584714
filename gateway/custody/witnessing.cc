#include "gateway/custody/witnessing.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status.h"
#include "evidence/cosigning.h"
#include "evidence/merkle.h"
#include "evidence/receipt.h"
#include "evidence/tile.h"
#include "gateway/custody/statement.h"

namespace schleuse {
namespace {

constexpr absl::string_view kState = "witnessed";
constexpr absl::string_view kRefused = ".refused";
constexpr uint64_t kStateBytesMax = 1 << 20;
// Recordings whose bundles cannot be reached, one by one and not the whole
// store.
constexpr size_t kLeftMax = 1000;
constexpr absl::Duration kAlarmEvery = absl::Hours(1);
// How long a closed log waits for bundles that cannot be reached.
constexpr absl::Duration kLeftPatience = absl::Hours(24);

}  // namespace

Witnessing::Witnessing(Disk& disk, absl::string_view directory,
                       const PinnedKeys& pinned, std::vector<WitnessDoor> doors,
                       Executor& executor, const Clock& clock, Random& random,
                       WitnessingOptions options)
    : disk_(disk),
      directory_(directory),
      pinned_(pinned),
      executor_(executor),
      clock_(clock),
      random_(random),
      options_(std::move(options)) {
  for (WitnessDoor& door : doors) {
    doors_.push_back({std::move(door.key), std::move(door.witness)});
  }
}

// --- rounds ------------------------------------------------------------------

void Witnessing::Start() { RunLater(); }

// Half to one and a half of the time between rounds: many gateways share a
// witness.
void Witnessing::RunLater() {
  executor_.PostAfter(options_.every * (0.5 + random_.NextFraction()),
                      [self = shared_from_this()] {
                        self->Round();
                        if (!self->ahead_ && !self->stopping_) {
                          self->RunLater();
                        }
                      });
}

void Witnessing::Round() {
  const absl::Status run = RunRound();
  if (!run.ok() && !ahead_) {
    Log(Severity::kWarning, "custody: witnesses are asked again later",
        {{"reason", run.message()}});
  }
  if (state_) CheckAges();
}

absl::Status Witnessing::RunRound() {
  RETURN_IF_ERROR(LoadState());
  if (!state_) return absl::OkStatus();  // nothing is published yet
  while (!stopping_) {
    ASSIGN_OR_RETURN(const std::optional<Published> log, Read(state_->origin));
    if (!log) return absl::OkStatus();
    absl::Status done = TakeInbox(*log);
    if (done.ok()) done = CosignAndLay(*log);
    // Another log was begun behind one that is contradicted.
    const bool given_up = absl::IsAborted(done);
    if (!done.ok() && !given_up) return done;
    ASSIGN_OR_RETURN(const std::vector<Origin> origins, Origins());
    const auto next = std::find_if(
        origins.begin(), origins.end(),
        [&](const Origin& one) { return state_->origin.IsBefore(one); });
    if (next == origins.end()) return absl::OkStatus();
    // A log that another follows has been published to its end.
    ASSIGN_OR_RETURN(const std::optional<Published> closed,
                     Read(state_->origin));
    if (!given_up && (!closed || !IsDone(closed->checkpoint.size))) {
      return absl::OkStatus();
    }
    state_->origin = *next;
    state_->covered = 0;
    state_->left.clear();
    closed_since_ = absl::InfiniteFuture();
  }
  return absl::OkStatus();
}

absl::Status Witnessing::CosignAndLay(const Published& log) {
  ASSIGN_OR_RETURN(const std::string note, Cosigned(log));
  if (note.empty()) return absl::OkStatus();
  return LayUpTo(log, note, log.checkpoint.size);
}

// Of a closed log: whether all is laid, or has had its time.
bool Witnessing::IsDone(uint64_t size) {
  if (state_->covered != size) return false;
  if (state_->left.empty()) return true;
  closed_since_ = std::min(closed_since_, clock_.Now());
  if (clock_.Now() - closed_since_ < kLeftPatience) return false;
  Log(Severity::kAlarm, "custody: recordings without a witnessed receipt",
      {{"origin", state_->origin.ToString()},
       {"count", state_->left.size()},
       {"what_now", "their log is closed; what they have stays valid"}});
  return true;
}

absl::Status Witnessing::LoadState() {
  if (state_) return absl::OkStatus();
  const std::string path = JoinPath(directory_, kState);
  const absl::StatusOr<std::string> text =
      ReadFile(disk_, path, kStateBytesMax);
  if (text.ok()) {
    absl::StatusOr<WitnessedState> state = WitnessedState::Parse(*text);
    if (state.ok()) {
      state_ = *std::move(state);
    } else {
      Log(Severity::kAlarm, "custody: a file is damaged",
          {{"file", path},
           {"what_now", "all is looked at anew; what is laid stays"}});
    }
  } else if (!absl::IsNotFound(text.status())) {
    return text.status();
  }
  if (!state_) {
    ASSIGN_OR_RETURN(const std::vector<Origin> origins, Origins());
    if (origins.empty()) return absl::OkStatus();
    state_ = WitnessedState{.origin = origins.front()};
  }
  // One that is new has not been silent for long; but from now on that counts,
  // whenever this process ends.
  bool any = false;
  for (const Door& door : doors_) {
    any |= state_->heard.emplace(door.key.name(), clock_.Now()).second;
  }
  return any ? SaveState() : absl::OkStatus();
}

// --- the log as others see it ------------------------------------------------

absl::StatusOr<std::vector<Origin>> Witnessing::Origins() const {
  ASSIGN_OR_RETURN(std::vector<Origin> origins,
                   OriginsIn(disk_, directory_, pinned_.gateway()));
  std::erase_if(origins, [this](const Origin& one) {
    return !disk_
                .Stat(JoinPath(JoinPath(directory_, one.Directory()),
                               "checkpoint"))
                .ok();
  });
  return origins;
}

absl::StatusOr<std::optional<Witnessing::Published>> Witnessing::Read(
    const Origin& origin) const {
  LogFiles files(disk_, JoinPath(directory_, origin.Directory()));
  ASSIGN_OR_RETURN(std::optional<std::string> note, files.ReadCheckpoint());
  if (!note) return std::optional<Published>();
  ASSIGN_OR_RETURN(Checkpoint checkpoint, OpenCheckpoint(*note, pinned_));
  if (checkpoint.origin != origin.ToString()) {
    return absl::DataLossError(
        absl::StrCat(files.directory(), " holds ", checkpoint.origin));
  }
  return std::optional<Published>(Published{
      origin, std::move(files), *std::move(note), std::move(checkpoint)});
}

absl::StatusOr<Digest> Witnessing::RootAt(const Published& log,
                                          uint64_t size) const {
  return RootOf(size, [&log](int level, uint64_t index) {
    return log.files.ReadNode(log.checkpoint.size, level, index);
  });
}

// --- witnesses ---------------------------------------------------------------

std::vector<KnownTree> Witnessing::AskWhatIsKnown(absl::Duration patience) {
  std::vector<KnownTree> known;
  const absl::StatusOr<std::vector<Origin>> origins = Origins();
  if (!origins.ok() || origins->empty()) return known;
  for (const Carried& carried : ReadInbox()) {
    known.push_back({.origin = carried.checkpoint.origin,
                     .size = carried.checkpoint.size,
                     .root = carried.checkpoint.root,
                     .by = carried.path});
  }
  const auto log = Read(origins->back());
  if (!log.ok() || !*log) return known;  // opening the log says what is wrong
  for (Door& door : doors_) {
    if (door.witness == nullptr) continue;
    // Of a witness that knows it, 0 is never the latest.
    const absl::StatusOr<WitnessAnswer> answer =
        door.witness->Ask({.checkpoint = (*log)->note},
                          patience / static_cast<int>(doors_.size()));
    if (!answer.ok()) {
      Log(Severity::kWarning, "custody: a witness is not reached at the start",
          {{"witness", door.key.name()},
           {"reason", answer.status().message()}});
    } else if (answer->latest) {
      known.push_back({.origin = (*log)->checkpoint.origin,
                       .size = *answer->latest,
                       .root = std::nullopt,
                       .by = absl::StrCat("the witness ", door.key.name())});
    }
  }
  return known;
}

absl::StatusOr<std::string> Witnessing::Cosigned(const Published& log) {
  std::string note = log.note;
  size_t count = 0;
  for (Door& door : doors_) {
    if (door.witness == nullptr || stopping_) continue;
    absl::StatusOr<std::string> cosigned = Cosign(door, log, note);
    if (cosigned.ok()) {
      ++count;
      note = *std::move(cosigned);
      Heard(door, clock_.Now());
    } else if (ahead_ || absl::IsAborted(cosigned.status())) {
      return cosigned.status();
    } else {
      Log(Severity::kWarning, "custody: a witness does not cosign",
          {{"witness", door.key.name()},
           {"size", log.checkpoint.size},
           {"reason", cosigned.status().message()}});
    }
  }
  return count > 0 && count >= options_.required ? note : std::string();
}

absl::StatusOr<std::string> Witnessing::Cosign(Door& door, const Published& log,
                                               absl::string_view note) {
  const uint64_t size = log.checkpoint.size;
  if (door.origin != log.checkpoint.origin) {
    door.origin = log.checkpoint.origin;
    door.known = 0;
  }
  // Its word on what it knows is news once; then it has its proof.
  for (int i = 0; i < 2; ++i) {
    AddCheckpoint request = {.old_size = door.known, .checkpoint = log.note};
    if (door.known > 0 && door.known < size) {
      ASSIGN_OR_RETURN(
          request.proof,
          ConsistencyProof(door.known, size, [&log](int level, uint64_t index) {
            return log.files.ReadNode(log.checkpoint.size, level, index);
          }));
    }
    ASSIGN_OR_RETURN(const WitnessAnswer answer,
                     door.witness->Ask(request, options_.patience));
    if (answer.lines) {
      ASSIGN_OR_RETURN(std::string cosigned,
                       WithCosignature(note, *answer.lines, door.key));
      door.known = size;
      return cosigned;
    }
    if (answer.contradicts) {
      return Contradicted(
          log.origin, absl::StrCat("the witness ", door.key.name(), " knows ",
                                   door.known, " entries of ", door.origin,
                                   " to which the log does not lead (",
                                   answer.refusal, ")"));
    }
    if (!answer.latest) {
      return absl::FailedPreconditionError(
          absl::StrCat("it refuses: ", answer.refusal));
    }
    if (*answer.latest > size) {
      // What was published since may have come to it by stick.
      ASSIGN_OR_RETURN(const std::optional<Published> now, Read(log.origin));
      if (!now || *answer.latest > now->checkpoint.size) {
        return Contradicted(
            log.origin,
            absl::StrCat("the witness ", door.key.name(), " has cosigned ",
                         *answer.latest, " entries of ", door.origin,
                         ", which the log has never reached"));
      }
      return absl::UnavailableError("it is ahead of what was read; next round");
    }
    door.known = *answer.latest;
  }
  return absl::FailedPreconditionError("it does not say how far it is");
}

absl::Status Witnessing::Contradicted(const Origin& origin,
                                      absl::string_view what) {
  ASSIGN_OR_RETURN(const std::vector<Origin> origins, Origins());
  if (!origins.empty() && origin.IsBefore(origins.back())) {
    Log(Severity::kAlarm, "custody: a closed log is contradicted",
        {{"reason", what},
         {"what_now", "it is shown to no witness any more; another follows"}});
    return absl::AbortedError(what);
  }
  const absl::Status status = absl::DataLossError(absl::StrCat(
      what,
      ": the log was set back or there are two of it. Nothing more may be "
      "signed; keep copies and find out what happened"));
  Log(Severity::kAlarm, "custody: a witness knows better",
      {{"reason", status.message()}});
  if (!std::exchange(ahead_, true) && options_.on_ahead) {
    options_.on_ahead(status);
  }
  return status;
}

void Witnessing::Heard(const Door& door, absl::Time when) {
  state_->heard[door.key.name()] =
      absl::FromUnixSeconds(absl::ToUnixSeconds(when));
}

void Witnessing::CheckAges() {
  const absl::Time now = clock_.Now();
  for (Door& door : doors_) {
    // A clock that ran ahead must not silence the alarm for as long.
    absl::Time& heard = state_->heard[door.key.name()];
    heard = std::min(heard, now);
    door.alarmed = std::min(door.alarmed, now);
    if (now - heard < options_.alarm_after ||
        now - door.alarmed < kAlarmEvery) {
      continue;
    }
    door.alarmed = now;
    Log(Severity::kAlarm, "custody: a witness has not cosigned for long",
        {{"witness", door.key.name()},
         {"last",
          absl::FormatTime("%Y-%m-%d %H:%M:%SZ", heard, absl::UTCTimeZone())},
         {"what_to_do", "see why it is away; transfers go on without it"}});
  }
}

// --- what came by stick ------------------------------------------------------

std::vector<Witnessing::Carried> Witnessing::ReadInbox() const {
  std::vector<Carried> all;
  if (options_.inbox.empty()) return all;
  const absl::StatusOr<std::vector<std::string>> names =
      disk_.List(options_.inbox);
  if (!names.ok()) {
    Log(Severity::kWarning, "custody: what was cosigned cannot be looked for",
        {{"reason", names.status().message()}});
    return all;
  }
  for (const std::string& name : *names) {
    if (absl::EndsWith(name, kRefused)) continue;
    const std::string path = JoinPath(options_.inbox, name);
    absl::StatusOr<Carried> carried = ReadCarried(path);
    if (carried.ok()) {
      all.push_back(*std::move(carried));
      continue;
    }
    Log(Severity::kAlarm, "custody: not cosigned by a witness of ours",
        {{"file", path}, {"reason", carried.status().message()}});
    disk_.Replace(path, absl::StrCat(path, kRefused)).IgnoreError();
  }
  return all;
}

absl::StatusOr<Witnessing::Carried> Witnessing::ReadCarried(
    const std::string& path) const {
  ASSIGN_OR_RETURN(const std::string note,
                   ReadFile(disk_, path, kReceiptBytesMax));
  ASSIGN_OR_RETURN(Checkpoint checkpoint, OpenCheckpoint(note, pinned_));
  ASSIGN_OR_RETURN(Origin origin, Origin::Parse(checkpoint.origin));
  std::vector<NoteVerifier> keys;
  for (const Door& door : doors_) keys.push_back(door.key);
  ASSIGN_OR_RETURN(OpenedNote cosigned, OpenNote(note, keys));
  ASSIGN_OR_RETURN(const std::vector<NoteVerifier> own, pinned_.For(origin));
  keys.insert(keys.end(), own.begin(), own.end());
  ASSIGN_OR_RETURN(std::string known, WithSignaturesOf(keys, note));
  return Carried{path, std::move(known), std::move(checkpoint),
                 std::move(origin), std::move(cosigned.signatures)};
}

absl::Status Witnessing::TakeInbox(const Published& log) {
  for (const Carried& carried : ReadInbox()) {
    const absl::Status taken = Take(log, carried);
    if (absl::IsUnavailable(taken)) continue;  // its time comes
    if (!taken.ok() && !absl::IsAborted(taken)) return taken;
    const absl::Status removed = disk_.Remove(carried.path);
    if (!removed.ok()) {
      Log(Severity::kWarning, "custody: what was cosigned cannot be removed",
          {{"reason", removed.message()}});
    }
    RETURN_IF_ERROR(taken);
  }
  return absl::OkStatus();
}

absl::Status Witnessing::Take(const Published& log, const Carried& carried) {
  const Checkpoint& checkpoint = carried.checkpoint;
  if (log.origin.IsBefore(carried.origin)) {
    ASSIGN_OR_RETURN(const std::vector<Origin> origins, Origins());
    if (std::find(origins.begin(), origins.end(), carried.origin) !=
        origins.end()) {
      return absl::UnavailableError("of a log whose turn has not come");
    }
  }
  // Ours by its signatures, and not what we have: whoever signed it had more.
  if (!carried.origin.IsBefore(log.origin)) {
    if (carried.origin != log.origin || checkpoint.size > log.checkpoint.size) {
      return Contradicted(
          carried.origin,
          absl::StrCat(carried.path, " speaks of ", checkpoint.size,
                       " entries of ", checkpoint.origin,
                       ", which the log has never reached"));
    }
    ASSIGN_OR_RETURN(const Digest root, RootAt(log, checkpoint.size));
    if (root != checkpoint.root) {
      return Contradicted(
          log.origin, absl::StrCat(carried.path, " speaks of ", checkpoint.size,
                                   " entries of ", checkpoint.origin,
                                   ", to which the log does not lead"));
    }
  }
  for (const NoteSignature& signature : carried.cosignatures) {
    const Door& door = doors_[signature.verifier];
    const absl::Time when =
        absl::FromUnixSeconds(static_cast<int64_t>(signature.time));
    Heard(door, std::max(state_->heard[door.key.name()],
                         std::min(when, clock_.Now())));
  }
  if (carried.origin != log.origin) return absl::OkStatus();
  if (carried.cosignatures.size() < options_.required) {
    Log(Severity::kWarning, "custody: too few witnesses cosigned a file",
        {{"file", carried.path}, {"required", options_.required}});
    return absl::OkStatus();
  }
  return LayUpTo(log, carried.note, checkpoint.size);
}

// --- receipts ----------------------------------------------------------------

absl::Status Witnessing::LayUpTo(const Published& log, const std::string& note,
                                 uint64_t size) {
  ASSIGN_OR_RETURN(const bool any, log.files.HasEntries());
  if (!any) {
    // Their deadline came before the witnesses did.
    state_->covered = std::max(state_->covered, size);
    state_->left.clear();
  }
  RETURN_IF_ERROR(LayLeft(log, note, size));
  while (state_->covered < size && !stopping_) {
    const uint64_t first = state_->covered;
    const uint64_t end = std::min(size, (first / kTileWidth + 1) * kTileWidth);
    std::vector<uint64_t> indices(end - first);
    std::iota(indices.begin(), indices.end(), first);
    ASSIGN_OR_RETURN(const std::set<uint64_t> left,
                     LayEach(log, note, size, indices));
    if (state_->left.size() + left.size() > kLeftMax) {
      return absl::UnavailableError(absl::StrCat(
          "more than ", kLeftMax,
          " recordings cannot get their witnessed receipts: is the store "
          "away?"));
    }
    state_->left.insert(left.begin(), left.end());
    state_->covered = end;
    if (end < size) RETURN_IF_ERROR(SaveState());
  }
  return SaveState();
}

// What could not be laid in an earlier round.
absl::Status Witnessing::LayLeft(const Published& log, const std::string& note,
                                 uint64_t size) {
  const auto beyond = state_->left.lower_bound(size);
  const std::vector<uint64_t> indices(state_->left.begin(), beyond);
  ASSIGN_OR_RETURN(const std::set<uint64_t> left,
                   LayEach(log, note, size, indices));
  for (const uint64_t index : indices) {
    if (!left.contains(index)) state_->left.erase(index);
  }
  return absl::OkStatus();
}

// Returns those that have to wait: one of them keeps no other waiting.
absl::StatusOr<std::set<uint64_t>> Witnessing::LayEach(
    const Published& log, const std::string& note, uint64_t size,
    absl::Span<const uint64_t> indices) const {
  std::vector<WitnessedReceipt> receipts;
  std::vector<uint64_t> stored;
  std::vector<std::string> entries;
  std::optional<uint64_t> bundle;
  for (const uint64_t index : indices) {
    const uint64_t number = index / kTileWidth;
    if (bundle != number) {
      ASSIGN_OR_RETURN(entries,
                       log.files.ReadEntries(
                           number, TileWidthAt(log.checkpoint.size, number)));
      bundle = number;
    }
    const std::string& entry = entries[index % kTileWidth];
    const absl::StatusOr<statement::Read> read = statement::ReadBack(entry);
    if (!read.ok() || !read->stored) continue;
    ASSIGN_OR_RETURN(
        MerkleProof proof,
        InclusionProof(index, size, [&log](int level, uint64_t node) {
          return log.files.ReadNode(log.checkpoint.size, level, node);
        }));
    stored.push_back(index);
    receipts.push_back(
        {read->stored->name, entry,
         ToText(Receipt{
             .index = index, .proof = std::move(proof), .checkpoint = note})});
  }
  std::set<uint64_t> left;
  if (receipts.empty()) return left;
  const std::vector<absl::Status> laid = options_.lay(receipts);
  for (size_t i = 0; i < laid.size(); ++i) {
    // Deleted since, or another transfer's: this statement has no bundle.
    if (laid[i].ok() || absl::IsNotFound(laid[i]) ||
        absl::IsAlreadyExists(laid[i])) {
      continue;
    }
    if (absl::IsResourceExhausted(laid[i])) return laid[i];
    left.insert(stored[i]);
  }
  return left;
}

absl::Status Witnessing::SaveState() const {
  return WriteFileAtomically(disk_, JoinPath(directory_, kState),
                             state_->ToText());
}

}  // namespace schleuse
