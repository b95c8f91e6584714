#include "gateway/rpc/wire.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "base/limits.h"
#include "base/status.h"

namespace schleuse {
namespace {

namespace v1 = transfer::v1;

// A field's tag is its number and how its value is written.
enum WireType : uint32_t {
  kVarint = 0,
  kFixed64 = 1,
  kLengthDelimited = 2,
  kFixed32 = 5,
};
constexpr uint32_t Tag(uint32_t field, WireType type) {
  return field << 3 | type;
}

// Shorter slices and chunks are copied. A very short slice lies inside its own
// handle, and any slice keeps all of the 8 KiB that TLS decrypted at a time: a
// device that sends only short ones would hold many times its credit. Longer
// ones hold at most four times theirs.
constexpr size_t kSliceCopiedBelow = 2 * 1024;
constexpr uint64_t kChunkCopiedBelow = 8 * 1024;

// Of a number; and of tags and lengths, which protobuf's own parser refuses if
// they are written in more bytes than they need at most.
constexpr int kVarintBytes = 10;
constexpr int kShortVarintBytes = 5;

absl::Status Malformed(absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("the message cannot be read: ", what));
}

absl::Cord ToCord(const std::vector<grpc::Slice>& slices) {
  absl::Cord cord;
  for (const grpc::Slice& slice : slices) {
    const absl::string_view bytes(reinterpret_cast<const char*>(slice.begin()),
                                  slice.size());
    if (bytes.size() < kSliceCopiedBelow) {
      cord.Append(bytes);
    } else {
      // The releaser's copy of the handle keeps the bytes alive.
      cord.Append(absl::MakeCordFromExternal(bytes, [slice] {}));
    }
  }
  return cord;
}

// Walks over the fields of one message.
class FieldReader {
 public:
  explicit FieldReader(const absl::Cord& message)
      : next_(message.char_begin()), left_(message.size()) {}

  bool at_end() const { return left_ == 0; }

  absl::StatusOr<uint32_t> ReadTag() {
    ASSIGN_OR_RETURN(const uint64_t tag, ReadVarint(kShortVarintBytes));
    if (tag > UINT32_MAX || tag >> 3 == 0) return Malformed("a field's number");
    return static_cast<uint32_t>(tag);
  }

  absl::StatusOr<uint64_t> ReadVarint(int bytes_max = kVarintBytes) {
    uint64_t value = 0;
    for (int shift = 0; shift < 7 * bytes_max; shift += 7) {
      if (left_ == 0) return Malformed("it ends within a number");
      const auto byte = static_cast<uint8_t>(*next_);
      ++next_;
      --left_;
      if (shift == 63 && byte > 1) break;
      value |= uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) return value;
    }
    return Malformed("a number is too long");
  }

  absl::StatusOr<uint32_t> ReadFixed32() {
    if (left_ < 4) return Malformed("it ends within a number");
    uint32_t value = 0;
    for (int shift = 0; shift < 32; shift += 8) {
      value |= uint32_t{static_cast<uint8_t>(*next_)} << shift;
      ++next_;
    }
    left_ -= 4;
    return value;
  }

  // What follows the tag of a length-delimited field; shares its bytes.
  absl::StatusOr<absl::Cord> ReadLengthDelimited() {
    ASSIGN_OR_RETURN(const uint64_t length, ReadVarint(kShortVarintBytes));
    if (length > left_) return Malformed("it ends within a field");
    left_ -= length;
    return absl::Cord::AdvanceAndRead(&next_, length);
  }

  // Passes over the value behind `tag`.
  absl::Status Skip(uint32_t tag) {
    switch (tag & 7) {
      case kVarint:
        return ReadVarint().status();
      case kFixed64:
        return SkipBytes(8);
      case kLengthDelimited:
        return ReadLengthDelimited().status();
      case kFixed32:
        return SkipBytes(4);
      default:
        return Malformed("a group, or no type at all");
    }
  }

 private:
  absl::Status SkipBytes(uint64_t length) {
    if (length > left_) return Malformed("it ends within a field");
    left_ -= length;
    absl::Cord::Advance(&next_, length);
    return absl::OkStatus();
  }

  absl::Cord::CharIterator next_;
  uint64_t left_;
};

absl::StatusOr<WireChunk> ParseChunk(const absl::Cord& message) {
  WireChunk chunk;
  FieldReader fields(message);
  while (!fields.at_end()) {
    ASSIGN_OR_RETURN(const uint32_t tag, fields.ReadTag());
    switch (tag) {
      case Tag(v1::Chunk::kOffsetFieldNumber, kVarint): {
        ASSIGN_OR_RETURN(chunk.offset, fields.ReadVarint());
        break;
      }
      case Tag(v1::Chunk::kCrc32CFieldNumber, kFixed32): {
        ASSIGN_OR_RETURN(chunk.crc32c, fields.ReadFixed32());
        break;
      }
      case Tag(v1::Chunk::kDataFieldNumber, kLengthDelimited): {
        ASSIGN_OR_RETURN(chunk.data, fields.ReadLengthDelimited());
        break;
      }
      default:
        RETURN_IF_ERROR(fields.Skip(tag));
    }
  }
  if (chunk.data.size() < kChunkCopiedBelow) {
    chunk.data = absl::Cord(std::string(chunk.data));
  }
  return chunk;
}

template <typename Message>
absl::StatusOr<Message> ParseSmall(const absl::Cord& bytes) {
  if (bytes.size() > limits::kBeginBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("a message without footage has at most ",
                     limits::kBeginBytesMax, " bytes"));
  }
  Message message;
  if (!message.ParseFromString(std::string(bytes))) {
    return Malformed("protobuf refuses it");
  }
  return message;
}

absl::StatusOr<WireRequest> ParseField(uint32_t tag, const absl::Cord& bytes) {
  switch (tag >> 3) {
    case v1::UploadRequest::kBeginFieldNumber:
      return ParseSmall<v1::Begin>(bytes);
    case v1::UploadRequest::kChunkFieldNumber:
      return ParseChunk(bytes);
    default:
      return ParseSmall<v1::Finish>(bytes);
  }
}

}  // namespace

absl::StatusOr<WireRequest> ParseUploadRequest(const grpc::ByteBuffer& bytes) {
  std::vector<grpc::Slice> slices;
  if (!bytes.Dump(&slices).ok()) return Malformed("it cannot be unpacked");
  const absl::Cord message = ToCord(slices);

  WireRequest request;
  FieldReader fields(message);
  while (!fields.at_end()) {
    ASSIGN_OR_RETURN(const uint32_t tag, fields.ReadTag());
    switch (tag) {
      case Tag(v1::UploadRequest::kBeginFieldNumber, kLengthDelimited):
      case Tag(v1::UploadRequest::kChunkFieldNumber, kLengthDelimited):
      case Tag(v1::UploadRequest::kFinishFieldNumber, kLengthDelimited): {
        if (!std::holds_alternative<std::monostate>(request)) {
          return Malformed("it holds more than one request");
        }
        ASSIGN_OR_RETURN(const absl::Cord field, fields.ReadLengthDelimited());
        ASSIGN_OR_RETURN(request, ParseField(tag, field));
        break;
      }
      default:
        RETURN_IF_ERROR(fields.Skip(tag));
    }
  }
  return request;
}

grpc::ByteBuffer Serialize(const v1::UploadReply& reply) {
  const grpc::Slice slice(reply.SerializeAsString());
  return grpc::ByteBuffer(&slice, 1);
}

}  // namespace schleuse
