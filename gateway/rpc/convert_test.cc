#include "gateway/rpc/convert.h"

#include <iterator>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/cord.h"
#include "base/limits.h"
#include "base/status_matchers.h"
#include "gtest/gtest.h"
#include "proto/rich_status.pb.h"
#include "proto/transfer.pb.h"

namespace schleuse {
namespace {

namespace v1 = transfer::v1;
using ::testing::HasSubstr;

v1::Begin GoodBegin() {
  v1::Begin begin;
  begin.set_camera_id("cam-1");
  begin.set_recording_id("2024-05-01_001.ts");
  begin.set_priority(v1::PRIORITY_URGENT);
  begin.set_size(77);
  begin.mutable_metadata()->set_wearer("Müller");
  begin.mutable_metadata()->set_original_file_name("CLIP0001.MP4");
  return begin;
}

auto IsRefusedFor(absl::string_view field) {
  return StatusIs(absl::StatusCode::kInvalidArgument,
                  HasSubstr(std::string(field)));
}

TEST(ConvertTest, BeginComesThroughWhole) {
  const v1::Begin proto = GoodBegin();
  ASSERT_OK_AND_ASSIGN(const Begin begin, ToDomain(proto));
  EXPECT_EQ(begin.name.ToString(), "cam-1/2024-05-01_001.ts");
  EXPECT_EQ(begin.priority, Priority::kUrgent);
  EXPECT_EQ(begin.size, 77u);
  EXPECT_EQ(begin.extension, "mp4");
  EXPECT_EQ(begin.metadata, proto.metadata().SerializeAsString());
}

TEST(ConvertTest, AGrowingRecordingHasNoSize) {
  v1::Begin proto = GoodBegin();
  proto.clear_size();
  ASSERT_OK_AND_ASSIGN(const Begin begin, ToDomain(proto));
  EXPECT_FALSE(begin.size.has_value());
}

TEST(ConvertTest, AnUnknownPriorityIsNormal) {
  v1::Begin proto = GoodBegin();
  proto.set_priority(static_cast<v1::Priority>(99));
  ASSERT_OK_AND_ASSIGN(const Begin begin, ToDomain(proto));
  EXPECT_EQ(begin.priority, Priority::kNormal);
}

TEST(ConvertTest, MetadataOfANewerDeviceIsKept) {
  v1::Begin proto = GoodBegin();
  // Field 100 of type string, which this program does not know.
  proto.mutable_metadata()->MergeFromString("\xA2\x06\x03new");
  ASSERT_OK_AND_ASSIGN(const Begin begin, ToDomain(proto));
  EXPECT_THAT(begin.metadata, HasSubstr("new"));
}

TEST(ConvertTest, RefusesBadIds) {
  for (const std::string& id :
       {std::string(), std::string("."), std::string(".."), std::string("a/b"),
        std::string("a\0b", 3), std::string("../x"), std::string("\xFF"),
        std::string(129, 'a'), std::string(300, 'a'), std::string("ä")}) {
    v1::Begin begin = GoodBegin();
    begin.set_camera_id(id);
    EXPECT_THAT(ToDomain(begin), IsRefusedFor("camera_id")) << id;
    begin = GoodBegin();
    begin.set_recording_id(id);
    EXPECT_THAT(ToDomain(begin), IsRefusedFor("recording_id")) << id;
  }
}

TEST(ConvertTest, RefusesBadTextInEveryField) {
  const std::string bad[] = {
      std::string(513, 'x'),
      "\xFF",
      "a\nb",
      std::string("a\0b", 3),
      "\x7F",
      "\xC2\x80",
      "\xC2\x9F",
      "\x1B[2J",
  };
  using Set = void (*)(v1::Metadata&, const std::string&);
  const std::pair<const char*, Set> fields[] = {
      {"camera_serial",
       [](v1::Metadata& m, const std::string& t) { m.set_camera_serial(t); }},
      {"wearer",
       [](v1::Metadata& m, const std::string& t) { m.set_wearer(t); }},
      {"incident",
       [](v1::Metadata& m, const std::string& t) { m.set_incident(t); }},
      {"legal_basis",
       [](v1::Metadata& m, const std::string& t) { m.set_legal_basis(t); }},
      {"codec", [](v1::Metadata& m, const std::string& t) { m.set_codec(t); }},
      {"original_file_name",
       [](v1::Metadata& m, const std::string& t) {
         m.set_original_file_name(t);
       }},
  };
  for (const auto& [field, set] : fields) {
    for (const std::string& text : bad) {
      v1::Begin begin = GoodBegin();
      set(*begin.mutable_metadata(), text);
      EXPECT_THAT(ToDomain(begin), IsRefusedFor(field));
    }
    v1::Begin begin = GoodBegin();
    set(*begin.mutable_metadata(), std::string(512, 'x'));
    EXPECT_OK(ToDomain(begin));
    set(*begin.mutable_metadata(), "\xC2\xA0\xC3\xBC");
    EXPECT_OK(ToDomain(begin));
  }
}

TEST(ConvertTest, EveryTextOfMetadataIsChecked) {
  // A text field that is added to the contract must be added to the check.
  int texts = 0;
  const auto* descriptor = v1::Metadata::descriptor();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    texts += descriptor->field(i)->cpp_type() ==
             google::protobuf::FieldDescriptor::CPPTYPE_STRING;
  }
  EXPECT_EQ(texts, 6);
}

TEST(ConvertTest, RefusesSizesBeyondTheLargestRecording) {
  v1::Begin begin = GoodBegin();
  begin.set_size(limits::kRecordingBytesMax);
  EXPECT_OK(ToDomain(begin));
  begin.set_size(limits::kRecordingBytesMax + 1);
  EXPECT_THAT(ToDomain(begin), IsRefusedFor("size"));

  v1::Finish finish;
  finish.set_sha256(std::string(32, 'h'));
  finish.set_size(limits::kRecordingBytesMax);
  EXPECT_OK(ToDomain(finish));
  finish.set_size(limits::kRecordingBytesMax + 1);
  EXPECT_THAT(ToDomain(finish), IsRefusedFor("size"));
}

TEST(ConvertTest, RefusesAHashThatIsNone) {
  for (const size_t length : {0, 31, 33, 64}) {
    v1::Finish finish;
    finish.set_sha256(std::string(length, 'h'));
    EXPECT_THAT(ToDomain(finish), IsRefusedFor("sha256")) << length;
  }
}

TEST(ConvertTest, RepliesComeThroughWhole) {
  ASSERT_OK_AND_ASSIGN(TransferId id,
                       TransferId::Parse("0123456789abcdef0123456789abcdef"));
  const v1::UploadReply ready = ToProto(Ready{.transfer_id = id,
                                              .offset = 1,
                                              .chunk_bytes_max = 5,
                                              .credit_bytes = 2,
                                              .ack_every_bytes = 3,
                                              .ack_every = absl::Seconds(4),
                                              .already_stored = true});
  EXPECT_EQ(ready.ready().transfer_id(), id.ToString());
  EXPECT_EQ(ready.ready().offset(), 1u);
  EXPECT_EQ(ready.ready().chunk_bytes_max(), 5u);
  EXPECT_EQ(ready.ready().credit_bytes(), 2u);
  EXPECT_EQ(ready.ready().ack_every_bytes(), 3u);
  EXPECT_EQ(ready.ready().ack_every_millis(), 4000u);
  EXPECT_TRUE(ready.ready().already_stored());

  const v1::UploadReply ack =
      ToProto(Ack{.durable_offset = 5, .credit_bytes = 6});
  EXPECT_EQ(ack.ack().durable_offset(), 5u);
  EXPECT_EQ(ack.ack().credit_bytes(), 6u);

  const v1::UploadReply rewind =
      ToProto(Rewind{.offset = 7, .reason = Rewind::Reason::kBadCrc});
  EXPECT_EQ(rewind.rewind().offset(), 7u);
  EXPECT_EQ(rewind.rewind().reason(), v1::Rewind::BAD_CRC);

  const v1::UploadReply pause =
      ToProto(Pause{.retry_after = absl::Milliseconds(8),
                    .reason = Pause::Reason::kStoreAway});
  EXPECT_EQ(pause.pause().retry_after_millis(), 8u);
  EXPECT_EQ(pause.pause().reason(), v1::Pause::STORE_AWAY);

  const Digest digest = Sha256::Of("x");
  const v1::UploadReply stored = ToProto(Stored{.size = 9, .sha256 = digest});
  EXPECT_EQ(stored.stored().size(), 9u);
  EXPECT_EQ(absl::string_view(stored.stored().sha256()), digest.bytes());
}

TEST(ConvertTest, AChunkComesThroughWhole) {
  const Chunk chunk = ToDomain(
      WireChunk{.offset = 5, .crc32c = 6, .data = absl::Cord("footage")});
  EXPECT_EQ(chunk.offset, 5u);
  EXPECT_EQ(chunk.crc32c, 6u);
  EXPECT_EQ(chunk.data, "footage");
}

TEST(ConvertTest, PrioritiesComeThrough) {
  const std::pair<v1::Priority, Priority> priorities[] = {
      {v1::PRIORITY_UNSPECIFIED, Priority::kNormal},
      {v1::PRIORITY_URGENT, Priority::kUrgent},
      {v1::PRIORITY_NORMAL, Priority::kNormal},
      {v1::PRIORITY_BULK, Priority::kBulk},
  };
  EXPECT_EQ(std::size(priorities), size_t{v1::Priority_ARRAYSIZE});
  for (const auto& [from, to] : priorities) {
    v1::Begin proto = GoodBegin();
    proto.set_priority(from);
    ASSERT_OK_AND_ASSIGN(const Begin begin, ToDomain(proto));
    EXPECT_EQ(begin.priority, to);
  }
}

TEST(ConvertTest, ExtensionsComeFromTheList) {
  const std::pair<const char*, const char*> names[] = {
      {"a.mp4", "mp4"},      {"DCIM/B.JPEG", "jpeg"},
      {"x.tar.zip", "zip"},  {".ts", "ts"},
      {"", "bin"},           {"a", "bin"},
      {"a.", "bin"},         {"a.exe", "bin"},
      {"a.html", "bin"},     {"mp4", "bin"},
      {"a.mp4 ", "bin"},     {"a.mp4/b", "bin"},
      {"a.mp4/../x", "bin"}, {"a.m\xC3\x9F", "bin"},
      {"a.mp4.", "bin"},
  };
  for (const auto& [name, extension] : names) {
    v1::Begin proto = GoodBegin();
    proto.mutable_metadata()->set_original_file_name(name);
    ASSERT_OK_AND_ASSIGN(const Begin begin, ToDomain(proto));
    EXPECT_EQ(begin.extension, extension) << name;
  }
}

TEST(ConvertTest, EveryRewindAndPauseReasonComesThrough) {
  const std::pair<Rewind::Reason, v1::Rewind::Reason> rewinds[] = {
      {Rewind::Reason::kGap, v1::Rewind::GAP},
      {Rewind::Reason::kBadCrc, v1::Rewind::BAD_CRC},
      {Rewind::Reason::kGatewayFault, v1::Rewind::GATEWAY_FAULT},
  };
  EXPECT_EQ(std::size(rewinds) + 1, size_t{v1::Rewind::Reason_ARRAYSIZE});
  for (const auto& [from, to] : rewinds) {
    EXPECT_EQ(ToProto(Rewind{.offset = 0, .reason = from}).rewind().reason(),
              to);
  }
  const std::pair<Pause::Reason, v1::Pause::Reason> pauses[] = {
      {Pause::Reason::kSpoolFull, v1::Pause::SPOOL_FULL},
      {Pause::Reason::kStoreAway, v1::Pause::STORE_AWAY},
      {Pause::Reason::kTooManyStreams, v1::Pause::TOO_MANY_STREAMS},
      {Pause::Reason::kTooManyTransfers, v1::Pause::TOO_MANY_TRANSFERS},
      {Pause::Reason::kHeld, v1::Pause::HELD},
  };
  EXPECT_EQ(std::size(pauses) + 1, size_t{v1::Pause::Reason_ARRAYSIZE});
  for (const auto& [from, to] : pauses) {
    EXPECT_EQ(
        ToProto(Pause{.retry_after = {}, .reason = from}).pause().reason(), to);
  }
}

TEST(ConvertTest, AViewComesThroughWhole) {
  ASSERT_OK_AND_ASSIGN(const TransferId id,
                       TransferId::Parse("0123456789abcdef0123456789abcdef"));
  const v1::GetTransferReply reply =
      ToProto(TransferView{.transfer_id = id,
                           .state = TransferView::State::kReceiving,
                           .received_offset = 3,
                           .durable_offset = 2,
                           .mismatches = 1});
  EXPECT_EQ(reply.transfer_id(), id.ToString());
  EXPECT_EQ(reply.received_offset(), 3u);
  EXPECT_EQ(reply.durable_offset(), 2u);
  EXPECT_EQ(reply.mismatches(), 1u);
  using State = TransferView::State;
  const std::pair<State, v1::GetTransferReply::State> states[] = {
      {State::kReceiving, v1::GetTransferReply::RECEIVING},
      {State::kFinished, v1::GetTransferReply::FINISHED},
      {State::kStored, v1::GetTransferReply::STORED},
      {State::kHeldForOperator, v1::GetTransferReply::HELD_FOR_OPERATOR},
      {State::kDeleted, v1::GetTransferReply::DELETED},
  };
  EXPECT_EQ(std::size(states) + 1,
            size_t{v1::GetTransferReply::State_ARRAYSIZE});
  for (const auto& [from, to] : states) {
    const v1::GetTransferReply view = ToProto(TransferView{.state = from});
    EXPECT_EQ(view.state(), to);
    EXPECT_TRUE(view.transfer_id().empty());
  }
}

v1::ErrorDetail DetailOf(const grpc::Status& status) {
  rich_status::v1::RichStatus rich;
  EXPECT_TRUE(rich.ParseFromString(status.error_details()));
  EXPECT_EQ(rich.code(), status.error_code());
  EXPECT_EQ(rich.message(), status.error_message());
  v1::ErrorDetail detail;
  if (rich.details_size() != 1) {
    ADD_FAILURE() << rich.details_size() << " details";
    return detail;
  }
  EXPECT_EQ(rich.details(0).type_url(),
            "type.googleapis.com/schleuse.transfer.v1.ErrorDetail");
  EXPECT_TRUE(rich.details(0).UnpackTo(&detail));
  return detail;
}

TEST(ConvertTest, TheReasonTravelsAsAnErrorDetail) {
  const Digest stored = Sha256::Of("other bytes");
  const grpc::Status status = ToGrpc(
      StreamEnd{.status = absl::AlreadyExistsError("other bytes are stored"),
                .reason = EndReason::kOtherBytesStored,
                .stored_sha256 = stored,
                .retry_after = absl::Seconds(2)});
  EXPECT_EQ(status.error_code(), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_EQ(status.error_message(), "other bytes are stored");
  const v1::ErrorDetail detail = DetailOf(status);
  EXPECT_EQ(detail.reason(), v1::ErrorDetail::OTHER_BYTES_STORED);
  EXPECT_EQ(absl::string_view(detail.stored_sha256()), stored.bytes());
  EXPECT_EQ(detail.retry_after_millis(), 2000u);
}

TEST(ConvertTest, EveryEndReasonComesThrough) {
  const std::pair<EndReason, v1::ErrorDetail::Reason> reasons[] = {
      {EndReason::kUnspecified, v1::ErrorDetail::REASON_UNSPECIFIED},
      {EndReason::kBadMessage, v1::ErrorDetail::BAD_MESSAGE},
      {EndReason::kNotGranted, v1::ErrorDetail::NOT_GRANTED},
      {EndReason::kTakenOver, v1::ErrorDetail::TAKEN_OVER},
      {EndReason::kOtherBytesStored, v1::ErrorDetail::OTHER_BYTES_STORED},
      {EndReason::kResentBytesDiffer, v1::ErrorDetail::RESENT_BYTES_DIFFER},
      {EndReason::kMismatch, v1::ErrorDetail::MISMATCH},
      {EndReason::kTooManyRewinds, v1::ErrorDetail::TOO_MANY_REWINDS},
      {EndReason::kHeldForOperator, v1::ErrorDetail::HELD_FOR_OPERATOR},
      {EndReason::kStopping, v1::ErrorDetail::STOPPING},
      {EndReason::kSpoolFault, v1::ErrorDetail::SPOOL_FAULT},
      {EndReason::kPaused, v1::ErrorDetail::PAUSED},
      {EndReason::kSilent, v1::ErrorDetail::SILENT},
  };
  EXPECT_EQ(std::size(reasons), size_t{v1::ErrorDetail::Reason_ARRAYSIZE});
  for (const auto& [from, to] : reasons) {
    const grpc::Status status =
        ToGrpc(StreamEnd{.status = absl::AbortedError("over"), .reason = from});
    EXPECT_EQ(DetailOf(status).reason(), to);
  }
}

TEST(ConvertTest, EveryCodeKeepsItsNumber) {
  for (int code = 1; code <= 16; ++code) {
    const absl::Status status(static_cast<absl::StatusCode>(code), "why");
    EXPECT_EQ(ToGrpc(status).error_code(), code);
    EXPECT_EQ(ToGrpc(status).error_message(), "why");
    EXPECT_EQ(ToGrpc(StreamEnd{.status = status}).error_code(), code);
  }
  EXPECT_TRUE(ToGrpc(absl::OkStatus()).ok());
  EXPECT_TRUE(ToGrpc(StreamEnd{.status = absl::OkStatus()}).ok());
}

}  // namespace
}  // namespace schleuse
