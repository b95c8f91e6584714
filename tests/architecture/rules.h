// What ARCHITECTURE.md says about who may include what, as rules over source
// text. It knows nothing of where the text comes from.
#ifndef SCHLEUSE_TESTS_ARCHITECTURE_RULES_H_
#define SCHLEUSE_TESTS_ARCHITECTURE_RULES_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace schleuse::architecture {

struct Source {
  std::string path;  // from the top of the repository: "disk/disk.cc"
  std::string text;
};

struct Include {
  int line;  // from 1
  // "disk/disk.h"; what stands between angles keeps them: "<fcntl.h>".
  std::string header;
};
std::vector<Include> IncludesOf(absl::string_view text);

// "gateway/rpc/server.cc" -> "gateway/rpc", "gateway/main.cc" -> "gateway".
std::string RoomOf(absl::string_view path);

// Tests and what only they use, beside the code: "x_test.cc", "test_x.h",
// "fake_x.cc". Doors are open to them, floors are not.
bool IsForTests(absl::string_view path);

// Each returns one line for each violation, "path:line: what is wrong".

// Sources in a room that has no place in the house.
std::vector<std::string> Homeless(const std::vector<Source>& sources);
// Includes of a room that does not lie lower.
std::vector<std::string> WrongFloors(const std::vector<Source>& sources);
// Rooms that include each other, over however many corners.
std::vector<std::string> Cycles(const std::vector<Source>& sources);
// Headers that belong to one room's door, included elsewhere.
std::vector<std::string> WrongDoors(const std::vector<Source>& sources);
// Threads, clocks and files in the rooms that a simulator drives.
std::vector<std::string> ImpureCore(const std::vector<Source>& sources);
// Calls of the file system outside disk/.
std::vector<std::string> FileSystemCalls(const std::vector<Source>& sources);
// What the peers of the benchmark share with the product they are compared to.
// Its micro-benchmarks are about the product itself.
std::vector<std::string> SharedPeers(const std::vector<Source>& sources);

}  // namespace schleuse::architecture

#endif  // SCHLEUSE_TESTS_ARCHITECTURE_RULES_H_
