#include "client/upload/upload_main.h"
#include "tests/e2e/failpoint_killer.h"

int main(int argc, char** argv) {
  schleuse::InstallFailpointKiller();
  return schleuse::client::UploadMain(argc, argv);
}
