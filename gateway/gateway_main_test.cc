// Runs schleuse-gateway as an operator does and looks at its exit codes and at
// what it says. What it does with footage is tested elsewhere.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "certs/test_pki.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

constexpr char kProgram[] = "gateway/schleuse-gateway";

// A process whose standard output and error are one pipe to us.
class Process {
 public:
  explicit Process(std::vector<std::string> words) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) std::abort();
    words.insert(words.begin(), kProgram);
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
      dup2(ends[1], STDOUT_FILENO);
      dup2(ends[1], STDERR_FILENO);
      execv(kProgram, arguments.data());
      _exit(127);
    }
    close(ends[1]);
    from_ = ends[0];
  }
  ~Process() {
    if (pid_ > 0) kill(pid_, SIGKILL);
    if (pid_ > 0) waitpid(pid_, nullptr, 0);
    close(from_);
  }

  // Reads until `words` were said. False if the process closed its output
  // without.
  bool WaitFor(const std::string& words) {
    while (!absl::StrContains(said_, words)) {
      if (!ReadMore()) return false;
    }
    return true;
  }
  void Signal(int number) { kill(pid_, number); }
  // Its exit code, or 1000 and the signal that ended it.
  int Wait() {
    while (ReadMore()) {
    }
    int status = 0;
    waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  }
  const std::string& said() const { return said_; }

 private:
  bool ReadMore() {
    char bytes[4096];
    const ssize_t got = read(from_, bytes, sizeof(bytes));
    if (got > 0) said_.append(bytes, static_cast<size_t>(got));
    return got > 0;
  }

  pid_t pid_;
  int from_;
  std::string said_;
};

struct Result {
  int code;
  std::string said;
};

Result RunGateway(std::vector<std::string> words) {
  Process process(std::move(words));
  const int code = process.Wait();
  return {code, process.said()};
}

bool OnOneFileSystem(const std::string& a, const std::string& b) {
  struct stat info_a, info_b;
  return stat(a.c_str(), &info_a) == 0 && stat(b.c_str(), &info_b) == 0 &&
         info_a.st_dev == info_b.st_dev;
}

bool Exists(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0;
}

TEST(GatewayMainTest, TellsItsUsage) {
  const Result help = RunGateway({"--help"});
  EXPECT_EQ(help.code, 0);
  EXPECT_THAT(help.said, AllOf(StartsWith("Usage: "), HasSubstr("Exit codes")));
  const Result version = RunGateway({"--version"});
  EXPECT_EQ(version.code, 0);
  EXPECT_THAT(version.said, MatchesRegex("schleuse-gateway [0-9.]+\n"));
}

TEST(GatewayMainTest, WrongUsageIsExitCode2) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{
           {}, {"start"}, {"serve"}, {"init", "--config"}, {"check", "x"}}) {
    const Result result = RunGateway(words);
    EXPECT_EQ(result.code, 2);
    EXPECT_THAT(result.said, AllOf(StartsWith("schleuse-gateway: "),
                                   HasSubstr("Try schleuse-gateway --help.")));
  }
}

TEST(GatewayMainTest, AMissingConfigurationIsExitCode3) {
  for (const char* command : {"init", "check", "serve"}) {
    const Result result =
        RunGateway({command, "--config", "/no/such.textproto"});
    EXPECT_EQ(result.code, 3);
    EXPECT_THAT(result.said, HasSubstr("/no/such.textproto"));
  }
}

// The examples in deploy/, beside a development PKI with the names in them.
class GatewayTest : public testing::Test {
 protected:
  GatewayTest() {
    const std::string certificate =
        pki_.Issue("gateway g1 --ip 127.0.0.1 --file gateway");
    EXPECT_EQ(certificate, pki_.Path("gateway.pem"));
    WriteTestFile(pki_.Path("roster.textproto"),
                  ReadTestFile("deploy/roster.textproto"));
    Configure({});
  }

  using Changes = std::vector<std::pair<std::string, std::string>>;
  void Configure(const Changes& changes) {
    std::string text = absl::StrReplaceAll(
        ReadTestFile("deploy/gateway.textproto"),
        {{"0.0.0.0:8443", "127.0.0.1:0"}, {"/srv/schleuse", pki_.Path("")}});
    for (const auto& [from, to] : changes) {
      EXPECT_THAT(text, HasSubstr(from));
      text = absl::StrReplaceAll(text, {{from, to}});
    }
    WriteTestFile(config_, text);
  }

