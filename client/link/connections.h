// The connections to one gateway. One connection's TLS is serialized in gRPC,
// so that a dock's recordings are spread over several. It knows no messages.
#ifndef SCHLEUSE_CLIENT_LINK_CONNECTIONS_H_
#define SCHLEUSE_CLIENT_LINK_CONNECTIONS_H_

#include <grpcpp/channel.h>
#include <grpcpp/security/credentials.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "base/mutex.h"

namespace schleuse::client {

struct GatewayAddress {
  std::string host_and_port;
  // The name that the gateway's certificate must hold; empty: the host's.
  std::string server_name;
};

// Makes the credentials of a new connection.
using MakeCredentials =
    absl::AnyInvocable<std::shared_ptr<grpc::ChannelCredentials>()>;

// Safe to call from many threads, but for gRPC's own: a channel whose last
// reference goes on one of those waits for itself.
class Connections {
 public:
  // `count` at least 1.
  Connections(GatewayAddress address, MakeCredentials make_credentials,
              int count);
  // Waits until every call that Began has Ended: cancel them before.
  ~Connections();

  // The connection of this slot (any number, taken modulo the count). One that
  // failed is replaced by a fresh one, which tries at once: gRPC's own waiting
  // between attempts would add up with the uploader's.
  std::shared_ptr<grpc::Channel> Get(int slot);
  // Calls on it may go on; no new one will use it.
  void Discard(int slot, const std::shared_ptr<grpc::Channel>& channel);

  // A call has Ended when it holds its channel no more.
  void CallBegan();
  void CallEnded();

 private:
  std::shared_ptr<grpc::Channel> Make() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const GatewayAddress address_;
  Mutex mutex_;
  MakeCredentials make_credentials_ ABSL_GUARDED_BY(mutex_);
  // Shared with the calls that run on them, as gRPC has it.
  std::vector<std::shared_ptr<grpc::Channel>> channels_ ABSL_GUARDED_BY(mutex_);
  int calls_ ABSL_GUARDED_BY(mutex_) = 0;
  CondVar idle_;
};

}  // namespace schleuse::client

#endif  // SCHLEUSE_CLIENT_LINK_CONNECTIONS_H_
