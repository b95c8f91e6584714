#include "gateway/spool/journal.h"

#include "absl/status/statusor.h"
#include "base/limits.h"
#include "proto/spool.pb.h"

namespace schleuse::journal {
namespace {

std::string String(absl::string_view text) { return std::string(text); }

spool::v1::SpoolRecord ToProto(const Begun& begun) {
  spool::v1::SpoolRecord proto;
  spool::v1::Begun& out = *proto.mutable_begun();
  out.set_camera_id(begun.name.camera_id());
  out.set_recording_id(begun.name.recording_id());
  out.set_principal(begun.principal);
  out.set_metadata(begun.metadata);
  out.set_begun_unix_micros(absl::ToUnixMicros(begun.at));
  out.set_extension(begun.extension);
  out.set_priority(begun.priority);
  return proto;
}

spool::v1::SpoolRecord ToProto(const ChunkWritten& chunk) {
  spool::v1::SpoolRecord proto;
  spool::v1::ChunkRecord& out = *proto.mutable_chunk();
  out.set_offset(chunk.offset);
  out.set_length(chunk.length);
  out.set_crc32c(chunk.crc32c);
  return proto;
}

spool::v1::SpoolRecord ToProto(const SyncedTo& synced) {
  spool::v1::SpoolRecord proto;
  proto.mutable_synced()->set_offset(synced.offset);
  return proto;
}

spool::v1::SpoolRecord ToProto(const FinishedAt& finished) {
  spool::v1::SpoolRecord proto;
  spool::v1::Finished& out = *proto.mutable_finished();
  out.set_size(finished.finished.size);
  out.set_sha256(String(finished.finished.sha256.bytes()));
  out.set_target(finished.target);
  return proto;
}

spool::v1::SpoolRecord ToProto(const Mismatch& mismatch) {
  spool::v1::SpoolRecord proto;
  spool::v1::Mismatched& out = *proto.mutable_mismatched();
  out.set_declared_size(mismatch.declared_size);
  out.set_declared_sha256(String(mismatch.declared.bytes()));
  out.set_received_size(mismatch.received_size);
  out.set_received_sha256(String(mismatch.received.bytes()));
  out.set_at_unix_micros(absl::ToUnixMicros(mismatch.at));
  return proto;
}

spool::v1::SpoolRecord ToProto(const Unknown&) { return {}; }

std::optional<Record> FromProto(const spool::v1::Begun& in) {
  absl::StatusOr<RecordingName> name =
      RecordingName::Parse(in.camera_id(), in.recording_id());
  if (!name.ok()) return std::nullopt;
  return Begun{.name = *std::move(name),
               .principal = in.principal(),
               .metadata = in.metadata(),
               .extension = in.extension(),
               .priority = in.priority(),
               .at = absl::FromUnixMicros(in.begun_unix_micros())};
}

std::optional<Record> FromProto(const spool::v1::Finished& in) {
  const absl::StatusOr<Digest> sha256 = Digest::FromBytes(in.sha256());
  if (!sha256.ok()) return std::nullopt;
  return FinishedAt{.finished = {.size = in.size(), .sha256 = *sha256},
                    .target = in.target()};
}

std::optional<Record> FromProto(const spool::v1::Mismatched& in) {
  const absl::StatusOr<Digest> declared =
      Digest::FromBytes(in.declared_sha256());
  const absl::StatusOr<Digest> received =
      Digest::FromBytes(in.received_sha256());
  if (!declared.ok() || !received.ok()) return std::nullopt;
  return Mismatch{.declared_size = in.declared_size(),
                  .declared = *declared,
                  .received_size = in.received_size(),
                  .received = *received,
                  .at = absl::FromUnixMicros(in.at_unix_micros())};
}

}  // namespace

std::string Encode(const Record& record) {
  return std::visit(
      [](const auto& of_kind) { return ToProto(of_kind).SerializeAsString(); },
      record);
}

std::optional<Record> Decode(absl::string_view payload) {
  spool::v1::SpoolRecord proto;
  if (!proto.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
    return std::nullopt;
  }
  switch (proto.record_case()) {
    case spool::v1::SpoolRecord::kBegun:
      return FromProto(proto.begun());
    case spool::v1::SpoolRecord::kChunk:
      // No recording has such bytes: sums of these numbers never wrap around.
      if (proto.chunk().offset() > limits::kRecordingBytesMax ||
          proto.chunk().length() > limits::kRecordingBytesMax ||
          proto.chunk().length() == 0) {
        return std::nullopt;
      }
      return ChunkWritten{.offset = proto.chunk().offset(),
                          .length = proto.chunk().length(),
                          .crc32c = proto.chunk().crc32c()};
    case spool::v1::SpoolRecord::kSynced:
      return SyncedTo{.offset = proto.synced().offset()};
    case spool::v1::SpoolRecord::kFinished:
      return FromProto(proto.finished());
    case spool::v1::SpoolRecord::kMismatched:
      return FromProto(proto.mismatched());
    case spool::v1::SpoolRecord::RECORD_NOT_SET:
      return Unknown{};
  }
  return Unknown{};
}

bool Summary::Add(const std::optional<Record>& record) {
  if (!record) return false;
  if (!begun) {
    const auto* first = std::get_if<Begun>(&*record);
    if (first == nullptr) return false;
    begun = *first;
  } else if (const auto* chunk = std::get_if<ChunkWritten>(&*record)) {
    // The recording went on behind it, whatever became of these bytes.
    finished.reset();
    if (chunk->offset != received) return false;
    received += chunk->length;
  } else if (const auto* at = std::get_if<FinishedAt>(&*record)) {
    if (at->finished.size != received) return false;
    finished = at->finished;
  } else if (std::holds_alternative<Mismatch>(*record)) {
    mismatched = true;
  }
  return true;
}

}  // namespace schleuse::journal
