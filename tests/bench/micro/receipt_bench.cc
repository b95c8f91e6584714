// What a device spends on a receipt before it may erase: two signatures, a
// proof, a statement.
#include <string>

#include "benchmark/benchmark.h"
#include "crypto/signer.h"
#include "evidence/merkle.h"
#include "evidence/stored_receipt.h"
#include "evidence/test_receipts.h"

namespace schleuse {
namespace {

void VerifyReceipt(benchmark::State& state) {
  const TestReceipts gateway;
  const PinnedKeys pinned = gateway.pinned();
  const Held held = {*RecordingName::Parse("bwc-0815", "20260501-1230.mp4"),
                     1'800'000'000, Sha256::Of("footage")};
  const TestReceipts::Given given = gateway.For(held);
  for (auto _ : state) {
    const absl::StatusOr<StoredProven> stored =
        VerifyStored(given.receipt, given.statement, pinned);
    if (!stored.ok() || !CheckIsFor(*stored, held).ok()) {
      state.SkipWithError("the receipt does not hold");
    }
  }
}
BENCHMARK(VerifyReceipt);

// The path from a leaf to the root of a million entries.
void VerifyInclusionInAMillion(benchmark::State& state) {
  constexpr uint64_t kSize = 1 << 20;
  MerkleProof proof;
  Digest root = LeafHash("statement");
  const Digest leaf = root;
  for (int level = 0; level < 20; ++level) {
    proof.push_back(Sha256::Of("sibling"));
    root = NodeHash(root, proof.back());
  }
  for (auto _ : state) {
    if (!VerifyInclusion(0, kSize, leaf, proof, root).ok()) {
      state.SkipWithError("the proof does not hold");
    }
  }
}
BENCHMARK(VerifyInclusionInAMillion);

}  // namespace
}  // namespace schleuse
