#include "gateway/access/roster.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/limits.h"
#include "base/recording_name.h"
#include "base/status.h"
#include "proto/config.pb.h"
#include "settings/text_settings.h"

namespace schleuse {
namespace {

bool MayUpload(Role role) {
  return role == Role::kDock || role == Role::kRadio;
}

// Printable, so that it can stand in a log line and in a statement.
bool IsGrantName(absl::string_view name) {
  return name.size() <= limits::kIdBytesMax &&
         std::all_of(name.begin(), name.end(), absl::ascii_isprint);
}

// "issuer[0].role[1]"
std::string At(absl::string_view field, int index, absl::string_view inner,
               int inner_index = -1) {
  std::string path = absl::StrCat(field, "[", index, "].", inner);
  if (inner_index >= 0) absl::StrAppend(&path, "[", inner_index, "]");
  return path;
}

template <typename T>
bool Contains(const std::vector<T>& certificates, const T& certificate) {
  return std::any_of(certificates.begin(), certificates.end(),
                     [&certificate](const Certificate& other) {
                       return other.Fingerprint() == certificate.Fingerprint();
                     });
}

}  // namespace

// Turns the proto into a Roster and gathers what is wrong with it.
class Roster::Reader {
 public:
  Reader(const Disk& disk, absl::string_view path, absl::string_view text)
      : disk_(disk), path_(path), settings_(path, text, proto_) {}

  absl::StatusOr<Roster> Read() {
    ReadTrustDomain();
    for (int i = 0; i < proto_.issuer_size(); ++i) ReadIssuer(i);
    for (int i = 0; i < proto_.grant_size(); ++i) ReadGrant(i);
    RETURN_IF_ERROR(settings_.status());
    return std::move(roster_);
  }

 private:
  void ReadTrustDomain() {
    roster_.trust_domain_ = proto_.trust_domain();
    if (!proto_.has_trust_domain()) {
      settings_.Missing("trust_domain");
    } else if (!IsTrustDomain(proto_.trust_domain())) {
      settings_.Mistake("trust_domain", "must match [a-z0-9._-]{1,255}");
    }
  }

  void ReadIssuer(int i) {
    const auto& issuer = proto_.issuer(i);
    const std::optional<Certificate> certificate = ReadCertificate(i);
    if (issuer.role_size() == 0) settings_.Missing(At("issuer", i, "role"));
    for (int j = 0; j < issuer.role_size(); ++j) {
      const std::string field = At("issuer", i, "role", j);
      const std::optional<Role> role = ParseRole(issuer.role(j));
      if (!role.has_value()) {
        settings_.Mistake(field,
                          "must be dock, radio, operator, auditor, monitor, "
                          "witness or gateway");
        continue;
      }
      if (std::find(issuer.role().begin(), issuer.role().begin() + j,
                    issuer.role(j)) != issuer.role().begin() + j) {
        settings_.Mistake(field, "this issuer has the role already");
        continue;
      }
      if (!certificate.has_value()) continue;
      std::vector<Certificate>& issuers = roster_.issuers_[*role];
      if (Contains(issuers, *certificate)) {
        settings_.Mistake(field, "the same CA has the role already");
        continue;
      }
      issuers.push_back(*certificate);
    }
  }

  std::optional<Certificate> ReadCertificate(int i) {
    const std::string field = At("issuer", i, "certificate_file");
    const std::string& file = proto_.issuer(i).certificate_file();
    if (file.empty()) {
      settings_.Missing(field);
      return std::nullopt;
    }
    const auto refuse = [this, &field](absl::string_view why) {
      settings_.Mistake(field, why);
      return std::nullopt;
    };
    const auto pem =
        ReadFile(disk_, file[0] == '/' ? file : JoinPath(ParentOf(path_), file),
                 limits::kSettingsBytesMax);
    if (!pem.ok()) return refuse(pem.status().message());
    const auto certificates = Certificate::AllFromPem(*pem);
    if (!certificates.ok()) return refuse(certificates.status().message());
    // A file with the root behind the CA would make the root an issuer, or not,
    // depending on the order in it.
    if (certificates->size() != 1) {
      return refuse("holds more than one certificate");
    }
    const Certificate& certificate = certificates->front();
    if (!certificate.is_ca()) return refuse("is not a CA's certificate");
    if (!certificate.KeyIsStrongEnough()) {
      return refuse("has a weak key: EC from 250 or RSA from 3000 bits needed");
    }
    return certificate;
  }

