// The words of schleuse-verify's command line. It touches no file.
#ifndef SCHLEUSE_CLIENT_VERIFY_ARGUMENTS_H_
#define SCHLEUSE_CLIENT_VERIFY_ARGUMENTS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/ip_network.h"

namespace schleuse::client {

struct VerifyArguments {
  enum class Command {
    kHelp,
    kBundle,
    kLog,
    kConsistency,
    kExport,
    kStatements,
    kResidency,
  };
  Command command = Command::kHelp;
  std::vector<std::string> paths = {};  // as given, in order
  std::vector<std::string> keys = {};   // files, or verifier keys themselves
  std::vector<std::string> witnesses = {};
  size_t witnesses_required = 0;
  std::vector<std::string> kept = {};
  std::vector<NetworkPort> allow = {};
  absl::Time from = absl::InfinitePast();
  absl::Time to = absl::InfiniteFuture();
  std::string out = {};
  bool json = false;
};

// `words` without the program's name.
//   InvalidArgument  with a text for the person who typed it
absl::StatusOr<VerifyArguments> ParseVerifyArguments(
    const std::vector<std::string>& words);

extern const char kVerifyHelp[];

}  // namespace schleuse::client

#endif  // SCHLEUSE_CLIENT_VERIFY_ARGUMENTS_H_
