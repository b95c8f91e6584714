// gRPC's own log lines, brought into ours: some handshake failures show nowhere
// else.
#ifndef SCHLEUSE_GATEWAY_RPC_GRPC_LOG_H_
#define SCHLEUSE_GATEWAY_RPC_GRPC_LOG_H_

namespace schleuse {

// For the whole process. gRPC's lines of one source line come at most once a
// second; how many were left out is said with the next.
void RouteGrpcLog();

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_RPC_GRPC_LOG_H_
