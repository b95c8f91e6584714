#include "disk/posix_disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "disk/path_error.h"

namespace schleuse {
namespace {

// Pieces handed to one pwritev; the kernel takes up to 1024.
constexpr int kPiecesMax = 64;
constexpr uint64_t kOffsetMax = std::numeric_limits<off_t>::max();

// Calls again what a signal interrupted.
template <typename Call>
auto Retry(Call call) {
  decltype(call()) result;
  do {
    result = call();
  } while (result < 0 && errno == EINTR);
  return result;
}

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept
      : number_(std::exchange(other.number_, -1)) {}
  // EINTR or not, Linux has closed it.
  ~Descriptor() {
    if (number_ >= 0) close(number_);
  }
  int get() const { return number_; }

 private:
  int number_;
};

absl::StatusOr<Descriptor> OpenDescriptor(absl::string_view operation,
                                          absl::string_view path, int flags) {
  RETURN_IF_ERROR(CheckPath(operation, path));
  const std::string c_path(path);
  const int number =
      Retry([&] { return open(c_path.c_str(), flags | O_CLOEXEC, 0600); });
  if (number < 0) return PathError(errno, operation, path);
  return Descriptor(number);
}

std::optional<Descriptor> OpenDirect(int descriptor) {
  const std::string path = absl::StrCat("/proc/self/fd/", descriptor);
  const int direct = Retry(
      [&] { return open(path.c_str(), O_WRONLY | O_DIRECT | O_CLOEXEC); });
  if (direct < 0) return std::nullopt;
  return Descriptor(direct);
}

class PosixFile final : public File {
 public:
  PosixFile(Descriptor descriptor, absl::string_view path, bool writable)
      : descriptor_(std::move(descriptor)), path_(path), writable_(writable) {}

  absl::Status Write(uint64_t offset, const absl::Cord& bytes) override {
    RETURN_IF_ERROR(CheckWritable(offset, bytes.size()));
    iovec pieces[kPiecesMax];
    int count = 0;
    for (const absl::string_view chunk : bytes.Chunks()) {
      if (count == kPiecesMax) {
        RETURN_IF_ERROR(WritePieces(offset, pieces, count));
        count = 0;
      }
      pieces[count++] = Piece(chunk);
    }
    return WritePieces(offset, pieces, count);
  }

  absl::Status Write(uint64_t offset, absl::string_view bytes) override {
    RETURN_IF_ERROR(CheckWritable(offset, bytes.size()));
    iovec piece = Piece(bytes);
    return WritePieces(offset, &piece, 1);
  }

  absl::Status WriteBlocks(uint64_t offset, absl::string_view bytes) override {
    RETURN_IF_ERROR(CheckBlocks(offset, bytes));
    RETURN_IF_ERROR(CheckWritable(offset, bytes.size()));
    if (!direct_tried_) {
      direct_tried_ = true;
      if (auto direct = OpenDirect(descriptor_.get())) {
        direct_.emplace(*std::move(direct));
      }
    }
    while (direct_ && !bytes.empty()) {
      const ssize_t written = Retry([&] {
        return pwrite(direct_->get(), bytes.data(), bytes.size(),
                      static_cast<off_t>(offset));
      });
      if (written < 0 && errno != EINVAL) {
        return PathError(errno, "write", path_);
      }
      // The file system wants larger blocks, or cannot after all; or it took
      // less than a block, and the rest is none.
      if (written < 0 || written % static_cast<ssize_t>(kBlockBytes) != 0) {
        direct_.reset();
        break;
      }
      if (written == 0) return PathError(EIO, "write", path_);
      offset += static_cast<uint64_t>(written);
      bytes.remove_prefix(static_cast<size_t>(written));
    }
    return bytes.empty() ? absl::OkStatus() : Write(offset, bytes);
  }

  absl::StatusOr<std::string> Read(uint64_t offset,
                                   uint64_t length) const override {
    ASSIGN_OR_RETURN(const uint64_t size, Size());
    if (offset >= size) return std::string();
    std::string bytes(std::min(length, size - offset), '\0');
    // Fewer if it was cut meanwhile.
    ASSIGN_OR_RETURN(const uint64_t got,
                     ReadInto(offset, absl::MakeSpan(bytes)));
    bytes.resize(got);
    return bytes;
  }

  absl::StatusOr<uint64_t> ReadInto(uint64_t offset,
                                    absl::Span<char> into) const override {
    size_t done = 0;
    while (done < into.size()) {
      const ssize_t got = Retry([&] {
        return pread(descriptor_.get(), into.data() + done, into.size() - done,
                     static_cast<off_t>(offset + done));
      });
      if (got < 0) return PathError(errno, "read", path_);
      if (got == 0) break;
      done += static_cast<size_t>(got);
    }
    return done;
  }

