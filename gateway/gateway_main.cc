#include "gateway/gateway_main.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/status.h"
#include "base/stop_signals.h"
#include "base/thread_pool.h"
#include "crypto/tls_profile.h"
#include "disk/posix_disk.h"
#include "gateway/access/identify.h"
#include "gateway/access/roster_source.h"
#include "gateway/arguments.h"
#include "gateway/config.h"
#include "gateway/custody/custody_log.h"
#include "gateway/custody/keys.h"
#include "gateway/custody_room.h"
#include "gateway/egress/peer_book.h"
#include "gateway/markers.h"
#include "gateway/outside.h"
#include "gateway/retention/rules.h"
#include "gateway/rpc/server.h"
#include "gateway/spool/spool.h"
#include "gateway/store_room.h"
#include "gateway/transfer/intake.h"
#include "gateway/trust.h"
#include "gateway/upkeep.h"

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
  kExitUnfinished = 5,
};

// --- the process -------------------------------------------------------------

// Three descriptors a recording and one a connection: the usual 1024 would be
// the first bound that we meet.
void RaiseDescriptorLimit(int streams_max) {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  const uint64_t wanted = 4 * static_cast<uint64_t>(streams_max) +
                          3 * uint64_t{limits::kIdleRecordingsMax} + 256;
  if (limit.rlim_max >= wanted) return;
  Log(Severity::kWarning, "the limit of open files is low",
      {{"limit", uint64_t{limit.rlim_max}},
       {"wanted", wanted},
       {"what_to_do", "raise LimitNOFILE, or lower limits.streams"}});
}

void ExitAtNextStop() {
  std::thread([] {
    WaitForStop();
    Log(Severity::kWarning, "gateway ended by a second signal");
    _exit(kExitFailed);
  }).detach();
}

// How long a stopping gateway lets answers reach slow devices.
constexpr absl::Duration kAnswerGrace = absl::Seconds(5);

// --- what serve is made of ---------------------------------------------------

struct Settings {
  Config config;
  Trust trust;
  std::optional<RetentionRules> retention = {};
};

absl::StatusOr<Settings> LoadSettings(const Disk& disk,
                                      const std::string& config_file,
                                      const Clock& clock) {
  ASSIGN_OR_RETURN(Config config, Config::Load(disk, config_file));
  ASSIGN_OR_RETURN(Trust trust, Trust::Load(disk, config, clock.Now()));
  ASSIGN_OR_RETURN(std::optional<RetentionRules> retention,
                   LoadRetention(disk, config));
  return Settings{std::move(config), std::move(trust), std::move(retention)};
}

IntakeOptions IntakeOptionsOf(const Config& config) {
  IntakeOptions options;
  options.credit_bytes_total = config.credit_bytes_total;
  options.streams_max = config.streams_max;
  options.streams_per_device_max = config.streams_per_device_max;
  options.spool_reserve_bytes = config.spool_reserve_bytes;
  return options;
}

// Devices that keep the rules have no more on the way than their credit, and of
// a large one most lies on the disk already. 2 MiB a stream: a message that is
// read while its credit shrinks, and what gRPC keeps of the next. The rest is
// for connections.
uint64_t MemoryOf(const Config& config) {
  const auto streams = static_cast<uint64_t>(config.streams_max);
  return std::max(config.credit_bytes_total,
                  streams * limits::kCreditBytesMin) +
         streams * (2 << 20) + (256 << 20);
}

ServerOptions ServerOptionsOf(const Settings& settings) {
  return {.listen = settings.config.listen.ToString(),
          .certificate_chain_pem = settings.trust.certificate_chain_pem,
          .private_key_pem = settings.trust.private_key_pem,
          .root_certificates_pem = settings.trust.root_certificates_pem,
          .memory_bytes_max = MemoryOf(settings.config)};
}