  void ReadGrant(int i) {
    const auto& proto = proto_.grant(i);
    Grant grant;
    grant.name = proto.name();
    const std::string name_field = At("grant", i, "name");
    if (grant.name.empty()) {
      settings_.Missing(name_field);
    } else if (!IsGrantName(grant.name)) {
      settings_.Mistake(name_field, "must be up to 128 printable characters");
    } else if (!names_.insert(grant.name).second) {
      settings_.Mistake(name_field, "another grant has this name");
    }
    if (proto.device_size() == 0) settings_.Missing(At("grant", i, "device"));
    for (int j = 0; j < proto.device_size(); ++j) {
      grant.devices.push_back(
          ReadDevice(At("grant", i, "device", j), proto.device(j)));
    }
    if (proto.camera_size() == 0) settings_.Missing(At("grant", i, "camera"));
    for (int j = 0; j < proto.camera_size(); ++j) {
      grant.cameras.push_back(
          ReadCamera(At("grant", i, "camera", j), proto.camera(j)));
    }
    roster_.grants_.push_back(std::move(grant));
  }

  DevicePattern ReadDevice(const std::string& field, absl::string_view text) {
    DevicePattern pattern;
    pattern.segments = absl::StrSplit(text, '/');
    const std::vector<std::string>& parts = pattern.segments;
    if (parts.size() != 3) {
      settings_.Mistake(field, "must be <role>/<station>/<name>");
      return pattern;
    }
    const std::optional<Role> role = ParseRole(parts[0]);
    if (parts[0] != "*" && !(role.has_value() && MayUpload(*role))) {
      settings_.Mistake(field, "only \"dock\" and \"radio\" bring recordings");
    }
    for (const std::string& part : {parts[1], parts[2]}) {
      if (part == "*" || IsSegment(part)) continue;
      settings_.Mistake(field,
                        "station and name must be \"*\" or [a-z0-9-]{1,63}");
      break;
    }
    return pattern;
  }

  std::string ReadCamera(const std::string& field, const std::string& text) {
    if (!IsIdPattern(text)) {
      settings_.Mistake(
          field, "must be a camera id, or the beginning of one and \"*\"");
    }
    return text;
  }

  const Disk& disk_;
  const std::string path_;
  config::v1::Roster proto_;
  TextSettings settings_;
  std::set<std::string> names_;
  Roster roster_;
};

absl::StatusOr<Roster> Roster::Load(const Disk& disk, absl::string_view path) {
  ASSIGN_OR_RETURN(const std::string text,
                   ReadFile(disk, path, limits::kSettingsBytesMax));
  return Reader(disk, path, text).Read();
}

const std::vector<Certificate>& Roster::IssuersOf(Role role) const {
  static const auto* const kNone = new std::vector<Certificate>();
  const auto found = issuers_.find(role);
  return found == issuers_.end() ? *kNone : found->second;
}

std::vector<Certificate> Roster::Issuers() const {
  std::vector<Certificate> all;
  for (const auto& [role, issuers] : issuers_) {
    for (const Certificate& issuer : issuers) {
      if (!Contains(all, issuer)) all.push_back(issuer);
    }
  }
  return all;
}

Decision Roster::MayBring(const Principal& who,
                          absl::string_view camera_id) const {
  if (!MayUpload(who.role())) {
    return Decision::Deny("only docks and radios bring recordings");
  }
  if (!IsId(camera_id)) return Decision::Deny("that is no camera id");
  for (const Grant& grant : grants_) {
    const bool device = std::any_of(
        grant.devices.begin(), grant.devices.end(),
        [&who](const DevicePattern& pattern) { return Matches(pattern, who); });
    const bool camera = std::any_of(grant.cameras.begin(), grant.cameras.end(),
                                    [camera_id](const std::string& pattern) {
                                      return FitsIdPattern(pattern, camera_id);
                                    });
    if (device && camera) return Decision::Permit(grant.name);
  }
  return Decision::Deny("no grant gives this camera to this device");
}

bool Roster::Matches(const DevicePattern& pattern, const Principal& who) {
  const absl::string_view are[] = {RoleName(who.role()), who.station(),
                                   who.name()};
  return std::equal(pattern.segments.begin(), pattern.segments.end(),
                    std::begin(are), std::end(are),
                    [](const std::string& wanted, absl::string_view is) {
                      return wanted == "*" || wanted == is;
                    });
}

}  // namespace schleuse
