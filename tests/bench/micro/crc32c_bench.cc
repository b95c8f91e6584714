#include <string>

#include "base/crc32c.h"
#include "benchmark/benchmark.h"

namespace schleuse {
namespace {

void Crc32cOfChunk(benchmark::State& state) {
  const std::string bytes(static_cast<size_t>(state.range(0)), 'x');
  for (auto _ : state) {
    benchmark::DoNotOptimize(Crc32c(absl::string_view(bytes)));
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(Crc32cOfChunk)->Arg(4 << 10)->Arg(256 << 10)->Arg(1 << 20);

}  // namespace
}  // namespace schleuse