  absl::StatusOr<uint64_t> Size() const override {
    struct stat info;
    if (fstat(descriptor_.get(), &info) != 0) {
      return PathError(errno, "stat", path_);
    }
    return static_cast<uint64_t>(info.st_size);
  }

  absl::Status Truncate(uint64_t size) override {
    RETURN_IF_ERROR(CheckWritable(size, 0));
    const int result = Retry(
        [&] { return ftruncate(descriptor_.get(), static_cast<off_t>(size)); });
    if (result != 0) return PathError(errno, "truncate", path_);
    return absl::OkStatus();
  }

  absl::Status Sync() override {
    if (Retry([&] { return fdatasync(descriptor_.get()); }) != 0) {
      return SyncError(errno, "sync", path_);
    }
    return absl::OkStatus();
  }

 private:
  static iovec Piece(absl::string_view bytes) {
    return {const_cast<char*>(bytes.data()), bytes.size()};
  }

  absl::Status CheckWritable(uint64_t offset, uint64_t length) const {
    if (!writable_) return PathError(EACCES, "write", path_);
    if (offset > kOffsetMax || length > kOffsetMax - offset) {
      return PathError(EFBIG, "write", path_);
    }
    return absl::OkStatus();
  }

  // Moves `offset` behind what was written; changes `pieces`.
  absl::Status WritePieces(uint64_t& offset, iovec* pieces, int count) {
    while (true) {
      for (; count > 0 && pieces->iov_len == 0; --count) ++pieces;
      if (count == 0) return absl::OkStatus();
      const ssize_t written = Retry([&] {
        return pwritev(descriptor_.get(), pieces, count,
                       static_cast<off_t>(offset));
      });
      if (written < 0) return PathError(errno, "write", path_);
      if (written == 0) return PathError(EIO, "write", path_);
      offset += static_cast<uint64_t>(written);
      for (size_t left = static_cast<size_t>(written); left > 0;) {
        const size_t taken = std::min(left, pieces->iov_len);
        pieces->iov_base = static_cast<char*>(pieces->iov_base) + taken;
        pieces->iov_len -= taken;
        left -= taken;
        if (pieces->iov_len == 0) {
          ++pieces;
          --count;
        }
      }
    }
  }

  const Descriptor descriptor_;
  const std::string path_;
  const bool writable_;
  // The same file, opened to go around the page cache; none if it cannot.
  bool direct_tried_ = false;
  std::optional<Descriptor> direct_;
};

absl::StatusOr<std::unique_ptr<File>> OpenExisting(absl::string_view path,
                                                   bool writable) {
  // O_NONBLOCK: a FIFO must not make us wait for its other end.
  ASSIGN_OR_RETURN(
      Descriptor descriptor,
      OpenDescriptor("open", path,
                     (writable ? O_RDWR : O_RDONLY) | O_NONBLOCK | O_NOCTTY));
  struct stat info;
  if (fstat(descriptor.get(), &info) != 0) {
    return PathError(errno, "open", path);
  }
  if (S_ISDIR(info.st_mode)) return PathError(EISDIR, "open", path);
  if (!S_ISREG(info.st_mode)) {
    return absl::FailedPreconditionError(
        absl::StrCat("open ", path, ": not a regular file"));
  }
  return std::make_unique<PosixFile>(std::move(descriptor), path, writable);
}

// Runs `call` with `path` as the kernel wants it.
template <typename Call>
absl::Status CallWithPath(absl::string_view operation, absl::string_view path,
                          Call call) {
  RETURN_IF_ERROR(CheckPath(operation, path));
  if (call(std::string(path).c_str()) == 0) return absl::OkStatus();
  return PathError(errno, operation, path);
}

FileInfo InfoOf(const struct stat& info) {
  return {
      .identity = {.device = info.st_dev, .inode = info.st_ino},
      .size = S_ISDIR(info.st_mode) ? 0 : static_cast<uint64_t>(info.st_size),
      .is_directory = S_ISDIR(info.st_mode),
      .links = info.st_nlink,
      .others_may_read = (info.st_mode & 077) != 0,
      .modified = absl::TimeFromTimespec(info.st_mtim)};
}

}  // namespace

absl::StatusOr<std::unique_ptr<File>> PosixDisk::Create(
    absl::string_view path) {
  ASSIGN_OR_RETURN(Descriptor descriptor,
                   OpenDescriptor("create", path, O_RDWR | O_CREAT | O_EXCL));
  return std::make_unique<PosixFile>(std::move(descriptor), path,
                                     /*writable=*/true);
}

absl::StatusOr<std::unique_ptr<File>> PosixDisk::Open(absl::string_view path) {
  return OpenExisting(path, /*writable=*/true);
}

