// What the disk itself does: threads that write files from memory and sync
// them. Prints seconds and bytes as one JSON object.
//   --name-each no   each thread writes its files, fdatasync at the end of each
//   --name-each yes  as a store does: create, write, fdatasync, rename, fsync
//                    of the directory, for each file
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tests/bench/peer_file.h"

namespace schleuse::bench {
namespace {

// Not zeros, which a disk might make less of.
std::string RandomBytes(size_t length) {
  std::mt19937_64 random(1);
  std::string bytes(length, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

void WriteFile(const std::string& path, uint64_t length,
               std::string_view bytes) {
  const int fd =
      open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) DieOfErrno(path);
  for (uint64_t left = length; left > 0;) {
    const ssize_t wrote =
        write(fd, bytes.data(), std::min<uint64_t>(left, bytes.size()));
    if (wrote <= 0) DieOfErrno(path);
    left -= static_cast<uint64_t>(wrote);
  }
  if (fdatasync(fd) != 0) DieOfErrno(path);
  close(fd);
}

void NameIt(const std::string& directory, const std::string& path) {
  if (rename(path.c_str(), (path + ".kept").c_str()) != 0) DieOfErrno(path);
  const int fd = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0 || fsync(fd) != 0) DieOfErrno(directory);
  close(fd);
}

}  // namespace
}  // namespace schleuse::bench

int main(int argc, char** argv) {
  using namespace schleuse::bench;  // NOLINT: main is no header
  const Options options = ReadOptions(
      argc, argv, {"directory", "files", "file-bytes", "threads", "name-each"});
  const std::string directory = options.values.at("directory");
  const uint64_t length = std::stoull(options.values.at("file-bytes"));
  const bool name_each = options.values.at("name-each") == "yes";
  std::vector<std::string> files;
  for (int i = 0; i < std::stoi(options.values.at("files")); ++i) {
    files.push_back(directory + "/" + std::to_string(i));
  }
  const std::string bytes = RandomBytes(kPieceBytes);
  const auto start = std::chrono::steady_clock::now();
  ForEach(files, std::stoi(options.values.at("threads")),
          [&](int, const std::string& file) {
            WriteFile(file, length, bytes);
            if (name_each) NameIt(directory, file);
          });
  const std::chrono::duration<double> took =
      std::chrono::steady_clock::now() - start;
  const uint64_t total = length * files.size();
  std::printf("{\"seconds\":%.6f,\"bytes\":%s}\n", took.count(),
              std::to_string(total).c_str());
  return 0;
}
