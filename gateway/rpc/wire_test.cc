#include "gateway/rpc/wire.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/limits.h"
#include "base/random.h"
#include "base/status_matchers.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

namespace v1 = transfer::v1;
using ::testing::HasSubstr;

uint64_t Below(SeededRandom& random, uint64_t bound) {
  return random.Next() % bound;
}

grpc::ByteBuffer Buffer(absl::string_view bytes) {
  const grpc::Slice slice(bytes.data(), bytes.size());
  return grpc::ByteBuffer(&slice, 1);
}

// Cuts `bytes` into slices of any length, empty and inlined ones too.
grpc::ByteBuffer Sliced(absl::string_view bytes, SeededRandom& random) {
  std::vector<grpc::Slice> slices;
  const uint64_t longest = uint64_t{1} << Below(random, 14);
  while (!bytes.empty()) {
    const size_t length =
        std::min<size_t>(bytes.size(), Below(random, longest + 1));
    slices.emplace_back(bytes.data(), length);
    bytes.remove_prefix(length);
  }
  return grpc::ByteBuffer(slices.data(), slices.size());
}

// Back into protobuf's type, to compare with its own parser.
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

std::string RandomBytes(SeededRandom& random, size_t length) {
  std::string bytes(length, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random.Next());
  return bytes;
}

v1::UploadRequest RandomRequest(SeededRandom& random) {
  v1::UploadRequest request;
  switch (Below(random, 8)) {
    case 0:
      break;
    case 1: {
      v1::Begin& begin = *request.mutable_begin();
      begin.set_camera_id(std::string(Below(random, 200), 'c'));
      begin.set_recording_id("r");
      begin.mutable_metadata()->set_wearer(
          std::string(Below(random, 600), 'w'));
      begin.mutable_metadata()->set_start_unix_micros(
          static_cast<int64_t>(random.Next()));
      begin.set_priority(static_cast<v1::Priority>(Below(random, 6)));
      if (Below(random, 2) == 0) begin.set_size(random.Next());
      break;
    }
    case 2:
      request.mutable_finish()->set_size(random.Next());
      request.mutable_finish()->set_sha256(RandomBytes(random, 32));
      break;
    default:
      request.mutable_chunk()->set_offset(random.Next() >> Below(random, 64));
      request.mutable_chunk()->set_crc32c(static_cast<uint32_t>(random.Next()));
      request.mutable_chunk()->set_data(
          RandomBytes(random, Below(random, 1 << Below(random, 15))));
  }
  return request;
}

// Flips, removes, repeats or adds bytes, mostly at the front, where the framing
// is.
void Mutate(std::string& bytes, SeededRandom& random) {
  for (uint64_t times = Below(random, 4); times > 0; --times) {
    const size_t reach = Below(random, 4) == 0 ? bytes.size() : 24;
    const size_t at = Below(random, std::min(reach, bytes.size()) + 1);
    switch (Below(random, 4)) {
      case 0:
        if (at < bytes.size()) bytes[at] = static_cast<char>(random.Next());
        break;
      case 1:
        bytes.erase(at, Below(random, 4));
        break;
      case 2:
        bytes.insert(at, RandomBytes(random, Below(random, 6)));
        break;
      case 3:
        bytes.insert(at, bytes.substr(at / 2, Below(random, 32)));
        break;
    }
  }
}

