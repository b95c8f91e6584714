#include "witness/arguments.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace schleuse {

const char kWitnessHelp[] =
    R"(Usage: schleuse-witness init   --config FILE
       schleuse-witness check  --config FILE
       schleuse-witness serve  --config FILE [--port-file FILE]
       schleuse-witness cosign --config FILE LOG [--out FILE]
       schleuse-witness show   --config FILE

Vouches that the custody logs of gateways have one history: it cosigns each
checkpoint only as the continuation of the one before. For a machine of the data
protection officer's own, which no gateway's operator can reach.

Commands:
  init    makes the key and the place for what is cosigned; prints the verifier
          key, for gateways and for everybody who checks receipts. Once
  check   tells every mistake in the configuration and the files that it names
  serve   answers gateways over HTTPS until SIGTERM or SIGINT
  cosign  cosigns by hand: LOG is a copy of a gateway's log of one year, the
          directory that holds "checkpoint" and "tile/". Writes the cosigned
          checkpoint, to be carried back. Not while serve runs
  show    prints the verifier key and how far each log is cosigned

Options:
  --config FILE     the configuration, a text proto
  --port-file FILE  where to write the port once gateways can connect
  --out FILE        where to write the cosigned checkpoint; else it is printed
  --help, --version

The log is on standard error, one JSON object a line.

Exit codes:
  0  done, or stopped by a signal
  1  failed while running
  2  wrong usage
  3  the configuration or a file that it names is wrong; every mistake is
     listed on standard error
  4  refused to start or to init: no marker, a damaged state, another process
     on the same state, port in use
  5  cosign: not cosigned; the message says why. A log that contradicts what was
     cosigned before is also an alarm in the log
)";

namespace {

using Command = WitnessArguments::Command;

struct Named {
  absl::string_view name;
  Command command;
};
constexpr Named kCommands[] = {{"init", Command::kInit},
                               {"check", Command::kCheck},
                               {"serve", Command::kServe},
                               {"cosign", Command::kCosign},
                               {"show", Command::kShow}};

template <typename... Parts>
absl::Status Bad(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

bool Contains(const std::vector<std::string>& words, absl::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// Where the value of an option goes; null: the command has none such.
std::string* PlaceOf(absl::string_view flag, WitnessArguments& arguments) {
  if (flag == "--config") return &arguments.config_file;
  if (flag == "--port-file" && arguments.command == Command::kServe) {
    return &arguments.port_file;
  }
  if (flag == "--out" && arguments.command == Command::kCosign) {
    return &arguments.out_file;
  }
  return nullptr;
}

}  // namespace

absl::StatusOr<WitnessArguments> ParseWitnessArguments(
    const std::vector<std::string>& words) {
  if (Contains(words, "--help")) return WitnessArguments{Command::kHelp};
  if (Contains(words, "--version")) return WitnessArguments{Command::kVersion};
  if (words.empty()) return Bad("a command is missing");
  const auto* const named =
      std::find_if(std::begin(kCommands), std::end(kCommands),
                   [&words](const Named& n) { return n.name == words[0]; });
  if (named == std::end(kCommands)) {
    return Bad("\"", words[0], "\" is no command");
  }
  WitnessArguments arguments{named->command};
  for (size_t i = 1; i < words.size(); ++i) {
    const bool is_log = arguments.command == Command::kCosign &&
                        arguments.log_directory.empty() &&
                        !absl::StartsWith(words[i], "-");
    if (is_log) {
      arguments.log_directory = words[i];
      continue;
    }
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
    if (value->empty()) return Bad(flag, " needs a file");
  }
  if (arguments.config_file.empty()) return Bad("--config is missing");
  if (arguments.command == Command::kCosign &&
      arguments.log_directory.empty()) {
    return Bad("cosign needs the directory of a log");
  }
  return arguments;
}

}  // namespace schleuse
