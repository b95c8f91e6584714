#include "gateway/spool/spool.h"

#include <set>
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

absl::Status OkIfNotFound(const absl::Status& status) {
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

}  // namespace

// What a journal says of a transfer, without a look at its bytes.
struct Spool::Leftover {
  std::optional<Begun> begun;
  std::optional<Finished> finished;
  bool mismatched = false;
};

Spool::Spool(Disk& disk, absl::string_view directory, Random& random)
    : disk_(disk), directory_(directory), random_(random) {}

std::string Spool::BytesPath(const TransferId& id) const {
  return JoinPath(directory_, absl::StrCat(id.ToString(), kBytesSuffix));
}

std::string Spool::RecordsPath(const TransferId& id) const {
  return JoinPath(directory_, absl::StrCat(id.ToString(), kRecordsSuffix));
}

absl::StatusOr<Spool::Leftover> Spool::ReadLeftover(
    const TransferId& id) const {
  Leftover leftover;
  const auto visit = [&leftover](absl::string_view payload, uint64_t) {
    std::optional<journal::Record> record = journal::Decode(payload);
    if (!record) return false;
    if (auto* begun = std::get_if<Begun>(&*record)) {
      leftover.begun = std::move(*begun);
    } else if (auto* at = std::get_if<journal::FinishedAt>(&*record)) {
      leftover.finished = at->finished;
    } else if (std::holds_alternative<journal::Mismatch>(*record)) {
      leftover.mismatched = true;
    }
    return true;
  };
  RETURN_IF_ERROR(RecordFile::Open(disk_, RecordsPath(id), visit).status());
  return leftover;
}

absl::StatusOr<std::vector<Unstored>> Spool::Recover() {
  ASSIGN_OR_RETURN(const std::vector<std::string> names,
                   disk_.List(directory_));
  std::set<TransferId> with_bytes;
  std::set<TransferId> with_records;
  std::set<TransferId> aside;
  for (const std::string& name : names) {
    if (const auto id = IdOf(name, kBytesSuffix)) with_bytes.insert(*id);
    if (const auto id = IdOf(name, kRecordsSuffix)) with_records.insert(*id);
    if (const auto id = IdOf(name, kBytesAsideSuffix)) aside.insert(*id);
    if (const auto id = IdOf(name, kRecordsAsideSuffix)) aside.insert(*id);
  }
  for (const TransferId& id : aside) {
    // A crash came between its two renamings.
    const bool half = with_bytes.erase(id) + with_records.erase(id) > 0;
    if (half) RETURN_IF_ERROR(RenameAside(id));
  }
  for (const TransferId& id : with_bytes) {
    // The first Ack needs both names durable, and Remove takes the records
    // first: nobody was promised these bytes, or the store has them.
    if (!with_records.contains(id)) {
      RETURN_IF_ERROR(disk_.Remove(BytesPath(id)));
    }
  }

  struct Candidate {
    TransferId id;
    Leftover leftover;
  };
  std::map<RecordingName, Candidate> open;
  for (const TransferId& id : with_records) {
    const absl::StatusOr<Leftover> leftover = ReadLeftover(id);
    if (!leftover.ok() && !absl::IsDataLoss(leftover.status())) {
      return Annotate(leftover.status(), "recovering ", RecordsPath(id));
    }
    if (!leftover.ok() || !leftover->begun) {
      // Begun records are written with the first sync: without one, nobody was
      // promised anything.
      ASSIGN_OR_RETURN(const FileInfo records, disk_.Stat(RecordsPath(id)));
      if (records.size <= RecordFile::kHeaderBytes) {
        RETURN_IF_ERROR(disk_.Remove(RecordsPath(id)));
        RETURN_IF_ERROR(OkIfNotFound(disk_.Remove(BytesPath(id))));
        continue;
      }
      // Torn before its first sync, or damaged: which, nobody can tell.
      Log(Severity::kWarning, "spool: journal unreadable, set aside",
          {{"transfer_id", id.ToString()},
           {"reason", leftover.status().message()}});
      RETURN_IF_ERROR(RenameAside(id));
      continue;
    }
    const RecordingName& name = leftover->begun->name;
    if (leftover->mismatched) {
      MutexLock lock(mutex_);
      ++index_[name].mismatches;
      continue;
    }
    auto [place, is_new] = open.try_emplace(name, Candidate{id, *leftover});
    if (is_new) continue;
    // Two of one recording: one could not be set aside when its disk failed.
    // The finished one counts, else the younger.
    const bool newer =
        std::pair(leftover->finished.has_value(), leftover->begun->at) >
        std::pair(place->second.leftover.finished.has_value(),
                  place->second.leftover.begun->at);
    const TransferId loser = newer ? place->second.id : id;
    if (newer) place->second = Candidate{id, *leftover};
    Log(Severity::kWarning, "spool: second transfer of a recording set aside",
        {{"transfer_id", loser.ToString()}, {"recording", name.ToString()}});
    RETURN_IF_ERROR(RenameAside(loser));
  }

  std::vector<Unstored> unstored;
  MutexLock lock(mutex_);
  for (auto& [name, candidate] : open) {
    const bool bytes_missing = !with_bytes.contains(candidate.id);
    if (candidate.leftover.finished) {
      unstored.push_back({.id = candidate.id,
                          .name = name,
                          .extension = candidate.leftover.begun->extension,
                          .finished = *candidate.leftover.finished,
                          .bytes_missing = bytes_missing});
    }
    if (!bytes_missing || candidate.leftover.finished) {
      index_[name].open = candidate.id;
    } else {
      // Names before the first sync: nobody was promised anything.
      RETURN_IF_ERROR(disk_.Remove(RecordsPath(candidate.id)));
    }
  }
  return unstored;
}

