#include "witness/door.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace schleuse {
namespace {

absl::Status Refuse(absl::string_view why) {
  return absl::PermissionDeniedError(why);
}

}  // namespace

absl::StatusOr<std::string> GatewayOf(const Certificate& client,
                                      const WitnessConfig::Https& https,
                                      absl::Time now) {
  if (!client.KeyIsStrongEnough()) return Refuse("its key is too weak");
  if (now < client.not_before() || now > client.not_after()) {
    return Refuse("it has expired, or is not valid yet");
  }
  const std::vector<std::string> uris = client.UriNames();
  if (uris.size() != 1) return Refuse("it has not exactly one URI name");
  const auto found = https.clients.find(uris.front());
  if (found == https.clients.end()) {
    return Refuse(absl::StrCat("no gateway asks as ", uris.front()));
  }
  if (std::none_of(
          https.issuers.begin(), https.issuers.end(),
          [&](const Certificate& ca) { return client.IssuedBy(ca); })) {
    return Refuse("no CA for gateways issued it");
  }
  RETURN_IF_ERROR(
      CheckRevocation(client, https.revocation_lists, now).status());
  return found->second;
}

}  // namespace schleuse
