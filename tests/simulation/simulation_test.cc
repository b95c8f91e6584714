// The real gateway core and the real uploader, through crashes, power cuts and
// broken links, a seed at a time. A failure names its seed; run that one with
// --gtest_filter=... and SCHLEUSE_SEED=<seed>.

#include <cstdint>
#include <cstdlib>
#include <optional>

#include "base/log.h"
#include "gtest/gtest.h"
#include "tests/simulation/world.h"

namespace schleuse::simulation {
namespace {

std::optional<uint64_t> SeedFromEnvironment() {
  const char* text = std::getenv("SCHLEUSE_SEED");
  if (text == nullptr) return std::nullopt;
  return std::strtoull(text, nullptr, 10);
}

struct Totals {
  int kills = 0, power_cuts = 0, client_kills = 0, disk_faults = 0;
  int rewinds = 0, streams = 0;
  int takeovers = 0, drains = 0, full_disks = 0, store_away = 0, again = 0;
};

// Runs seeds [first, first + count) and stops at the first broken promise.
Totals RunSeeds(uint64_t first, uint64_t count, Plan plan) {
  SetLogThreshold(std::nullopt);
  Totals totals;
  const std::optional<uint64_t> only = SeedFromEnvironment();
  if (only) {
    SetLogThreshold(Severity::kInfo);
    first = *only;
    count = 1;
  }
  for (uint64_t seed = first; seed < first + count; ++seed) {
    plan.seed = seed;
    const Outcome outcome = World(plan).Run();
    EXPECT_EQ(outcome.broken, "")
        << "seed " << seed << ": " << outcome.Report();
    if (!outcome.broken.empty()) break;
    totals.kills += outcome.kills;
    totals.power_cuts += outcome.power_cuts;
    totals.client_kills += outcome.client_kills;
    totals.disk_faults += outcome.disk_faults;
    totals.rewinds += outcome.rewinds;
    totals.streams += outcome.streams;
    totals.takeovers += outcome.takeovers;
    totals.drains += outcome.drains;
    totals.full_disks += outcome.full_disks;
    totals.store_away += outcome.store_away;
    totals.again += outcome.again;
  }
  return totals;
}

TEST(SimulationTest, QuietWorldStoresEverything) {
  RunSeeds(1, 100,
           {.seed = 0,
            .network_faults = false,
            .crashes = false,
            .power_cuts = false,
            .everyday_trouble = false});
}

TEST(SimulationTest, NothingAcknowledgedIsLostInCrashesCutsAndBrokenLinks) {
  const Totals totals = RunSeeds(1000, 600, {.seed = 0});
  if (SeedFromEnvironment()) return;
  // A world in which nothing happens proves nothing.
  EXPECT_GT(totals.kills, 100);
  EXPECT_GT(totals.power_cuts, 600);
  EXPECT_GT(totals.client_kills, 100);
  EXPECT_GT(totals.rewinds, 20);
  EXPECT_GT(totals.takeovers, 100);
  EXPECT_GT(totals.drains, 100);
  EXPECT_GT(totals.full_disks, 100);
  EXPECT_GT(totals.store_away, 100);
  EXPECT_GT(totals.again, 50);
}

TEST(SimulationTest, WithoutACustodyLogTheSame) {
  const Totals totals =
      RunSeeds(2000, 200, {.seed = 0, .receipts = false, .disk_faults = true});
  if (SeedFromEnvironment()) return;
  EXPECT_GT(totals.kills, 50);
  EXPECT_GT(totals.disk_faults, 100);
}

// Without crashes that would hide what a drain or a full disk leaves behind.
TEST(SimulationTest, EverydayTroubleLosesNothing) {
  const Totals totals =
      RunSeeds(3000, 300, {.seed = 0, .crashes = false, .power_cuts = false});
  if (SeedFromEnvironment()) return;
  EXPECT_GT(totals.takeovers, 50);
  EXPECT_GT(totals.drains, 50);
  EXPECT_GT(totals.full_disks, 50);
  EXPECT_GT(totals.store_away, 50);
}

TEST(SimulationTest, NothingStoredIsLostWhenTheDiskFailsToo) {
  const Totals totals = RunSeeds(5000, 300, {.seed = 0, .disk_faults = true});
  if (SeedFromEnvironment()) return;
  EXPECT_GT(totals.disk_faults, 100);
}

}  // namespace
}  // namespace schleuse::simulation
