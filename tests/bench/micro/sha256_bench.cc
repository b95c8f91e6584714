#include <string>

#include "benchmark/benchmark.h"
#include "crypto/digest.h"

namespace schleuse {
namespace {

void Sha256OfChunk(benchmark::State& state) {
  const std::string bytes(static_cast<size_t>(state.range(0)), 'x');
  Sha256 running;
  for (auto _ : state) {
    running.Update(absl::string_view(bytes));
  }
  benchmark::DoNotOptimize(running.Current());
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(Sha256OfChunk)->Arg(4 << 10)->Arg(256 << 10)->Arg(1 << 20);

}  // namespace
}  // namespace schleuse
