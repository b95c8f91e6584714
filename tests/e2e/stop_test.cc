// What a gateway does that is told to stop: it owes an answer for each byte
// that it received.

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <csignal>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "base/crc32c.h"
#include "certs/test_pki.h"
#include "crypto/digest.h"
#include "disk/posix_disk.h"
#include "disk/record_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/spool.pb.h"
#include "proto/transfer.grpc.pb.h"
#include "tests/e2e/house.h"
#include "tests/e2e/process.h"

namespace schleuse {
namespace {

namespace v1 = transfer::v1;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kCamera[] = "bwc-1";

// A device that tells everything it hears, on one Upload call.
class Device {
 public:
  Device(const House& house, const std::string& recording)
      : stub_(v1::TransferService::NewStub(Connect(house))),
        stream_(stub_->Upload(&context_)),
        recording_(recording) {
    v1::UploadRequest request;
    request.mutable_begin()->set_camera_id(kCamera);
    request.mutable_begin()->set_recording_id(recording);
    EXPECT_TRUE(stream_->Write(request));
    v1::UploadReply reply;
    EXPECT_TRUE(stream_->Read(&reply) && reply.has_ready());
    offset_ = acknowledged_ = reply.ready().offset();
    transfer_id_ = reply.ready().transfer_id();
  }

  void Send(const std::string& data) {
    v1::UploadRequest request;
    request.mutable_chunk()->set_offset(offset_);
    request.mutable_chunk()->set_crc32c(Crc32c(data));
    request.mutable_chunk()->set_data(data);
    EXPECT_TRUE(stream_->Write(request));
    offset_ += data.size();
  }
  void Finish(const std::string& bytes) {
    v1::UploadRequest request;
    request.mutable_finish()->set_size(bytes.size());
    request.mutable_finish()->set_sha256(
        std::string(Sha256::Of(bytes).bytes()));
    EXPECT_TRUE(stream_->Write(request));
  }

  v1::GetTransferReply Look() {
    grpc::ClientContext context;
    v1::GetTransferRequest request;
    request.set_camera_id(kCamera);
    request.set_recording_id(recording_);
    v1::GetTransferReply reply;
    EXPECT_TRUE(stub_->GetTransfer(&context, request, &reply).ok());
    return reply;
  }

  // Hears all there is to hear, and how the gateway ends the call.
  grpc::Status End() {
    v1::UploadReply reply;
    while (stream_->Read(&reply)) {
      if (reply.has_ack()) acknowledged_ = reply.ack().durable_offset();
      stored_ |= reply.has_receipt();
    }
    return stream_->Finish();
  }

  uint64_t offset() const { return offset_; }  // behind what was sent
  uint64_t acknowledged() const { return acknowledged_; }
  bool stored() const { return stored_; }
  const std::string& transfer_id() const { return transfer_id_; }

 private:
  static std::shared_ptr<grpc::Channel> Connect(const House& house) {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = house.root_certificates();
    options.pem_cert_chain = ReadTestFile(house.dock_certificate());
    options.pem_private_key =
        ReadTestFile(TestPki::KeyOf(house.dock_certificate()));
    return grpc::CreateChannel(house.address(), grpc::SslCredentials(options));
  }

