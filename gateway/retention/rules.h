// How long recordings are kept: RetentionRules of proto/config.proto, checked.
// Pure: it deletes nothing and knows no clock.
//
// The gateway's own clock, at the moment when a recording was brought, is what
// cannot lie much; the device's words only move the end within what a rule
// allows.
#ifndef SCHLEUSE_GATEWAY_RETENTION_RULES_H_
#define SCHLEUSE_GATEWAY_RETENTION_RULES_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "disk/disk.h"
#include "gateway/custody/statement.h"

namespace schleuse {

// Until when something is kept, and why.
struct Keeping {
  absl::Time until;
  std::string rule;
};

class RetentionRules {
 public:
  // Reads the rules at `path`, an absolute path.
  //   InvalidArgument  they are wrong; the message lists every mistake, one a
  //                    line
  //   others           `path` itself cannot be read, as ReadFile says
  static absl::StatusOr<RetentionRules> Load(const Disk& disk,
                                             absl::string_view path);

  // What was brought at `brought`; nullopt: no rule fits, a person decides.
  std::optional<Keeping> Of(const statement::Basis& basis,
                            absl::Time brought) const;

 private:
  class Reader;
  struct Rule {
    std::string name;
    std::vector<std::string> legal_bases;  // empty: any, and none
    std::optional<bool> home;
    absl::Duration keep;
    absl::Duration at_least;
    bool device_may_shorten;
    absl::Duration device_may_extend;
  };
  std::vector<Rule> rules_;
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_RETENTION_RULES_H_
