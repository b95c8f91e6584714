// The bare TLS stream: the limit for any protocol that keeps the same promise.
// A thread a connection, which reads, hashes, writes and syncs in turn.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <csignal>
#include <string>
#include <thread>

#include "tests/bench/peer_file.h"
#include "tests/bench/tls_frame.h"
#include "tests/bench/tls_peer.h"

namespace schleuse::bench {
namespace {

// False once the client has no more.
bool TakeFile(TlsConnection& connection, const std::string& directory,
              std::string& buffer) {
  FrameHeader header;
  if (!connection.Read(reinterpret_cast<char*>(&header), sizeof(header))) {
    return false;
  }
  if (header.name_bytes > kNameBytesMax) Die("the name is too long");
  std::string name(header.name_bytes, '\0');
  connection.Read(name.data(), name.size());
  Landing landing(directory, name);
  for (uint64_t left = header.file_bytes; left > 0;) {
    const size_t take = std::min<uint64_t>(left, buffer.size());
    connection.Read(buffer.data(), take);
    landing.Write({buffer.data(), take});
    left -= take;
  }
  std::string sha256(kHashBytes, '\0');
  connection.Read(sha256.data(), sha256.size());
  if (!landing.Finish(sha256)) Die(name + ": not what was hashed");
  connection.Write({&kKept, 1});
  return true;
}

// Returns the listening socket and its port.
int Listen(int& port) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  auto* any = reinterpret_cast<sockaddr*>(&address);
  if (listener < 0 || bind(listener, any, length) != 0 ||
      listen(listener, 64) != 0 || getsockname(listener, any, &length) != 0) {
    DieOfErrno("listen");
  }
  port = ntohs(address.sin_port);
  return listener;
}

void Serve(const Options& options) {
  const TlsContext context = MakeContext(TLS_server_method(), options);
  const std::string directory = options.values.at("directory");
  int port = 0;
  const int listener = Listen(port);
  WritePort(options.values.at("port-file"), port);
  for (;;) {  // until a signal ends the process
    const int socket = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket < 0) DieOfErrno("accept");
    std::thread([&context, &directory, socket] {
      TlsConnection connection = TlsConnection::Accept(context.get(), socket);
      std::string buffer(kPieceBytes, '\0');
      while (TakeFile(connection, directory, buffer)) {
      }
    }).detach();
  }
}

}  // namespace
}  // namespace schleuse::bench

int main(int argc, char** argv) {
  using schleuse::bench::ReadOptions;
  std::signal(SIGPIPE, SIG_IGN);
  schleuse::bench::Serve(
      ReadOptions(argc, argv, {"directory", "port-file", "cert", "key", "ca"}));
}
