// The gRPC door with everything behind it, over real connections.
#include "gateway/rpc/server.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "base/clock.h"
#include "base/crc32c.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/random.h"
#include "base/status_matchers.h"
#include "base/thread_pool.h"
#include "certs/test_pki.h"
#include "crypto/certificate.h"
#include "crypto/digest.h"
#include "crypto/tls_profile.h"
#include "disk/fake_disk.h"
#include "disk/posix_disk.h"
#include "evidence/stored_receipt.h"
#include "gateway/access/identify.h"
#include "gateway/access/roster.h"
#include "gateway/access/roster_source.h"
#include "gateway/custody/custody_log.h"
#include "gateway/custody/keys.h"
#include "gateway/spool/spool.h"
#include "gateway/store/file_store.h"
#include "gateway/transfer/intake.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/rich_status.pb.h"
#include "proto/transfer.grpc.pb.h"

namespace schleuse {
namespace {

namespace v1 = transfer::v1;
using ::testing::HasSubstr;
using ::testing::Not;

// Nothing here takes so long unless it hangs.
constexpr absl::Duration kHangs = absl::Seconds(60);

// Polls until it is so, or the test hangs.
template <typename Condition>
[[nodiscard]] bool Eventually(Condition condition) {
  const absl::Time deadline = absl::Now() + kHangs;
  while (!condition()) {
    if (absl::Now() > deadline) return false;
    absl::SleepFor(absl::Milliseconds(1));
  }
  return true;
}

// --- certificates ------------------------------------------------------------

constexpr char kRoster[] =
    "trust_domain: 'police.example'\n"
    "issuer { role: 'dock' role: 'radio' certificate_file: 'ca-devices.pem' }\n"
    "issuer { role: 'operator' certificate_file: 'ca-people.pem' }\n"
    "grant { name: 'docks' device: 'dock/*/*' camera: 'cam-*' }\n";

struct Certificates {
  TestPki pki;
  std::string gateway = pki.Issue("gateway g1 --ip 127.0.0.1");
  std::string dock = pki.Issue("dock d1 --station s1");
  std::string other_dock = pki.Issue("dock d2 --station s1");
  std::string revoked = pki.Issue("dock lost");

  Certificates() {
    pki.Revoke(revoked);
    WriteTestFile(pki.Path("roster.textproto"), kRoster);
  }
};

const Certificates& Certs() {
  static const auto* const certificates = new Certificates;
  return *certificates;
}

Roster LoadRoster() {
  return *Roster::Load(PosixDisk(), Certs().pki.Path("roster.textproto"));
}

std::shared_ptr<const Identifier> LoadIdentifier() {
  const Roster roster = LoadRoster();
  std::vector<RevocationList> lists;
  for (const char* file : {"crl-devices.pem", "crl-people.pem"}) {
    lists.push_back(
        *RevocationList::FromPem(Certs().pki.Read(file), roster.Issuers()));
  }
  return std::make_shared<const Identifier>(roster, lists);
}

// --- the gateway -------------------------------------------------------------

struct HouseOptions {
  HouseOptions() { server.memory_bytes_max = 1 << 30; }
  ServerOptions server;  // names and certificates are the house's
  IntakeOptions intake = {.spool_reserve_bytes = 0,
                          .ack_every = absl::Milliseconds(5)};
  bool receipts = false;
};

// A log on `disk`, if there is to be one.
struct Custody {
  Custody(bool wanted, Disk& disk, Executor& executor, const Clock& clock,
          Random& random) {
    if (!wanted) return;
    for (const char* directory : {"/custody", "/keys"}) {
      EXPECT_OK(disk.MakeDirectory(directory));
    }
    EXPECT_OK(InitCustody(disk, "/custody", "/keys", "gw", 1 << 20));
    keys =
        std::make_unique<CustodyKeys>(*CustodyKeys::Load(disk, "/keys", "gw"));
    CustodyOptions options;
    options.clock_synchronised = [] { return true; };
    options.on_fatal = [](const absl::Status& why) { ADD_FAILURE() << why; };
    log = *CustodyLog::Open(disk, "/custody", *keys, executor, clock, random,
                            std::move(options));
  }
  std::unique_ptr<CustodyKeys> keys;
  std::unique_ptr<CustodyLog> log;
};

IntakeOptions With(IntakeOptions options, CustodyLog* custody) {
  options.custody = custody;
  return options;
}

class House {
 public:
  explicit House(const HouseOptions& options = {})
      : spool_(disk, "/spool", random_),
        store_(disk, "/store", {}),
        workers_(4),
        custody(options.receipts, disk, workers_, clock_, random_),
        intake(spool_, store_, roster_, workers_, workers_, clock_, random_,
               With(options.intake, custody.log.get())) {
    EXPECT_OK(disk.MakeDirectory("/spool"));
    EXPECT_OK(disk.MakeDirectory("/store"));
    EXPECT_OK(intake.Recover());
    auto started = Start(options.server, "127.0.0.1:0", clock_);
    EXPECT_OK(started);
    server = *std::move(started);
  }

  absl::StatusOr<std::unique_ptr<Server>> Start(ServerOptions options,
                                                const std::string& listen,
                                                const Clock& clock) {
    options.listen = listen;
    options.certificate_chain_pem = ReadTestFile(Certs().gateway);
    options.private_key_pem = ReadTestFile(TestPki::KeyOf(Certs().gateway));
    options.root_certificates_pem = Certs().pki.Read("root.pem");
    return Server::Start(options, intake, LoadIdentifier(), workers_, clock);
  }

  std::string address() const {
    return absl::StrCat("127.0.0.1:", server->port());
  }

  // What the store holds of a recording of cam-1.
  absl::StatusOr<std::string> InStore(const std::string& recording) const {
    return ReadFile(disk,
                    absl::StrCat("/store/cam-1/", recording, "/recording.bin"),
                    1 << 30);
  }

  FakeDisk disk;

 private:
  SystemClock clock_;
  SystemRandom random_;
  Spool spool_;
  FileStore store_;
  FixedRoster roster_{LoadRoster()};
  ThreadPool workers_;

 public:
  Custody custody;
  Intake intake;
  std::unique_ptr<Server> server;
};

// While it lives, what the disk is asked to do waits.
class StuckDisk {
 public:
  explicit StuckDisk(FakeDisk& disk) : disk_(disk) {
    disk_.SetFault(
        [released = release_.get_future().share()](const DiskOperation&) {
          released.wait();
          return absl::OkStatus();
        });
  }
  ~StuckDisk() {
    release_.set_value();
    disk_.SetFault(nullptr);
  }

