#include "gateway/custody/statement.h"

#include <google/protobuf/util/json_util.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "evidence/statement.h"
#include "evidence/tile.h"
#include "proto/statement.pb.h"

namespace schleuse::statement {
namespace {

namespace wire = ::schleuse::statement::v1;

std::string TimeText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d%ET%H:%M:%E6SZ", time, absl::UTCTimeZone());
}

void Set(wire::Transfer& out, const RecordingName& name,
         const TransferId& transfer_id, const std::string& device) {
  out.set_camera_id(name.camera_id());
  out.set_recording_id(name.recording_id());
  out.set_transfer_id(transfer_id.ToString());
  out.set_device(device);
}

template <typename Message, typename Event>
void SetTransfer(Message& out, const Event& event) {
  Set(*out.mutable_transfer(), event.name, event.transfer_id, event.device);
}

// Each returns false if the event cannot be told.

bool Tell(wire::Statement& out, const LogBegun& event) {
  wire::LogBegun& told = *out.mutable_log_begun();
  told.set_origin(event.origin);
  told.set_previous_checkpoint(event.previous_checkpoint);
  told.set_reason(event.reason);
  return true;
}

bool Tell(wire::Statement& out, const LogClosed& event) {
  out.mutable_log_closed()->set_next_origin(event.next_origin);
  return true;
}

bool Tell(wire::Statement& out, const LogCut& event) {
  out.mutable_log_cut()->set_bytes(event.bytes);
  return true;
}

bool Tell(wire::Statement& out, const LogDeleted& event) {
  out.mutable_log_deleted()->set_origin(event.origin);
  out.mutable_log_deleted()->set_entries(event.entries);
  return true;
}

bool Tell(wire::Statement& out, const GatewayStarted& event) {
  out.mutable_gateway_started()->set_version(event.version);
  return true;
}

bool Tell(wire::Statement& out, const GatewayStopped&) {
  out.mutable_gateway_stopped();
  return true;
}

bool Tell(wire::Statement& out, const Opened& event) {
  SetTransfer(*out.mutable_opened(), event);
  return true;
}

bool Tell(wire::Statement& out, const TakenOver& event) {
  SetTransfer(*out.mutable_taken_over(), event);
  out.mutable_taken_over()->set_from_device(event.from_device);
  return true;
}

bool Tell(wire::Statement& out, const Stored& event) {
  wire::Stored& told = *out.mutable_stored();
  SetTransfer(told, event);
  told.set_size(event.size);
  told.set_sha256(event.sha256.ToHex());
  told.set_location(event.location);
  told.set_verified(event.read_back ? wire::READ_BACK
                                    : wire::WRITTEN_AND_SYNCED);
  return told.mutable_metadata()->ParseFromString(event.metadata);
}

bool Tell(wire::Statement& out, const Conflicting& event) {
  SetTransfer(*out.mutable_conflicting(), event);
  out.mutable_conflicting()->set_sha256(event.sha256.ToHex());
  return true;
}

bool Tell(wire::Statement& out, const Quarantined& event) {
  wire::Quarantined& told = *out.mutable_quarantined();
  SetTransfer(told, event);
  told.set_declared_size(event.declared_size);
  told.set_declared_sha256(event.declared.ToHex());
  told.set_received_size(event.received_size);
  told.set_received_sha256(event.received.ToHex());
  return true;
}

bool Tell(wire::Statement& out, const Refused& event) {
  wire::Refused& told = *out.mutable_refused();
  told.mutable_transfer()->set_camera_id(event.name.camera_id());
  told.mutable_transfer()->set_recording_id(event.name.recording_id());
  told.mutable_transfer()->set_device(event.device);
  told.set_reason(event.reason);
  told.set_left_out(event.left_out);
  return true;
}

bool Tell(wire::Statement& out, const CertificateRefused& event) {
  wire::CertificateRefused& told = *out.mutable_certificate_refused();
  told.set_device(event.device);
  told.set_serial(event.serial);
  told.set_reason(event.reason);
  told.set_left_out(event.left_out);
  return true;
}

bool Tell(wire::Statement& out, const EgressRefused& event) {
  wire::EgressRefused& told = *out.mutable_egress_refused();
  told.set_host(event.host);
  told.set_port(event.port);
  told.set_address(event.address);
  told.set_reason(event.reason);
  told.set_left_out(event.left_out);
  return true;
}

bool Tell(wire::Statement& out, const Residency& event) {
  wire::Residency& told = *out.mutable_residency();
  told.set_from(TimeText(event.from));
  told.set_to(TimeText(event.to));
  for (const Residency::Peer& peer : event.peers) {
    wire::Residency::Peer& one = *told.add_peers();
    one.set_address(peer.address);
    one.set_certificate_sha256(peer.certificate_sha256);
    one.set_bytes_sent(peer.bytes_sent);
    one.set_bytes_received(peer.bytes_received);
    one.set_connections(peer.connections);
  }
  told.set_complete(event.complete);
  told.set_local_store(event.local_store);
  told.set_part(event.part);
  told.set_parts(event.parts);
  return true;
}

}  // namespace

absl::StatusOr<std::string> Write(const Frame& frame, const Event& event) {
  wire::Statement statement;
  statement.set_gateway(frame.gateway);
  statement.set_time(TimeText(frame.time));
  statement.set_clock_synchronised(frame.clock_synchronised);
  statement.set_nonce(frame.nonce);
  const bool told = std::visit(
      [&statement](const auto& of_kind) { return Tell(statement, of_kind); },
      event);
  if (!told) {
    return absl::InvalidArgumentError("the metadata of a transfer is none");
  }
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string json;
  const auto printed =
      google::protobuf::util::MessageToJsonString(statement, &json, options);
  if (!printed.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a statement cannot be written: ", std::string(printed.message())));
  }
  if (json.size() > kEntryBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("a statement of ", json.size(), " bytes is too long"));
  }
  return json;
}

absl::StatusOr<Read> ReadBack(absl::string_view statement) {
  ASSIGN_OR_RETURN(const wire::Statement parsed, ParseStatement(statement));
  Read read;
  if (parsed.has_stored()) {
    const wire::Transfer& transfer = parsed.stored().transfer();
    ASSIGN_OR_RETURN(
        RecordingName name,
        RecordingName::Parse(transfer.camera_id(), transfer.recording_id()));
    ASSIGN_OR_RETURN(const Digest sha256,
                     Digest::FromHex(parsed.stored().sha256()));
    read.stored = Read::Stored{.name = std::move(name),
                               .size = parsed.stored().size(),
                               .sha256 = sha256};
  }
  if (parsed.has_log_closed()) {
    read.next_origin = parsed.log_closed().next_origin();
  }
  return read;
}

}  // namespace schleuse::statement
