// Who is behind a certificate that the TLS library already traced to the root.
// It knows no connections and no grants.
#ifndef SCHLEUSE_GATEWAY_ACCESS_IDENTIFY_H_
#define SCHLEUSE_GATEWAY_ACCESS_IDENTIFY_H_

#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/mutex.h"
#include "crypto/certificate.h"
#include "gateway/access/principal.h"
#include "gateway/access/roster.h"

namespace schleuse {

// Safe to share between threads.
class Identifier {
 public:
  // `lists` as read against the roster's Issuers().
  Identifier(Roster roster, std::vector<RevocationList> lists);

  // Says who the holder of `leaf` is.
  //   Unauthenticated  nobody: the certificate is not valid now or its key too
  //                    weak, it does not name one principal of the trust
  //                    domain, no CA bound to the role signed it, it is
  //                    revoked, or that CA's list is missing or out of date.
  //                    The message is for logs, not for the peer.
  absl::StatusOr<Principal> Identify(const Certificate& leaf,
                                     absl::Time now) const;

  // The same of the first certificate in `pem`, for what is asked with every
  // call: who was found is remembered, by the text, for as long as certificate
  // and revocation list are valid.
  //   InvalidArgument  there is none, or it cannot be read
  absl::StatusOr<Principal> IdentifyPem(absl::string_view pem,
                                        absl::Time now) const;

 private:
  struct Known {
    Principal who;
    absl::Time first;  // not earlier
    absl::Time last;   // not later
    absl::Time end;    // earlier than this
  };

  absl::Status CheckIssuer(const Certificate& leaf, Role role) const;
  absl::StatusOr<Known> Find(const Certificate& leaf, absl::Time now) const;

  const Roster roster_;
  const std::vector<RevocationList> lists_;
  mutable Mutex mutex_;
  // By the SHA-256 of the text.
  mutable absl::flat_hash_map<std::string, Known> known_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_ACCESS_IDENTIFY_H_