 private:
  FakeDisk& disk_;
  std::promise<void> release_;
};

// --- a device ----------------------------------------------------------------

std::shared_ptr<grpc::Channel> Connect(const std::string& address,
                                       const std::string& certificate,
                                       grpc::ChannelArguments arguments = {}) {
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = Certs().pki.Read("root.pem");
  if (!certificate.empty()) {
    options.pem_cert_chain = ReadTestFile(certificate);
    options.pem_private_key = ReadTestFile(TestPki::KeyOf(certificate));
  }
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(address, grpc::SslCredentials(options),
                                   arguments);
}

std::shared_ptr<grpc::Channel> Connect(const House& house,
                                       const std::string& certificate) {
  return Connect(house.address(), certificate);
}

v1::UploadRequest BeginOf(const std::string& recording,
                          const std::string& camera = "cam-1") {
  v1::UploadRequest request;
  request.mutable_begin()->set_camera_id(camera);
  request.mutable_begin()->set_recording_id(recording);
  return request;
}

v1::UploadRequest ChunkOf(uint64_t offset, const std::string& data) {
  v1::UploadRequest request;
  request.mutable_chunk()->set_offset(offset);
  request.mutable_chunk()->set_crc32c(Crc32c(data));
  request.mutable_chunk()->set_data(data);
  return request;
}

v1::UploadRequest FinishOf(const std::string& bytes) {
  v1::UploadRequest request;
  request.mutable_finish()->set_size(bytes.size());
  request.mutable_finish()->set_sha256(std::string(Sha256::Of(bytes).bytes()));
  return request;
}

// One Upload call.
class Call {
 public:
  explicit Call(const std::shared_ptr<grpc::Channel>& channel)
      : stub_(v1::TransferService::NewStub(channel)) {
    context.set_deadline(absl::ToChronoTime(absl::Now() + kHangs));
    stream_ = stub_->Upload(&context);
  }

  bool Send(const v1::UploadRequest& request) {
    return stream_->Write(request);
  }
  void HalfClose() { stream_->WritesDone(); }

  // The next reply; none if the gateway ended the call.
  std::optional<v1::UploadReply> Read() {
    v1::UploadReply reply;
    if (!stream_->Read(&reply)) return std::nullopt;
    return reply;
  }
  // The next reply that is no Ack.
  std::optional<v1::UploadReply> ReadPastAcks() {
    std::optional<v1::UploadReply> reply;
    do reply = Read();
    while (reply && reply->has_ack());
    return reply;
  }
  // Begins, and returns the offset that Ready names.
  uint64_t Begin(const std::string& recording) {
    Send(BeginOf(recording));
    const std::optional<v1::UploadReply> reply = Read();
    EXPECT_TRUE(reply && reply->has_ready());
    return reply ? reply->ready().offset() : 0;
  }
  bool ReadAckOf(uint64_t offset) {
    while (const std::optional<v1::UploadReply> reply = Read()) {
      if (reply->has_ack() && reply->ack().durable_offset() >= offset) {
        return true;
      }
    }
    return false;
  }
  // How the gateway ended the call.
  grpc::Status End() {
    while (Read()) continue;
    return stream_->Finish();
  }

  grpc::ClientContext context;

 private:
  const std::unique_ptr<v1::TransferService::Stub> stub_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::UploadRequest, v1::UploadReply>>
      stream_;
};

v1::ErrorDetail::Reason ReasonOf(const grpc::Status& status) {
  rich_status::v1::RichStatus rich;
  v1::ErrorDetail detail;
  if (rich.ParseFromString(status.error_details()) &&
      rich.details_size() == 1) {
    rich.details(0).UnpackTo(&detail);
  }
  return detail.reason();
}

MATCHER_P(EndsWith, code, absl::StrCat("ends with code ", code)) {
  *result_listener << arg.error_code() << ": " << arg.error_message();
  return arg.error_code() == code;
}

// Opens one call, sends `requests`, and returns how the gateway ends it.
grpc::Status Answer(const std::shared_ptr<grpc::Channel>& channel,
                    const std::vector<v1::UploadRequest>& requests) {
  Call call(channel);
  for (const v1::UploadRequest& request : requests) {
    if (!call.Send(request)) break;
  }
  return call.End();
}

grpc::Status Upload(const std::shared_ptr<grpc::Channel>& channel,
                    const std::string& recording, const std::string& bytes) {
  Call call(channel);
  for (uint64_t at = call.Begin(recording); at < bytes.size();) {
    const std::string data = bytes.substr(at, 100'000);
    call.Send(ChunkOf(at, data));
    at += data.size();
  }
  call.Send(FinishOf(bytes));
  const std::optional<v1::UploadReply> reply = call.ReadPastAcks();
  EXPECT_TRUE(reply && (reply->has_stored() || reply->has_receipt()));
  return call.End();
}

// A dock that keeps to the rules is served as if nothing had happened.
void ExpectServesOthers(House& house) {
  static std::atomic<int> number{0};
  const std::string recording = absl::StrCat("probe-", ++number);
  const std::string bytes(1000, 'p');
  EXPECT_THAT(Upload(Connect(house, Certs().other_dock), recording, bytes),
              EndsWith(grpc::StatusCode::OK));
  EXPECT_THAT(house.InStore(recording), IsOkAndHolds(bytes));
}

grpc::Status GetTransfer(const std::shared_ptr<grpc::Channel>& channel,
                         const std::string& camera,
                         const std::string& recording,
                         v1::GetTransferReply& reply) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kHangs));
  v1::GetTransferRequest request;
  request.set_camera_id(camera);
  request.set_recording_id(recording);
  return v1::TransferService::NewStub(channel)->GetTransfer(&context, request,
                                                            &reply);
}

v1::GetTransferReply StateOf(const House& house, const std::string& recording) {
  v1::GetTransferReply reply;
  EXPECT_THAT(
      GetTransfer(Connect(house, Certs().dock), "cam-1", recording, reply),
      EndsWith(grpc::StatusCode::OK));
  return reply;
}

// --- who gets in -------------------------------------------------------------

TEST(ServerTest, ARecordingArrivesWhole) {
  House house;
  std::string bytes;
  SeededRandom random(1);
  while (bytes.size() < 3'000'000) absl::StrAppend(&bytes, random.Next());
  EXPECT_THAT(Upload(Connect(house, Certs().dock), "r1", bytes),
              EndsWith(grpc::StatusCode::OK));
  EXPECT_THAT(house.InStore("r1"), IsOkAndHolds(bytes));
  EXPECT_TRUE(Eventually([&] { return house.intake.streams() == 0; }));
}

