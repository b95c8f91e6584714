#include "gateway/store/newest_receipt.h"

#include <cstdint>
#include <tuple>
#include <utility>

#include "base/status.h"
#include "evidence/checkpoint.h"
#include "evidence/note.h"
#include "evidence/receipt.h"

namespace schleuse {
namespace {

struct Reached {
  Origin origin;
  uint64_t size;

  bool Beyond(const Reached& other) const {
    return origin.gateway != other.origin.gateway ||
           std::tie(origin.year, origin.number, size) >
               std::tie(other.origin.year, other.origin.number, other.size);
  }
};

absl::StatusOr<Reached> ReachedBy(absl::string_view receipt) {
  ASSIGN_OR_RETURN(const Receipt parsed, ParseReceipt(receipt));
  ASSIGN_OR_RETURN(const std::string text, NoteText(parsed.checkpoint));
  ASSIGN_OR_RETURN(const Checkpoint checkpoint, ParseCheckpoint(text));
  ASSIGN_OR_RETURN(Origin origin, Origin::Parse(checkpoint.origin));
  return Reached{std::move(origin), checkpoint.size};
}

}  // namespace

const std::string* NewestReceiptOf(absl::Span<const Laying> layings,
                                   const std::optional<std::string>& kept) {
  std::optional<Reached> reached;
  if (kept) {
    const absl::StatusOr<Reached> before = ReachedBy(*kept);
    if (before.ok()) reached = *before;
  }
  const std::string* newest = nullptr;
  for (const Laying& laying : layings) {
    const absl::StatusOr<Reached> by = ReachedBy(laying.proof.receipt);
    if (!by.ok() || (reached && !by->Beyond(*reached))) continue;
    reached = *by;
    newest = &laying.proof.receipt;
  }
  return newest;
}

}  // namespace schleuse
