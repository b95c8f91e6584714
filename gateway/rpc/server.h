// The gRPC server: listens, identifies, and hands calls to their reactors.
#ifndef SCHLEUSE_GATEWAY_RPC_SERVER_H_
#define SCHLEUSE_GATEWAY_RPC_SERVER_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/executor.h"
#include "base/limits.h"
#include "gateway/access/identify.h"
#include "gateway/transfer/intake.h"

namespace schleuse {

struct ServerOptions {
  std::string listen;                 // "address:port", an IP literal
  std::string certificate_chain_pem;  // leaf first
  std::string private_key_pem;
  std::string root_certificates_pem;
  // Required. What gRPC may hold of what came in, the chunks included that wait
  // in the intake's queues: the last bound against devices that break the
  // rules. Far above what those need that keep them: from 80 % of it on all
  // slow down.
  uint64_t memory_bytes_max = 0;
  // A call that does not begin is ended after so long, at the latest twice
  // that; so is one whose device does not take its end.
  absl::Duration begin_within = limits::kBeginWithin;
  // A call that began is ended when its device is silent for so long, at the
  // latest one `begin_within` later.
  absl::Duration silence_max = limits::kSilenceMax;
};

class Server {
 public:
  // Listens from now on. What is borrowed outlives the server.
  //   InvalidArgument  certificate and key do not belong together
  //   Unavailable      the address cannot be listened on
  static absl::StatusOr<std::unique_ptr<Server>> Start(
      const ServerOptions& options, Intake& intake,
      std::shared_ptr<const Identifier> identifier, Executor& executor,
      const Clock& clock);
  // Shuts down at once, if nobody did before.
  ~Server();

  int port() const { return port_; }

  // Takes no new call; open ones may end until `deadline`, then they are
  // cancelled. Returns when all are over.
  void Shutdown(absl::Time deadline);

 private:
  struct Inside;
  Server(std::unique_ptr<Inside> inside, int port);
  std::unique_ptr<Inside> inside_;
  const int port_;
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_RPC_SERVER_H_
