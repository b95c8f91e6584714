#include "gateway/config.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/limits.h"
#include "base/status.h"
#include "proto/config.pb.h"
#include "settings/text_settings.h"

namespace schleuse {
namespace {

constexpr uint64_t kMebibyte = uint64_t{1} << 20;
constexpr int kWorkerThreadsMax = 1024;

// Without what makes two spellings of one path: empty, "." and ".." segments.
// Symbolic links are not looked at.
std::string Normal(absl::string_view path) {
  std::vector<absl::string_view> parts;
  for (const absl::string_view part : absl::StrSplit(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      parts.push_back(part);
    } else if (!parts.empty()) {
      parts.pop_back();
    }
  }
  return absl::StrCat("/", absl::StrJoin(parts, "/"));
}

bool IsWithin(absl::string_view path, absl::string_view directory) {
  const std::string inner = Normal(path);
  const std::string outer = Normal(directory);
  return inner == outer || outer == "/" ||
         absl::StartsWith(inner, absl::StrCat(outer, "/"));
}

// Turns the proto into a Config and gathers what is wrong with it.
class Reader {
 public:
  Reader(const Disk& disk, absl::string_view path, absl::string_view text)
      : disk_(disk), base_(ParentOf(path)), settings_(path, text, proto_) {}

  absl::StatusOr<Config> Read() {
    const std::optional<SocketAddress> listen = ReadListen();
    const std::string spool =
        ReadPath("spool_directory", proto_.spool_directory());
    EgressPlan egress = ReadEgress(proto_, settings_);
    StorePlace store_place = ReadStore(egress.allow);
    const std::string store =
        store_place.files ? store_place.files->root : std::string();
    CheckApart(spool, store);
    const auto& tls = proto_.tls();
    const std::string chain = ReadFileName("tls.certificate_chain_file",
                                           tls.certificate_chain_file());
    const std::string key =
        ReadFileName("tls.private_key_file", tls.private_key_file());
    const std::string root = ReadFileName("tls.root_certificates_file",
                                          tls.root_certificates_file());
    std::vector<std::string> lists;
    for (int i = 0; i < tls.revocation_list_files_size(); ++i) {
      lists.push_back(
          ReadFileName(absl::StrCat("tls.revocation_list_files[", i, "]"),
                       tls.revocation_list_files(i)));
    }
    const std::string roster =
        ReadFileName("roster_file", proto_.roster_file());
    const std::optional<CustodyPlace> custody = ReadCustody(spool, store);
    WitnessPlan witnesses = ReadWitnesses(proto_, egress.allow, settings_);
    if (!proto_.custody().cosigned_directory().empty()) {
      witnesses.cosigned_directory = ReadPath(
          "custody.cosigned_directory", proto_.custody().cosigned_directory());
    }
    RetentionPlan retention = ReadRetention();
    const std::optional<ScrubPlan> scrub = ReadScrub();
    CheckLimits();
    settings_.CheckRange("drain_seconds", proto_.drain_seconds(), 1, 600);

    RETURN_IF_ERROR(settings_.status());
    return Config{
        .listen = *listen,
        .spool_directory = spool,
        .store = std::move(store_place),
        .certificate_chain_file = chain,
        .private_key_file = key,
        .root_certificates_file = root,
        .revocation_list_files = std::move(lists),
        .roster_file = roster,
        .custody = custody,
        .egress = std::move(egress),
        .witnesses = std::move(witnesses),
        .retention = std::move(retention),
        .scrub = scrub,
        .credit_bytes_total = proto_.limits().credit_bytes_total(),
        .streams_max = static_cast<int>(proto_.limits().streams()),
        .streams_per_device_max =
            static_cast<int>(proto_.limits().streams_per_device()),
        .spool_reserve_bytes = proto_.limits().spool_reserve_bytes(),
        .worker_threads = static_cast<int>(proto_.limits().worker_threads()),
        .drain = absl::Seconds(proto_.drain_seconds()),
    };
  }

 private:
  std::optional<SocketAddress> ReadListen() {
    if (proto_.listen().empty()) {
      settings_.Missing("listen");
      return std::nullopt;
    }
    absl::StatusOr<SocketAddress> address =
        SocketAddress::Parse(proto_.listen());
    if (address.ok()) return *std::move(address);
    settings_.Mistake("listen", address.status().message());
    return std::nullopt;
  }

