#include "gateway/retention/rules.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/recording_name.h"
#include "base/status.h"
#include "proto/config.pb.h"
#include "settings/text_settings.h"

namespace schleuse {
namespace {

constexpr uint32_t kDaysMost = 36'500;
// A camera that says that it recorded longer ago than this has no clock.
const absl::Duration kStartWithin = absl::Hours(24) * 400;

absl::Duration Days(uint32_t days) { return absl::Hours(24) * days; }

}  // namespace

class RetentionRules::Reader {
 public:
  Reader(absl::string_view path, absl::string_view text)
      : settings_(path, text, proto_) {}

  absl::StatusOr<RetentionRules> Read() {
    if (proto_.rule().empty()) settings_.Missing("rule");
    for (int i = 0; i < proto_.rule_size(); ++i) ReadRule(i);
    RETURN_IF_ERROR(settings_.status());
    return std::move(rules_);
  }

 private:
  void ReadRule(int i) {
    const auto& rule = proto_.rule(i);
    const auto at = [i](absl::string_view field) {
      return absl::StrCat("rule[", i, "].", field);
    };
    if (!rule.has_name()) {
      settings_.Missing(at("name"));
    } else if (!IsId(rule.name())) {
      settings_.Mistake(at("name"), "must be like a recording id");
    } else if (!names_.insert(rule.name()).second) {
      settings_.Mistake(at("name"), "there is a rule of that name already");
    }
    if (rule.legal_basis().empty()) settings_.Missing(at("legal_basis"));
    if (!rule.has_days()) settings_.Missing(at("days"));
    if (rule.has_days()) {
      settings_.CheckRange(at("days"), rule.days(), 1, kDaysMost);
    }
    settings_.CheckRange(at("at_least_days"), rule.at_least_days(), 0,
                         kDaysMost);
    settings_.CheckRange(at("device_may_extend_days"),
                         rule.device_may_extend_days(), 0, kDaysMost);
    Rule read = {
        .name = rule.name(),
        .legal_bases = {rule.legal_basis().begin(), rule.legal_basis().end()},
        .home = {},
        .keep = Days(rule.days()),
        .at_least = Days(rule.at_least_days()),
        .device_may_shorten = rule.device_may_shorten(),
        .device_may_extend = Days(rule.device_may_extend_days())};
    if (rule.has_home()) read.home = rule.home();
    const auto any =
        std::find(read.legal_bases.begin(), read.legal_bases.end(), "*");
    if (any != read.legal_bases.end()) read.legal_bases.clear();
    rules_.rules_.push_back(std::move(read));
  }

  config::v1::RetentionRules proto_;
  TextSettings settings_;
  std::set<std::string> names_;
  RetentionRules rules_;
};

absl::StatusOr<RetentionRules> RetentionRules::Load(const Disk& disk,
                                                    absl::string_view path) {
  ASSIGN_OR_RETURN(const std::string text,
                   ReadFile(disk, path, limits::kSettingsBytesMax));
  return Reader(path, text).Read();
}

std::optional<Keeping> RetentionRules::Of(const statement::Basis& basis,
                                          absl::Time brought) const {
  const auto fits = [&basis](const Rule& rule) {
    if (rule.home && *rule.home != basis.home) return false;
    return rule.legal_bases.empty() ||
           std::find(rule.legal_bases.begin(), rule.legal_bases.end(),
                     basis.legal_basis) != rule.legal_bases.end();
  };
  const auto rule = std::find_if(rules_.begin(), rules_.end(), fits);
  if (rule == rules_.end()) return std::nullopt;
  const bool start_can_be = basis.start && *basis.start <= brought &&
                            brought - *basis.start <= kStartWithin;
  absl::Time until = (start_can_be ? *basis.start : brought) + rule->keep;
  if (basis.retain_until) {
    const absl::Time wanted = *basis.retain_until;
    if (wanted < until && rule->device_may_shorten) until = wanted;
    if (wanted > until) {
      until = std::min(wanted, until + rule->device_may_extend);
    }
  }
  return Keeping{.until = std::max(until, brought + rule->at_least),
                 .rule = rule->name};
}

}  // namespace schleuse
