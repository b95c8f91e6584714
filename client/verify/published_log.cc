#include "client/verify/published_log.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "evidence/tile.h"

namespace schleuse::client {

PublishedLog::PublishedLog(const Disk& disk, std::string directory,
                           std::string note, Checkpoint checkpoint,
                           Origin origin)
    : disk_(&disk),
      directory_(std::move(directory)),
      note_(std::move(note)),
      checkpoint_(std::move(checkpoint)),
      origin_(std::move(origin)) {}

absl::StatusOr<PublishedLog> PublishedLog::Open(const Disk& disk,
                                                absl::string_view directory,
                                                const PinnedKeys& pinned) {
  const std::string path = JoinPath(directory, "checkpoint");
  ASSIGN_OR_RETURN(std::string note, ReadFile(disk, path, kNoteBytesMax));
  absl::StatusOr<Checkpoint> checkpoint = OpenCheckpoint(note, pinned);
  if (!checkpoint.ok()) return Annotate(checkpoint.status(), path);
  ASSIGN_OR_RETURN(Origin origin, Origin::Parse(checkpoint->origin));
  return PublishedLog(disk, std::string(directory), std::move(note),
                      *std::move(checkpoint), std::move(origin));
}

absl::StatusOr<std::optional<std::string>> PublishedLog::ReadFileAt(
    absl::string_view path) const {
  absl::StatusOr<std::string> bytes =
      ReadFile(*disk_, JoinPath(directory_, path), kLogFileBytesMax);
  if (absl::IsNotFound(bytes.status())) return std::optional<std::string>();
  RETURN_IF_ERROR(bytes.status());
  return std::optional<std::string>(*std::move(bytes));
}

absl::StatusOr<std::optional<std::vector<std::string>>>
PublishedLog::ReadBundle(uint64_t number) const {
  const uint64_t width = TileWidthAt(checkpoint_.size, number);
  const std::string path = EntriesPath(number, width);
  ASSIGN_OR_RETURN(const std::optional<std::string> bundle, ReadFileAt(path));
  if (!bundle) return std::optional<std::vector<std::string>>();
  absl::StatusOr<std::vector<std::string>> entries =
      DecodeEntries(*bundle, width);
  if (!entries.ok()) {
    return absl::DataLossError(
        absl::StrCat(path, ": ", entries.status().message()));
  }
  return std::optional<std::vector<std::string>>(*std::move(entries));
}

absl::StatusOr<Digest> PublishedLog::Node(int level, uint64_t index) const {
  const NodePlace place = PlaceOfNode(checkpoint_.size, level, index);
  const std::string path =
      TilePath(place.tile.level, place.tile.number, place.tile.width);
  if (path != last_path_) {
    ASSIGN_OR_RETURN(std::optional<std::string> tile, ReadFileAt(path));
    if (!tile) return absl::DataLossError(absl::StrCat(path, " is missing"));
    last_path_ = path;
    last_tile_ = *std::move(tile);
  }
  const absl::StatusOr<Digest> node = NodeInTile(last_tile_, place);
  if (!node.ok()) return Annotate(node.status(), path);
  return node;
}

absl::StatusOr<std::vector<PublishedLog>> OpenLogs(const Disk& disk,
                                                   absl::string_view directory,
                                                   const PinnedKeys& pinned) {
  std::vector<PublishedLog> logs;
  absl::StatusOr<PublishedLog> itself =
      PublishedLog::Open(disk, directory, pinned);
  if (itself.ok()) {
    logs.push_back(*std::move(itself));
    return logs;
  }
  if (!absl::IsNotFound(itself.status())) return itself.status();
  ASSIGN_OR_RETURN(const std::vector<std::string> names, disk.List(directory));
  for (const std::string& name : names) {
    absl::StatusOr<PublishedLog> log =
        PublishedLog::Open(disk, JoinPath(directory, name), pinned);
    if (absl::IsNotFound(log.status())) continue;
    RETURN_IF_ERROR(log.status());
    if (log->origin().Directory() != name) {
      return absl::DataLossError(absl::StrCat(
          log->directory(), " holds the log ", log->origin().ToString(),
          ", which does not belong "
          "there"));
    }
    logs.push_back(*std::move(log));
  }
  if (logs.empty()) {
    return absl::NotFoundError(absl::StrCat("there is no log in ", directory));
  }
  std::sort(logs.begin(), logs.end(),
            [](const PublishedLog& a, const PublishedLog& b) {
              return std::tuple(a.origin().year, a.origin().number) <
                     std::tuple(b.origin().year, b.origin().number);
            });
  return logs;
}

}  // namespace schleuse::client
