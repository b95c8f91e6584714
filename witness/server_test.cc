// The HTTPS door against peers that do not keep to the rules: in one process,
// with real sockets. What it answers to those that do is told in
// witness_main_test.cc.
#include "witness/server.h"

#include <httplib.h>
#include <poll.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/clock.h"
#include "base/status_matchers.h"
#include "certs/test_pki.h"
#include "crypto/tls_context.h"
#include "crypto/tls_profile.h"
#include "disk/fake_disk.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "witness/test_log.h"
#include "witness/witness.h"
#include "witness/witness_key.h"

namespace schleuse {
namespace {

constexpr char kPath[] = "/w.1/add-checkpoint";
// No test here comes to its end by waiting for so long.
constexpr absl::Duration kForever = absl::Seconds(50);
constexpr Connections::Bounds kPatient = {
    .tick = absl::Seconds(1), .handshake_ticks = 600, .connection_ticks = 600};
constexpr Connections::Bounds kHasty = {.threads = 2,
                                        .waiting_max = 1,
                                        .tick = absl::Milliseconds(100),
                                        .handshake_ticks = 10,
                                        .connection_ticks = 20};

// Somebody without a certificate, who sends a byte now and then.
class Dripper {
 public:
  explicit Dripper(int port) : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = connect(socket_, reinterpret_cast<sockaddr*>(&address),
                         sizeof address) == 0;
    // The head of a TLS record of 16,383 bytes.
    const char head[] = {0x16, 0x03, 0x01, 0x3f, static_cast<char>(0xff)};
    connected_ = connected_ && send(socket_, head, sizeof head, 0) > 0;
  }
  ~Dripper() { close(socket_); }
  Dripper(const Dripper&) = delete;
  Dripper& operator=(const Dripper&) = delete;

  bool connected() const { return connected_; }
  // True once the other end has closed.
  bool DripsUntilCut() const {
    const absl::Time end = absl::Now() + kForever;
    while (absl::Now() < end) {
      if (send(socket_, "\1", 1, MSG_NOSIGNAL) < 0) return true;
      pollfd waits = {.fd = socket_, .events = POLLIN, .revents = 0};
      if (poll(&waits, 1, 50) > 0) {
        char byte;
        if (recv(socket_, &byte, 1, 0) <= 0) return true;
      }
    }
    return false;
  }

 private:
  const int socket_;
  bool connected_;
};

class WitnessServerTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    ASSERT_OK(InstallTlsProfile());
    pki_ = new TestPki;
    pki_->Issue("witness w-1 --ip 127.0.0.1 --file witness");
    pki_->Issue("gateway gw-1 --file gateway");
  }
  WitnessServerTest() {
    const std::vector<Certificate> issuers = {
        *Certificate::FromPem(pki_->Read("ca-gateway.pem"))};
    https_ = std::make_unique<WitnessConfig::Https>(WitnessConfig::Https{
        .listen = *SocketAddress::Parse("127.0.0.1:0"),
        .prefix = "/w.1",
        .identity = IdentityOf("witness"),
        .issuers = issuers,
        .revocation_lists = {*RevocationList::FromPem(
            pki_->Read("crl-gateway.pem"), issuers)},
        .clients = {{"spiffe://police.example/gateway/hq/gw-1",
                     "police.example/gw-1"}}});
    EXPECT_OK(disk_.MakeDirectory("/witness"));
    auto key = InitWitness(disk_, {"w", "/witness/state", "/witness/key"});
    EXPECT_OK(key.status());
    auto witness = Witness::Open(disk_, "/witness/state", *std::move(key),
                                 {log_.pinned()}, clock_);
    EXPECT_OK(witness.status());
    witness_ = *std::move(witness);
  }
  static TlsIdentity IdentityOf(const std::string& who) {
    return {.certificate_chain_pem = pki_->Read(who + ".pem"),
            .private_key_pem = pki_->Read(who + ".key"),
            .root_certificates_pem = pki_->Read("root.pem")};
  }
  void Serve(const Connections::Bounds& bounds) {
    ASSERT_OK_AND_ASSIGN(
        server_, WitnessServer::Start(*https_, *witness_, clock_, bounds));
  }
  std::unique_ptr<httplib::SSLClient> Gateway() const {
    auto client =
        std::make_unique<httplib::SSLClient>("127.0.0.1", server_->port());
    EXPECT_OK(SetUpTlsContext(
        client->ssl_context(), IdentityOf("gateway"),
        [](const std::vector<Certificate>&) { return absl::OkStatus(); }));
    client->enable_server_certificate_verification(true);
    client->set_read_timeout(absl::ToChronoSeconds(kForever));
    return client;
  }
  int Add(uint64_t old_size, uint64_t size) const {
    const auto result =
        Gateway()->Post(kPath, log_.Ask(old_size, size), "text/plain");
    return result ? result->status : 0;
  }

  // A request of `bytes`, of which one comes every 20 ms.
  httplib::Result Drip(size_t bytes) const {
    return Gateway()->Post(
        kPath, bytes,
        [](size_t, size_t, httplib::DataSink& sink) {
          pollfd nothing = {.fd = -1, .events = 0, .revents = 0};
          poll(&nothing, 1, 20);
          return sink.write("x", 1);
        },
        "text/plain");
  }

  static const TestPki* pki_;
  const TestLog log_;
  const SystemClock clock_;
  FakeDisk disk_{1};
  std::unique_ptr<WitnessConfig::Https> https_;
  std::unique_ptr<Witness> witness_;
  std::unique_ptr<WitnessServer> server_;
};
const TestPki* WitnessServerTest::pki_ = nullptr;

