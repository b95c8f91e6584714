// Who may do what, as an operator wrote it (proto/config.proto, Roster): which
// CA issues which role's certificates, and which cameras a device may bring.
// What no rule grants is refused. It knows no connections.
#ifndef SCHLEUSE_GATEWAY_ACCESS_ROSTER_H_
#define SCHLEUSE_GATEWAY_ACCESS_ROSTER_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "crypto/certificate.h"
#include "disk/disk.h"
#include "gateway/access/decision.h"
#include "gateway/access/principal.h"

namespace schleuse {

// Immutable; safe to share between threads. One without rules refuses all.
class Roster {
 public:
  // Reads the roster at `path` and the certificates that it names.
  //   InvalidArgument  the roster is wrong; the message lists every mistake,
  //                    one a line: "roster.textproto:12: grant[0].name: ..."
  //   others           `path` itself cannot be read, as ReadFile says
  static absl::StatusOr<Roster> Load(const Disk& disk, absl::string_view path);

  const std::string& trust_domain() const { return trust_domain_; }
  // The CAs that may issue `role`'s certificates; none: the role is refused.
  // Several while one takes over from another.
  const std::vector<Certificate>& IssuersOf(Role role) const;
  // Every CA named, once: those whose revocation lists are needed.
  std::vector<Certificate> Issuers() const;

  // May `who` bring recordings of this camera? Only docks and radios may, each
  // those that a grant gives it. The reason of a permit is the grant's name.
  Decision MayBring(const Principal& who, absl::string_view camera_id) const;

 private:
  // "dock/*/d07": segment by segment, "*" for any.
  struct DevicePattern {
    std::vector<std::string> segments;
  };
  struct Grant {
    std::string name;
    std::vector<DevicePattern> devices;
    std::vector<std::string> cameras;  // IsIdPattern
  };
  class Reader;

  Roster() = default;
  static bool Matches(const DevicePattern& pattern, const Principal& who);

  std::string trust_domain_;
  std::map<Role, std::vector<Certificate>> issuers_;
  std::vector<Grant> grants_;
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_ACCESS_ROSTER_H_
