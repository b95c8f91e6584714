// A witness that is reached over HTTPS.
#ifndef SCHLEUSE_GATEWAY_CUSTODY_HTTPS_WITNESS_H_
#define SCHLEUSE_GATEWAY_CUSTODY_HTTPS_WITNESS_H_

#include <utility>

#include "gateway/custody/witness_peer.h"
#include "gateway/egress/egress.h"
#include "gateway/egress/https_client.h"
#include "gateway/egress/https_url.h"

namespace schleuse {

class HttpsWitness final : public WitnessPeer {
 public:
  // `egress` is borrowed. `url` is what "/add-checkpoint" is appended to.
  HttpsWitness(const Egress& egress, HttpsUrl url)
      : client_(egress, std::move(url)) {}

  absl::StatusOr<WitnessAnswer> Ask(const AddCheckpoint& request,
                                    absl::Duration patience) override;

 private:
  HttpsClient client_;
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_CUSTODY_HTTPS_WITNESS_H_
