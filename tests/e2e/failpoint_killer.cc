#include "tests/e2e/failpoint_killer.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <string>

#include "absl/strings/numbers.h"
#include "base/failpoint.h"

namespace schleuse {
namespace {

// Set before the hook is installed, then only read.
std::string* kill_name;
std::string* kill_log;
bool hang;
std::atomic<int> passes_left;

void OnFailpoint(const char* name) {
  if (*kill_name != name || --passes_left != 0) return;
  while (hang) pause();
  const std::string line = std::string(name) + "\n";
  const int log = open(kill_log->c_str(), O_WRONLY | O_APPEND | O_CREAT, 0600);
  if (log < 0 || write(log, line.data(), line.size()) !=
                     static_cast<ssize_t>(line.size())) {
    std::abort();  // a kill without proof would not count
  }
  raise(SIGKILL);
}

}  // namespace

void InstallFailpointKiller() {
  const char* hang_at = std::getenv("SCHLEUSE_HANG_AT");
  const char* at = hang_at ? hang_at : std::getenv("SCHLEUSE_KILL_AT");
  const char* log = std::getenv("SCHLEUSE_KILL_LOG");
  if (at == nullptr || log == nullptr) return;
  hang = hang_at != nullptr;
  const std::string text = at;
  const size_t colon = text.rfind(':');
  int passes = 0;
  if (colon == std::string::npos ||
      !absl::SimpleAtoi(text.substr(colon + 1), &passes) || passes < 1) {
    std::abort();
  }
  kill_name = new std::string(text.substr(0, colon));
  kill_log = new std::string(log);
  passes_left = passes;
  failpoint_hook = OnFailpoint;
}

}  // namespace schleuse