// More of them than there are threads and places to wait.
TEST_F(WitnessServerTest, StrangersThatDripDoNotKeepGatewaysOut) {
  Serve(kHasty);
  std::vector<std::unique_ptr<Dripper>> drippers;
  for (int i = 0; i < 4; ++i) {
    drippers.push_back(std::make_unique<Dripper>(server_->port()));
    ASSERT_TRUE(drippers.back()->connected());
  }
  EXPECT_EQ(Add(0, 5), 200);
  for (const auto& dripper : drippers) EXPECT_TRUE(dripper->DripsUntilCut());
}

TEST_F(WitnessServerTest, AGatewayThatDripsIsCutOffToo) {
  Serve(kHasty);
  EXPECT_FALSE(Drip(2000));
  EXPECT_EQ(Add(0, 5), 200);
}

TEST_F(WitnessServerTest, AGatewayMayTakeLongerThanAHandshake) {
  Connections::Bounds bounds = kHasty;
  bounds.connection_ticks = kPatient.connection_ticks;
  Serve(bounds);
  const auto result = Drip(75);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->status, 400);
}

TEST_F(WitnessServerTest, SlowPeersDoNotHoldUpTheEnd) {
  Serve(kPatient);
  const Dripper stranger(server_->port());
  ASSERT_TRUE(stranger.connected());
  const auto idle = Gateway();
  idle->set_keep_alive(true);
  ASSERT_TRUE(idle->Post(kPath, log_.Ask(0, 5), "text/plain"));
  bool cut = false;
  std::thread drips([&] { cut = stranger.DripsUntilCut(); });
  server_ = nullptr;
  drips.join();
  EXPECT_TRUE(cut);
}

// Of which the library would read as much as comes.
TEST_F(WitnessServerTest, ABodyWithoutALengthInFrontIsRefusedUnread) {
  Serve(kPatient);
  const std::string body = log_.Ask(0, 5);
  const auto result = Gateway()->Post(
      kPath,
      [&](size_t offset, httplib::DataSink& sink) {
        if (offset > 0) {
          sink.done();
          return true;
        }
        return sink.write(body.data(), body.size());
      },
      "text/plain");
  ASSERT_TRUE(result);
  EXPECT_EQ(result->status, 411);
  EXPECT_EQ(Add(0, 5), 200);
}

TEST_F(WitnessServerTest, OneRequestAndNoOther) {
  Serve(kPatient);
  const std::string body = log_.Ask(0, 5);
  const auto client = Gateway();
  EXPECT_EQ(client->Get(kPath)->status, 405);
  EXPECT_EQ(client->Put(kPath, body, "text/plain")->status, 405);
  EXPECT_EQ(client->Get("/w.1/")->status, 404);
  // No pattern.
  EXPECT_EQ(client->Post("/wx1/add-checkpoint", body, "text/plain")->status,
            404);
  EXPECT_EQ(client->Post(std::string(4000, '/'), body, "text/plain")->status,
            404);
  EXPECT_EQ(Add(0, 5), 200);
}

}  // namespace
}  // namespace schleuse
