#include "gateway/egress/https_client.h"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/clock.h"
#include "base/status_matchers.h"
#include "certs/test_pki.h"
#include "crypto/certificate.h"
#include "crypto/tls_profile.h"
#include "disk/posix_disk.h"
#include "gateway/egress/peer_book.h"
#include "gateway/egress/socket.h"
#include "gateway/egress/test_server.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class HttpsClientTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (pki_ != nullptr) return;  // of another suite that is built on this
    std::signal(SIGPIPE, SIG_IGN);
    ASSERT_OK(InstallTlsProfile());
    pki_ = new TestPki;
    gateway_ = new std::string(pki_->Issue("gateway gw-1 --ip 127.0.0.1"));
    witness_ = new std::string(
        pki_->Issue("witness w-1 --ip 127.0.0.1 --dns store.police.example"));
  }
  HttpsClientTest() { Hosts("127.0.0.1 store.police.example\n"); }

  static TlsIdentity IdentityOf(const std::string& path,
                                const TestPki& roots = *pki_) {
    return {.certificate_chain_pem = ReadTestFile(path),
            .private_key_pem = ReadTestFile(TestPki::KeyOf(path)),
            .root_certificates_pem = roots.Read("root.pem")};
  }
  void Hosts(absl::string_view text) const { WriteTestFile(hosts_, text); }

  std::unique_ptr<TestServer> Serve(TestServer::Handler handler) const {
    return std::make_unique<TestServer>(IdentityOf(*witness_),
                                        std::move(handler));
  }
  static void Hello(TestPeer& peer) {
    while (!peer.ReadRequest().empty()) peer.Answer("200 OK", "hello");
  }

  // Allowed: 127.0.0.1, the given port.
  Egress& Open(uint16_t port, std::vector<std::string> allow = {}) {
    if (allow.empty()) allow = {absl::StrCat("127.0.0.1:", port)};
    std::vector<AllowedNetwork> networks;
    for (const std::string& entry : allow) {
      networks.push_back(*AllowedNetwork::Parse(entry));
    }
    EgressOptions options = {
        .allow = AllowList(std::move(networks)),
        .hosts_file = hosts_,
        .identity = IdentityOf(*gateway_),
        .revocation_lists = lists_,
        .on_refused =
            [this](const EgressRefusal& one) {
              refusals_.push_back(absl::StrCat(one.host, ":", one.port, " ",
                                               one.address, " ", one.reason));
            },
        .peers = peers_.get()};
    auto opened = Egress::Open(disk_, std::move(options));
    EXPECT_OK(opened);
    egress_ = *std::move(opened);
    return *egress_;
  }
  static HttpsUrl Url(uint16_t port, absl::string_view host = "127.0.0.1") {
    return *HttpsUrl::Parse(absl::StrCat("https://", host, ":", port));
  }
  absl::StatusOr<HttpsResponse> Get(const TestServer& server,
                                    absl::string_view host = "127.0.0.1") {
    return HttpsClient(Open(server.port()), Url(server.port(), host)).Send({});
  }

  static const TestPki* pki_;
  static const std::string* gateway_;
  static const std::string* witness_;

  const std::string hosts_ = absl::StrCat(testing::TempDir(), "/hosts");
  PosixDisk disk_{};
  std::vector<RevocationList> lists_;
  std::unique_ptr<PeerBook> peers_;
  std::unique_ptr<Egress> egress_;
  std::vector<std::string> refusals_;
};
const TestPki* HttpsClientTest::pki_ = nullptr;
const std::string* HttpsClientTest::gateway_ = nullptr;
const std::string* HttpsClientTest::witness_ = nullptr;

// --- what it is for ----------------------------------------------------------