// Devices can connect once the port file is there.
absl::StatusOr<std::unique_ptr<Server>> StartServer(
    Disk& disk, const Settings& settings, const std::string& port_file,
    Intake& intake, std::shared_ptr<const Identifier> identifier,
    Executor& workers, const Clock& clock) {
  ASSIGN_OR_RETURN(std::unique_ptr<Server> server,
                   Server::Start(ServerOptionsOf(settings), intake,
                                 std::move(identifier), workers, clock));
  if (!port_file.empty()) {
    RETURN_IF_ERROR(WriteFileAtomically(disk, port_file,
                                        absl::StrCat(server->port(), "\n")));
  }
  return server;
}

int WorkersOf(const Config& config) {
  if (config.worker_threads > 0) return config.worker_threads;
  return 4 * std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

// Their tasks post to each other, so none goes before both have stopped.
struct Pools {
  explicit Pools(int worker_threads)
      : waiters(limits::kWaitingThreads), workers(worker_threads) {}
  ~Pools() {
    workers.Stop();
    waiters.Stop();
  }
  ThreadPool waiters;
  ThreadPool workers;
};

// False if it was not over by the deadline.
bool Drain(Intake& intake, absl::Time deadline) {
  std::promise<void> promise;
  const std::future<void> drained = promise.get_future();
  intake.Drain(
      [promise = std::move(promise)]() mutable { promise.set_value(); });
  return drained.wait_until(std::chrono::system_clock::time_point(
             absl::ToChronoTime(deadline))) == std::future_status::ready;
}

// Whether the kernel's clock follows another one (NTP, PTP).
bool ClockIsSynchronised() {
  timex state = {};
  const int result = adjtimex(&state);
  return result != -1 && result != TIME_ERROR &&
         (state.status & STA_UNSYNC) == 0;
}

// Whatever is on its way: nobody may be told anything any more.
void EndAtOnce(const absl::Status&) { _exit(kExitFailed); }

// Where it is kept whom footage was exchanged with, until the log has it.
std::optional<PeerBookOptions> PeersOf(const Config& config) {
  if (!config.custody) return std::nullopt;
  return PeerBookOptions{
      .path = JoinPath(config.custody->directory, "egress.peers"),
      .local_store = config.store.files.has_value()};
}

absl::StatusOr<std::unique_ptr<Outside>> OpenOutside(
    Disk& disk, const Settings& settings, const Clock& clock,
    std::optional<PeerBookOptions> peers) {
  const Trust& trust = settings.trust;
  return Outside::Open(disk, settings.config.egress,
                       {.certificate_chain_pem = trust.certificate_chain_pem,
                        .private_key_pem = trust.private_key_pem,
                        .root_certificates_pem = trust.root_certificates_pem},
                       trust.revocation_lists, clock, std::move(peers));
}

// What others hold of the log; asked before it is opened.
absl::StatusOr<std::vector<KnownTree>> KnownOf(Outside& outside,
                                               const Config& config,
                                               const CustodyKeys& keys,
                                               Store& store, Random& random) {
  if (!config.witnesses.places.empty()) {
    outside.Witness(config.custody->directory, config.witnesses, keys, store,
                    random, EndAtOnce);
  }
  ASSIGN_OR_RETURN(std::vector<KnownTree> known,
                   KnownFromStore(store, keys.pinned()));
  for (KnownTree& tree : outside.Known()) known.push_back(std::move(tree));
  return known;
}

absl::StatusOr<std::unique_ptr<CustodyLog>> OpenCustody(
    Disk& disk, const CustodyPlace& place, const CustodyKeys& keys,
    Executor& waiters, const Clock& clock, Random& random,
    const std::vector<KnownTree>& known) {
  CustodyOptions options;
  options.reserve_bytes = place.reserve_bytes;
  options.keep_years = place.keep_years;
  options.clock_synchronised = ClockIsSynchronised;
  options.on_fatal = EndAtOnce;
  return CustodyLog::Open(disk, place.directory, keys, waiters, clock, random,
                          std::move(options), known);
}

// False if it was not over by the deadline.
bool CloseCustody(CustodyLog& custody, absl::Time deadline) {
  std::promise<void> promise;
  const std::future<void> published = promise.get_future();
  custody.Append(statement::GatewayStopped{}, CustodyLog::Importance::kOrdinary,
                 [&custody, promise = std::move(promise)](
                     const absl::StatusOr<Logged>&) mutable {
                   custody.Flush([promise = std::move(promise)]() mutable {
                     promise.set_value();
                   });
                 });
  return published.wait_until(std::chrono::system_clock::time_point(
             absl::ToChronoTime(deadline))) == std::future_status::ready;
}

int Refuse(const absl::Status& why) {
  Log(Severity::kAlarm, "gateway refused to start",
      {{"reason", why.message()}});
  return kExitRefused;
}

// Returns once a signal asked for it; an error means that it never began.
absl::Status Serve(Disk& disk, const Clock& clock, Random& random,
                   const Settings& settings, const std::string& port_file) {
  const Config& config = settings.config;
  ASSIGN_OR_RETURN(const std::string gateway_id,
                   CheckStorePlace(disk, config.spool_directory, config.store));
  auto lock = ProcessLock::Take(JoinPath(config.spool_directory, "lock"));
  RETURN_IF_ERROR(Annotate(lock.status(), "no second gateway on one spool"));
  std::optional<CustodyKeys> keys;
  if (config.custody) {
    ASSIGN_OR_RETURN(keys, OpenCustodyPlace(disk, *config.custody, gateway_id));
  } else {
    Log(Severity::kWarning, "no custody log is kept: no receipts are given");
  }
  const FixedRoster roster(settings.trust.roster);
  const auto identifier = std::make_shared<const Identifier>(
      settings.trust.roster, settings.trust.revocation_lists);
  Spool spool(disk, config.spool_directory, random, S3Store::TagOf(gateway_id));
  // Below what their tasks use, since it is the pools' end that ends the last
  // of them.
  Pools pools(WorkersOf(config));
  std::unique_ptr<CustodyLog> custody;
  // Ends before the log, in which it states what it refuses.
  ASSIGN_OR_RETURN(const std::unique_ptr<Outside> outside,
                   OpenOutside(disk, settings, clock, PeersOf(config)));
  ASSIGN_OR_RETURN(
      const OpenedStore opened,
      OpenStore(disk, config.spool_directory, config.store, gateway_id,
                outside->store_egress(), clock, random));
  Store& store = *opened.store;
  if (keys) {
    ASSIGN_OR_RETURN(const std::vector<KnownTree> known,
                     KnownOf(*outside, config, *keys, store, random));
    ASSIGN_OR_RETURN(custody, OpenCustody(disk, *config.custody, *keys,
                                          pools.waiters, clock, random, known));
    custody->Append(statement::GatewayStarted{kVersion},
                    CustodyLog::Importance::kOrdinary, nullptr);
    outside->Start(*custody);
  }
  IntakeOptions options = IntakeOptionsOf(config);
  options.custody = custody.get();
  Intake intake(spool, store, roster, pools.workers, pools.waiters, clock,
                random, options);
  RETURN_IF_ERROR(intake.Recover());
  if (opened.objects != nullptr) {
    opened.objects->Start(
        {.on_back = [&intake] { intake.StoreIsBack(); },
         .is_needed =
             [&intake](const RecordingName& name, const TransferId& id) {
               return intake.NeedsUnstated(name, id);
             }});
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<Upkeep> upkeep,
                   Upkeep::Start({.disk = disk,
                                  .clock = clock,
                                  .intake = intake,
                                  .spool = spool,
                                  .store = store,
                                  .log = custody.get(),
                                  .pinned = keys ? &keys->pinned() : nullptr,
                                  .clock_synchronised = ClockIsSynchronised},
                                 config, settings.retention));
  const auto listening = StartServer(disk, settings, port_file, intake,
                                     identifier, pools.workers, clock);
  // The workers bring leftovers into the store, which might take them hours.
  if (!listening.ok()) _exit(Refuse(listening.status()));
  const std::unique_ptr<Server>& server = *listening;
  Log(Severity::kInfo, "gateway ready",
      {{"version", kVersion},
       {"gateway_id", gateway_id},
       {"address", config.listen.ip.ToString()},
       {"port", server->port()}});

  WaitForStop();
  Log(Severity::kInfo, "gateway stopping", {{"streams", intake.streams()}});
  ExitAtNextStop();
  outside->Stop();
  upkeep->Stop();
  const absl::Time deadline = clock.Now() + config.drain;
  const bool drained = Drain(intake, deadline);
  // All answers are on their way; calls that never began have none to wait for.
  server->Shutdown(std::min(deadline, clock.Now() + kAnswerGrace));
  // Nothing goes anywhere any more.
  outside->store_egress().Stop();
  if (opened.objects != nullptr) opened.objects->Stop();
  outside->StateLastHops();
  // Its disk need not be what took so long.
  if (custody != nullptr &&
      !CloseCustody(*custody, std::max(deadline, clock.Now() + kAnswerGrace))) {
    Log(Severity::kWarning, "the custody log is not published to its end",
        {{"what_now", "nothing is lost; the next start publishes it"}});
  }
  if (!drained) {
    // The workers might need hours for what is left.
    Log(Severity::kWarning, "gateway stopped before all was stored",
        {{"what_now",
          "nothing acknowledged is lost; the next start goes on with it"}});
    _exit(kExitUnfinished);
  }
  return absl::OkStatus();
}

// --- the commands ------------------------------------------------------------

int Complain(const absl::Status& status, ExitCode code) {
  std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  return code;
}

absl::StatusOr<std::string> InitStore(Disk& disk, const Config& config,
                                      Random& random) {
  const SystemClock clock;
  std::unique_ptr<Outside> outside;
  if (config.store.objects) {
    // Whom the gateway believes is asked for only where it connects.
    ASSIGN_OR_RETURN(Trust trust, Trust::Load(disk, config, clock.Now()));
    ASSIGN_OR_RETURN(
        outside, OpenOutside(disk, Settings{config, std::move(trust)}, clock,
                             std::nullopt));
  }
  return InitStorePlace(disk, config.spool_directory, config.store,
                        outside != nullptr ? &outside->store_egress() : nullptr,
                        clock, random);
}

int InitCommand(const std::string& config_file) {
  PosixDisk disk;
  SystemRandom random;
  const auto config = Config::Load(disk, config_file);
  if (!config.ok()) return Complain(config.status(), kExitConfiguration);
  absl::StatusOr<std::string> gateway_id = InitStore(disk, *config, random);
  if (!gateway_id.ok() && config->custody &&
      !HasMarker(disk, config->custody->directory)) {
    // A gateway that had no log, or whose set-up was interrupted.
    const auto marked =
        CheckStorePlace(disk, config->spool_directory, config->store);
    if (marked.ok()) gateway_id = marked;
  }
  if (!gateway_id.ok()) return Complain(gateway_id.status(), kExitRefused);
  if (config->custody) {
    const absl::Status made =
        InitCustodyPlace(disk, *config->custody, *gateway_id);
    if (!made.ok()) return Complain(made, kExitRefused);
  }
  std::printf("gateway %s: spool %s, store %s\n", gateway_id->c_str(),
              config->spool_directory.c_str(),
              config->store.ToString().c_str());
  if (config->custody) {
    std::printf("custody log %s, its keys %s; give %s/keys.pub to verifiers\n",
                config->custody->directory.c_str(),
                config->custody->key_directory.c_str(),
                config->custody->directory.c_str());
  }
  return kExitOk;
}

absl::StatusOr<Origin> NewLog(Disk& disk, const Config& config,
                              const std::string& reason) {
  if (!config.custody) {
    return absl::FailedPreconditionError("there is no custody { } to begin in");
  }
  ASSIGN_OR_RETURN(const std::string gateway_id,
                   CheckStorePlace(disk, config.spool_directory, config.store));
  auto lock = ProcessLock::Take(JoinPath(config.spool_directory, "lock"));
  RETURN_IF_ERROR(Annotate(lock.status(), "stop the gateway first"));
  ASSIGN_OR_RETURN(const CustodyKeys keys,
                   OpenCustodyPlace(disk, *config.custody, gateway_id));
  const SystemClock clock;
  SystemRandom random;
  ASSIGN_OR_RETURN(Trust trust, Trust::Load(disk, config, clock.Now()));
  ASSIGN_OR_RETURN(const std::unique_ptr<Outside> outside,
                   OpenOutside(disk, Settings{config, std::move(trust)}, clock,
                               std::nullopt));
  ASSIGN_OR_RETURN(
      const OpenedStore opened,
      OpenStore(disk, config.spool_directory, config.store, gateway_id,
                outside->store_egress(), clock, random));
  ASSIGN_OR_RETURN(const std::vector<KnownTree> known,
                   KnownFromStore(*opened.store, keys.pinned()));
  ThreadPool waiters(1);
  CustodyOptions options;
  options.reserve_bytes = config.custody->reserve_bytes;
  options.keep_years = config.custody->keep_years;
  options.clock_synchronised = ClockIsSynchronised;
  options.on_fatal = EndAtOnce;
  return CustodyLog::BeginNewOrigin(disk, config.custody->directory, keys,
                                    waiters, clock, random, std::move(options),
                                    known, reason);
}

int NewLogCommand(const std::string& config_file, const std::string& reason) {
  PosixDisk disk;
  const auto config = Config::Load(disk, config_file);
  if (!config.ok()) return Complain(config.status(), kExitConfiguration);
  const auto origin = NewLog(disk, *config, reason);
  if (!origin.ok()) return Complain(origin.status(), kExitRefused);
  std::printf("the log %s begins; serve goes on with it\n",
              origin->ToString().c_str());
  return kExitOk;
}

int CheckCommand(const std::string& config_file) {
  const auto settings = LoadSettings(PosixDisk(), config_file, SystemClock());
  if (!settings.ok()) return Complain(settings.status(), kExitConfiguration);
  for (const std::string& warning : settings->trust.warnings) {
    std::printf("warning: %s\n", warning.c_str());
  }
  std::printf("%s: no mistakes found\n", config_file.c_str());
  return kExitOk;
}

int ServeCommand(const std::string& config_file, const std::string& port_file) {
  std::signal(SIGPIPE, SIG_IGN);
  BlockStopSignals();
  PosixDisk disk;
  const SystemClock clock;
  SystemRandom random;
  const auto settings = LoadSettings(disk, config_file, clock);
  if (!settings.ok()) return Complain(settings.status(), kExitConfiguration);
  RaiseDescriptorLimit(settings->config.streams_max);
  for (const std::string& warning : settings->trust.warnings) {
    Log(Severity::kAlarm, "devices are refused", {{"reason", warning}});
  }
  const absl::Status served = Serve(disk, clock, random, *settings, port_file);
  if (!served.ok()) return Refuse(served);
  Log(Severity::kInfo, "gateway stopped");
  return kExitOk;
}

}  // namespace

int GatewayMain(int argc, char** argv) {
  const auto arguments =
      ParseArguments(std::vector<std::string>(argv + 1, argv + argc));
  if (!arguments.ok()) {
    std::fprintf(stderr, "schleuse-gateway: %s\nTry schleuse-gateway --help.\n",
                 std::string(arguments.status().message()).c_str());
    return kExitUsage;
  }
  if (const absl::Status profile = InstallTlsProfile(); !profile.ok()) {
    return Complain(profile, kExitRefused);
  }
  umask(077);
  const std::string config_file = AbsolutePath(arguments->config_file);
  switch (arguments->command) {
    case Arguments::Command::kHelp:
      std::fputs(kHelp, stdout);
      return kExitOk;
    case Arguments::Command::kVersion:
      std::printf("schleuse-gateway %s\n", kVersion);
      return kExitOk;
    case Arguments::Command::kInit:
      return InitCommand(config_file);
    case Arguments::Command::kCheck:
      return CheckCommand(config_file);
    case Arguments::Command::kNewLog:
      return NewLogCommand(config_file, arguments->reason);
    case Arguments::Command::kServe:
      return ServeCommand(config_file, AbsolutePath(arguments->port_file));
  }
  return kExitUsage;
}

}  // namespace schleuse
