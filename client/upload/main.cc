#include <grpc/grpc.h>
#include <unistd.h>

#include <cstdio>

#include "client/upload/upload_main.h"

int main(int argc, char** argv) {
  // Held to the end: whoever lets go of gRPC last may wait ten seconds for a
  // thread of its own that sleeps.
  grpc_init();
  const int code = schleuse::client::UploadMain(argc, argv);
  std::fflush(nullptr);
  _exit(code);  // such threads may still run
}
