#include "client/verify/arguments.h"

#include <functional>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace schleuse::client {

const char kVerifyHelp[] =
    R"(Usage: schleuse-verify bundle DIR... --key KEYS
       schleuse-verify log DIR [--key KEYS] [--kept FILE...]
       schleuse-verify consistency OLD DIR --key KEYS
       schleuse-verify export DIR --out DIR [--from TIME] [--to TIME]
       schleuse-verify statements DIR --key KEYS
       schleuse-verify residency DIR --allow NETWORK[:PORT]...
                       [--from TIME] [--to TIME] [--key KEYS]

Checks offline what a Schleuse gateway states: it needs files alone, no network
and no gateway. It says in plain words what is proven and what is not.

Commands:
  bundle       a stored recording: DIR holds recording.<ext>, statement.json and
               receipt.tlog-proof
  log          a whole custody log, one year or all of them: every entry, every
               tile, signatures, the chain of the years, what was deleted
  consistency  whether the log in DIR still has all that it had when OLD was
               signed; OLD is a checkpoint or a receipt that somebody kept
  export       writes the statements of a span of time, each with a proof that
               verifies alone, for whoever may see them
  statements   what export wrote
  residency    whither footage went over a span of days: audits the log in DIR,
               and holds each next hop that the gateway stated against the
               networks that are allowed. A moment of which nothing is stated,
               or a next hop elsewhere, makes it fail. It shows the next hop,
               and not what the next hop did

Options:
  --key KEYS        the gateway's keys, as its operator publishes them: its
                    keys.pub or another file with one verifier key a line, or
                    such a key itself. Several times for several keys; all of
                    them must have signed. For log, export and residency:
                    unless given, the keys.pub in DIR, which proves less
  --kept FILE       log: a checkpoint or receipt that was kept elsewhere, of
                    which the log must have all. Several times
  --witness KEY     bundle: a witness's verifier key. Several times
  --witnesses N     bundle: so many of them must have cosigned
  --allow NETWORK[:PORT]
                    residency: where next hops may be, as 10.20.0.0/16,
                    10.20.0.5:443 or [fd00:20::/32]:443; several times. Without
                    it, only a store in the gateway itself may be
  --from TIME, --to TIME
                    export, residency: from the first on and before the second,
                    as 2026-11-26 or 2026-11-26T18:00:00+01:00; UTC without
                    zone. Residency without them: all that is stated
  --out DIR         export: where to; a new or empty directory
  --json            one JSON object a line on standard output
  --help            this text

Exit codes:
  0  everything that was asked for is proven
  1  something does not hold; it says what
  2  wrong usage, or keys that are none
  3  something could not be read: nothing is known

Examples:
  schleuse-verify bundle store/bwc-0815/20260501-1230.mp4 --key keys.pub
  schleuse-verify log custody --key keys.pub --kept receipt.tlog-proof
  schleuse-verify residency custody --key keys.pub --allow 10.20.0.0/24:443 \
      --from 2026-11-01 --to 2026-12-01
)";

namespace {

absl::Status Bad(absl::string_view flag, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("--", flag, " ", why));
}

struct CommandWord {
  VerifyArguments::Command command;
  size_t paths_min, paths_max;
  const char* paths;  // for a person
  std::set<std::string> flags;
  bool needs_key;
};

const std::map<std::string, CommandWord>& Commands() {
  using Command = VerifyArguments::Command;
  static const auto& commands = *new std::map<std::string, CommandWord>{
      {"bundle",
       {Command::kBundle,
        1,
        100'000,
        "at least one directory",
        {"key", "witness", "witnesses"},
        true}},
      {"log", {Command::kLog, 1, 1, "one directory", {"key", "kept"}, false}},
      {"consistency",
       {Command::kConsistency,
        2,
        2,
        "a kept file and a directory",
        {"key"},
        true}},
      {"export",
       {Command::kExport,
        1,
        1,
        "one directory",
        {"key", "from", "to", "out"},
        false}},
      {"statements",
       {Command::kStatements, 1, 1, "one directory", {"key"}, true}},
      {"residency",
       {Command::kResidency,
        1,
        1,
        "one directory",
        {"key", "allow", "from", "to"},
        false}},
  };
  return commands;
}

