// What a device spends on a receipt before it may erase: two signatures, a
// proof, a statement.
#include <string>

#include "absl/strings/str_cat.h"
#include "base/random.h"
#include "benchmark/benchmark.h"
#include "crypto/signer.h"
#include "evidence/merkle.h"
#include "evidence/stored_receipt.h"
#include "evidence/test_receipts.h"
#include "gateway/custody/keys.h"
#include "gateway/custody/statement.h"

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

// What a batch of statements costs the gateway besides its sync.
void SignCheckpoint(benchmark::State& state) {
  const CustodyKeys keys = *CustodyKeys::Generate("police.example/gw-1");
  const Checkpoint checkpoint = {"police.example/gw-1/custody/2026", 12'345,
                                 Sha256::Of("root")};
  for (auto _ : state) benchmark::DoNotOptimize(keys.Sign(checkpoint));
}
BENCHMARK(SignCheckpoint);

void WriteStatement(benchmark::State& state) {
  const statement::Frame frame = {.gateway = "police.example/gw-1",
                                  .time = absl::FromUnixSeconds(1'800'000'000),
                                  .clock_synchronised = true,
                                  .nonce = std::string(32, 'n')};
  SystemRandom random;
  const RecordingName name =
      *RecordingName::Parse("bwc-0815", "20260501-1230.mp4");
  const statement::Event event = statement::Stored{
      .name = name,
      .transfer_id = TransferId::Make(random),
      .device = "spiffe://police.example/dock/stuttgart-1/d07",
      .size = 1'800'000'000,
      .sha256 = Sha256::Of("footage"),
      .location = absl::StrCat(name.ToString(), "/recording.mp4"),
      .read_back = false,
      .metadata = ""};
  for (auto _ : state) {
    benchmark::DoNotOptimize(statement::Write(frame, event));
  }
}
BENCHMARK(WriteStatement);

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
