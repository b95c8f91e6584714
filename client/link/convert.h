// Between the uploader's plain messages and the wire. It knows no calls.
#ifndef SCHLEUSE_CLIENT_LINK_CONVERT_H_
#define SCHLEUSE_CLIENT_LINK_CONVERT_H_

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>

#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/uploader/messages.h"
#include "proto/transfer.pb.h"

namespace schleuse::client {

// An UploadRequest, serialized. The bytes of a chunk are shared, not copied.
grpc::ByteBuffer ToWire(const Request& request);

// nullopt for a kind of reply that this program does not know yet.
//   Internal  a field holds what it cannot hold
absl::StatusOr<std::optional<Reply>> FromWire(
    const transfer::v1::UploadReply& reply);

absl::Status ToAbsl(const grpc::Status& status);

// From the status's details; what is missing or unreadable stays unset.
ErrorDetail DetailOf(const grpc::Status& status);

}  // namespace schleuse::client

#endif  // SCHLEUSE_CLIENT_LINK_CONVERT_H_