absl::StatusOr<absl::Time> TimeOf(absl::string_view flag,
                                  const std::string& text) {
  absl::Time time;
  for (const char* format : {absl::RFC3339_full, "%Y-%m-%d"}) {
    if (absl::ParseTime(format, text, &time, nullptr)) return time;
  }
  return Bad(flag,
             "must be a day as 2026-11-26, or a time as "
             "2026-11-26T18:00:00+01:00");
}

absl::Status Take(const std::string& flag, const std::string& value,
                  VerifyArguments& arguments) {
  if (flag == "key") {
    arguments.keys.push_back(value);
  } else if (flag == "witness") {
    arguments.witnesses.push_back(value);
  } else if (flag == "kept") {
    arguments.kept.push_back(value);
  } else if (flag == "allow") {
    absl::StatusOr<NetworkPort> network = NetworkPort::Parse(value);
    if (!network.ok()) return Bad(flag, network.status().message());
    arguments.allow.push_back(*std::move(network));
  } else if (flag == "out") {
    arguments.out = value;
  } else if (flag == "from") {
    ASSIGN_OR_RETURN(arguments.from, TimeOf(flag, value));
  } else if (flag == "to") {
    ASSIGN_OR_RETURN(arguments.to, TimeOf(flag, value));
  } else if (!absl::SimpleAtoi(value, &arguments.witnesses_required)) {
    return Bad(flag, "must be a number");
  }
  return absl::OkStatus();
}

absl::Status CheckComplete(const std::string& word, const CommandWord& command,
                           const std::set<std::string>& given,
                           const VerifyArguments& arguments) {
  for (const std::string& flag : given) {
    if (!command.flags.contains(flag)) {
      return Bad(flag, absl::StrCat("does not go with ", word));
    }
  }
  if (arguments.paths.size() < command.paths_min ||
      arguments.paths.size() > command.paths_max) {
    return absl::InvalidArgumentError(
        absl::StrCat(word, " needs ", command.paths));
  }
  if (command.needs_key && arguments.keys.empty()) {
    return Bad("key", "is missing: by whose keys shall it be checked?");
  }
  if (arguments.command == VerifyArguments::Command::kExport &&
      arguments.out.empty()) {
    return Bad("out", "is missing");
  }
  if (arguments.from >= arguments.to) return Bad("from", "is not before --to");
  if (arguments.witnesses_required > arguments.witnesses.size()) {
    return Bad("witnesses", "asks for more than --witness names");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<VerifyArguments> ParseVerifyArguments(
    const std::vector<std::string>& words) {
  static const std::set<std::string>& flags = *new std::set<std::string>{
      "key", "witness", "witnesses", "kept", "allow", "out", "from", "to"};
  VerifyArguments arguments;
  std::set<std::string> given;
  std::vector<std::string> plain;
  bool only_paths = false;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (only_paths || !absl::StartsWith(word, "--")) {
      plain.push_back(word);
      continue;
    }
    const size_t equals = word.find('=');
    const bool has_value = equals != std::string::npos;
    const std::string flag = word.substr(2, has_value ? equals - 2 : equals);
    if (word == "--") {
      only_paths = true;
    } else if (word == "--help") {
      return VerifyArguments{};
    } else if (word == "--json") {
      arguments.json = true;
    } else if (!flags.contains(flag)) {
      return Bad(flag, "is no flag of this program");
    } else if (!has_value && i + 1 == words.size()) {
      return Bad(flag, "needs a value");
    } else {
      given.insert(flag);
      RETURN_IF_ERROR(Take(
          flag, has_value ? word.substr(equals + 1) : words[++i], arguments));
    }
  }
  if (plain.empty()) return absl::InvalidArgumentError("name a command");
  const auto command = Commands().find(plain.front());
  if (command == Commands().end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("there is no command ", plain.front()));
  }
  arguments.command = command->second.command;
  arguments.paths.assign(plain.begin() + 1, plain.end());
  RETURN_IF_ERROR(
      CheckComplete(command->first, command->second, given, arguments));
  return arguments;
}

}  // namespace schleuse::client