  StorePlace ReadStore(const AllowList& allow) {
    StorePlace place;
    const auto& store = proto_.store();
    if (store.has_s3() && store.has_file()) {
      settings_.Mistake("store", "is either file or s3");
    }
    if (store.has_s3()) {
      place.objects = ReadObjects(store.s3(), allow);
    } else {
      place.files = StorePlace::Files{
          .root = ReadPath("store.file.root", store.file().root()),
          .read_back = store.file().read_back()};
    }
    return place;
  }

  StorePlace::Objects ReadObjects(const config::v1::GatewayConfig::S3Store& s3,
                                  const AllowList& allow) {
    StorePlace::Objects objects = {
        .at = {.endpoint = {}, .bucket = s3.bucket(), .region = s3.region()},
        .credentials_file =
            ReadFileName("store.s3.credentials_file", s3.credentials_file()),
        .options = {.part_bytes = s3.part_bytes(),
                    .connections = static_cast<int>(s3.connections())}};
    if (s3.endpoint().empty()) {
      settings_.Missing("store.s3.endpoint");
    } else if (absl::StatusOr<HttpsUrl> url = HttpsUrl::Parse(s3.endpoint());
               !url.ok()) {
      settings_.Mistake("store.s3.endpoint", url.status().message());
    } else if (!MayBeReached(*url, allow)) {
      settings_.Mistake("store.s3.endpoint", "is not on egress.allow");
    } else {
      objects.at.endpoint = *std::move(url);
    }
    if (s3.bucket().empty()) {
      settings_.Missing("store.s3.bucket");
    } else if (!IsBucketName(s3.bucket())) {
      settings_.Mistake("store.s3.bucket",
                        "is 3 to 63 of a-z, 0-9, \"-\" and \".\"");
    }
    if (!IsRegion(s3.region())) {
      settings_.Mistake("store.s3.region",
                        "is 1 to 64 of a-z, A-Z, 0-9, \"-\" and \"_\"");
    }
    settings_.CheckRange("store.s3.part_bytes", s3.part_bytes(), 5 * kMebibyte,
                         64 * kMebibyte);
    settings_.CheckRange("store.s3.connections", s3.connections(), 1, 64);
    if (s3.has_object_lock()) {
      const auto& lock = s3.object_lock();
      if (lock.mode() != "GOVERNANCE" && lock.mode() != "COMPLIANCE") {
        settings_.Mistake("store.s3.object_lock.mode",
                          "is GOVERNANCE or COMPLIANCE");
      }
      settings_.CheckRange("store.s3.object_lock.days", lock.days(), 1, 36'500);
      objects.options.lock =
          S3Lock{.mode = lock.mode(), .span = absl::Hours(24) * lock.days()};
    }
    return objects;
  }

  static bool IsBucketName(absl::string_view name) {
    return name.size() >= 3 && name.size() <= 63 &&
           absl::ascii_isalnum(static_cast<unsigned char>(name.front())) &&
           absl::ascii_isalnum(static_cast<unsigned char>(name.back())) &&
           std::all_of(name.begin(), name.end(), [](unsigned char c) {
             return absl::ascii_islower(c) || absl::ascii_isdigit(c) ||
                    c == '-' || c == '.';
           });
  }
  static bool IsRegion(absl::string_view name) {
    return !name.empty() && name.size() <= 64 &&
           std::all_of(name.begin(), name.end(), [](unsigned char c) {
             return absl::ascii_isalnum(c) || c == '-' || c == '_';
           });
  }

  // Else a camera could be called as the spool is.
  void CheckApart(const std::string& spool, const std::string& store) {
    if (spool.empty() || store.empty()) return;
    if (!IsWithin(spool, store) && !IsWithin(store, spool)) return;
    settings_.Mistake("store.file.root",
                      "store and spool must not lie one in the other");
  }

  std::optional<CustodyPlace> ReadCustody(const std::string& spool,
                                          const std::string& store) {
    if (!proto_.has_custody()) return std::nullopt;
    const auto& custody = proto_.custody();
    CustodyPlace place = {
        .gateway_name = custody.gateway_name(),
        .directory = ReadPath("custody.directory", custody.directory()),
        .key_directory =
            ReadPath("custody.key_directory", custody.key_directory()),
        .reserve_bytes = custody.reserve_bytes(),
        .keep_years = static_cast<int>(custody.keep_years())};
    if (place.gateway_name.empty()) {
      settings_.Missing("custody.gateway_name");
    } else if (!IsGatewayName(place.gateway_name)) {
      settings_.Mistake("custody.gateway_name",
                        "is a URL without its scheme, as "
                        "\"schleuse.police.example/gw-1\"");
    }
    settings_.CheckRange("custody.reserve_bytes", custody.reserve_bytes(),
                         kMebibyte, 1024 * kMebibyte);
    settings_.CheckRange("custody.keep_years", custody.keep_years(), 0, 100);
    const auto apart = [&](absl::string_view field, const std::string& path,
                           const std::string& other, absl::string_view what) {
      if (path.empty() || other.empty()) return;
      if (!IsWithin(path, other) && !IsWithin(other, path)) return;
      settings_.Mistake(field, absl::StrCat("must not lie in ", what,
                                            ", nor the other way round"));
    };
    apart("custody.directory", place.directory, spool, "the spool");
    apart("custody.directory", place.directory, store, "the store");
    apart("custody.key_directory", place.key_directory, spool, "the spool");
    apart("custody.key_directory", place.key_directory, store, "the store");
    // Others may read the log.
    apart("custody.key_directory", place.key_directory, place.directory,
          "the log");
    return place;
  }

  RetentionPlan ReadRetention() {
    const auto& retention = proto_.retention();
    RetentionPlan plan = {
        .rules_file = {},
        .holds_file = {},
        .every = absl::Minutes(retention.every_minutes()),
        .idle = absl::Hours(24) * proto_.limits().idle_days()};
    if (!proto_.has_retention()) return plan;
    if (!proto_.has_custody()) {
      settings_.Mistake("retention",
                        "needs custody { }: each deletion is stated");
    }
    plan.rules_file =
        ReadFileName("retention.rules_file", retention.rules_file());
    if (retention.has_holds_file()) {
      plan.holds_file =
          ReadFileName("retention.holds_file", retention.holds_file());
    }
    settings_.CheckRange("retention.every_minutes", retention.every_minutes(),
                         1, 1440);
    return plan;
  }

  std::optional<ScrubPlan> ReadScrub() {
    const auto& scrub = proto_.scrub();
    settings_.CheckRange("scrub.every_days", scrub.every_days(), 1, 3650);
    // Receipts are what it compares.
    if (!proto_.has_custody()) return std::nullopt;
    if (scrub.bytes_per_second() == 0) return std::nullopt;
    if (proto_.store().has_s3() && !scrub.object_store()) return std::nullopt;
    return ScrubPlan{.bytes_per_second = scrub.bytes_per_second(),
                     .every = absl::Hours(24) * scrub.every_days()};
  }

  // As it can stand in the origin of a log and in the name of a key.
  static bool IsGatewayName(absl::string_view name) {
    return name.size() <= 200 && name.front() != '/' && name.back() != '/' &&
           std::all_of(name.begin(), name.end(), [](char c) {
             return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
                    absl::StrContains("-._~/:", c);
           });
  }

  void CheckLimits() {
    const auto& limits = proto_.limits();
    settings_.CheckRange("limits.credit_bytes_total",
                         limits.credit_bytes_total(), 64 * kMebibyte,
                         64 * 1024 * kMebibyte);
    settings_.CheckRange("limits.streams", limits.streams(), 1,
                         limits::kStreamsMax);
    settings_.CheckRange("limits.streams_per_device",
                         limits.streams_per_device(), 1, limits::kStreamsMax);
    settings_.CheckRange("limits.idle_days", limits.idle_days(), 2, 3650);
    settings_.CheckRange("limits.worker_threads", limits.worker_threads(), 0,
                         kWorkerThreadsMax);
  }

  // An absolute path without a slash at its end; empty if it is missing.
  std::string ReadPath(absl::string_view field, const std::string& text) {
    if (text.empty()) {
      settings_.Missing(field);
      return "";
    }
    std::string path = text[0] == '/' ? text : JoinPath(base_, text);
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    return path;
  }

  std::string ReadFileName(absl::string_view field, const std::string& text) {
    std::string path = ReadPath(field, text);
    if (path.empty()) return path;
    const absl::Status read =
        ReadFile(disk_, path, limits::kSettingsBytesMax).status();
    if (!read.ok()) settings_.Mistake(field, read.message());
    return path;
  }

  const Disk& disk_;
  const std::string base_;
  config::v1::GatewayConfig proto_;
  TextSettings settings_;
};

}  // namespace

absl::StatusOr<Config> Config::Load(const Disk& disk, absl::string_view path) {
  ASSIGN_OR_RETURN(const std::string text,
                   ReadFile(disk, path, limits::kSettingsBytesMax));
  return Reader(disk, path, text).Read();
}

}  // namespace schleuse
