#include "gateway/upkeep.h"

#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "gateway/retention/holds.h"

namespace schleuse {

absl::StatusOr<std::optional<RetentionRules>> LoadRetention(
    const Disk& disk, const Config& config) {
  std::optional<RetentionRules> rules;
  if (config.retention.rules_file.empty()) return rules;
  ASSIGN_OR_RETURN(rules,
                   RetentionRules::Load(disk, config.retention.rules_file));
  if (!config.retention.holds_file.empty()) {
    RETURN_IF_ERROR(Holds::Load(disk, config.retention.holds_file).status());
  }
  return rules;
}

absl::StatusOr<std::unique_ptr<Upkeep>> Upkeep::Start(
    const House& house, const Config& config,
    std::optional<RetentionRules> rules) {
  auto upkeep = std::unique_ptr<Upkeep>(new Upkeep());
  const auto remembered = [&config](absl::string_view file) {
    return config.custody ? JoinPath(config.custody->directory, file)
                          : std::string();
  };
  if (rules && !house.store.deletes()) {
    Log(Severity::kInfo,
        "the object store deletes what it holds by its own rules");
  }
  upkeep->retention_ = std::make_shared<Retention>(
      house.disk, house.intake, house.spool, house.store, house.log,
      house.pinned, upkeep->retaining_, house.clock,
      RetentionOptions{.rules = rules,
                       .holds_file = config.retention.holds_file,
                       .state_file = remembered("retention.state"),
                       .every = config.retention.every,
                       .idle = config.retention.idle,
                       .clock_synchronised = house.clock_synchronised});
  RETURN_IF_ERROR(upkeep->retention_->Load());
  upkeep->retention_->Start();
  if (!config.scrub || house.log == nullptr) return upkeep;
  ScrubOptions options = {
      .state_file = remembered("scrub.state"),
      .log_directory = config.custody->directory,
      .gateway_name = config.custody->gateway_name,
      .bytes_per_second = config.scrub->bytes_per_second,
      .every = config.scrub->every,
      .is_busy = [&intake = house.intake](const RecordingName& name) {
        return intake.IsBusy(name);
      }};
  if (!house.store.deletes()) {
    // What the store deletes in time is not missing.
    options.is_over =
        [rules, &clock = house.clock](const statement::Read::Stored& stored) {
          if (!rules) return false;
          const auto keeping = rules->Of(stored.basis, stored.at);
          return keeping && keeping->until <= clock.Now();
        };
  }
  upkeep->scrub_ = std::make_shared<Scrub>(house.disk, house.store, *house.log,
                                           *house.pinned, upkeep->scrubbing_,
                                           house.clock, std::move(options));
  RETURN_IF_ERROR(upkeep->scrub_->Load());
  upkeep->scrub_->Start();
  return upkeep;
}

void Upkeep::Stop() {
  retaining_.Stop();
  scrubbing_.Stop();
}

}  // namespace schleuse