  std::vector<std::string> Serve() {
    return {"serve", "--config", config_, "--port-file", port_file_};
  }

  TestPki pki_;
  const std::string config_ = pki_.Path("gateway.textproto");
  const std::string port_file_ = pki_.Path("port");
};

TEST_F(GatewayTest, CheckFindsNoMistakeInTheExamplesAndChangesNothing) {
  const Result result = RunGateway({"check", "--config", config_});
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.said, absl::StrCat(config_, ": no mistakes found\n"));
  EXPECT_FALSE(Exists(pki_.Path("spool")));
  EXPECT_FALSE(Exists(pki_.Path("store")));
}

TEST_F(GatewayTest, ServesUntilSigterm) {
  const Result init = RunGateway({"init", "--config", config_});
  EXPECT_EQ(init.code, 0);
  EXPECT_THAT(init.said, StartsWith("gateway "));

  for (const int signal : {SIGTERM, SIGINT}) {
    Process gateway(Serve());
    ASSERT_TRUE(gateway.WaitFor("\"event\":\"gateway ready\""))
        << gateway.said();
    const std::string port = ReadTestFile(port_file_);
    int number = 0;
    EXPECT_TRUE(absl::SimpleAtoi(port, &number)) << port;
    EXPECT_GT(number, 0);
    ASSERT_TRUE(gateway.WaitFor("}\n"));
    EXPECT_THAT(gateway.said(),
                AllOf(HasSubstr("\"address\":\"127.0.0.1\""),
                      HasSubstr(absl::StrCat("\"port\":\"", number, "\""))));
    gateway.Signal(signal);
    EXPECT_EQ(gateway.Wait(), 0) << gateway.said();
    EXPECT_THAT(gateway.said(), HasSubstr("gateway stopped"));
  }
}

TEST_F(GatewayTest, InitMakesTheCustodyLogAndItsKeys) {
  const Result init = RunGateway({"init", "--config", config_});
  EXPECT_THAT(init.said, HasSubstr("keys.pub to verifiers"));
  EXPECT_THAT(ReadTestFile(pki_.Path("custody/keys.pub")),
              StartsWith("schleuse.police.example/gw-1+"));
  for (const char* key : {"ed25519.pem", "ecdsa-p256.pem"}) {
    struct stat info;
    const std::string path = pki_.Path(absl::StrCat("custody-keys/", key));
    ASSERT_EQ(stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600u);
  }
}

TEST_F(GatewayTest, ItsBeginAndItsEndAreStated) {
  ASSERT_EQ(RunGateway({"init", "--config", config_}).code, 0);
  Process gateway(Serve());
  ASSERT_TRUE(gateway.WaitFor("\"event\":\"gateway ready\""));
  gateway.Signal(SIGTERM);
  EXPECT_EQ(gateway.Wait(), 0) << gateway.said();
  RunForTest(absl::StrCat("cat ", pki_.Path("custody"),
                          "/*/tile/entries/000.p/4 >", pki_.Path("entries")));
  const std::string entries = ReadTestFile(pki_.Path("entries"));
  EXPECT_THAT(entries, AllOf(HasSubstr("\"log_begun\""),
                             HasSubstr("\"gateway_started\":{\"version\":\"0."),
                             HasSubstr("\"local_store\":true"),
                             HasSubstr("\"gateway_stopped\":{}")));
  EXPECT_LT(entries.find("\"residency\""), entries.find("gateway_stopped"));
}

