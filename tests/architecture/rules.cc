#include "tests/architecture/rules.h"

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <regex>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace schleuse::architecture {
namespace {

using Lines = std::vector<std::string>;

// Top floor first. A room includes itself and rooms of lower floors.
const std::vector<std::set<std::string>>& Floors() {
  static const auto& floors = *new std::vector<std::set<std::string>>{
      {"gateway"},
      {"gateway/rpc", "gateway/web"},
      {"gateway/operations", "gateway/retention", "gateway/scrub"},
      {"gateway/transfer"},
      {"gateway/access", "gateway/custody", "gateway/spool", "gateway/store",
       "gateway/catalogue"},
      {"gateway/egress"},
      {"client/upload", "client/dock", "client/radio", "client/ctl",
       "client/verify", "witness"},
      {"settings"},
      {"client/link"},
      {"client/uploader"},
      {"evidence"},
      {"crypto", "disk"},
      {"base"},
  };
  return floors;
}

std::optional<size_t> FloorOf(const std::string& room) {
  for (size_t i = 0; i < Floors().size(); ++i) {
    if (Floors()[i].count(room) > 0) return i;
  }
  return std::nullopt;
}

struct Door {
  // A header, or the beginning of several if it ends in '/'.
  std::string header;
  // Rooms, or single files, that may include it.
  std::set<std::string> open_to;
};

const std::vector<Door>& Doors() {
  const std::set<std::string> grpc = {
      "gateway/rpc", "client/link",
      // Its log, its beginning and its end are matters of the whole program.
      "client/upload/upload_main.cc", "client/upload/main.cc",
      "gateway/main.cc"};
  const std::set<std::string> protobuf = {"gateway/rpc", "settings",
                                          "gateway/custody", "gateway/spool",
                                          "client/link",
                                          // Statements are JSON.
                                          "evidence/statement.cc"};
  const std::set<std::string> file_system = {"disk"};
  const std::set<std::string> sockets = {"gateway/egress", "gateway/rpc",
                                         "gateway/web"};
  static const auto& doors = *new std::vector<Door>{
      {"<openssl/", {"crypto"}},
      {"<grpc/", grpc},
      {"<grpcpp/", grpc},
      {"<google/protobuf/", protobuf},
      {"proto/transfer.pb.h", {"gateway/rpc", "client/link"}},
      {"proto/transfer.grpc.pb.h", {"gateway/rpc", "client/link"}},
      {"proto/rich_status.pb.h", {"gateway/rpc", "client/link"}},
      {"proto/spool.pb.h", {"gateway/spool"}},
      {"proto/statement.pb.h",
       {"evidence", "gateway/custody", "client/verify"}},
      {"proto/custody_wal.pb.h", {"gateway/custody"}},
      {"proto/config.pb.h", {"gateway", "gateway/access", "gateway/retention"}},
      {"proto/witness_config.pb.h", {"witness"}},
      {"<sqlite3.h>", {"gateway/catalogue"}},
      {"<curl/", {"gateway/egress"}},
      {"<pugixml.hpp>", {"gateway/store/s3_bucket.cc"}},
      {"<httplib.h>", {"gateway/web", "witness"}},
      {"<netdb.h>", sockets},
      {"<sys/socket.h>", sockets},
      {"<fstream>", file_system},
      {"<filesystem>", file_system},
      {"<dirent.h>", file_system},
      {"<fcntl.h>", file_system},
      {"<sys/file.h>", file_system},
      {"<sys/mman.h>", file_system},
      {"<sys/sendfile.h>", file_system},
      {"<sys/stat.h>",
       {"disk",
        // umask: the process's own.
        "gateway/gateway_main.cc", "witness/witness_main.cc"}},
      {"<sys/statvfs.h>", file_system},
      {"<sys/uio.h>", file_system},
      {"<liburing.h>", file_system},
      {"<unistd.h>",
       {"disk",
        // Writes lines to standard error.
        "base/log.cc",
        // The terminal: is it one, and lines to it.
        "client/upload", "client/verify/verify_main.cc",
        // Standard streams, the process's own id.
        "gateway", "witness"}},
      {"<sys/random.h>", {"base/random.cc"}},
      {"<isa-l/", {"base/crc32c.cc"}},
  };
  return doors;
}

// What a simulator could not drive.
const std::set<std::string>& Impure() {
  static const auto& impure = *new std::set<std::string>{
      "<chrono>",
      "<condition_variable>",
      "<ctime>",
      "<future>",
      "<mutex>",
      "<pthread.h>",
      "<random>",
      "<thread>",
      "<time.h>",
      "absl/random/random.h",
      "absl/synchronization/mutex.h",
      "absl/time/clock.h",
      "base/thread_pool.h",
      "disk/posix_disk.h",
  };
  return impure;
}

bool IsCore(const std::string& room) {
  return room == "gateway/transfer" || room == "client/uploader";
}

bool Is(const std::string& header, const std::string& pattern) {
  return pattern.back() == '/' ? absl::StartsWith(header, pattern)
                               : header == pattern;
}

bool IsOurs(absl::string_view header) {
  static const auto& tops = *new std::set<std::string>{
      "base",    "certs", "client",   "crypto", "disk",   "evidence",
      "gateway", "proto", "settings", "tests",  "witness"};
  const std::vector<std::string> parts = absl::StrSplit(header, '/');
  return parts.size() > 1 && tops.count(parts.front()) > 0;
}

std::string Where(const Source& source, int line) {
  return absl::StrCat(source.path, ":", line, ": ");
}

// Above the floors: they may include everything.
bool IsOutside(const std::string& room) {
  return room == "certs" || absl::StartsWith(room, "tests");
}

}  // namespace

std::vector<Include> IncludesOf(absl::string_view text) {
  static const std::regex pattern(
      R"(^\s*#\s*(?:include|import|include_next)\s*(?:"([^"]+)\"|(<[^>]+>)))");
  std::vector<Include> includes;
  int line = 0;
  for (absl::string_view text_line : absl::StrSplit(text, '\n')) {
    ++line;
    if (!absl::StrContains(text_line, '#')) continue;
    std::cmatch match;
    if (std::regex_search(text_line.data(), text_line.data() + text_line.size(),
                          match, pattern)) {
      includes.push_back({line, match[1].matched ? match[1] : match[2]});
    }
  }
  return includes;
}

std::string RoomOf(absl::string_view path) {
  std::vector<std::string> parts = absl::StrSplit(path, '/');
  parts.pop_back();
  if (parts.empty()) return "";
  const bool has_rooms = parts[0] == "gateway" || parts[0] == "client";
  parts.resize(std::min<size_t>(parts.size(), has_rooms ? 2 : 1));
  return absl::StrJoin(parts, "/");
}

bool IsForTests(absl::string_view path) {
  const absl::string_view name = path.substr(path.rfind('/') + 1);
  return absl::StartsWith(name, "test_") || absl::StartsWith(name, "fake_") ||
         absl::EndsWith(name, "_test.cc") || absl::EndsWith(name, "_test.h") ||
         absl::StrContains(name, "_matchers.");
}

Lines Homeless(const std::vector<Source>& sources) {
  Lines lines;
  for (const Source& source : sources) {
    const std::string room = RoomOf(source.path);
    if (IsOutside(room) || FloorOf(room)) continue;
    lines.push_back(absl::StrCat(
        source.path, ": the room \"", room,
        "\" has no floor; say in tests/architecture/rules.cc where it lies"));
  }
  return lines;
}

Lines WrongFloors(const std::vector<Source>& sources) {
  Lines lines;
  for (const Source& source : sources) {
    const std::string room = RoomOf(source.path);
    const auto floor = FloorOf(room);
    if (!floor) continue;
    for (const Include& include : IncludesOf(source.text)) {
      if (!IsOurs(include.header)) continue;
      const std::string other = RoomOf(include.header);
      if (other == room || other == "proto") continue;
      if (IsOutside(other) && IsForTests(source.path)) continue;
      const auto other_floor = FloorOf(other);
      const bool lower = other_floor && *other_floor > *floor;
      const bool crosses = absl::StartsWith(room, "gateway") &&
                           absl::StartsWith(other, "client");
      if (lower && !crosses) continue;
      lines.push_back(absl::StrCat(Where(source, include.line), room,
                                   " must not include ", include.header));
    }
  }
  return lines;
}

Lines Cycles(const std::vector<Source>& sources) {
  std::map<std::string, std::set<std::string>> includes;
  for (const Source& source : sources) {
    const std::string room = RoomOf(source.path);
    if (IsOutside(room) || IsForTests(source.path)) continue;
    for (const Include& include : IncludesOf(source.text)) {
      if (!IsOurs(include.header) || IsForTests(include.header)) continue;
      const std::string other = RoomOf(include.header);
      if (other != room) includes[room].insert(other);
    }
  }
  Lines lines;
  std::set<std::string> done;
  std::vector<std::string> path;
  const std::function<void(const std::string&)> visit =
      [&](const std::string& room) {
        const auto before = std::find(path.begin(), path.end(), room);
        if (before != path.end()) {
          std::vector<std::string> cycle(before, path.end());
          cycle.push_back(room);
          lines.push_back(
              absl::StrCat("a cycle of rooms: ", absl::StrJoin(cycle, " > ")));
          return;
        }
        if (done.count(room) > 0) return;
        path.push_back(room);
        for (const std::string& other : includes[room]) visit(other);
        path.pop_back();
        done.insert(room);
      };
  std::vector<std::string> rooms;
  for (const auto& [room, others] : includes) rooms.push_back(room);
  for (const std::string& room : rooms) visit(room);
  return lines;
}

Lines WrongDoors(const std::vector<Source>& sources) {
  Lines lines;
  for (const Source& source : sources) {
    const std::string room = RoomOf(source.path);
    if (IsOutside(room) || IsForTests(source.path)) continue;
    for (const Include& include : IncludesOf(source.text)) {
      for (const Door& door : Doors()) {
        if (!Is(include.header, door.header)) continue;
        if (door.open_to.count(room) > 0) continue;
        if (door.open_to.count(source.path) > 0) continue;
        lines.push_back(absl::StrCat(Where(source, include.line),
                                     include.header, " belongs to ",
                                     absl::StrJoin(door.open_to, ", ")));
      }
    }
  }
  return lines;
}

Lines ImpureCore(const std::vector<Source>& sources) {
  Lines lines;
  for (const Source& source : sources) {
    const std::string room = RoomOf(source.path);
    if (!IsCore(room) || IsForTests(source.path)) continue;
    for (const Include& include : IncludesOf(source.text)) {
      if (Impure().count(include.header) == 0) continue;
      lines.push_back(
          absl::StrCat(Where(source, include.line), include.header, ": ", room,
                       " holds no thread, clock, chance or file of its own"));
    }
  }
  return lines;
}

Lines FileSystemCalls(const std::vector<Source>& sources) {
  static const std::regex pattern(
      R"re(\b(fopen|fdopen|freopen|mkstemp|mkdtemp|tmpfile|opendir)\s*\(|)re"
      R"re((^|[^A-Za-z0-9_>])::(open|openat|openat2|creat|rename|renameat2?|)re"
      R"re(link|linkat|unlink|unlinkat|remove|mkdir|mkdirat|rmdir|fsync|)re"
      R"re(fdatasync|syncfs|ftruncate|truncate|fallocate|pread|pwrite|)re"
      R"re(preadv|pwritev|stat|lstat|fstat|statx|access|chmod|readlink|)re"
      R"re(symlink)\s*\(|)re"
      R"re(std::(ifstream|ofstream|fstream|rename|remove)\b(?!_)|)re"
      R"re(std::filesystem::(?!absolute\b|path\b))re");
  Lines lines;
  for (const Source& source : sources) {
    const std::string room = RoomOf(source.path);
    if (room == "disk" || IsOutside(room) || IsForTests(source.path)) continue;
    int line = 0;
    for (absl::string_view text : absl::StrSplit(source.text, '\n')) {
      ++line;
      text = text.substr(0, text.find("//"));
      std::cmatch match;
      if (!std::regex_search(text.data(), text.data() + text.size(), match,
                             pattern)) {
        continue;
      }
      // std::remove of <algorithm> takes more than one argument.
      const std::string rest(match[0].second, text.data() + text.size());
      if (absl::StrContains(match.str(), "std::remove") &&
          absl::StrContains(rest, ',')) {
        continue;
      }
      lines.push_back(absl::StrCat(Where(source, line),
                                   "only disk calls the file system: ",
                                   absl::StripAsciiWhitespace(text)));
    }
  }
  return lines;
}

Lines SharedPeers(const std::vector<Source>& sources) {
  constexpr char kPeers[] = "tests/bench/";
  Lines lines;
  for (const Source& source : sources) {
    if (!absl::StartsWith(source.path, kPeers)) continue;
    if (absl::StartsWith(source.path, "tests/bench/micro/")) continue;
    for (const Include& include : IncludesOf(source.text)) {
      if (!IsOurs(include.header)) continue;
      if (absl::StartsWith(include.header, kPeers)) continue;
      lines.push_back(absl::StrCat(Where(source, include.line),
                                   "a peer must not share ", include.header,
                                   " with the product"));
    }
  }
  return lines;
}

}  // namespace schleuse::architecture