TEST(ServerTest, AStrangerGetsNoFurtherThanTheHandshake) {
  House house;
  const TestPki& pki = Certs().pki;
  const TestPki others;
  const std::pair<const char*, std::string> strangers[] = {
      {"no certificate", ""},
      {"another PKI's", others.Issue("dock d1 --station s1")},
      {"from the CA of another role", pki.Issue("dock wrong --ca people")},
      {"expired", pki.Issue("dock old --not-before '3 days ago' "
                            "--not-after '1 day ago'")},
      {"not yet valid", pki.Issue("dock early --not-before '1 day'")},
      {"no SPIFFE ID", pki.Issue("dock nobody --no-uri")},
      {"two SPIFFE IDs",
       pki.Issue("dock two --uri spiffe://police.example/dock/hq/a "
                 "--uri spiffe://police.example/dock/hq/b")},
      {"a foreign trust domain",
       pki.Issue("dock foreign --uri spiffe://other.example/dock/hq/a")},
      {"revoked", Certs().revoked},
      {"a role without CA", pki.Issue("witness w1")},
  };
  for (const auto& [who, certificate] : strangers) {
    SCOPED_TRACE(who);
    const auto channel = Connect(house, certificate);
    EXPECT_THAT(Answer(channel, {BeginOf("r1")}),
                EndsWith(grpc::StatusCode::UNAVAILABLE));
    v1::GetTransferReply reply;
    EXPECT_THAT(GetTransfer(channel, "cam-1", "r1", reply),
                EndsWith(grpc::StatusCode::UNAVAILABLE));
    // No call of theirs reached the service.
    EXPECT_THAT(GetTransfer(Connect(house, Certs().dock), "cam-1", "r1", reply),
                EndsWith(grpc::StatusCode::NOT_FOUND));
    EXPECT_EQ(house.intake.streams(), 0);
    ExpectServesOthers(house);
  }
}

TEST(ServerTest, OnlyDevicesMayUpload) {
  House house;
  const auto channel =
      Connect(house, Certs().pki.Issue("operator o1 --file may-not-upload"));
  EXPECT_THAT(Answer(channel, {BeginOf("r1")}),
              EndsWith(grpc::StatusCode::PERMISSION_DENIED));
  v1::GetTransferReply reply;
  EXPECT_THAT(GetTransfer(channel, "cam-1", "r1", reply),
              EndsWith(grpc::StatusCode::PERMISSION_DENIED));
  ExpectServesOthers(house);
}

// A certificate may run out while its connection stays.
TEST(ServerTest, EveryCallIsIdentifiedAnew) {
  House house;
  const auto channel =
      Connect(house, Certs().pki.Issue("dock short --not-after '4 seconds'"));
  EXPECT_THAT(Upload(channel, "r1", "x"), EndsWith(grpc::StatusCode::OK));
  grpc::Status status;
  int number = 1;
  EXPECT_TRUE(Eventually([&] {
    status = Answer(channel,
                    {BeginOf(absl::StrCat("again-", ++number)), FinishOf("")});
    return !status.ok();
  }));
  EXPECT_THAT(status, EndsWith(grpc::StatusCode::UNAUTHENTICATED));
  EXPECT_THAT(status.error_message(), Not(HasSubstr("expired")));
  ExpectServesOthers(house);
}

// How many lines of `log` tell of `event`.
int LinesOf(absl::string_view log, absl::string_view event) {
  const std::string field = absl::StrCat("\"event\":\"", event, "\"");
  int lines = 0;
  for (const absl::string_view line : absl::StrSplit(log, '\n')) {
    lines += absl::StrContains(line, field);
  }
  return lines;
}

// Whoever can make us refuse must not fill our disk with it.
TEST(ServerTest, AFloodOfRefusalsDoesNotFloodTheLog) {
  House house;
  struct StandingClock final : Clock {
    absl::Time Now() const override {
      return start + absl::Seconds(seconds_passed.load());
    }
    const absl::Time start = absl::Now();
    std::atomic<int> seconds_passed{0};
  } clock;
  ASSERT_OK_AND_ASSIGN(
      const std::unique_ptr<Server> server,
      house.Start(HouseOptions().server, "127.0.0.1:0", clock));
  const std::string address = absl::StrCat("127.0.0.1:", server->port());
  const auto person =
      Connect(address, Certs().pki.Issue("operator o1 --file floods-the-log"));
  const auto refused = [&](const std::shared_ptr<grpc::Channel>& channel) {
    EXPECT_FALSE(Answer(channel, {BeginOf("r1")}).ok());
  };

  SetLogThreshold(Severity::kWarning);
  testing::internal::CaptureStderr();
  for (int i = 0; i < limits::kLogLinesPerSecond + 7; ++i) {
    refused(person);
    refused(Connect(address, Certs().revoked));
  }
  const std::string flood = testing::internal::GetCapturedStderr();
  testing::internal::CaptureStderr();
  clock.seconds_passed = 1;
  refused(person);
  refused(Connect(address, Certs().revoked));
  const std::string next = testing::internal::GetCapturedStderr();
  SetLogThreshold(std::nullopt);

  EXPECT_EQ(LinesOf(flood, "call refused"), limits::kLogLinesPerSecond);
  EXPECT_EQ(LinesOf(flood, "certificate refused"), limits::kLogLinesPerSecond);
  EXPECT_THAT(next, HasSubstr("this role may not upload\",\"left_out\":\"7\""));
  EXPECT_THAT(next, HasSubstr("certificate refused"));
}

// --- TLS ---------------------------------------------------------------------

std::string OpenSslClient(const House& house, const std::string& options) {
  const std::string command = absl::StrCat(
      "sleep 1 | timeout 30 openssl s_client -connect ", house.address(),
      " -alpn h2 -CAfile ", Certs().pki.Path("root.pem"), " -cert ",
      Certs().dock, " -cert_chain ", Certs().dock, " -key ",
      TestPki::KeyOf(Certs().dock), " ", options, " 2>&1");
  std::FILE* const pipe = popen(command.c_str(), "r");
  std::string output;
  char buffer[4096];
  while (const size_t length = std::fread(buffer, 1, sizeof(buffer), pipe)) {
    output.append(buffer, length);
  }
  pclose(pipe);
  return output;
}

TEST(ServerTest, SpeaksOnlyTheTlsOfTheProfile) {
  House house;
  const std::string good = OpenSslClient(house, "-msg");
  EXPECT_THAT(good, HasSubstr("TLSv1.3, Cipher is TLS_AES_256_GCM_SHA384"));
  EXPECT_THAT(good, HasSubstr("Verify return code: 0 (ok)"));
  EXPECT_THAT(good, HasSubstr("ECDH, prime256v1, 256 bits"));
  // A resumed session would not be asked for its certificate.
  EXPECT_THAT(good, Not(HasSubstr("NewSessionTicket")));
  for (const char* weak :
       {"-tls1_2", "-tls1_1", "-ciphersuites TLS_CHACHA20_POLY1305_SHA256",
        "-groups X25519", "-groups X448"}) {
    const std::string output = OpenSslClient(house, weak);
    EXPECT_THAT(output, HasSubstr("Cipher is (NONE)")) << weak;
  }
  ExpectServesOthers(house);
}

