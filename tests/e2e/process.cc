#include "tests/e2e/process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "absl/strings/str_cat.h"

namespace schleuse {

std::unique_ptr<Process> Process::Start(
    const std::vector<std::string>& words,
    const std::map<std::string, std::string>& environment,
    const std::string& output) {
  // Everything is made before the fork: behind it only simple calls are safe.
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string text = *variable;
    if (!environment.contains(text.substr(0, text.find('=')))) {
      variables.push_back(text);
    }
  }
  for (const auto& [name, value] : environment) {
    variables.push_back(absl::StrCat(name, "=", value));
  }
  std::vector<char*> arguments, variable_pointers;
  for (const std::string& word : words) {
    arguments.push_back(const_cast<char*>(word.c_str()));
  }
  for (const std::string& variable : variables) {
    variable_pointers.push_back(const_cast<char*>(variable.c_str()));
  }
  arguments.push_back(nullptr);
  variable_pointers.push_back(nullptr);

  const pid_t parent = getpid();
  const pid_t id = fork();
  if (id < 0) std::abort();
  if (id == 0) {
    // A test that dies takes its processes with it.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(126);
    const int to =
        open(output.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    dup2(to, STDOUT_FILENO);
    dup2(to, STDERR_FILENO);
    execve(arguments[0], arguments.data(), variable_pointers.data());
    _exit(127);
  }
  return std::unique_ptr<Process>(new Process(id));
}

Process::~Process() {
  if (Poll()) return;
  kill(id_, SIGKILL);
  int status;
  waitpid(id_, &status, 0);
}

void Process::Signal(int signal) {
  if (!Poll()) kill(id_, signal);
}

std::optional<Process::Result> Process::Poll() {
  if (result_) return result_;
  int status = 0;
  if (waitpid(id_, &status, WNOHANG) != id_) return std::nullopt;
  const bool exited = WIFEXITED(status);
  result_ = Result{.exited = exited,
                   .code = exited ? WEXITSTATUS(status) : WTERMSIG(status)};
  return result_;
}

std::optional<Process::Result> Process::Wait(absl::Duration at_most) {
  Eventually(at_most, [this] { return Poll().has_value(); });
  return result_;
}

}  // namespace schleuse
