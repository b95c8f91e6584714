#include "gateway/access/identify.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/status.h"

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
  RETURN_IF_ERROR(CheckTime(leaf, now));
  if (!leaf.KeyIsStrongEnough()) return Refuse("its key is too weak");
  ASSIGN_OR_RETURN(Principal who, Name(leaf, roster_.trust_domain()));
  RETURN_IF_ERROR(CheckIssuer(leaf, who.role()));
  RETURN_IF_ERROR(CheckRevocation(leaf, now));
  return who;
}

absl::Status Identifier::CheckIssuer(const Certificate& leaf, Role role) const {
  const std::vector<Certificate>& issuers = roster_.IssuersOf(role);
  if (issuers.empty()) {
    return Refuse(
        absl::StrCat("the roster names no CA for the role ", RoleName(role)));
  }
  if (IsIssued(leaf, role)) return absl::OkStatus();
  return Refuse(
      absl::StrCat("no CA for the role ", RoleName(role), " issued it"));
}

bool Identifier::IsIssued(const Certificate& leaf, Role role) const {
  const std::string fingerprint(leaf.Fingerprint().bytes());
  {
    MutexLock lock(mutex_);
    const auto known = issued_.find(fingerprint);
    if (known != issued_.end()) return known->second;
  }
  const std::vector<Certificate>& issuers = roster_.IssuersOf(role);
  const bool issued = std::any_of(
      issuers.begin(), issuers.end(),
      [&leaf](const Certificate& issuer) { return leaf.IssuedBy(issuer); });
  MutexLock lock(mutex_);
  if (issued_.size() >= limits::kKnownCertificatesMax) issued_.clear();
  issued_.emplace(fingerprint, issued);
  return issued;
}

absl::Status Identifier::CheckRevocation(const Certificate& leaf,
                                         absl::Time now) const {
  bool covered = false;
  bool current = false;
  for (const RevocationList& list : lists_) {
    if (!list.Covers(leaf)) continue;
    // Revoked stays revoked, whatever the age of the list.
    if (list.Revokes(leaf)) return Refuse("it is revoked");
    covered = true;
    current = current || now < list.next_update();
  }
  if (!covered) return Refuse("its CA has no revocation list here");
  if (!current) return Refuse("its CA's revocation list is out of date");
  return absl::OkStatus();
}

}  // namespace schleuse
