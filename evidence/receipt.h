// Receipts (C2SP tlog-proof, draft v1): that a log holds a statement. The
// statement's bytes travel beside it.
//
//   c2sp.org/tlog-proof@v1
//   extra <base64>            optional, vouched for by nobody
//   index <decimal>
//   <hash, base64>            from the leaf's sibling upward, at most 63
//   (empty line)
//   <the signed checkpoint, verbatim>
#ifndef SCHLEUSE_EVIDENCE_RECEIPT_H_
#define SCHLEUSE_EVIDENCE_RECEIPT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "evidence/checkpoint.h"
#include "evidence/merkle.h"

namespace schleuse {

struct Receipt {
  std::optional<std::string> extra = {};  // bytes
  uint64_t index;                         // of the statement in its log
  MerkleProof proof;
  std::string checkpoint;  // a signed note
};

// Far more than 63 hashes and a checkpoint with its signatures.
constexpr size_t kReceiptBytesMax = 64 << 10;

std::string ToText(const Receipt& receipt);
//   InvalidArgument  it is none
absl::StatusOr<Receipt> ParseReceipt(absl::string_view text);

// Whose word is asked for beyond the gateway's: so many of these witnesses must
// have cosigned the checkpoint.
struct WitnessPolicy {
  std::vector<NoteVerifier> witnesses = {};
  size_t required = 0;
};

// What a receipt shows: that the log had the statement as entry `index` when it
// signed the checkpoint.
struct Proven {
  Checkpoint checkpoint;
  uint64_t index;
  std::vector<NoteSignature> cosignatures;  // numbers are those of the policy
};

// Checks a receipt for a statement, whatever the statement says.
//   InvalidArgument   it is no receipt
//   DataLoss          a signature is bad, or the log does not hold these bytes
//   PermissionDenied  signed by others than the policy asks for
absl::StatusOr<Proven> VerifyReceipt(absl::string_view receipt,
                                     absl::string_view statement,
                                     const PinnedKeys& pinned,
                                     const WitnessPolicy& policy = {});

}  // namespace schleuse

#endif  // SCHLEUSE_EVIDENCE_RECEIPT_H_
