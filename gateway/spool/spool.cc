#include "gateway/spool/spool.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/strip.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/status.h"
#include "gateway/spool/journal.h"

namespace schleuse {
namespace {

constexpr absl::string_view kBytesSuffix = ".bytes";
constexpr absl::string_view kRecordsSuffix = ".records";
constexpr absl::string_view kAsideSuffix = ".aside";
constexpr absl::string_view kBytesAsideSuffix = ".bytes.aside";
constexpr absl::string_view kRecordsAsideSuffix = ".records.aside";

// The transfer that `name` with `suffix` belongs to.
std::optional<TransferId> IdOf(absl::string_view name,
                               absl::string_view suffix) {
  if (!absl::ConsumeSuffix(&name, suffix)) return std::nullopt;
  absl::StatusOr<TransferId> id = TransferId::Parse(name);
  if (!id.ok()) return std::nullopt;
  return *std::move(id);
}

// The files are not to blame: a later start reads them.
bool PassesByItself(const absl::Status& read) {
  return absl::IsUnavailable(read) || absl::IsResourceExhausted(read);
}

absl::Status OkIfNotFound(const absl::Status& status) {
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

}  // namespace

Spool::Spool(Disk& disk, absl::string_view directory, Random& random,
             absl::string_view id_tag)
    : disk_(disk), directory_(directory), random_(random), id_tag_(id_tag) {}

std::string Spool::BytesPath(const TransferId& id) const {
  return JoinPath(directory_, absl::StrCat(id.ToString(), kBytesSuffix));
}

std::string Spool::RecordsPath(const TransferId& id) const {
  return JoinPath(directory_, absl::StrCat(id.ToString(), kRecordsSuffix));
}

absl::Status Spool::ReadJournal(absl::string_view records,
                                journal::Summary& summary) const {
  return RecordFile::Visit(disk_, records,
                           [&summary](absl::string_view payload, uint64_t) {
                             return summary.Add(journal::Decode(payload));
                           });
}

absl::StatusOr<std::vector<Unstored>> Spool::Recover() {
  // What an earlier process made and did not come to sync: from here on a sync
  // that fails for one transfer would lose the names of all of these too.
  RETURN_IF_ERROR(NameSyncs::Change(name_syncs_, directory_).Sync());
  ASSIGN_OR_RETURN(const std::vector<std::string> names,
                   disk_.List(directory_));
  const auto there = [&names](const TransferId& id, absl::string_view suffix) {
    return std::binary_search(names.begin(), names.end(),
                              absl::StrCat(id.ToString(), suffix));
  };
  std::vector<Unstored> unstored;
  for (const std::string& name : names) {
    std::optional<TransferId> id = IdOf(name, kRecordsSuffix);
    const bool records = id.has_value();
    if (!records) id = IdOf(name, kBytesSuffix);
    if (!id) continue;
    if (there(*id, kBytesAsideSuffix) || there(*id, kRecordsAsideSuffix)) {
      // A crash came between its two renamings.
      RETURN_IF_ERROR(RecoverAside(*id));
    } else if (records) {
      RETURN_IF_ERROR(RecoverTransfer(*id, there(*id, kBytesSuffix), unstored));
    } else if (!there(*id, kRecordsSuffix)) {
      // The first Ack needs both names durable, and Remove takes the records
      // first: nobody was promised these bytes, or the store has them.
      RETURN_IF_ERROR(RecoverRemoval(*id));
    }
  }
  return unstored;
}

absl::Status Spool::RecoverTransfer(const TransferId& id, bool has_bytes,
                                    std::vector<Unstored>& unstored) {
  journal::Summary summary;
  const absl::Status read = ReadJournal(RecordsPath(id), summary);
  if (absl::IsFailedPrecondition(read)) {
    return Annotate(read,
                    "a journal that this program must not touch; start the "
                    "version of Schleuse that wrote it, or move both files of "
                    "transfer ",
                    id.ToString(), " out of the spool");
  }
  if (PassesByItself(read)) {
    return Annotate(read, "recovering ", RecordsPath(id));
  }
  if (!read.ok() || !summary.begun) return RecoverUnreadable(id, read);

  const Begun& begun = *summary.begun;
  if (summary.mismatched) {
    MutexLock lock(mutex_);
    ++index_[begun.name].mismatches;
    Hold(begun.principal);
    return absl::OkStatus();
  }
  // Names before the first sync: nobody was promised anything.
  if (!has_bytes && !summary.finished) return RecoverRemoval(id);

  if (const std::optional<TransferId> other = Lookup(begun.name)) {
    ASSIGN_OR_RETURN(const bool wins, WinsOver(*other, summary));
    const TransferId& loser = wins ? *other : id;
    Log(Severity::kWarning, "spool: second transfer of a recording set aside",
        {{"transfer_id", loser.ToString()},
         {"recording", begun.name.ToString()}});
    if (!wins) return RecoverAside(id);
    Forget(begun.name, *other);
    std::erase_if(unstored, [&other](const Unstored& finished) {
      return finished.id == *other;
    });
    RETURN_IF_ERROR(RecoverAside(*other));
  }
  Index(begun, id);
  if (summary.finished) {
    unstored.push_back({.id = id,
                        .name = begun.name,
                        .extension = begun.extension,
                        .principal = begun.principal,
                        .metadata = begun.metadata,
                        .finished = *summary.finished,
                        .priority = begun.priority,
                        .since = begun.at,
                        .bytes_missing = !has_bytes});
  }
  return absl::OkStatus();
}

// It stays out of the index: which recording it was of, nobody knows for sure.
absl::Status Spool::RecoverUnreadable(const TransferId& id,
                                      const absl::Status& why) {
  const bool damaged = why.ok() || absl::IsDataLoss(why);
  if (damaged) {
    // Begun records are written with the first sync: without one, nobody was
    // promised anything.
    const absl::StatusOr<FileInfo> records = disk_.Stat(RecordsPath(id));
    if (records.ok() && records->size <= RecordFile::kHeaderBytes) {
      return RecoverRemoval(id);
    }
  }
  Log(Severity::kAlarm,
      damaged ? "spool: journal unreadable, set aside"
              : "spool: journal cannot be read, left for the next start",
      {{"transfer_id", id.ToString()},
       {"reason", why.ok() ? "its beginning is damaged" : why.message()}});
  // Torn before its first sync, or damaged: which, nobody can tell, and neither
  // mends itself. Anything else (rights, most likely) lies outside of the
  // files: once a person has put it right the next start goes on with them, and
  // until then nothing opens them.
  return damaged ? RecoverAside(id) : absl::OkStatus();
}

// Of two transfers of one recording (one could not be set aside when its disk
// failed) the finished one counts, else the younger. `other` is read again: to
// keep what every journal says would take too much memory.
absl::StatusOr<bool> Spool::WinsOver(const TransferId& other,
                                     const journal::Summary& summary) const {
  journal::Summary others;
  const absl::Status read = ReadJournal(RecordsPath(other), others);
  if (PassesByItself(read)) {
    return Annotate(read, "recovering ", RecordsPath(other));
  }
  if (!read.ok() || !others.begun) return true;
  return std::pair(summary.finished.has_value(), summary.begun->at) >
         std::pair(others.finished.has_value(), others.begun->at);
}

absl::Status Spool::RecoverAside(const TransferId& id) {
  const absl::Status renamed = RenameAside(id);
  if (renamed.ok() || absl::IsUnavailable(renamed)) return renamed;
  Log(Severity::kAlarm, "spool: a transfer cannot be set aside",
      {{"transfer_id", id.ToString()}, {"reason", renamed.message()}});
  return absl::OkStatus();
}

// Of what nobody was promised. What cannot be removed now is found again by the
// next start.
absl::Status Spool::RecoverRemoval(const TransferId& id) {
  absl::Status removed = OkIfNotFound(disk_.Remove(RecordsPath(id)));
  if (removed.ok()) removed = OkIfNotFound(disk_.Remove(BytesPath(id)));
  if (removed.ok() || absl::IsUnavailable(removed)) return removed;
  Log(Severity::kWarning, "spool: a leftover cannot be removed",
      {{"transfer_id", id.ToString()}, {"reason", removed.message()}});
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Partial>> Spool::Create(const Begun& begun) {
  const TransferId id = TransferId::Make(random_, id_tag_);
  NameSyncs::Change names(name_syncs_, directory_);
  ASSIGN_OR_RETURN(std::unique_ptr<File> bytes, disk_.Create(BytesPath(id)));
  std::unique_ptr<Partial> partial(new Partial(
      id, begun, std::move(bytes), RecordFile::Create(disk_, RecordsPath(id)),
      buffers_, std::move(names)));
  RETURN_IF_ERROR(partial->Begin());
  Index(begun, id);
  return partial;
}

absl::StatusOr<std::unique_ptr<Partial>> Spool::Resume(const TransferId& id) {
  std::optional<Begun> begun;
  // Perhaps it was let go of before it came to its first sync.
  NameSyncs::Change names(name_syncs_, directory_);
  ASSIGN_OR_RETURN(
      std::unique_ptr<RecordFile> records,
      RecordFile::Open(disk_, RecordsPath(id),
                       [&begun](absl::string_view payload, uint64_t) {
                         if (begun) return true;
                         std::optional<journal::Record> record =
                             journal::Decode(payload);
                         if (!record) return false;
                         auto* first = std::get_if<Begun>(&*record);
                         if (first == nullptr) return false;
                         begun = std::move(*first);
                         return true;
                       }));
  if (!begun) {
    return absl::DataLossError(
        absl::StrCat("transfer ", id.ToString(), ": its journal has no begin"));
  }
  absl::StatusOr<std::unique_ptr<File>> bytes = disk_.Open(BytesPath(id));
  if (absl::IsNotFound(bytes.status())) {
    return absl::DataLossError(bytes.status().message());
  }
  RETURN_IF_ERROR(bytes.status());
  std::unique_ptr<Partial> partial(
      new Partial(id, *std::move(begun), *std::move(bytes), std::move(records),
                  buffers_, std::move(names)));
  RETURN_IF_ERROR(partial->Load());
  return partial;
}

std::optional<TransferId> Spool::Lookup(const RecordingName& name) const {
  MutexLock lock(mutex_);
  const auto entry = index_.find(name);
  if (entry == index_.end() || !entry->second.open) return std::nullopt;
  return entry->second.open->id;
}

bool Spool::HasFilesOf(const TransferId& id) const {
  for (const absl::string_view suffix :
       {kRecordsSuffix, kBytesSuffix, kRecordsAsideSuffix, kBytesAsideSuffix}) {
    const std::string path =
        JoinPath(directory_, absl::StrCat(id.ToString(), suffix));
    if (!absl::IsNotFound(disk_.Stat(path).status())) return true;
  }
  return false;
}

absl::StatusOr<std::optional<Unstored>> Spool::ReadFinished(
    const TransferId& id) const {
  journal::Summary summary;
  RETURN_IF_ERROR(ReadJournal(RecordsPath(id), summary));
  if (!summary.finished || summary.mismatched) return std::nullopt;
  const absl::Status bytes = disk_.Stat(BytesPath(id)).status();
  RETURN_IF_ERROR(OkIfNotFound(bytes));
  return Unstored{.id = id,
                  .name = summary.begun->name,
                  .extension = summary.begun->extension,
                  .principal = summary.begun->principal,
                  .metadata = summary.begun->metadata,
                  .finished = *summary.finished,
                  .priority = summary.begun->priority,
                  .since = summary.begun->at,
                  .bytes_missing = absl::IsNotFound(bytes)};
}

std::vector<std::pair<RecordingName, TransferId>> Spool::OpenTransfers() const {
  MutexLock lock(mutex_);
  std::vector<std::pair<RecordingName, TransferId>> open;
  for (const auto& [name, entry] : index_) {
    if (entry.open) open.emplace_back(name, entry.open->id);
  }
  return open;
}

absl::StatusOr<Spooled> Spool::Look(const TransferId& id) const {
  journal::Summary summary;
  RETURN_IF_ERROR(ReadJournal(RecordsPath(id), summary));
  if (!summary.begun) {
    return absl::DataLossError(
        absl::StrCat("transfer ", id.ToString(), ": its journal has no begin"));
  }
  // Whichever was written later; a finished one's bytes may be the store's.
  ASSIGN_OR_RETURN(const FileInfo records, disk_.Stat(RecordsPath(id)));
  const absl::StatusOr<FileInfo> bytes = disk_.Stat(BytesPath(id));
  RETURN_IF_ERROR(OkIfNotFound(bytes.status()));
  return Spooled{
      .id = id,
      .begun = *std::move(summary.begun),
      .received = summary.received,
      .finished = summary.finished,
      .last_active = bytes.ok() ? std::max(bytes->modified, records.modified)
                                : records.modified};
}

absl::StatusOr<std::vector<SetAsideTransfer>> Spool::Quarantine() const {
  ASSIGN_OR_RETURN(const std::vector<std::string> names,
                   disk_.List(directory_));
  std::vector<SetAsideTransfer> all;
  std::optional<TransferId> last;
  for (const std::string& name : names) {
    std::optional<TransferId> id = IdOf(name, kRecordsSuffix);
    const bool aside = !id;
    if (aside) id = IdOf(name, kRecordsAsideSuffix);
    // One whose journal is gone has its bytes alone.
    if (!id) id = IdOf(name, kBytesAsideSuffix);
    // Sorted: what belongs to one transfer lies together.
    if (!id || id == last) continue;
    ASSIGN_OR_RETURN(std::optional<SetAsideTransfer> transfer,
                     ReadSetAside(*id, aside));
    if (!transfer) continue;
    last = id;
    all.push_back(*std::move(transfer));
  }
  return all;
}

// nullopt: it is an open one, or on its way to become one or to be forgotten.
absl::StatusOr<std::optional<SetAsideTransfer>> Spool::ReadSetAside(
    const TransferId& id, bool aside) const {
  const std::string suffix(aside ? kAsideSuffix : "");
  const std::string records = absl::StrCat(RecordsPath(id), suffix);
  journal::Summary summary;
  const absl::Status read = ReadJournal(records, summary);
  if (PassesByItself(read)) return read;
  if (!aside) {
    if (!read.ok() || !summary.begun || !summary.mismatched) {
      return std::optional<SetAsideTransfer>();
    }
    const std::optional<TransferId> open = Lookup(summary.begun->name);
    if (open == id) return std::optional<SetAsideTransfer>();
  }
  SetAsideTransfer transfer = {.id = id,
                               .begun = std::move(summary.begun),
                               .size = summary.received,
                               .last_active = absl::InfinitePast()};
  for (const std::string& path :
       {records, absl::StrCat(BytesPath(id), suffix)}) {
    const absl::StatusOr<FileInfo> info = disk_.Stat(path);
    if (absl::IsNotFound(info.status())) continue;
    RETURN_IF_ERROR(info.status());
    transfer.last_active = std::max(transfer.last_active, info->modified);
    if (path != records && !transfer.begun) transfer.size = info->size;
  }
  return transfer;
}

absl::Status Spool::RemoveSetAside(const SetAsideTransfer& transfer) {
  const std::string bytes = BytesPath(transfer.id);
  const std::string records = RecordsPath(transfer.id);
  const bool mismatched = disk_.Stat(records).ok();
  // The bytes first: as long as the journal lies there, they are found again.
  for (const std::string& path :
       {bytes, absl::StrCat(bytes, kAsideSuffix), records,
        absl::StrCat(records, kAsideSuffix)}) {
    RETURN_IF_ERROR(OkIfNotFound(disk_.Remove(path)));
  }
  RETURN_IF_ERROR(SyncNames());
  if (!mismatched || !transfer.begun) return absl::OkStatus();
  MutexLock lock(mutex_);
  const auto held = held_.find(transfer.begun->principal);
  if (held != held_.end()) Release(held);
  const auto entry = index_.find(transfer.begun->name);
  if (entry == index_.end() || entry->second.mismatches == 0) {
    return absl::OkStatus();
  }
  if (--entry->second.mismatches == 0 && !entry->second.open) {
    index_.erase(entry);
  }
  return absl::OkStatus();
}

int Spool::HeldBy(absl::string_view principal) const {
  MutexLock lock(mutex_);
  const auto held = held_.find(principal);
  return held == held_.end() ? 0 : held->second;
}

int Spool::Mismatches(const RecordingName& name) const {
  MutexLock lock(mutex_);
  const auto entry = index_.find(name);
  return entry == index_.end() ? 0 : entry->second.mismatches;
}

void Spool::Index(const Begun& begun, const TransferId& id) {
  MutexLock lock(mutex_);
  std::optional<Open>& open = index_[begun.name].open;
  if (open) Release(open->by);
  open = Open{.id = id, .by = Hold(begun.principal)};
}

Spool::Held::iterator Spool::Hold(absl::string_view principal) {
  const Held::iterator held = held_.try_emplace(std::string(principal)).first;
  ++held->second;
  return held;
}

void Spool::Release(Held::iterator held) {
  if (--held->second == 0) held_.erase(held);
}

void Spool::Forget(const RecordingName& name, const TransferId& id) {
  MutexLock lock(mutex_);
  const auto entry = index_.find(name);
  if (entry == index_.end()) return;
  std::optional<Open>& open = entry->second.open;
  if (!open || open->id != id) return;
  Release(open->by);
  open.reset();
  if (entry->second.mismatches == 0) index_.erase(entry);
}

absl::Status Spool::Remove(const RecordingName& name, const TransferId& id) {
  // First: what is left of it is the stored file itself by now, and must never
  // be opened for writing again.
  Forget(name, id);
  RETURN_IF_ERROR(OkIfNotFound(disk_.Remove(RecordsPath(id))));
  Failpoint("gateway.records_removed");
  return OkIfNotFound(disk_.Remove(BytesPath(id)));
}

absl::Status Spool::SyncNames() {
  return NameSyncs::Change(name_syncs_, directory_).Sync();
}

absl::Status Spool::SetAside(const RecordingName& name, const TransferId& id) {
  Forget(name, id);
  return RenameAside(id);
}

absl::Status Spool::RenameAside(const TransferId& id) {
  NameSyncs::Change names(name_syncs_, directory_);
  RETURN_IF_ERROR(OkIfNotFound(disk_.Replace(
      RecordsPath(id), absl::StrCat(RecordsPath(id), kAsideSuffix))));
  RETURN_IF_ERROR(OkIfNotFound(
      disk_.Replace(BytesPath(id), absl::StrCat(BytesPath(id), kAsideSuffix))));
  return names.Sync();
}

void Spool::CloseMismatched(const RecordingName& name, const TransferId& id) {
  MutexLock lock(mutex_);
  Entry& entry = index_[name];
  ++entry.mismatches;
  // Its principal goes on holding it.
  if (entry.open && entry.open->id == id) entry.open.reset();
}

absl::StatusOr<uint64_t> Spool::FreeBytes() const {
  return disk_.FreeBytes(directory_);
}

}  // namespace schleuse
