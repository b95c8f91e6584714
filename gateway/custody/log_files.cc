#include "gateway/custody/log_files.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/failpoint.h"
#include "base/status.h"
#include "evidence/merkle.h"
#include "evidence/note.h"
#include "evidence/tile.h"

namespace schleuse {
namespace {

// A full bundle of the longest entries.
constexpr uint64_t kFileBytesMax = kTileWidth * (kEntryBytesMax + 2);
constexpr absl::string_view kEntries = "tile/entries";
constexpr absl::string_view kCheckpoint = "checkpoint";

absl::Status Damaged(absl::string_view path, absl::string_view what) {
  return absl::DataLossError(absl::StrCat(
      path, " ", what,
      ". Keep a copy of the whole custody directory, check the disk, and have "
      "the log audited, and then begin another: schleuse-gateway new-log"));
}

// With all that is below it.
absl::Status RemoveTree(Disk& disk, const std::string& directory) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, disk.List(directory));
  for (const std::string& name : names) {
    const std::string path = JoinPath(directory, name);
    ASSIGN_OR_RETURN(const FileInfo info, disk.Stat(path));
    RETURN_IF_ERROR(info.is_directory ? RemoveTree(disk, path)
                                      : disk.Remove(path));
  }
  return disk.RemoveDirectory(directory);
}

}  // namespace

absl::StatusOr<std::vector<Origin>> OriginsIn(const Disk& disk,
                                              absl::string_view directory,
                                              absl::string_view gateway) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, disk.List(directory));
  std::vector<Origin> origins;
  for (const std::string& name : names) {
    absl::StatusOr<Origin> origin =
        Origin::Parse(absl::StrCat(gateway, "/custody/", name));
    if (origin.ok()) origins.push_back(*std::move(origin));
  }
  std::sort(origins.begin(), origins.end(),
            [](const Origin& a, const Origin& b) { return a.IsBefore(b); });
  return origins;
}

LogFiles::LogFiles(Disk& disk, absl::string_view directory)
    : disk_(disk), directory_(directory) {}

absl::Status LogFiles::Publish(const State& state, uint64_t published) {
  RETURN_IF_ERROR(WriteTiles(state.edge, published));
  RETURN_IF_ERROR(WriteEntries(state, published));
  RETURN_IF_ERROR(SyncNames());
  Failpoint("custody.tiles_written");
  RETURN_IF_ERROR(WriteFileAtomically(disk_, JoinPath(directory_, kCheckpoint),
                                      state.checkpoint));
  Failpoint("custody.published");
  for (const std::string& path : superseded_) RemovePartials(path);
  superseded_.clear();
  return absl::OkStatus();
}

absl::Status LogFiles::WriteTiles(const RightEdge& edge, uint64_t published) {
  for (int level = 0; level < edge.levels(); ++level) {
    const uint64_t hashes = edge.HashesAt(level);
    for (uint64_t number = published / kTileWidth; number * kTileWidth < hashes;
         ++number) {
      const uint64_t width = TileWidthAt(hashes, number);
      if (width == TileWidthAt(published, number)) continue;
      ASSIGN_OR_RETURN(const std::string tile, edge.Tile(level, number, width));
      RETURN_IF_ERROR(WriteOnce(TilePath(level, number, width), tile));
      if (width == kTileWidth) {
        superseded_.push_back(PartialTilesPath(level, number));
      }
    }
    published /= kTileWidth;
  }
  return absl::OkStatus();
}

absl::Status LogFiles::WriteEntries(const State& state, uint64_t published) {
  const uint64_t size = state.edge.size();
  for (uint64_t number = published / kTileWidth; number * kTileWidth < size;
       ++number) {
    const uint64_t width = TileWidthAt(size, number);
    if (width == TileWidthAt(published, number)) continue;
    ASSIGN_OR_RETURN(const std::string bundle,
                     EncodeEntries(state.entries.subspan(
                         number * kTileWidth - state.first_entry, width)));
    RETURN_IF_ERROR(WriteOnce(EntriesPath(number, width), bundle));
    if (width == kTileWidth) superseded_.push_back(PartialEntriesPath(number));
  }
  return absl::OkStatus();
}

absl::Status LogFiles::WriteOnce(const std::string& path,
                                 absl::string_view bytes) {
  const std::string target = JoinPath(directory_, path);
  const std::string directory = ParentOf(target);
  unsynced_.insert(directory);
  const absl::StatusOr<std::string> held =
      ReadFile(disk_, target, kFileBytesMax);
  if (absl::IsResourceExhausted(held.status()) ||
      (held.ok() && *held != bytes)) {
    return Damaged(target, "holds something else than the log says");
  }
  if (!held.ok() && !absl::IsNotFound(held.status())) return held.status();
  // One that is there already is made anew: perhaps its sync failed, or that of
  // its name, and a second one would not bring it back.
  if (!made_.contains(directory)) {
    RETURN_IF_ERROR(MakeDirectories(disk_, directory));
    // There are few at a time that matter.
    if (made_.size() > 1000) made_.clear();
    made_.insert(directory);
  }
  return ReplaceFile(disk_, target, bytes);
}

