// The command line of schleuse-gateway.
#ifndef SCHLEUSE_GATEWAY_ARGUMENTS_H_
#define SCHLEUSE_GATEWAY_ARGUMENTS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace schleuse {

extern const char kHelp[];

struct Arguments {
  enum class Command { kHelp, kVersion, kInit, kServe, kCheck, kNewLog };
  Command command;
  // As given: perhaps relative to the working directory.
  std::string config_file = {};
  std::string port_file = {};  // empty: none
  std::string reason = {};     // of kNewLog
};

// `words` without the program's name.
//   InvalidArgument  with a message for who typed them
absl::StatusOr<Arguments> ParseArguments(const std::vector<std::string>& words);

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_ARGUMENTS_H_
