#include <grpc/grpc.h>
#include <unistd.h>

#include <cstdio>

#include "base/signals_blocked.h"
#include "client/upload/upload_main.h"

namespace {

// It makes its first threads now, and whoever waits for a signal begins later.
void HoldGrpc() {
  const schleuse::SignalsBlocked blocked;
  grpc_init();
}

}  // namespace

int main(int argc, char** argv) {
  // Held to the end: whoever lets go of gRPC last may wait ten seconds for a
  // thread of its own that sleeps.
  HoldGrpc();
  const int code = schleuse::client::UploadMain(argc, argv);
  std::fflush(nullptr);
  _exit(code);  // such threads may still run
}
