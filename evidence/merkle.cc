#include "evidence/merkle.h"

#include <bit>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace schleuse {
namespace {

// The largest power of two below n > 1.
uint64_t SplitOf(uint64_t n) { return std::bit_floor(n - 1); }

// The root above the leaves [begin, begin + count), where `begin` is a multiple
// of a power of two that is at least `count`.
absl::StatusOr<Digest> RangeHash(uint64_t begin, uint64_t count,
                                 SubtreeHash hash) {
  if (std::has_single_bit(count)) {
    const int level = std::countr_zero(count);
    return hash(level, begin >> level);
  }
  const uint64_t split = SplitOf(count);
  ASSIGN_OR_RETURN(const Digest left, RangeHash(begin, split, hash));
  ASSIGN_OR_RETURN(const Digest right,
                   RangeHash(begin + split, count - split, hash));
  return NodeHash(left, right);
}

absl::Status NotShown(absl::string_view what) {
  return absl::DataLossError(
      absl::StrCat("the proof does not show it: ", what));
}

// A step of both verifications: one level up.
void Shift(uint64_t& fn, uint64_t& sn) {
  fn >>= 1;
  sn >>= 1;
}

}  // namespace

Digest LeafHash(absl::string_view entry) {
  Sha256 hash;
  hash.Update(absl::string_view("\0", 1));
  hash.Update(entry);
  return hash.Current();
}

Digest NodeHash(const Digest& left, const Digest& right) {
  char bytes[1 + 2 * Digest::kBytes];
  bytes[0] = 1;
  left.bytes().copy(bytes + 1, Digest::kBytes);
  right.bytes().copy(bytes + 1 + Digest::kBytes, Digest::kBytes);
  return Sha256::Of(absl::string_view(bytes, sizeof(bytes)));
}

Digest EmptyRoot() { return Sha256::Of(""); }

absl::StatusOr<Digest> RootOf(uint64_t size, SubtreeHash hash) {
  if (size == 0) return EmptyRoot();
  return RangeHash(0, size, hash);
}

absl::StatusOr<MerkleProof> InclusionProof(uint64_t index, uint64_t size,
                                           SubtreeHash hash) {
  if (index >= size) {
    return absl::InvalidArgumentError(
        absl::StrCat("a tree of ", size, " has no entry ", index));
  }
  MerkleProof downward;
  uint64_t begin = 0;
  uint64_t count = size;
  while (count > 1) {
    const uint64_t split = SplitOf(count);
    const bool right = index - begin >= split;
    ASSIGN_OR_RETURN(const Digest sibling,
                     right ? RangeHash(begin, split, hash)
                           : RangeHash(begin + split, count - split, hash));
    downward.push_back(sibling);
    begin += right ? split : 0;
    count = right ? count - split : split;
  }
  return MerkleProof(downward.rbegin(), downward.rend());
}

absl::StatusOr<MerkleProof> ConsistencyProof(uint64_t first, uint64_t second,
                                             SubtreeHash hash) {
  if (first > second) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a tree of ", first, " is not the beginning of one of ", second));
  }
  MerkleProof downward;
  if (first == 0 || first == second) return downward;
  uint64_t begin = 0;
  uint64_t count = second;
  bool whole = true;  // the first tree is [0, first) itself, known to all
  while (first - begin != count) {
    const uint64_t split = SplitOf(count);
    if (first - begin <= split) {
      ASSIGN_OR_RETURN(const Digest right,
                       RangeHash(begin + split, count - split, hash));
      downward.push_back(right);
      count = split;
    } else {
      ASSIGN_OR_RETURN(const Digest left, RangeHash(begin, split, hash));
      downward.push_back(left);
      begin += split;
      count -= split;
      whole = false;
    }
  }
  if (!whole) {
    ASSIGN_OR_RETURN(const Digest last, RangeHash(begin, count, hash));
    downward.push_back(last);
  }
  return MerkleProof(downward.rbegin(), downward.rend());
}

absl::Status VerifyInclusion(uint64_t index, uint64_t size, const Digest& leaf,
                             absl::Span<const Digest> proof,
                             const Digest& root) {
  if (index >= size) {
    return NotShown(absl::StrCat("a tree of ", size, " has no entry ", index));
  }
  uint64_t fn = index;
  uint64_t sn = size - 1;
  Digest reached = leaf;
  for (const Digest& hash : proof) {
    if (sn == 0) return NotShown("it has too many hashes");
    if ((fn & 1) != 0 || fn == sn) {
      reached = NodeHash(hash, reached);
      while ((fn & 1) == 0 && fn != 0) Shift(fn, sn);
    } else {
      reached = NodeHash(reached, hash);
    }
    Shift(fn, sn);
  }
  if (sn != 0) return NotShown("it has too few hashes");
  if (reached != root) return NotShown("it leads to another root");
  return absl::OkStatus();
}

absl::Status VerifyConsistency(uint64_t first, uint64_t second,
                               const Digest& first_root,
                               const Digest& second_root,
                               absl::Span<const Digest> proof) {
  if (first > second) return NotShown("the first tree is the larger one");
  if (first == second || first == 0) {
    if (!proof.empty()) return NotShown("it has too many hashes");
    if (first == second && first_root != second_root) {
      return NotShown("two roots at one size");
    }
    if (first == 0 && first_root != EmptyRoot()) {
      return NotShown("the root of no leaves is another");
    }
    return absl::OkStatus();
  }
  if (proof.empty()) return NotShown("it has too few hashes");
  uint64_t fn = first - 1;
  uint64_t sn = second - 1;
  while ((fn & 1) != 0) Shift(fn, sn);
  // Where the first tree is full its own root stands in front.
  const bool full = std::has_single_bit(first);
  Digest first_reached = full ? first_root : proof.front();
  Digest second_reached = first_reached;
  for (const Digest& hash : full ? proof : proof.subspan(1)) {
    if (sn == 0) return NotShown("it has too many hashes");
    if ((fn & 1) != 0 || fn == sn) {
      first_reached = NodeHash(hash, first_reached);
      second_reached = NodeHash(hash, second_reached);
      while ((fn & 1) == 0 && fn != 0) Shift(fn, sn);
    } else {
      second_reached = NodeHash(second_reached, hash);
    }
    Shift(fn, sn);
  }
  if (sn != 0) return NotShown("it has too few hashes");
  if (first_reached != first_root) {
    return NotShown("it leads to another root of the first tree");
  }
  if (second_reached != second_root) {
    return NotShown("it leads to another root of the second tree");
  }
  return absl::OkStatus();
}

}  // namespace schleuse
