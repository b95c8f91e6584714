// What the bare sinks and their clients do beside their transport: read and
// hash on one side; hash, compare, write and sync on the other, in that order,
// on the calling thread. Nothing here is shared with the product, which is
// measured against it.
#ifndef SCHLEUSE_TESTS_BENCH_PEER_FILE_H_
#define SCHLEUSE_TESTS_BENCH_PEER_FILE_H_

#include <openssl/evp.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace schleuse::bench {

inline constexpr size_t kPieceBytes = 1 << 20;
inline constexpr size_t kHashBytes = 32;

// Says why on standard error and ends the process: a peer that cannot go on is
// a failed peer.
[[noreturn]] void Die(std::string_view what);
// The same with errno's reason.
[[noreturn]] void DieOfErrno(std::string_view what);

// A running SHA-256.
class Hash {
 public:
  Hash();
  void Update(std::string_view bytes);
  std::string Finish();  // 32 bytes

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context_;
};

// A file on its way out.
class Source {
 public:
  explicit Source(const std::string& path);
  ~Source();
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  uint64_t size() const { return size_; }
  // Fills `buffer` with up to kPieceBytes more and hashes them; false at the
  // end.
  bool Read(std::string& buffer);
  std::string Sha256() { return hash_.Finish(); }

 private:
  int fd_;
  uint64_t size_;
  Hash hash_;
};

// A file on its way in: written under another name, then renamed.
class Landing {
 public:
  // Dies unless `name` is a plain one.
  Landing(const std::string& directory, const std::string& name);
  ~Landing();
  Landing(const Landing&) = delete;
  Landing& operator=(const Landing&) = delete;

  void Write(std::string_view bytes);
  // True once file and name are synced; false, and no file, if `sha256` is not
  // that of the bytes.
  bool Finish(std::string_view sha256);

 private:
  const std::string directory_;
  const std::string path_;
  int fd_;
  Hash hash_;
};

// The last part of a path.
std::string BaseName(const std::string& path);

// Hands each file to `put` on one of `parallel` threads, which is told its
// number, until all are done.
void ForEach(const std::vector<std::string>& files, int parallel,
             const std::function<void(int thread, const std::string&)>& put);

// "--name value" for each of `names`; the other words are files.
struct Options {
  std::map<std::string, std::string> values;
  std::vector<std::string> files;
};
Options ReadOptions(int argc, char** argv,
                    const std::vector<std::string>& names);

std::string ReadWhole(const std::string& path);
// In one step, for somebody who waits for it.
void WritePort(const std::string& path, int port);

}  // namespace schleuse::bench

#endif  // SCHLEUSE_TESTS_BENCH_PEER_FILE_H_
