#include "evidence/stored_receipt.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "evidence/statement.h"

namespace schleuse {

absl::StatusOr<StoredProven> VerifyStored(absl::string_view receipt,
                                          absl::string_view statement,
                                          const PinnedKeys& pinned,
                                          const WitnessPolicy& policy) {
  ASSIGN_OR_RETURN(Proven proven,
                   VerifyReceipt(receipt, statement, pinned, policy));
  ASSIGN_OR_RETURN(const statement::v1::Statement said,
                   ParseStatement(statement));
  if (said.gateway() != pinned.gateway()) {
    return absl::DataLossError(
        absl::StrCat("the log of ", pinned.gateway(),
                     " holds a statement in the name of ", said.gateway()));
  }
  if (!said.has_stored()) {
    return absl::FailedPreconditionError(
        "the statement does not say that a recording is stored");
  }
  const statement::v1::Stored& stored = said.stored();
  const statement::v1::Transfer& transfer = stored.transfer();
  absl::StatusOr<RecordingName> name =
      RecordingName::Parse(transfer.camera_id(), transfer.recording_id());
  const absl::StatusOr<Digest> sha256 = Digest::FromHex(stored.sha256());
  if (!name.ok() || !sha256.ok()) {
    return absl::DataLossError(
        "the statement does not name a recording and its SHA-256");
  }
  return StoredProven{
      .proven = std::move(proven),
      .gateway = said.gateway(),
      .time = said.time(),
      .clock_synchronised = said.clock_synchronised(),
      .name = *std::move(name),
      .transfer_id = transfer.transfer_id(),
      .device = transfer.device(),
      .size = stored.size(),
      .sha256 = *sha256,
      .location = stored.location(),
      .read_back = stored.verified() == statement::v1::READ_BACK};
}

absl::Status CheckIsFor(const StoredProven& stored, const Held& held) {
  if (stored.name != held.name) {
    return absl::DataLossError(
        absl::StrCat("the receipt is for ", stored.name.ToString(),
                     ", not for ", held.name.ToString()));
  }
  if (stored.size != held.size) {
    return absl::DataLossError(absl::StrCat("the receipt is for ", stored.size,
                                            " bytes, not for ", held.size));
  }
  if (stored.sha256 != held.sha256) {
    return absl::DataLossError(absl::StrCat(
        "the receipt is for bytes with SHA-256 ", stored.sha256.ToHex(),
        ", not with ", held.sha256.ToHex()));
  }
  return absl::OkStatus();
}

}  // namespace schleuse
