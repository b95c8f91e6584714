// A gateway and its witness, each a real process: what the one states the other
// vouches for, and a history that was set back is not gone on with.
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "certs/test_pki.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/house.h"
#include "tests/e2e/process.h"

namespace schleuse {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

constexpr char kCamera[] = "bwc-1";
constexpr absl::Duration kPatience = absl::Seconds(30);

std::string Slurp(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string Program() {
  return fs::absolute("witness/schleuse-witness").string();
}

// The data protection officer's machine.
class WitnessHost {
 public:
  explicit WitnessHost(const House& house) : house_(house) {
    fs::create_directory(house_.Path("witness"));
    house_.pki().Issue("witness w-1 --ip 127.0.0.1 --file witness");
    WriteTestFile(config(), absl::StrReplaceAll(
                                R"(name: "dpo.example/w1"
state_directory: "DIR/state"
key_directory: "DIR/key"
gateway {
  keys_file: "KEYS"
  client: "spiffe://police.example/gateway/hq/gw1"
}
https {
  listen: "127.0.0.1:0"
  certificate_chain_file: "PKI/witness.pem"
  private_key_file: "PKI/witness.key"
  root_certificates_file: "PKI/root.pem"
  issuing_ca_files: "PKI/ca-gateway.pem"
  revocation_list_files: "PKI/crl-gateway.pem"
}
)",
                                {{"DIR", house_.Path("witness")},
                                 {"KEYS", house_.Path("custody/keys.pub")},
                                 {"PKI", fs::path(house_.pki().Path("root.pem"))
                                             .parent_path()
                                             .string()}}));
    RunForTest(absl::StrCat(Program(), " init --config ", config(), " > ",
                            house_.Path("witness/key.txt"), " 2>/dev/null"));
  }

  std::string config() const {
    return house_.Path("witness/witness.textproto");
  }
  std::string key() const {
    return std::string(
        absl::StripSuffix(Slurp(house_.Path("witness/key.txt")), "\n"));
  }
  int port() const { return port_; }
  void Start() {
    const std::string port_file = house_.Path("witness/port");
    fs::remove(port_file);
    process_ = Process::Start(
        {Program(), "serve", "--config", config(), "--port-file", port_file},
        {}, house_.Path("witness/output"));
    ASSERT_TRUE(Eventually(kPatience, [&] { return fs::exists(port_file); }))
        << Slurp(house_.Path("witness/output"));
    ASSERT_TRUE(absl::SimpleAtoi(Slurp(port_file), &port_));
    // Later starts are found where the first was.
    WriteTestFile(
        config(),
        absl::StrReplaceAll(
            Slurp(config()),
            {{"127.0.0.1:0\"", absl::StrCat("127.0.0.1:", port_, "\"")}}));
  }
  void Kill() { process_ = nullptr; }

 private:
  const House& house_;
  std::unique_ptr<Process> process_;
  int port_ = 0;
};

class WitnessHouseTest : public testing::Test {
 protected:
  WitnessHouseTest() : witness_(house_) { witness_.Start(); }

