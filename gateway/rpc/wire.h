// Upload messages as gRPC hands them over, read without copying footage: the
// bytes of a chunk stay where gRPC received them. It knows the wire format of
// protobuf and of UploadRequest, but no rule about what the fields may hold.
#ifndef SCHLEUSE_GATEWAY_RPC_WIRE_H_
#define SCHLEUSE_GATEWAY_RPC_WIRE_H_

#include <grpcpp/support/byte_buffer.h>

#include <cstdint>
#include <variant>

#include "absl/status/statusor.h"
#include "absl/strings/cord.h"
#include "proto/transfer.pb.h"

namespace schleuse {

// schleuse.transfer.v1.Chunk.
struct WireChunk {
  uint64_t offset = 0;
  uint32_t crc32c = 0;
  // Refers to gRPC's own buffers and keeps them alive; a small one is copied,
  // so that it does not keep a large buffer.
  absl::Cord data;
};

// schleuse.transfer.v1.UploadRequest; monostate if none of its fields that we
// know is set.
using WireRequest = std::variant<std::monostate, transfer::v1::Begin, WireChunk,
                                 transfer::v1::Finish>;

// Reads what protobuf's own parser would read, or refuses. Stricter than that
// parser: groups, numbers that do not fit their field, and messages that hold
// more than one request are refused.
//   InvalidArgument  malformed, or a Begin or Finish above
//   limits::kBeginBytesMax
absl::StatusOr<WireRequest> ParseUploadRequest(const grpc::ByteBuffer& bytes);

// The other way; any reply of ours is small.
grpc::ByteBuffer Serialize(const transfer::v1::UploadReply& reply);

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_RPC_WIRE_H_
