#include "client/link/convert.h"

#include <google/protobuf/io/coded_stream.h>
#include <grpcpp/support/slice.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status.h"
#include "proto/rich_status.pb.h"

namespace schleuse::client {
namespace {

namespace wire = transfer::v1;
using google::protobuf::io::CodedOutputStream;

// Tags of proto/transfer.proto: field number and wire type.
constexpr uint32_t kRequestChunk = 2 << 3 | 2;
constexpr uint32_t kChunkOffset = 1 << 3 | 0;
constexpr uint32_t kChunkCrc32c = 2 << 3 | 5;
constexpr uint32_t kChunkData = 3 << 3 | 2;

// A hostile number of milliseconds must not overflow anything.
absl::Duration Millis(uint64_t millis) {
  constexpr uint64_t kYear = uint64_t{366} * 24 * 3600 * 1000;
  return absl::Milliseconds(static_cast<int64_t>(std::min(millis, kYear)));
}

wire::Priority ToProto(Priority priority) {
  switch (priority) {
    case Priority::kUnspecified:
      break;
    case Priority::kUrgent:
      return wire::PRIORITY_URGENT;
    case Priority::kNormal:
      return wire::PRIORITY_NORMAL;
    case Priority::kBulk:
      return wire::PRIORITY_BULK;
  }
  return wire::PRIORITY_UNSPECIFIED;
}

wire::Begin ToProto(const Begin& begin) {
  wire::Begin proto;
  proto.set_camera_id(begin.name.camera_id());
  proto.set_recording_id(begin.name.recording_id());
  proto.set_priority(ToProto(begin.priority));
  if (begin.size) proto.set_size(*begin.size);
  const Metadata& from = begin.metadata;
  wire::Metadata& to = *proto.mutable_metadata();
  to.set_camera_serial(from.camera_serial);
  to.set_wearer(from.wearer);
  to.set_start_unix_micros(from.start_unix_micros);
  to.set_duration_millis(from.duration_millis);
  to.set_incident(from.incident);
  to.set_legal_basis(from.legal_basis);
  to.set_home(from.home);
  to.set_retain_until_unix_micros(from.retain_until_unix_micros);
  to.set_codec(from.codec);
  to.set_original_file_name(from.original_file_name);
  to.set_device_clock_unix_micros(from.device_clock_unix_micros);
  return proto;
}

// The pieces of `bytes`, each keeping all of them alive.
void AppendSlices(const absl::Cord& bytes, std::vector<grpc::Slice>& slices) {
  const auto held = std::make_shared<const absl::Cord>(bytes);
  for (const absl::string_view piece : held->Chunks()) {
    slices.emplace_back(
        const_cast<char*>(piece.data()), piece.size(),
        [](void* owner) {
          delete static_cast<std::shared_ptr<const absl::Cord>*>(owner);
        },
        new std::shared_ptr<const absl::Cord>(held));
  }
}

// By hand, because protobuf would copy the footage twice.
grpc::ByteBuffer ChunkToWire(const Chunk& chunk) {
  uint8_t inner[32];
  uint8_t* end = inner;
  end = CodedOutputStream::WriteTagToArray(kChunkOffset, end);
  end = CodedOutputStream::WriteVarint64ToArray(chunk.offset, end);
  end = CodedOutputStream::WriteTagToArray(kChunkCrc32c, end);
  end = CodedOutputStream::WriteLittleEndian32ToArray(chunk.crc32c, end);
  end = CodedOutputStream::WriteTagToArray(kChunkData, end);
  end = CodedOutputStream::WriteVarint64ToArray(chunk.data.size(), end);
  const size_t inner_bytes = static_cast<size_t>(end - inner);

  uint8_t outer[16];
  uint8_t* outer_end = CodedOutputStream::WriteTagToArray(kRequestChunk, outer);
  outer_end = CodedOutputStream::WriteVarint64ToArray(
      inner_bytes + chunk.data.size(), outer_end);

  std::string head(outer, outer_end);
  head.append(inner, end);
  std::vector<grpc::Slice> slices;
  slices.emplace_back(head);
  AppendSlices(chunk.data, slices);
  return grpc::ByteBuffer(slices.data(), slices.size());
}

grpc::ByteBuffer Serialize(const wire::UploadRequest& request) {
  const grpc::Slice slice(request.SerializeAsString());
  return grpc::ByteBuffer(&slice, 1);
}

Rewind::Reason FromProto(wire::Rewind::Reason reason) {
  switch (reason) {
    case wire::Rewind::GAP:
      return Rewind::Reason::kGap;
    case wire::Rewind::BAD_CRC:
      return Rewind::Reason::kBadCrc;
    case wire::Rewind::GATEWAY_FAULT:
      return Rewind::Reason::kGatewayFault;
    default:
      return Rewind::Reason::kUnspecified;
  }
}

Pause::Reason FromProto(wire::Pause::Reason reason) {
  switch (reason) {
    case wire::Pause::SPOOL_FULL:
      return Pause::Reason::kSpoolFull;
    case wire::Pause::STORE_AWAY:
      return Pause::Reason::kStoreAway;
    case wire::Pause::TOO_MANY_STREAMS:
      return Pause::Reason::kTooManyStreams;
    case wire::Pause::HELD:
      return Pause::Reason::kHeld;
    case wire::Pause::TOO_MANY_TRANSFERS:
      return Pause::Reason::kTooManyTransfers;
    default:
      return Pause::Reason::kUnspecified;
  }
}

ErrorDetail::Reason FromProto(wire::ErrorDetail::Reason reason) {
  using Reason = ErrorDetail::Reason;
  switch (reason) {
    case wire::ErrorDetail::BAD_MESSAGE:
      return Reason::kBadMessage;
    case wire::ErrorDetail::NOT_GRANTED:
      return Reason::kNotGranted;
    case wire::ErrorDetail::TAKEN_OVER:
      return Reason::kTakenOver;
    case wire::ErrorDetail::OTHER_BYTES_STORED:
      return Reason::kOtherBytesStored;
    case wire::ErrorDetail::RESENT_BYTES_DIFFER:
      return Reason::kResentBytesDiffer;
    case wire::ErrorDetail::MISMATCH:
      return Reason::kMismatch;
    case wire::ErrorDetail::TOO_MANY_REWINDS:
      return Reason::kTooManyRewinds;
    case wire::ErrorDetail::HELD_FOR_OPERATOR:
      return Reason::kHeldForOperator;
    case wire::ErrorDetail::STOPPING:
      return Reason::kStopping;
    case wire::ErrorDetail::SPOOL_FAULT:
      return Reason::kSpoolFault;
    case wire::ErrorDetail::PAUSED:
      return Reason::kPaused;
    case wire::ErrorDetail::SILENT:
      return Reason::kSilent;
    default:
      return Reason::kUnspecified;
  }
}

Ready FromProto(const wire::Ready& proto) {
  Ready ready;
  ready.transfer_id = proto.transfer_id();
  ready.offset = proto.offset();
  ready.chunk_bytes_max = proto.chunk_bytes_max();
  ready.credit_bytes = proto.credit_bytes();
  ready.ack_every_bytes = proto.ack_every_bytes();
  ready.ack_every = Millis(proto.ack_every_millis());
  ready.already_stored = proto.already_stored();
  return ready;
}

absl::StatusOr<std::optional<Reply>> FromProto(const wire::Stored& proto) {
  const absl::StatusOr<Digest> sha256 = Digest::FromBytes(proto.sha256());
  if (!sha256.ok()) {
    return absl::InternalError("the gateway's Stored holds no SHA-256");
  }
  return Reply(Stored{proto.size(), *sha256});
}

absl::StatusOr<std::optional<Reply>> FromProto(const wire::Receipt& proto) {
  const absl::StatusOr<Digest> sha256 = Digest::FromBytes(proto.sha256());
  if (!sha256.ok()) {
    return absl::InternalError("the gateway's Receipt holds no SHA-256");
  }
  return Reply(Receipt{proto.camera_id(), proto.recording_id(), proto.size(),
                       *sha256, proto.statement(), proto.proof()});
}

// gRPC 1.51 says of a connection that cannot be made "failed to connect to all
// addresses; last error: UNKNOWN: ipv4:...: Failed to connect to remote host:
// Connection refused", of which a line on a terminal shows the least. Other
// words stay as they are.
std::string ForAPerson(absl::string_view words) {
  if (!absl::ConsumePrefix(
          &words, "failed to connect to all addresses; last error: ")) {
    return std::string(words);
  }
  absl::ConsumePrefix(&words, "UNKNOWN: ");
  absl::ConsumePrefix(&words, "UNAVAILABLE: ");
  // Why comes before whereto.
  std::string address;
  if (const size_t end = words.find(": "); end != absl::string_view::npos) {
    address = absl::StrCat(" (", words.substr(0, end), ")");
    words.remove_prefix(end + 2);
  }
  absl::ConsumePrefix(&words, "Failed to connect to remote host: ");
  std::string said = absl::StrCat("cannot connect: ", words);
  // In TLS 1.3 a client thinks that it is through before the gateway has looked
  // at its certificate; strangers are then left without a word.
  if (absl::EndsWith(said, "Socket closed") ||
      absl::EndsWith(said, "Connection reset by peer")) {
    said += "; does it accept this device's certificate?";
  }
  return said + address;
}

}  // namespace

grpc::ByteBuffer ToWire(const Request& request) {
  if (const auto* chunk = std::get_if<Chunk>(&request)) {
    return ChunkToWire(*chunk);
  }
  wire::UploadRequest proto;
  if (const auto* begin = std::get_if<Begin>(&request)) {
    *proto.mutable_begin() = ToProto(*begin);
  } else {
    const auto& finish = std::get<Finish>(request);
    proto.mutable_finish()->set_size(finish.size);
    proto.mutable_finish()->set_sha256(std::string(finish.sha256.bytes()));
  }
  return Serialize(proto);
}

absl::StatusOr<std::optional<Reply>> FromWire(const wire::UploadReply& reply) {
  switch (reply.reply_case()) {
    case wire::UploadReply::kReady:
      return Reply(FromProto(reply.ready()));
    case wire::UploadReply::kAck:
      return Reply(
          Ack{reply.ack().durable_offset(), reply.ack().credit_bytes()});
    case wire::UploadReply::kRewind:
      return Reply(
          Rewind{reply.rewind().offset(), FromProto(reply.rewind().reason())});
    case wire::UploadReply::kPause:
      return Reply(Pause{Millis(reply.pause().retry_after_millis()),
                         FromProto(reply.pause().reason())});
    case wire::UploadReply::kStored:
      return FromProto(reply.stored());
    case wire::UploadReply::kReceipt:
      return FromProto(reply.receipt());
    case wire::UploadReply::REPLY_NOT_SET:
      break;
  }
  return std::nullopt;
}

absl::Status ToAbsl(const grpc::Status& status) {
  // The two sets of codes are the same, number for number.
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                      ForAPerson(status.error_message()));
}

ErrorDetail DetailOf(const grpc::Status& status) {
  ErrorDetail detail;
  rich_status::v1::RichStatus rich;
  if (!rich.ParseFromString(status.error_details())) return detail;
  for (const google::protobuf::Any& any : rich.details()) {
    wire::ErrorDetail proto;
    if (!any.UnpackTo(&proto)) continue;
    detail.reason = FromProto(proto.reason());
    detail.retry_after = Millis(proto.retry_after_millis());
    if (auto sha256 = Digest::FromBytes(proto.stored_sha256()); sha256.ok()) {
      detail.stored_sha256 = *sha256;
    }
    break;
  }
  return detail;
}

}  // namespace schleuse::client
