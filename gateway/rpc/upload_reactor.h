// One Upload call: gRPC's events on one side, a Stream of transfer/ on the
// other. It moves messages and decides nothing.
#ifndef SCHLEUSE_GATEWAY_RPC_UPLOAD_REACTOR_H_
#define SCHLEUSE_GATEWAY_RPC_UPLOAD_REACTOR_H_

#include <grpcpp/support/server_callback.h>

#include <memory>

#include "gateway/access/device_counts.h"
#include "gateway/access/principal.h"
#include "gateway/rpc/call_door.h"
#include "gateway/rpc/open_calls.h"
#include "gateway/transfer/intake.h"

namespace schleuse {

// Carries a call of `principal`; stands in `open` as long as the call lasts,
// and deletes itself when it is over. `silent_ticks_max` as CallDoor says.
UploadCall* MakeUploadReactor(grpc::CallbackServerContext& context,
                              Intake& intake, const Principal& principal,
                              DeviceCounted place,
                              std::shared_ptr<OpenCalls> open,
                              int silent_ticks_max);

// Ends a call at once with `status`; deletes itself.
UploadCall* MakeRefusal(const grpc::Status& status);

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_RPC_UPLOAD_REACTOR_H_
