#include "witness/connections.h"

#include <unistd.h>

#include <utility>

namespace schleuse {

struct Connections::Connection {
  Connections& all;
  int socket = -1;  // a descriptor of our own: the library closes its when done
  bool known = false;  // its certificate was found good
  int ticks = 0;
};

namespace {

// The library tells its TLS callbacks nothing of ours; but a connection never
// leaves its thread.
thread_local void* mine = nullptr;

}  // namespace

class Connections::Queue final : public httplib::TaskQueue {
 public:
  explicit Queue(Connections& connections) : connections_(connections) {}
  void enqueue(std::function<void()> serve) override {
    connections_.Take(std::move(serve));
  }
  void shutdown() override { connections_.pool_.Stop(); }

 private:
  Connections& connections_;
};

Connections::Connections(const Bounds& bounds)
    : bounds_(bounds), pool_(bounds.threads) {
  timer_.PostAfter(bounds_.tick, [this] { Tick(); });
}

Connections::~Connections() {
  pool_.Stop();
  timer_.Stop();
}

httplib::TaskQueue* Connections::NewQueue() { return new Queue(*this); }

void Connections::Attend(SSL_CTX* context) {
  SSL_CTX_set_info_callback(context, OnHandshake);
}

void Connections::OnHandshake(const SSL* ssl, int where, int) {
  auto* const connection = static_cast<Connection*>(mine);
  if (connection == nullptr) return;
  if ((where & SSL_CB_HANDSHAKE_START) != 0) {
    connection->all.Began(*connection, SSL_get_fd(ssl));
  }
  if ((where & SSL_CB_HANDSHAKE_DONE) != 0) {
    MutexLock lock(connection->all.mutex_);
    connection->known = true;
  }
}

void Connections::Began(Connection& connection, int socket) {
  MutexLock lock(mutex_);
  if (connection.socket >= 0) return;  // a change of keys later on
  connection.socket = dup(socket);
  if (connection.socket < 0) {
    // One that could not be ended later must not begin.
    shutdown(socket, SHUT_RDWR);
  } else if (stopping_) {
    shutdown(socket, SHUT_RD);
  }
}

void Connections::Take(std::function<void()> serve) {
  {
    MutexLock lock(mutex_);
    while (waiting_ >= bounds_.waiting_max) fewer_wait_.Wait(mutex_);
    ++waiting_;
  }
  pool_.Post([this, serve = std::move(serve)] { Run(serve); });
}

void Connections::Run(const std::function<void()>& serve) {
  Connection connection{.all = *this};
  {
    MutexLock lock(mutex_);
    --waiting_;
    running_.insert(&connection);
  }
  fewer_wait_.NotifyOne();
  mine = &connection;
  serve();
  mine = nullptr;
  MutexLock lock(mutex_);
  running_.erase(&connection);
  if (connection.socket >= 0) close(connection.socket);
}

void Connections::Tick() {
  {
    MutexLock lock(mutex_);
    for (Connection* const connection : running_) {
      const int most = connection->known ? bounds_.connection_ticks
                                         : bounds_.handshake_ticks;
      if (++connection->ticks > most && connection->socket >= 0) {
        shutdown(connection->socket, SHUT_RDWR);
      }
    }
  }
  timer_.PostAfter(bounds_.tick, [this] { Tick(); });
}

void Connections::StopReading() {
  MutexLock lock(mutex_);
  stopping_ = true;
  for (const Connection* const connection : running_) {
    if (connection->socket >= 0) shutdown(connection->socket, SHUT_RD);
  }
}

}  // namespace schleuse