absl::StatusOr<std::unique_ptr<File>> PosixDisk::OpenForReading(
    absl::string_view path) const {
  return OpenExisting(path, /*writable=*/false);
}

absl::Status PosixDisk::Link(absl::string_view from, absl::string_view to) {
  RETURN_IF_ERROR(CheckPath("link", from));
  RETURN_IF_ERROR(CheckPath("link", to));
  if (linkat(AT_FDCWD, std::string(from).c_str(), AT_FDCWD,
             std::string(to).c_str(), 0) != 0) {
    return PathError(errno, "link", absl::StrCat(from, " to ", to));
  }
  return absl::OkStatus();
}

absl::Status PosixDisk::Replace(absl::string_view from, absl::string_view to) {
  RETURN_IF_ERROR(CheckPath("replace", from));
  RETURN_IF_ERROR(CheckPath("replace", to));
  const std::string both = absl::StrCat(to, " by ", from);
  if (ParentOf(from) != ParentOf(to)) {
    return absl::InvalidArgumentError(
        absl::StrCat("replace ", both, ": not in one directory"));
  }
  // The kernel would rename a directory too.
  ASSIGN_OR_RETURN(const FileInfo info, Stat(from));
  if (info.is_directory) return PathError(EISDIR, "replace", both);
  if (rename(std::string(from).c_str(), std::string(to).c_str()) != 0) {
    return PathError(errno, "replace", both);
  }
  return absl::OkStatus();
}

absl::Status PosixDisk::Remove(absl::string_view path) {
  return CallWithPath("remove", path, unlink);
}

absl::Status PosixDisk::MakeDirectory(absl::string_view path) {
  return CallWithPath("make directory", path,
                      [](const char* c_path) { return mkdir(c_path, 0700); });
}

absl::Status PosixDisk::RemoveDirectory(absl::string_view path) {
  return CallWithPath("remove directory", path, rmdir);
}

absl::Status PosixDisk::SyncDirectory(absl::string_view path) {
  ASSIGN_OR_RETURN(
      const Descriptor directory,
      OpenDescriptor("sync directory", path, O_RDONLY | O_DIRECTORY));
  if (Retry([&] { return fsync(directory.get()); }) != 0) {
    return SyncError(errno, "sync directory", path);
  }
  return absl::OkStatus();
}

absl::Status PosixDisk::SyncFileSystem(absl::string_view path) {
  ASSIGN_OR_RETURN(const Descriptor any,
                   OpenDescriptor("sync file system", path, O_RDONLY));
  // Reports errors of writing back since Linux 5.8.
  if (Retry([&] { return syncfs(any.get()); }) != 0) {
    return SyncError(errno, "sync file system", path);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> PosixDisk::List(
    absl::string_view path) const {
  RETURN_IF_ERROR(CheckPath("list", path));
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(
      opendir(std::string(path).c_str()), closedir);
  if (directory == nullptr) return PathError(errno, "list", path);
  std::vector<std::string> names;
  while (true) {
    errno = 0;
    const dirent* entry = readdir(directory.get());
    if (entry == nullptr) break;
    const absl::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return PathError(errno, "list", path);
  std::sort(names.begin(), names.end());
  return names;
}

absl::StatusOr<FileInfo> PosixDisk::Stat(absl::string_view path) const {
  struct stat info;
  RETURN_IF_ERROR(CallWithPath("stat", path, [&info](const char* c_path) {
    return stat(c_path, &info);
  }));
  return InfoOf(info);
}

absl::StatusOr<uint64_t> PosixDisk::FreeBytes(absl::string_view path) const {
  struct statvfs info;
  RETURN_IF_ERROR(
      CallWithPath("free bytes of", path, [&info](const char* c_path) {
        return Retry([&] { return statvfs(c_path, &info); });
      }));
  return static_cast<uint64_t>(info.f_bavail) * info.f_frsize;
}

absl::StatusOr<std::unique_ptr<ProcessLock>> ProcessLock::Take(
    absl::string_view path) {
  RETURN_IF_ERROR(CheckPath("lock", path));
  const std::string c_path(path);
  const int descriptor = Retry(
      [&] { return open(c_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600); });
  if (descriptor < 0) return PathError(errno, "lock", path);
  std::unique_ptr<ProcessLock> lock(new ProcessLock(descriptor));
  if (Retry([&] { return flock(descriptor, LOCK_EX | LOCK_NB); }) == 0) {
    return lock;
  }
  if (errno != EWOULDBLOCK) return PathError(errno, "lock", path);
  return absl::UnavailableError(
      absl::StrCat("lock ", path, ": another process holds it"));
}

ProcessLock::~ProcessLock() { close(descriptor_); }

std::string AbsolutePath(absl::string_view path) {
  std::error_code error;  // leaves an empty path
  return std::filesystem::absolute(std::string(path), error).string();
}

}  // namespace schleuse
