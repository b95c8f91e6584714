// The payload of a record in the write-ahead log: a batch that means the same
// once the log has begun anew with it, or damage.
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "disk/fake_disk.h"
#include "gateway/custody/wal.h"
#include "tests/fuzz/fuzz.h"

namespace schleuse {
namespace {

constexpr char kDirectory[] = "/wal";

absl::StatusOr<std::vector<Batch>> ReadAll(Disk& disk) {
  std::vector<Batch> batches;
  const absl::StatusOr<uint64_t> torn =
      Wal(disk, kDirectory).Read([&batches](Batch batch) {
        batches.push_back(std::move(batch));
        return absl::OkStatus();
      });
  if (!torn.ok()) return torn.status();
  FUZZ_CHECK(*torn == 0);
  return batches;
}

}  // namespace

void Fuzz(absl::string_view payload) {
  FakeDisk disk;
  FUZZ_CHECK(disk.MakeDirectory(kDirectory).ok());
  {
    auto segment =
        WalSegment::Create(disk, JoinPath(kDirectory, "000000000001.wal"));
    FUZZ_CHECK(segment.ok());
    FUZZ_CHECK((*segment)->Append(payload).ok());
    FUZZ_CHECK((*segment)->Sync().ok());
  }
  const absl::StatusOr<std::vector<Batch>> batches = ReadAll(disk);
  if (!batches.ok()) {
    FUZZ_CHECK(absl::IsDataLoss(batches.status()));
    return;
  }
  FUZZ_CHECK(batches->size() == 1);
  const Batch& batch = batches->front();
  FUZZ_CHECK(!batch.entries.empty());
  {
    Wal wal(disk, kDirectory);
    FUZZ_CHECK(wal.Read([](const Batch&) { return absl::OkStatus(); }).ok());
    FUZZ_CHECK(wal.BeginAnew(*batches).ok());
    FUZZ_CHECK(wal.Append(batch).ok());
    FUZZ_CHECK(wal.Sync().ok());
  }
  const absl::StatusOr<std::vector<Batch>> again = ReadAll(disk);
  FUZZ_CHECK(again.ok());
  FUZZ_CHECK(again->size() == 2);
  for (const Batch& other : *again) {
    FUZZ_CHECK(other.origin == batch.origin);
    FUZZ_CHECK(other.first_index == batch.first_index);
    FUZZ_CHECK(other.entries == batch.entries);
    FUZZ_CHECK(other.checkpoint == batch.checkpoint);
  }
}

}  // namespace schleuse
