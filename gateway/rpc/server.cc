#include "gateway/rpc/server.h"

#include <grpcpp/resource_quota.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <atomic>
#include <climits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/log_budget.h"
#include "base/status.h"
#include "crypto/certificate.h"
#include "gateway/rpc/convert.h"
#include "gateway/rpc/credentials.h"
#include "gateway/rpc/grpc_log.h"
#include "gateway/rpc/look_reactor.h"
#include "gateway/rpc/open_calls.h"
#include "gateway/rpc/upload_reactor.h"
#include "gateway/rpc/watch_reactor.h"
#include "proto/transfer.grpc.pb.h"

namespace schleuse {
namespace {

namespace v1 = transfer::v1;

constexpr absl::Duration kWaitWhenFull = absl::Seconds(10);

grpc::Status Full(absl::string_view what) {
  return ToGrpc(StreamEnd{.status = absl::ResourceExhaustedError(what),
                          .reason = EndReason::kPaused,
                          .retry_after = kWaitWhenFull});
}

// All methods by callbacks, those too that are not there yet: gRPC would start
// threads, without bound, for any that is not. The latter raw, since 1 MiB of
// empty submessages takes tens of MiB once it is parsed.
using Door = v1::TransferService;
using Methods = Door::WithRawCallbackMethod_Upload<
    Door::WithCallbackMethod_GetTransfer<Door::WithCallbackMethod_GetReceipt<
        Door::WithRawCallbackMethod_WatchReceipts<
            Door::WithRawCallbackMethod_AnnounceManifest<Door::Service>>>>>;

class Service final : public Methods {
 public:
  Service(Intake& intake, std::shared_ptr<const Identifier> identifier,
          std::shared_ptr<OpenCalls> open, int silent_ticks_max,
          const Clock& clock)
      : intake_(intake),
        identifier_(std::move(identifier)),
        open_(std::move(open)),
        silent_ticks_max_(silent_ticks_max),
        clock_(clock) {}

  UploadCall* Upload(grpc::CallbackServerContext* context) override {
    const absl::StatusOr<Principal> device = IdentifyDevice(*context);
    if (!device.ok()) return MakeRefusal(ToGrpc(device.status()));
    auto place = DeviceCounted::Enter(uploads_, device->spiffe_id());
    if (!place) return MakeRefusal(Full("too many calls are open"));
    return MakeUploadReactor(*context, intake_, *device, *std::move(place),
                             open_, silent_ticks_max_);
  }

  grpc::ServerUnaryReactor* GetTransfer(grpc::CallbackServerContext* context,
                                        const v1::GetTransferRequest* request,
                                        v1::GetTransferReply* reply) override {
    return Ask(*context, *request, *reply);
  }

  WatchCall* WatchReceipts(grpc::CallbackServerContext* context,
                           const grpc::ByteBuffer* request) override {
    const absl::StatusOr<Principal> device = IdentifyDevice(*context);
    if (!device.ok()) return MakeWatchRefusal(ToGrpc(device.status()));
    const absl::StatusOr<std::vector<RecordingName>> names = NamesOf(*request);
    if (!names.ok()) return MakeWatchRefusal(ToGrpc(names.status()));
    auto place = DeviceCounted::Enter(watches_, device->spiffe_id());
    if (!place) return MakeWatchRefusal(Full("too many watches are open"));
    return MakeWatchReactor(intake_, *device, *names, *std::move(place));
  }

  grpc::ServerUnaryReactor* GetReceipt(grpc::CallbackServerContext* context,
                                       const v1::GetReceiptRequest* request,
                                       v1::Receipt* reply) override {
    return Ask(*context, *request, *reply);
  }

 private:
  // A question about one recording.
  template <typename Request, typename Answer>
  grpc::ServerUnaryReactor* Ask(grpc::CallbackServerContext& context,
                                const Request& request, Answer& reply) {
    const absl::StatusOr<Principal> device = IdentifyDevice(context);
    if (!device.ok()) return Refuse(context, ToGrpc(device.status()));
    const absl::StatusOr<RecordingName> name =
        RecordingName::Parse(request.camera_id(), request.recording_id());
    if (!name.ok()) return Refuse(context, ToGrpc(name.status()));
    auto place = DeviceCounted::Enter(looks_, device->spiffe_id());
    if (!place) return Refuse(context, Full("too many questions are open"));
    return MakeLookReactor(intake_, *device, *name, reply, *std::move(place));
  }

  static grpc::ServerUnaryReactor* Refuse(grpc::CallbackServerContext& context,
                                          const grpc::Status& status) {
    grpc::ServerUnaryReactor* reactor = context.DefaultReactor();
    reactor->Finish(status);
    return reactor;
  }

  // The handshake asked already; since then the certificate may have run out.
  absl::StatusOr<Principal> IdentifyDevice(
      const grpc::CallbackServerContext& context) {
    const auto pem =
        context.auth_context()->FindPropertyValues("x509_pem_cert");
    if (pem.empty()) {
      return absl::UnauthenticatedError("no certificate");
    }
    const absl::string_view text(pem.front().data(), pem.front().size());
    const absl::StatusOr<Principal> who =
        identifier_->IdentifyPem(text, clock_.Now());
    if (!who.ok()) {
      const auto certificate = Certificate::FromPem(text);
      LogRefusal("subject", certificate.ok() ? certificate->SubjectText() : "",
                 who.status().message());
      return absl::UnauthenticatedError("the certificate is not accepted");
    }
    if (who->role() != Role::kDock && who->role() != Role::kRadio) {
      LogRefusal("principal", who->spiffe_id(), "this role may not upload");
      return absl::PermissionDeniedError("this role may not upload");
    }
    return *who;
  }