  grpc::ClientContext context_;
  const std::unique_ptr<v1::TransferService::Stub> stub_;
  const std::unique_ptr<
      grpc::ClientReaderWriter<v1::UploadRequest, v1::UploadReply>>
      stream_;
  const std::string recording_;
  std::string transfer_id_;
  uint64_t offset_ = 0;
  uint64_t acknowledged_ = 0;
  bool stored_ = false;
};

// What the journal of a transfer vouches for: it is written when bytes are
// synced (docs/decisions/0005), and what it does not hold a restart forgets.
struct Journal {
  uint64_t end = 0;
  bool finished = false;
};

Journal ReadJournal(const House& house, const std::string& transfer_id) {
  Journal journal;
  PosixDisk disk;
  // May not be there yet.
  (void)RecordFile::Open(
      disk, house.Path(absl::StrCat("spool/", transfer_id, ".records")),
      [&journal](absl::string_view payload, uint64_t) {
        spool::v1::SpoolRecord record;
        EXPECT_TRUE(record.ParseFromString(std::string(payload)));
        if (record.has_chunk()) {
          journal.end = record.chunk().offset() + record.chunk().length();
        }
        journal.finished |= record.has_finished();
        return true;
      });
  return journal;
}

// The lines of a log that are more than information.
std::vector<std::string> Complaints(const std::string& log) {
  std::vector<std::string> found;
  for (const absl::string_view line :
       absl::StrSplit(log, '\n', absl::SkipEmpty())) {
    if (absl::StartsWith(line, "{") &&
        !absl::StrContains(line, "\"severity\":\"info\"")) {
      found.emplace_back(line);
    }
  }
  return found;
}

int ExitCodeOf(Process& process) {
  const auto ended = process.Wait(absl::Seconds(60));
  return ended && ended->exited ? ended->code : -1;
}

TEST(StopTest, ATerminatedGatewayAcknowledgesWhatItReceivedAndGoesInOrder) {
  House house;
  std::unique_ptr<Process> gateway = house.StartGateway();
  ASSERT_NE(gateway, nullptr);
  const std::string data(50'000, 'x');
  Device device(house, "r1");
  // Until it holds bytes that it has not answered for: the signal then comes
  // long before the quarter of a second after which it would by itself.
  v1::GetTransferReply seen;
  ASSERT_TRUE(Eventually(absl::Seconds(30), [&] {
    device.Send(data);
    do {
      seen = device.Look();
    } while (seen.received_offset() < device.offset());
    return seen.durable_offset() < seen.received_offset();
  }));
  gateway->Signal(SIGTERM);

  const grpc::Status end = device.End();
  EXPECT_EQ(end.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(device.acknowledged(), device.offset());
  EXPECT_EQ(ExitCodeOf(*gateway), 0);
  EXPECT_EQ(ReadJournal(house, device.transfer_id()).end, device.offset());
  EXPECT_THAT(Complaints(house.Output()), IsEmpty());
  EXPECT_THAT(house.Output(), HasSubstr("\"event\":\"gateway stopped\""));

  gateway = house.StartGateway();
  ASSERT_NE(gateway, nullptr);
  Device again(house, "r1");
  EXPECT_EQ(again.offset(), device.offset());
  const std::string bytes(again.offset(), 'x');
  again.Finish(bytes);
  EXPECT_TRUE(again.End().ok());
  EXPECT_TRUE(again.stored());
  WriteTestFile(house.Path("r1"), bytes);
  EXPECT_EQ(house.CheckStored(kCamera, "r1", house.Path("r1")), "");
}

TEST(StopTest, AnUploaderWaitsForTheNextStart) {
  House house;
  std::unique_ptr<Process> gateway = house.StartGateway();
  ASSERT_NE(gateway, nullptr);
  const std::string source = house.MakeFile("long.mp4", 200 << 20);
  const auto upload = house.StartUpload(kCamera, {"--json", source});
  ASSERT_TRUE(Eventually(absl::Seconds(30),
                         [&] { return !house.SpoolFiles().empty(); }));
  gateway->Signal(SIGTERM);
  EXPECT_EQ(ExitCodeOf(*gateway), 0) << house.Output();
  EXPECT_FALSE(upload->Poll().has_value()) << "the device waits";
  gateway = house.StartGateway();
  ASSERT_NE(gateway, nullptr);
  EXPECT_EQ(ExitCodeOf(*upload), 0) << house.Output();
  EXPECT_EQ(house.CheckStored(kCamera, "long.mp4", source), "");
}

// Threads of gRPC's took the signal, and with it the process.
TEST(StopTest, AnUploaderThatWasTerminatedDiedInsteadOfSayingSo) {
  House house;
  std::unique_ptr<Process> gateway = house.StartGateway();
  ASSERT_NE(gateway, nullptr);
  gateway->Signal(SIGKILL);
  ASSERT_TRUE(gateway->Wait(absl::Seconds(30)).has_value());
  const auto upload =
      house.StartUpload(kCamera, {"--json", house.MakeFile("waits.mp4", 1000)});
  ASSERT_TRUE(Eventually(absl::Seconds(30), [&] {
    return absl::StrContains(house.Output(), "\"event\":\"waiting\"");
  }));
  upload->Signal(SIGTERM);
  EXPECT_EQ(ExitCodeOf(*upload), 3);
  EXPECT_THAT(house.Output(), HasSubstr("interrupted"));
}

TEST(StopTest, ADrainThatIsNotOverInTimeIsExitCode5AndLosesNothing) {
  House house("drain_seconds: 1");
  std::unique_ptr<Process> gateway =
      house.StartGatewayThatHangs("store.linking:1");
  ASSERT_NE(gateway, nullptr);
  const std::string bytes(50'000, 'x');
  Device device(house, "r1");
  device.Send(bytes);
  // What is finished before its first Ack has no journal.
  ASSERT_TRUE(Eventually(absl::Seconds(30), [&] {
    return ReadJournal(house, device.transfer_id()).end == bytes.size();
  }));
  device.Finish(bytes);
  ASSERT_TRUE(Eventually(absl::Seconds(30), [&] {
    return ReadJournal(house, device.transfer_id()).finished;
  }));
  gateway->Signal(SIGTERM);
  EXPECT_FALSE(device.End().ok());
  EXPECT_FALSE(device.stored());
  EXPECT_EQ(ExitCodeOf(*gateway), 5);
  EXPECT_THAT(Complaints(house.Output()),
              ElementsAre(HasSubstr("gateway stopped before all was stored")));

  gateway = house.StartGateway();
  ASSERT_NE(gateway, nullptr);
  EXPECT_TRUE(Eventually(absl::Seconds(30),
                         [&] { return house.SpoolFiles().empty(); }));
  WriteTestFile(house.Path("r1"), bytes);
  EXPECT_EQ(house.CheckStored(kCamera, "r1", house.Path("r1")), "");
}

// It would else first bring what an earlier process left into the store.
TEST(StopTest, AGatewayThatCannotListenSaysSoAtOnce) {
  House house("drain_seconds: 1");
  std::unique_ptr<Process> gateway =
      house.StartGatewayThatHangs("store.linking:1");
  ASSERT_NE(gateway, nullptr);
  const std::string bytes(50'000, 'x');
  Device device(house, "r1");
  device.Send(bytes);
  // What is finished before its first Ack has no journal.
  ASSERT_TRUE(Eventually(absl::Seconds(30), [&] {
    return ReadJournal(house, device.transfer_id()).end == bytes.size();
  }));
  device.Finish(bytes);
  ASSERT_TRUE(Eventually(absl::Seconds(30), [&] {
    return ReadJournal(house, device.transfer_id()).finished;
  }));
  gateway->Signal(SIGKILL);
  device.End();
  ASSERT_TRUE(gateway->Wait(absl::Seconds(30)).has_value());

  // An address that is no machine's.
  const std::string config = house.Path("gateway.textproto");
  WriteTestFile(config, absl::StrReplaceAll(ReadTestFile(config),
                                            {{"127.0.0.1:", "192.0.2.1:"}}));
  EXPECT_EQ(house.StartGatewayThatHangs("store.linking:1"), nullptr);
  EXPECT_THAT(house.Output(), HasSubstr("cannot listen on 192.0.2.1"));
}

}  // namespace
}  // namespace schleuse
