// Wires the gateway once, ground floor first.
#ifndef SCHLEUSE_GATEWAY_GATEWAY_MAIN_H_
#define SCHLEUSE_GATEWAY_GATEWAY_MAIN_H_

namespace schleuse {

// `schleuse-gateway` as a function; returns its exit code (see --help). Once in
// a process, before any other thread.
int GatewayMain(int argc, char** argv);

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_GATEWAY_MAIN_H_
