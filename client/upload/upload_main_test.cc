#include "client/upload/upload_main.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "certs/test_pki.h"
#include "client/link/fake_gateway.h"
#include "evidence/test_receipts.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse::client {
namespace {

namespace wire = transfer::v1;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

using Words = std::vector<std::string>;

std::string Temporary(const std::string& name) {
  return absl::StrCat(testing::TempDir(), "/", name);
}

struct Outcome {
  int code;
  std::string out;
  std::string errors;
};

// Runs the program with its two outputs caught in files.
Outcome RunProgram(Words words) {
  words.insert(words.begin(), "schleuse-upload");
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  const int before[] = {dup(1), dup(2)};
  const std::string files[] = {Temporary("stdout"), Temporary("stderr")};
  for (int i = 0; i < 2; ++i) {
    const int file =
        open(files[i].c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    dup2(file, i + 1);
    close(file);
  }
  const int code =
      UploadMain(static_cast<int>(arguments.size()), arguments.data());
  for (int i = 0; i < 2; ++i) {
    dup2(before[i], i + 1);
    close(before[i]);
  }
  return {code, ReadTestFile(files[0]), ReadTestFile(files[1])};
}

struct Pki {
  TestPki pki;
  const std::string dock = pki.Issue("dock d1 --station s1");
  const std::string other = pki.Issue("dock d2 --station s1");
  const std::string gateway =
      pki.Issue("gateway gw --dns gw.test --ip 127.0.0.1");
};
const Pki& ThePki() {
  static const auto* const pki = new Pki();
  return *pki;
}

std::shared_ptr<grpc::ServerCredentials> ServerCredentials() {
  const Pki& pki = ThePki();
  grpc::SslServerCredentialsOptions options(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = pki.pki.Read("root.pem");
  options.pem_key_cert_pairs.push_back(
      {ReadTestFile(TestPki::KeyOf(pki.gateway)), ReadTestFile(pki.gateway)});
  return grpc::SslServerCredentials(options);
}

Words To(const std::string& address, const Words& more) {
  const Pki& pki = ThePki();
  Words words = {"--gateway",
                 address,
                 "--cert",
                 pki.dock,
                 "--key",
                 TestPki::KeyOf(pki.dock),
                 "--ca",
                 pki.pki.Path("root.pem"),
                 "--camera",
                 "cam-1",
                 "--backoff-initial",
                 "10ms"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

std::string File(const std::string& name, const std::string& bytes) {
  const std::string path = Temporary(name);
  WriteTestFile(path, bytes);
  return path;
}

std::string Footage(size_t size) {
  std::string bytes(size, 'x');
  for (size_t i = 0; i < size; i += 5) bytes[i] = static_cast<char>(i >> 4);
  return bytes;
}

TEST(UploadMainTest, HelpSaysAllAndEndsWell) {
  const Outcome outcome = RunProgram({"--help"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.out,
              AllOf(HasSubstr("Exit codes"), HasSubstr("Examples")));
}

TEST(UploadMainTest, WrongUsageIs2) {
  const Outcome outcome = RunProgram({"--gateway", "x"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.errors,
              AllOf(HasSubstr("HOST:PORT"), HasSubstr("--help")));
  EXPECT_THAT(outcome.out, IsEmpty());
}

TEST(UploadMainTest, CertificateFilesThatCannotBeUsedAre2) {
  Words words = To("127.0.0.1:1", {"x"});
  words[5] = TestPki::KeyOf(ThePki().other);
  EXPECT_EQ(RunProgram(words).code, 2);
  words[5] = "/not/there.key";
  const Outcome outcome = RunProgram(words);
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.errors, HasSubstr("/not/there.key"));
}

TEST(UploadMainTest, AnUnreachableGatewayIsGivenUpWhenAsked) {
  const std::string file = File("a.mp4", "footage");
  const Outcome outcome =
      RunProgram(To("127.0.0.1:1", {"--json", "--retry-for", "3s", file}));
  EXPECT_EQ(outcome.code, 4);
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("\"event\":\"waiting\""),
                                 HasSubstr("\"event\":\"failed\""),
                                 HasSubstr("\"code\":\"DEADLINE_EXCEEDED\""),
                                 HasSubstr("\"exit_code\":4")));
}

TEST(UploadMainTest, FilesAreStoredAndLeftAlone) {
  FakeGateway gateway(ServerCredentials());
  const std::string bytes = Footage(5'000'000);
  const std::string a = File("a b.mp4", bytes);
  const std::string b = File("b.mp4", "small");
  const std::string empty = File("empty.mp4", "");
  const Outcome outcome = RunProgram(
      To(gateway.address(), {"--json", "--incident", "2024-17", "--priority",
                             "bulk", "--parallel", "2", a, b, empty}));
  EXPECT_EQ(outcome.code, 0) << outcome.out << outcome.errors;
  EXPECT_TRUE(gateway.Stored("cam-1/a_b.mp4") == bytes);
  EXPECT_EQ(gateway.Stored("cam-1/b.mp4"), "small");
  EXPECT_EQ(ReadTestFile(a), bytes);
  EXPECT_EQ(gateway.LastBegin().metadata().incident(), "2024-17");
  EXPECT_THAT(gateway.LastBegin().metadata().original_file_name(),
              HasSubstr(".mp4"));
  EXPECT_EQ(gateway.LastBegin().priority(), wire::PRIORITY_BULK);
  int stored = 0;
  for (const absl::string_view line : absl::StrSplit(outcome.out, '\n')) {
    if (line.find("\"event\":\"stored\"") != std::string::npos) ++stored;
  }
  EXPECT_EQ(stored, 3);
  EXPECT_THAT(outcome.out,
              AllOf(HasSubstr("\"stored\":3,\"not_stored\":0"),
                    HasSubstr("\"sent_bytes\":5000005,\"resent_bytes\":0")));
}

TEST(UploadMainTest, CutsAreOvercomeAndCounted) {
  FakeGateway gateway(ServerCredentials());
  gateway.CutEvery(1'000'000);
  const std::string bytes = Footage(5'000'000);
  const Outcome outcome =
      RunProgram(To(gateway.address(),
                    {"--json", "--chunk-kib", "64", File("cut.mp4", bytes)}));
  EXPECT_EQ(outcome.code, 0) << outcome.out;
  EXPECT_TRUE(gateway.Stored("cam-1/cut.mp4") == bytes);
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("\"event\":\"waiting\""),
                                 HasSubstr("\"event\":\"resumed\"")));
}

TEST(UploadMainTest, AFileThatIsMissingDoesNotDisturbTheOthers) {
  FakeGateway gateway(ServerCredentials());
  const std::string directory = Temporary("directory");
  RunForTest("mkdir -p " + directory);
  const Outcome outcome = RunProgram(To(
      gateway.address(),
      {Temporary("not-there.mp4"), File("there.mp4", "footage"), directory}));
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(gateway.Stored("cam-1/there.mp4"), "footage");
  EXPECT_THAT(outcome.out, HasSubstr("cam-1/there.mp4: stored, 7 bytes"));
  EXPECT_THAT(outcome.errors, HasSubstr("cam-1/not-there.mp4: failed"));
  EXPECT_THAT(outcome.out, HasSubstr("1 of 3 recordings stored"));
}

TEST(UploadMainTest, ARefusalIs1AndItsReasonIsPrinted) {
  FakeGateway gateway(ServerCredentials());
  gateway.SetScript([](grpc::ServerContext&, ServerStream&) {
    return grpc::Status(grpc::StatusCode::PERMISSION_DENIED,
                        "no rule grants it");
  });
  const Outcome outcome =
      RunProgram(To(gateway.address(), {File("r.mp4", "x")}));
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.errors, HasSubstr("no rule grants it"));
}

TEST(UploadMainTest, OtherBytesStoredGetAnotherName) {
  FakeGateway gateway(ServerCredentials());
  gateway.Store("cam-1/o.mp4", "other bytes");
  const Outcome outcome =
      RunProgram(To(gateway.address(), {File("o.mp4", "x")}));
  EXPECT_EQ(outcome.code, 0) << outcome.errors;
  EXPECT_EQ(gateway.Stored("cam-1/o.mp4"), "other bytes");
  // The first eight digits of the SHA-256 of "x".
  EXPECT_EQ(gateway.Stored("cam-1/o.mp4~2d711642"), "x");
}

TEST(UploadMainTest, DataLossIs5) {
  FakeGateway gateway(ServerCredentials());
  gateway.SetScript([](grpc::ServerContext&, ServerStream&) {
    wire::ErrorDetail detail;
    detail.set_reason(wire::ErrorDetail::MISMATCH);
    return WithDetail(grpc::StatusCode::DATA_LOSS, "hash differs", detail);
  });
  const Outcome outcome =
      RunProgram(To(gateway.address(), {File("r.mp4", "x")}));
  EXPECT_EQ(outcome.code, 5);
  EXPECT_THAT(outcome.errors, HasSubstr("call somebody"));
}

TEST(UploadMainTest, AReasonFromTheFutureIsJudgedByItsCode) {
  FakeGateway gateway(ServerCredentials());
  std::atomic<int> calls = 0;
  gateway.SetScript([&](grpc::ServerContext&, ServerStream& stream) {
    if (++calls == 1) {
      wire::UploadReply reply;
      reply.mutable_pause()->set_retry_after_millis(1);
      reply.mutable_pause()->set_reason(static_cast<wire::Pause::Reason>(99));
      stream.Write(reply);
      return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "paused");
    }
    wire::ErrorDetail detail;
    detail.set_reason(static_cast<wire::ErrorDetail::Reason>(99));
    return calls == 2 ? WithDetail(grpc::StatusCode::UNAVAILABLE,
                                   "sent nothing for too long", detail)
                      : WithDetail(grpc::StatusCode::PERMISSION_DENIED,
                                   "no more of it", detail);
  });
  const Outcome outcome =
      RunProgram(To(gateway.address(), {File("r.mp4", "x")}));
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("no reason given"),
                                 HasSubstr("sent nothing for too long")));
  EXPECT_THAT(outcome.errors, HasSubstr("no more of it"));
}

