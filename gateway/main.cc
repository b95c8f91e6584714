#include <grpc/grpc.h>
#include <malloc.h>

#include <algorithm>
#include <thread>

#include "base/run_program.h"
#include "gateway/gateway_main.h"

namespace {

// Before the first thread: from then on malloc knows how many arenas it has.
void SetMemory() {
  // gRPC's slices of 1 MiB would else be mapped, and their pages faulted in,
  // anew each time.
  mallopt(M_MMAP_THRESHOLD, 64 << 20);
  mallopt(M_TRIM_THRESHOLD, 256 << 20);
  // And arenas would grow a page or two at a time.
  mallopt(M_TOP_PAD, 1 << 20);
  // What one thread reads another frees, so that each arena has its holes: with
  // 256 streams sixteen of them took half as much again as one.
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  mallopt(M_ARENA_MAX, std::max(1, cores / 2));
}

}  // namespace

int main(int argc, char** argv) {
  SetMemory();
  schleuse::RunProgram(grpc_init, schleuse::GatewayMain, argc, argv);
}
