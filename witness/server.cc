#include "witness/server.h"

#include <httplib.h>

#include <atomic>
#include <cstdlib>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/log_budget.h"
#include "base/status.h"
#include "crypto/tls_context.h"
#include "evidence/cosigning.h"
#include "witness/connections.h"
#include "witness/door.h"

namespace schleuse {
namespace {

// Between two bytes; Connections bounds the whole.
constexpr time_t kReadSeconds = 10;
constexpr time_t kWriteSeconds = 10;
// Shorter than the minute between two rounds of a gateway: a connection that is
// kept so long keeps a thread from others.
constexpr time_t kKeepAliveSeconds = 5;
constexpr size_t kRequestsPerConnectionMax = 100;

struct Reply {
  int status;
  const char* content_type;
};
constexpr char kText[] = "text/plain; charset=utf-8";

Reply ReplyFor(WitnessVerdict::Kind kind) {
  using Kind = WitnessVerdict::Kind;
  switch (kind) {
    case Kind::kCosigned:
      return {200, kText};
    case Kind::kMalformed:
      return {400, kText};
    case Kind::kUnknownOrigin:
      return {404, kText};
    case Kind::kNotSigned:
      return {403, kText};
    case Kind::kStale:
      return {409, "text/x.tlog.size"};
    case Kind::kFork:
      return {409, kText};
    case Kind::kBadProof:
      return {422, kText};
    case Kind::kFailed:
      break;
  }
  return {500, kText};
}

std::string BodyOf(const WitnessVerdict& verdict) {
  switch (verdict.kind) {
    case WitnessVerdict::Kind::kCosigned:
      return verdict.lines;
    case WitnessVerdict::Kind::kStale:
      return absl::StrCat(verdict.latest, "\n");
    default:
      return absl::StrCat(verdict.reason, "\n");
  }
}

}  // namespace

class WitnessServer::Inside {
 public:
  Inside(const WitnessConfig::Https& https, Witness& witness,
         const Clock& clock, const Connections::Bounds& bounds)
      : https_(https),
        path_(https.prefix + "/add-checkpoint"),
        witness_(witness),
        clock_(clock),
        connections_(bounds),
        server_([this](SSL_CTX& context) { return SetUp(&context); }) {}

  absl::StatusOr<int> Listen() {
    RETURN_IF_ERROR(set_up_);
    if (!server_.is_valid()) return absl::InternalError("no TLS");
    server_.new_task_queue = [this] { return connections_.NewQueue(); };
    server_.set_read_timeout(kReadSeconds);
    server_.set_write_timeout(kWriteSeconds);
    server_.set_keep_alive_timeout(kKeepAliveSeconds);
    server_.set_keep_alive_max_count(kRequestsPerConnectionMax);
    server_.set_payload_max_length(kAddCheckpointBytesMax);
    // The library would share the port with whoever has it already.
    server_.set_socket_options([](socket_t socket) {
      const int yes = 1;
      setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    });
    server_.set_pre_routing_handler(
        [this](const httplib::Request& request, httplib::Response& response) {
          const int refusal = RefusalBeforeReading(request);
          if (refusal == 0) return httplib::Server::HandlerResponse::Unhandled;
          response.status = refusal;
          return httplib::Server::HandlerResponse::Handled;
        });
    // A pattern; the handler above compares the path itself.
    server_.Post(".*", [this](const httplib::Request& request,
                              httplib::Response& response) {
      Answer(request, response);
    });
    const std::string ip = https_.listen.ip.ToString();
    const int port =
        https_.listen.port == 0
            ? server_.bind_to_any_port(ip)
            : (server_.bind_to_port(ip, https_.listen.port) ? https_.listen.port
                                                            : -1);
    if (port < 0) {
      return absl::UnavailableError(
          absl::StrCat("cannot listen on ", https_.listen.ToString(),
                       ": is the port in use, the address ours?"));
    }
    listener_ = std::thread([this] {
      server_.listen_after_bind();
      ended_ = true;
      if (stopping_) return;
      // The library gave up: better no witness than one that hears nobody.
      Log(Severity::kAlarm, "witness hears nobody any more",
          {{"what_now", "it ends, to be started anew"}});
      std::_Exit(1);
    });
    // Stop would else pass a listener by that has not begun.
    while (!server_.is_running() && !ended_) std::this_thread::yield();
    return port;
  }

