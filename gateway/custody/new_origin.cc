// A new origin within a year: what a person asks for once a log cannot be gone
// on with, having found out why.

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status.h"
#include "gateway/custody/file_custody_log.h"

namespace schleuse {
namespace {

constexpr uint64_t kSegmentBytesMax = uint64_t{1} << 30;

}  // namespace

absl::StatusOr<Origin> CustodyLog::BeginNewOrigin(
    Disk& disk, absl::string_view directory, const CustodyKeys& keys,
    Executor& executor, const Clock& clock, Random& random,
    CustodyOptions options, const std::vector<KnownTree>& known,
    absl::string_view reason) {
  auto log = std::make_shared<FileCustodyLog>(
      disk, directory, keys, executor, clock, random, std::move(options));
  return log->BeginAnew(known, reason);
}

absl::StatusOr<Origin> FileCustodyLog::BeginAnew(
    const std::vector<KnownTree>& known, absl::string_view reason) {
  ASSIGN_OR_RETURN(const std::vector<Origin> origins,
                   OriginsIn(disk_, directory_, keys_.pinned().gateway()));
  if (origins.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("there is no log in ", directory_,
                     " that another could follow: serve begins the first"));
  }
  const Origin& last = origins.back();
  ASSIGN_OR_RETURN(const std::string checkpoint, LastGoodCheckpoint(last));
  // Whatever anybody has seen under a name stays under it.
  Origin newest = last;
  for (const KnownTree& tree : known) {
    const absl::StatusOr<Origin> origin = Origin::Parse(tree.origin);
    if (origin.ok() && origin->gateway == newest.gateway &&
        newest.IsBefore(*origin)) {
      newest = *origin;
    }
  }
  const Origin next = {newest.gateway, newest.year, newest.number + 1};
  ASSIGN_OR_RETURN(const std::string aside, SetWalAside());
  RETURN_IF_ERROR(wal_.BeginAnew({}));
  RETURN_IF_ERROR(BeginLog(next, checkpoint, reason));
  Log(Severity::kWarning, "custody: the write-ahead log before is kept aside",
      {{"directory", aside}});
  return next;
}

// Of the log before: what is published of it and signed by us. Empty: nothing.
absl::StatusOr<std::string> FileCustodyLog::LastGoodCheckpoint(
    const Origin& origin) const {
  const LogFiles files(disk_, DirectoryOf(origin));
  ASSIGN_OR_RETURN(const std::optional<std::string> note,
                   files.ReadCheckpoint());
  if (!note || !OpenCheckpoint(*note, keys_.pinned()).ok()) {
    return std::string();
  }
  return *note;
}

// Copies it, durably, since what is damaged may be all that there is of some
// statements; returns where to.
absl::StatusOr<std::string> FileCustodyLog::SetWalAside() {
  const std::string wal = JoinPath(directory_, "wal");
  std::string aside;
  for (int number = 1;; ++number) {
    aside = JoinPath(directory_, absl::StrCat("wal.aside-", number));
    const absl::Status there = disk_.Stat(aside).status();
    if (absl::IsNotFound(there)) break;
    RETURN_IF_ERROR(there);
  }
  RETURN_IF_ERROR(MakeDirectories(disk_, aside));
  ASSIGN_OR_RETURN(const std::vector<std::string> names, disk_.List(wal));
  for (const std::string& name : names) {
    ASSIGN_OR_RETURN(const std::string bytes,
                     ReadFile(disk_, JoinPath(wal, name), kSegmentBytesMax));
    RETURN_IF_ERROR(ReplaceFile(disk_, JoinPath(aside, name), bytes));
  }
  RETURN_IF_ERROR(disk_.SyncDirectory(aside));
  return aside;
}

}  // namespace schleuse
