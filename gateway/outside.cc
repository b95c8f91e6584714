#include "gateway/outside.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status.h"
#include "evidence/receipt.h"
#include "gateway/custody/https_witness.h"

namespace schleuse {
namespace {

// What a start may wait for witnesses, all together.
constexpr absl::Duration kKnownWithin = absl::Seconds(5);

absl::StatusOr<Laying> LayingOf(const Store& store,
                                const WitnessedReceipt& receipt) {
  ASSIGN_OR_RETURN(const std::vector<Bundle> bundles, store.Find(receipt.name));
  if (bundles.empty()) {
    return absl::NotFoundError("the recording is no longer stored");
  }
  return Laying{bundles.front(),
                {.statement = receipt.statement, .receipt = receipt.receipt}};
}

// One status for each.
std::vector<absl::Status> LayWitnessed(
    Store& store, absl::Span<const WitnessedReceipt> receipts) {
  std::vector<absl::Status> results(receipts.size());
  std::vector<Laying> layings;
  std::vector<size_t> numbers;
  for (size_t i = 0; i < receipts.size(); ++i) {
    absl::StatusOr<Laying> laying = LayingOf(store, receipts[i]);
    if (laying.ok()) {
      layings.push_back(*std::move(laying));
      numbers.push_back(i);
    } else {
      results[i] = laying.status();
    }
  }
  std::vector<absl::Status> laid = store.LayWitnessed(layings);
  for (size_t i = 0; i < laid.size(); ++i) {
    results[numbers[i]] = std::move(laid[i]);
  }
  return results;
}

absl::StatusOr<Checkpoint> CheckpointOf(absl::string_view receipt,
                                        const PinnedKeys& pinned) {
  ASSIGN_OR_RETURN(const Receipt parsed, ParseReceipt(receipt));
  return OpenCheckpoint(parsed.checkpoint, pinned);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Outside>> Outside::Open(
    Disk& disk, const EgressPlan& plan, TlsIdentity identity,
    std::vector<RevocationList> revocation_lists, const Clock& clock,
    std::optional<PeerBookOptions> peers) {
  auto outside = std::unique_ptr<Outside>(new Outside(clock));
  outside->disk_ = &disk;
  if (peers) {
    ASSIGN_OR_RETURN(outside->peers_,
                     PeerBook::Open(disk, clock, *std::move(peers)));
  }
  const EgressOptions options = {
      .allow = plan.allow,
      .hosts_file = plan.hosts_file,
      .dns = plan.dns,
      .identity = std::move(identity),
      .revocation_lists = std::move(revocation_lists),
      .on_refused =
          [self = outside.get()](const EgressRefusal& refusal) {
            self->Refused(refusal);
          },
      .peers = outside->peers_.get()};
  ASSIGN_OR_RETURN(outside->egress_, Egress::Open(disk, options));
  ASSIGN_OR_RETURN(outside->store_egress_, Egress::Open(disk, options));
  return outside;
}

void Outside::Witness(absl::string_view directory, const WitnessPlan& plan,
                      const CustodyKeys& keys, Store& store, Random& random,
                      std::function<void(const absl::Status&)> on_ahead) {
  std::vector<WitnessDoor> doors;
  for (const WitnessPlan::Place& place : plan.places) {
    doors.push_back({place.key, place.url ? std::make_unique<HttpsWitness>(
                                                *egress_, *place.url)
                                          : nullptr});
  }
  WitnessingOptions options;
  options.every = plan.every;
  options.alarm_after = plan.alarm_after;
  options.required = plan.required;
  options.inbox = plan.cosigned_directory;
  options.lay = [&store](absl::Span<const WitnessedReceipt> receipts) {
    return LayWitnessed(store, receipts);
  };
  options.on_ahead = std::move(on_ahead);
  witnessing_ = std::make_shared<Witnessing>(*disk_, directory, keys.pinned(),
                                             std::move(doors), rounds_, clock_,
                                             random, std::move(options));
}

std::vector<KnownTree> Outside::Known() {
  if (witnessing_ == nullptr) return {};
  return witnessing_->AskWhatIsKnown(kKnownWithin);
}

void Outside::Start(CustodyLog& log) {
  log_ = &log;
  if (witnessing_ != nullptr) witnessing_->Start();
  if (peers_ == nullptr) return;
  residency_ = std::make_shared<Residency>(peers_, log, stating_);
  residency_->Start();
}

void Outside::Stop() {
  // Neither is there where Open failed.
  if (egress_ != nullptr) egress_->Stop();
  if (witnessing_ != nullptr) witnessing_->Stop();
  rounds_.Stop();
  stating_.Stop();
}

void Outside::StateLastHops() {
  if (residency_ != nullptr) residency_->Finish();
}

void Outside::Refused(const EgressRefusal& refusal) {
  const absl::Time now = clock_.Now();
  if (const auto left_out = log_budget_.Take(now)) {
    Log(Severity::kAlarm, "connection refused",
        {{"host", refusal.host},
         {"port", refusal.port},
         {"address", refusal.address},
         {"reason", refusal.reason},
         {"left_out", *left_out},
         {"what_to_do", "see egress.allow, the hosts file, and who answers"}});
  }
  CustodyLog* const log = log_;
  if (log == nullptr) return;
  if (const auto left_out = statements_.Take(now)) {
    log->Append(statement::EgressRefused{.host = refusal.host,
                                         .port = refusal.port,
                                         .address = refusal.address,
                                         .reason = refusal.reason,
                                         .left_out = *left_out},
                CustodyLog::Importance::kOrdinary, nullptr);
  }
}

absl::StatusOr<std::vector<KnownTree>> KnownFromStore(
    const Store& store, const PinnedKeys& pinned) {
  constexpr absl::string_view kWhich = "the newest receipt in the store";
  const absl::StatusOr<std::optional<std::string>> asked =
      store.NewestReceipt();
  if (absl::IsUnavailable(asked.status()) && !store.keeps_spool_file()) {
    Log(Severity::kAlarm,
        "the log is not held against the store, which is away",
        {{"reason", asked.status().message()},
         {"what_to_do", "once it is back, restart the gateway: then it is"}});
    return std::vector<KnownTree>();
  }
  ASSIGN_OR_RETURN(const std::optional<std::string> newest, asked);
  if (!newest) return std::vector<KnownTree>();
  const absl::StatusOr<Checkpoint> checkpoint = CheckpointOf(*newest, pinned);
  if (absl::IsPermissionDenied(checkpoint.status())) {
    Log(Severity::kAlarm, "the newest receipt in the store is another's",
        {{"reason", checkpoint.status().message()},
         {"what_now", "the log is not held against it"}});
    return std::vector<KnownTree>();
  }
  if (!checkpoint.ok()) {
    return absl::DataLossError(absl::StrCat(
        kWhich, " (.newest-receipt.tlog-proof at its root) is damaged: ",
        checkpoint.status().message(),
        ". Check the disk; without it the log cannot be held against the "
        "store, so put it away only once the log was audited"));
  }
  return std::vector<KnownTree>{
      {.origin = checkpoint->origin,
       .size = checkpoint->size,
       .root = checkpoint->root,
       .by = absl::StrCat(kWhich, " (.newest-receipt.tlog-proof)")}};
}

}  // namespace schleuse
