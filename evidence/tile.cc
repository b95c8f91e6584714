#include "evidence/tile.h"

#include <algorithm>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status.h"
#include "evidence/decimal.h"
#include "evidence/merkle.h"

namespace schleuse {
namespace {

// Groups of three digits, all but the last with an 'x' before them.
std::string NumberPath(uint64_t number) {
  std::string path = absl::StrFormat("%03d", number % 1000);
  while (number >= 1000) {
    number /= 1000;
    path = absl::StrFormat("x%03d/%s", number % 1000, path);
  }
  return path;
}

std::string WithWidth(std::string path, uint64_t width) {
  if (width == kTileWidth) return path;
  return absl::StrCat(path, ".p/", width);
}

std::string LevelPath(int level) { return absl::StrCat("tile/", level, "/"); }

constexpr absl::string_view kEntriesPath = "tile/entries/";

std::optional<uint64_t> ParseNumber(absl::string_view text) {
  std::string digits;
  const std::vector<absl::string_view> groups = absl::StrSplit(text, '/');
  if (groups.size() > 7) return std::nullopt;
  for (size_t i = 0; i < groups.size(); ++i) {
    absl::string_view group = groups[i];
    if (i + 1 < groups.size() && !absl::ConsumePrefix(&group, "x")) {
      return std::nullopt;
    }
    if (group.size() != 3 ||
        !std::all_of(group.begin(), group.end(), absl::ascii_isdigit)) {
      return std::nullopt;
    }
    absl::StrAppend(&digits, group);
  }
  // One path for each number.
  if (groups.size() > 1 && absl::StartsWith(digits, "000")) return std::nullopt;
  const size_t first = digits.find_first_not_of('0');
  return StrictDecimal(first == std::string::npos ? "0" : digits.substr(first));
}

}  // namespace

std::string TilePath(int level, uint64_t number, uint64_t width) {
  return WithWidth(absl::StrCat(LevelPath(level), NumberPath(number)), width);
}

std::string EntriesPath(uint64_t number, uint64_t width) {
  return WithWidth(absl::StrCat(kEntriesPath, NumberPath(number)), width);
}

std::string PartialTilesPath(int level, uint64_t number) {
  return absl::StrCat(LevelPath(level), NumberPath(number), ".p");
}

std::string PartialEntriesPath(uint64_t number) {
  return absl::StrCat(kEntriesPath, NumberPath(number), ".p");
}

absl::StatusOr<TileName> ParseTilePath(absl::string_view path) {
  const absl::Status bad = absl::InvalidArgumentError("not the path of a tile");
  TileName name = {.level = -1, .number = 0, .width = kTileWidth};
  absl::string_view rest = path;
  if (!absl::ConsumePrefix(&rest, kEntriesPath)) {
    if (!absl::ConsumePrefix(&rest, "tile/")) return bad;
    const size_t slash = rest.find('/');
    if (slash == absl::string_view::npos) return bad;
    const std::optional<uint64_t> level = StrictDecimal(rest.substr(0, slash));
    if (!level || *level > kTileLevelMax) return bad;
    name.level = static_cast<int>(*level);
    rest.remove_prefix(slash + 1);
  }
  if (const size_t partial = rest.find(".p/");
      partial != absl::string_view::npos) {
    const std::optional<uint64_t> width =
        StrictDecimal(rest.substr(partial + 3));
    if (!width || *width == 0 || *width >= kTileWidth) return bad;
    name.width = *width;
    rest = rest.substr(0, partial);
  }
  const std::optional<uint64_t> number = ParseNumber(rest);
  if (!number) return bad;
  name.number = *number;
  return name;
}

uint64_t TileWidthAt(uint64_t size, uint64_t number) {
  if (size / kTileWidth > number) return kTileWidth;
  return size / kTileWidth == number ? size % kTileWidth : 0;
}

NodePlace PlaceOfNode(uint64_t size, int level, uint64_t index) {
  constexpr int kTileLog2 = 8;
  const int tile_level = level / kTileLog2;
  const uint64_t count = uint64_t{1} << (level % kTileLog2);
  const uint64_t begin = index * count;
  const uint64_t number = begin / kTileWidth;
  return {
      .tile = {.level = tile_level,
               .number = number,
               .width = TileWidthAt(size >> (tile_level * kTileLog2), number)},
      .first = begin % kTileWidth,
      .count = count};
}

absl::StatusOr<Digest> NodeInTile(absl::string_view tile,
                                  const NodePlace& place) {
  if (tile.size() < (place.first + place.count) * Digest::kBytes) {
    return absl::DataLossError("the tile is too short");
  }
  std::vector<Digest> row;
  for (uint64_t i = 0; i < place.count; ++i) {
    ASSIGN_OR_RETURN(const Digest hash,
                     Digest::FromBytes(tile.substr(
                         (place.first + i) * Digest::kBytes, Digest::kBytes)));
    row.push_back(hash);
  }
  for (; row.size() > 1; row.resize(row.size() / 2, row.front())) {
    for (size_t i = 0; i < row.size() / 2; ++i) {
      row[i] = NodeHash(row[2 * i], row[2 * i + 1]);
    }
  }
  return row.front();
}

absl::StatusOr<std::string> EncodeEntries(
    absl::Span<const std::string> entries) {
  std::string bundle;
  for (const std::string& entry : entries) {
    if (entry.size() > kEntryBytesMax) {
      return absl::InvalidArgumentError(
          absl::StrCat("an entry of ", entry.size(), " bytes is too long"));
    }
    bundle.push_back(static_cast<char>(entry.size() >> 8));
    bundle.push_back(static_cast<char>(entry.size()));
    bundle.append(entry);
  }
  return bundle;
}

absl::StatusOr<std::vector<std::string>> DecodeEntries(absl::string_view bundle,
                                                       uint64_t width) {
  const absl::Status bad = absl::InvalidArgumentError(
      absl::StrCat("not a bundle of ", width, " entries"));
  std::vector<std::string> entries;
  while (!bundle.empty()) {
    if (bundle.size() < 2 || entries.size() == width) return bad;
    const size_t length = static_cast<size_t>(static_cast<uint8_t>(bundle[0]))
                              << 8 |
                          static_cast<uint8_t>(bundle[1]);
    bundle.remove_prefix(2);
    if (bundle.size() < length) return bad;
    entries.emplace_back(bundle.substr(0, length));
    bundle.remove_prefix(length);
  }
  if (entries.size() != width) return bad;
  return entries;
}

}  // namespace schleuse
