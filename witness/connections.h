// The connections of the HTTPS door: so many at a time, and each for so long at
// most, whatever its peer does. The HTTP library's own limits are between two
// bytes, and its queue has none. It knows no request.
#ifndef SCHLEUSE_WITNESS_CONNECTIONS_H_
#define SCHLEUSE_WITNESS_CONNECTIONS_H_

#include <httplib.h>

#include <functional>
#include <set>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "base/mutex.h"
#include "base/thread_pool.h"

namespace schleuse {

class Connections {
 public:
  struct Bounds {
    // Each connection holds one for as long as it lasts.
    int threads = 32;
    // Accepted and without a thread yet; the kernel keeps the next ones.
    int waiting_max = 64;
    // Ages are counted in ticks, so that setting the clock cuts nobody off.
    absl::Duration tick = absl::Seconds(1);
    int handshake_ticks = 10;  // for strangers: until the handshake is done
    // A gateway comes once a minute and asks a question or two.
    int connection_ticks = 30;
  };
  explicit Connections(const Bounds& bounds);
  ~Connections();

  // What a server takes as its task queue; it borrows this. For one server,
  // once.
  httplib::TaskQueue* NewQueue();
  // Makes handshakes with `context` known here.
  static void Attend(SSL_CTX* context);
  // Nothing more is read from anybody; what is being answered still goes out.
  void StopReading();

 private:
  struct Connection;
  class Queue;

  static void OnHandshake(const SSL* ssl, int where, int result);
  void Began(Connection& connection, int socket);
  void Take(std::function<void()> serve);
  void Run(const std::function<void()>& serve);
  void Tick();

  const Bounds bounds_;
  Mutex mutex_;
  CondVar fewer_wait_;
  int waiting_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::set<Connection*> running_ ABSL_GUARDED_BY(mutex_);
  ThreadPool pool_;
  ThreadPool timer_{1};
};

}  // namespace schleuse

#endif  // SCHLEUSE_WITNESS_CONNECTIONS_H_
