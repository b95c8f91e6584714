// What an earlier process left of a transfer: no journal makes the spool claim
// bytes that it does not have. The input: two little-endian bytes that say how
// long the file of bytes is, then the journal's records, each behind a byte
// with its length.
#include <google/protobuf/stubs/logging.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/crc32c.h"
#include "base/log.h"
#include "base/random.h"
#include "disk/fake_disk.h"
#include "disk/record_file.h"
#include "gateway/spool/spool.h"
#include "tests/fuzz/fuzz.h"

namespace schleuse {
namespace {

constexpr char kDirectory[] = "/spool";
constexpr char kId[] = "0123456789abcdef0123456789abcdef";

size_t TakeByte(absl::string_view& bytes) {
  const auto byte = static_cast<uint8_t>(bytes.front());
  bytes.remove_prefix(1);
  return byte;
}

// Makes both files; returns what lies in that of the bytes.
std::string Lay(Disk& disk, absl::string_view input) {
  const size_t low = TakeByte(input);
  std::string bytes(low | TakeByte(input) << 8, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<char>(i * i >> 3);
  }
  const std::string path = JoinPath(kDirectory, kId);
  FUZZ_CHECK(disk.MakeDirectory(kDirectory).ok());
  FUZZ_CHECK((*disk.Create(path + ".bytes"))->Write(0, bytes).ok());
  const std::unique_ptr<RecordFile> records =
      RecordFile::Create(disk, path + ".records");
  while (!input.empty()) {
    const size_t length = TakeByte(input);
    const absl::string_view payload = input.substr(0, length);
    records->Append(payload);
    input.remove_prefix(payload.size());
  }
  FUZZ_CHECK(records->Flush().ok());
  return bytes;
}

// Everything that it says it has is there and is what the journal says it is,
// or it says what is not.
void CheckClaims(Partial& partial, absl::string_view bytes) {
  FUZZ_CHECK(partial.received() <= bytes.size());
  FUZZ_CHECK(!partial.finished() ||
             partial.finished()->size == partial.received());
  FUZZ_CHECK(partial.HashSome(bytes.size()).ok());
  FUZZ_CHECK(partial.Hash() == Sha256::Of(bytes.substr(0, partial.received())));

  const auto damage = partial.FirstDamage(0, partial.received());
  FUZZ_CHECK(damage.ok());
  partial.BeginCheck();
  const auto check = partial.CheckSome(bytes.size() + 1);
  FUZZ_CHECK(check.ok() && *check);
  FUZZ_CHECK((*check)->first_damage == damage->value_or(partial.received()));
  if (*damage) {
    FUZZ_CHECK(partial.CutTo(**damage).ok());
    FUZZ_CHECK(partial.received() == **damage);
    FUZZ_CHECK(!*partial.FirstDamage(0, partial.received()));
  }
}

void AppendAndSync(Partial& partial, absl::string_view bytes) {
  FUZZ_CHECK(partial.Append(absl::Cord(bytes), Crc32c(bytes)).ok());
  const absl::StatusOr<uint64_t> offset = partial.BeginSync();
  FUZZ_CHECK(offset.ok());
  FUZZ_CHECK(partial.Sync().ok());
  partial.EndSync(*offset);
}

}  // namespace

void Fuzz(absl::string_view input) {
  if (input.size() < 2) return;
  SetLogThreshold(std::nullopt);
  google::protobuf::SetLogHandler(nullptr);  // it speaks of every bad string
  FakeDisk disk;
  const std::string bytes = Lay(disk, input);
  SeededRandom random = RandomOf(input);
  Spool spool(disk, kDirectory, random);
  const absl::StatusOr<std::vector<Unstored>> unstored = spool.Recover();
  FUZZ_CHECK(unstored.ok());

  const TransferId id = *TransferId::Parse(kId);
  auto partial = spool.Resume(id);
  if (!partial.ok()) {
    FUZZ_CHECK(absl::IsDataLoss(partial.status()) ||
               absl::IsNotFound(partial.status()));
    return;
  }
  const RecordingName name = (*partial)->begun().name;
  FUZZ_CHECK(!spool.Lookup(name) || *spool.Lookup(name) == id);
  CheckClaims(**partial, bytes);
  // It goes on from there, and a later process finds all of it.
  const std::string more = "one more";
  const uint64_t received = (*partial)->received();
  AppendAndSync(**partial, more);
  partial->reset();
  partial = spool.Resume(id);
  FUZZ_CHECK(partial.ok());
  FUZZ_CHECK((*partial)->begun().name == name);
  CheckClaims(**partial, absl::StrCat(bytes.substr(0, received), more));
  FUZZ_CHECK((*partial)->received() == received + more.size());
}

}  // namespace schleuse