// --- bad messages -----------------------------------------------------------

TEST(ServerTest, EachBreachOfTheProtocolEndsTheCall) {
  House house;
  const auto channel = Connect(house, Certs().dock);
  v1::UploadRequest long_text = BeginOf("r1");
  long_text.mutable_begin()->mutable_metadata()->set_wearer(
      std::string(513, 'w'));
  v1::UploadRequest large_begin = BeginOf("r1");
  large_begin.mutable_begin()->mutable_metadata()->set_wearer(
      std::string(20'000, 'w'));
  v1::UploadRequest bad_hash = FinishOf("");
  bad_hash.mutable_finish()->set_sha256("short");
  std::vector<v1::UploadRequest> finishes = {BeginOf("r2")};
  for (int i = 0; i < 100; ++i) finishes.push_back(FinishOf("missing"));
  const std::string most(limits::kChunkBytesMax, 'x');
  const std::pair<const char*, std::vector<v1::UploadRequest>> breaches[] = {
      {"a chunk above 1 MiB", {BeginOf("r1"), ChunkOf(0, most + 'x')}},
      {"an empty chunk", {BeginOf("r1"), ChunkOf(0, "")}},
      {"a chunk before Begin", {ChunkOf(0, "x")}},
      {"two Begins", {BeginOf("r1"), BeginOf("r1")}},
      {"Finish before Begin", {FinishOf("")}},
      {"an empty request", {v1::UploadRequest()}},
      {"an id with ../", {BeginOf("../../etc/passwd")}},
      {"an id with NUL", {BeginOf(std::string("a\0b", 3))}},
      {"an id of 300 characters", {BeginOf(std::string(300, 'a'))}},
      {"no id", {BeginOf("")}},
      {"a text above its bound", {long_text}},
      {"a Begin above its bound", {large_begin}},
      {"a hash that is none", {BeginOf("r1"), bad_hash}},
      {"Finish without end", finishes},
  };
  for (const auto& [what, requests] : breaches) {
    SCOPED_TRACE(what);
    const grpc::Status status = Answer(channel, requests);
    EXPECT_THAT(status, EndsWith(grpc::StatusCode::INVALID_ARGUMENT));
    EXPECT_EQ(ReasonOf(status), v1::ErrorDetail::BAD_MESSAGE);
    ExpectServesOthers(house);
  }
  // The largest chunk allowed, on the same connection.
  EXPECT_THAT(
      Answer(channel, {BeginOf("most"), ChunkOf(0, most), FinishOf(most)}),
      EndsWith(grpc::StatusCode::OK));
}

TEST(ServerTest, AMessageFarTooLargeIsRefusedUnread) {
  House house;
  EXPECT_THAT(Answer(Connect(house, Certs().dock),
                     {BeginOf("r1"), ChunkOf(0, std::string(3 << 20, 'x'))}),
              EndsWith(grpc::StatusCode::RESOURCE_EXHAUSTED));
  ExpectServesOthers(house);
}

TEST(ServerTest, CompressedMessagesAreRefused) {
  House house;
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kHangs));
  context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
  const auto stub = v1::TransferService::NewStub(Connect(house, Certs().dock));
  const auto stream = stub->Upload(&context);
  stream->Write(ChunkOf(0, std::string(1000, 'x')));
  v1::UploadReply reply;
  while (stream->Read(&reply)) continue;
  EXPECT_THAT(stream->Finish(), EndsWith(grpc::StatusCode::UNIMPLEMENTED));
  ExpectServesOthers(house);
}

// A call of `method` that sends `bytes` as its only message.
grpc::Status AnswerToBytes(const std::shared_ptr<grpc::Channel>& channel,
                           const std::string& method,
                           const std::string& bytes) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kHangs));
  grpc::CompletionQueue queue;
  const auto wait = [&queue] {
    void* tag;
    bool ok;
    queue.Next(&tag, &ok);
  };
  const auto stream = stub.PrepareCall(
      &context, absl::StrCat("/schleuse.transfer.v1.TransferService/", method),
      &queue);
  stream->StartCall(nullptr);
  wait();
  const grpc::Slice slice(bytes.data(), bytes.size());
  stream->Write(grpc::ByteBuffer(&slice, 1), nullptr);
  wait();
  grpc::Status status;
  stream->Finish(&status, nullptr);
  wait();
  return status;
}

