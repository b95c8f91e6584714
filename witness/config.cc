#include "witness/config.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/status.h"
#include "proto/witness_config.pb.h"
#include "settings/text_settings.h"

namespace schleuse {
namespace {

bool IsPrefix(absl::string_view text) {
  return text.empty() ||
         (text.size() <= 100 && text.front() == '/' && text.back() != '/' &&
          std::all_of(text.begin(), text.end(), [](char c) {
            return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
                   absl::StrContains("/-_.~", c);
          }));
}

// Turns the proto into a WitnessConfig and gathers what is wrong with it.
class Reader {
 public:
  Reader(const Disk& disk, absl::string_view path, absl::string_view text)
      : disk_(disk), base_(ParentOf(path)), settings_(path, text, proto_) {}

  absl::StatusOr<WitnessPlaces> ReadPlaces() {
    WitnessPlaces places = Places();
    RETURN_IF_ERROR(settings_.status());
    return places;
  }

  absl::StatusOr<WitnessConfig> Read(absl::Time now) {
    WitnessConfig config;
    config.places = Places();
    if (proto_.gateway().empty()) settings_.Missing("gateway");
    std::map<std::string, std::string> clients;
    for (int i = 0; i < proto_.gateway_size(); ++i) {
      ReadGateway(i, config, clients);
    }
    if (proto_.has_https()) {
      config.https = ReadHttps(config, now);
      if (std::all_of(
              proto_.gateway().begin(), proto_.gateway().end(),
              [](const auto& gateway) { return gateway.client().empty(); })) {
        settings_.Mistake("https", "lets nobody in: no gateway has a client");
      }
      if (config.https) config.https->clients = std::move(clients);
    }
    RETURN_IF_ERROR(settings_.status());
    return config;
  }

 private:
  WitnessPlaces Places() {
    WitnessPlaces places = {
        .name = proto_.name(),
        .state_directory =
            ReadPath("state_directory", proto_.state_directory()),
        .key_directory = ReadPath("key_directory", proto_.key_directory())};
    if (places.name.empty()) {
      settings_.Missing("name");
    } else if (!WitnessKey::Make(places.name,
                                 PrivateKey::Generate(KeyKind::kEd25519))
                    .ok() ||
               places.name.size() > 200) {
      settings_.Mistake("name", "must be at most 200 bytes, no space and no +");
    }
    if (!places.state_directory.empty() &&
        places.state_directory == places.key_directory) {
      settings_.Mistake("key_directory", "must not be the state's");
    }
    return places;
  }

  void ReadGateway(int number, WitnessConfig& config,
                   std::map<std::string, std::string>& clients) {
    const auto& gateway = proto_.gateway(number);
    const std::string field = absl::StrCat("gateway[", number, "]");
    const std::string keys_field = absl::StrCat(field, ".keys_file");
    const std::string text = ReadNamed(keys_field, gateway.keys_file());
    if (text.empty()) return;
    absl::StatusOr<PinnedKeys> keys = PinnedKeys::Parse(text);
    if (!keys.ok()) {
      settings_.Mistake(keys_field, keys.status().message());
      return;
    }
    const std::string name = keys->gateway();
    const bool twice = std::any_of(
        config.gateways.begin(), config.gateways.end(),
        [&](const PinnedKeys& other) { return other.gateway() == name; });
    if (twice) {
      settings_.Mistake(keys_field, "is of a gateway that was named before");
    }
    config.gateways.push_back(*std::move(keys));
    if (gateway.client().empty()) return;
    const std::string client_field = absl::StrCat(field, ".client");
    if (!absl::StartsWith(gateway.client(), "spiffe://")) {
      settings_.Mistake(client_field,
                        "must be a SPIFFE ID, "
                        "spiffe://police.example/gateway/hq/gw-1");
    } else if (!clients.emplace(gateway.client(), name).second) {
      settings_.Mistake(client_field, "stands for another gateway too");
    }
  }

  std::optional<WitnessConfig::Https> ReadHttps(WitnessConfig& config,
                                                absl::Time now) {
    const auto& proto = proto_.https();
    std::optional<SocketAddress> listen;
    if (proto.listen().empty()) {
      settings_.Missing("https.listen");
    } else {
      const absl::StatusOr<SocketAddress> parsed =
          SocketAddress::Parse(proto.listen());
      if (parsed.ok()) {
        listen = *parsed;
      } else {
        settings_.Mistake("https.listen", parsed.status().message());
      }
    }
    if (!IsPrefix(proto.prefix())) {
      settings_.Mistake("https.prefix", "must be a path, \"/w1\", or nothing");
    }
    TlsIdentity identity = {
        .certificate_chain_pem = ReadNamed("https.certificate_chain_file",
                                           proto.certificate_chain_file()),
        .private_key_pem =
            ReadNamed("https.private_key_file", proto.private_key_file()),
        .root_certificates_pem = ReadNamed("https.root_certificates_file",
                                           proto.root_certificates_file())};
    std::vector<Certificate> issuers = ReadIssuers();
    std::vector<RevocationList> lists = ReadLists(issuers);
    config.warnings = WarningsOf(issuers, lists, now);
    if (!settings_.status().ok()) return std::nullopt;
    const absl::Status fits = CheckTlsIdentity(identity);
    if (!fits.ok()) {
      settings_.Mistake("https.certificate_chain_file", fits.message());
      return std::nullopt;
    }
    CheckTime(identity.certificate_chain_pem, now);
    return WitnessConfig::Https{.listen = *listen,
                                .prefix = proto.prefix(),
                                .identity = std::move(identity),
                                .issuers = std::move(issuers),
                                .revocation_lists = std::move(lists),
                                .clients = {}};
  }

