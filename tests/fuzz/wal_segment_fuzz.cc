// Segments of the write-ahead log, and the same bytes as records, each behind a
// zero byte: what is read is what was written, a power cut costs the last
// record at most, and damage before that is never taken for one.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "disk/fake_disk.h"
#include "gateway/custody/wal_segment.h"
#include "tests/fuzz/fuzz.h"

namespace schleuse {
namespace {

constexpr char kPath[] = "/segment";
constexpr uint64_t kHeaderBytes = 8;

struct Records {
  absl::StatusOr<WalSegment::Tail> tail;
  std::vector<std::string> payloads = {};
};

Records ReadRecords(absl::string_view bytes) {
  FakeDisk disk;
  FUZZ_CHECK((*disk.Create(kPath))->Write(0, bytes).ok());
  Records records;
  records.tail =
      WalSegment::Read(disk, kPath, [&records](absl::string_view payload) {
        records.payloads.emplace_back(payload);
        return absl::OkStatus();
      });
  return records;
}

// The file, and where each of its records ends.
std::string Written(const std::vector<std::string>& payloads,
                    std::vector<uint64_t>* ends) {
  FakeDisk disk;
  const absl::StatusOr<std::unique_ptr<WalSegment>> segment =
      WalSegment::Create(disk, kPath);
  FUZZ_CHECK(segment.ok());
  for (const std::string& payload : payloads) {
    FUZZ_CHECK((*segment)->Append(payload).ok());
    ends->push_back((*segment)->bytes());
  }
  FUZZ_CHECK((*segment)->Sync().ok());
  return *ReadFile(disk, kPath, 1 << 30);
}

void CheckAsFile(absl::string_view bytes) {
  const Records records = ReadRecords(bytes);
  if (!records.tail.ok()) {
    FUZZ_CHECK(absl::IsDataLoss(records.tail.status()) ||
               absl::IsFailedPrecondition(records.tail.status()));
    return;
  }
  FUZZ_CHECK(records.tail->begin + records.tail->bytes == bytes.size());
  if (records.tail->begin == 0) {
    FUZZ_CHECK(records.payloads.empty());
    return;
  }
  std::vector<uint64_t> ends = {kHeaderBytes};
  const std::string again = Written(records.payloads, &ends);
  FUZZ_CHECK(absl::StartsWith(bytes, again));
  FUZZ_CHECK(records.tail->begin == ends.back());
}

void CheckAsRecords(absl::string_view input, Random& random) {
  // None holds a zero byte, as no batch does where it could look like a record
  // of its own.
  const std::vector<std::string> payloads = absl::StrSplit(input, '\0');
  std::vector<uint64_t> ends = {kHeaderBytes};
  const std::string bytes = Written(payloads, &ends);
  const Records whole = ReadRecords(bytes);
  FUZZ_CHECK(whole.tail.ok());
  FUZZ_CHECK(whole.tail->bytes == 0);
  FUZZ_CHECK(whole.payloads == payloads);

  const uint64_t at = Below(random, bytes.size());
  // How many records, and bytes, lie whole before it.
  const auto next = std::upper_bound(ends.begin(), ends.end(), at);
  const auto intact = static_cast<ptrdiff_t>(
      next == ends.begin() ? 0 : next - ends.begin() - 1);
  const uint64_t intact_bytes = next == ends.begin() ? 0 : *(next - 1);
  const std::vector<std::string> first(payloads.begin(),
                                       payloads.begin() + intact);
  const Records cut = ReadRecords(absl::string_view(bytes).substr(0, at));
  FUZZ_CHECK(cut.tail.ok());
  FUZZ_CHECK(cut.payloads == first);
  FUZZ_CHECK(cut.tail->begin == intact_bytes);

  std::string changed = bytes;
  changed[at] = static_cast<char>(changed[at] ^ (1 + Below(random, 255)));
  const Records damaged = ReadRecords(changed);
  FUZZ_CHECK(damaged.payloads == first);
  // The last record may be torn; whatever comes before was durable.
  const bool last = next + 1 == ends.end();
  FUZZ_CHECK(last ? damaged.tail.ok() && damaged.tail->begin == intact_bytes
                  : absl::IsDataLoss(damaged.tail.status()) ||
                        (at < kHeaderBytes &&
                         absl::IsFailedPrecondition(damaged.tail.status())));
}

}  // namespace

void Fuzz(absl::string_view input) {
  CheckAsFile(input);
  SeededRandom random = RandomOf(input);
  CheckAsRecords(input, random);
}

}  // namespace schleuse
