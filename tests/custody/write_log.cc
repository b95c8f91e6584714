// Writes a custody log of any length, over one or more years, as the gateway
// does: the real log on a real disk, with a clock of its own.
//
//   write_log DIRECTORY ENTRIES YEARS
//
// leaves DIRECTORY/custody and DIRECTORY/keys; so many entries for each year,
// the last of which is this program's 2026.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "base/fake_executor.h"
#include "base/random.h"
#include "base/status.h"
#include "crypto/digest.h"
#include "disk/posix_disk.h"
#include "gateway/custody/custody_log.h"
#include "gateway/custody/keys.h"

namespace schleuse {
namespace {

constexpr char kGateway[] = "police.example/gw-1";
constexpr int kLastYear = 2026;

void MoveTo(FakeExecutor& executor, int year) {
  const absl::Time begin =
      absl::FromCivil(absl::CivilDay(year, 1, 2), absl::UTCTimeZone());
  executor.Advance(begin - executor.Now());
  executor.RunReady();
}

// As a day brings them: a recording is opened, and a little later stored.
statement::Event EventOf(int number, int year, Random& random) {
  const RecordingName name =
      *RecordingName::Parse(absl::StrCat("bwc-", number / 2 % 1350),
                            absl::StrCat(year, "-", number / 2, ".mp4"));
  const TransferId transfer_id = TransferId::Make(random);
  const std::string device = "spiffe://police.example/dock/stuttgart-1/d07";
  if (number % 2 == 0) {
    return statement::Opened{
        .name = name, .transfer_id = transfer_id, .device = device};
  }
  // What a device says of it, as protobuf writes it: wearer, legal basis,
  // codec.
  const std::string metadata =
      absl::StrCat("\x12\x08", "4711-123", "\x32\x08", "polg-44a", "\x4a\x1c",
                   "video/mp4; codecs=avc1.64001");
  return statement::Stored{
      .name = name,
      .transfer_id = transfer_id,
      .device = device,
      .size = 1'800'000'000,
      .sha256 = Sha256::Of(name.ToString()),
      .location = absl::StrCat(name.ToString(), "/recording.mp4"),
      .read_back = false,
      .metadata = metadata};
}

absl::Status WriteLog(const std::string& directory, int entries, int years) {
  PosixDisk disk;
  const std::string custody = JoinPath(directory, "custody");
  const std::string keys_directory = JoinPath(directory, "keys");
  RETURN_IF_ERROR(MakeDirectories(disk, custody));
  RETURN_IF_ERROR(MakeDirectories(disk, keys_directory));
  RETURN_IF_ERROR(
      InitCustody(disk, custody, keys_directory, kGateway, 1 << 20));
  ASSIGN_OR_RETURN(const CustodyKeys keys,
                   CustodyKeys::Load(disk, keys_directory, kGateway));
  FakeExecutor executor;
  SystemRandom random;
  MoveTo(executor, kLastYear - years + 1);
  CustodyOptions options;
  options.clock_synchronised = [] { return true; };
  options.on_fatal = [](const absl::Status& why) {
    std::fprintf(stderr, "%s\n", why.ToString().c_str());
    std::abort();
  };
  ASSIGN_OR_RETURN(const std::unique_ptr<CustodyLog> log,
                   CustodyLog::Open(disk, custody, keys, executor, executor,
                                    random, std::move(options)));
  absl::Status told;
  for (int year = kLastYear - years + 1; year <= kLastYear; ++year) {
    MoveTo(executor, year);
    for (int i = 0; i < entries; ++i) {
      log->Append(EventOf(i, year, random), CustodyLog::Importance::kOrdinary,
                  [&told](const absl::StatusOr<Logged>& logged) {
                    told.Update(logged.status());
                  });
      if (i % 512 == 511) {
        executor.Advance(absl::Milliseconds(1));
        executor.RunReady();
      }
    }
    executor.RunReady();
    executor.Advance(absl::Seconds(2));  // it is published by then
    executor.RunReady();
  }
  return told;
}

}  // namespace
}  // namespace schleuse

int main(int argc, char** argv) {
  int entries = 0, years = 0;
  if (argc != 4 || !absl::SimpleAtoi(argv[2], &entries) ||
      !absl::SimpleAtoi(argv[3], &years) || entries < 0 || years < 1) {
    std::fputs("Usage: write_log DIRECTORY ENTRIES YEARS\n", stderr);
    return 2;
  }
  const absl::Status written = schleuse::WriteLog(argv[1], entries, years);
  if (written.ok()) return 0;
  std::fprintf(stderr, "write_log: %s\n", written.ToString().c_str());
  return 1;
}
