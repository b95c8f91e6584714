// Real processes, killed with SIGKILL at chosen places, over and over: nothing
// is lost and nothing is stored twice.

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/house.h"
#include "tests/e2e/process.h"

namespace schleuse {
namespace {

struct KillPlan {
  const char* failpoint;
  int kills;
  int passes_max;  // it dies at the 1st to this pass, by chance
};

// Some 25 chunks each, so that a kill while receiving falls anywhere.
constexpr uint64_t kFileBytes = 400'000;
const std::vector<std::string> kSmallChunks = {"--chunk-kib", "16"};

std::vector<std::string> Shuffled(const std::vector<KillPlan>& plans) {
  std::mt19937 random(7);
  std::vector<std::string> all;
  for (const KillPlan& plan : plans) {
    for (int i = 0; i < plan.kills; ++i) {
      all.push_back(
          absl::StrCat(plan.failpoint, ":", 1 + random() % plan.passes_max));
    }
  }
  std::shuffle(all.begin(), all.end(), random);
  return all;
}

void ExpectKilled(Process& process) {
  const auto result = process.Poll();
  ASSERT_TRUE(result.has_value());
  EXPECT_FALSE(result->exited) << "exit code " << result->code;
  EXPECT_EQ(result->code, SIGKILL);
}

TEST(KillTest, GatewayKilledAnywhereStoresEveryRecordingOnce) {
  const std::vector<KillPlan> plans = {
      {"gateway.appended", 30, 40},      {"gateway.finished", 20, 2},
      {"store.linking", 20, 2},          {"store.linked", 20, 2},
      {"gateway.committed", 15, 2},      {"custody.written", 10, 4},
      {"custody.durable", 10, 4},        {"gateway.stated", 10, 2},
      {"gateway.receipt_sent", 10, 2},   {"gateway.laid", 10, 2},

      {"gateway.records_removed", 10, 2}};
  House house;
  std::unique_ptr<Process> gateway = house.StartGateway();
  ASSERT_NE(gateway, nullptr);
  gateway->Signal(SIGTERM);
  ASSERT_TRUE(gateway->Wait(absl::Seconds(30)).has_value());

  std::map<std::string, std::string> files;  // by recording
  std::unique_ptr<Process> upload;
  const auto next_batch = [&] {
    std::vector<std::string> words = kSmallChunks;
    words.insert(words.end(), {"--parallel", "3"});
    for (int i = 0; i < 20; ++i) {
      const std::string name = absl::StrCat("r", files.size(), ".mp4");
      files[name] = house.MakeFile(name, kFileBytes + files.size());
      words.push_back(files[name]);
    }
    upload = house.StartUpload("bwc-1", words);
  };
  next_batch();
  for (const std::string& kill_at : Shuffled(plans)) {
    gateway = house.StartGateway(kill_at);
    if (gateway == nullptr) continue;  // killed by its own recovery
    const bool killed = Eventually(absl::Seconds(60), [&] {
      if (gateway->Poll()) return true;
      const auto done = upload->Poll();
      if (done) {
        EXPECT_TRUE(done->exited && done->code == 0) << house.Output();
        next_batch();
      }
      return false;
    });
    ASSERT_TRUE(killed) << "never came by " << kill_at;
    ExpectKilled(*gateway);
  }
  gateway = house.StartGateway();
  ASSERT_NE(gateway, nullptr);
  const auto done = upload->Wait(absl::Seconds(60));
  ASSERT_TRUE(done.has_value()) << house.Output();
  EXPECT_TRUE(done->exited && done->code == 0) << house.Output();

  const std::map<std::string, int> counts = house.KillCounts();
  int all = 0;
  for (const KillPlan& plan : plans) {
    ASSERT_TRUE(counts.contains(plan.failpoint));
    EXPECT_EQ(counts.at(plan.failpoint), plan.kills) << plan.failpoint;
    EXPECT_GE(counts.at(plan.failpoint), 10);
    all += counts.at(plan.failpoint);
    RecordProperty(plan.failpoint, counts.at(plan.failpoint));
  }
  EXPECT_GE(all, 100);
  for (const auto& [recording, source] : files) {
    EXPECT_EQ(house.CheckStored("bwc-1", recording, source), "") << recording;
  }
  // What was stored when its journal still lay there is tidied up at the start.
  EXPECT_TRUE(Eventually(absl::Seconds(30), [&] {
    return house.SpoolFiles().empty();
  })) << testing::PrintToString(house.SpoolFiles());
  EXPECT_EQ(static_cast<size_t>(std::distance(
                std::filesystem::directory_iterator(house.Path("store/bwc-1")),
                std::filesystem::directory_iterator())),
            files.size())
      << "something is stored under a name that nobody gave";
  gateway->Signal(SIGTERM);
  const auto ended = gateway->Wait(absl::Seconds(30));
  ASSERT_TRUE(ended.has_value());
  EXPECT_TRUE(ended->exited && ended->code == 0);
  // One statement and one receipt for each, however often it was killed.
  EXPECT_EQ(house.Verify(), "");
}

TEST(KillTest, ClientKilledAnywhereStoresEveryRecordingOnce) {
  const std::vector<KillPlan> plans = {{"client.chunk_sent", 50, 24},
                                       {"client.finish_sent", 30, 1},
                                       {"client.stored_received", 25, 1}};
  House house;
  const std::unique_ptr<Process> gateway = house.StartGateway();
  ASSERT_NE(gateway, nullptr);
  std::map<std::string, std::string> files;
  std::string name;
  const auto upload_words = [&] {
    std::vector<std::string> words = kSmallChunks;
    words.push_back(files[name]);
    return words;
  };
  for (const std::string& kill_at : Shuffled(plans)) {
    // Only a recording that is not there yet has chunks to send; Finish and
    // Stored come with every attempt, also of one that is stored.
    if (files.empty() || kill_at.find("chunk_sent") != std::string::npos) {
      name = absl::StrCat("r", files.size(), ".mp4");
      files[name] = house.MakeFile(name, kFileBytes + files.size());
    }
    const auto upload = house.StartUpload("bwc-1", upload_words(), kill_at);
    ASSERT_TRUE(upload->Wait(absl::Seconds(60)).has_value());
    ExpectKilled(*upload);
  }
  // A device that was killed begins again with the same command.
  std::vector<std::string> all_files = kSmallChunks;
  for (const auto& [recording, source] : files) all_files.push_back(source);
  const auto last = house.StartUpload("bwc-1", all_files);
  const auto done = last->Wait(absl::Seconds(60));
  ASSERT_TRUE(done.has_value()) << house.Output();
  EXPECT_TRUE(done->exited && done->code == 0) << house.Output();

  const std::map<std::string, int> counts = house.KillCounts();
  int all = 0;
  for (const KillPlan& plan : plans) {
    ASSERT_TRUE(counts.contains(plan.failpoint));
    EXPECT_EQ(counts.at(plan.failpoint), plan.kills) << plan.failpoint;
    all += counts.at(plan.failpoint);
    RecordProperty(plan.failpoint, counts.at(plan.failpoint));
  }
  EXPECT_GE(all, 100);
  for (const auto& [recording, source] : files) {
    EXPECT_EQ(house.CheckStored("bwc-1", recording, source), "") << recording;
  }
  EXPECT_TRUE(Eventually(absl::Seconds(30), [&] {
    return house.SpoolFiles().empty();
  })) << testing::PrintToString(house.SpoolFiles());
}

}  // namespace
}  // namespace schleuse
