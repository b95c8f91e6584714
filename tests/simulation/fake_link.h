// The network between simulated devices and the simulated gateway: keeps the
// order of messages within a direction, and may delay, damage, cut or go dead
// whenever the seed says so.
#ifndef SCHLEUSE_TESTS_SIMULATION_FAKE_LINK_H_
#define SCHLEUSE_TESTS_SIMULATION_FAKE_LINK_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>

#include "base/fake_executor.h"
#include "base/random.h"
#include "client/uploader/link.h"
#include "gateway/access/principal.h"
#include "gateway/transfer/intake.h"

namespace schleuse::simulation {

struct NetworkFaults {
  double cut = 0;         // chance, for each message, that its link breaks
  double dead = 0;        // ... that it goes silent and never says so
  double flip_chunk = 0;  // ... for each chunk, that a bit of it flips
};

class Call;

// What all links share. The gateway behind it comes and goes.
class Network {
 public:
  Network(FakeExecutor& executor, Random& random, const NetworkFaults& faults)
      : executor_(executor), random_(random), faults_(faults) {}

  void ConnectTo(Intake* gateway) { gateway_ = gateway; }
  // The gateway's process is gone: all its calls end.
  void GatewayDied();
  void SetFaults(const NetworkFaults& faults) { faults_ = faults; }

  bool Chance(double p) { return p > 0 && random_.NextFraction() < p; }

  FakeExecutor& executor() { return executor_; }
  Random& random() { return random_; }
  const NetworkFaults& faults() const { return faults_; }
  Intake* gateway() { return gateway_; }

  // Told of all that the gateway says, in the order in which it says it,
  // whether it arrives or not: for the promises.
  std::function<void(const RecordingName&, const client::Reply&)> on_reply;
  std::function<void(const RecordingName&, const client::ErrorDetail&)> on_end;

 private:
  friend class Call;
  FakeExecutor& executor_;
  Random& random_;
  NetworkFaults faults_;
  Intake* gateway_ = nullptr;
  std::set<std::shared_ptr<Call>> calls_;
};

// A device's way to the gateway.
class FakeLink final : public client::Link {
 public:
  FakeLink(Network& network, Principal principal, RecordingName recording,
           Strand& strand)
      : network_(network),
        principal_(std::move(principal)),
        recording_(std::move(recording)),
        strand_(strand) {}
  ~FakeLink() override;

  void Open(uint64_t stream, client::LinkEvents& events) override;
  void Send(client::Request request, Next next) override;
  void Close(Why why) override;

 private:
  Network& network_;
  const Principal principal_;
  const RecordingName recording_;
  Strand& strand_;
  std::shared_ptr<Call> call_;
};

}  // namespace schleuse::simulation

#endif  // SCHLEUSE_TESTS_SIMULATION_FAKE_LINK_H_
