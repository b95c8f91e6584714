// What becomes of stored recordings in time, by the real gateway: deleted by
// rule, kept by a hold, read once more. And what others see of it.

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/crc32c.h"
#include "certs/test_pki.h"
#include "crypto/digest.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/transfer.grpc.pb.h"
#include "tests/e2e/house.h"
#include "tests/e2e/process.h"

namespace schleuse {
namespace {

namespace fs = std::filesystem;
namespace v1 = transfer::v1;
using testing::HasSubstr;
using testing::Not;

constexpr char kCamera[] = "bwc-1";
constexpr absl::Duration kPatience = absl::Seconds(30);

constexpr char kSettings[] =
    "retention { rules_file: 'rules.textproto' holds_file: 'holds.textproto' }"
    "\n";
constexpr char kRules[] = R"(
rule { name: "body" legal_basis: "PolG 44" days: 28 at_least_days: 0 }
)";

class RetentionTest : public testing::Test {
 protected:
  RetentionTest() {
    setenv("LD_PRELOAD",
           fs::absolute("tests/e2e/synchronised_clock.so").c_str(), 1);
    Put("rules.textproto", kRules);
    Put("holds.textproto", "");
    house_.Configure("limits {", absl::StrCat(kSettings, "limits {"));
  }
  ~RetentionTest() override { unsetenv("LD_PRELOAD"); }

  void Put(absl::string_view name, absl::string_view text) {
    WriteTestFile(house_.Path(name), std::string(text));
  }
  void Stop(std::unique_ptr<Process>& gateway) {
    gateway->Signal(SIGTERM);
    ASSERT_TRUE(gateway->Wait(kPatience)) << house_.Output();
    gateway = nullptr;
  }
  std::unique_ptr<v1::TransferService::Stub> Connect() {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = house_.root_certificates();
    options.pem_cert_chain = ReadTestFile(house_.dock_certificate());
    options.pem_private_key =
        ReadTestFile(TestPki::KeyOf(house_.dock_certificate()));
    return v1::TransferService::NewStub(
        grpc::CreateChannel(house_.address(), grpc::SslCredentials(options)));
  }
  // Brings it, as recorded so long ago; returns what the gateway answers.
  v1::Receipt Bring(const std::string& recording, absl::Duration ago,
                    const std::string& bytes) {
    const auto stub = Connect();
    grpc::ClientContext context;
    const auto stream = stub->Upload(&context);
    v1::UploadRequest begin;
    begin.mutable_begin()->set_camera_id(kCamera);
    begin.mutable_begin()->set_recording_id(recording);
    v1::Metadata& metadata = *begin.mutable_begin()->mutable_metadata();
    metadata.set_legal_basis("PolG 44");
    metadata.set_start_unix_micros(absl::ToUnixMicros(absl::Now() - ago));
    EXPECT_TRUE(stream->Write(begin));
    v1::UploadReply reply;
    EXPECT_TRUE(stream->Read(&reply) && reply.has_ready());
    if (reply.ready().offset() == 0) {
      v1::UploadRequest chunk;
      chunk.mutable_chunk()->set_crc32c(Crc32c(bytes));
      chunk.mutable_chunk()->set_data(bytes);
      EXPECT_TRUE(stream->Write(chunk));
    }
    v1::UploadRequest finish;
    finish.mutable_finish()->set_size(bytes.size());
    finish.mutable_finish()->set_sha256(std::string(Sha256::Of(bytes).bytes()));
    EXPECT_TRUE(stream->Write(finish));
    v1::Receipt receipt;
    while (stream->Read(&reply)) {
      if (reply.has_receipt()) receipt = reply.receipt();
    }
    EXPECT_TRUE(stream->Finish().ok());
    return receipt;
  }
  std::string Bundle(const std::string& recording) const {
    return house_.Path(absl::StrCat("store/", kCamera, "/", recording));
  }
  bool HasFootage(const std::string& recording) const {
    return fs::exists(absl::StrCat(Bundle(recording), "/recording.bin"));
  }
  bool IsGone(const std::string& recording) {
    return Eventually(kPatience, [&] { return !HasFootage(recording); });
  }
  bool IsComplete(const std::string& recording) {
    return Eventually(kPatience, [&] {
      return fs::exists(absl::StrCat(Bundle(recording), "/receipt.tlog-proof"));
    });
  }

