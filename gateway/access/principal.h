// Who a certificate says somebody is: a SPIFFE ID, read into a role, a station
// and a name. It knows no certificates and no rules.
#ifndef SCHLEUSE_GATEWAY_ACCESS_PRINCIPAL_H_
#define SCHLEUSE_GATEWAY_ACCESS_PRINCIPAL_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace schleuse {

enum class Role {
  kDock,
  kRadio,
  kOperator,
  kAuditor,
  kMonitor,
  kWitness,
  kGateway,
};

// "dock", ...
absl::string_view RoleName(Role role);
// Nothing if there is no such role.
std::optional<Role> ParseRole(absl::string_view name);

// True for [a-z0-9-]{1,63}: a station or a name.
bool IsSegment(absl::string_view text);
// True for what may be a trust domain: [a-z0-9._-]{1,255}.
bool IsTrustDomain(absl::string_view text);

class Principal {
 public:
  // Reads exactly `spiffe://<trust_domain>/<role>/<station>/<name>`.
  //   InvalidArgument  anything else; the message says what is wrong and does
  //                    not repeat the text, which may hold anything
  static absl::StatusOr<Principal> Parse(absl::string_view spiffe_id,
                                         absl::string_view trust_domain);

  Role role() const { return role_; }
  const std::string& station() const { return station_; }
  const std::string& name() const { return name_; }
  const std::string& spiffe_id() const { return spiffe_id_; }
  // "dock/stuttgart-1/d07", as the roster writes it.
  std::string Path() const {
    return absl::StrCat(RoleName(role_), "/", station_, "/", name_);
  }

  friend bool operator==(const Principal&, const Principal&) = default;

 private:
  Principal(Role role, absl::string_view station, absl::string_view name,
            absl::string_view spiffe_id)
      : role_(role), station_(station), name_(name), spiffe_id_(spiffe_id) {}
  Role role_;
  std::string station_;
  std::string name_;
  std::string spiffe_id_;
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_ACCESS_PRINCIPAL_H_
