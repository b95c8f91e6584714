// One TLS connection between two contexts, in memory, for tests.
#ifndef SCHLEUSE_CRYPTO_TEST_CONNECTION_H_
#define SCHLEUSE_CRYPTO_TEST_CONNECTION_H_

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "crypto/openssl.h"

namespace schleuse {

using ContextPointer = OpenSslPointer<SSL_CTX, SSL_CTX_free>;
using SslPointer = OpenSslPointer<SSL, SSL_free>;

struct TestConnection {
  TestConnection(SSL_CTX* client_context, SSL_CTX* server_context)
      : client(SSL_new(client_context)), server(SSL_new(server_context)) {
    BIO* client_side = nullptr;
    BIO* server_side = nullptr;
    BIO_new_bio_pair(&client_side, 0, &server_side, 0);
    SSL_set_bio(client.get(), client_side, client_side);
    SSL_set_bio(server.get(), server_side, server_side);
    SSL_set_connect_state(client.get());
    SSL_set_accept_state(server.get());
    for (int i = 0; i < 20; ++i) {
      SSL_do_handshake(client.get());
      SSL_do_handshake(server.get());
    }
    // What a server sends behind the handshake is read here.
    char byte = 0;
    SSL_write(server.get(), "x", 1);
    arrived = SSL_read(client.get(), &byte, 1) == 1;
    ERR_clear_error();
  }
  bool accepted() const {
    return arrived && SSL_is_init_finished(client.get()) == 1 &&
           SSL_is_init_finished(server.get()) == 1;
  }
  SslPointer client;
  SslPointer server;
  bool arrived = false;
};

}  // namespace schleuse

#endif  // SCHLEUSE_CRYPTO_TEST_CONNECTION_H_