  void LogRefusal(absl::string_view field, absl::string_view who,
                  absl::string_view reason) {
    if (const auto left_out = refusals_.Take(clock_.Now())) {
      Log(Severity::kWarning, "call refused",
          {{field, who}, {"reason", reason}, {"left_out", *left_out}});
    }
  }

  Intake& intake_;
  const std::shared_ptr<const Identifier> identifier_;
  // Shared with the calls.
  const std::shared_ptr<OpenCalls> open_;
  const int silent_ticks_max_;
  const Clock& clock_;
  LogBudget refusals_;
  // Shared with the calls, which may outlive the server.
  const std::shared_ptr<DeviceCounts> uploads_ = std::make_shared<DeviceCounts>(
      limits::kUploadCallsMax, limits::kUploadCallsPerDeviceMax);
  const std::shared_ptr<DeviceCounts> looks_ = std::make_shared<DeviceCounts>(
      limits::kLooksMax, limits::kLooksPerDeviceMax);
  const std::shared_ptr<DeviceCounts> watches_ = std::make_shared<DeviceCounts>(
      limits::kWatchesMax, limits::kWatchesPerDeviceMax);
};

void SetLimits(grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(limits::kMessageBytesMax);
  builder.SetMaxSendMessageSize(limits::kMessageBytesMax);
  const auto set = [&builder](const char* name, int value) {
    builder.AddChannelArgument(name, value);
  };
  set(GRPC_ARG_MAX_METADATA_SIZE, limits::kCallHeaderBytesMax);
  set(GRPC_ARG_MAX_CONCURRENT_STREAMS, limits::kCallsPerConnectionMax);
  set(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS,
      absl::ToInt64Milliseconds(limits::kHandshakeMax));
  set(GRPC_ARG_MAX_CONNECTION_AGE_MS,
      absl::ToInt64Milliseconds(limits::kConnectionAgeMax));
  set(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, INT_MAX);
  // A device that vanished without a word is noticed; a slow one is not cut
  // off.
  set(GRPC_ARG_KEEPALIVE_TIME_MS,
      absl::ToInt64Milliseconds(limits::kPingEvery));
  set(GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
      absl::ToInt64Milliseconds(limits::kPingAnswerMax));
  // Windows that grow with the link: else 60 ms of delay cost most of its rate.
  set(GRPC_ARG_HTTP2_BDP_PROBE, 1);
  // Two gateways on one port would each get some of the devices.
  set(GRPC_ARG_ALLOW_REUSEPORT, 0);
  // Footage does not compress, and small messages that unpack to large ones
  // are an attack.
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
}

// What gRPC reads off its connections counts until nobody holds it any more.
// gRPC 1.51 near the quota: from 80 % of it on the windows of all connections
// shrink, to next to nothing at 90 %, so that nobody sends; beyond it new
// connections are dropped, idle ones closed, and streams cancelled one after
// another, whoever they belong to, until it fits (the device sees
// RESOURCE_EXHAUSTED without a detail). So it is a last resort and credit is
// the bound. Its bound on threads is one of the synchronous API; callbacks run
// on a pool of gRPC's own that has a fixed size.
void SetQuota(grpc::ServerBuilder& builder, uint64_t memory_bytes_max) {
  grpc::ResourceQuota quota("gateway");
  quota.Resize(memory_bytes_max);
  builder.SetResourceQuota(quota);
}

// Silence is counted in ticks of OpenCalls, of which the first may come at
// once.
int SilentTicksMax(const ServerOptions& options) {
  const absl::Duration tick = options.begin_within;
  return static_cast<int>(absl::Ceil(options.silence_max, tick) / tick);
}

}  // namespace

struct Server::Inside {
  Service service;
  std::unique_ptr<grpc::Server> server;
};

Server::Server(std::unique_ptr<Inside> inside, int port)
    : inside_(std::move(inside)), port_(port) {}

Server::~Server() { Shutdown(absl::InfinitePast()); }

absl::StatusOr<std::unique_ptr<Server>> Server::Start(
    const ServerOptions& options, Intake& intake,
    std::shared_ptr<const Identifier> identifier, Executor& executor,
    const Clock& clock) {
  RouteGrpcLog();
  ASSIGN_OR_RETURN(
      std::shared_ptr<grpc::ServerCredentials> credentials,
      MakeServerCredentials(
          {.certificate_chain_pem = options.certificate_chain_pem,
           .private_key_pem = options.private_key_pem,
           .root_certificates_pem = options.root_certificates_pem},
          identifier, clock, [&intake](const RefusedCertificate& refused) {
            intake.StateRefusedCertificate(refused);
          }));
  std::unique_ptr<Inside> inside(new Inside{
      .service =
          Service(intake, std::move(identifier),
                  std::make_shared<OpenCalls>(executor, options.begin_within),
                  SilentTicksMax(options), clock),
      .server = nullptr});
  int port = 0;
  grpc::ServerBuilder builder;
  SetLimits(builder);
  SetQuota(builder, options.memory_bytes_max);
  builder.AddListeningPort(options.listen, std::move(credentials), &port);
  builder.RegisterService(&inside->service);
  inside->server = builder.BuildAndStart();
  if (inside->server == nullptr || port <= 0) {
    return absl::UnavailableError(absl::StrCat(
        "cannot listen on ", options.listen,
        ": is the address of this machine, and is the port free?"));
  }
  return std::unique_ptr<Server>(new Server(std::move(inside), port));
}

void Server::Shutdown(absl::Time deadline) {
  // gRPC takes a time before 1970 for one that never comes.
  inside_->server->Shutdown(
      absl::ToChronoTime(std::max(deadline, absl::Now())));
  inside_->server->Wait();
}

}  // namespace schleuse
