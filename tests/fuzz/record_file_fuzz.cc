// Record files, and the same bytes as records, one a line: what is read is what
// was written, and of a file that was cut or damaged what stands before that.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/limits.h"
#include "disk/fake_disk.h"
#include "disk/record_file.h"
#include "tests/fuzz/fuzz.h"

namespace schleuse {
namespace {

constexpr char kPath[] = "/records";

struct Records {
  absl::Status status;
  std::vector<std::string> payloads = {};
  std::vector<uint64_t> ends = {};
};

Records ReadRecords(absl::string_view bytes) {
  FakeDisk disk;
  FUZZ_CHECK((*disk.Create(kPath))->Write(0, bytes).ok());
  Records records;
  records.status = RecordFile::Visit(
      disk, kPath, [&records](absl::string_view payload, uint64_t end) {
        records.payloads.emplace_back(payload);
        records.ends.push_back(end);
        return true;
      });
  return records;
}

std::string Written(const std::vector<std::string>& payloads) {
  FakeDisk disk;
  const std::unique_ptr<RecordFile> file = RecordFile::Create(disk, kPath);
  for (const std::string& payload : payloads) file->Append(payload);
  FUZZ_CHECK(file->Flush().ok());
  FUZZ_CHECK(file->Sync().ok());
  return *ReadFile(disk, kPath, 1 << 30);
}

// What is opened goes on where the intact records end.
void CheckGoingOn(absl::string_view bytes, const Records& records) {
  FakeDisk disk;
  FUZZ_CHECK((*disk.Create(kPath))->Write(0, bytes).ok());
  size_t visited = 0;
  const auto file =
      RecordFile::Open(disk, kPath, [&visited](absl::string_view, uint64_t) {
        ++visited;
        return true;
      });
  FUZZ_CHECK(file.ok());
  FUZZ_CHECK(visited == records.payloads.size());
  const uint64_t end =
      records.ends.empty() ? RecordFile::kHeaderBytes : records.ends.back();
  FUZZ_CHECK((*file)->end() == end);
  FUZZ_CHECK((*file)->has_tail() == (end < bytes.size()));
  (*file)->Append("one more");
  FUZZ_CHECK((*file)->Flush().ok());

  const Records longer = ReadRecords(*ReadFile(disk, kPath, 1 << 30));
  std::vector<std::string> expected = records.payloads;
  expected.emplace_back("one more");
  FUZZ_CHECK(longer.status.ok());
  FUZZ_CHECK(longer.payloads == expected);
}

void CheckAsFile(absl::string_view bytes) {
  const Records records = ReadRecords(bytes);
  if (!records.status.ok()) {
    FUZZ_CHECK(absl::IsDataLoss(records.status) ||
               absl::IsFailedPrecondition(records.status));
    FUZZ_CHECK(records.payloads.empty());
    return;
  }
  if (!records.payloads.empty()) {
    FUZZ_CHECK(absl::StartsWith(bytes, Written(records.payloads)));
  }
  CheckGoingOn(bytes, records);
}

void CheckAsRecords(absl::string_view lines, Random& random) {
  std::vector<std::string> payloads = absl::StrSplit(lines, '\n');
  for (std::string& payload : payloads) {
    payload.resize(std::min<size_t>(payload.size(), limits::kRecordBytesMax));
  }
  const std::string bytes = Written(payloads);
  const Records whole = ReadRecords(bytes);
  FUZZ_CHECK(whole.status.ok());
  FUZZ_CHECK(whole.payloads == payloads);
  FUZZ_CHECK(whole.ends.back() == bytes.size());

  const uint64_t at = Below(random, bytes.size());
  std::string damaged = bytes;
  damaged[at] = static_cast<char>(damaged[at] ^ (1 + Below(random, 255)));
  const auto intact = static_cast<size_t>(
      std::upper_bound(whole.ends.begin(), whole.ends.end(), at) -
      whole.ends.begin());
  payloads.resize(intact);
  FUZZ_CHECK(ReadRecords(bytes.substr(0, at)).payloads == payloads);
  FUZZ_CHECK(
      ReadRecords(damaged).payloads ==
      (at < RecordFile::kHeaderBytes ? std::vector<std::string>() : payloads));
}

}  // namespace

void Fuzz(absl::string_view input) {
  CheckAsFile(input);
  SeededRandom random = RandomOf(input);
  CheckAsRecords(input, random);
}

}  // namespace schleuse
