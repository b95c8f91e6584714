// A TLS server on loopback that answers as a test tells it to, for better or
// worse.
#ifndef SCHLEUSE_GATEWAY_EGRESS_TEST_SERVER_H_
#define SCHLEUSE_GATEWAY_EGRESS_TEST_SERVER_H_

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/mutex.h"
#include "certs/test_pki.h"
#include "crypto/tls_context.h"
#include "gtest/gtest.h"

namespace schleuse {

// One connection, behind its handshake. Its calls return what a peer that went
// away leaves: nothing.
class TestPeer {
 public:
  explicit TestPeer(SSL* ssl) : ssl_(ssl) {}

  // A request with its body; empty: there is none.
  std::string ReadRequest() {
    std::string all;
    size_t wanted = 0;
    char buffer[16384];
    while (wanted == 0 || all.size() < wanted) {
      const int got = SSL_read(ssl_, buffer, sizeof buffer);
      if (got <= 0) return "";
      all.append(buffer, got);
      const size_t end = all.find("\r\n\r\n");
      if (wanted != 0 || end == std::string::npos) continue;
      wanted = end + 4;
      const size_t length = all.find("Content-Length: ");
      uint64_t body = 0;
      if (length < end &&
          absl::SimpleAtoi(
              all.substr(length + 16, all.find("\r\n", length) - length - 16),
              &body)) {
        wanted += body;
      }
    }
    return all;
  }
  // The beginning of a request, at least so many bytes of it.
  void ReadBeginning(size_t bytes) {
    char buffer[16384];
    for (size_t read = 0; read < bytes;) {
      const int got = SSL_read(ssl_, buffer, sizeof buffer);
      if (got <= 0) return;
      read += static_cast<size_t>(got);
    }
  }
  void Write(absl::string_view bytes) {
    if (bytes.empty()) return;
    SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()));
  }
  void Answer(absl::string_view status, absl::string_view body,
              absl::string_view headers = "") {
    Write(absl::StrCat("HTTP/1.1 ", status, "\r\nContent-Length: ", body.size(),
                       "\r\n", headers, "\r\n", body));
  }
  // Until the client closes or the server is destroyed.
  void AwaitEnd() {
    char byte;
    while (SSL_read(ssl_, &byte, 1) > 0) {
    }
  }

 private:
  SSL* const ssl_;
};

class TestServer {
 public:
  // Called for every connection, in a thread of its own; then it is closed.
  using Handler = std::function<void(TestPeer&)>;

  TestServer(const TlsIdentity& identity, Handler handler)
      : handler_(std::move(handler)) {
    Become(identity);
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* any = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(listener_, any, size), 0);
    EXPECT_EQ(listen(listener_, 16), 0);
    EXPECT_EQ(getsockname(listener_, any, &size), 0);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { Accept(); });
  }
  ~TestServer() {
    stopping_ = true;
    shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    for (const int open : open_) shutdown(open, SHUT_RDWR);
    for (std::thread& thread : threads_) thread.join();
    for (const int open : open_) close(open);
    close(listener_);
    SSL_CTX_free(context_);
  }

  // For connections to come.
  void Become(const TlsIdentity& identity) {
    SSL_CTX* context = SSL_CTX_new(TLS_server_method());
    EXPECT_TRUE(
        SetUpTlsContext(context, identity, [](const std::vector<Certificate>&) {
          return absl::OkStatus();
        }).ok());
    {
      MutexLock lock(mutex_);
      std::swap(context, context_);
    }
    // Those that are being made still have it.
    SSL_CTX_free(context);
  }

  uint16_t port() const { return port_; }
  // Whoever connected, whether TLS came about or not.
  int connections() const { return connections_; }

 private:
  void Accept() {
    while (true) {
      const int peer = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (peer < 0 || stopping_) return;
      ++connections_;
      open_.push_back(peer);
      threads_.emplace_back([this, peer] { Serve(peer); });
    }
  }
  void Serve(int peer) {
    SSL* ssl = nullptr;
    {
      MutexLock lock(mutex_);
      ssl = SSL_new(context_);
    }
    SSL_set_fd(ssl, peer);
    if (SSL_accept(ssl) == 1) {
      TestPeer test_peer(ssl);
      handler_(test_peer);
      SSL_shutdown(ssl);
    }
    SSL_free(ssl);
    shutdown(peer, SHUT_RDWR);
  }

  const Handler handler_;
  Mutex mutex_;
  SSL_CTX* context_ ABSL_GUARDED_BY(mutex_) = nullptr;
  int listener_ = -1;
  uint16_t port_ = 0;
  std::atomic<bool> stopping_ = false;
  std::atomic<int> connections_ = 0;
  std::vector<int> open_;             // the acceptor's, then the destructor's
  std::vector<std::thread> threads_;  // the same
  std::thread acceptor_;
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_EGRESS_TEST_SERVER_H_