absl::StatusOr<std::unique_ptr<Partial>> Spool::Create(const Begun& begun) {
  const TransferId id = TransferId::Make(random_);
  ASSIGN_OR_RETURN(std::unique_ptr<File> bytes, disk_.Create(BytesPath(id)));
  absl::StatusOr<std::unique_ptr<RecordFile>> records =
      RecordFile::Create(disk_, RecordsPath(id));
  if (!records.ok()) {
    // A later Recover removes what this cannot.
    (void)disk_.Remove(BytesPath(id));
    return records.status();
  }
  (*records)->Append(journal::Encode(begun));
  {
    MutexLock lock(mutex_);
    index_[begun.name].open = id;
  }
  return std::unique_ptr<Partial>(
      new Partial(id, begun, std::move(bytes), *std::move(records), disk_,
                  directory_, /*names_are_durable=*/false));
}

absl::StatusOr<std::unique_ptr<Partial>> Spool::Resume(const TransferId& id) {
  ASSIGN_OR_RETURN(std::unique_ptr<File> bytes, disk_.Open(BytesPath(id)));
  std::optional<Begun> begun;
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
  // Whether an earlier process got as far as the directory's sync is not known.
  std::unique_ptr<Partial> partial(
      new Partial(id, *std::move(begun), std::move(bytes), std::move(records),
                  disk_, directory_, /*names_are_durable=*/false));
  RETURN_IF_ERROR(partial->Load());
  return partial;
}

std::optional<TransferId> Spool::Lookup(const RecordingName& name) const {
  MutexLock lock(mutex_);
  const auto entry = index_.find(name);
  return entry == index_.end() ? std::nullopt : entry->second.open;
}

int Spool::Mismatches(const RecordingName& name) const {
  MutexLock lock(mutex_);
  const auto entry = index_.find(name);
  return entry == index_.end() ? 0 : entry->second.mismatches;
}

void Spool::Forget(const RecordingName& name, const TransferId& id) {
  MutexLock lock(mutex_);
  const auto entry = index_.find(name);
  if (entry == index_.end() || entry->second.open != id) return;
  entry->second.open.reset();
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

absl::Status Spool::SetAside(const RecordingName& name, const TransferId& id) {
  Forget(name, id);
  return RenameAside(id);
}

absl::Status Spool::RenameAside(const TransferId& id) {
  RETURN_IF_ERROR(OkIfNotFound(disk_.Replace(
      RecordsPath(id), absl::StrCat(RecordsPath(id), kAsideSuffix))));
  RETURN_IF_ERROR(OkIfNotFound(
      disk_.Replace(BytesPath(id), absl::StrCat(BytesPath(id), kAsideSuffix))));
  return disk_.SyncDirectory(directory_);
}

void Spool::CloseMismatched(const RecordingName& name, const TransferId& id) {
  {
    MutexLock lock(mutex_);
    ++index_[name].mismatches;
  }
  Forget(name, id);
}

absl::StatusOr<uint64_t> Spool::FreeBytes() const {
  return disk_.FreeBytes(directory_);
}

}  // namespace schleuse