TEST(ServerTest, GarbageEndsTheCall) {
  House house;
  const auto channel = Connect(house, Certs().dock);
  for (const std::string& bytes :
       {std::string("GET / HTTP/1.1"), std::string(1000, '\xFF'),
        std::string(70'000, '\0'), std::string("\x12\xFF"),
        std::string("\x0A\x03\x0A\x01\xFF")}) {
    const grpc::Status status = AnswerToBytes(channel, "Upload", bytes);
    EXPECT_THAT(status, EndsWith(grpc::StatusCode::INVALID_ARGUMENT));
    EXPECT_EQ(ReasonOf(status), v1::ErrorDetail::BAD_MESSAGE);
  }
  EXPECT_FALSE(AnswerToBytes(channel, "GetTransfer", "\xFF\xFF").ok());
  EXPECT_FALSE(AnswerToBytes(channel, "GetTransfer", "\x0A\x01\xFF").ok());
  for (const char* method :
       {"NoSuchMethod", "WatchReceipts", "AnnounceManifest"}) {
    EXPECT_THAT(AnswerToBytes(channel, method, ""),
                EndsWith(grpc::StatusCode::UNIMPLEMENTED));
  }
  ExpectServesOthers(house);
}

TEST(ServerTest, ACameraThatIsNotGrantedIsRefused) {
  House house;
  const grpc::Status status =
      Answer(Connect(house, Certs().dock), {BeginOf("r1", "other-1")});
  EXPECT_THAT(status, EndsWith(grpc::StatusCode::PERMISSION_DENIED));
  EXPECT_EQ(ReasonOf(status), v1::ErrorDetail::NOT_GRANTED);
  ExpectServesOthers(house);
}

// --- calls that end before their transfer ------------------------------------

TEST(ServerTest, AHalfCloseBeforeFinishKeepsTheBytes) {
  House house;
  const auto channel = Connect(house, Certs().dock);
  Call call(channel);
  call.Begin("r1");
  call.Send(ChunkOf(0, "one two"));
  EXPECT_TRUE(call.ReadAckOf(7));
  call.HalfClose();
  EXPECT_THAT(call.End(), EndsWith(grpc::StatusCode::CANCELLED));
  EXPECT_EQ(Call(channel).Begin("r1"), 7u);
  EXPECT_THAT(Upload(channel, "r1", "one two three"),
              EndsWith(grpc::StatusCode::OK));
  EXPECT_THAT(house.InStore("r1"), IsOkAndHolds("one two three"));
}

TEST(ServerTest, AHalfCloseBehindFinishIsInOrder) {
  House house;
  Call call(Connect(house, Certs().dock));
  call.Begin("r1");
  call.Send(ChunkOf(0, "x"));
  call.Send(FinishOf("x"));
  call.HalfClose();
  EXPECT_THAT(call.End(), EndsWith(grpc::StatusCode::OK));
  EXPECT_THAT(house.InStore("r1"), IsOkAndHolds("x"));
}

// It would wait for chunks that can no longer be sent.
TEST(ServerTest, ARewindForADeviceThatClosedEndsTheCall) {
  House house;
  Call call(Connect(house, Certs().dock));
  call.Begin("r1");
  {
    const StuckDisk stuck(house.disk);
    call.Send(ChunkOf(0, "x"));
    call.Send(FinishOf("x and what is missing"));
    call.HalfClose();
  }
  const std::optional<v1::UploadReply> reply = call.ReadPastAcks();
  EXPECT_TRUE(reply && reply->has_rewind());
  EXPECT_THAT(call.End(), EndsWith(grpc::StatusCode::CANCELLED));
  ExpectServesOthers(house);
}

TEST(ServerTest, ADeviceThatVanishesFindsItsBytesAgain) {
  HouseOptions options;
  options.intake.ack_every = absl::Hours(1);  // no sync but that of the loss
  House house(options);
  {
    auto channel = Connect(house, Certs().dock);
    Call call(channel);
    call.Begin("r1");
    call.Send(ChunkOf(0, "one two"));
    EXPECT_TRUE(Eventually(
        [&] { return StateOf(house, "r1").received_offset() == 7; }));
    EXPECT_EQ(StateOf(house, "r1").durable_offset(), 0u);
    call.context.TryCancel();
  }
  EXPECT_TRUE(
      Eventually([&] { return StateOf(house, "r1").durable_offset() == 7; }));
  EXPECT_TRUE(Eventually([&] { return house.intake.streams() == 0; }));
  EXPECT_THAT(Upload(Connect(house, Certs().dock), "r1", "one two three"),
              EndsWith(grpc::StatusCode::OK));
  EXPECT_THAT(house.InStore("r1"), IsOkAndHolds("one two three"));
}

TEST(ServerTest, TheNewestStreamTakesOver) {
  House house;
  Call old(Connect(house, Certs().dock));
  old.Begin("r1");
  old.Send(ChunkOf(0, "one two"));
  EXPECT_TRUE(old.ReadAckOf(7));
  Call newest(Connect(house, Certs().other_dock));
  EXPECT_EQ(newest.Begin("r1"), 7u);
  const grpc::Status status = old.End();
  EXPECT_THAT(status, EndsWith(grpc::StatusCode::ABORTED));
  EXPECT_EQ(ReasonOf(status), v1::ErrorDetail::TAKEN_OVER);
  newest.Send(ChunkOf(7, " three"));
  newest.Send(FinishOf("one two three"));
  EXPECT_THAT(newest.End(), EndsWith(grpc::StatusCode::OK));
  EXPECT_THAT(house.InStore("r1"), IsOkAndHolds("one two three"));
}

// --- devices that ignore the rules ------------------------------------------

TEST(ServerTest, ADeviceThatIgnoresItsCreditHasToWait) {
  House house;
  constexpr int kChunks = 64;
  const std::string data(limits::kChunkBytesMax, 'x');
  Call call(Connect(house, Certs().dock));
  call.Begin("r1");
  std::atomic<int> sent{0};
  std::thread device;
  {
    const StuckDisk stuck(house.disk);
    device = std::thread([&] {
      for (uint64_t i = 0; i < kChunks; ++i) {
        if (!call.Send(ChunkOf(i * data.size(), data))) return;
        ++sent;
      }
    });
    // What is queued, what gRPC holds on both sides, and what TCP does.
    constexpr int kChunksOnTheWayMax = 24;
    EXPECT_TRUE(Eventually([&] { return sent >= 4; }));
    int before = -1;
    while (sent > before && sent < kChunks) {
      before = sent;
      absl::SleepFor(absl::Milliseconds(300));
    }
    EXPECT_LT(sent, kChunksOnTheWayMax);
  }
  EXPECT_TRUE(call.ReadAckOf(kChunks * data.size()));
  device.join();
  EXPECT_EQ(sent, kChunks);
  ExpectServesOthers(house);
}

// Sends into `calls` streams of one connection, without regard to credit, while
// the disk is stuck, until nothing moves. Returns how many MiB went.
int Flood(House& house, int calls) {
  const auto channel = Connect(house, Certs().dock);
  const std::string data(limits::kChunkBytesMax, 'x');
  std::atomic<int> sent{0};
  std::vector<std::unique_ptr<Call>> open;
  for (int i = 0; i < calls; ++i) {
    open.push_back(std::make_unique<Call>(channel));
    open.back()->Begin(absl::StrCat("flood-", i));
  }
  std::vector<std::thread> devices;
  const StuckDisk stuck(house.disk);
  for (const auto& call : open) {
    devices.emplace_back([&call, &data, &sent] {
      for (uint64_t i = 0; call->Send(ChunkOf(i * data.size(), data)); ++i) {
        ++sent;
      }
    });
  }
  for (int before = -1; sent > before;) {
    before = sent;
    absl::SleepFor(absl::Milliseconds(500));
  }
  for (const auto& call : open) call->context.TryCancel();
  for (std::thread& device : devices) device.join();
  return sent;
}

TEST(ServerTest, DevicesThatIgnoreTheirCreditTogetherMeetTheQuota) {
  HouseOptions options;
  options.server.memory_bytes_max = 16 << 20;
  House house(options);
  // Each by itself may have 4 MiB in its queue and a window of as much. What is
  // on its way in the device and in TCP counts here as well.
  EXPECT_LT(Flood(house, 16), 70);
  EXPECT_TRUE(Eventually([&] { return house.intake.streams() == 0; }));
  ExpectServesOthers(house);
}

TEST(ServerTest, ADeviceThatNeverReadsDoesNotKeepItsCall) {
  HouseOptions options;
  options.server.begin_within = absl::Milliseconds(200);
  options.intake.ack_every_bytes = 1;
  House house(options);
  Call call(Connect(house, Certs().dock));
  call.Send(BeginOf("r1"));
  // Each Rewind is one reply of its own; each chunk is worth an Ack.
  constexpr uint64_t kChunks = 40'000;
  for (uint64_t i = 0; i < kChunks; ++i)
    ASSERT_TRUE(call.Send(ChunkOf(i, "x")));
  ASSERT_TRUE(call.Send(FinishOf(std::string(kChunks, 'x'))));
  EXPECT_TRUE(Eventually([&] { return house.intake.streams() == 0; }));
  EXPECT_THAT(house.InStore("r1"), IsOkAndHolds(std::string(kChunks, 'x')));
  ExpectServesOthers(house);
}

// The end of its call was waiting for a window that it did not open.
TEST(ServerTest, ADeviceThatDidNotTakeStoredKeptItsCall) {
  HouseOptions options;
  options.server.begin_within = absl::Milliseconds(20);
  House house(options);
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 5);
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  Call call(Connect(house.address(), Certs().dock, arguments));
  call.Begin("r1");
  ASSERT_TRUE(call.Send(FinishOf("")));
  EXPECT_TRUE(Eventually([&] { return house.intake.streams() == 0; }));
  EXPECT_THAT(house.InStore("r1"), IsOkAndHolds(""));
}

