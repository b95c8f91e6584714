// One GetTransfer call. It moves messages and decides nothing.
#ifndef SCHLEUSE_GATEWAY_RPC_LOOK_REACTOR_H_
#define SCHLEUSE_GATEWAY_RPC_LOOK_REACTOR_H_

#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <memory>

#include "base/recording_name.h"
#include "gateway/access/principal.h"
#include "gateway/transfer/intake.h"
#include "proto/transfer.pb.h"

namespace schleuse {

// Answers with how far `name` is; deletes itself when the call is over.
// `looking` counts the questions that are not answered yet, those of calls that
// were given up meanwhile too.
grpc::ServerUnaryReactor* MakeLookReactor(
    Intake& intake, const Principal& principal, const RecordingName& name,
    transfer::v1::GetTransferReply& reply,
    std::shared_ptr<std::atomic<int>> looking);

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_RPC_LOOK_REACTOR_H_
