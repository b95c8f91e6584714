// The bare gRPC sink: what a plain engineer would write who has to store files
// provably. Synchronous API, mutual TLS, protobuf messages, all work inline in
// the handler.
#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "tests/bench/peer_file.h"
#include "tests/bench/sink.grpc.pb.h"

namespace schleuse::bench {
namespace {

class FileSink final : public v1::Sink::Service {
 public:
  explicit FileSink(std::string directory) : directory_(std::move(directory)) {}

  grpc::Status Put(grpc::ServerContext*, grpc::ServerReader<v1::Piece>* pieces,
                   v1::Kept*) override {
    std::optional<Landing> landing;
    std::string sha256;
    v1::Piece piece;
    while (pieces->Read(&piece)) {
      if (!landing) landing.emplace(directory_, piece.name());
      landing->Write(piece.data());
      if (!piece.sha256().empty()) sha256 = piece.sha256();
    }
    if (!landing || !landing->Finish(sha256)) {
      return {grpc::StatusCode::DATA_LOSS, "not what was hashed"};
    }
    return grpc::Status::OK;
  }

 private:
  const std::string directory_;
};

int Serve(const Options& options) {
  grpc::SslServerCredentialsOptions tls(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  tls.pem_root_certs = ReadWhole(options.values.at("ca"));
  tls.pem_key_cert_pairs.push_back({ReadWhole(options.values.at("key")),
                                    ReadWhole(options.values.at("cert"))});
  FileSink sink(options.values.at("directory"));
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::SslServerCredentials(tls),
                           &port);
  builder.RegisterService(&sink);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr || port == 0) Die("cannot listen");
  WritePort(options.values.at("port-file"), port);
  server->Wait();  // until a signal ends the process
  return 0;
}

}  // namespace
}  // namespace schleuse::bench

int main(int argc, char** argv) {
  using schleuse::bench::ReadOptions;
  return schleuse::bench::Serve(
      ReadOptions(argc, argv, {"directory", "port-file", "cert", "key", "ca"}));
}
