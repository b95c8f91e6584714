#include "witness/carried.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "evidence/checkpoint.h"
#include "evidence/merkle.h"
#include "evidence/note.h"
#include "evidence/tile.h"

namespace schleuse {
namespace {

constexpr uint64_t kTileBytesMax = 8192;

absl::StatusOr<Digest> Node(const Disk& disk, absl::string_view directory,
                            uint64_t size, int level, uint64_t index) {
  const NodePlace place = PlaceOfNode(size, level, index);
  const auto read = [&](uint64_t width) {
    return ReadFile(disk,
                    JoinPath(directory, TilePath(place.tile.level,
                                                 place.tile.number, width)),
                    kTileBytesMax);
  };
  absl::StatusOr<std::string> tile = read(place.tile.width);
  // Copied while the log grew: the full tile took the place of the other.
  if (absl::IsNotFound(tile.status())) tile = read(kTileWidth);
  RETURN_IF_ERROR(tile.status());
  return NodeInTile(*tile, place);
}

}  // namespace

absl::StatusOr<AddCheckpoint> ReadCarried(const Disk& disk,
                                          absl::string_view directory,
                                          const Witness& witness) {
  AddCheckpoint request;
  ASSIGN_OR_RETURN(request.checkpoint,
                   ReadFile(disk, JoinPath(directory, "checkpoint"),
                            kAddCheckpointBytesMax));
  ASSIGN_OR_RETURN(const std::string text, NoteText(request.checkpoint));
  ASSIGN_OR_RETURN(const Checkpoint checkpoint, ParseCheckpoint(text));
  const auto latest = witness.latest();
  const auto known = latest.find(checkpoint.origin);
  if (known == latest.end()) return request;
  request.old_size = known->second.checkpoint.size;
  // Of an older copy there is no proof: the witness says so.
  if (request.old_size == 0 || request.old_size >= checkpoint.size) {
    return request;
  }
  ASSIGN_OR_RETURN(
      request.proof,
      ConsistencyProof(
          request.old_size, checkpoint.size, [&](int level, uint64_t index) {
            return Node(disk, directory, checkpoint.size, level, index);
          }));
  return request;
}

}  // namespace schleuse
