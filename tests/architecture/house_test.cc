// The rules hold for every source of the repository, new ones included.
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "gtest/gtest.h"
#include "tests/architecture/rules.h"

namespace schleuse::architecture {
namespace {

namespace fs = std::filesystem;

constexpr char kHere[] = "tests/architecture/BUILD.bazel";

// The top of the repository: Bazel gives this test a link to a file in it.
fs::path Top() {
  const fs::path here = fs::canonical(kHere);
  return here.parent_path().parent_path().parent_path();
}

std::vector<Source> ReadSources() {
  std::vector<Source> sources;
  const fs::path top = Top();
  for (const char* directory :
       {"base", "certs", "client", "crypto", "disk", "evidence", "gateway",
        "settings", "tests", "witness"}) {
    if (!fs::exists(top / directory)) continue;
    for (const auto& entry :
         fs::recursive_directory_iterator(top / directory)) {
      const std::string path = fs::relative(entry.path(), top).string();
      if (!absl::EndsWith(path, ".cc") && !absl::EndsWith(path, ".h")) continue;
      std::ifstream in(entry.path());
      sources.push_back({path, std::string(std::istreambuf_iterator<char>(in),
                                           std::istreambuf_iterator<char>())});
    }
  }
  return sources;
}

const std::vector<Source>& Sources() {
  static const auto& sources = *new std::vector<Source>(ReadSources());
  return sources;
}

std::string Lines(const std::vector<std::string>& lines) {
  return absl::StrJoin(lines, "\n");
}

TEST(HouseTest, IsReadWhole) {
  EXPECT_GT(Sources().size(), 120u);
  size_t includes = 0;
  std::set<std::string> rooms;
  for (const Source& source : Sources()) {
    EXPECT_FALSE(source.text.empty()) << source.path;
    includes += IncludesOf(source.text).size();
    rooms.insert(RoomOf(source.path));
  }
  EXPECT_GT(includes, 1000u);
  for (const char* room :
       {"base", "crypto", "disk", "evidence", "gateway", "gateway/access",
        "gateway/custody", "gateway/egress", "gateway/retention", "gateway/rpc",
        "gateway/scrub", "settings", "gateway/spool", "witness",
        "gateway/store", "gateway/transfer", "client/link", "client/upload",
        "client/uploader"}) {
    EXPECT_EQ(rooms.count(room), 1u) << room;
  }
}

TEST(HouseTest, EveryRoomHasItsFloor) {
  EXPECT_EQ(Lines(Homeless(Sources())), "");
}
TEST(HouseTest, EveryIncludeGoesDown) {
  EXPECT_EQ(Lines(WrongFloors(Sources())), "");
}
TEST(HouseTest, NoRoomsIncludeEachOther) {
  EXPECT_EQ(Lines(Cycles(Sources())), "");
}
TEST(HouseTest, EachDoorIsUsedByItsRoomAlone) {
  EXPECT_EQ(Lines(WrongDoors(Sources())), "");
}
TEST(HouseTest, TheCoreHasNoThreadClockOrFile) {
  EXPECT_EQ(Lines(ImpureCore(Sources())), "");
}
TEST(HouseTest, OnlyDiskCallsTheFileSystem) {
  EXPECT_EQ(Lines(FileSystemCalls(Sources())), "");
}
TEST(HouseTest, ThePeersOfTheBenchmarkShareNothingWithTheProduct) {
  EXPECT_EQ(Lines(SharedPeers(Sources())), "");
}

}  // namespace
}  // namespace schleuse::architecture
