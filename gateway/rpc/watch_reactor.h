// One WatchReceipts call. It moves messages and decides nothing.
#ifndef SCHLEUSE_GATEWAY_RPC_WATCH_REACTOR_H_
#define SCHLEUSE_GATEWAY_RPC_WATCH_REACTOR_H_

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <vector>

#include "absl/status/statusor.h"
#include "base/recording_name.h"
#include "gateway/access/device_counts.h"
#include "gateway/access/principal.h"
#include "gateway/transfer/intake.h"

namespace schleuse {

using WatchCall = grpc::ServerWriteReactor<grpc::ByteBuffer>;

// The names of a WatchReceiptsRequest, of which no more is parsed than may be.
//   InvalidArgument  it is none, names too many recordings, or no recording
absl::StatusOr<std::vector<RecordingName>> NamesOf(
    const grpc::ByteBuffer& request);

// Sends the receipts of `names`, those that exist first, and of whatever the
// device brings; deletes itself when the call is over.
WatchCall* MakeWatchReactor(Intake& intake, const Principal& principal,
                            const std::vector<RecordingName>& names,
                            DeviceCounted place);

// Ends at once.
WatchCall* MakeWatchRefusal(const grpc::Status& status);

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_RPC_WATCH_REACTOR_H_
