// Upload messages in the slices in which gRPC might hand them over: read as
// protobuf's own parser reads them, or refused; and nothing goes further in
// that is out of its bounds.
#include <google/protobuf/stubs/logging.h>

#include <algorithm>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "gateway/rpc/convert.h"
#include "gateway/rpc/wire.h"
#include "tests/fuzz/fuzz.h"

namespace schleuse {
namespace {

namespace v1 = transfer::v1;

// Slices of any length, empty ones too.
grpc::ByteBuffer Sliced(absl::string_view bytes, Random& random) {
  const size_t longest = 1 + Below(random, bytes.size() + 1);
  std::vector<grpc::Slice> slices;
  do {
    const size_t length = std::min(bytes.size(), Below(random, longest + 1));
    slices.emplace_back(bytes.data(), length);
    bytes.remove_prefix(length);
  } while (!bytes.empty());
  return grpc::ByteBuffer(slices.data(), slices.size());
}

v1::UploadRequest ToProto(const WireRequest& wire) {
  v1::UploadRequest proto;
  if (const auto* begin = std::get_if<v1::Begin>(&wire)) {
    *proto.mutable_begin() = *begin;
  } else if (const auto* chunk = std::get_if<WireChunk>(&wire)) {
    proto.mutable_chunk()->set_offset(chunk->offset);
    proto.mutable_chunk()->set_crc32c(chunk->crc32c);
    proto.mutable_chunk()->set_data(std::string(chunk->data));
  } else if (const auto* finish = std::get_if<v1::Finish>(&wire)) {
    *proto.mutable_finish() = *finish;
  }
  return proto;
}

void CheckBegin(const v1::Begin& begin) {
  const absl::StatusOr<Begin> inside = ToDomain(begin);
  if (!inside.ok()) {
    FUZZ_CHECK(absl::IsInvalidArgument(inside.status()));
    FUZZ_CHECK(IsUtf8(inside.status().message()));
    return;
  }
  FUZZ_CHECK(IsId(inside->name.camera_id()));
  FUZZ_CHECK(IsId(inside->name.recording_id()));
  FUZZ_CHECK(inside->name.camera_id() == begin.camera_id());
  FUZZ_CHECK(inside->name.recording_id() == begin.recording_id());
  FUZZ_CHECK(inside->metadata.size() <= limits::kBeginBytesMax);
  FUZZ_CHECK(IsId(inside->extension));  // it becomes part of a file's name
  FUZZ_CHECK(inside->size.has_value() == begin.has_size());
  FUZZ_CHECK(inside->size.value_or(0) <= limits::kRecordingBytesMax);
}

void CheckFinish(const v1::Finish& finish) {
  const absl::StatusOr<Finish> inside = ToDomain(finish);
  FUZZ_CHECK(inside.ok() == (finish.sha256().size() == Digest::kBytes &&
                             finish.size() <= limits::kRecordingBytesMax));
  if (inside.ok()) {
    FUZZ_CHECK(inside->sha256.bytes() == absl::string_view(finish.sha256()));
  }
}

}  // namespace

void Fuzz(absl::string_view bytes) {
  google::protobuf::SetLogHandler(nullptr);  // it speaks of every bad string
  SeededRandom random = RandomOf(bytes);
  const absl::StatusOr<WireRequest> ours =
      ParseUploadRequest(Sliced(bytes, random));
  if (!ours.ok()) {
    FUZZ_CHECK(absl::IsInvalidArgument(ours.status()));
    return;
  }
  v1::UploadRequest theirs;
  FUZZ_CHECK(
      theirs.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
  // We pass over what we do not know.
  theirs.DiscardUnknownFields();
  v1::UploadRequest mine = ToProto(*ours);
  mine.DiscardUnknownFields();
  FUZZ_CHECK(mine.SerializeAsString() == theirs.SerializeAsString());

  if (theirs.has_begin()) CheckBegin(theirs.begin());
  if (theirs.has_finish()) CheckFinish(theirs.finish());
}

}  // namespace schleuse