// A gateway that takes r.mp4 of cam-1 and answers with `receipt`, its names,
// size and hash filled in.
FakeGateway::Script Receipting(wire::Receipt receipt) {
  return [receipt](grpc::ServerContext&, ServerStream& stream) mutable {
    wire::UploadRequest request;
    stream.Read(&request);
    wire::UploadReply ready, last;
    ready.mutable_ready()->set_credit_bytes(1000);
    stream.Write(ready);
    while (stream.Read(&request) && !request.has_finish()) {
    }
    receipt.set_camera_id("cam-1");
    receipt.set_recording_id("r.mp4");
    receipt.set_size(request.finish().size());
    receipt.set_sha256(request.finish().sha256());
    *last.mutable_receipt() = receipt;
    stream.Write(last);
    return grpc::Status::OK;
  };
}

wire::Receipt ReceiptBy(const TestReceipts& gateway, const std::string& bytes) {
  const TestReceipts::Given given =
      gateway.For({*RecordingName::Parse("cam-1", "r.mp4"), bytes.size(),
                   Sha256::Of(bytes)});
  wire::Receipt receipt;
  receipt.set_statement(given.statement);
  receipt.set_proof(given.receipt);
  return receipt;
}

TEST(UploadMainTest, AReceiptThatNobodyCanVerifyIsStoredAndNothingMore) {
  FakeGateway gateway(ServerCredentials());
  wire::Receipt receipt;
  receipt.set_statement(std::string(65'535, 's'));  // as long as one may be
  receipt.set_proof(std::string(8'000, 'p'));
  gateway.SetScript(Receipting(receipt));
  for (const bool json : {false, true}) {
    Words words = To(gateway.address(), {File("r.mp4", "x"), "--retry-for=5s"});
    if (json) words.push_back("--json");
    const Outcome outcome = RunProgram(words);
    EXPECT_EQ(outcome.code, 0);
    EXPECT_THAT(outcome.out, HasSubstr("stored"));
    EXPECT_THAT(
        outcome.out,
        HasSubstr(json ? "\"receipt\":\"unverified\""
                       : "its receipt was not verified: keep the file"));
    EXPECT_THAT(outcome.out, Not(HasSubstr("erase")));
  }
}

TEST(UploadMainTest, AVerifiedReceiptIsKeptAsItCame) {
  FakeGateway gateway(ServerCredentials());
  const TestReceipts log;
  const wire::Receipt receipt = ReceiptBy(log, "x");
  gateway.SetScript(Receipting(receipt));
  const std::string kept = Temporary("receipts");
  const Outcome outcome = RunProgram(
      To(gateway.address(), {File("r.mp4", "x"), "--custody-keys",
                             File("keys.pub", log.pinned().ToString()),
                             "--receipts", kept, "--json"}));
  EXPECT_EQ(outcome.code, 0) << outcome.errors;
  EXPECT_THAT(outcome.out, HasSubstr("\"receipt\":\"verified\""));
  const std::string bundle = kept + "/cam-1/r.mp4/";
  EXPECT_EQ(ReadTestFile(bundle + "statement.json"), receipt.statement());
  EXPECT_EQ(ReadTestFile(bundle + "receipt.tlog-proof"), receipt.proof());
}

TEST(UploadMainTest, AReceiptByAnotherKeyEndsItWith5) {
  FakeGateway gateway(ServerCredentials());
  gateway.SetScript(Receipting(ReceiptBy(TestReceipts(), "x")));
  const Outcome outcome =
      RunProgram(To(gateway.address(),
                    {File("r.mp4", "x"), "--custody-keys",
                     File("keys.pub", TestReceipts().pinned().ToString())}));
  EXPECT_EQ(outcome.code, 5);
  EXPECT_THAT(outcome.errors, HasSubstr("receipt does not hold"));
}

TEST(UploadMainTest, AReceiptThatCannotBeKeptEndsItWith1) {
  FakeGateway gateway(ServerCredentials());
  gateway.SetScript(Receipting(ReceiptBy(TestReceipts(), "x")));
  const Outcome outcome =
      RunProgram(To(gateway.address(),
                    {File("r.mp4", "x"), "--receipts", File("file", "x")}));
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.errors, HasSubstr("its receipt could not be kept"));
}

TEST(UploadMainTest, KeysOfACustodyLogThatAreNoneAreSaidSo) {
  const Outcome outcome =
      RunProgram(To("127.0.0.1:1", {File("r.mp4", "x"), "--custody-keys",
                                    File("keys.pub", "no key\n")}));
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.errors, HasSubstr("keys.pub"));
}

TEST(UploadMainTest, AFileWithAControlCharacterInItsNameWasRefused) {
  FakeGateway gateway(ServerCredentials());
  const Outcome outcome =
      RunProgram(To(gateway.address(), {File("a\nb\xC2\x85.mp4", "x")}));
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(gateway.LastBegin().metadata().original_file_name(), "a_b__.mp4");
}

TEST(UploadMainTest, ASignalEndsItInOrderWith3) {
  FakeGateway gateway(ServerCredentials());
  gateway.SetScript([](grpc::ServerContext& context, ServerStream& stream) {
    wire::UploadRequest request;
    stream.Read(&request);
    kill(getpid(), SIGTERM);
    while (stream.Read(&request)) {
    }
    EXPECT_TRUE(context.IsCancelled());
    return grpc::Status::OK;
  });
  const Outcome outcome = RunProgram(
      To(gateway.address(), {"--json", "--parallel", "1", File("r.mp4", "x"),
                             File("never.mp4", "x")}));
  EXPECT_EQ(outcome.code, 3);
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("interrupted; not stored yet"),
                                 HasSubstr("interrupted before it was begun"),
                                 HasSubstr("\"not_stored\":2")));
}

