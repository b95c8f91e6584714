#include "gateway/spool/partial.h"

#include <algorithm>
#include <utility>

#include "absl/functional/function_ref.h"
#include "base/crc32c.h"
#include "base/status.h"
#include "gateway/spool/journal.h"

namespace schleuse {
namespace {

// Chunks are recorded together up to so many bytes: a device that sends one
// byte at a time shall not make its journal larger than its footage. To sum up
// more of them once again would cost large chunks something.
constexpr uint64_t kJoinedBytesMax = 512;
// How much is read at a time where a whole file is.
constexpr uint64_t kReadBytes = 1 << 20;

// The bytes of `chunk`; nullopt if the disk does not hold what the journal says
// they were, or cannot read it any more.
absl::StatusOr<std::optional<absl::Cord>> IntactBytes(
    const File& file, const journal::ChunkWritten& chunk) {
  absl::Cord bytes;
  uint32_t crc = 0;
  while (bytes.size() < chunk.length) {
    absl::StatusOr<std::string> piece =
        file.Read(chunk.offset + bytes.size(),
                  std::min(chunk.length - bytes.size(), kReadBytes));
    if (absl::IsDataLoss(piece.status())) return std::nullopt;
    if (!piece.ok()) return piece.status();
    if (piece->empty()) return std::nullopt;
    crc = ExtendCrc32c(crc, *piece);
    bytes.Append(*std::move(piece));
  }
  if (crc != chunk.crc32c) return std::nullopt;
  return bytes;
}

// Hands the chunks whose records lie behind `from` to `visit`, each with where
// its record ends, until that says false or fails.
absl::Status VisitChunks(const RecordFile& records, uint64_t from,
                         absl::FunctionRef<absl::StatusOr<bool>(
                             const journal::ChunkWritten& chunk, uint64_t end)>
                             visit) {
  absl::Status failed;
  RETURN_IF_ERROR(records.Read(
      [&](absl::string_view payload, uint64_t end) {
        const std::optional<journal::Record> record = journal::Decode(payload);
        if (!record) {
          failed =
              absl::DataLossError("a record of the journal makes no sense");
          return false;
        }
        const auto* chunk = std::get_if<journal::ChunkWritten>(&*record);
        if (chunk == nullptr) return true;
        const absl::StatusOr<bool> go_on = visit(*chunk, end);
        failed = go_on.status();
        return go_on.ok() && *go_on;
      },
      from));
  return failed;
}

absl::Status JournalEndsAt(const TransferId& id, uint64_t offset,
                           uint64_t wanted) {
  return absl::DataLossError(absl::StrCat("transfer ", id.ToString(),
                                          ": the journal accounts for ", offset,
                                          " bytes of ", wanted));
}

}  // namespace

Partial::Partial(TransferId id, Begun begun, std::unique_ptr<File> bytes,
                 std::unique_ptr<RecordFile> records, BlockBuffers& buffers,
                 NameSyncs::Change names)
    : id_(std::move(id)),
      begun_(std::move(begun)),
      bytes_(std::move(bytes)),
      records_(std::move(records)),
      buffers_(buffers),
      names_(std::move(names)) {}

Partial::~Partial() = default;

absl::Status Partial::Begin() {
  records_->Append(journal::Encode(begun_));
  return WriteFrom(0);
}

absl::Status Partial::WriteFrom(uint64_t end) {
  absl::StatusOr<BlockWriter> writer = BlockWriter::At(*bytes_, buffers_, end);
  RETURN_IF_ERROR(writer.status());
  writer_.emplace(*std::move(writer));
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> Partial::LastSynced() const {
  uint64_t synced = 0;
  RETURN_IF_ERROR(
      records_->Read([&synced](absl::string_view payload, uint64_t) {
        const std::optional<journal::Record> record = journal::Decode(payload);
        if (!record) return false;
        if (const auto* to = std::get_if<journal::SyncedTo>(&*record)) {
          synced = std::max(synced, to->offset);
        }
        return true;
      }));
  return synced;
}

absl::Status Partial::Load() {
  // What a Synced record names was on the medium before that record was
  // written; only what lies behind the last one needs a second look.
  ASSIGN_OR_RETURN(const uint64_t synced, LastSynced());
  ASSIGN_OR_RETURN(const uint64_t size, bytes_->Size());
  if (size < synced) {
    return absl::DataLossError(absl::StrCat("transfer ", id_.ToString(), ": ",
                                            size, " bytes are left of ", synced,
                                            " that were durable"));
  }

  uint64_t good_end = 0;
  // The journal was on the medium up to here: chunks that a Synced record names
  // were recorded before that sync began. Others, recorded while it ran, may
  // lie before its record, so where that one lies says nothing.
  uint64_t durable_end = 0;
  std::optional<uint64_t> finish_begin;
  absl::Status failed;
  const auto take = [&](const journal::ChunkWritten& chunk, uint64_t end) {
    finished_.reset();  // whether its own bytes are there or not
    if (chunk.offset != received_) return false;
    if (chunk.offset + chunk.length <= synced) {
      durable_end = end;
    } else {
      if (chunk.offset + chunk.length > size) return false;
      const absl::StatusOr<std::optional<absl::Cord>> bytes =
          IntactBytes(*bytes_, chunk);
      failed = bytes.status();
      if (!failed.ok() || !*bytes) return false;
      // Perhaps the last thing that an earlier process did was a sync that
      // failed: the system then shows bytes that are not on the medium, and no
      // later sync of them would try again. So they are written once more.
      failed = bytes_->Write(chunk.offset, **bytes);
      if (!failed.ok()) return false;
    }
    received_ += chunk.length;
    finish_begin.reset();
    return true;
  };
  RETURN_IF_ERROR(records_->Read([&](absl::string_view payload, uint64_t end) {
    const std::optional<journal::Record> record = journal::Decode(payload);
    if (!record) return false;
    if (const auto* chunk = std::get_if<journal::ChunkWritten>(&*record)) {
      if (!take(*chunk, end)) return false;
    } else if (const auto* at = std::get_if<journal::FinishedAt>(&*record)) {
      if (at->finished.size != received_) return false;
      finished_ = at->finished;
      if (!finish_begin) finish_begin = good_end;
    }
    good_end = end;
    return true;
  }));
  RETURN_IF_ERROR(failed);
  if (received_ < synced) return JournalEndsAt(id_, received_, synced);
  // A finish stays taken back though the chunk that did it is cut off.
  if (finish_begin && !finished_) good_end = *finish_begin;
  if (good_end != records_->end() || records_->has_tail()) {
    RETURN_IF_ERROR(records_->CutTo(good_end));
  }
  // Bytes that lie behind them stay until they are written over or
  // RecordFinished cuts them off: the file may be one that is stored already,
  // and that is never cut on a journal's word alone.
  RETURN_IF_ERROR(WriteFrom(received_));
  return records_->WriteAnew(durable_end);
}

absl::Status Partial::Append(const absl::Cord& data, uint32_t crc32c) {
  RETURN_IF_ERROR(writer_->Append(data));
  if (hash_is_current()) hash_.Update(data);  // while the bytes are in cache
  if (pending_ && pending_->length + data.size() <= kJoinedBytesMax) {
    pending_->crc32c = ExtendCrc32c(pending_->crc32c, data);
    pending_->length += data.size();
  } else {
    RecordPending();
    pending_ = {.offset = received_, .length = data.size(), .crc32c = crc32c};
  }
  received_ += data.size();
  finished_.reset();
  check_.reset();
  return absl::OkStatus();
}

void Partial::RecordPending() {
  if (!pending_) return;
  records_->Append(
      journal::Encode(journal::ChunkWritten{.offset = pending_->offset,
                                            .length = pending_->length,
                                            .crc32c = pending_->crc32c}));
  pending_.reset();
}

absl::StatusOr<bool> Partial::Holds(uint64_t offset,
                                    const absl::Cord& data) const {
  ASSIGN_OR_RETURN(const std::string held, writer_->Read(offset, data.size()));
  return data == absl::string_view(held);
}

absl::StatusOr<uint64_t> Partial::BeginSync() {
  RETURN_IF_ERROR(writer_->Flush());
  RecordPending();
  RETURN_IF_ERROR(records_->Flush());
  return received_;
}

absl::StatusOr<uint64_t> Partial::BeginBytesSync() {
  RETURN_IF_ERROR(writer_->Flush());
  return received_;
}

absl::Status Partial::Sync() {
  RETURN_IF_ERROR(bytes_->Sync());
  RETURN_IF_ERROR(records_->Sync());
  MutexLock lock(sync_mutex_);
  if (names_) RETURN_IF_ERROR(names_->Sync());
  names_.reset();
  return absl::OkStatus();
}

void Partial::EndSync(uint64_t offset) {
  records_->Append(journal::Encode(journal::SyncedTo{.offset = offset}));
}

absl::Status Partial::HashSome(uint64_t bytes_max) {
  while (bytes_max > 0 && !hash_is_current()) {
    const uint64_t left = received_ - hash_.bytes_hashed();
    ASSIGN_OR_RETURN(const std::string piece,
                     writer_->Read(hash_.bytes_hashed(),
                                   std::min({bytes_max, left, kReadBytes})));
    if (piece.empty()) {
      return absl::DataLossError(
          absl::StrCat("transfer ", id_.ToString(), ": the bytes end at ",
                       hash_.bytes_hashed(), " of ", received_));
    }
    hash_.Update(piece);
    bytes_max -= piece.size();
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<uint64_t>> Partial::FirstDamage(uint64_t offset,
                                                             uint64_t length) {
  if (length == 0) return std::nullopt;
  RETURN_IF_ERROR(BeginSync().status());
  uint64_t looked_at = 0;
  std::optional<uint64_t> damage;
  const auto look = [&](const journal::ChunkWritten& chunk,
                        uint64_t) -> absl::StatusOr<bool> {
    looked_at = chunk.offset + chunk.length;
    if (looked_at <= offset) return true;
    ASSIGN_OR_RETURN(const std::optional<absl::Cord> bytes,
                     IntactBytes(*bytes_, chunk));
    if (!bytes) damage = chunk.offset;
    return !damage && looked_at < offset + length;
  };
  RETURN_IF_ERROR(VisitChunks(*records_, RecordFile::kHeaderBytes, look));
  if (!damage && looked_at < offset + length) {
    return JournalEndsAt(id_, looked_at, received_);
  }
  return damage;
}

void Partial::BeginCheck() {
  check_ = Check{.hash = {}, .journal_at = RecordFile::kHeaderBytes};
}

absl::StatusOr<std::optional<Partial::SelfCheck>> Partial::CheckSome(
    uint64_t bytes_max) {
  if (!check_) {
    return absl::FailedPreconditionError("no check of the bytes is under way");
  }
  RETURN_IF_ERROR(BeginSync().status());
  Sha256& hash = check_->hash;
  const uint64_t begin = hash.bytes_hashed();
  bool ended = begin == received_;
  const auto look = [&](const journal::ChunkWritten& chunk,
                        uint64_t end) -> absl::StatusOr<bool> {
    ASSIGN_OR_RETURN(const std::optional<absl::Cord> bytes,
                     IntactBytes(*bytes_, chunk));
    if (bytes) {
      hash.Update(*bytes);
      check_->journal_at = end;
    }
    ended = !bytes || hash.bytes_hashed() == received_;
    return !ended && hash.bytes_hashed() - begin < bytes_max;
  };
  if (!ended) {
    RETURN_IF_ERROR(VisitChunks(*records_, check_->journal_at, look));
  }
  if (!ended) {
    if (hash.bytes_hashed() > begin) return std::nullopt;
    return JournalEndsAt(id_, begin, received_);
  }
  const SelfCheck result = {.first_damage = hash.bytes_hashed(),
                            .sha256 = hash.Current()};
  check_.reset();
  return result;
}

absl::Status Partial::CutTo(uint64_t offset) {
  check_.reset();
  RETURN_IF_ERROR(BeginSync().status());
  uint64_t kept = 0;
  uint64_t kept_end = 0;
  bool finished = false;
  RETURN_IF_ERROR(records_->Read([&](absl::string_view payload, uint64_t end) {
    const std::optional<journal::Record> record = journal::Decode(payload);
    if (!record) return false;
    if (const auto* chunk = std::get_if<journal::ChunkWritten>(&*record)) {
      if (chunk->offset + chunk->length > offset) return false;
      kept = chunk->offset + chunk->length;
      finished = false;  // took it back
    } else if (const auto* to = std::get_if<journal::SyncedTo>(&*record)) {
      if (to->offset > offset) return false;
    } else if (std::holds_alternative<journal::FinishedAt>(*record)) {
      finished = true;
    }
    if (!finished) kept_end = end;
    return true;
  }));
  RETURN_IF_ERROR(records_->CutTo(kept_end));
  RETURN_IF_ERROR(bytes_->Truncate(kept));
  RETURN_IF_ERROR(WriteFrom(kept));
  // A Synced record that came back after a power cut would vouch for bytes
  // that were replaced, so the cut is made durable before anything follows.
  RETURN_IF_ERROR(records_->Sync());
  received_ = kept;
  finished_.reset();
  hash_ = Sha256();
  return absl::OkStatus();
}

absl::Status Partial::RecordFinished(const Finished& finished,
                                     absl::string_view target) {
  RETURN_IF_ERROR(writer_->Flush());
  // It ends with a whole block; a write that failed half-way and was not
  // repeated may have left more; and where it seems to end already, an earlier
  // process may have cut it and died behind a sync that failed.
  RETURN_IF_ERROR(bytes_->Truncate(received_));
  RecordPending();
  records_->Append(journal::Encode(journal::FinishedAt{
      .finished = finished, .target = std::string(target)}));
  finished_ = finished;
  return absl::OkStatus();
}

void Partial::RecordMismatch(uint64_t declared_size, const Digest& declared,
                             const Digest& received, absl::Time at) {
  RecordPending();
  records_->Append(
      journal::Encode(journal::Mismatch{.declared_size = declared_size,
                                        .declared = declared,
                                        .received_size = received_,
                                        .received = received,
                                        .at = at}));
}

}  // namespace schleuse
