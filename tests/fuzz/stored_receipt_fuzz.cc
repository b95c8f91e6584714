// Statements that a gateway's log holds: a receipt shows what such a statement
// says, if it says that a recording is stored, and nothing else.
#include <google/protobuf/stubs/logging.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "evidence/merkle.h"
#include "evidence/statement.h"
#include "evidence/stored_receipt.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/keys.h"

namespace schleuse {
namespace {

// By a log that holds nothing else.
std::string ReceiptFor(absl::string_view statement) {
  const std::string text = ToText(
      Checkpoint{std::string(fuzz_keys::kOrigin), 1, LeafHash(statement)});
  return ToText(
      Receipt{.index = 0, .proof = {}, .checkpoint = *fuzz_keys::Sign(text)});
}

void CheckSaid(const StoredProven& stored,
               const statement::v1::Statement& said) {
  FUZZ_CHECK(said.has_stored());
  FUZZ_CHECK(stored.gateway == fuzz_keys::kGateway);
  FUZZ_CHECK(stored.gateway == said.gateway());
  FUZZ_CHECK(stored.time == said.time());
  FUZZ_CHECK(stored.clock_synchronised == said.clock_synchronised());
  FUZZ_CHECK(IsId(stored.name.camera_id()));
  FUZZ_CHECK(IsId(stored.name.recording_id()));
  FUZZ_CHECK(stored.name.camera_id() == said.stored().transfer().camera_id());
  FUZZ_CHECK(stored.size == said.stored().size());
  FUZZ_CHECK(stored.sha256.ToHex() ==
             absl::AsciiStrToLower(said.stored().sha256()));
}

}  // namespace

void Fuzz(absl::string_view statement) {
  google::protobuf::SetLogHandler(nullptr);  // it speaks of every bad string
  const absl::StatusOr<statement::v1::Statement> said =
      ParseStatement(statement);
  // Signatures cost ten times what the rest does.
  SeededRandom random = RandomOf(statement);
  if (!said.ok() && Below(random, 16) != 0) return;

  const absl::StatusOr<StoredProven> stored =
      VerifyStored(ReceiptFor(statement), statement, fuzz_keys::Pinned());
  if (!stored.ok()) {
    FUZZ_CHECK(absl::IsDataLoss(stored.status()) ||
               absl::IsFailedPrecondition(stored.status()));
    return;
  }
  FUZZ_CHECK(said.ok());
  CheckSaid(*stored, *said);
  const Held held = {stored->name, stored->size, stored->sha256};
  FUZZ_CHECK(CheckIsFor(*stored, held).ok());
  Held other = held;
  ++other.size;
  FUZZ_CHECK(absl::IsDataLoss(CheckIsFor(*stored, other)));
  other = held;
  other.sha256 = Sha256::Of(statement);
  FUZZ_CHECK(absl::IsDataLoss(CheckIsFor(*stored, other)));
}

}  // namespace schleuse