absl::Status LogFiles::SyncNames() {
  while (!unsynced_.empty()) {
    RETURN_IF_ERROR(disk_.SyncDirectory(*unsynced_.begin()));
    unsynced_.erase(unsynced_.begin());
  }
  return absl::OkStatus();
}

void LogFiles::RemovePartials(const std::string& path) {
  const std::string directory = JoinPath(directory_, path);
  const absl::StatusOr<std::vector<std::string>> names = disk_.List(directory);
  if (!names.ok()) return;
  for (const std::string& name : *names) {
    disk_.Remove(JoinPath(directory, name)).IgnoreError();
  }
  disk_.RemoveDirectory(directory).IgnoreError();
  made_.erase(directory);
}

absl::StatusOr<std::optional<std::string>> LogFiles::ReadCheckpoint() const {
  const absl::StatusOr<std::string> note =
      ReadFile(disk_, JoinPath(directory_, kCheckpoint), kNoteBytesMax);
  if (absl::IsNotFound(note.status())) return std::optional<std::string>();
  RETURN_IF_ERROR(note.status());
  return std::optional<std::string>(*note);
}

absl::Status LogFiles::RenewCheckpoint() {
  ASSIGN_OR_RETURN(const std::optional<std::string> note, ReadCheckpoint());
  if (!note) return absl::OkStatus();
  return WriteFileAtomically(disk_, JoinPath(directory_, kCheckpoint), *note);
}

absl::StatusOr<std::string> LogFiles::ReadOwn(const std::string& path) const {
  const std::string own = JoinPath(directory_, path);
  absl::StatusOr<std::string> bytes = ReadFile(disk_, own, kFileBytesMax);
  if (absl::IsNotFound(bytes.status())) return Damaged(own, "is missing");
  return bytes;
}

absl::StatusOr<RightEdge> LogFiles::ReadEdge(uint64_t size) const {
  std::vector<std::string> tiles;
  int level = 0;
  for (uint64_t hashes = size; hashes > 0; hashes /= kTileWidth, ++level) {
    const uint64_t width = hashes % kTileWidth;
    if (width == 0) {
      tiles.emplace_back();
      continue;
    }
    const uint64_t number = hashes / kTileWidth;
    ASSIGN_OR_RETURN(std::string tile, ReadOwn(TilePath(level, number, width)));
    tiles.push_back(std::move(tile));
  }
  absl::StatusOr<RightEdge> edge = RightEdge::Restore(size, tiles);
  if (!edge.ok()) return Damaged(directory_, edge.status().message());
  return edge;
}

absl::StatusOr<Digest> LogFiles::ReadNode(uint64_t size, int level,
                                          uint64_t index) const {
  const NodePlace place = PlaceOfNode(size, level, index);
  std::string path =
      TilePath(place.tile.level, place.tile.number, place.tile.width);
  absl::StatusOr<std::string> tile = ReadOwn(path);
  if (!tile.ok() && place.tile.width < kTileWidth) {
    // The log has grown since, and the full tile took the place of this one.
    path = TilePath(place.tile.level, place.tile.number, kTileWidth);
    tile = ReadOwn(path);
  }
  RETURN_IF_ERROR(tile.status());
  const absl::StatusOr<Digest> node = NodeInTile(*tile, place);
  if (!node.ok()) {
    return Damaged(JoinPath(directory_, path), node.status().message());
  }
  return node;
}

absl::StatusOr<bool> LogFiles::HasEntries() const {
  const absl::StatusOr<FileInfo> info =
      disk_.Stat(JoinPath(directory_, kEntries));
  if (absl::IsNotFound(info.status())) return false;
  RETURN_IF_ERROR(info.status());
  return true;
}

absl::Status LogFiles::RemoveEntries() {
  const std::string entries = JoinPath(directory_, kEntries);
  RETURN_IF_ERROR(RemoveTree(disk_, entries));
  return disk_.SyncDirectory(ParentOf(entries));
}

absl::StatusOr<std::vector<std::string>> LogFiles::ReadEntries(
    uint64_t number, uint64_t width) const {
  std::string path = EntriesPath(number, width);
  absl::StatusOr<std::string> bundle = ReadOwn(path);
  uint64_t held = width;
  if (!bundle.ok() && width < kTileWidth) {
    // As with tiles.
    path = EntriesPath(number, kTileWidth);
    bundle = ReadOwn(path);
    held = kTileWidth;
  }
  RETURN_IF_ERROR(bundle.status());
  absl::StatusOr<std::vector<std::string>> entries =
      DecodeEntries(*bundle, held);
  if (!entries.ok()) {
    return Damaged(JoinPath(directory_, path), entries.status().message());
  }
  entries->resize(width);
  return entries;
}

absl::StatusOr<std::vector<std::string>> LogFiles::ReadLastEntries(
    uint64_t size) const {
  const uint64_t width = size % kTileWidth;
  if (width == 0) return std::vector<std::string>();
  return ReadEntries(size / kTileWidth, width);
}

}  // namespace schleuse