TEST_F(GatewayTest, ACustodyLogThatIsNotWhatItWasStopsTheStart) {
  ASSERT_EQ(RunGateway({"init", "--config", config_}).code, 0);
  const std::string log = pki_.Path("custody"),
                    keys = pki_.Path("custody-keys");
  {
    Process gateway(Serve());
    ASSERT_TRUE(gateway.WaitFor("\"event\":\"gateway ready\""));
    gateway.Signal(SIGTERM);
    ASSERT_EQ(gateway.Wait(), 0);
  }
  struct Damage {
    std::string command;
    std::string said;
  };
  for (const Damage& damage : std::vector<Damage>{
           {absl::StrCat("rm ", log, "/schleuse.marker"), "custody has no"},
           {absl::StrCat("rm ", keys, "/ed25519.pem"), "ed25519.pem"},
           {absl::StrCat("chmod 644 ", keys, "/ecdsa-p256.pem"), "chmod 600"},
           {absl::StrCat("rm ", log, "/wal/*"), "write-ahead log"},
           {absl::StrCat("rm -r ", log, "/*/tile/0"), "is missing"},
           {absl::StrCat("sed -i 's/^[0-9]*$/9/' ", log, "/*/checkpoint"),
            "checkpoint"}}) {
    RunForTest(absl::StrCat("cd ", pki_.Path(""),
                            " && tar cf before.tar "
                            "custody custody-keys && ",
                            damage.command));
    const Result result = RunGateway(Serve());
    EXPECT_EQ(result.code, 4) << damage.command;
    EXPECT_THAT(result.said, HasSubstr(damage.said)) << damage.command;
    RunForTest(absl::StrCat("cd ", pki_.Path(""),
                            " && rm -r custody "
                            "custody-keys && tar xpf before.tar"));
  }
  Process gateway(Serve());
  EXPECT_TRUE(gateway.WaitFor("\"event\":\"gateway ready\"")) << gateway.said();
}

TEST_F(GatewayTest, AGatewayWithoutACustodyLogGetsOneByAnotherInit) {
  const std::string with = ReadTestFile(config_);
  const size_t begin = with.find("custody {");
  ASSERT_NE(begin, std::string::npos);
  const size_t end = with.find("\n}\n", begin) + 3;
  WriteTestFile(config_, with.substr(0, begin) + with.substr(end));
  ASSERT_EQ(RunGateway({"init", "--config", config_}).code, 0);
  {
    Process gateway(Serve());
    ASSERT_TRUE(gateway.WaitFor("\"event\":\"gateway ready\""));
    EXPECT_THAT(gateway.said(), HasSubstr("no receipts are given"));
  }
  WriteTestFile(config_, with);
  EXPECT_EQ(RunGateway(Serve()).code, 4);
  EXPECT_EQ(RunGateway({"init", "--config", config_}).code, 0);
  Process gateway(Serve());
  EXPECT_TRUE(gateway.WaitFor("\"event\":\"gateway ready\"")) << gateway.said();
}

TEST_F(GatewayTest, InitTwiceIsRefused) {
  EXPECT_EQ(RunGateway({"init", "--config", config_}).code, 0);
  const Result again = RunGateway({"init", "--config", config_});
  EXPECT_EQ(again.code, 4);
  EXPECT_THAT(again.said, HasSubstr("belongs to a gateway already"));
}

TEST_F(GatewayTest, WithoutMarkersItRefusesToStart) {
  for (const bool with_directories : {false, true}) {
    if (with_directories) {
      ASSERT_EQ(mkdir(pki_.Path("spool").c_str(), 0700), 0);
      ASSERT_EQ(mkdir(pki_.Path("store").c_str(), 0700), 0);
    }
    const Result result = RunGateway(Serve());
    EXPECT_EQ(result.code, 4);
    EXPECT_THAT(result.said, AllOf(HasSubstr("gateway refused to start"),
                                   HasSubstr("has a schleuse.marker"),
                                   HasSubstr("schleuse-gateway init")));
  }
  EXPECT_FALSE(Exists(pki_.Path("spool/lock")));
}

TEST_F(GatewayTest, AMissingMountIsNotAFirstDay) {
  ASSERT_EQ(RunGateway({"init", "--config", config_}).code, 0);
  RunForTest(absl::StrCat("mv ", pki_.Path("store"), " ", pki_.Path("away"),
                          " && mkdir ", pki_.Path("store")));
  const Result result = RunGateway(Serve());
  EXPECT_EQ(result.code, 4);
  EXPECT_THAT(result.said, HasSubstr(absl::StrCat(pki_.Path(""),
                                                  "/store has "
                                                  "no schleuse.marker")));
}

