// Gateway, devices, disk, network and time in one process and one thread, all
// decided by a seed: the real transfer, spool, file store, custody log and
// uploader on fake disk, clock and link. It breaks what a seed says and checks,
// after every step, what must never happen (ARCHITECTURE.md, Promises). The
// log's keys and its ECDSA signatures are not the seed's: lengths may differ by
// a byte or two from run to run.
#ifndef SCHLEUSE_TESTS_SIMULATION_WORLD_H_
#define SCHLEUSE_TESTS_SIMULATION_WORLD_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/fake_executor.h"
#include "base/random.h"
#include "client/uploader/fake_source.h"
#include "client/uploader/upload.h"
#include "disk/fake_disk.h"
#include "gateway/access/roster_source.h"
#include "gateway/custody/custody_log.h"
#include "gateway/custody/keys.h"
#include "gateway/spool/spool.h"
#include "gateway/store/file_store.h"
#include "gateway/transfer/intake.h"
#include "tests/simulation/fake_link.h"

namespace schleuse::simulation {

struct Plan {
  uint64_t seed;
  // The gateway keeps a custody log, and devices erase on a verified receipt
  // alone.
  bool receipts = true;
  // What may go wrong. Without disk faults a promise more is checked: what was
  // acknowledged is never asked for again.
  bool disk_faults = false;
  bool network_faults = true;
  bool crashes = true;
  bool power_cuts = true;
  // Graceful restarts, a disk that is full or a store that is away for a while,
  // devices that take over from each other or come again with what is stored
  // already.
  bool everyday_trouble = true;
};

struct Outcome {
  std::string broken;  // the promise that was broken; empty: none
  int steps = 0;
  int kills = 0;
  int power_cuts = 0;
  int client_kills = 0;
  int disk_faults = 0;
  int rewinds = 0;
  int streams = 0;
  int rivals = 0;
  int takeovers = 0;
  int drains = 0;
  int full_disks = 0;
  int store_away = 0;
  int again = 0;
  std::string Report() const;
};

class World {
 public:
  explicit World(const Plan& plan);
  ~World();

  // Runs until every recording is stored and all is quiet, or a promise is
  // broken, or nothing moves any more (which is broken as well).
  Outcome Run();

 private:
  struct Gateway;
  struct Device;

  void StartGateway();
  void KillGateway();
  void RestartAfterPowerCut();
  void StartDevice(Device& device);
  void AddDevice(const RecordingName& name, const std::string& bytes,
                 absl::string_view principal);
  void Misfortune();
  void EverydayTrouble(double luck);
  void StartDrain();
  // One task of anybody. False if nobody has one.
  bool RunOne();
  void MoveTime();
  bool AllStored() const;
  void EndMisfortunes();
  void Settle();
  void RunFor(absl::Duration time);
  absl::Status FaultOf(const DiskOperation& operation);

  // While it is there the disk does nobody harm: it is we who look.
  struct Looking {
    explicit Looking(World& of) : world(of) { world.looking_ = true; }
    ~Looking() { world.looking_ = false; }
    World& world;
  };

  // --- promises ---
  void Broken(const std::string& what);
  void CheckStored(const Device& device, const char* when);
  void CheckSpoolIsEmpty();
  void CheckReceipt(const Device& device);
  void CheckLog();
  void OnReply(const RecordingName& name, const client::Reply& reply);

  const Plan plan_;
  SeededRandom random_;
  FakeDisk disk_;
  FakeExecutor gateway_executor_;
  FakeExecutor device_executor_;
  FakeExecutor network_executor_;
  std::unique_ptr<const CustodyKeys> keys_;
  std::unique_ptr<RosterSource> roster_;
  Network network_;
  std::unique_ptr<Gateway> gateway_;
  std::vector<std::unique_ptr<Device>> devices_;
  Outcome outcome_;
  bool misfortunes_ = true;
  bool log_is_at_its_end_ = false;  // the process says so and exits
  bool disk_is_full_ = false;
  bool store_is_away_ = false;
  bool looking_ = false;
  // Of the process that is stopping; shared with its Drain.
  std::shared_ptr<bool> drained_;
  absl::Time drain_until_;
};

}  // namespace schleuse::simulation

#endif  // SCHLEUSE_TESTS_SIMULATION_WORLD_H_
