#include "gateway/access/principal.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace schleuse {
namespace {

constexpr std::pair<Role, absl::string_view> kRoles[] = {
    {Role::kDock, "dock"},         {Role::kRadio, "radio"},
    {Role::kOperator, "operator"}, {Role::kAuditor, "auditor"},
    {Role::kMonitor, "monitor"},   {Role::kWitness, "witness"},
    {Role::kGateway, "gateway"},
};

// The SPIFFE standard's own bound.
constexpr size_t kSpiffeIdBytesMax = 2048;
constexpr size_t kSegmentBytesMax = 63;
constexpr size_t kTrustDomainBytesMax = 255;

bool IsSegmentPart(char c) {
  return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-';
}
bool IsTrustDomainPart(char c) {
  return IsSegmentPart(c) || c == '.' || c == '_';
}

absl::Status Refuse(absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("SPIFFE ID: ", why));
}

}  // namespace

absl::string_view RoleName(Role role) {
  for (const auto& [known, name] : kRoles) {
    if (known == role) return name;
  }
  return "unknown";
}

std::optional<Role> ParseRole(absl::string_view name) {
  for (const auto& [role, known] : kRoles) {
    if (known == name) return role;
  }
  return std::nullopt;
}

bool IsSegment(absl::string_view text) {
  return !text.empty() && text.size() <= kSegmentBytesMax &&
         std::all_of(text.begin(), text.end(), IsSegmentPart);
}

bool IsTrustDomain(absl::string_view text) {
  return !text.empty() && text.size() <= kTrustDomainBytesMax &&
         std::all_of(text.begin(), text.end(), IsTrustDomainPart);
}

absl::StatusOr<Principal> Principal::Parse(absl::string_view spiffe_id,
                                           absl::string_view trust_domain) {
  if (spiffe_id.size() > kSpiffeIdBytesMax) {
    return Refuse("longer than 2048 bytes");
  }
  absl::string_view rest = spiffe_id;
  if (!absl::ConsumePrefix(&rest, "spiffe://")) {
    return Refuse("does not begin with spiffe://");
  }
  const std::vector<absl::string_view> parts = absl::StrSplit(rest, '/');
  if (trust_domain.empty() || parts[0] != trust_domain) {
    return Refuse("of another trust domain");
  }
  if (parts.size() != 4) {
    return Refuse("is not /<role>/<station>/<name> behind the trust domain");
  }
  const std::optional<Role> role = ParseRole(parts[1]);
  if (!role.has_value()) return Refuse("unknown role");
  if (!IsSegment(parts[2]) || !IsSegment(parts[3])) {
    return Refuse("station and name must match [a-z0-9-]{1,63}");
  }
  return Principal(*role, parts[2], parts[3], spiffe_id);
}

}  // namespace schleuse
