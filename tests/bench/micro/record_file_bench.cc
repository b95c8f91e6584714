// Framed records of the size that a chunk's has, written in batches as between
// two syncs, and read as at recovery. Nothing is synced: that is the disk's.
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "benchmark/benchmark.h"
#include "disk/posix_disk.h"
#include "disk/record_file.h"

namespace schleuse {
namespace {

constexpr int kBatch = 64;
constexpr int kRecordBytes = 20;

// A directory of its own, gone at the end.
class Scratch {
 public:
  Scratch()
      : path_((std::filesystem::temp_directory_path() / "schleuse-micro-XXXXXX")
                  .string()) {
    if (mkdtemp(path_.data()) == nullptr) std::abort();
  }
  ~Scratch() { std::filesystem::remove_all(path_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  std::string File() const { return path_ + "/x.records"; }

 private:
  std::string path_;
};

// One batch an iteration.
void AppendRecords(benchmark::State& state) {
  const Scratch scratch;
  PosixDisk disk;
  const auto file = RecordFile::Create(disk, scratch.File());
  const std::string record(kRecordBytes, 'r');
  for (auto _ : state) {
    for (int i = 0; i < kBatch; ++i) file->Append(record);
    if (!file->Flush().ok()) {
      state.SkipWithError("not written");
      break;
    }
  }
  state.SetItemsProcessed(state.iterations() * kBatch);
}
BENCHMARK(AppendRecords);

// All records of a file an iteration.
void ReadRecords(benchmark::State& state) {
  const Scratch scratch;
  PosixDisk disk;
  const auto file = RecordFile::Create(disk, scratch.File());
  const std::string record(kRecordBytes, 'r');
  for (int i = 0; i < state.range(0); ++i) file->Append(record);
  if (!file->Flush().ok()) std::abort();
  for (auto _ : state) {
    int64_t records = 0;
    const auto read = file->Read([&](absl::string_view, uint64_t) {
      ++records;
      return true;
    });
    if (!read.ok() || records != state.range(0)) {
      state.SkipWithError("not read");
      break;
    }
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(ReadRecords)->Arg(10000);

}  // namespace
}  // namespace schleuse
