// Link over gRPC: each stream is one Upload call.
#ifndef SCHLEUSE_CLIENT_LINK_GRPC_LINK_H_
#define SCHLEUSE_CLIENT_LINK_GRPC_LINK_H_

#include <cstdint>
#include <memory>

#include "base/executor.h"
#include "client/link/connections.h"
#include "client/uploader/link.h"

namespace schleuse::client {

// Posts events to `strand`, on which alone it is called and destroyed (or where
// nothing runs on it any more). `connections` and the executor below `strand`
// must outlive it; the executor must outlive the connections, too.
class GrpcLink final : public Link {
 public:
  GrpcLink(Connections& connections, int slot, const Strand& strand);
  ~GrpcLink() override;

  void Open(uint64_t stream, LinkEvents& events) override;
  void Send(Request request, Next next) override;
  void Close(Why why) override;

 private:
  class Call;

  Connections& connections_;
  const int slot_;
  Strand strand_;
  std::shared_ptr<grpc::Channel> channel_;  // of the newest call
  // Shared with gRPC, until the call is over.
  std::shared_ptr<Call> call_;
  // Posted events watch it to know whether the link still lives.
  std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);
};

}  // namespace schleuse::client

#endif  // SCHLEUSE_CLIENT_LINK_GRPC_LINK_H_
