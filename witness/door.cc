#include "witness/door.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace schleuse {
namespace {

absl::Status Refuse(absl::string_view why) {
  return absl::PermissionDeniedError(why);
}

absl::Status CheckRevocation(const Certificate& client,
                             const std::vector<RevocationList>& lists,
                             absl::Time now) {
  bool covered = false;
  bool current = false;
  for (const RevocationList& list : lists) {
    if (!list.Covers(client)) continue;
    // Revoked stays revoked, whatever the age of the list.
    if (list.Revokes(client)) return Refuse("it is revoked");
    covered = true;
    current |= now < list.next_update();
  }
  if (!covered) return Refuse("its CA has no revocation list here");
  if (!current) return Refuse("its CA's revocation list is out of date");
  return absl::OkStatus();
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
  RETURN_IF_ERROR(CheckRevocation(client, https.revocation_lists, now));
  return found->second;
}

}  // namespace schleuse
