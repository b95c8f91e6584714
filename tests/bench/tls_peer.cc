#include "tests/bench/tls_peer.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

namespace schleuse::bench {
namespace {

[[noreturn]] void DieOfTls(const std::string& what) {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  Die(what + ": " + (reason == nullptr ? "connection lost" : reason));
}

}  // namespace

TlsContext MakeContext(const SSL_METHOD* method, const Options& options) {
  TlsContext context(SSL_CTX_new(method));
  const std::string& chain = options.values.at("cert");
  const std::string& key = options.values.at("key");
  const std::string& roots = options.values.at("ca");
  if (SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION) != 1 ||
      SSL_CTX_use_certificate_chain_file(context.get(), chain.c_str()) != 1 ||
      SSL_CTX_use_PrivateKey_file(context.get(), key.c_str(),
                                  SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_load_verify_locations(context.get(), roots.c_str(), nullptr) !=
          1) {
    DieOfTls("certificates");
  }
  SSL_CTX_set_verify(context.get(),
                     SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                     nullptr);
  SSL_CTX_set_mode(context.get(), SSL_MODE_AUTO_RETRY);
  SSL_CTX_set_num_tickets(context.get(), 0);
  return context;
}

void TlsConnection::Close::operator()(SSL* ssl) const {
  const int socket = SSL_get_fd(ssl);
  SSL_shutdown(ssl);
  SSL_free(ssl);
  close(socket);
}

TlsConnection::TlsConnection(SSL_CTX* context, int socket)
    : ssl_(SSL_new(context)) {
  const int on = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (SSL_set_fd(ssl_.get(), socket) != 1) DieOfTls("socket");
}

TlsConnection TlsConnection::Accept(SSL_CTX* context, int socket) {
  TlsConnection connection(context, socket);
  if (SSL_accept(connection.ssl_.get()) != 1) DieOfTls("handshake");
  return connection;
}

TlsConnection TlsConnection::Connect(SSL_CTX* context, int socket) {
  TlsConnection connection(context, socket);
  if (SSL_set1_host(connection.ssl_.get(), "localhost") != 1 ||
      SSL_connect(connection.ssl_.get()) != 1) {
    DieOfTls("handshake");
  }
  return connection;
}

void TlsConnection::Write(std::string_view bytes) {
  size_t wrote = 0;
  if (!bytes.empty() &&
      SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &wrote) != 1) {
    DieOfTls("write");
  }
}

bool TlsConnection::Read(char* bytes, size_t length) {
  size_t at = 0;
  while (at < length) {
    size_t got = 0;
    if (SSL_read_ex(ssl_.get(), bytes + at, length - at, &got) != 1) {
      if (at == 0 && SSL_get_error(ssl_.get(), 0) == SSL_ERROR_ZERO_RETURN) {
        return false;
      }
      DieOfTls("read");
    }
    at += got;
  }
  return true;
}

}  // namespace schleuse::bench
