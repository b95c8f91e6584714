#include <grpc/grpc.h>

#include "base/run_program.h"
#include "client/upload/upload_main.h"

int main(int argc, char** argv) {
  schleuse::RunProgram(grpc_init, schleuse::client::UploadMain, argc, argv);
}