TEST_F(GatewayTest, ListsEveryMistakeInTheConfiguration) {
  Configure({{"127.0.0.1:0", "localhost"},
             {"spool_directory:", "spool_dir:"},
             {"\"gateway.key\"", "\"gateway.kye\""},
             {"drain_seconds: 30", "drain_seconds: 3000"}});
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"init", "--config", config_},
                                             {"check", "--config", config_},
                                             Serve()}) {
    const Result result = RunGateway(words);
    EXPECT_EQ(result.code, 3);
    std::vector<std::string> found;
    for (const absl::string_view line :
         absl::StrSplit(result.said, '\n', absl::SkipEmpty())) {
      EXPECT_THAT(std::string(line),
                  MatchesRegex(absl::StrCat(config_, ":[0-9]+: .*")));
      found.emplace_back(line);
    }
    EXPECT_THAT(found, UnorderedElementsAre(
                           HasSubstr("listen: "), HasSubstr("spool_dir"),
                           HasSubstr("spool_directory: is missing"),
                           HasSubstr("gateway.kye"),
                           HasSubstr("drain_seconds: must be 1 to 600")));
  }
}

TEST_F(GatewayTest, AKeyOfAnotherCertificateIsAMistake) {
  ASSERT_EQ(RunGateway({"init", "--config", config_}).code, 0);
  Configure({{"\"gateway.key\"", "\"ca-gateway.key\""}});
  for (const auto& words : {Serve(), {"check", "--config", config_}}) {
    const Result result = RunGateway(words);
    EXPECT_EQ(result.code, 3);
    EXPECT_THAT(result.said, AllOf(StartsWith(pki_.Path("ca-gateway.key: ")),
                                   Not(HasSubstr("PRIVATE KEY"))));
  }
}

TEST_F(GatewayTest, CheckWarnsOfDevicesThatNobodyCanBe) {
  Configure({{"revocation_list_files: \"crl-devices.pem\"", ""}});
  const Result result = RunGateway({"check", "--config", config_});
  EXPECT_EQ(result.code, 0);
  EXPECT_THAT(result.said, AllOf(StartsWith("warning: "),
                                 HasSubstr("it has no revocation list")));
}

TEST_F(GatewayTest, ASecondGatewayOnTheSpoolIsRefused) {
  ASSERT_EQ(RunGateway({"init", "--config", config_}).code, 0);
  Process first(Serve());
  ASSERT_TRUE(first.WaitFor("gateway ready"));
  const Result second = RunGateway({"serve", "--config", config_});
  EXPECT_EQ(second.code, 4);
  EXPECT_THAT(second.said, AllOf(HasSubstr("gateway refused to start"),
                                 HasSubstr("another process holds it")));
  // One that was killed leaves no lock behind.
  first.Signal(SIGKILL);
  EXPECT_EQ(first.Wait(), 1000 + SIGKILL);
  Process third(Serve());
  EXPECT_TRUE(third.WaitFor("gateway ready")) << third.said();
}

TEST_F(GatewayTest, APortInUseIsRefused) {
  const int taken = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  ASSERT_EQ(bind(taken, reinterpret_cast<sockaddr*>(&address), length), 0);
  ASSERT_EQ(listen(taken, 1), 0);
  ASSERT_EQ(getsockname(taken, reinterpret_cast<sockaddr*>(&address), &length),
            0);
  const std::string listen =
      absl::StrCat("127.0.0.1:", ntohs(address.sin_port));
  Configure({{"127.0.0.1:0", listen}});
  ASSERT_EQ(RunGateway({"init", "--config", config_}).code, 0);
  const Result result = RunGateway(Serve());
  EXPECT_EQ(result.code, 4);
  EXPECT_THAT(result.said,
              HasSubstr(absl::StrCat("cannot listen on ", listen)));
  EXPECT_FALSE(Exists(port_file_));
  close(taken);
}

TEST_F(GatewayTest, AStoreOnAnotherFileSystemIsRefused) {
  std::string store = "/dev/shm/schleuse-XXXXXX";
  if (OnOneFileSystem("/dev/shm", pki_.Path("")) ||
      mkdtemp(store.data()) == nullptr) {
    GTEST_SKIP() << "needs a second file system";
  }
  Configure({{pki_.Path("/store"), store}});
  EXPECT_EQ(RunGateway({"init", "--config", config_}).code, 0);
  const Result result = RunGateway(Serve());
  EXPECT_EQ(result.code, 4);
  EXPECT_THAT(result.said, HasSubstr("is not on the file system of the spool"));
  RunForTest("rm -r " + store);
}

}  // namespace
}  // namespace schleuse