TEST(WireTest, ReadsWhatProtobufReadsOrRefuses) {
  SeededRandom random(2024);
  int read = 0;
  int refused_though_readable = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = RandomRequest(random).SerializeAsString();
    const bool intact = Below(random, 3) == 0;
    if (!intact) Mutate(bytes, random);

    const absl::StatusOr<WireRequest> ours =
        ParseUploadRequest(Sliced(bytes, random));
    v1::UploadRequest theirs;
    const bool readable = theirs.ParseFromString(bytes);
    if (!ours.ok()) {
      EXPECT_THAT(ours, StatusIs(absl::StatusCode::kInvalidArgument));
      EXPECT_FALSE(intact) << "message " << i;
      refused_though_readable += readable;
      continue;
    }
    ++read;
    ASSERT_TRUE(readable) << "message " << i;
    // Unknown fields are passed over on our side.
    theirs.DiscardUnknownFields();
    if (auto* chunk = theirs.has_chunk() ? theirs.mutable_chunk() : nullptr) {
      chunk->DiscardUnknownFields();
    }
    v1::UploadRequest mine = ToProto(*ours);
    mine.DiscardUnknownFields();
    ASSERT_EQ(mine.SerializeAsString(), theirs.SerializeAsString())
        << "message " << i;
  }
  EXPECT_GT(read, 8'000);
  // Stricter, but not in general.
  EXPECT_LT(refused_though_readable, 1'000);
}

TEST(WireTest, ALargeChunkIsNotCopied) {
  v1::UploadRequest request;
  request.mutable_chunk()->set_data(std::string(limits::kChunkBytesMax, 'x'));
  const grpc::ByteBuffer buffer = Buffer(request.SerializeAsString());
  grpc::Slice slice;
  ASSERT_TRUE(buffer.TrySingleSlice(&slice).ok());

  ASSERT_OK_AND_ASSIGN(const WireRequest wire, ParseUploadRequest(buffer));
  const absl::Cord& data = std::get<WireChunk>(wire).data;
  ASSERT_TRUE(data.TryFlat().has_value());
  const char* const bytes = data.TryFlat()->data();
  EXPECT_GE(bytes, reinterpret_cast<const char*>(slice.begin()));
  EXPECT_LE(bytes + data.size(), reinterpret_cast<const char*>(slice.end()));
}

// As gRPC hands it over: many slices, each a piece of what TLS decrypted.
TEST(WireTest, ALargeChunkOfManySlicesLiesInThem) {
  v1::UploadRequest request;
  request.mutable_chunk()->set_data(std::string(300'000, 'x'));
  const std::string bytes = request.SerializeAsString();
  std::vector<grpc::Slice> slices;
  for (size_t at = 0; at < bytes.size(); at += 8183) {
    const size_t length = std::min<size_t>(8183, bytes.size() - at);
    slices.emplace_back(bytes.data() + at, length);
  }
  const grpc::ByteBuffer buffer(slices.data(), slices.size());
  ASSERT_OK_AND_ASSIGN(const WireRequest wire, ParseUploadRequest(buffer));
  const absl::Cord& data = std::get<WireChunk>(wire).data;
  EXPECT_EQ(data, request.chunk().data());
  size_t copied = 0;
  for (const absl::string_view piece : data.Chunks()) {
    const bool inside = std::any_of(
        slices.begin(), slices.end(), [piece](const grpc::Slice& slice) {
          return piece.data() >= reinterpret_cast<const char*>(slice.begin()) &&
                 piece.data() + piece.size() <=
                     reinterpret_cast<const char*>(slice.end());
        });
    if (!inside) copied += piece.size();
  }
  EXPECT_LT(copied, 8183u);  // the short slice at the end, if any
}

TEST(WireTest, EveryTruncationIsReadAsProtobufReadsItOrRefused) {
  v1::UploadRequest begin;
  begin.mutable_begin()->set_camera_id("cam-1");
  begin.mutable_begin()->mutable_metadata()->set_wearer("w");
  begin.mutable_begin()->set_size(1 << 20);
  v1::UploadRequest chunk;
  chunk.mutable_chunk()->set_offset(uint64_t{1} << 60);
  chunk.mutable_chunk()->set_crc32c(0x01020304);
  chunk.mutable_chunk()->set_data(std::string(300, 'x'));
  v1::UploadRequest finish;
  finish.mutable_finish()->set_size(300);
  finish.mutable_finish()->set_sha256(std::string(32, 'h'));
  SeededRandom random(7);
  for (const v1::UploadRequest& request : {begin, chunk, finish}) {
    const std::string whole = request.SerializeAsString();
    for (size_t length = 0; length < whole.size(); ++length) {
      const std::string bytes = whole.substr(0, length);
      const absl::StatusOr<WireRequest> ours =
          ParseUploadRequest(Sliced(bytes, random));
      v1::UploadRequest theirs;
      ASSERT_EQ(ours.ok(), theirs.ParseFromString(bytes)) << length;
      if (ours.ok()) {
        EXPECT_EQ(ToProto(*ours).SerializeAsString(),
                  theirs.SerializeAsString());
      }
    }
  }
}

TEST(WireTest, AChunkOutlivesItsMessage) {
  WireRequest wire;
  {
    v1::UploadRequest request;
    request.mutable_chunk()->set_data(std::string(100'000, 'x'));
    ASSERT_OK_AND_ASSIGN(
        wire, ParseUploadRequest(Buffer(request.SerializeAsString())));
  }
  EXPECT_EQ(std::get<WireChunk>(wire).data, std::string(100'000, 'x'));
}

TEST(WireTest, ASmallChunkDoesNotKeepItsBuffer) {
  v1::UploadRequest request;
  request.mutable_chunk()->set_data(std::string(1000, 'x'));
  const grpc::ByteBuffer buffer = Buffer(request.SerializeAsString());
  grpc::Slice slice;
  ASSERT_TRUE(buffer.TrySingleSlice(&slice).ok());
  ASSERT_OK_AND_ASSIGN(const WireRequest wire, ParseUploadRequest(buffer));
  const char* const bytes = std::get<WireChunk>(wire).data.TryFlat()->data();
  EXPECT_TRUE(bytes < reinterpret_cast<const char*>(slice.begin()) ||
              bytes >= reinterpret_cast<const char*>(slice.end()));
}

struct Malformed {
  const char* what;
  std::string bytes;
};

TEST(WireTest, RefusesWhatIsMalformed) {
  const Malformed messages[] = {
      {"a tag cut off", "\x80"},
      {"a tag above 32 bits", "\xFF\xFF\xFF\xFF\xFF\x01"},
      {"field number 0", std::string("\x00\x00", 2)},
      {"an unknown group", "\x2B\x2C"},
      {"the end of a group", "\x2C"},
      {"wire type 6", "\x2E"},
      {"a length cut off", "\x12\xFF"},
      {"a length beyond the end", "\x12\x05\x08"},
      {"a length of 2^64-1", "\x12\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"},
      {"an offset of 11 bytes",
       "\x12\x0C\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"},
      {"an offset above 64 bits",
       "\x12\x0B\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x02"},
      {"a CRC cut off", "\x12\x04\x15\x01\x02\x03"},
      {"data cut off", "\x12\x03\x1A\x05x"},
      {"an unknown fixed64 cut off", "\x29\x01\x02"},
      {"an unknown fixed32 cut off", "\x2D\x01\x02"},
      {"an unknown field cut off", "\x2A\x09x"},
      {"a Begin that is no message", "\x0A\x01\xFF"},
      {"a camera_id that is not UTF-8", "\x0A\x03\x0A\x01\xFF"},
      {"random letters", "GET / HTTP/1.1"},
  };
  for (const Malformed& message : messages) {
    EXPECT_THAT(ParseUploadRequest(Buffer(message.bytes)),
                StatusIs(absl::StatusCode::kInvalidArgument))
        << message.what;
  }
}

TEST(WireTest, PassesOverUnknownFieldsAndWrongTypes) {
  // chunk {1: a string 3: a varint 9: a fixed64 2: CRC 7}, then an unknown 15.
  const std::string chunk = std::string("\x0A\x01z\x18\x05\x49", 6) +
                            "12345678" + std::string("\x15\x07\x00\x00\x00", 5);
  const std::string bytes = "\x12" + std::string(1, char(chunk.size())) +
                            chunk + std::string("\x7A\x02zz", 4);
  ASSERT_OK_AND_ASSIGN(const WireRequest wire,
                       ParseUploadRequest(Buffer(bytes)));
  EXPECT_EQ(std::get<WireChunk>(wire).offset, 0u);
  EXPECT_EQ(std::get<WireChunk>(wire).crc32c, 7u);
  EXPECT_TRUE(std::get<WireChunk>(wire).data.empty());
}

TEST(WireTest, OfSeveralDataFieldsTheLastCounts) {
  ASSERT_OK_AND_ASSIGN(
      const WireRequest wire,
      ParseUploadRequest(Buffer("\x12\x06\x1A\x01x\x1A\x01y")));
  EXPECT_EQ(std::get<WireChunk>(wire).data, "y");
}

TEST(WireTest, RefusesMoreThanOneRequestInAMessage) {
  v1::UploadRequest chunk;
  chunk.mutable_chunk()->set_data("x");
  v1::UploadRequest finish;
  finish.mutable_finish()->set_size(1);
  for (const v1::UploadRequest& second : {chunk, finish}) {
    EXPECT_THAT(
        ParseUploadRequest(
            Buffer(chunk.SerializeAsString() + second.SerializeAsString())),
        StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("more than")));
  }
}

TEST(WireTest, RefusesALargeBeginBeforeParsingIt) {
  v1::UploadRequest request;
  request.mutable_begin()->set_camera_id(
      std::string(limits::kBeginBytesMax, 'c'));
  EXPECT_THAT(ParseUploadRequest(Buffer(request.SerializeAsString())),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(WireTest, AnEmptyMessageHoldsNothing) {
  ASSERT_OK_AND_ASSIGN(const WireRequest wire, ParseUploadRequest(Buffer("")));
  EXPECT_TRUE(std::holds_alternative<std::monostate>(wire));
}

TEST(WireTest, AMessageWithoutBufferIsRefused) {
  EXPECT_THAT(ParseUploadRequest(grpc::ByteBuffer()),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace schleuse
