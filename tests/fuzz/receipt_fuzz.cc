// Receipts, each with its statement behind a zero byte: what is read is written
// again as it was, and what is believed is believed for this statement at this
// place alone.
#include <string>

#include "absl/status/status.h"
#include "evidence/receipt.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/keys.h"

namespace schleuse {
namespace {

void CheckProven(const Receipt& receipt, absl::string_view statement,
                 const Proven& proven, Random& random) {
  const PinnedKeys pinned = fuzz_keys::Pinned();
  const auto is_believed = [&pinned, statement](const Receipt& other) {
    return VerifyReceipt(ToText(other), statement, pinned).ok();
  };
  FUZZ_CHECK(is_believed(receipt));
  FUZZ_CHECK(proven.index == receipt.index);
  FUZZ_CHECK(proven.index < proven.checkpoint.size);
  FUZZ_CHECK(proven.checkpoint.origin == fuzz_keys::kOrigin);

  Receipt other = receipt;
  other.index = receipt.index + 1 + Below(random, 1000);
  FUZZ_CHECK(!is_believed(other));
  other.index = Below(random, 1000);
  FUZZ_CHECK(other.index == receipt.index || !is_believed(other));
  other = receipt;
  other.proof.push_back(proven.checkpoint.root);
  FUZZ_CHECK(!is_believed(other));
  if (!receipt.proof.empty()) {
    other = receipt;
    other.proof.erase(other.proof.begin() +
                      static_cast<int>(Below(random, other.proof.size())));
    FUZZ_CHECK(!is_believed(other));
  }
  if (!statement.empty()) {
    FUZZ_CHECK(absl::IsDataLoss(
        VerifyReceipt(ToText(receipt), WithAByteChanged(statement, random),
                      pinned)
            .status()));
  }
  FUZZ_CHECK(absl::IsPermissionDenied(
      VerifyReceipt(ToText(receipt), statement,
                    fuzz_keys::Pinned("police.example/gw-2"))
          .status()));
}

}  // namespace

void Fuzz(absl::string_view input) {
  const auto [text, statement] = SplitAtZero(input);
  const absl::StatusOr<Receipt> receipt = ParseReceipt(text);
  const absl::StatusOr<Proven> proven =
      VerifyReceipt(text, statement, fuzz_keys::Pinned());
  if (!receipt.ok()) {
    FUZZ_CHECK(absl::IsInvalidArgument(receipt.status()));
    FUZZ_CHECK(proven.status() == receipt.status());
    return;
  }
  FUZZ_CHECK(ToText(*receipt) == text);
  SeededRandom random = RandomOf(input);
  if (proven.ok()) CheckProven(*receipt, statement, *proven, random);

  // Whoever asks for more is not given more.
  const absl::StatusOr<Proven> witnessed =
      VerifyReceipt(text, statement, fuzz_keys::Pinned(),
                    {.witnesses = {fuzz_keys::Witness()}, .required = 1});
  if (witnessed.ok()) {
    FUZZ_CHECK(proven.ok());
    FUZZ_CHECK(witnessed->cosignatures.size() == 1);
  } else if (proven.ok()) {
    FUZZ_CHECK(absl::IsPermissionDenied(witnessed.status()) ||
               absl::IsDataLoss(witnessed.status()));
  }
}

}  // namespace schleuse
