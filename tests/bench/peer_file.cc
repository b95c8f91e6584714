#include "tests/bench/peer_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <thread>

namespace schleuse::bench {

void Die(std::string_view what) {
  std::fprintf(stderr, "%.*s\n", static_cast<int>(what.size()), what.data());
  std::_Exit(1);
}

void DieOfErrno(std::string_view what) {
  const int error = errno;
  Die(std::string(what) + ": " + std::strerror(error));
}

Hash::Hash() : context_(EVP_MD_CTX_new()) {
  if (EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) != 1) {
    Die("SHA-256 does not start");
  }
}

void Hash::Update(std::string_view bytes) {
  if (EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) != 1) {
    Die("SHA-256 fails");
  }
}

std::string Hash::Finish() {
  std::string hash(kHashBytes, '\0');
  if (EVP_DigestFinal_ex(context_.get(),
                         reinterpret_cast<unsigned char*>(hash.data()),
                         nullptr) != 1) {
    Die("SHA-256 fails");
  }
  return hash;
}

Source::Source(const std::string& path)
    : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
  struct stat info;
  if (fd_ < 0 || fstat(fd_, &info) != 0) DieOfErrno(path);
  size_ = static_cast<uint64_t>(info.st_size);
}

Source::~Source() { close(fd_); }

bool Source::Read(std::string& buffer) {
  buffer.resize(kPieceBytes);
  const ssize_t got = read(fd_, buffer.data(), buffer.size());
  if (got < 0) DieOfErrno("read");
  buffer.resize(static_cast<size_t>(got));
  hash_.Update(buffer);
  return got > 0;
}

Landing::Landing(const std::string& directory, const std::string& name)
    : directory_(directory), path_(directory + "/" + name) {
  if (name.empty() || name.front() == '.' ||
      name.find('/') != std::string::npos) {
    Die("not a plain name: " + name);
  }
  fd_ = open((path_ + ".part").c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
             0600);
  if (fd_ < 0) DieOfErrno(path_);
}

Landing::~Landing() { close(fd_); }

void Landing::Write(std::string_view bytes) {
  hash_.Update(bytes);
  while (!bytes.empty()) {
    const ssize_t wrote = write(fd_, bytes.data(), bytes.size());
    if (wrote < 0) DieOfErrno(path_);
    bytes.remove_prefix(static_cast<size_t>(wrote));
  }
}

bool Landing::Finish(std::string_view sha256) {
  const std::string part = path_ + ".part";
  if (hash_.Finish() != sha256) {
    unlink(part.c_str());
    return false;
  }
  if (fdatasync(fd_) != 0) DieOfErrno(part);
  if (rename(part.c_str(), path_.c_str()) != 0) DieOfErrno(path_);
  const int directory =
      open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0 || fsync(directory) != 0) DieOfErrno(directory_);
  close(directory);
  return true;
}

std::string BaseName(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

void ForEach(const std::vector<std::string>& files, int parallel,
             const std::function<void(int, const std::string&)>& put) {
  std::atomic<size_t> next = 0;
  std::vector<std::thread> threads;
  for (int number = 0; number < parallel; ++number) {
    threads.emplace_back([&, number] {
      for (size_t i = next++; i < files.size(); i = next++) {
        put(number, files[i]);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

Options ReadOptions(int argc, char** argv,
                    const std::vector<std::string>& names) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word.substr(0, 2) != "--") {
      options.files.push_back(word);
      continue;
    }
    if (std::find(names.begin(), names.end(), word.substr(2)) == names.end() ||
        i + 1 == argc) {
      Die("not an option, or without its value: " + word);
    }
    options.values[word.substr(2)] = argv[++i];
  }
  for (const std::string& name : names) {
    if (options.values.count(name) == 0) Die("missing: --" + name);
  }
  return options;
}

std::string ReadWhole(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) DieOfErrno(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

void WritePort(const std::string& path, int port) {
  const std::string fresh = path + ".new";
  {
    std::ofstream out(fresh);
    out << port << "\n";
    if (!out.flush()) DieOfErrno(fresh);
  }
  if (rename(fresh.c_str(), path.c_str()) != 0) DieOfErrno(path);
}

}  // namespace schleuse::bench