TEST_F(HttpsClientTest, AsksAndIsAnsweredOverOneConnection) {
  std::string request;
  const auto server = Serve([&](TestPeer& peer) {
    request = peer.ReadRequest();
    peer.Answer("409 Conflict", "7\n", "Content-Type: text/x.tlog.size\r\n");
    Hello(peer);
  });
  HttpsClient client(Open(server->port()),
                     *HttpsUrl::Parse(absl::StrCat(
                         "https://127.0.0.1:", server->port(), "/w")));
  ASSERT_OK_AND_ASSIGN(const HttpsResponse first,
                       client.Send({.method = "POST",
                                    .target = "/add-checkpoint",
                                    .headers = {"Content-Type: text/plain"},
                                    .body = RequestBody::Of("old 0\n")}));
  EXPECT_EQ(first.status, 409);
  EXPECT_EQ(first.body, "7\n");
  EXPECT_EQ(first.Header("content-type"), "text/x.tlog.size");
  EXPECT_EQ(first.Header("nothing"), "");
  ASSERT_OK_AND_ASSIGN(const HttpsResponse second, client.Send({}));
  EXPECT_EQ(second.body, "hello");
  EXPECT_EQ(server->connections(), 1);
  EXPECT_THAT(request, HasSubstr("POST /w/add-checkpoint HTTP/1.1\r\n"));
  EXPECT_THAT(request, HasSubstr("Content-Type: text/plain\r\n"));
  EXPECT_THAT(request, testing::EndsWith("\r\n\r\nold 0\n"));
  EXPECT_THAT(request, testing::Not(HasSubstr("Expect:")));
}

TEST_F(HttpsClientTest, StreamsBothWaysWithoutHoldingIt) {
  const std::string large(5'000'001, 'x');
  std::string received;
  const auto server = Serve([&](TestPeer& peer) {
    received = peer.ReadRequest();
    peer.Answer("200 OK", large);
  });
  HttpsClient client(Open(server->port()), Url(server->port()));
  uint64_t most = 0;
  std::string taken;
  ASSERT_OK(client.Send(
      {.method = "PUT",
       .body = RequestBody{.bytes = large.size(),
                           .read =
                               [&](uint64_t offset, absl::Span<char> into) {
                                 most = std::max<uint64_t>(most, into.size());
                                 return RequestBody::Of(large).read(offset,
                                                                    into);
                               }},
       .sink =
           [&](absl::string_view piece) {
             taken.append(piece.data(), piece.size());
             return absl::OkStatus();
           },
       .response_bytes_max = 10}));
  EXPECT_EQ(received.substr(received.find("\r\n\r\n") + 4), large);
  EXPECT_EQ(taken, large);
  EXPECT_LE(most, uint64_t{1} << 20);
}

TEST_F(HttpsClientTest, BeginsAgainWhereAKeptConnectionWasClosed) {
  const auto server = Serve([&](TestPeer& peer) {
    peer.ReadRequest();
    peer.Answer("200 OK", "one");
  });
  HttpsClient client(Open(server->port()), Url(server->port()));
  for (int i = 0; i < 3; ++i) {
    ASSERT_OK_AND_ASSIGN(
        const HttpsResponse response,
        client.Send({.method = "PUT", .body = RequestBody::Of("bytes")}));
    EXPECT_EQ(response.body, "one");
  }
  EXPECT_EQ(server->connections(), 3);
}

// --- whither it does not go --------------------------------------------------

TEST_F(HttpsClientTest, EverythingIsForbiddenUntilPermitted) {
  const auto server = Serve(Hello);
  HttpsClient client(Open(server->port(), {"10.0.0.0/8:443"}),
                     Url(server->port()));
  EXPECT_THAT(client.Send({}), StatusIs(absl::StatusCode::kPermissionDenied,
                                        HasSubstr("not on the allow-list")));
  EXPECT_EQ(server->connections(), 0);
  EXPECT_THAT(refusals_,
              ElementsAre(absl::StrCat("127.0.0.1:", server->port(),
                                       " 127.0.0.1:", server->port(),
                                       " it is not on the allow-list")));
}