  void Configure(absl::string_view url, absl::string_view more = "") {
    house_.Configure(
        "  gateway_name:",
        absl::StrCat("  witness { verifier_key: \"", witness_.key(), "\"",
                     url.empty() ? "" : absl::StrCat(" url: \"", url, "\""),
                     " }\n  witness_every_seconds: 1\n", more,
                     "  gateway_name:"));
    if (url.empty()) return;
    house_.Configure("limits {",
                     absl::StrCat("egress { allow: \"127.0.0.1:",
                                  witness_.port(), "\" hosts_file: \"",
                                  house_.Path("hosts"), "\" }\nlimits {"));
    WriteTestFile(house_.Path("hosts"), "");
  }
  std::string WitnessUrl() const {
    return absl::StrCat("https://127.0.0.1:", witness_.port());
  }
  // One more recording, with its receipt; how long that took.
  absl::Duration Upload() {
    const std::string name = absl::StrCat("r", ++uploads_, ".mp4");
    const std::string file = house_.MakeFile(name, 100'000);
    const absl::Time begun = absl::Now();
    const auto upload = house_.StartUpload(kCamera, {file});
    const auto ended = upload->Wait(kPatience);
    EXPECT_TRUE(ended && ended->exited && ended->code == 0) << house_.Output();
    return absl::Now() - begun;
  }
  std::string Bundle(int number) const {
    return house_.Path(absl::StrCat("store/", kCamera, "/r", number, ".mp4"));
  }
  bool IsWitnessed(int number) const {
    return fs::exists(
        absl::StrCat(Bundle(number), "/receipt.witnessed.tlog-proof"));
  }
  // That its bundle proves it, the witness's word included.
  House::Said Check(int number) const {
    return house_.RunVerify(absl::StrCat("bundle ", Bundle(number),
                                         " --witness ", witness_.key(),
                                         " --witnesses 1"));
  }
  void Stop(std::unique_ptr<Process>& gateway) {
    gateway->Signal(SIGTERM);
    ASSERT_TRUE(gateway->Wait(kPatience)) << house_.Output();
    gateway = nullptr;
  }
  // Entries of the log that others can read.
  uint64_t Published() const {
    uint64_t size = 0;
    for (const auto& entry : fs::directory_iterator(house_.Path("custody"))) {
      const std::vector<std::string> lines =
          absl::StrSplit(Slurp(entry.path() / "checkpoint"), '\n');
      if (lines.size() > 2) {
        EXPECT_TRUE(absl::SimpleAtoi(lines[1], &size));
      }
    }
    return size;
  }
  // Leaves a gateway stopped whose first recording is witnessed, and a backup
  // of its log from before that.
  void WitnessAndKeepAnOlderLog() {
    auto gateway = house_.StartGateway();
    Stop(gateway);
    KeepBackup();
    gateway = house_.StartGateway();
    Upload();
    ASSERT_TRUE(Eventually(kPatience, [&] { return IsWitnessed(1); }))
        << house_.Output();
    Stop(gateway);
  }
  void RestoreSoThatOnlyTheWitnessKnows() {
    Restore();
    fs::remove(house_.Path("store/.newest-receipt.tlog-proof"));
  }
  void BeginNewLog() const {
    RunForTest(absl::StrCat(fs::absolute("gateway/schleuse-gateway").string(),
                            " new-log --config ",
                            house_.Path("gateway.textproto"),
                            " --reason 'the disk was restored' >> ",
                            house_.Path("output"), " 2>&1"));
  }
  // As if the disk of the log had been restored from a backup.
  void KeepBackup() {
    fs::copy(house_.Path("custody"), house_.Path("backup"),
             fs::copy_options::recursive);
  }
  void Restore() {
    fs::remove_all(house_.Path("custody"));
    fs::copy(house_.Path("backup"), house_.Path("custody"),
             fs::copy_options::recursive);
  }

  House house_;
  WitnessHost witness_;
  int uploads_ = 0;
};

TEST_F(WitnessHouseTest, EachRecordingGetsAReceiptThatTheWitnessVouchesFor) {
  Configure(WitnessUrl());
  auto gateway = house_.StartGateway();
  Upload();
  Upload();
  ASSERT_TRUE(
      Eventually(kPatience, [&] { return IsWitnessed(1) && IsWitnessed(2); }))
      << house_.Output() << Slurp(house_.Path("witness/output"));
  for (const int number : {1, 2}) {
    const House::Said said = Check(number);
    EXPECT_EQ(said.code, 0) << said.text;
  }
  EXPECT_EQ(house_.Verify(), "");
  // Without the witnessed receipt that is not proven.
  fs::remove(absl::StrCat(Bundle(1), "/receipt.witnessed.tlog-proof"));
  EXPECT_EQ(Check(1).code, 1);
  Stop(gateway);
}

TEST_F(WitnessHouseTest, ADeadWitnessDelaysNobody) {
  Configure(WitnessUrl());
  witness_.Kill();
  auto gateway = house_.StartGateway();
  EXPECT_LT(Upload(), absl::Seconds(5));
  ASSERT_TRUE(Eventually(kPatience, [&] {
    return absl::StrContains(house_.Output(), "a witness does not cosign");
  }));
  EXPECT_FALSE(IsWitnessed(1));
  Stop(gateway);
  gateway = house_.StartGateway();
  EXPECT_THAT(house_.Output(), HasSubstr("a witness is not reached"));
  // Once it is back it covers what it missed.
  witness_.Start();
  ASSERT_TRUE(Eventually(kPatience, [&] { return IsWitnessed(1); }))
      << house_.Output();
  EXPECT_EQ(Check(1).code, 0);
  Stop(gateway);
}

TEST_F(WitnessHouseTest, ALogThatWasSetBackIsKnownToTheWitness) {
  Configure(WitnessUrl());
  WitnessAndKeepAnOlderLog();
  RestoreSoThatOnlyTheWitnessKnows();
  EXPECT_EQ(house_.RunGateway(), 4);
  EXPECT_THAT(house_.Output(), HasSubstr("the witness dpo.example/w1 knows"));
  EXPECT_THAT(house_.Output(), HasSubstr("has never reached"));
}

TEST_F(WitnessHouseTest, ALogThatWasSetBackWhileTheWitnessWasDeadIsStopped) {
  Configure(WitnessUrl());
  WitnessAndKeepAnOlderLog();
  RestoreSoThatOnlyTheWitnessKnows();
  witness_.Kill();
  auto gateway = house_.StartGateway();
  witness_.Start();
  const auto ended = gateway->Wait(kPatience);
  ASSERT_TRUE(ended) << house_.Output();
  EXPECT_TRUE(ended->exited && ended->code == 1);
  EXPECT_THAT(house_.Output(), HasSubstr("a witness knows better"));
  EXPECT_EQ(house_.RunGateway(), 4);
  // The log that follows is witnessed, though the one before never will be.
  BeginNewLog();
  gateway = house_.StartGateway();
  Upload();
  ASSERT_TRUE(Eventually(kPatience, [&] { return IsWitnessed(2); }))
      << house_.Output();
  EXPECT_EQ(Check(2).code, 0);
  Stop(gateway);
}

// It grew beyond what the witness knows before that was back.
TEST_F(WitnessHouseTest, ALogThatWasForkedIsStopped) {
  Configure(WitnessUrl());
  WitnessAndKeepAnOlderLog();
  const uint64_t witnessed = Published();
  RestoreSoThatOnlyTheWitnessKnows();
  witness_.Kill();
  auto gateway = house_.StartGateway();
  for (int i = 0; i < 8; ++i) Upload();
  ASSERT_TRUE(Eventually(kPatience, [&] { return Published() > witnessed; }));
  witness_.Start();
  const auto ended = gateway->Wait(kPatience);
  ASSERT_TRUE(ended) << house_.Output();
  EXPECT_THAT(house_.Output(), HasSubstr("to which the log does not lead"));
}

TEST_F(WitnessHouseTest, ALogThatWasSetBackIsKnownToTheStore) {
  auto gateway = house_.StartGateway();
  Stop(gateway);
  KeepBackup();
  gateway = house_.StartGateway();
  Upload();
  Stop(gateway);
  ASSERT_TRUE(fs::exists(house_.Path("store/.newest-receipt.tlog-proof")));
  gateway = house_.StartGateway();
  Stop(gateway);
  Restore();
  EXPECT_EQ(house_.RunGateway(), 4);
  EXPECT_THAT(house_.Output(), HasSubstr("the newest receipt in the store "
                                         "(.newest-receipt.tlog-proof) knows"));
  // Once a person knows why, another log follows, and says so.
  BeginNewLog();
  gateway = house_.StartGateway();
  Upload();
  Stop(gateway);
  const House::Said said =
      house_.RunVerify(absl::StrCat("log ", house_.Path("custody")));
  EXPECT_EQ(said.code, 0) << said.text;
  EXPECT_THAT(said.text, HasSubstr("the disk was restored"));
  EXPECT_EQ(house_.Verify(), "");
}

TEST_F(WitnessHouseTest, AWitnessThatMovesToAPublicAddressIsNotCalled) {
  house_.pki().Issue("witness w-2 --dns w1.police.example --file named");
  Configure(absl::StrCat("https://w1.police.example:", witness_.port()));
  WriteTestFile(house_.Path("hosts"), "192.0.2.1 w1.police.example\n");
  auto gateway = house_.StartGateway();
  Upload();
  ASSERT_TRUE(Eventually(kPatience, [&] {
    return absl::StrContains(house_.Output(), "connection refused");
  }));
  EXPECT_THAT(house_.Output(), HasSubstr("192.0.2.1"));
  EXPECT_FALSE(IsWitnessed(1));
  Stop(gateway);
  // And it is stated.
  bool stated = false;
  for (const auto& entry :
       fs::recursive_directory_iterator(house_.Path("custody"))) {
    stated |= entry.is_regular_file() &&
              absl::StrContains(Slurp(entry.path()),
                                "\"egress_refused\":{\"host\":"
                                "\"w1.police.example\"");
  }
  EXPECT_TRUE(stated) << house_.Output();
  EXPECT_EQ(house_.Verify(), "");
}

TEST_F(WitnessHouseTest, CheckpointsCanBeCarried) {
  fs::create_directory(house_.Path("back"));
  Configure("", absl::StrCat("  cosigned_directory: \"", house_.Path("back"),
                             "\"\n"));
  witness_.Kill();
  auto gateway = house_.StartGateway();
  Upload();
  Stop(gateway);
  const std::string stick = house_.Path("stick");
  fs::path log;
  for (const auto& entry : fs::directory_iterator(house_.Path("custody"))) {
    if (fs::exists(entry.path() / "checkpoint")) log = entry.path();
  }
  fs::copy(log, stick, fs::copy_options::recursive);
  RunForTest(absl::StrCat(Program(), " cosign --config ", witness_.config(),
                          " ", stick, " --out ", house_.Path("cosigned")));
  gateway = house_.StartGateway();
  EXPECT_FALSE(IsWitnessed(1));
  fs::rename(house_.Path("cosigned"), house_.Path("back/cosigned"));
  ASSERT_TRUE(Eventually(kPatience, [&] { return IsWitnessed(1); }))
      << house_.Output();
  EXPECT_EQ(Check(1).code, 0);
  EXPECT_TRUE(Eventually(
      kPatience, [&] { return !fs::exists(house_.Path("back/cosigned")); }));
  Stop(gateway);
}

}  // namespace
}  // namespace schleuse
