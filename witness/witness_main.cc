#include "witness/witness_main.h"

#include <sys/stat.h>

#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/status.h"
#include "base/stop_signals.h"
#include "crypto/tls_profile.h"
#include "disk/posix_disk.h"
#include "witness/arguments.h"
#include "witness/carried.h"
#include "witness/config.h"
#include "witness/server.h"
#include "witness/witness.h"
#include "witness/witness_key.h"

namespace schleuse {
namespace {

constexpr char kVersion[] = "0.2.0";

// As --help says.
enum ExitCode {
  kExitOk = 0,
  kExitFailed = 1,
  kExitUsage = 2,
  kExitConfiguration = 3,
  kExitRefused = 4,
  kExitNotCosigned = 5,
};

int Complain(const absl::Status& status, ExitCode code) {
  std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  return code;
}

// A witness that no other process is.
struct Opened {
  std::unique_ptr<ProcessLock> lock;
  std::unique_ptr<Witness> witness;
  std::string verifier_key;
};

absl::StatusOr<Opened> Open(Disk& disk, const WitnessConfig& config,
                            const Clock& clock) {
  ASSIGN_OR_RETURN(WitnessKey key, OpenWitnessKey(disk, config.places));
  std::string verifier_key = key.verifier().ToString();
  auto lock =
      ProcessLock::Take(JoinPath(config.places.state_directory, "lock"));
  RETURN_IF_ERROR(
      Annotate(lock.status(), "another schleuse-witness works on this state"));
  ASSIGN_OR_RETURN(std::unique_ptr<Witness> witness,
                   Witness::Open(disk, config.places.state_directory,
                                 std::move(key), config.gateways, clock));
  return Opened{*std::move(lock), std::move(witness), std::move(verifier_key)};
}

// --- the commands ------------------------------------------------------------

int InitCommand(Disk& disk, const std::string& config_file) {
  const auto places = WitnessConfig::LoadPlaces(disk, config_file);
  if (!places.ok()) return Complain(places.status(), kExitConfiguration);
  const auto key = InitWitness(disk, *places);
  if (!key.ok()) return Complain(key.status(), kExitRefused);
  std::fprintf(stderr,
               "Give this verifier key to the gateways that are witnessed "
               "(custody.witness)\nand to everybody who checks receipts "
               "(schleuse-verify --witness):\n");
  std::printf("%s\n", key->verifier().ToString().c_str());
  return kExitOk;
}

int CheckCommand(const WitnessConfig& config, const std::string& config_file) {
  for (const std::string& warning : config.warnings) {
    std::printf("warning: %s\n", warning.c_str());
  }
  std::printf("%s: no mistakes found\n", config_file.c_str());
  return kExitOk;
}

int ServeCommand(Disk& disk, const WitnessConfig& config,
                 const std::string& port_file, const Clock& clock) {
  if (!config.https) {
    return Complain(absl::InvalidArgumentError(
                        "https: is missing, and serve needs it; without it "
                        "there is only cosign"),
                    kExitConfiguration);
  }
  std::signal(SIGPIPE, SIG_IGN);
  BlockStopSignals();
  for (const std::string& warning : config.warnings) {
    Log(Severity::kAlarm, "gateways are refused", {{"reason", warning}});
  }
  const auto refuse = [](const absl::Status& why) {
    Log(Severity::kAlarm, "witness refused to start",
        {{"reason", why.message()}});
    return kExitRefused;
  };
  const auto opened = Open(disk, config, clock);
  if (!opened.ok()) return refuse(opened.status());
  const auto server =
      WitnessServer::Start(*config.https, *opened->witness, clock);
  if (!server.ok()) return refuse(server.status());
  if (!port_file.empty()) {
    const absl::Status written = WriteFileAtomically(
        disk, port_file, absl::StrCat((*server)->port(), "\n"));
    if (!written.ok()) return refuse(written);
  }
  Log(Severity::kInfo, "witness ready",
      {{"version", kVersion},
       {"verifier_key", opened->verifier_key},
       {"address", config.https->listen.ip.ToString()},
       {"port", (*server)->port()}});
  WaitForStop();
  Log(Severity::kInfo, "witness stopping");
  return kExitOk;
}

int CosignCommand(Disk& disk, const WitnessConfig& config,
                  const WitnessArguments& arguments, const Clock& clock) {
  const auto opened = Open(disk, config, clock);
  if (!opened.ok()) return Complain(opened.status(), kExitRefused);
  const auto request = ReadCarried(disk, AbsolutePath(arguments.log_directory),
                                   *opened->witness);
  if (!request.ok()) return Complain(request.status(), kExitNotCosigned);
  const WitnessVerdict verdict = opened->witness->Add(ToText(*request));
  if (verdict.kind != WitnessVerdict::Kind::kCosigned) {
    return Complain(absl::FailedPreconditionError(
                        absl::StrCat("not cosigned: ", verdict.reason)),
                    kExitNotCosigned);
  }
  const std::string cosigned = request->checkpoint + verdict.lines;
  if (arguments.out_file.empty()) {
    std::fputs(cosigned.c_str(), stdout);
    return kExitOk;
  }
  const absl::Status written =
      WriteFileAtomically(disk, AbsolutePath(arguments.out_file), cosigned);
  return written.ok() ? kExitOk : Complain(written, kExitFailed);
}

int ShowCommand(Disk& disk, const WitnessConfig& config, const Clock& clock) {
  const auto key = OpenWitnessKey(disk, config.places);
  if (!key.ok()) return Complain(key.status(), kExitRefused);
  // Reading needs no lock: each file is replaced in one step.
  const auto witness = Witness::Open(disk, config.places.state_directory, *key,
                                     config.gateways, clock);
  if (!witness.ok()) return Complain(witness.status(), kExitRefused);
  std::printf("%s\n", key->verifier().ToString().c_str());
  for (const auto& [origin, latest] : (*witness)->latest()) {
    const auto opened = OpenNote(latest.note, {key->verifier()});
    const absl::Time when =
        opened.ok() ? absl::FromUnixSeconds(
                          static_cast<int64_t>(opened->signatures.front().time))
                    : absl::InfinitePast();
    std::printf(
        "%s: %llu entries, cosigned at %s\n", origin.c_str(),
        static_cast<unsigned long long>(latest.checkpoint.size),
        absl::FormatTime("%Y-%m-%d %H:%M:%SZ", when, absl::UTCTimeZone())
            .c_str());
  }
  return kExitOk;
}

}  // namespace

int WitnessMain(int argc, char** argv) {
  const auto arguments =
      ParseWitnessArguments(std::vector<std::string>(argv + 1, argv + argc));
  if (!arguments.ok()) {
    std::fprintf(stderr, "schleuse-witness: %s\nTry schleuse-witness --help.\n",
                 std::string(arguments.status().message()).c_str());
    return kExitUsage;
  }
  using Command = WitnessArguments::Command;
  if (arguments->command == Command::kHelp) {
    std::fputs(kWitnessHelp, stdout);
    return kExitOk;
  }
  if (arguments->command == Command::kVersion) {
    std::printf("schleuse-witness %s\n", kVersion);
    return kExitOk;
  }
  if (const absl::Status profile = InstallTlsProfile(); !profile.ok()) {
    return Complain(profile, kExitRefused);
  }
  umask(077);
  PosixDisk disk;
  const SystemClock clock;
  const std::string config_file = AbsolutePath(arguments->config_file);
  if (arguments->command == Command::kInit) {
    return InitCommand(disk, config_file);
  }
  const auto config = WitnessConfig::Load(disk, config_file, clock.Now());
  if (!config.ok()) return Complain(config.status(), kExitConfiguration);
  switch (arguments->command) {
    case Command::kCheck:
      return CheckCommand(*config, config_file);
    case Command::kServe:
      return ServeCommand(disk, *config, AbsolutePath(arguments->port_file),
                          clock);
    case Command::kCosign:
      return CosignCommand(disk, *config, *arguments, clock);
    case Command::kShow:
      return ShowCommand(disk, *config, clock);
    default:
      return kExitUsage;
  }
}

}  // namespace schleuse
