#include "client/link/connections.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/support/channel_arguments.h>

#include <limits>
#include <utility>

#include "base/limits.h"

namespace schleuse::client {
namespace {

// A receipt: a statement of up to 64 KiB and its proof. All else is a hundred
// bytes.
constexpr int kReplyBytesMax = 128 * 1024;

grpc::ChannelArguments Arguments(const GatewayAddress& address) {
  grpc::ChannelArguments arguments;
  // Else channels to one address share one connection.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  if (!address.server_name.empty()) {
    arguments.SetSslTargetNameOverride(address.server_name);
  }
  arguments.SetMaxReceiveMessageSize(kReplyBytesMax);
  arguments.SetMaxSendMessageSize(static_cast<int>(limits::kMessageBytesMax));
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 1);
  // Keepalive kills links that are slow but alive; the uploader judges.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, std::numeric_limits<int>::max());
  // How long one attempt to connect may take, handshake included.
  arguments.SetInt(
      GRPC_ARG_MIN_RECONNECT_BACKOFF_MS,
      static_cast<int>(absl::ToInt64Milliseconds(limits::kHandshakeMax)));
  // A failed channel is replaced, so what gRPC would try by itself is noise.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 60'000);
  // gRPC's retries would keep copies of the footage.
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  // Footage takes no detours, whatever the environment says.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  return arguments;
}

}  // namespace

Connections::Connections(GatewayAddress address,
                         MakeCredentials make_credentials, int count)
    : address_(std::move(address)),
      make_credentials_(std::move(make_credentials)),
      channels_(static_cast<size_t>(count)) {}

Connections::~Connections() {
  MutexLock lock(mutex_);
  while (calls_ > 0) idle_.Wait(mutex_);
}

std::shared_ptr<grpc::Channel> Connections::Get(int slot) {
  MutexLock lock(mutex_);
  auto& channel = channels_[static_cast<size_t>(slot) % channels_.size()];
  if (channel != nullptr) {
    const grpc_connectivity_state state = channel->GetState(false);
    if (state != GRPC_CHANNEL_TRANSIENT_FAILURE &&
        state != GRPC_CHANNEL_SHUTDOWN) {
      return channel;
    }
  }
  channel = Make();
  return channel;
}

std::shared_ptr<grpc::Channel> Connections::Make() {
  return grpc::CreateCustomChannel("dns:///" + address_.host_and_port,
                                   make_credentials_(), Arguments(address_));
}

void Connections::Discard(int slot,
                          const std::shared_ptr<grpc::Channel>& channel) {
  MutexLock lock(mutex_);
  auto& held = channels_[static_cast<size_t>(slot) % channels_.size()];
  if (held == channel) held = nullptr;
}

void Connections::CallBegan() {
  MutexLock lock(mutex_);
  ++calls_;
}

void Connections::CallEnded() {
  MutexLock lock(mutex_);
  if (--calls_ == 0) idle_.NotifyAll();
}

}  // namespace schleuse::client
