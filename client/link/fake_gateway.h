// A gateway in memory behind a real gRPC server, for the client's own tests. It
// keeps the contract as far as an upload sees it, without spool or store.
#ifndef SCHLEUSE_CLIENT_LINK_FAKE_GATEWAY_H_
#define SCHLEUSE_CLIENT_LINK_FAKE_GATEWAY_H_

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"
#include "proto/transfer.grpc.pb.h"

namespace schleuse::client {

using ServerStream = grpc::ServerReaderWriter<transfer::v1::UploadReply,
                                              transfer::v1::UploadRequest>;

class FakeGateway final : public transfer::v1::TransferService::Service {
 public:
  // Listens on a free port of 127.0.0.1, or on `port`.
  explicit FakeGateway(std::shared_ptr<grpc::ServerCredentials> credentials =
                           grpc::InsecureServerCredentials(),
                       int port = 0);
  ~FakeGateway() override;

  int port() const { return port_; }
  std::string address() const;

  // Ends the streams and stops listening.
  void Stop();

  // Instead of taking recordings: what a call does from now on. Returning OK
  // after reading nothing is a stream that ends early.
  using Script =
      std::function<grpc::Status(grpc::ServerContext&, ServerStream&)>;
  void SetScript(Script script);

  // Cuts streams after every so many bytes of chunks; 0: never.
  void CutEvery(size_t bytes);

  // What is stored under `camera_id/recording_id`; empty if nothing is.
  std::string Stored(const std::string& name) const;
  void Store(const std::string& name, std::string bytes);
  transfer::v1::Begin LastBegin() const;
  // The connections that calls came over.
  std::set<std::string> Peers() const;

  grpc::Status Upload(grpc::ServerContext* context,
                      ServerStream* stream) override;

 private:
  grpc::Status Take(ServerStream& stream);
  bool ShouldCut(size_t bytes);

  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;
  mutable Mutex mutex_;
  Script script_ ABSL_GUARDED_BY(mutex_);
  size_t cut_every_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t since_cut_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::string, std::string> partial_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::string> stored_ ABSL_GUARDED_BY(mutex_);
  transfer::v1::Begin last_begin_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> peers_ ABSL_GUARDED_BY(mutex_);
};

// A status with its details, as a gateway sends them.
grpc::Status WithDetail(grpc::StatusCode code, const std::string& message,
                        const transfer::v1::ErrorDetail& detail);

}  // namespace schleuse::client

#endif  // SCHLEUSE_CLIENT_LINK_FAKE_GATEWAY_H_
