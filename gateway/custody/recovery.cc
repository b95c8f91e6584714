// What an earlier process left: read, checked against all that is known, made
// durable anew, and only then published.

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"
#include "base/log.h"
#include "base/status.h"
#include "evidence/merkle.h"
#include "evidence/receipt.h"
#include "evidence/tile.h"
#include "gateway/custody/file_custody_log.h"

namespace schleuse {
namespace {

// Everything that must not be guessed at: a person decides.
absl::Status Refuse(absl::string_view what) {
  return absl::DataLossError(absl::StrCat(
      what,
      ". Nothing is overwritten: keep a copy of the whole custody directory, "
      "find out what happened (was it restored from a backup?), and only once "
      "that is known begin another log: schleuse-gateway new-log"));
}

// Whether the last bundle is what the tiles say.
bool Match(const RightEdge& edge, const std::vector<std::string>& entries) {
  const uint64_t first = edge.size() - entries.size();
  for (size_t i = 0; i < entries.size(); ++i) {
    const absl::StatusOr<Digest> hash = edge.Node(0, first + i);
    if (!hash.ok() || *hash != LeafHash(entries[i])) return false;
  }
  return true;
}

}  // namespace

absl::Status FileCustodyLog::Recover(const std::vector<KnownTree>& known) {
  std::vector<Found> logs;
  std::vector<Batch> batches;
  ASSIGN_OR_RETURN(const uint64_t torn, wal_.Read([&](Batch batch) {
    RETURN_IF_ERROR(Replay(batch, logs));
    batches.push_back(std::move(batch));
    return absl::OkStatus();
  }));
  RETURN_IF_ERROR(Check(logs));
  for (const KnownTree& tree : known) RETURN_IF_ERROR(Check(tree, logs));
  if (logs.empty()) {
    const Origin first = {
        .gateway = keys_.pinned().gateway(),
        .year = static_cast<int>(
            absl::ToCivilYear(clock_.Now(), absl::UTCTimeZone()).year())};
    RETURN_IF_ERROR(wal_.BeginAnew({}));
    return BeginLog(first, "");
  }
  // What can be read need not be durable: the sync of it may have failed, or
  // never come.
  absl::Status copied = wal_.BeginAnew(batches);
  if (absl::IsResourceExhausted(copied)) {
    ReleaseReserve();
    copied = wal_.BeginAnew(batches);
  }
  if (!copied.ok()) {
    return Annotate(copied, "the write-ahead log cannot be made durable anew");
  }
  for (Found& log : logs) {
    RETURN_IF_ERROR(log.files.RenewCheckpoint());
    {
      MutexLock publishing(publishing_);
      MutexLock lock(mutex_);
      state_ = std::move(log.state);
      files_ = std::make_unique<LogFiles>(std::move(log.files));
    }
    RETURN_IF_ERROR(Publish());
  }
  Remember(batches);
  ASSIGN_OR_RETURN(const statement::Read last,
                   statement::ReadBack(batches.back().entries.back()));
  if (last.next_origin) {
    ASSIGN_OR_RETURN(const Origin next, Origin::Parse(*last.next_origin));
    RETURN_IF_ERROR(BeginLog(next, checkpoint()));
  }
  if (torn > 0) {
    Log(Severity::kWarning, "custody: the torn end of the log was cut",
        {{"bytes", torn}});
    RETURN_IF_ERROR(Say(statement::LogCut{torn}));
  }
  return DeleteOld();
}

absl::Status FileCustodyLog::Replay(const Batch& batch,
                                    std::vector<Found>& logs) {
  absl::StatusOr<Checkpoint> checkpoint =
      OpenCheckpoint(batch.checkpoint, keys_.pinned());
  if (!checkpoint.ok()) {
    return Refuse(absl::StrCat("a batch is not signed by this gateway's keys: ",
                               checkpoint.status().message()));
  }
  if (checkpoint->origin != batch.origin || checkpoint->size != batch.end()) {
    return Refuse("a batch and its checkpoint contradict each other");
  }
  if (logs.empty() || logs.back().state.origin.ToString() != batch.origin) {
    if (!logs.empty() && !logs.back().state.entries.empty()) {
      ASSIGN_OR_RETURN(const statement::Read last,
                       statement::ReadBack(logs.back().state.entries.back()));
      if (last.next_origin != batch.origin) {
        return Refuse(absl::StrCat(batch.origin, " follows ",
                                   logs.back().state.origin.ToString(),
                                   ", which did not say so"));
      }
    }
    ASSIGN_OR_RETURN(Found found, FindLog(batch));
    logs.push_back(std::move(found));
  }
  Found& log = logs.back();
  State& state = log.state;
  if (batch.end() <= state.published && state.edge.size() == state.published) {
    // Published long since; at its very end the two must agree.
    if (batch.end() == state.published &&
        checkpoint->root != state.edge.Root()) {
      return Refuse(absl::StrCat(JoinPath(log.files.directory(), "checkpoint"),
                                 " has another root than the write-ahead log"));
    }
    log.roots.emplace(batch.end(), checkpoint->root);
    return absl::OkStatus();
  }
  if (batch.first_index != state.edge.size()) {
    return Refuse(absl::StrCat("entries ", state.edge.size(), " to ",
                               batch.first_index, " of ", batch.origin,
                               " are missing"));
  }
  for (const std::string& entry : batch.entries) {
    state.edge.Append(LeafHash(entry));
    state.entries.push_back(entry);
  }
  if (state.edge.Root() != checkpoint->root) {
    return Refuse(
        "a batch's entries do not lead to the root of its checkpoint");
  }
  log.roots.emplace(batch.end(), checkpoint->root);
  state.checkpoint = batch.checkpoint;
  return absl::OkStatus();
}

// The log that a batch belongs to, as far as it is published.
absl::StatusOr<FileCustodyLog::Found> FileCustodyLog::FindLog(
    const Batch& first) {
  ASSIGN_OR_RETURN(const Origin origin, Origin::Parse(first.origin));
  Found found = {.state = State{.origin = origin},
                 .files = LogFiles(disk_, DirectoryOf(origin))};
  ASSIGN_OR_RETURN(const std::optional<std::string> note,
                   found.files.ReadCheckpoint());
  if (!note) return found;
  const std::string path = JoinPath(found.files.directory(), "checkpoint");
  const absl::StatusOr<Checkpoint> published =
      OpenCheckpoint(*note, keys_.pinned());
  if (!published.ok()) {
    return Refuse(absl::StrCat(
        path, " is not one of this gateway's: ", published.status().message()));
  }
  if (published->origin != first.origin) {
    return Refuse(absl::StrCat(path, " is of ", published->origin));
  }
  State& state = found.state;
  state.published = published->size;
  state.checkpoint = *note;
  ASSIGN_OR_RETURN(state.edge, found.files.ReadEdge(published->size));
  if (state.edge.Root() != published->root) {
    return Refuse(absl::StrCat("the last tiles below ", found.files.directory(),
                               " do not lead to the root of its checkpoint"));
  }
  ASSIGN_OR_RETURN(const bool any, found.files.HasEntries());
  if (!any) {
    // Deleted by their deadline; Check sees to it that it is an old log.
    state.first_entry = published->size;
    return found;
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> entries,
                   found.files.ReadLastEntries(published->size));
  if (!Match(state.edge, entries)) {
    return Refuse(absl::StrCat("the last entries below ",
                               found.files.directory(),
                               " are not those of its tiles"));
  }
  state.first_entry = published->size - entries.size();
  state.entries.assign(entries.begin(), entries.end());
  return found;
}

absl::Status FileCustodyLog::Check(const std::vector<Found>& logs) const {
  if (logs.empty()) return NothingPublished();
  for (const Found& log : logs) {
    // Every process leaves at least the last batch behind.
    if (!log.roots.contains(log.state.edge.size())) {
      return Refuse(absl::StrCat(
          JoinPath(log.files.directory(), "checkpoint"), " speaks of ",
          log.state.published,
          " entries, which is more than the write-ahead log knows of"));
    }
  }
  const State& state = logs.back().state;
  if (state.entries.empty() && state.edge.size() % kTileWidth != 0) {
    return Refuse(absl::StrCat("the entries below ",
                               logs.back().files.directory(), " are missing"));
  }
  return absl::OkStatus();
}

absl::Status FileCustodyLog::Check(const KnownTree& known,
                                   const std::vector<Found>& logs) const {
  ASSIGN_OR_RETURN(const Origin origin, Origin::Parse(known.origin));
  if (origin.gateway != keys_.pinned().gateway()) return absl::OkStatus();
  const auto refuse = [&known](absl::string_view what) {
    return Refuse(absl::StrCat(known.by, " knows ", known.size, " entries of ",
                               known.origin, ", ", what));
  };
  if (logs.empty()) return refuse("but the log is empty");
  const Found& last = logs.back();
  const Origin& present = last.state.origin;
  // Of logs that are closed the chain tells.
  if (origin.IsBefore(present)) return absl::OkStatus();
  const uint64_t size = last.state.edge.size();
  if (present.IsBefore(origin)) {
    return refuse(
        absl::StrCat("but this log is still at ", present.ToString()));
  }
  if (known.size > size) {
    return refuse(
        absl::StrCat("which this log of ", size, " has never reached"));
  }
  if (!known.root) return absl::OkStatus();
  ASSIGN_OR_RETURN(const Digest root, RootAt(known.size, last));
  if (root != *known.root) {
    return refuse(
        absl::StrCat("which this log of ", size, " does not lead to"));
  }
  return absl::OkStatus();
}

// Of the first `size` entries: out of the tiles that are published, or as a
// batch ended there.
absl::StatusOr<Digest> FileCustodyLog::RootAt(uint64_t size,
                                              const Found& log) const {
  const auto batch = log.roots.find(size);
  if (batch != log.roots.end()) return batch->second;
  return RootOf(size, [&log](int level, uint64_t index) {
    // A process leaves what no tile holds yet in its write-ahead log.
    absl::StatusOr<Digest> node = log.state.edge.Node(level, index);
    if (node.ok()) return node;
    return log.files.ReadNode(log.state.published, level, index);
  });
}

// A log without a write-ahead log was cut by somebody.
absl::Status FileCustodyLog::NothingPublished() const {
  ASSIGN_OR_RETURN(const std::vector<std::string> names,
                   disk_.List(directory_));
  for (const std::string& name : names) {
    const std::string path = JoinPath(JoinPath(directory_, name), "checkpoint");
    const absl::Status there = disk_.Stat(path).status();
    if (absl::IsNotFound(there)) continue;
    RETURN_IF_ERROR(there);
    return Refuse(absl::StrCat(path, " is there, but the write-ahead log in ",
                               JoinPath(directory_, "wal"), " is empty"));
  }
  return absl::OkStatus();
}

void FileCustodyLog::Remember(absl::Span<const Batch> batches) {
  MutexLock lock(mutex_);
  Segment& segment = segments_[wal_.segment()];
  for (const Batch& batch : batches) {
    segment.origin = batch.origin;
    segment.end = batch.end();
    for (size_t i = 0; i < batch.entries.size(); ++i) {
      const absl::StatusOr<statement::Read> read =
          statement::ReadBack(batch.entries[i]);
      if (!read.ok() || !read->stored) continue;
      Keep(read->stored->name, {.origin = batch.origin,
                                .index = batch.first_index + i,
                                .tree_size = batch.end(),
                                .statement = batch.entries[i],
                                .checkpoint = batch.checkpoint,
                                .receipt = {},
                                .segment = wal_.segment()});
    }
  }
}

absl::StatusOr<std::optional<Logged>> FileCustodyLog::FindStored(
    const RecordingName& name) const {
  Kept kept;
  {
    MutexLock lock(mutex_);
    const auto found = kept_.find(name);
    if (found == kept_.end()) return std::nullopt;
    kept = found->second;
  }
  if (kept.receipt.empty()) {
    absl::StatusOr<std::string> receipt = OldReceipt(kept);
    if (!receipt.ok()) {
      return Annotate(receipt.status(), "a receipt cannot be made anew");
    }
    kept.receipt = *std::move(receipt);
  }
  return Logged{.origin = std::move(kept.origin),
                .index = kept.index,
                .statement = std::move(kept.statement),
                .receipt = std::move(kept.receipt)};
}

// Byte for byte the one that was given: the proof to the same checkpoint.
absl::StatusOr<std::string> FileCustodyLog::OldReceipt(const Kept& kept) const {
  ASSIGN_OR_RETURN(const Origin origin, Origin::Parse(kept.origin));
  const LogFiles files(disk_, DirectoryOf(origin));
  ASSIGN_OR_RETURN(const std::optional<std::string> note,
                   files.ReadCheckpoint());
  if (!note) return absl::DataLossError("its log has no checkpoint");
  ASSIGN_OR_RETURN(const Checkpoint published,
                   OpenCheckpoint(*note, keys_.pinned()));
  ASSIGN_OR_RETURN(MerkleProof proof,
                   InclusionProof(kept.index, kept.tree_size,
                                  [&](int level, uint64_t index) {
                                    return files.ReadNode(published.size, level,
                                                          index);
                                  }));
  return ToText(Receipt{.index = kept.index,
                        .proof = std::move(proof),
                        .checkpoint = kept.checkpoint});
}

}  // namespace schleuse
