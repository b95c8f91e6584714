#include "evidence/tile.h"

#include <string>
#include <tuple>
#include <vector>

#include "absl/status/status.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using absl::StatusCode;
using ::testing::IsEmpty;

struct Path {
  TileName name;
  const char* path;
};

// C2SP, tlog-tiles.md; transparency-dev/tessera, api/layout/paths_test.go.
const Path kPaths[] = {
    {{0, 0, 256}, "tile/0/000"},
    {{0, 0, 255}, "tile/0/000.p/255"},
    {{1, 0, 256}, "tile/1/000"},
    {{0, 1234067, 256}, "tile/0/x001/x234/067"},
    {{0, 1234067, 89}, "tile/0/x001/x234/067.p/89"},
    {{15, 455667, 256}, "tile/15/x455/667"},
    {{15, 123456789, 41}, "tile/15/x123/x456/789.p/41"},
    {{63, 999999999999999999, 255},
     "tile/63/x999/x999/x999/x999/x999/999.p/255"},
    {{-1, 0, 256}, "tile/entries/000"},
    {{-1, 0, 8}, "tile/entries/000.p/8"},
    {{-1, 255, 253}, "tile/entries/255.p/253"},
    {{-1, 123456789, 256}, "tile/entries/x123/x456/789"},
};

TEST(TilePathTest, AsOthersHaveIt) {
  for (const auto& [name, path] : kPaths) {
    EXPECT_EQ(name.level < 0 ? EntriesPath(name.number, name.width)
                             : TilePath(name.level, name.number, name.width),
              path);
    EXPECT_THAT(ParseTilePath(path), IsOkAndHolds(name));
  }
  EXPECT_EQ(PartialTilesPath(0, 5), "tile/0/005.p");
  EXPECT_EQ(PartialEntriesPath(1005), "tile/entries/x001/005.p");
}

TEST(TilePathTest, WhatIsNoneIsRefused) {
  for (const char* bad : {"",
                          "tile",
                          "tile/",
                          "tile/0",
                          "tile/0/",
                          "tile/0/x001/x234/067.p/",
                          "tile/0/x001/x234/067.p",
                          "tile/0/x001/x234/",
                          "tile/0/x001/x234",
                          "tile/0/x001/",
                          "tile/0/x001",
                          "tile/1/x001/.p/abc",
                          "tile/64/x001/002",
                          "tile/-1/x001/002",
                          "tile/abc/x001/002",
                          "tile/8/001/002",
                          "tile/8/x001/0002",
                          "tile/8/x001/-002",
                          "tile/8/x001/002.p/256",
                          "tile/8/x001/002.p/0",
                          "tile/8/x001/002.p/01",
                          "tile/8/x000/002",
                          "tile/63/x999/x999/x999/x999/x999/x999/999.p/255",
                          "tile/08/000",
                          "tile/entries/",
                          "tile/entries/1",
                          "tile/entries/000.p/",
                          "other/0/000"}) {
    EXPECT_THAT(ParseTilePath(bad).status(),
                StatusIs(StatusCode::kInvalidArgument))
        << bad;
  }
}

TEST(TileTest, WidthsOfATree) {
  // Which bundle has an entry, in a log of a size.
  for (const auto& [entry, size, path] :
       std::vector<std::tuple<uint64_t, uint64_t, const char*>>{
           {0, 256, "tile/entries/000"},
           {251, 255, "tile/entries/000.p/255"},
           {256, 512, "tile/entries/001"},
           {3, 257, "tile/entries/000"},
           {256, 257, "tile/entries/001.p/1"}}) {
    EXPECT_EQ(EntriesPath(entry / 256, TileWidthAt(size, entry / 256)), path);
  }
  // 70,000 entries: 273 full and one of 112 on level 0, and so on.
  EXPECT_EQ(TileWidthAt(70'000, 272), 256u);
  EXPECT_EQ(TileWidthAt(70'000, 273), 112u);
  EXPECT_EQ(TileWidthAt(70'000, 274), 0u);
  EXPECT_EQ(TileWidthAt(70'000 / 256, 0), 256u);
  EXPECT_EQ(TileWidthAt(70'000 / 256, 1), 17u);
  EXPECT_EQ(TileWidthAt(70'000 / 65'536, 0), 1u);
  EXPECT_EQ(TileWidthAt(256, 1), 0u);
  EXPECT_EQ(TileWidthAt(0, 0), 0u);
}

TEST(EntriesTest, ComeBack) {
  const std::vector<std::string> entries = {"", "a",
                                            std::string(kEntryBytesMax, 'x')};
  ASSERT_OK_AND_ASSIGN(const std::string bundle, EncodeEntries(entries));
  EXPECT_EQ(bundle.substr(0, 5), std::string("\0\0\0\1a", 5));
  EXPECT_THAT(DecodeEntries(bundle, 3), IsOkAndHolds(entries));
  EXPECT_THAT(DecodeEntries("", 0), IsOkAndHolds(IsEmpty()));
}

TEST(EntriesTest, TooLongOrTornIsRefused) {
  EXPECT_THAT(EncodeEntries({std::string(kEntryBytesMax + 1, 'x')}).status(),
              StatusIs(StatusCode::kInvalidArgument));
  ASSERT_OK_AND_ASSIGN(const std::string bundle, EncodeEntries({"one", "two"}));
  EXPECT_FALSE(DecodeEntries(bundle, 1).ok());
  EXPECT_FALSE(DecodeEntries(bundle, 3).ok());
  for (size_t size = 0; size < bundle.size(); ++size) {
    EXPECT_FALSE(DecodeEntries(bundle.substr(0, size), 2).ok()) << size;
  }
}

}  // namespace
}  // namespace schleuse