  void Stop() {
    if (!listener_.joinable()) return;
    // Else slow peers would hold up the end.
    connections_.StopReading();
    stopping_ = true;
    server_.stop();
    listener_.join();
  }

 private:
  // The library reads the body of whatever has one, and bounds neither a body
  // that comes in pieces nor what a packed one unpacks to. 0: none.
  int RefusalBeforeReading(const httplib::Request& request) const {
    if (request.path != path_) return 404;
    if (request.method != "POST") return 405;
    if (request.has_header("Content-Encoding")) return 415;
    if (request.has_header("Transfer-Encoding") ||
        !request.has_header("Content-Length")) {
      return 411;
    }
    return 0;
  }

  bool SetUp(SSL_CTX* context) {
    Connections::Attend(context);
    set_up_ = SetUpTlsContext(
        context, https_.identity,
        [this](const std::vector<Certificate>& chain) {
          const auto gateway = GatewayOf(chain.front(), https_, clock_.Now());
          if (gateway.ok()) return absl::OkStatus();
          if (const auto left_out = budget_.Take(clock_.Now())) {
            Log(Severity::kWarning, "client refused",
                {{"certificate", chain.front().SerialHex()},
                 {"subject", chain.front().SubjectText()},
                 {"reason", gateway.status().message()},
                 {"left_out", *left_out}});
          }
          return gateway.status();
        });
    return set_up_.ok();
  }

  void Answer(const httplib::Request& request, httplib::Response& response) {
    const absl::StatusOr<Certificate> client = PeerOf(request.ssl);
    // Once more, since a connection may outlive a list or a certificate.
    const absl::StatusOr<std::string> gateway =
        client.ok() ? GatewayOf(*client, https_, clock_.Now())
                    : absl::StatusOr<std::string>(client.status());
    if (!gateway.ok()) {
      response.status = 403;
      return;
    }
    const WitnessVerdict verdict = witness_.Add(request.body, *gateway);
    const Reply reply = ReplyFor(verdict.kind);
    response.status = reply.status;
    response.set_content(BodyOf(verdict), reply.content_type);
    if (const auto left_out = budget_.Take(clock_.Now())) {
      Log(reply.status == 200 ? Severity::kInfo : Severity::kWarning,
          reply.status == 200 ? "checkpoint cosigned" : "not cosigned",
          {{"client", client->UriNames().front()},
           {"origin", verdict.origin},
           {"size", verdict.size},
           {"status", reply.status},
           {"reason", verdict.reason},
           {"left_out", *left_out}});
    }
  }

  const WitnessConfig::Https& https_;
  const std::string path_;
  Witness& witness_;
  const Clock& clock_;
  Connections connections_;
  LogBudget budget_;
  absl::Status set_up_;
  httplib::SSLServer server_;
  std::atomic<bool> ended_ = false;
  std::atomic<bool> stopping_ = false;
  std::thread listener_;
};

absl::StatusOr<std::unique_ptr<WitnessServer>> WitnessServer::Start(
    const WitnessConfig::Https& https, Witness& witness, const Clock& clock,
    const Connections::Bounds& bounds) {
  auto inside = std::make_unique<Inside>(https, witness, clock, bounds);
  ASSIGN_OR_RETURN(const int port, inside->Listen());
  return std::unique_ptr<WitnessServer>(
      new WitnessServer(std::move(inside), port));
}

WitnessServer::WitnessServer(std::unique_ptr<Inside> inside, int port)
    : inside_(std::move(inside)), port_(port) {}

WitnessServer::~WitnessServer() { inside_->Stop(); }

}  // namespace schleuse
