// The bare gRPC sink's client: reads, hashes and sends, one stream a file,
// spread over up to four connections.
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "tests/bench/peer_file.h"
#include "tests/bench/sink.grpc.pb.h"

namespace schleuse::bench {
namespace {

constexpr int kChannelsMax = 4;

std::vector<std::unique_ptr<v1::Sink::Stub>> Connect(const Options& options,
                                                     int channels) {
  grpc::SslCredentialsOptions tls;
  tls.pem_root_certs = ReadWhole(options.values.at("ca"));
  tls.pem_cert_chain = ReadWhole(options.values.at("cert"));
  tls.pem_private_key = ReadWhole(options.values.at("key"));
  grpc::ChannelArguments arguments;
  // A connection of its own for each channel.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  std::vector<std::unique_ptr<v1::Sink::Stub>> stubs;
  for (int i = 0; i < channels; ++i) {
    stubs.push_back(v1::Sink::NewStub(
        grpc::CreateCustomChannel("127.0.0.1:" + options.values.at("port"),
                                  grpc::SslCredentials(tls), arguments)));
  }
  return stubs;
}

void Put(v1::Sink::Stub& stub, const std::string& file) {
  grpc::ClientContext context;
  // A first handshake that fails on a busy machine is tried again, as the
  // product's own client does; a sink that is gone ends by the run's time limit.
  context.set_wait_for_ready(true);
  v1::Kept kept;
  const auto stream = stub.Put(&context, &kept);
  Source source(file);
  v1::Piece piece;
  piece.set_name(BaseName(file));
  while (source.Read(*piece.mutable_data()) && stream->Write(piece)) {
    piece.clear_name();
  }
  piece.clear_data();
  piece.set_sha256(source.Sha256());
  stream->Write(piece);
  stream->WritesDone();
  const grpc::Status status = stream->Finish();
  if (!status.ok()) Die(file + ": " + status.error_message());
}

}  // namespace
}  // namespace schleuse::bench

int main(int argc, char** argv) {
  using namespace schleuse::bench;  // NOLINT: main is no header
  const Options options =
      ReadOptions(argc, argv, {"port", "parallel", "cert", "key", "ca"});
  const int parallel = std::stoi(options.values.at("parallel"));
  const auto stubs = Connect(options, std::min(parallel, kChannelsMax));
  ForEach(options.files, parallel, [&](int thread, const std::string& file) {
    Put(*stubs[static_cast<size_t>(thread) % stubs.size()], file);
  });
  return 0;
}