// While its store was away a gateway held one recording of each lane, and the
// dock brought it no other.
TEST(UploadMainTest, WhatWaitsForTheStoreKeptOthersFromBeingBrought) {
  FakeGateway gateway(ServerCredentials());
  gateway.SetScript([&gateway](grpc::ServerContext&, ServerStream& stream) {
    wire::UploadRequest request;
    stream.Read(&request);
    if (request.begin().recording_id() == "second.mp4") {
      gateway.SetScript(nullptr);  // the store is back
      return grpc::Status(grpc::StatusCode::UNAVAILABLE, "once more");
    }
    wire::UploadReply reply;
    reply.mutable_ready()->set_transfer_id(std::string(32, '0'));
    reply.mutable_ready()->set_chunk_bytes_max(1 << 20);
    reply.mutable_ready()->set_credit_bytes(1 << 20);
    stream.Write(reply);
    while (stream.Read(&request) && !request.has_finish()) {
    }
    reply.mutable_pause()->set_retry_after_millis(50);
    reply.mutable_pause()->set_reason(wire::Pause::STORE_AWAY);
    stream.Write(reply);
    return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "away");
  });
  const Outcome outcome = RunProgram(
      To(gateway.address(),
         {"--parallel", "1", "--retry-for", "10s", "--backoff-max", "50ms",
          File("first.mp4", "one"), File("second.mp4", "two")}));
  EXPECT_EQ(outcome.code, 0) << outcome.errors;
  EXPECT_EQ(gateway.Stored("cam-1/first.mp4"), "one");
  EXPECT_EQ(gateway.Stored("cam-1/second.mp4"), "two");
}

