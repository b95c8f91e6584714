#include "gateway/rpc/convert.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/status.h"
#include "base/utf8.h"
#include "proto/rich_status.pb.h"

namespace schleuse {
namespace {

namespace v1 = transfer::v1;

// What a stored file may be called behind its dot: containers of body-worn
// cameras and what lies beside them.
constexpr absl::string_view kExtensions[] = {
    "3gp",  "aac", "avi", "bin", "csv", "gpx", "jpeg", "jpg", "json", "m2ts",
    "m4a",  "m4v", "mkv", "mov", "mp3", "mp4", "mpeg", "mpg", "mts",  "ogg",
    "opus", "png", "tar", "ts",  "txt", "wav", "webm", "xml", "zip"};

std::string ExtensionOf(absl::string_view file_name) {
  const size_t dot = file_name.rfind('.');
  if (dot == absl::string_view::npos) return "bin";
  const std::string extension =
      absl::AsciiStrToLower(file_name.substr(dot + 1));
  const bool listed = std::find(std::begin(kExtensions), std::end(kExtensions),
                                extension) != std::end(kExtensions);
  return listed ? extension : "bin";
}

// In UTF-8: U+0000 to U+001F, U+007F, U+0080 to U+009F.
bool HoldsControl(absl::string_view utf8) {
  for (size_t i = 0; i < utf8.size(); ++i) {
    const auto byte = static_cast<unsigned char>(utf8[i]);
    if (byte < 0x20 || byte == 0x7F) return true;
    if (byte == 0xC2 && static_cast<unsigned char>(utf8[i + 1]) < 0xA0) {
      return true;
    }
  }
  return false;
}

absl::Status CheckText(absl::string_view field, absl::string_view text) {
  if (text.size() > limits::kMetadataFieldBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("metadata.", field, " is longer than ",
                     limits::kMetadataFieldBytesMax, " bytes"));
  }
  if (!IsUtf8(text) || HoldsControl(text)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "metadata.", field, " is not UTF-8 without control characters"));
  }
  return absl::OkStatus();
}

absl::Status CheckMetadata(const v1::Metadata& metadata) {
  RETURN_IF_ERROR(CheckText("camera_serial", metadata.camera_serial()));
  RETURN_IF_ERROR(CheckText("wearer", metadata.wearer()));
  RETURN_IF_ERROR(CheckText("incident", metadata.incident()));
  RETURN_IF_ERROR(CheckText("legal_basis", metadata.legal_basis()));
  RETURN_IF_ERROR(CheckText("codec", metadata.codec()));
  return CheckText("original_file_name", metadata.original_file_name());
}

absl::Status CheckSize(uint64_t size) {
  if (size <= limits::kRecordingBytesMax) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("size is beyond ", limits::kRecordingBytesMax, " bytes"));
}

Priority ToDomain(v1::Priority priority) {
  switch (priority) {
    case v1::PRIORITY_URGENT:
      return Priority::kUrgent;
    case v1::PRIORITY_BULK:
      return Priority::kBulk;
    default:
      return Priority::kNormal;
  }
}

v1::Rewind::Reason ToProto(Rewind::Reason reason) {
  switch (reason) {
    case Rewind::Reason::kGap:
      return v1::Rewind::GAP;
    case Rewind::Reason::kBadCrc:
      return v1::Rewind::BAD_CRC;
    case Rewind::Reason::kGatewayFault:
      return v1::Rewind::GATEWAY_FAULT;
  }
  return v1::Rewind::REASON_UNSPECIFIED;
}

v1::Pause::Reason ToProto(Pause::Reason reason) {
  switch (reason) {
    case Pause::Reason::kSpoolFull:
      return v1::Pause::SPOOL_FULL;
    case Pause::Reason::kStoreAway:
      return v1::Pause::STORE_AWAY;
    case Pause::Reason::kTooManyStreams:
      return v1::Pause::TOO_MANY_STREAMS;
    case Pause::Reason::kTooManyTransfers:
      return v1::Pause::TOO_MANY_TRANSFERS;
    case Pause::Reason::kHeld:
      return v1::Pause::HELD;
  }
  return v1::Pause::REASON_UNSPECIFIED;
}

v1::ErrorDetail::Reason ToProto(EndReason reason) {
  switch (reason) {
    case EndReason::kUnspecified:
      return v1::ErrorDetail::REASON_UNSPECIFIED;
    case EndReason::kBadMessage:
      return v1::ErrorDetail::BAD_MESSAGE;
    case EndReason::kNotGranted:
      return v1::ErrorDetail::NOT_GRANTED;
    case EndReason::kTakenOver:
      return v1::ErrorDetail::TAKEN_OVER;
    case EndReason::kOtherBytesStored:
      return v1::ErrorDetail::OTHER_BYTES_STORED;
    case EndReason::kResentBytesDiffer:
      return v1::ErrorDetail::RESENT_BYTES_DIFFER;
    case EndReason::kMismatch:
      return v1::ErrorDetail::MISMATCH;
    case EndReason::kTooManyRewinds:
      return v1::ErrorDetail::TOO_MANY_REWINDS;
    case EndReason::kHeldForOperator:
      return v1::ErrorDetail::HELD_FOR_OPERATOR;
    case EndReason::kStopping:
      return v1::ErrorDetail::STOPPING;
    case EndReason::kSpoolFault:
      return v1::ErrorDetail::SPOOL_FAULT;
    case EndReason::kPaused:
      return v1::ErrorDetail::PAUSED;
    case EndReason::kSilent:
      return v1::ErrorDetail::SILENT;
  }
  return v1::ErrorDetail::REASON_UNSPECIFIED;
}

