#include "gateway/outside_config.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/socket_address.h"
#include "proto/config.pb.h"

namespace schleuse {
namespace {

constexpr int kWitnessesMax = 8;

}  // namespace

bool MayBeReached(const HttpsUrl& url, const AllowList& allow) {
  const absl::StatusOr<IpAddress> ip = IpAddress::Parse(url.host);
  if (ip.ok()) return allow.Permits({*ip, url.port});
  for (const AllowedNetwork& network : allow.networks()) {
    if (network.port == url.port) return true;
  }
  return false;
}

EgressPlan ReadEgress(const config::v1::GatewayConfig& proto,
                      TextSettings& settings) {
  const auto& egress = proto.egress();
  EgressPlan plan = {.hosts_file = egress.hosts_file(), .dns = egress.dns()};
  if (!proto.has_egress()) return plan;
  if (plan.hosts_file.empty() || plan.hosts_file[0] != '/') {
    settings.Mistake("egress.hosts_file", "must be an absolute path");
  }
  if (egress.allow().empty()) settings.Missing("egress.allow");
  std::vector<AllowedNetwork> networks;
  for (int i = 0; i < egress.allow_size(); ++i) {
    const std::string field = absl::StrCat("egress.allow[", i, "]");
    absl::StatusOr<AllowedNetwork> network =
        AllowedNetwork::Parse(egress.allow(i));
    if (!network.ok()) {
      settings.Mistake(field, network.status().message());
    } else if (!network->IsInternal() && !egress.public_networks_are_ours()) {
      settings.Mistake(field,
                       "can be reached from the internet; if it is ours "
                       "nevertheless, set egress.public_networks_are_ours");
    } else {
      networks.push_back(*std::move(network));
    }
  }
  plan.allow = AllowList(std::move(networks));
  return plan;
}

WitnessPlan ReadWitnesses(const config::v1::GatewayConfig& proto,
                          const AllowList& allow, TextSettings& settings) {
  const auto& custody = proto.custody();
  WitnessPlan plan = {
      .required = custody.witnesses_required(),
      .every = absl::Seconds(custody.witness_every_seconds()),
      .alarm_after = absl::Seconds(custody.witness_alarm_seconds())};
  std::set<std::string> names;
  for (int i = 0; i < custody.witness_size(); ++i) {
    const std::string field = absl::StrCat("custody.witness[", i, "]");
    const auto& witness = custody.witness(i);
    std::optional<HttpsUrl> url;
    if (witness.has_url()) {
      const std::string url_field = absl::StrCat(field, ".url");
      const absl::StatusOr<HttpsUrl> parsed = HttpsUrl::Parse(witness.url());
      if (!parsed.ok()) {
        settings.Mistake(url_field, parsed.status().message());
      } else if (!MayBeReached(*parsed, allow)) {
        settings.Mistake(url_field, "is not on egress.allow");
      } else {
        url = *parsed;
      }
    }
    const std::string key_field = absl::StrCat(field, ".verifier_key");
    if (witness.verifier_key().empty()) {
      settings.Missing(key_field);
      continue;
    }
    absl::StatusOr<NoteVerifier> key =
        NoteVerifier::Parse(witness.verifier_key());
    if (!key.ok()) {
      settings.Mistake(key_field, key.status().message());
    } else if (key->type() != NoteKeyType::kCosignature) {
      settings.Mistake(key_field, "is no key of a witness");
    } else if (!names.insert(key->name()).second) {
      settings.Mistake(key_field, "names a witness that was named before");
    } else {
      plan.places.push_back({*std::move(key), std::move(url)});
    }
  }
  if (custody.witness_size() > kWitnessesMax) {
    settings.Mistake("custody.witness",
                     absl::StrCat("at most ", kWitnessesMax));
  }
  if (custody.witness_size() > 0) {
    // What is carried comes back with one cosignature.
    uint64_t asked = 0;
    for (const auto& witness : custody.witness()) asked += witness.has_url();
    settings.CheckRange("custody.witnesses_required", plan.required, 1,
                        std::max<uint64_t>(asked, 1));
  }
  settings.CheckRange("custody.witness_every_seconds",
                      custody.witness_every_seconds(), 1, 86'400);
  settings.CheckRange("custody.witness_alarm_seconds",
                      custody.witness_alarm_seconds(), 60, 366 * 86'400);
  return plan;
}

}  // namespace schleuse