TEST_F(HttpsClientTest, AnotherPortOfAPermittedHostIsForbidden) {
  const auto server = Serve(Hello);
  const auto other = Serve(Hello);
  HttpsClient client(Open(server->port()), Url(other->port()));
  EXPECT_THAT(client.Send({}), StatusIs(absl::StatusCode::kPermissionDenied));
  EXPECT_EQ(other->connections(), 0);
}

TEST_F(HttpsClientTest, ANameThatMovesToAPublicAddressIsRefused) {
  const auto server = Serve([](TestPeer& peer) {
    peer.ReadRequest();
    peer.Answer("200 OK", "hello");
  });
  HttpsClient client(Open(server->port()),
                     Url(server->port(), "store.police.example"));
  ASSERT_OK_AND_ASSIGN(const HttpsResponse response, client.Send({}));
  EXPECT_EQ(response.body, "hello");
  Hosts("192.0.2.1 store.police.example\n");
  EXPECT_THAT(client.Send({}), StatusIs(absl::StatusCode::kPermissionDenied,
                                        HasSubstr("192.0.2.1")));
  EXPECT_EQ(server->connections(), 1);
}

TEST_F(HttpsClientTest, AMappedPublicAddressIsRefused) {
  const auto server = Serve(Hello);
  Hosts("::ffff:192.0.2.1 store.police.example\n");
  EXPECT_THAT(Get(*server, "store.police.example"),
              StatusIs(absl::StatusCode::kPermissionDenied));
}

TEST_F(HttpsClientTest, AMappedPermittedAddressIsThatAddress) {
  const auto server = Serve(Hello);
  Hosts("::ffff:127.0.0.1 store.police.example\n");
  EXPECT_OK(Get(*server, "store.police.example"));
}

TEST_F(HttpsClientTest, AnAddressBoundToOneLinkIsNobody) {
  sockaddr_in6 v6 = {};
  v6.sin6_family = AF_INET6;
  v6.sin6_addr.s6_addr[0] = 0xfe;
  v6.sin6_addr.s6_addr[1] = 0x80;
  EXPECT_TRUE(FromSocket(reinterpret_cast<const sockaddr&>(v6)));
  v6.sin6_scope_id = 2;
  EXPECT_FALSE(FromSocket(reinterpret_cast<const sockaddr&>(v6)));
  sockaddr local = {};
  local.sa_family = AF_UNIX;
  EXPECT_FALSE(FromSocket(local));
}

