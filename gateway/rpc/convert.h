// Between the protobuf messages of the wire and the types of transfer/: the
// bounds that proto/transfer.proto sets to Begin and Finish are checked here
// (those of a chunk, where it is taken), nothing unparsed goes further in, and
// no inner detail goes out.
#ifndef SCHLEUSE_GATEWAY_RPC_CONVERT_H_
#define SCHLEUSE_GATEWAY_RPC_CONVERT_H_

#include <grpcpp/support/status.h>

#include "absl/status/statusor.h"
#include "gateway/rpc/wire.h"
#include "gateway/transfer/intake.h"
#include "gateway/transfer/messages.h"
#include "proto/transfer.pb.h"

namespace schleuse {

//   InvalidArgument  a field is out of its bounds; the message names it
absl::StatusOr<Begin> ToDomain(const transfer::v1::Begin& begin);
absl::StatusOr<Finish> ToDomain(const transfer::v1::Finish& finish);
Chunk ToDomain(WireChunk chunk);

transfer::v1::UploadReply ToProto(const Reply& reply);
transfer::v1::Receipt ToProto(const GivenReceipt& receipt);
transfer::v1::GetTransferReply ToProto(const TransferView& view);

// With an ErrorDetail in the status's details.
grpc::Status ToGrpc(const StreamEnd& end);
// The same code, for what has no detail.
grpc::Status ToGrpc(const absl::Status& status);

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_RPC_CONVERT_H_
