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

bool Tell(wire::Statement& out, const Expired& event) {
  wire::Expired& told = *out.mutable_expired();
  SetTransfer(told, event);
  told.set_received_size(event.received_size);
  told.set_last_active(TimeText(event.last_active));
  return true;
}

wire::Place ToWire(Deleted::Place place) {
  switch (place) {
    case Deleted::Place::kStore:
      return wire::STORE;
    case Deleted::Place::kSpool:
      return wire::SPOOL;
    case Deleted::Place::kQuarantine:
      return wire::QUARANTINE;
  }
  return wire::PLACE_UNSPECIFIED;
}

bool Tell(wire::Statement& out, const Deleted& event) {
  wire::Deleted& told = *out.mutable_deleted();
  wire::Transfer& transfer = *told.mutable_transfer();
  if (event.name) {
    transfer.set_camera_id(event.name->camera_id());
    transfer.set_recording_id(event.name->recording_id());
  }
  transfer.set_transfer_id(event.transfer_id.ToString());
  transfer.set_device(event.device);
  told.set_place(ToWire(event.place));
  told.set_size(event.size);
  if (event.sha256) told.set_sha256(event.sha256->ToHex());
  told.set_rule(event.rule);
  told.set_legal_basis(event.legal_basis);
  told.set_retain_until(TimeText(event.retain_until));
  told.set_by("retention");
  return true;
}

bool Tell(wire::Statement& out, const Held& event) {
  wire::Held& told = *out.mutable_held();
  told.set_hold(event.hold);
  for (const std::string& id : event.cameras) told.add_cameras(id);
  for (const std::string& id : event.recordings) told.add_recordings(id);
  for (const std::string& id : event.incidents) told.add_incidents(id);
  told.set_reason(event.reason);
  told.set_by(event.by);
  return true;
}

bool Tell(wire::Statement& out, const Released& event) {
  out.mutable_released()->set_hold(event.hold);
  return true;
}

wire::Finding ToWire(Damaged::Finding finding) {
  switch (finding) {
    case Damaged::Finding::kMissing:
      return wire::MISSING;
    case Damaged::Finding::kDiffers:
      return wire::DIFFERS;
    case Damaged::Finding::kUnreadable:
      return wire::UNREADABLE;
    case Damaged::Finding::kUnproven:
      return wire::UNPROVEN;
  }
  return wire::FINDING_UNSPECIFIED;
}

bool Tell(wire::Statement& out, const Damaged& event) {
  wire::Damaged& told = *out.mutable_damaged();
  told.set_camera_id(event.name.camera_id());
  told.set_recording_id(event.name.recording_id());
  told.set_finding(ToWire(event.finding));
  told.set_detail(event.detail);
  told.set_location(event.location);
  return true;
}

bool Tell(wire::Statement& out, const Scrubbed& event) {
  wire::Scrubbed& told = *out.mutable_scrubbed();
  told.set_begun(TimeText(event.begun));
  told.set_sound(event.sound);
  told.set_bytes(event.bytes);
  told.set_damaged(event.damaged);
  told.set_deleted(event.deleted);
  told.set_stated(event.stated);
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

std::optional<absl::Time> TimeOf(int64_t unix_micros) {
  if (unix_micros == 0) return std::nullopt;
  return absl::FromUnixMicros(unix_micros);
}

Basis BasisOf(const wire::Metadata& metadata) {
  return {.incident = metadata.incident(),
          .legal_basis = metadata.legal_basis(),
          .home = metadata.home(),
          .start = TimeOf(metadata.start_unix_micros()),
          .retain_until = TimeOf(metadata.retain_until_unix_micros())};
}

absl::StatusOr<RecordingName> NameOf(const wire::Transfer& transfer) {
  return RecordingName::Parse(transfer.camera_id(), transfer.recording_id());
}

absl::StatusOr<Read::Stored> ReadStored(const wire::Statement& statement) {
  const wire::Stored& stored = statement.stored();
  ASSIGN_OR_RETURN(RecordingName name, NameOf(stored.transfer()));
  ASSIGN_OR_RETURN(TransferId transfer_id,
                   TransferId::Parse(stored.transfer().transfer_id()));
  ASSIGN_OR_RETURN(const Digest sha256, Digest::FromHex(stored.sha256()));
  Read::Stored read = {.name = std::move(name),
                       .transfer_id = std::move(transfer_id),
                       .device = stored.transfer().device(),
                       .size = stored.size(),
                       .sha256 = sha256,
                       .location = stored.location(),
                       .at = {},
                       .clock_synchronised = statement.clock_synchronised(),
                       .basis = BasisOf(stored.metadata())};
  std::string wrong;
  if (!absl::ParseTime(absl::RFC3339_full, statement.time(), &read.at,
                       &wrong)) {
    return absl::DataLossError(absl::StrCat("a statement's time: ", wrong));
  }
  return read;
}

}  // namespace

absl::StatusOr<Basis> ReadMetadata(absl::string_view metadata) {
  wire::Metadata parsed;
  if (!parsed.ParseFromArray(metadata.data(),
                             static_cast<int>(metadata.size()))) {
    return absl::DataLossError("the metadata of a transfer is none");
  }
  return BasisOf(parsed);
}

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
    ASSIGN_OR_RETURN(read.stored, ReadStored(parsed));
  }
  if (parsed.has_deleted() && parsed.deleted().place() == wire::STORE) {
    ASSIGN_OR_RETURN(read.deleted, NameOf(parsed.deleted().transfer()));
  }
  if (parsed.has_log_closed()) {
    read.next_origin = parsed.log_closed().next_origin();
  }
  return read;
}

}  // namespace schleuse::statement