  House house_;
  const std::string bytes_ = std::string(100'000, 'x');
};

TEST_F(RetentionTest, DeletesWhatIsOverdueAndSaysSoToEverybody) {
  std::unique_ptr<Process> gateway = house_.StartGateway();
  ASSERT_NE(gateway, nullptr);
  const v1::Receipt given = Bring("old", absl::Hours(24 * 29), bytes_);
  Bring("held", absl::Hours(24 * 29), bytes_ + "1");
  Bring("young", absl::Hours(24 * 27), bytes_ + "2");
  for (const char* one : {"old", "held", "young"}) {
    ASSERT_TRUE(IsComplete(one)) << house_.Output();
    EXPECT_TRUE(HasFootage(one));
  }
  Stop(gateway);
  Put("holds.textproto",
      "hold { name: 'h-1' camera: 'bwc-1' recording: 'held' reason: 'trial'"
      " by: 'prosecutor' }");
  gateway = house_.StartGateway();
  ASSERT_TRUE(IsGone("old")) << house_.Output();
  EXPECT_TRUE(HasFootage("held"));
  EXPECT_TRUE(HasFootage("young"));

  // The device that still has it hears the receipt of then, and no bytes go in.
  const v1::Receipt again = Bring("old", absl::Hours(24 * 29), bytes_);
  EXPECT_EQ(again.SerializeAsString(), given.SerializeAsString());
  EXPECT_FALSE(HasFootage("old"));
  grpc::ClientContext context;
  v1::GetTransferRequest request;
  request.set_camera_id(kCamera);
  request.set_recording_id("old");
  v1::GetTransferReply view;
  EXPECT_TRUE(Connect()->GetTransfer(&context, request, &view).ok());
  EXPECT_EQ(view.state(), v1::GetTransferReply::DELETED);
  Stop(gateway);

  // Whoever checks it later.
  EXPECT_EQ(house_.Verify(), "");
  const House::Said said =
      house_.RunVerify(absl::StrCat("bundle ", Bundle("old")));
  EXPECT_EQ(said.code, 0) << said.text;
  EXPECT_THAT(said.text, HasSubstr("by the rule \"body\""));
  fs::remove(absl::StrCat(Bundle("young"), "/recording.bin"));
  EXPECT_NE(house_.RunVerify(absl::StrCat("bundle ", Bundle("young"))).code, 0)
      << "deleted by hand";
}

// Each place where it may die in a deletion: said once or twice, gone in the
// end, and the bundle proves both.
TEST_F(RetentionTest, DeletionThatWasKilledIsBroughtToItsEnd) {
  for (const char* at :
       {"gateway.removal_stated", "store.deletion_laid", "store.deleted"}) {
    SCOPED_TRACE(at);
    std::unique_ptr<Process> gateway = house_.StartGateway();
    ASSERT_NE(gateway, nullptr);
    Bring(at, absl::Hours(24 * 29), bytes_ + at);
    ASSERT_TRUE(IsComplete(at)) << house_.Output();
    Stop(gateway);
    gateway = house_.StartGateway(absl::StrCat(at, ":1"));
    if (gateway != nullptr) {
      ASSERT_TRUE(gateway->Wait(kPatience)) << "it was not killed";
    }
    EXPECT_EQ(house_.KillCounts()[at], 1);
    gateway = house_.StartGateway();
    ASSERT_NE(gateway, nullptr);
    EXPECT_TRUE(IsGone(at)) << house_.Output();
    Stop(gateway);
    EXPECT_EQ(house_.Verify(), "");
  }
}

TEST_F(RetentionTest, ScrubFindsABitThatTurnedAndABundleThatIsGone) {
  std::unique_ptr<Process> gateway = house_.StartGateway();
  ASSERT_NE(gateway, nullptr);
  for (const char* one : {"sound", "turned", "gone"}) {
    Bring(one, absl::Hours(1), bytes_ + one);
    ASSERT_TRUE(IsComplete(one)) << house_.Output();
  }
  Stop(gateway);
  const std::string path = absl::StrCat(Bundle("turned"), "/recording.bin");
  std::string bytes = ReadTestFile(path);
  bytes[77'777] ^= 1;
  fs::remove(path);
  WriteTestFile(path, bytes);
  fs::remove_all(Bundle("gone"));
  // A new pass, without waiting for its day.
  fs::remove(house_.Path("custody/scrub.state"));
  gateway = house_.StartGateway();
  ASSERT_NE(gateway, nullptr);
  ASSERT_TRUE(Eventually(kPatience, [&] {
    return house_.Output().find("\"damaged\":\"2\"") != std::string::npos;
  })) << house_.Output();
  Stop(gateway);
  const House::Said said = house_.RunVerify(absl::StrCat(
      "export ", house_.Path("custody"), " --out ", house_.Path("out")));
  EXPECT_EQ(said.code, 0) << said.text;
  std::string all;
  for (const auto& file :
       fs::recursive_directory_iterator(house_.Path("out"))) {
    if (file.is_regular_file()) all += ReadTestFile(file.path());
  }
  EXPECT_THAT(all, HasSubstr("\"finding\":\"DIFFERS\""));
  EXPECT_THAT(all, HasSubstr("\"finding\":\"MISSING\""));
  EXPECT_THAT(house_.Output(),
              HasSubstr("a stored recording is not what its receipt says"));
  EXPECT_THAT(house_.Output(), HasSubstr("a stored recording is missing"));
}

TEST_F(RetentionTest, ExamplesAreWithoutMistakes) {
  Put("rules.textproto", ReadTestFile("deploy/retention.textproto"));
  Put("holds.textproto", ReadTestFile("deploy/holds.textproto"));
  RunForTest(absl::StrCat(fs::absolute("gateway/schleuse-gateway").string(),
                          " check --config ", house_.Path("gateway.textproto"),
                          " >> ", house_.Path("output"), " 2>&1"));
}

TEST_F(RetentionTest, MistakesInItsFilesAreNamedBeforeTheGatewayStarts) {
  Put("rules.textproto", "rule { name: 'x' days: 1 }");
  EXPECT_EQ(house_.RunGateway(), 3);
  EXPECT_THAT(house_.Output(), HasSubstr("rule[0].legal_basis"));
  Put("rules.textproto", kRules);
  Put("holds.textproto", "hold { name: 'h' }");
  EXPECT_EQ(house_.RunGateway(), 3);
  EXPECT_THAT(house_.Output(), HasSubstr("hold[0].reason"));
}

}  // namespace
}  // namespace schleuse