// Connections are cheap to open; the calls of all of them count together.
TEST(ServerTest, OneDeviceHeldAllTheCalls) {
  HouseOptions options;
  options.intake.streams_per_device_max = 2 * limits::kUploadCallsPerDeviceMax;
  House house(options);
  std::vector<std::unique_ptr<Call>> calls;
  std::shared_ptr<grpc::Channel> channel;
  for (int i = 0; i < limits::kUploadCallsPerDeviceMax; ++i) {
    if (i % limits::kCallsPerConnectionMax == 0) {
      channel = Connect(house, Certs().dock);
    }
    calls.push_back(std::make_unique<Call>(channel));
    // So that it has arrived.
    calls.back()->Send(BeginOf(absl::StrCat("r", i)));
    ASSERT_TRUE(calls.back()->Read()) << i;
  }
  EXPECT_THAT(Call(Connect(house, Certs().dock)).End(),
              EndsWith(grpc::StatusCode::RESOURCE_EXHAUSTED));
  ExpectServesOthers(house);
  calls.clear();
  EXPECT_TRUE(Eventually([&] {
    return Upload(Connect(house, Certs().dock), "again", "bytes").ok();
  }));
}

TEST(ServerTest, ACallThatDoesNotBeginIsEnded) {
  HouseOptions options;
  options.server.begin_within = absl::Milliseconds(50);
  House house(options);
  const auto channel = Connect(house, Certs().dock);
  Call begun(channel);
  begun.Begin("r1");
  for (int i = 0; i < 3; ++i) {
    const grpc::Status status = Answer(channel, {});
    EXPECT_THAT(status, EndsWith(grpc::StatusCode::DEADLINE_EXCEEDED));
    EXPECT_THAT(status.error_message(), HasSubstr("did not begin"));
  }
  // One that began may take its time.
  begun.Send(ChunkOf(0, "x"));
  begun.Send(FinishOf("x"));
  EXPECT_THAT(begun.End(), EndsWith(grpc::StatusCode::OK));
}

TEST(ServerTest, ADeviceThatFallsSilentLosesItsCallAndNoBytes) {
  HouseOptions options;
  options.server.begin_within = absl::Milliseconds(20);
  options.server.silence_max = absl::Milliseconds(60);
  options.intake.ack_every = absl::Hours(1);
  House house(options);
  const auto channel = Connect(house, Certs().dock);
  const grpc::Status status =
      Answer(channel, {BeginOf("r1"), ChunkOf(0, "one two")});
  EXPECT_THAT(status, EndsWith(grpc::StatusCode::UNAVAILABLE));
  EXPECT_EQ(ReasonOf(status), v1::ErrorDetail::SILENT);
  EXPECT_EQ(Call(channel).Begin("r1"), 7u);
}

