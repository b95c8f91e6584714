#include "gateway/access/identify.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/status.h"
#include "crypto/digest.h"

namespace schleuse {
namespace {

absl::Status Refuse(absl::string_view why) {
  return absl::UnauthenticatedError(absl::StrCat("certificate refused: ", why));
}

std::string ToText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%SZ", time, absl::UTCTimeZone());
}

absl::Status CheckTime(const Certificate& leaf, absl::Time now) {
  if (now < leaf.not_before()) {
    return Refuse(absl::StrCat("not valid before ", ToText(leaf.not_before())));
  }
  if (now > leaf.not_after()) {
    return Refuse(absl::StrCat("expired at ", ToText(leaf.not_after())));
  }
  return absl::OkStatus();
}

absl::StatusOr<Principal> Name(const Certificate& leaf,
                               absl::string_view trust_domain) {
  const std::vector<std::string> uris = leaf.UriNames();
  if (uris.empty()) return Refuse("it has no SPIFFE ID");
  if (uris.size() > 1) return Refuse("it has more than one URI name");
  absl::StatusOr<Principal> who = Principal::Parse(uris[0], trust_domain);
  if (!who.ok()) return Refuse(who.status().message());
  return who;
}

}  // namespace

Identifier::Identifier(Roster roster, std::vector<RevocationList> lists)
    : roster_(std::move(roster)), lists_(std::move(lists)) {}

absl::StatusOr<Principal> Identifier::Identify(const Certificate& leaf,
                                               absl::Time now) const {
  ASSIGN_OR_RETURN(Known found, Find(leaf, now));
  return std::move(found.who);
}

absl::StatusOr<Principal> Identifier::IdentifyPem(absl::string_view pem,
                                                  absl::Time now) const {
  const std::string text_hash(Sha256::Of(pem).bytes());
  {
    MutexLock lock(mutex_);
    const auto place = known_.find(text_hash);
    if (place != known_.end()) {
      const Known& known = place->second;
      if (now >= known.first && now <= known.last && now < known.end) {
        return known.who;
      }
      known_.erase(place);
    }
  }
  ASSIGN_OR_RETURN(const Certificate leaf, Certificate::FromPem(pem));
  ASSIGN_OR_RETURN(const Known found, Find(leaf, now));
  MutexLock lock(mutex_);
  if (known_.size() >= limits::kKnownCertificatesMax) known_.clear();
  known_.insert_or_assign(text_hash, found);
  return found.who;
}

absl::StatusOr<Identifier::Known> Identifier::Find(const Certificate& leaf,
                                                   absl::Time now) const {
  RETURN_IF_ERROR(CheckTime(leaf, now));
  if (!leaf.KeyIsStrongEnough()) return Refuse("its key is too weak");
  ASSIGN_OR_RETURN(Principal who, Name(leaf, roster_.trust_domain()));
  RETURN_IF_ERROR(CheckIssuer(leaf, who.role()));
  const absl::StatusOr<absl::Time> end = CheckRevocation(leaf, lists_, now);
  if (!end.ok()) return Refuse(end.status().message());
  return Known{.who = std::move(who),
               .first = leaf.not_before(),
               .last = leaf.not_after(),
               .end = *end};
}

absl::Status Identifier::CheckIssuer(const Certificate& leaf, Role role) const {
  const std::vector<Certificate>& issuers = roster_.IssuersOf(role);
  if (issuers.empty()) {
    return Refuse(
        absl::StrCat("the roster names no CA for the role ", RoleName(role)));
  }
  for (const Certificate& issuer : issuers) {
    if (leaf.IssuedBy(issuer)) return absl::OkStatus();
  }
  return Refuse(
      absl::StrCat("no CA for the role ", RoleName(role), " issued it"));
}

}  // namespace schleuse
