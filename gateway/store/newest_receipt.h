// Which of several receipts was given last: how far a log had come. Nobody's
// signature is looked at.
#ifndef SCHLEUSE_GATEWAY_STORE_NEWEST_RECEIPT_H_
#define SCHLEUSE_GATEWAY_STORE_NEWEST_RECEIPT_H_

#include <optional>
#include <string>

#include "absl/types/span.h"
#include "gateway/store/store.h"

namespace schleuse {

// Of the receipts among `layings` the one whose log was the largest, if it was
// larger than that of `kept`; else nullptr. Another gateway's log says nothing
// of this one, and counts as larger.
const std::string* NewestReceiptOf(absl::Span<const Laying> layings,
                                   const std::optional<std::string>& kept);

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_STORE_NEWEST_RECEIPT_H_