  void CheckTime(absl::string_view pem, absl::Time now) {
    const auto own = Certificate::FromPem(pem);
    if (own.ok() && now >= own->not_before() && now <= own->not_after()) return;
    settings_.Mistake("https.certificate_chain_file",
                      "has expired, or is not valid yet");
  }

  std::vector<Certificate> ReadIssuers() {
    std::vector<Certificate> issuers;
    const auto& files = proto_.https().issuing_ca_files();
    if (files.empty()) settings_.Missing("https.issuing_ca_files");
    for (int i = 0; i < files.size(); ++i) {
      const std::string field = absl::StrCat("https.issuing_ca_files[", i, "]");
      const std::string pem = ReadNamed(field, files[i]);
      if (pem.empty()) continue;
      const absl::StatusOr<Certificate> issuer = Certificate::FromPem(pem);
      if (!issuer.ok()) {
        settings_.Mistake(field, issuer.status().message());
      } else if (!issuer->is_ca()) {
        settings_.Mistake(field,
                          absl::StrCat(issuer->SubjectText(), " is no CA"));
      } else {
        issuers.push_back(*issuer);
      }
    }
    return issuers;
  }

  std::vector<RevocationList> ReadLists(
      const std::vector<Certificate>& issuers) {
    std::vector<RevocationList> lists;
    const auto& files = proto_.https().revocation_list_files();
    for (int i = 0; i < files.size(); ++i) {
      const std::string field =
          absl::StrCat("https.revocation_list_files[", i, "]");
      const std::string pem = ReadNamed(field, files[i]);
      if (pem.empty()) continue;
      absl::StatusOr<RevocationList> list =
          RevocationList::FromPem(pem, issuers);
      if (list.ok()) {
        lists.push_back(*std::move(list));
      } else {
        settings_.Mistake(field, list.status().message());
      }
    }
    return lists;
  }

  // A CA whose gateways are all refused.
  static std::vector<std::string> WarningsOf(
      const std::vector<Certificate>& issuers,
      const std::vector<RevocationList>& lists, absl::Time now) {
    std::vector<std::string> warnings;
    for (const Certificate& issuer : issuers) {
      const bool current = std::any_of(
          lists.begin(), lists.end(), [&](const RevocationList& list) {
            return list.IssuerText() == issuer.SubjectText() &&
                   list.next_update() > now;
          });
      if (current) continue;
      warnings.push_back(absl::StrCat("there is no current revocation list of ",
                                      issuer.SubjectText(),
                                      ": its gateways are refused"));
    }
    return warnings;
  }

  // An absolute path; empty if it is missing.
  std::string ReadPath(absl::string_view field, const std::string& text) {
    if (text.empty()) {
      settings_.Missing(field);
      return "";
    }
    std::string path = text[0] == '/' ? text : JoinPath(base_, text);
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    return path;
  }

  // What the file of that name holds; empty if there is a mistake.
  std::string ReadNamed(absl::string_view field, const std::string& text) {
    const std::string path = ReadPath(field, text);
    if (path.empty()) return "";
    absl::StatusOr<std::string> bytes =
        ReadFile(disk_, path, limits::kSettingsBytesMax);
    if (!bytes.ok()) {
      settings_.Mistake(field, bytes.status().message());
      return "";
    }
    if (bytes->empty()) settings_.Mistake(field, "is empty");
    return *std::move(bytes);
  }

  const Disk& disk_;
  const std::string base_;
  witness_config::v1::WitnessConfig proto_;
  TextSettings settings_;
};

}  // namespace

absl::StatusOr<WitnessConfig> WitnessConfig::Load(const Disk& disk,
                                                  absl::string_view path,
                                                  absl::Time now) {
  ASSIGN_OR_RETURN(const std::string text,
                   ReadFile(disk, path, limits::kSettingsBytesMax));
  return Reader(disk, path, text).Read(now);
}

absl::StatusOr<WitnessPlaces> WitnessConfig::LoadPlaces(
    const Disk& disk, absl::string_view path) {
  ASSIGN_OR_RETURN(const std::string text,
                   ReadFile(disk, path, limits::kSettingsBytesMax));
  return Reader(disk, path, text).ReadPlaces();
}

}  // namespace schleuse