TEST(UploadMainTest, WhoIsNotAcceptedWasLeftToGuessWhy) {
  // A gateway of another house, whose root did not issue our certificate.
  const TestPki elsewhere;
  const std::string certificate =
      elsewhere.Issue("gateway gw --dns gw.test --ip 127.0.0.1");
  grpc::SslServerCredentialsOptions options(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = elsewhere.Read("root.pem");
  options.pem_key_cert_pairs.push_back(
      {ReadTestFile(TestPki::KeyOf(certificate)), ReadTestFile(certificate)});
  FakeGateway gateway(grpc::SslServerCredentials(options));
  Words words =
      To(gateway.address(), {"--retry-for", "300ms", File("s.mp4", "x")});
  words[7] = elsewhere.Path("root.pem");
  const Outcome outcome = RunProgram(words);
  EXPECT_EQ(outcome.code, 4);
  EXPECT_THAT(outcome.errors,
              HasSubstr("does it accept this device's certificate?"));
}

TEST(UploadMainTest, TheWrongGatewayGetsNothing) {
  FakeGateway gateway(ServerCredentials());
  const Outcome outcome = RunProgram(
      To(gateway.address(), {"--server-name", "elsewhere.test", "--retry-for",
                             "300ms", File("w.mp4", "x")}));
  EXPECT_EQ(outcome.code, 4);
  EXPECT_THAT(gateway.Peers(), IsEmpty());
}

}  // namespace
}  // namespace schleuse::client

int main(int argc, char** argv) {
  // Before any thread, so that only the program under test hears of it.
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &mask, nullptr);
  testing::InitGoogleMock(&argc, argv);
  return RUN_ALL_TESTS();
}
