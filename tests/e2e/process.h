// Child processes of a test, each ended by its own id and never by name.
#ifndef SCHLEUSE_TESTS_E2E_PROCESS_H_
#define SCHLEUSE_TESTS_E2E_PROCESS_H_

#include <sys/types.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace schleuse {

class Process {
 public:
  struct Result {
    bool exited = false;  // else ended by a signal
    int code = 0;         // exit code, or the signal's number
  };

  // Starts `words`, with `environment` added to ours and both outputs appended
  // to the file `output`.
  static std::unique_ptr<Process> Start(
      const std::vector<std::string>& words,
      const std::map<std::string, std::string>& environment,
      const std::string& output);
  // Kills it if it still runs.
  ~Process();

  pid_t id() const { return id_; }
  void Signal(int signal);
  // nullopt while it runs.
  std::optional<Result> Poll();
  // Waits for its end; nullopt if that does not come in time.
  std::optional<Result> Wait(absl::Duration at_most);

 private:
  explicit Process(pid_t id) : id_(id) {}
  const pid_t id_;
  std::optional<Result> result_;
};

// True once `done` is; false if that does not come in time. Looks every few
// milliseconds: for what only shows from outside a process.
template <typename Condition>
bool Eventually(absl::Duration at_most, Condition done) {
  const absl::Time deadline = absl::Now() + at_most;
  while (!done()) {
    if (absl::Now() > deadline) return false;
    absl::SleepFor(absl::Milliseconds(2));
  }
  return true;
}

}  // namespace schleuse

#endif  // SCHLEUSE_TESTS_E2E_PROCESS_H_
