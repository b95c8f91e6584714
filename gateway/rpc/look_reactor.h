// One GetTransfer or GetReceipt call. It moves messages and decides nothing.
#ifndef SCHLEUSE_GATEWAY_RPC_LOOK_REACTOR_H_
#define SCHLEUSE_GATEWAY_RPC_LOOK_REACTOR_H_

#include <grpcpp/support/server_callback.h>

#include "base/recording_name.h"
#include "gateway/access/device_counts.h"
#include "gateway/access/principal.h"
#include "gateway/transfer/intake.h"
#include "proto/transfer.pb.h"

namespace schleuse {

// Answers with how far `name` is; deletes itself when the call is over. Counts
// as long as it is not answered, also if its call was given up meanwhile.
grpc::ServerUnaryReactor* MakeLookReactor(Intake& intake,
                                          const Principal& principal,
                                          const RecordingName& name,
                                          transfer::v1::GetTransferReply& reply,
                                          DeviceCounted place);

// The same with the receipt that was given for `name`.
grpc::ServerUnaryReactor* MakeLookReactor(Intake& intake,
                                          const Principal& principal,
                                          const RecordingName& name,
                                          transfer::v1::Receipt& reply,
                                          DeviceCounted place);

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_RPC_LOOK_REACTOR_H_