TEST_F(HttpsClientTest, AnUnknownNameIsNotLookedUp) {
  const auto server = Serve(Hello);
  EXPECT_THAT(Get(*server, "elsewhere.police.example"),
              StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(HttpsClientTest, NoProxyWhateverTheEnvironmentSays) {
  const auto server = Serve(Hello);
  const auto proxy = Serve(Hello);
  const std::string url = absl::StrCat("http://127.0.0.1:", proxy->port());
  for (const char* name :
       {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "http_proxy"}) {
    setenv(name, url.c_str(), 1);
  }
  EXPECT_OK(Get(*server));
  EXPECT_EQ(proxy->connections(), 0);
  for (const char* name :
       {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "http_proxy"}) {
    unsetenv(name);
  }
}

TEST_F(HttpsClientTest, ARedirectIsRefusedAndNotFollowed) {
  const auto other = Serve(Hello);
  for (const char* status : {"301 Moved", "302 Found", "307 Temporary",
                             "308 Permanent", "303 See Other"}) {
    refusals_.clear();
    const auto server = Serve([&](TestPeer& peer) {
      peer.ReadRequest();
      peer.Answer(
          status, "",
          absl::StrCat("Location: https://127.0.0.1:", other->port(), "/\r\n"));
    });
    EXPECT_THAT(Get(*server), StatusIs(absl::StatusCode::kPermissionDenied,
                                       HasSubstr("it redirects to")));
    EXPECT_THAT(refusals_, ElementsAre(HasSubstr("it redirects to")));
  }
  EXPECT_EQ(other->connections(), 0);
}

// --- whom it does not believe ------------------------------------------------

TEST_F(HttpsClientTest, AServerOfAForeignCaIsRefused) {
  const TestPki foreign;
  const std::string path = foreign.Issue("gateway gw-1 --ip 127.0.0.1");
  const TestServer server(IdentityOf(path), Hello);
  EXPECT_THAT(Get(server), StatusIs(absl::StatusCode::kPermissionDenied,
                                    HasSubstr("not of our CA")));
  EXPECT_THAT(refusals_, ElementsAre(HasSubstr("not of our CA")));
}

TEST_F(HttpsClientTest, AnExpiredServerIsRefused) {
  const TestServer server(
      IdentityOf(pki_->Issue("gateway gw-old --ip 127.0.0.1 --not-before "
                             "'3 days ago' --not-after '1 day ago'")),
      Hello);
  EXPECT_THAT(Get(server), StatusIs(absl::StatusCode::kPermissionDenied));
}

TEST_F(HttpsClientTest, AServerThatIsCalledOtherwiseIsRefused) {
  const TestServer server(
      IdentityOf(pki_->Issue("gateway gw-2 --ip 127.0.0.2")), Hello);
  EXPECT_THAT(Get(server), StatusIs(absl::StatusCode::kPermissionDenied));
}

TEST_F(HttpsClientTest, ARevokedServerIsRefused) {
  const std::string path = pki_->Issue("gateway gw-3 --ip 127.0.0.1");
  const TestServer server(IdentityOf(path), Hello);
  const auto list = [] {
    return *RevocationList::FromPem(
        pki_->Read("crl-gateway.pem"),
        *Certificate::AllFromPem(pki_->Read("ca-gateway.pem")));
  };
  lists_ = {list()};
  EXPECT_OK(Get(server));
  pki_->Revoke(path);
  lists_ = {list()};
  EXPECT_THAT(Get(server), StatusIs(absl::StatusCode::kPermissionDenied,
                                    HasSubstr("is revoked")));
}

TEST_F(HttpsClientTest, AnIdentityThatDoesNotFitIsRefusedAtOnce) {
  TlsIdentity identity = IdentityOf(*gateway_);
  identity.private_key_pem = ReadTestFile(TestPki::KeyOf(*witness_));
  EgressOptions options;
  options.identity = identity;
  EXPECT_THAT(Egress::Open(disk_, std::move(options)),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

// --- whom footage went to ----------------------------------------------------

class FootageTest : public HttpsClientTest {
 protected:
  FootageTest() {
    disk_.Remove(path_).IgnoreError();
    auto book = PeerBook::Open(disk_, clock_, {.path = path_});
    EXPECT_OK(book);
    peers_ = *std::move(book);
  }
  std::map<FootagePeer, FootageCounts> Peers() {
    EXPECT_OK(peers_->EndSpan());
    return peers_->Ended().back().peers;
  }
  static FootagePeer PeerAt(uint16_t port, const std::string& certificate) {
    return {{*IpAddress::Parse("127.0.0.1"), port},
            Certificate::FromPem(ReadTestFile(certificate))->Fingerprint()};
  }
  static HttpsRequest Put(std::string footage) {
    return {.method = "PUT",
            .body = RequestBody::Of(std::move(footage)),
            .carries_footage = true};
  }

  const SystemClock clock_;
  const std::string path_ = absl::StrCat(testing::TempDir(), "/peers");
};

TEST_F(FootageTest, AddressCertificateAndBytesAreWrittenDown) {
  const auto server = Serve(Hello);
  HttpsClient client(Open(server->port()), Url(server->port()));
  ASSERT_OK(client.Send(Put(std::string(1'000'000, 'x'))));
  ASSERT_OK(client.Send(Put("more")));
  std::string taken;
  ASSERT_OK(client.Send({.sink =
                             [&](absl::string_view piece) {
                               taken.append(piece.data(), piece.size());
                               return absl::OkStatus();
                             },
                         .carries_footage = true}));
  EXPECT_EQ(taken, "hello");
  EXPECT_EQ(server->connections(), 1);
  EXPECT_THAT(Peers(), ElementsAre(std::pair(PeerAt(server->port(), *witness_),
                                             FootageCounts{1'000'004, 5, 1})));
}

TEST_F(FootageTest, WhatIsNoFootageIsNot) {
  const auto server = Serve(Hello);
  HttpsClient client(Open(server->port()), Url(server->port()));
  ASSERT_OK(client.Send({.method = "PUT", .body = RequestBody::Of("words")}));
  EXPECT_THAT(Peers(), IsEmpty());
}

TEST_F(FootageTest, ThePeerLiesInTheFileBeforeFootageArrives) {
  std::string in_file;
  const auto server = Serve([&](TestPeer& peer) {
    peer.ReadRequest();
    in_file = ReadTestFile(path_);
    peer.Answer("200 OK", "");
  });
  HttpsClient client(Open(server->port()), Url(server->port()));
  ASSERT_OK(client.Send(Put("footage")));
  EXPECT_THAT(in_file, HasSubstr(absl::StrCat(
                           "peer 127.0.0.1:", server->port(), " ",
                           PeerAt(0, *witness_).certificate.ToHex())));
}

TEST_F(FootageTest, WhoCannotBeWrittenDownGetsNone) {
  peers_ = *PeerBook::Open(disk_, clock_,
                           {.path = absl::StrCat(path_, "/nowhere/peers")});
  std::string received;
  const auto server =
      Serve([&](TestPeer& peer) { received = peer.ReadRequest(); });
  HttpsClient client(Open(server->port()), Url(server->port()));
  EXPECT_THAT(client.Send(Put("footage")),
              StatusIs(absl::StatusCode::kNotFound,
                       HasSubstr("who cannot be written down")));
  EXPECT_THAT(received, IsEmpty());
}

// What was given to the connection may have arrived.
TEST_F(FootageTest, ARequestThatBreaksHalfwayCounts) {
  const auto server =
      Serve([](TestPeer& peer) { peer.ReadBeginning(1'000'000); });
  HttpsClient client(Open(server->port()), Url(server->port()));
  HttpsRequest request = Put("");
  request.body = RequestBody{.bytes = 50'000'000,
                             .read = [](uint64_t, absl::Span<char> into) {
                               std::fill(into.begin(), into.end(), 'x');
                               return absl::StatusOr<uint64_t>(into.size());
                             }};
  EXPECT_FALSE(client.Send(request).ok());
  const auto peers = Peers();
  ASSERT_EQ(peers.size(), 1u);
  EXPECT_GT(peers.begin()->second.sent, 900'000u);
  EXPECT_LT(peers.begin()->second.sent, 50'000'000u);
}

// The name moved meanwhile: it is the connection that counts, not the name.
TEST_F(FootageTest, AKeptConnectionIsToWhomItWasMade) {
  const auto server = Serve(Hello);
  HttpsClient client(
      Open(server->port(), {absl::StrCat("127.0.0.0/8:", server->port())}),
      Url(server->port(), "store.police.example"));
  // It was made for something else.
  ASSERT_OK(client.Send({}));
  Hosts("127.0.0.2 store.police.example\n");
  ASSERT_OK(client.Send(Put("footage")));
  ASSERT_OK(client.Send(Put("footage")));
  EXPECT_EQ(server->connections(), 1);
  EXPECT_THAT(Peers(), ElementsAre(std::pair(PeerAt(server->port(), *witness_),
                                             FootageCounts{14, 0, 1})));
}

TEST_F(FootageTest, ANewCertificateAtAnOldAddressIsAnotherPeer) {
  const std::string next = pki_->Issue("witness w-9 --ip 127.0.0.1");
  const auto server = Serve([](TestPeer& peer) {
    peer.ReadRequest();
    peer.Answer("200 OK", "");
  });
  HttpsClient client(Open(server->port()), Url(server->port()));
  ASSERT_OK(client.Send(Put("one")));
  ASSERT_OK(client.Send(Put("three")));
  server->Become(IdentityOf(next));
  ASSERT_OK(client.Send(Put("seven")));
  auto peers = Peers();
  EXPECT_EQ(peers.size(), 2u);
  EXPECT_EQ(peers[PeerAt(server->port(), next)], (FootageCounts{5, 0, 1}));
  // What was given to a connection that turned out to be closed counts too.
  const FootageCounts before = peers[PeerAt(server->port(), *witness_)];
  EXPECT_GE(before.sent, 8u);
  EXPECT_EQ(before.connections, 2u);
}

// --- what goes wrong ---------------------------------------------------------

TEST_F(HttpsClientTest, NobodyThereIsUnavailable) {
  uint16_t port = 0;
  { port = Serve(Hello)->port(); }
  HttpsClient client(Open(port), Url(port));
  EXPECT_THAT(client.Send({}), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(refusals_, IsEmpty());
}

TEST_F(HttpsClientTest, AnAnswerThatEndsEarlyIsUnavailable) {
  const auto server = Serve([](TestPeer& peer) {
    peer.ReadRequest();
    peer.Write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
  });
  EXPECT_THAT(Get(*server), StatusIs(absl::StatusCode::kUnavailable));
}

TEST_F(HttpsClientTest, AnAnswerThatIsTooLongIsGivenUp) {
  const auto server = Serve([](TestPeer& peer) {
    peer.ReadRequest();
    peer.Answer("200 OK", std::string(70'000, 'x'));
    peer.AwaitEnd();
  });
  EXPECT_THAT(Get(*server), StatusIs(absl::StatusCode::kResourceExhausted));
}

TEST_F(HttpsClientTest, HeadersWithoutEndAreGivenUp) {
  const auto server = Serve([](TestPeer& peer) {
    peer.ReadRequest();
    peer.Write("HTTP/1.1 200 OK\r\n");
    const std::string line =
        absl::StrCat("X: ", std::string(1000, 'x'), "\r\n");
    for (int i = 0; i < 200; ++i) peer.Write(line);
    peer.AwaitEnd();
  });
  EXPECT_FALSE(Get(*server).ok());
}

TEST_F(HttpsClientTest, AServerThatStallsIsGivenUp) {
  const auto server = Serve([](TestPeer& peer) {
    peer.ReadRequest();
    peer.Write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
    peer.AwaitEnd();
  });
  HttpsClient client(Open(server->port()), Url(server->port()));
  EXPECT_THAT(client.Send({.stall = absl::Seconds(1)}),
              StatusIs(absl::StatusCode::kUnavailable));
}

TEST_F(HttpsClientTest, WhatReadingOrTakingSaysIsWhatIsSaid) {
  const auto server = Serve(Hello);
  HttpsClient client(Open(server->port()), Url(server->port()));
  EXPECT_THAT(
      client.Send({.method = "PUT",
                   .body = RequestBody{.bytes = 5,
                                       .read =
                                           [](uint64_t, absl::Span<char>) {
                                             return absl::DataLossError("torn");
                                           }}}),
      StatusIs(absl::StatusCode::kDataLoss, HasSubstr("torn")));
  EXPECT_THAT(client.Send({.sink =
                               [](absl::string_view) {
                                 return absl::AbortedError("enough");
                               }}),
              StatusIs(absl::StatusCode::kAborted, HasSubstr("enough")));
  EXPECT_OK(client.Send({}));
}

TEST_F(HttpsClientTest, AStoppingGatewayWaitsForNobody) {
  std::promise<void> asked;
  const auto server = Serve([&](TestPeer& peer) {
    peer.ReadRequest();
    asked.set_value();
    peer.AwaitEnd();
  });
  HttpsClient client(Open(server->port()), Url(server->port()));
  auto sent = std::async(std::launch::async, [&] { return client.Send({}); });
  asked.get_future().wait();
  egress_->Stop();
  EXPECT_THAT(sent.get(), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_THAT(client.Send({}), StatusIs(absl::StatusCode::kCancelled));
}

}  // namespace
}  // namespace schleuse
