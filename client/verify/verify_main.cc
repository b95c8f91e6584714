#include "client/verify/verify_main.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/status.h"
#include "client/verify/arguments.h"
#include "client/verify/audit.h"
#include "client/verify/bundle.h"
#include "client/verify/export.h"
#include "client/verify/residency.h"
#include "disk/posix_disk.h"

namespace schleuse::client {
namespace {

// As --help says.
enum ExitCode {
  kExitProven = 0,
  kExitNotProven = 1,
  kExitUsage = 2,
  kExitUnreadable = 3,
};

// Far more than any file of keys has.
constexpr uint64_t kKeyFileBytesMax = 64 << 10;
constexpr absl::Duration kProgressEvery = absl::Seconds(1);

int Complain(const absl::Status& status, ExitCode code) {
  std::fprintf(stderr, "schleuse-verify: %s\n",
               std::string(status.message()).c_str());
  if (code == kExitUsage) {
    std::fputs("Try schleuse-verify --help.\n", stderr);
  }
  return code;
}

// A line on a terminal while it takes long.
class ProgressLine {
 public:
  ~ProgressLine() {
    if (shown_) std::fputs("\r\x1b[K", stderr);
  }
  void Show(uint64_t done, uint64_t all) {
    const absl::Time now = clock_.Now();
    if (!terminal_ || all == 0 || now - last_ < kProgressEvery) return;
    last_ = now;
    shown_ = true;
    std::fprintf(stderr, "\r%3d %% ",
                 static_cast<int>(100.0 * static_cast<double>(done) /
                                  static_cast<double>(all)));
  }

 private:
  const SystemClock clock_{};
  const bool terminal_ = isatty(STDERR_FILENO) == 1;
  absl::Time last_ = clock_.Now();
  bool shown_ = false;
};

// A key itself, or the text of a file of keys.
absl::StatusOr<std::string> KeyText(const Disk& disk, const std::string& word) {
  if (NoteVerifier::Parse(word).ok()) return word;
  return ReadFile(disk, AbsolutePath(word), kKeyFileBytesMax);
}

absl::StatusOr<PinnedKeys> ReadKeys(const Disk& disk,
                                    const std::vector<std::string>& words) {
  std::string all;
  for (const std::string& word : words) {
    ASSIGN_OR_RETURN(const std::string text, KeyText(disk, word));
    absl::StrAppend(&all, text, "\n");
  }
  return PinnedKeys::Parse(all);
}

absl::StatusOr<WitnessPolicy> PolicyOf(const VerifyArguments& arguments) {
  WitnessPolicy policy = {.witnesses = {},
                          .required = arguments.witnesses_required};
  for (const std::string& word : arguments.witnesses) {
    ASSIGN_OR_RETURN(NoteVerifier witness, NoteVerifier::Parse(word));
    if (witness.type() != NoteKeyType::kCosignature) {
      return absl::InvalidArgumentError(
          absl::StrCat(word, " is no key of a witness"));
    }
    policy.witnesses.push_back(std::move(witness));
  }
  return policy;
}

absl::StatusOr<KeptCheckpoint> ReadKept(const Disk& disk,
                                        const std::string& path) {
  ASSIGN_OR_RETURN(const std::string bytes,
                   ReadFile(disk, AbsolutePath(path), kReceiptBytesMax));
  return KeptFrom(path, bytes);
}

absl::StatusOr<Report> Verify(PosixDisk& disk, const VerifyArguments& arguments,
                              const PinnedKeys& pinned,
                              const WitnessPolicy& policy,
                              const std::string& path) {
  using Command = VerifyArguments::Command;
  ProgressLine line;
  const auto progress = [&line](uint64_t done, uint64_t all) {
    line.Show(done, all);
  };
  switch (arguments.command) {
    case Command::kBundle:
      return VerifyBundle(disk, path, pinned, policy, progress);
    case Command::kLog: {
      std::vector<KeptCheckpoint> kept;
      for (const std::string& file : arguments.kept) {
        ASSIGN_OR_RETURN(KeptCheckpoint one, ReadKept(disk, file));
        kept.push_back(std::move(one));
      }
      return AuditLog(disk, path, pinned, kept, progress);
    }
    case Command::kConsistency: {
      ASSIGN_OR_RETURN(const KeptCheckpoint old,
                       ReadKept(disk, arguments.paths[0]));
      return CheckConsistency(disk, old, path, pinned);
    }
    case Command::kExport:
      return ExportStatements(disk, path, AbsolutePath(arguments.out), pinned,
                              arguments.from, arguments.to, progress);
    case Command::kStatements:
      return VerifyExport(disk, path, pinned, progress);
    case Command::kResidency:
      return CheckResidency(disk, path, pinned,
                            {.allow = arguments.allow,
                             .from = arguments.from,
                             .to = arguments.to},
                            progress);
    case Command::kHelp:
      break;
  }
  return absl::InternalError("no such command");
}

// What only a person can know.
void TellOfKeys(const VerifyArguments& arguments, Report& report) {
  if (arguments.keys.empty()) {
    report.ProvesNot(
        "that these are the gateway's own keys: they were read from the log's "
        "own directory; compare them with what its operator publishes");
  } else {
    report.ProvesNot(
        "that the keys given are the gateway's: whoever relies on it must have "
        "them from its operator");
  }
}

int Run(PosixDisk& disk, const VerifyArguments& arguments) {
  std::vector<std::string> paths = arguments.paths;
  if (arguments.command == VerifyArguments::Command::kConsistency) {
    paths.erase(paths.begin());
  }
  std::vector<std::string> keys = arguments.keys;
  if (keys.empty())
    keys.push_back(JoinPath(AbsolutePath(paths[0]), "keys.pub"));
  const auto pinned = ReadKeys(disk, keys);
  if (!pinned.ok()) return Complain(pinned.status(), kExitUsage);
  const auto policy = PolicyOf(arguments);
  if (!policy.ok()) return Complain(policy.status(), kExitUsage);
  int code = kExitProven;
  for (const std::string& path : paths) {
    absl::StatusOr<Report> report =
        Verify(disk, arguments, *pinned, *policy, AbsolutePath(path));
    if (!report.ok()) {
      code = std::max(code, Complain(report.status(), kExitUnreadable));
      continue;
    }
    report->subject = path;
    TellOfKeys(arguments, *report);
    const std::string text = arguments.json ? ToJson(*report) : ToText(*report);
    std::fputs(text.c_str(), stdout);
    if (!report->holds()) code = std::max<int>(code, kExitNotProven);
  }
  // A report that was not written is none.
  if (std::fflush(stdout) != 0) {
    return Complain(absl::DataLossError("standard output cannot be written"),
                    kExitUnreadable);
  }
  return code;
}

}  // namespace

int VerifyMain(int argc, char** argv) {
  const absl::StatusOr<VerifyArguments> arguments =
      ParseVerifyArguments(std::vector<std::string>(argv + 1, argv + argc));
  if (!arguments.ok()) return Complain(arguments.status(), kExitUsage);
  if (arguments->command == VerifyArguments::Command::kHelp) {
    std::fputs(kVerifyHelp, stdout);
    return kExitProven;
  }
  PosixDisk disk;
  return Run(disk, *arguments);
}

}  // namespace schleuse::client
