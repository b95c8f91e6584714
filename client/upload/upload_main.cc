#include "client/upload/upload_main.h"

#include <grpc/support/log.h>
#include <malloc.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/status.h"
#include "base/thread_pool.h"
#include "client/link/connections.h"
#include "client/link/credentials.h"
#include "client/upload/arguments.h"
#include "client/upload/board.h"
#include "client/upload/display.h"
#include "client/upload/exit_code.h"
#include "client/upload/runner.h"
#include "client/upload/wake_up.h"
#include "crypto/tls_profile.h"
#include "disk/posix_disk.h"
#include "evidence/checkpoint.h"

namespace schleuse::client {
namespace {

// Short enough that progress comes at least every 100 ms.
constexpr absl::Duration kTick = absl::Milliseconds(50);

int Complain(const absl::Status& status) {
  DescriptorOutput(STDERR_FILENO)
      .Write(absl::StrCat("schleuse-upload: ", status.message(),
                          "\nTry schleuse-upload --help.\n"));
  return kExitUsage;
}

// What gRPC has to say stands in the status of our calls.
void QuietenGrpc() {
  if (std::getenv("GRPC_VERBOSITY") != nullptr) return;
  gpr_set_log_function([](gpr_log_func_args*) {});
}

// Chunks come and go by the hundred thousand: mapping each anew costs more than
// sending it.
void KeepLargeBlocks() {
  mallopt(M_MMAP_THRESHOLD, 64 << 20);
  mallopt(M_TRIM_THRESHOLD, 256 << 20);
}

BarDisplay::Size TerminalSize() {
  winsize size = {};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) {
    return {80, 24};
  }
  return {size.ws_col, size.ws_row};
}

std::unique_ptr<Display> MakeDisplay(bool json, Output& out, Output& errors) {
  if (json) return std::make_unique<JsonDisplay>(out);
  if (isatty(STDOUT_FILENO) == 1) {
    return std::make_unique<BarDisplay>(out, TerminalSize);
  }
  return std::make_unique<PlainDisplay>(out, errors);
}

std::vector<View> ViewsOf(const Arguments& arguments) {
  std::vector<View> views;
  for (const Arguments::Recording& recording : arguments.recordings) {
    View view;
    view.index = views.size();
    view.camera = recording.name.camera_id();
    view.recording = view.requested = recording.name.recording_id();
    view.file = recording.file;
    views.push_back(std::move(view));
  }
  return views;
}

// Until all is over; false if a second signal asks to wait no longer.
bool ShowUntilOver(WakeUp& wake_up, Runner& runner, Board& board,
                   Display& display, const Clock& clock) {
  bool stopping = false;
  for (bool over = false; !over;) {
    const WakeUp::Why why = wake_up.Wait(kTick);
    if (why == WakeUp::Why::kSignal) {
      if (stopping) return false;
      stopping = true;
      runner.Stop();
    }
    over = why == WakeUp::Why::kCalled;
    for (const Board::Event& event : board.TakeEvents()) {
      display.OnEvent(event, clock.Now());
    }
    display.OnTick(board.Look(clock.Now()), clock.Now());
  }
  return true;
}

// Far more than two keys take.
constexpr uint64_t kKeyFileBytesMax = 64 << 10;

absl::StatusOr<std::vector<PinnedKeys>> ReadCustodyKeys(
    const Disk& disk, const std::vector<std::string>& files) {
  std::vector<PinnedKeys> all;
  for (const std::string& file : files) {
    ASSIGN_OR_RETURN(const std::string text,
                     ReadFile(disk, AbsolutePath(file), kKeyFileBytesMax));
    absl::StatusOr<PinnedKeys> keys = PinnedKeys::Parse(text);
    if (!keys.ok()) return Annotate(keys.status(), file);
    all.push_back(*std::move(keys));
  }
  return all;
}

int Run(const Arguments& arguments, Disk& disk, Credentials& credentials,
        WakeUp& wake_up) {
  const SystemClock clock;
  SystemRandom random;
  DescriptorOutput out(STDOUT_FILENO), errors(STDERR_FILENO);
  const std::unique_ptr<Display> display =
      MakeDisplay(arguments.json, out, errors);
  Board board(ViewsOf(arguments));
  // Uploads read, hash and hand over; what waits for the disk leaves its core
  // to another, so one thread more than cores.
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  auto pool = std::make_unique<ThreadPool>(
      std::clamp(arguments.parallel, 2, std::max(cores, 1) + 1));
  auto connections = std::make_unique<Connections>(
      GatewayAddress{arguments.gateway, arguments.server_name},
      [&credentials] { return credentials.Current(); }, arguments.connections);
  Runner runner(arguments, disk, *connections, *pool, clock, random, board,
                [&wake_up] { wake_up.Call(); });
  runner.Start();
  const bool over = ShowUntilOver(wake_up, runner, board, *display, clock);
  const std::vector<View> views = board.All();
  const int exit_code = ExitCodeOf(views);
  display->OnEnd(views, exit_code, clock.Now());
  if (!over) _exit(exit_code);
  // Calls end before the threads that hear of it.
  connections = nullptr;
  pool = nullptr;
  return exit_code;
}

}  // namespace

int UploadMain(int argc, char** argv) {
  absl::StatusOr<Arguments> arguments =
      ParseArguments(std::vector<std::string>(argv + 1, argv + argc));
  if (!arguments.ok()) return Complain(arguments.status());
  if (arguments->help) {
    DescriptorOutput(STDOUT_FILENO).Write(kHelp);
    return kExitStored;
  }
  if (const absl::Status profile = InstallTlsProfile(); !profile.ok()) {
    return Complain(profile);
  }
  WakeUp wake_up;  // before gRPC starts its first thread
  QuietenGrpc();
  KeepLargeBlocks();
  PosixDisk disk;
  auto custody_keys = ReadCustodyKeys(disk, arguments->custody_key_files);
  if (!custody_keys.ok()) return Complain(custody_keys.status());
  arguments->upload.custody_keys = *std::move(custody_keys);
  const absl::StatusOr<std::unique_ptr<Credentials>> credentials =
      Credentials::Load(disk, {AbsolutePath(arguments->certificate_file),
                               AbsolutePath(arguments->key_file),
                               AbsolutePath(arguments->root_file)});
  if (!credentials.ok()) return Complain(credentials.status());
  return Run(*arguments, disk, **credentials, wake_up);
}

}  // namespace schleuse::client
