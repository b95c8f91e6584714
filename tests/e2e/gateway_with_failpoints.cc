#include "gateway/gateway_main.h"
#include "tests/e2e/failpoint_killer.h"

int main(int argc, char** argv) {
  schleuse::InstallFailpointKiller();
  return schleuse::GatewayMain(argc, argv);
}
