#include "gateway/arguments.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace schleuse {

const char kHelp[] =
    R"(Usage: schleuse-gateway init  --config FILE
       schleuse-gateway check --config FILE
       schleuse-gateway serve --config FILE [--port-file FILE]
       schleuse-gateway new-log --config FILE --reason TEXT

Takes body-worn footage in from docks and radios over mutual TLS and brings it
into the store inside the network.

Commands:
  init   marks the spool and the store as those of a new gateway; makes the two
         directories if they are missing, and with them the custody log and its
         keys. Once, before the first start. If it was interrupted, run it
         again. Of a gateway that has no custody log yet it makes that alone
  check  tells every mistake in the configuration, the roster, certificates,
         key and revocation lists; changes nothing
  serve  runs the gateway until SIGTERM or SIGINT: then it takes nothing new,
         brings what it received to the disk, and ends, at the latest after
         drain_seconds. A second signal ends it at once. Nothing that was
         acknowledged is ever lost
  new-log
         begins another custody log behind one that serve refuses to go on with:
         it was damaged, or set back by a backup. Its first statement names the
         last checkpoint of the log before and the reason, for good. Only once
         you know what happened, and have a copy of the custody directory

Options:
  --config FILE     the configuration, a text proto
  --port-file FILE  where to write the port once devices can connect, for
                    scripts and port 0
  --reason TEXT     why another log begins, for those who audit it
  --help, --version

The log is on standard error, one JSON object a line.

Exit codes:
  0  done, or stopped by a signal
  1  failed while running, or ended by a second signal
  2  wrong usage
  3  the configuration or a file that it names is wrong; every mistake is
     listed on standard error
  4  refused to start or to init: markers, another gateway on the same spool,
     store on another file system, unreadable spool, port in use
  5  stopped by a signal, but not all was done after drain_seconds. Nothing
     that was acknowledged is lost; devices send the rest again, and the next
     start brings into the store what was complete
)";

namespace {

struct Named {
  absl::string_view name;
  Arguments::Command command;
};
constexpr Named kCommands[] = {{"init", Arguments::Command::kInit},
                               {"check", Arguments::Command::kCheck},
                               {"serve", Arguments::Command::kServe},
                               {"new-log", Arguments::Command::kNewLog}};

template <typename... Parts>
absl::Status Bad(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

bool Contains(const std::vector<std::string>& words, absl::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// Where the value of an option goes; null: the command has none such.
std::string* PlaceOf(absl::string_view flag, Arguments& arguments) {
  if (flag == "--config") return &arguments.config_file;
  if (flag == "--port-file" &&
      arguments.command == Arguments::Command::kServe) {
    return &arguments.port_file;
  }
  if (flag == "--reason" && arguments.command == Arguments::Command::kNewLog) {
    return &arguments.reason;
  }
  return nullptr;
}

}  // namespace

absl::StatusOr<Arguments> ParseArguments(
    const std::vector<std::string>& words) {
  if (Contains(words, "--help")) return Arguments{Arguments::Command::kHelp};
  if (Contains(words, "--version")) {
    return Arguments{Arguments::Command::kVersion};
  }
  if (words.empty()) return Bad("a command is missing");
  const auto* const named =
      std::find_if(std::begin(kCommands), std::end(kCommands),
                   [&words](const Named& n) { return n.name == words[0]; });
  if (named == std::end(kCommands)) {
    return Bad("\"", words[0], "\" is no command");
  }
  Arguments arguments{named->command};
  for (size_t i = 1; i < words.size(); ++i) {
    const size_t equals = words[i].find('=');
    const std::string flag = words[i].substr(0, equals);
    std::string* const value = PlaceOf(flag, arguments);
    if (value == nullptr) {
      return Bad("\"", words[i], "\" means nothing to ", words[0]);
    }
    if (!value->empty()) return Bad(flag, " is given twice");
    if (equals != std::string::npos) {
      *value = words[i].substr(equals + 1);
    } else if (++i < words.size()) {
      *value = words[i];
    }
    if (value->empty()) {
      return Bad(flag, flag == "--reason" ? " needs words" : " needs a file");
    }
  }
  if (arguments.config_file.empty()) return Bad("--config is missing");
  if (arguments.command == Arguments::Command::kNewLog &&
      arguments.reason.empty()) {
    return Bad("--reason is missing");
  }
  return arguments;
}

}  // namespace schleuse
