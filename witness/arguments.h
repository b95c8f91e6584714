// The command line of schleuse-witness.
#ifndef SCHLEUSE_WITNESS_ARGUMENTS_H_
#define SCHLEUSE_WITNESS_ARGUMENTS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace schleuse {

extern const char kWitnessHelp[];

struct WitnessArguments {
  enum class Command { kHelp, kVersion, kInit, kCheck, kServe, kCosign, kShow };
  Command command;
  // As given: perhaps relative to the working directory.
  std::string config_file = {};
  std::string port_file = {};      // empty: none
  std::string log_directory = {};  // of cosign
  std::string out_file = {};       // of cosign; empty: standard output
};

// `words` without the program's name.
//   InvalidArgument  with a message for who typed them
absl::StatusOr<WitnessArguments> ParseWitnessArguments(
    const std::vector<std::string>& words);

}  // namespace schleuse

#endif  // SCHLEUSE_WITNESS_ARGUMENTS_H_
