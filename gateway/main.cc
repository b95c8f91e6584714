#include "gateway/gateway_main.h"

int main(int argc, char** argv) { return schleuse::GatewayMain(argc, argv); }