struct ReplyFiller {
  v1::UploadReply& proto;

  void operator()(const Ready& ready) {
    v1::Ready& out = *proto.mutable_ready();
    if (ready.transfer_id) out.set_transfer_id(ready.transfer_id->ToString());
    out.set_offset(ready.offset);
    out.set_chunk_bytes_max(ready.chunk_bytes_max);
    out.set_credit_bytes(ready.credit_bytes);
    out.set_ack_every_bytes(ready.ack_every_bytes);
    out.set_ack_every_millis(absl::ToInt64Milliseconds(ready.ack_every));
    out.set_already_stored(ready.already_stored);
  }
  void operator()(const Ack& ack) {
    proto.mutable_ack()->set_durable_offset(ack.durable_offset);
    proto.mutable_ack()->set_credit_bytes(ack.credit_bytes);
  }
  void operator()(const Rewind& rewind) {
    proto.mutable_rewind()->set_offset(rewind.offset);
    proto.mutable_rewind()->set_reason(ToProto(rewind.reason));
  }
  void operator()(const Pause& pause) {
    proto.mutable_pause()->set_retry_after_millis(
        absl::ToInt64Milliseconds(pause.retry_after));
    proto.mutable_pause()->set_reason(ToProto(pause.reason));
  }
  void operator()(const GivenReceipt& receipt) {
    *proto.mutable_receipt() = ToProto(receipt);
  }
  void operator()(const Stored& stored) {
    proto.mutable_stored()->set_size(stored.size);
    proto.mutable_stored()->set_sha256(std::string(stored.sha256.bytes()));
  }
};

}  // namespace

absl::StatusOr<Begin> ToDomain(const v1::Begin& begin) {
  ASSIGN_OR_RETURN(
      RecordingName name,
      RecordingName::Parse(begin.camera_id(), begin.recording_id()));
  RETURN_IF_ERROR(CheckMetadata(begin.metadata()));
  std::optional<uint64_t> size;
  if (begin.has_size()) size = begin.size();
  RETURN_IF_ERROR(CheckSize(size.value_or(0)));
  return Begin{.name = std::move(name),
               .metadata = begin.metadata().SerializeAsString(),
               .extension = ExtensionOf(begin.metadata().original_file_name()),
               .priority = ToDomain(begin.priority()),
               .size = size};
}

absl::StatusOr<Finish> ToDomain(const v1::Finish& finish) {
  RETURN_IF_ERROR(CheckSize(finish.size()));
  const absl::StatusOr<Digest> sha256 = Digest::FromBytes(finish.sha256());
  if (!sha256.ok()) {
    return absl::InvalidArgumentError("Finish.sha256 is not 32 bytes");
  }
  return Finish{.size = finish.size(), .sha256 = *sha256};
}

Chunk ToDomain(WireChunk chunk) {
  return {.offset = chunk.offset,
          .crc32c = chunk.crc32c,
          .data = std::move(chunk.data)};
}

v1::Receipt ToProto(const GivenReceipt& receipt) {
  v1::Receipt proto;
  proto.set_camera_id(receipt.name.camera_id());
  proto.set_recording_id(receipt.name.recording_id());
  proto.set_size(receipt.size);
  proto.set_sha256(std::string(receipt.sha256.bytes()));
  proto.set_statement(receipt.statement);
  proto.set_proof(receipt.proof);
  return proto;
}

v1::UploadReply ToProto(const Reply& reply) {
  v1::UploadReply proto;
  std::visit(ReplyFiller{proto}, reply);
  return proto;
}

v1::GetTransferReply ToProto(const TransferView& view) {
  v1::GetTransferReply proto;
  if (view.transfer_id) proto.set_transfer_id(view.transfer_id->ToString());
  switch (view.state) {
    case TransferView::State::kReceiving:
      proto.set_state(v1::GetTransferReply::RECEIVING);
      break;
    case TransferView::State::kFinished:
      proto.set_state(v1::GetTransferReply::FINISHED);
      break;
    case TransferView::State::kStored:
      proto.set_state(v1::GetTransferReply::STORED);
      break;
    case TransferView::State::kDeleted:
      proto.set_state(v1::GetTransferReply::DELETED);
      break;
    case TransferView::State::kHeldForOperator:
      proto.set_state(v1::GetTransferReply::HELD_FOR_OPERATOR);
      break;
  }
  proto.set_received_offset(view.received_offset);
  proto.set_durable_offset(view.durable_offset);
  proto.set_mismatches(static_cast<uint32_t>(view.mismatches));
  return proto;
}

grpc::Status ToGrpc(const absl::Status& status) {
  // The two lists of codes are one (absl/status/status.h).
  return {static_cast<grpc::StatusCode>(status.code()),
          std::string(status.message())};
}

grpc::Status ToGrpc(const StreamEnd& end) {
  if (end.status.ok()) return grpc::Status::OK;
  v1::ErrorDetail detail;
  detail.set_reason(ToProto(end.reason));
  if (end.stored_sha256) {
    detail.set_stored_sha256(std::string(end.stored_sha256->bytes()));
  }
  detail.set_retry_after_millis(absl::ToInt64Milliseconds(end.retry_after));
  rich_status::v1::RichStatus rich;
  rich.set_code(static_cast<int>(end.status.code()));
  rich.set_message(std::string(end.status.message()));
  rich.add_details()->PackFrom(detail);
  return {static_cast<grpc::StatusCode>(end.status.code()),
          std::string(end.status.message()), rich.SerializeAsString()};
}

}  // namespace schleuse
