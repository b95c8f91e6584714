#include "client/link/convert.h"

#include <string>

#include "base/crc32c.h"
#include "base/status_matchers.h"
#include "client/link/fake_gateway.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse::client {
namespace {

namespace wire = transfer::v1;
using absl::StatusCode;

wire::UploadRequest Parse(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  EXPECT_TRUE(buffer.Dump(&slices).ok());
  std::string bytes;
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  wire::UploadRequest request;
  EXPECT_TRUE(request.ParseFromString(bytes));
  return request;
}

Reply Read(const wire::UploadReply& proto) {
  return FromWire(proto).value().value();
}

TEST(ConvertTest, BeginCarriesEveryField) {
  Begin begin{*RecordingName::Parse("c", "r.mp4"),
              {"serial", "wearer", 1, 2, "incident", "basis", true, 3, "codec",
               "name.mp4", 4},
              Priority::kBulk,
              5};
  const wire::Begin got = Parse(ToWire(begin)).begin();
  EXPECT_EQ(got.camera_id(), "c");
  EXPECT_EQ(got.recording_id(), "r.mp4");
  EXPECT_EQ(got.priority(), wire::PRIORITY_BULK);
  EXPECT_EQ(got.size(), 5u);
  const wire::Metadata& metadata = got.metadata();
  EXPECT_EQ(metadata.camera_serial(), "serial");
  EXPECT_EQ(metadata.wearer(), "wearer");
  EXPECT_EQ(metadata.start_unix_micros(), 1);
  EXPECT_EQ(metadata.duration_millis(), 2u);
  EXPECT_EQ(metadata.incident(), "incident");
  EXPECT_EQ(metadata.legal_basis(), "basis");
  EXPECT_TRUE(metadata.home());
  EXPECT_EQ(metadata.retain_until_unix_micros(), 3);
  EXPECT_EQ(metadata.codec(), "codec");
  EXPECT_EQ(metadata.original_file_name(), "name.mp4");
  EXPECT_EQ(metadata.device_clock_unix_micros(), 4);
}

TEST(ConvertTest, SizeIsAbsentWhileTheRecordingGrows) {
  Begin begin{*RecordingName::Parse("c", "r"), {}, Priority::kUrgent, {}};
  EXPECT_FALSE(Parse(ToWire(begin)).begin().has_size());
}

// Written by hand; protobuf must read it all the same.
TEST(ConvertTest, ChunksOfEverySizeAndShapeAreReadByProtobuf) {
  for (const size_t size : {1, 10, 127, 128, 5000, 1 << 20}) {
    for (const uint64_t offset :
         {uint64_t{0}, uint64_t{300}, uint64_t{1} << 42}) {
      std::string bytes(size, 'x');
      bytes[0] = 'a';
      absl::Cord data(bytes);
      if (size > 10) {  // of several pieces
        data = absl::Cord(bytes.substr(0, size / 2));
        data.Append(absl::Cord(bytes.substr(size / 2)));
      }
      const grpc::ByteBuffer buffer = ToWire(Chunk{offset, Crc32c(data), data});
      data.Clear();  // the buffer keeps what it needs
      const wire::Chunk got = Parse(buffer).chunk();
      EXPECT_EQ(got.offset(), offset);
      EXPECT_EQ(got.crc32c(), Crc32c(absl::string_view(bytes)));
      EXPECT_EQ(got.data(), bytes);
    }
  }
}

TEST(ConvertTest, FinishCarriesSizeAndHash) {
  const wire::Finish got = Parse(ToWire(Finish{7, Sha256::Of("x")})).finish();
  EXPECT_EQ(got.size(), 7u);
  EXPECT_EQ(absl::string_view(got.sha256()), Sha256::Of("x").bytes());
}

TEST(ConvertTest, RepliesCarryEveryField) {
  wire::UploadReply proto;
  proto.mutable_ready()->set_transfer_id("t");
  proto.mutable_ready()->set_offset(1);
  proto.mutable_ready()->set_chunk_bytes_max(2);
  proto.mutable_ready()->set_credit_bytes(3);
  proto.mutable_ready()->set_ack_every_bytes(4);
  proto.mutable_ready()->set_ack_every_millis(5);
  proto.mutable_ready()->set_already_stored(true);
  const auto ready = std::get<Ready>(Read(proto));
  EXPECT_EQ(ready.transfer_id, "t");
  EXPECT_EQ(ready.offset, 1u);
  EXPECT_EQ(ready.chunk_bytes_max, 2u);
  EXPECT_EQ(ready.credit_bytes, 3u);
  EXPECT_EQ(ready.ack_every_bytes, 4u);
  EXPECT_EQ(ready.ack_every, absl::Milliseconds(5));
  EXPECT_TRUE(ready.already_stored);

  proto.mutable_ack()->set_durable_offset(6);
  proto.mutable_ack()->set_credit_bytes(7);
  EXPECT_EQ(std::get<Ack>(Read(proto)).durable_offset, 6u);
  EXPECT_EQ(std::get<Ack>(Read(proto)).credit_bytes, 7u);

  proto.mutable_rewind()->set_offset(8);
  proto.mutable_rewind()->set_reason(wire::Rewind::GATEWAY_FAULT);
  EXPECT_EQ(std::get<Rewind>(Read(proto)).offset, 8u);
  EXPECT_EQ(std::get<Rewind>(Read(proto)).reason,
            Rewind::Reason::kGatewayFault);

  proto.mutable_pause()->set_retry_after_millis(9000);
  proto.mutable_pause()->set_reason(wire::Pause::STORE_AWAY);
  EXPECT_EQ(std::get<Pause>(Read(proto)).retry_after, absl::Seconds(9));
  EXPECT_EQ(std::get<Pause>(Read(proto)).reason, Pause::Reason::kStoreAway);

  proto.mutable_stored()->set_size(10);
  proto.mutable_stored()->set_sha256(std::string(Sha256::Of("x").bytes()));
  EXPECT_EQ(std::get<Stored>(Read(proto)).size, 10u);
  EXPECT_EQ(std::get<Stored>(Read(proto)).sha256, Sha256::Of("x"));
}

TEST(ConvertTest, AKindOfReplyFromTheFutureIsIgnored) {
  wire::UploadReply proto;
  ASSERT_TRUE(proto.ParseFromString("\x7a\x02hi"));  // field 15
  ASSERT_OK_AND_ASSIGN(const std::optional<Reply> reply, FromWire(proto));
  EXPECT_FALSE(reply.has_value());
}

TEST(ConvertTest, ValuesFromTheFutureAreUnspecified) {
  wire::UploadReply proto;
  proto.mutable_rewind()->set_reason(static_cast<wire::Rewind::Reason>(99));
  EXPECT_EQ(std::get<Rewind>(Read(proto)).reason, Rewind::Reason::kUnspecified);
  proto.mutable_pause()->set_reason(static_cast<wire::Pause::Reason>(99));
  EXPECT_EQ(std::get<Pause>(Read(proto)).reason, Pause::Reason::kUnspecified);
}

TEST(ConvertTest, AbsurdTimesDoNotOverflow) {
  wire::UploadReply proto;
  proto.mutable_pause()->set_retry_after_millis(~uint64_t{0});
  EXPECT_GT(std::get<Pause>(Read(proto)).retry_after, absl::Hours(24));
  EXPECT_LT(std::get<Pause>(Read(proto)).retry_after, absl::Hours(10'000));
}

TEST(ConvertTest, AReceiptStaysOneAndIsNotTakenForStored) {
  wire::UploadReply proto;
  wire::Receipt& receipt = *proto.mutable_receipt();
  receipt.set_camera_id("c");
  receipt.set_recording_id("r.mp4");
  receipt.set_size(10);
  receipt.set_statement("{}");
  receipt.set_proof("proof");
  EXPECT_THAT(FromWire(proto), StatusIs(StatusCode::kInternal));
  receipt.set_sha256(std::string(Sha256::Of("x").bytes()));
  const auto got = std::get<Receipt>(Read(proto));
  EXPECT_EQ(got.camera_id, "c");
  EXPECT_EQ(got.recording_id, "r.mp4");
  EXPECT_EQ(got.size, 10u);
  EXPECT_EQ(got.sha256, Sha256::Of("x"));
  EXPECT_EQ(got.statement, "{}");
  EXPECT_EQ(got.proof, "proof");
}

TEST(ConvertTest, StoredWithoutAHashIsRefused) {
  wire::UploadReply proto;
  proto.mutable_stored()->set_size(10);
  EXPECT_THAT(FromWire(proto), StatusIs(StatusCode::kInternal));
}

TEST(ConvertTest, DetailsOfAnErrorAreRead) {
  wire::ErrorDetail proto;
  proto.set_reason(wire::ErrorDetail::OTHER_BYTES_STORED);
  proto.set_stored_sha256(std::string(Sha256::Of("x").bytes()));
  proto.set_retry_after_millis(1500);
  const grpc::Status status =
      WithDetail(grpc::StatusCode::ALREADY_EXISTS, "other", proto);
  const ErrorDetail detail = DetailOf(status);
  EXPECT_EQ(detail.reason, ErrorDetail::Reason::kOtherBytesStored);
  EXPECT_EQ(detail.stored_sha256, Sha256::Of("x"));
  EXPECT_EQ(detail.retry_after, absl::Milliseconds(1500));
  EXPECT_THAT(ToAbsl(status), StatusIs(StatusCode::kAlreadyExists, "other"));
}

TEST(ConvertTest, AReasonFromTheFutureLeavesTheCodeToSpeak) {
  for (const int reason : {99, -1}) {
    wire::ErrorDetail proto;
    proto.set_reason(static_cast<wire::ErrorDetail::Reason>(reason));
    const grpc::Status status =
        WithDetail(grpc::StatusCode::UNAVAILABLE, "later", proto);
    EXPECT_EQ(DetailOf(status).reason, ErrorDetail::Reason::kUnspecified);
    EXPECT_THAT(ToAbsl(status), StatusIs(StatusCode::kUnavailable, "later"));
  }
}

TEST(ConvertTest, WhyThereIsNoConnectionFitsALine) {
  const std::string all = "failed to connect to all addresses; last error: ";
  const auto said = [](const std::string& words) {
    return std::string(
        ToAbsl({grpc::StatusCode::UNAVAILABLE, words}).message());
  };
  EXPECT_EQ(said(all + "UNKNOWN: ipv4:192.0.2.1:1: Failed to connect to "
                       "remote host: Connection refused"),
            "cannot connect: Connection refused (ipv4:192.0.2.1:1)");
  EXPECT_EQ(said(all + "UNAVAILABLE: ipv4:192.0.2.1:1: Socket closed"),
            "cannot connect: Socket closed; does it accept this device's "
            "certificate? (ipv4:192.0.2.1:1)");
  EXPECT_EQ(said(all + "something else"), "cannot connect: something else");
  EXPECT_EQ(said("Socket closed"), "Socket closed");
}

TEST(ConvertTest, DetailsMayBeMissingOrGarbage) {
  for (const std::string& details : {std::string(), std::string("\xff\x01")}) {
    const ErrorDetail detail =
        DetailOf({grpc::StatusCode::UNAVAILABLE, "x", details});
    EXPECT_EQ(detail.reason, ErrorDetail::Reason::kUnspecified);
    EXPECT_FALSE(detail.stored_sha256);
    EXPECT_EQ(detail.retry_after, absl::ZeroDuration());
  }
}

}  // namespace
}  // namespace schleuse::client
