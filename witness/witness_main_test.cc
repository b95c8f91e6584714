// schleuse-witness as its administrator and its gateways meet it: the real
// program on loopback.
#include <httplib.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "base/status_matchers.h"
#include "certs/test_pki.h"
#include "crypto/tls_context.h"
#include "crypto/tls_profile.h"
#include "evidence/note.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "witness/test_log.h"

namespace schleuse {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

constexpr char kProgram[] = "witness/schleuse-witness";

class Process {
 public:
  Process(const std::vector<std::string>& words, const std::string& log) {
    std::vector<char*> argv;
    for (const std::string& word : words) {
      argv.push_back(const_cast<char*>(word.c_str()));
    }
    argv.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
      // A test that crashes leaves nobody behind.
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (freopen(log.c_str(), "a", stderr) == nullptr) _exit(126);
      execv(argv[0], argv.data());
      _exit(127);
    }
  }
  ~Process() { Kill(); }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void Kill() {
    if (pid_ > 0) kill(pid_, SIGKILL);
    Wait();
  }
  // How it ended: its exit code, or -1.
  int Stop() {
    if (pid_ > 0) kill(pid_, SIGTERM);
    return Wait();
  }
  bool Ended() {
    int status = 0;
    if (pid_ <= 0) return true;
    if (waitpid(pid_, &status, WNOHANG) == 0) return false;
    code_ = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    pid_ = -1;
    return true;
  }
  int Wait() {
    int status = 0;
    if (pid_ > 0) {
      waitpid(pid_, &status, 0);
      code_ = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
      pid_ = -1;
    }
    return code_;
  }

 private:
  pid_t pid_ = -1;
  int code_ = -1;
};

struct Ran {
  int code;
  std::string out;  // both streams
};
Ran RunShell(const std::string& command) {
  FILE* pipe = popen(absl::StrCat(command, " 2>&1").c_str(), "r");
  Ran ran = {.code = -1, .out = {}};
  char buffer[4096];
  size_t got;
  while ((got = fread(buffer, 1, sizeof buffer, pipe)) > 0) {
    ran.out.append(buffer, got);
  }
  const int status = pclose(pipe);
  if (WIFEXITED(status)) ran.code = WEXITSTATUS(status);
  return ran;
}

class WitnessMainTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    std::signal(SIGPIPE, SIG_IGN);
    ASSERT_OK(InstallTlsProfile());
    pki_ = new TestPki;
    pki_->Issue("witness w-1 --ip 127.0.0.1 --file witness");
    pki_->Issue("gateway gw-1 --file gateway");
    pki_->Issue("gateway gw-2 --file gateway-2");
    pki_->Issue("gateway gw-9 --file unknown");
    pki_->Issue("dock d1 --file dock");
    // As the gateway is called, by the CA for docks.
    pki_->Issue(
        "dock d2 --file posing --uri spiffe://police.example/gateway/hq/gw-1");
    WriteTestFile(pki_->Path("gw-1.keys.pub"), log_.pinned().ToString());
    WriteTestFile(pki_->Path("gw-2.keys.pub"), other_.pinned().ToString());
  }
  WitnessMainTest() {
    std::string pattern = absl::StrCat(testing::TempDir(), "/witness_XXXXXX");
    directory_ = mkdtemp(pattern.data());
    Configure({});
    EXPECT_EQ(Command("init").code, 0);
  }

  void Configure(
      const std::vector<std::pair<std::string, std::string>>& changes) const {
    std::string text = absl::StrReplaceAll(
        R"(name: "dpo.example/w1"
state_directory: "DIR/state"
key_directory: "DIR/key"
gateway {
  keys_file: "PKI/gw-1.keys.pub"
  client: "spiffe://police.example/gateway/hq/gw-1"
}
gateway {
  keys_file: "PKI/gw-2.keys.pub"
  client: "spiffe://police.example/gateway/hq/gw-2"
}
https {
  listen: "127.0.0.1:0"
  prefix: "/w1"
  certificate_chain_file: "PKI/witness.pem"
  private_key_file: "PKI/witness.key"
  root_certificates_file: "PKI/root.pem"
  issuing_ca_files: "PKI/ca-gateway.pem"
  revocation_list_files: "PKI/crl-gateway.pem"
}
)",
        {{"DIR", directory_},
         {"PKI", std::string(absl::StripSuffix(pki_->Path(""), "/"))}});
    for (const auto& change : changes) {
      text = absl::StrReplaceAll(text, {change});
    }
    WriteTestFile(config(), text);
  }
  std::string config() const { return directory_ + "/witness.textproto"; }
  std::string log() const { return directory_ + "/log"; }
  Ran Command(absl::string_view words) const {
    return RunShell(absl::StrCat(kProgram, " ", words, " --config ", config()));
  }
  void Serve() {
    const std::string port_file = directory_ + "/port";
    unlink(port_file.c_str());
    process_ = std::make_unique<Process>(
        std::vector<std::string>{kProgram, "serve", "--config", config(),
                                 "--port-file", port_file},
        log());
    port_ = 0;
    for (int i = 0; i < 1000 && port_ == 0 && !process_->Ended(); ++i) {
      if (access(port_file.c_str(), R_OK) == 0) {
        ASSERT_TRUE(absl::SimpleAtoi(ReadTestFile(port_file), &port_));
        break;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    ASSERT_NE(port_, 0) << ReadTestFile(log());
  }
  std::unique_ptr<httplib::SSLClient> Client(
      const std::string& who = "gateway") const {
    auto client = std::make_unique<httplib::SSLClient>("127.0.0.1", port_);
    EXPECT_OK(SetUpTlsContext(
        client->ssl_context(),
        {.certificate_chain_pem = pki_->Read(who + ".pem"),
         .private_key_pem = pki_->Read(who + ".key"),
         .root_certificates_pem = pki_->Read("root.pem")},
        [](const std::vector<Certificate>&) { return absl::OkStatus(); }));
    client->enable_server_certificate_verification(true);
    return client;
  }
  struct Answer {
    int status;  // 0: none
    std::string body;
    std::string type;
  };
  Answer Add(const std::string& body, const std::string& who = "gateway",
             const std::string& path = "/w1/add-checkpoint") const {
    const auto result = Client(who)->Post(path.c_str(), body, "text/plain");
    if (!result) return {.status = 0, .body = {}, .type = {}};
    return {result->status, result->body,
            result->get_header_value("Content-Type")};
  }

  static const TestPki* pki_;
  static const TestLog log_;
  static const TestLog other_;
  std::string directory_;
  std::unique_ptr<Process> process_;
  int port_ = 0;
};
const TestPki* WitnessMainTest::pki_ = nullptr;
const TestLog WitnessMainTest::log_;
const TestLog WitnessMainTest::other_("police.example/gw-2");

TEST_F(WitnessMainTest, AnswersAsTheStandardHasIt) {
  Serve();
  Answer answer = Add(log_.Ask(0, 5));
  EXPECT_EQ(answer.status, 200);
  const Ran shown = Command("show");
  EXPECT_EQ(shown.code, 0);
  const NoteVerifier key =
      *NoteVerifier::Parse(shown.out.substr(0, shown.out.find('\n')));
  EXPECT_OK(OpenNote(log_.Note(5) + answer.body, {key}).status());
  EXPECT_THAT(shown.out, HasSubstr("custody/2026: 5 entries, cosigned at 20"));

  answer = Add(log_.Ask(0, 9));
  EXPECT_EQ(answer.status, 409);
  EXPECT_EQ(answer.body, "5\n");
  EXPECT_EQ(answer.type, "text/x.tlog.size");
  EXPECT_EQ(Add(log_.Ask(5, 9)).status, 200);
  answer = Add(log_.Ask(9, 9, "false"));
  EXPECT_EQ(answer.status, 409);
  EXPECT_THAT(answer.type, StartsWith("text/plain"));
  EXPECT_EQ(Add(log_.Ask(9, 12, "false")).status, 422);
  EXPECT_EQ(Add(log_.Ask(12, 11)).status, 400);
  EXPECT_EQ(Add("hello").status, 400);
  EXPECT_EQ(Add("").status, 400);
  EXPECT_EQ(Add(TestLog().Ask(9, 12)).status, 403);
  EXPECT_EQ(Add(TestLog("police.example/gw-3").Ask(0, 1)).status, 404);
  EXPECT_EQ(Add(std::string(200'000, 'x')).status, 413);
  EXPECT_EQ(Add(log_.Ask(9, 12), "gateway", "/add-checkpoint").status, 404);
  EXPECT_EQ(Client()->Get("/w1/add-checkpoint")->status, 405);
  EXPECT_EQ(process_->Stop(), 0);
  const std::string said = ReadTestFile(log());
  EXPECT_THAT(said, HasSubstr("contradicts what it signed before"));
  EXPECT_THAT(said, HasSubstr("witness stopping"));
  EXPECT_THAT(said,
              AllOf(HasSubstr("checkpoint cosigned"),
                    HasSubstr(R"("client":"spiffe://police.example/gateway/)"
                              R"(hq/gw-1","origin":"police.example/gw-1/)"
                              R"(custody/2026","size":)")));
}

TEST_F(WitnessMainTest, WhatIsPackedIsRefused) {
  Serve();
  const auto result = Client()->Post(
      "/w1/add-checkpoint", httplib::Headers{{"Content-Encoding", "gzip"}}, "x",
      "text/plain");
  ASSERT_TRUE(result);
  EXPECT_EQ(result->status, 415);
}

TEST_F(WitnessMainTest, OnlyGatewaysThatAreKnownGetIn) {
  Serve();
  EXPECT_EQ(Add(log_.Ask(0, 5), "unknown").status, 0);
  EXPECT_EQ(Add(log_.Ask(0, 5), "dock").status, 0);
  EXPECT_EQ(Add(log_.Ask(0, 5), "posing").status, 0);
  httplib::SSLClient nobody("127.0.0.1", port_);
  nobody.enable_server_certificate_verification(false);
  EXPECT_FALSE(nobody.Post("/w1/add-checkpoint", log_.Ask(0, 5), "text/plain"));
  // Each for its own log.
  EXPECT_EQ(Add(log_.Ask(0, 5), "gateway-2").status, 404);
  EXPECT_EQ(Add(other_.Ask(0, 5), "gateway-2").status, 200);
  EXPECT_EQ(Add(log_.Ask(0, 5)).status, 200);
  const std::string said = ReadTestFile(log());
  EXPECT_THAT(said, HasSubstr("no gateway asks as "
                              "spiffe://police.example/dock/hq/d1"));
  EXPECT_THAT(said, HasSubstr("no CA for gateways issued it"));
}

TEST_F(WitnessMainTest, ARevokedGatewayIsRefused) {
  const std::string path = pki_->Issue(
      "gateway gw-1b --file revoked --uri "
      "spiffe://police.example/gateway/hq/gw-1");
  Serve();
  EXPECT_EQ(Add(log_.Ask(0, 5), "revoked").status, 200);
  EXPECT_EQ(process_->Stop(), 0);
  pki_->Revoke(path);
  Serve();
  EXPECT_EQ(Add(log_.Ask(5, 6), "revoked").status, 0);
  EXPECT_EQ(Add(log_.Ask(5, 6)).status, 200);
}

// A list that is missing is no permission.
TEST_F(WitnessMainTest, WithoutARevocationListNobodyGetsIn) {
  Configure({{absl::StrCat("revocation_list_files: \"",
                           pki_->Path("crl-gateway.pem"), "\""),
              ""}});
  EXPECT_THAT(Command("check").out, HasSubstr("warning: "));
  Serve();
  EXPECT_EQ(Add(log_.Ask(0, 5)).status, 0);
  EXPECT_THAT(ReadTestFile(log()), HasSubstr("gateways are refused"));
}

TEST_F(WitnessMainTest, KilledItForgetsNothing) {
  uint64_t size = 0;
  for (int i = 0; i < 5; ++i) {
    Serve();
    ASSERT_EQ(Add(log_.Ask(size, size + 3)).status, 200);
    size += 3;
    process_->Kill();
  }
  Serve();
  EXPECT_EQ(Add(log_.Ask(0, size + 1)).body, absl::StrCat(size, "\n"));
}

TEST_F(WitnessMainTest, AStickIsAsGoodAsTheNetwork) {
  const std::string stick = directory_ + "/stick";
  RunForTest(absl::StrCat("mkdir -p ", stick));
  const std::string note = log_.Note(5);
  WriteTestFile(stick + "/checkpoint", note);
  const Ran ran = Command(absl::StrCat("cosign ", stick));
  ASSERT_EQ(ran.code, 0) << ran.out;
  EXPECT_THAT(ran.out, StartsWith(note));
  const NoteVerifier key = *NoteVerifier::Parse(
      Command("show").out.substr(0, Command("show").out.find('\n')));
  EXPECT_OK(OpenNote(ran.out, {key}).status());
  // The network goes on where the stick was, and the other way round.
  Serve();
  EXPECT_EQ(Add(log_.Ask(5, 6)).status, 200);
  EXPECT_EQ(Command(absl::StrCat("cosign ", stick)).code, 4);
  EXPECT_EQ(process_->Stop(), 0);
  const Ran older = Command(absl::StrCat("cosign ", stick));
  EXPECT_EQ(older.code, 5);
  WriteTestFile(stick + "/checkpoint", log_.Note(6));
  const std::string out = directory_ + "/back";
  EXPECT_EQ(Command(absl::StrCat("cosign ", stick, " --out ", out)).code, 0);
  EXPECT_OK(OpenNote(ReadTestFile(out), {key}).status());
  EXPECT_EQ(Command(absl::StrCat("cosign ", directory_, "/none")).code, 5);
}

TEST_F(WitnessMainTest, TwoDoNotWorkOnOneState) {
  Serve();
  const Ran second = Command("serve");
  EXPECT_EQ(second.code, 4);
  EXPECT_THAT(second.out, HasSubstr("another schleuse-witness"));
}

TEST_F(WitnessMainTest, RefusesToStartWithoutItsState) {
  RunForTest(absl::StrCat("rm -r ", directory_, "/state"));
  const Ran ran = Command("serve");
  EXPECT_EQ(ran.code, 4);
  EXPECT_THAT(ran.out, HasSubstr("is the disk mounted?"));
  EXPECT_EQ(Command("init").code, 4);
}

TEST_F(WitnessMainTest, SaysWhatIsWrong) {
  EXPECT_EQ(RunShell(kProgram).code, 2);
  EXPECT_EQ(RunShell(absl::StrCat(kProgram, " --help")).code, 0);
  EXPECT_THAT(RunShell(absl::StrCat(kProgram, " --version")).out,
              StartsWith("schleuse-witness "));
  EXPECT_EQ(Command("check").code, 0);
  Configure({{"127.0.0.1:0", "localhost:0"}, {"name: ", "nam: "}});
  const Ran ran = Command("check");
  EXPECT_EQ(ran.code, 3);
  EXPECT_THAT(ran.out, HasSubstr("https.listen: must be"));
  EXPECT_THAT(ran.out, HasSubstr("nam"));
}

TEST_F(WitnessMainTest, APortInUseIsSaidToBe) {
  Serve();
  const int taken = port_;
  // Another witness, another state.
  Configure({{"127.0.0.1:0", absl::StrCat("127.0.0.1:", taken)},
             {directory_ + "/state", directory_ + "/state-2"},
             {directory_ + "/key", directory_ + "/key-2"}});
  EXPECT_EQ(Command("init").code, 0);
  const Ran ran = Command("serve");
  EXPECT_EQ(ran.code, 4);
  EXPECT_THAT(ran.out, HasSubstr("cannot listen on"));
}

}  // namespace
}  // namespace schleuse
