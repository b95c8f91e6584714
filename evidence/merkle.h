// Merkle trees over SHA-256 and their proofs (RFC 6962, 2.1; RFC 9162, 2.1). It
// knows no log: hashes come from outside.
//
//   leaf(d) = H(00 || d)      node(l, r) = H(01 || l || r)
//   root of n > 1 leaves: node over the first k, the largest power of two below
//   n, and the rest; an odd node is promoted, never doubled
#ifndef SCHLEUSE_EVIDENCE_MERKLE_H_
#define SCHLEUSE_EVIDENCE_MERKLE_H_

#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "crypto/digest.h"

namespace schleuse {

Digest LeafHash(absl::string_view entry);
Digest NodeHash(const Digest& left, const Digest& right);
// Of no leaves: SHA-256 of nothing.
Digest EmptyRoot();

// From the leaf's sibling upward; no tree of 2^63 leaves has more.
using MerkleProof = std::vector<Digest>;
constexpr size_t kProofHashesMax = 63;

// The hash of the full subtree of 2^level leaves with number `index`.
using SubtreeHash =
    absl::FunctionRef<absl::StatusOr<Digest>(int level, uint64_t index)>;

// Errors are those of `hash`.
absl::StatusOr<Digest> RootOf(uint64_t size, SubtreeHash hash);
//   InvalidArgument  index >= size
absl::StatusOr<MerkleProof> InclusionProof(uint64_t index, uint64_t size,
                                           SubtreeHash hash);
// That the tree of `first` leaves is the beginning of that of `second`.
//   InvalidArgument  first > second
absl::StatusOr<MerkleProof> ConsistencyProof(uint64_t first, uint64_t second,
                                             SubtreeHash hash);

// RFC 9162, 2.1.3.2. DataLoss: `leaf` is not shown to be entry `index` of the
// tree of `size` entries with that root.
absl::Status VerifyInclusion(uint64_t index, uint64_t size, const Digest& leaf,
                             absl::Span<const Digest> proof,
                             const Digest& root);
// RFC 9162, 2.1.4.2. DataLoss: it is not shown that the first tree is the
// beginning of the second.
absl::Status VerifyConsistency(uint64_t first, uint64_t second,
                               const Digest& first_root,
                               const Digest& second_root,
                               absl::Span<const Digest> proof);

}  // namespace schleuse

#endif  // SCHLEUSE_EVIDENCE_MERKLE_H_
