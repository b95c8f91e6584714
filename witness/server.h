// The witness's HTTPS door (C2SP tlog-witness 1.0.0): POST
// <prefix>/add-checkpoint, to gateways that are known, and nothing else.
#ifndef SCHLEUSE_WITNESS_SERVER_H_
#define SCHLEUSE_WITNESS_SERVER_H_

#include <memory>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "witness/config.h"
#include "witness/connections.h"
#include "witness/witness.h"

namespace schleuse {

class WitnessServer {
 public:
  // Answers from now on. Everything is borrowed.
  //   Unavailable, InvalidArgument  it cannot listen, or the identity is none
  static absl::StatusOr<std::unique_ptr<WitnessServer>> Start(
      const WitnessConfig::Https& https, Witness& witness, const Clock& clock,
      const Connections::Bounds& bounds = Connections::Bounds());
  // Takes no more calls, and waits for those that are being answered.
  ~WitnessServer();

  int port() const { return port_; }

 private:
  class Inside;
  explicit WitnessServer(std::unique_ptr<Inside> inside, int port);
  const std::unique_ptr<Inside> inside_;
  const int port_;
};

}  // namespace schleuse

#endif  // SCHLEUSE_WITNESS_SERVER_H_
