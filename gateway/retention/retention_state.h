// What the deletion of what is overdue has to remember over a restart: a small
// file.
//
//   schleuse-retention-v1
//   hold <name> <SHA-256 of what was stated of it>     each that is in force
//   warned <transfer_id> <seconds since 1970-01-01T00:00:00Z>            each
#ifndef SCHLEUSE_GATEWAY_RETENTION_RETENTION_STATE_H_
#define SCHLEUSE_GATEWAY_RETENTION_RETENTION_STATE_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "crypto/digest.h"
#include "gateway/custody/statement.h"

namespace schleuse {

// Two are alike where the same would be stated of them.
Digest DigestOf(const statement::Held& hold);

struct RetentionState {
  std::map<std::string, Digest> holds = {};       // by name
  std::map<std::string, absl::Time> warned = {};  // by transfer_id; seconds

  friend bool operator==(const RetentionState&,
                         const RetentionState&) = default;

  std::string ToText() const;
  //   InvalidArgument  it is none
  static absl::StatusOr<RetentionState> Parse(absl::string_view text);
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_RETENTION_RETENTION_STATE_H_
