#include "client/verify/verify_main.h"

int main(int argc, char** argv) {
  return schleuse::client::VerifyMain(argc, argv);
}
