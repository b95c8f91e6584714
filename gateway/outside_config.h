// What the configuration says of other servers: whither the gateway may
// connect, and who witnesses its custody log.
#ifndef SCHLEUSE_GATEWAY_OUTSIDE_CONFIG_H_
#define SCHLEUSE_GATEWAY_OUTSIDE_CONFIG_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "evidence/note.h"
#include "gateway/egress/allow_list.h"
#include "gateway/egress/https_url.h"
#include "settings/text_settings.h"

namespace schleuse {

namespace config::v1 {
class GatewayConfig;
}  // namespace config::v1

struct EgressPlan {
  AllowList allow = {};
  std::string hosts_file = {};
  bool dns = false;
};

struct WitnessPlan {
  struct Place {
    NoteVerifier key;
    std::optional<HttpsUrl> url;  // absent: files are carried
  };
  std::vector<Place> places = {};
  size_t required = 1;
  absl::Duration every = {};
  absl::Duration alarm_after = {};
  std::string cosigned_directory = {};  // absolute; empty: none
};

// False for a literal, or a port, that would be refused at every attempt.
bool MayBeReached(const HttpsUrl& url, const AllowList& allow);

// Mistakes are added to `settings`.
EgressPlan ReadEgress(const config::v1::GatewayConfig& proto,
                      TextSettings& settings);
WitnessPlan ReadWitnesses(const config::v1::GatewayConfig& proto,
                          const AllowList& allow, TextSettings& settings);

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_OUTSIDE_CONFIG_H_
