// The answer to "may you?", with the reason that the audit trail keeps.
#ifndef SCHLEUSE_GATEWAY_ACCESS_DECISION_H_
#define SCHLEUSE_GATEWAY_ACCESS_DECISION_H_

#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace schleuse {

class Decision {
 public:
  static Decision Permit(absl::string_view rule) {
    return Decision(true, rule);
  }
  static Decision Deny(absl::string_view reason) {
    return Decision(false, reason);
  }

  bool permitted() const { return permitted_; }
  // The rule that permits it, or why nothing does.
  const std::string& reason() const { return reason_; }

 private:
  Decision(bool permitted, absl::string_view reason)
      : permitted_(permitted), reason_(reason) {}
  bool permitted_;
  std::string reason_;
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_ACCESS_DECISION_H_
