// The bare TLS stream's client: a thread and a connection for each parallel
// transfer, which reads, hashes and sends in turn.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <csignal>
#include <optional>
#include <string>
#include <vector>

#include "tests/bench/peer_file.h"
#include "tests/bench/tls_frame.h"
#include "tests/bench/tls_peer.h"

namespace schleuse::bench {
namespace {

TlsConnection Connect(SSL_CTX* context, int port) {
  const int made = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  if (made < 0 || connect(made, reinterpret_cast<sockaddr*>(&address),
                          sizeof(address)) != 0) {
    DieOfErrno("connect");
  }
  return TlsConnection::Connect(context, made);
}

void Put(TlsConnection& connection, const std::string& file) {
  Source source(file);
  const std::string name = BaseName(file);
  const FrameHeader header = {source.size(), name.size()};
  connection.Write({reinterpret_cast<const char*>(&header), sizeof(header)});
  connection.Write(name);
  std::string piece;
  while (source.Read(piece)) connection.Write(piece);
  connection.Write(source.Sha256());
  char answer = 0;
  if (!connection.Read(&answer, 1) || answer != kKept) {
    Die(file + ": not kept");
  }
}

}  // namespace
}  // namespace schleuse::bench

int main(int argc, char** argv) {
  using namespace schleuse::bench;  // NOLINT: main is no header
  std::signal(SIGPIPE, SIG_IGN);
  const Options options =
      ReadOptions(argc, argv, {"port", "parallel", "cert", "key", "ca"});
  const int parallel = std::stoi(options.values.at("parallel"));
  const int port = std::stoi(options.values.at("port"));
  const TlsContext context = MakeContext(TLS_client_method(), options);
  std::vector<std::optional<TlsConnection>> connections(
      static_cast<size_t>(parallel));
  ForEach(options.files, parallel, [&](int thread, const std::string& file) {
    auto& connection = connections[static_cast<size_t>(thread)];
    if (!connection) connection = Connect(context.get(), port);
    Put(*connection, file);
  });
  return 0;
}