TEST(ServerTest, CallsCancelledAtAnyMomentLeaveNothingBehind) {
  House house;
  constexpr int kThreads = 8;
  constexpr int kCallsEach = 25;
  std::vector<std::thread> devices;
  ThreadPool cancellers(2);
  for (int t = 0; t < kThreads; ++t) {
    devices.emplace_back([&house, &cancellers, t] {
      SeededRandom random(t);
      const auto channel = Connect(house, Certs().dock);
      for (int i = 0; i < kCallsEach; ++i) {
        Call call(channel);
        std::promise<void> cancelled;
        cancellers.PostAfter(absl::Microseconds(random.Next() % 5'000), [&] {
          call.context.TryCancel();
          cancelled.set_value();
        });
        // Recordings are shared, so that streams also take over.
        const std::string recording = absl::StrCat("r", random.Next() % 8);
        const std::string data(random.Next() % 50'000 + 1, 'x');
        uint64_t at = 0;
        bool open = call.Send(BeginOf(recording));
        for (int steps = random.Next() % 12; open && steps > 0; --steps) {
          open = call.Send(ChunkOf(at, data));
          at += data.size();
          if (random.Next() % 4 == 0) open = call.Read().has_value();
        }
        if (random.Next() % 2 == 0) call.HalfClose();
        call.End();
        cancelled.get_future().wait();
      }
    });
  }
  for (std::thread& device : devices) device.join();
  EXPECT_TRUE(Eventually([&] { return house.intake.streams() == 0; }));
  ExpectServesOthers(house);
}

// --- looking ----------------------------------------------------------------

TEST(ServerTest, GetTransferTellsHowFarATransferIs) {
  House house;
  const auto channel = Connect(house, Certs().dock);

  Call receiving(channel);
  receiving.Begin("receiving");
  receiving.Send(ChunkOf(0, "four"));
  EXPECT_TRUE(receiving.ReadAckOf(4));
  const v1::GetTransferReply reply = StateOf(house, "receiving");
  EXPECT_EQ(reply.state(), v1::GetTransferReply::RECEIVING);
  EXPECT_EQ(reply.transfer_id().size(), 32u);
  EXPECT_EQ(reply.received_offset(), 4u);
  EXPECT_EQ(reply.durable_offset(), 4u);

  house.disk.SetFault([](const DiskOperation& operation) {
    return operation.kind == DiskOperation::Kind::kLink
               ? absl::UnavailableError("the store is away")
               : absl::OkStatus();
  });
  const grpc::Status paused =
      Answer(channel, {BeginOf("finished"), ChunkOf(0, "x"), FinishOf("x")});
  EXPECT_THAT(paused, EndsWith(grpc::StatusCode::RESOURCE_EXHAUSTED));
  EXPECT_EQ(ReasonOf(paused), v1::ErrorDetail::PAUSED);
  EXPECT_EQ(StateOf(house, "finished").state(), v1::GetTransferReply::FINISHED);
  house.disk.SetFault(nullptr);

  EXPECT_THAT(Upload(channel, "stored", "xyz"), EndsWith(grpc::StatusCode::OK));
  EXPECT_EQ(StateOf(house, "stored").state(), v1::GetTransferReply::STORED);
  EXPECT_EQ(StateOf(house, "stored").durable_offset(), 3u);

  for (int i = 0; i < limits::kMismatchesMax; ++i) {
    const grpc::Status status =
        Answer(channel, {BeginOf("held"), ChunkOf(0, "x"), FinishOf("y")});
    EXPECT_THAT(status, EndsWith(grpc::StatusCode::DATA_LOSS));
    EXPECT_EQ(ReasonOf(status), v1::ErrorDetail::MISMATCH);
  }
  EXPECT_EQ(StateOf(house, "held").state(),
            v1::GetTransferReply::HELD_FOR_OPERATOR);
  EXPECT_EQ(StateOf(house, "held").mismatches(), 3u);
}

TEST(ServerTest, GetTransferRefuses) {
  House house;
  const auto channel = Connect(house, Certs().dock);
  v1::GetTransferReply reply;
  EXPECT_THAT(GetTransfer(channel, "cam-1", "unknown", reply),
              EndsWith(grpc::StatusCode::NOT_FOUND));
  EXPECT_THAT(GetTransfer(channel, "other-1", "r1", reply),
              EndsWith(grpc::StatusCode::PERMISSION_DENIED));
  for (const std::string& id :
       {std::string(), std::string("../x"), std::string("a\0b", 3),
        std::string(300, 'a')}) {
    EXPECT_THAT(GetTransfer(channel, "cam-1", id, reply),
                EndsWith(grpc::StatusCode::INVALID_ARGUMENT));
    EXPECT_THAT(GetTransfer(channel, id, "r1", reply),
                EndsWith(grpc::StatusCode::INVALID_ARGUMENT));
  }
  ExpectServesOthers(house);
}

// --- starting and stopping --------------------------------------------------

// --- receipts ----------------------------------------------------------------

HouseOptions WithReceipts() {
  HouseOptions options;
  options.receipts = true;
  return options;
}

void ExpectProves(const House& house, const v1::Receipt& receipt,
                  const std::string& recording, const std::string& bytes) {
  const absl::StatusOr<StoredProven> stored = VerifyStored(
      receipt.proof(), receipt.statement(), house.custody.keys->pinned());
  ASSERT_OK(stored.status());
  EXPECT_OK(CheckIsFor(*stored, {*RecordingName::Parse("cam-1", recording),
                                 bytes.size(), Sha256::Of(bytes)}));
}

TEST(ServerTest, GetReceiptGivesWhatTheStreamGave) {
  House house(WithReceipts());
  const auto channel = Connect(house, Certs().dock);
  const auto stub = v1::TransferService::NewStub(channel);
  const auto ask = [&](const std::string& camera, v1::Receipt& receipt) {
    grpc::ClientContext context;
    v1::GetReceiptRequest request;
    request.set_camera_id(camera);
    request.set_recording_id("r");
    return stub->GetReceipt(&context, request, &receipt);
  };
  v1::Receipt receipt, again;
  EXPECT_THAT(ask("cam-1", receipt), EndsWith(grpc::StatusCode::NOT_FOUND));
  EXPECT_THAT(Upload(channel, "r", "footage"), EndsWith(grpc::StatusCode::OK));
  ASSERT_THAT(ask("cam-1", receipt), EndsWith(grpc::StatusCode::OK));
  ExpectProves(house, receipt, "r", "footage");
  ASSERT_THAT(ask("cam-1", again), EndsWith(grpc::StatusCode::OK));
  EXPECT_EQ(again.SerializeAsString(), receipt.SerializeAsString());
  EXPECT_THAT(ask("other-1", receipt),
              EndsWith(grpc::StatusCode::PERMISSION_DENIED));
}

// One WatchReceipts call.
class WatchingCall {
 public:
  WatchingCall(const std::shared_ptr<grpc::Channel>& channel,
               const std::vector<std::string>& recordings,
               const std::string& camera = "cam-1")
      : stub_(v1::TransferService::NewStub(channel)) {
    context_.set_deadline(absl::ToChronoTime(absl::Now() + kHangs));
    v1::WatchReceiptsRequest request;
    for (const std::string& recording : recordings) {
      auto& name = *request.add_recordings();
      name.set_camera_id(camera);
      name.set_recording_id(recording);
    }
    reader_ = stub_->WatchReceipts(&context_, request);
  }
  // The recording whose receipt comes next; empty: none.
  std::string Next(v1::Receipt* receipt = nullptr) {
    v1::Receipt read;
    if (!reader_->Read(&read)) return "";
    if (receipt != nullptr) *receipt = read;
    return read.recording_id();
  }
  grpc::Status End() {
    while (!Next().empty()) continue;
    return reader_->Finish();
  }
  void Cancel() { context_.TryCancel(); }

 private:
  const std::unique_ptr<v1::TransferService::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<v1::Receipt>> reader_;
};

TEST(ServerTest, WatchReceiptsGivesThoseThatAreAndThoseThatCome) {
  House house(WithReceipts());
  const auto channel = Connect(house, Certs().dock);
  EXPECT_THAT(Upload(channel, "old", "old"), EndsWith(grpc::StatusCode::OK));
  EXPECT_THAT(Upload(channel, "unasked", "x"), EndsWith(grpc::StatusCode::OK));
  WatchingCall watching(channel, {"old", "new"});
  v1::Receipt receipt;
  EXPECT_EQ(watching.Next(&receipt), "old");
  ExpectProves(house, receipt, "old", "old");
  // By whomever a named one is brought, and whatever this device brings.
  EXPECT_THAT(Upload(Connect(house, Certs().other_dock), "new", "new"),
              EndsWith(grpc::StatusCode::OK));
  EXPECT_EQ(watching.Next(&receipt), "new");
  ExpectProves(house, receipt, "new", "new");
  EXPECT_THAT(Upload(channel, "own", "own"), EndsWith(grpc::StatusCode::OK));
  EXPECT_EQ(watching.Next(), "own");
  // What another brings unasked is not this device's.
  EXPECT_THAT(Upload(Connect(house, Certs().other_dock), "its", "its"),
              EndsWith(grpc::StatusCode::OK));
  EXPECT_THAT(Upload(channel, "last", "last"), EndsWith(grpc::StatusCode::OK));
  EXPECT_EQ(watching.Next(), "last");
  std::promise<void> drained;
  house.intake.Drain([&] { drained.set_value(); });
  EXPECT_THAT(watching.End(), EndsWith(grpc::StatusCode::UNAVAILABLE));
  drained.get_future().wait();
}

TEST(ServerTest, WatchReceiptsRefuses) {
  House house(WithReceipts());
  const auto channel = Connect(house, Certs().dock);
  EXPECT_THAT(WatchingCall(channel, {"r"}, "other-1").End(),
              EndsWith(grpc::StatusCode::PERMISSION_DENIED));
  EXPECT_THAT(WatchingCall(channel, {"../r"}).End(),
              EndsWith(grpc::StatusCode::INVALID_ARGUMENT));
  EXPECT_THAT(WatchingCall(channel, std::vector<std::string>(1001, "r")).End(),
              EndsWith(grpc::StatusCode::INVALID_ARGUMENT));
  EXPECT_THAT(WatchingCall(Connect(house, Certs().gateway), {"r"}).End(),
              EndsWith(grpc::StatusCode::UNAVAILABLE));
  const House without;
  EXPECT_THAT(WatchingCall(Connect(without, Certs().dock), {"r"}).End(),
              EndsWith(grpc::StatusCode::UNIMPLEMENTED));
}

TEST(ServerTest, WatchesThatWereGivenUpMakeRoomForOthers) {
  House house(WithReceipts());
  const auto channel = Connect(house, Certs().dock);
  EXPECT_THAT(Upload(channel, "r", "r"), EndsWith(grpc::StatusCode::OK));
  // The gateway hears that one was given up a moment later than the device.
  const auto open_one = [&] {
    std::unique_ptr<WatchingCall> call;
    EXPECT_TRUE(Eventually([&] {
      call = std::make_unique<WatchingCall>(channel,
                                            std::vector<std::string>{"r"});
      return call->Next() == "r";
    }));
    return call;
  };
  for (int i = 0; i < 20; ++i) {
    std::vector<std::unique_ptr<WatchingCall>> open;
    for (int j = 0; j < limits::kWatchesPerDeviceMax; ++j) {
      open.push_back(open_one());
    }
    EXPECT_THAT(WatchingCall(channel, {"r"}).End(),
                EndsWith(grpc::StatusCode::RESOURCE_EXHAUSTED));
    for (const auto& call : open) {
      call->Cancel();
      EXPECT_THAT(call->End(), EndsWith(grpc::StatusCode::CANCELLED));
    }
  }
}

TEST(ServerTest, WhoIsTurnedAwayIsStated) {
  House house(WithReceipts());
  Answer(Connect(house, Certs().revoked), {BeginOf("r1")});
  Answer(Connect(house, Certs().dock), {BeginOf("r1", "other-1")});
  // One a second of each is stated, however many there are.
  for (int i = 0; i < 5; ++i) {
    Answer(Connect(house, Certs().dock), {BeginOf("r1", "other-1")});
  }
  std::promise<void> published;
  house.custody.log->Append(
      statement::GatewayStopped{}, CustodyLog::Importance::kOrdinary,
      [&](const absl::StatusOr<Logged>&) {
        house.custody.log->Flush([&] { published.set_value(); });
      });
  published.get_future().wait();
  const std::string year =
      absl::FormatTime("%Y", absl::Now(), absl::UTCTimeZone());
  std::string all;
  for (int width = 1; width < 20; ++width) {
    all +=
        ReadFile(house.disk,
                 absl::StrCat("/custody/", year, "/tile/entries/000.p/", width),
                 1 << 20)
            .value_or("");
  }
  EXPECT_THAT(all, AllOf(HasSubstr("\"certificate_refused\":{\"device\":"
                                   "\"spiffe://police.example/dock/hq/lost\""),
                         HasSubstr("\"refused\":{\"transfer\":{\"camera_id\":"
                                   "\"other-1\"")));
}

TEST(ServerTest, ShutdownCancelsWhatIsOpenAtItsDeadline) {
  House house;
  Call call(Connect(house, Certs().dock));
  call.Begin("r1");
  const absl::Time deadline = absl::Now() + absl::Milliseconds(200);
  house.server->Shutdown(deadline);
  EXPECT_GE(absl::Now(), deadline);
  EXPECT_FALSE(call.End().ok());
  EXPECT_TRUE(Eventually([&] { return house.intake.streams() == 0; }));
}

TEST(ServerTest, AServerThatGoesAwayTakesItsCallsAlong) {
  House house;
  Call call(Connect(house, Certs().dock));
  call.Begin("r1");
  house.server.reset();
  EXPECT_FALSE(call.End().ok());
  EXPECT_TRUE(Eventually([&] { return house.intake.streams() == 0; }));
}

TEST(ServerTest, ShutdownDoesNotWaitForAnswersThatTakeLong) {
  House house;
  Call call(Connect(house, Certs().dock));
  call.Begin("r1");
  const auto channel = Connect(house, Certs().dock);
  v1::GetTransferReply reply;
  std::future<grpc::Status> asked;
  {
    const StuckDisk stuck(house.disk);
    asked = std::async(std::launch::async, [&] {
      return GetTransfer(channel, "cam-1", "r2", reply);
    });
    EXPECT_EQ(asked.wait_for(std::chrono::milliseconds(300)),
              std::future_status::timeout);
    house.server->Shutdown(absl::Now());
    EXPECT_FALSE(asked.get().ok());
  }
}

TEST(ServerTest, APortInUseIsSaidSo) {
  House house;
  EXPECT_THAT(
      house.Start(HouseOptions().server, house.address(), SystemClock()),
      StatusIs(absl::StatusCode::kUnavailable, HasSubstr(house.address())));
  ExpectServesOthers(house);
}

TEST(ServerTest, AKeyOfAnotherCertificateIsRefusedAtTheStart) {
  House house;
  SystemClock clock;
  ThreadPool workers(1);
  EXPECT_THAT(
      Server::Start(
          {.listen = "127.0.0.1:0",
           .certificate_chain_pem = ReadTestFile(Certs().gateway),
           .private_key_pem = ReadTestFile(TestPki::KeyOf(Certs().dock)),
           .root_certificates_pem = Certs().pki.Read("root.pem")},
          house.intake, LoadIdentifier(), workers, clock),
      StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace schleuse

int main(int argc, char** argv) {
  testing::InitGoogleMock(&argc, argv);
  schleuse::SetLogThreshold(std::nullopt);
  if (!schleuse::InstallTlsProfile().ok()) return 1;
  return RUN_ALL_TESTS();
}
