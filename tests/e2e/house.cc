#include "tests/e2e/house.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

namespace fs = std::filesystem;

constexpr char kGateway[] = "gateway/schleuse-gateway";
constexpr char kUpload[] = "client/upload/schleuse-upload";
constexpr char kGatewayWithFailpoints[] = "tests/e2e/gateway_with_failpoints";
constexpr char kUploadWithFailpoints[] = "tests/e2e/upload_with_failpoints";

constexpr char kConfig[] = R"(
listen: "127.0.0.1:PORT"
spool_directory: "DIR/spool"
store { STORE }
tls {
  certificate_chain_file: "CERT"
  private_key_file: "KEY"
  root_certificates_file: "PKI/root.pem"
  revocation_list_files: "PKI/crl-devices.pem"
}
roster_file: "DIR/roster.textproto"
custody {
  gateway_name: "police.example/gw-1"
  directory: "DIR/custody"
  key_directory: "DIR/custody-keys"
}
limits { spool_reserve_bytes: 1048576 }
)";

constexpr char kRoster[] = R"(
trust_domain: "police.example"
issuer { role: "dock" role: "radio" certificate_file: "PKI/ca-devices.pem" }
grant { name: "all" device: "dock/*/*" camera: "bwc-*" }
)";

std::string Slurp(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Absolute, since processes may change where they are.
std::string Runfile(absl::string_view path) {
  return fs::absolute(std::string(path)).string();
}

}  // namespace

House::House(absl::string_view settings, absl::string_view store)
    : House(TestPki(), settings, store) {}

House::House(const TestPki& pki, absl::string_view settings,
             absl::string_view store)
    : pki_(pki) {
  static int houses = 0;
  const int number = ++houses;
  std::string made = absl::StrCat(testing::TempDir(), "/house-XXXXXX");
  if (mkdtemp(made.data()) == nullptr) std::abort();
  directory_ = made;
  dock_ = pki_.Issue(absl::StrCat("dock d1 --station s1 --file dock-", number));
  const std::string gateway =
      pki_.Issue(absl::StrCat("gateway gw1 --dns localhost --ip 127.0.0.1 "
                              "--file gateway-",
                              number));
  const std::string where = fs::path(pki_.Path("root.pem")).parent_path();
  const auto fill = [&](absl::string_view text) {
    return absl::StrReplaceAll(text, {{"DIR", directory_},
                                      {"CERT", gateway},
                                      {"KEY", TestPki::KeyOf(gateway)},
                                      {"PKI", where}});
  };
  WriteTestFile(Path("roster.textproto"), fill(kRoster));
  WriteTestFile(
      Path("gateway.textproto.in"),
      absl::StrCat(fill(absl::StrReplaceAll(kConfig, {{"STORE", store}})),
                   settings, "\n"));
  WriteTestFile(Path("gateway.textproto"),
                absl::StrReplaceAll(Slurp(Path("gateway.textproto.in")),
                                    {{"PORT", "0"}}));
  RunForTest(absl::StrCat(Runfile(kGateway), " init --config ",
                          Path("gateway.textproto"), " >> ", Path("output"),
                          " 2>&1"));
}

std::string House::Path(absl::string_view name) const {
  return absl::StrCat(directory_, "/", name);
}

std::string House::Output() const { return Slurp(Path("output")); }

std::string House::address() const { return absl::StrCat("127.0.0.1:", port_); }

std::unique_ptr<Process> House::StartGateway(absl::string_view kill_at) {
  std::map<std::string, std::string> environment;
  if (!kill_at.empty()) {
    environment = {{"SCHLEUSE_KILL_AT", std::string(kill_at)},
                   {"SCHLEUSE_KILL_LOG", Path("kills")}};
  }
  return StartGateway(environment);
}

std::unique_ptr<Process> House::StartGatewayThatHangs(
    absl::string_view hang_at) {
  return StartGateway({{"SCHLEUSE_HANG_AT", std::string(hang_at)},
                       {"SCHLEUSE_KILL_LOG", Path("kills")}});
}

std::unique_ptr<Process> House::StartGateway(
    const std::map<std::string, std::string>& environment) {
  const std::string port_file = Path("port");
  fs::remove(port_file);
  auto process = Process::Start(
      {Runfile(environment.empty() ? kGateway : kGatewayWithFailpoints),
       "serve", "--config", Path("gateway.textproto"), "--port-file",
       port_file},
      environment, Path("output"));
  const bool settled = Eventually(absl::Seconds(30), [&] {
    return fs::exists(port_file) || process->Poll().has_value();
  });
  EXPECT_TRUE(settled) << "the gateway is not ready:\n" << Output();
  if (!fs::exists(port_file)) {
    EXPECT_FALSE(environment.empty()) << "the gateway ended:\n" << Output();
    return nullptr;
  }
  if (port_ == 0) {
    EXPECT_TRUE(absl::SimpleAtoi(Slurp(port_file), &port_));
    WriteTestFile(Path("gateway.textproto"),
                  absl::StrReplaceAll(Slurp(Path("gateway.textproto.in")),
                                      {{"PORT", absl::StrCat(port_)}}));
  }
  return process;
}

std::unique_ptr<Process> House::StartUpload(
    absl::string_view camera, const std::vector<std::string>& words,
    absl::string_view kill_at) {
  std::map<std::string, std::string> environment;
  if (!kill_at.empty()) {
    environment = {{"SCHLEUSE_KILL_AT", std::string(kill_at)},
                   {"SCHLEUSE_KILL_LOG", Path("kills")}};
  }
  std::vector<std::string> all = {
      Runfile(kill_at.empty() ? kUpload : kUploadWithFailpoints),
      "--gateway",
      address(),
      "--cert",
      dock_,
      "--key",
      TestPki::KeyOf(dock_),
      "--ca",
      pki_.Path("root.pem"),
      "--camera",
      std::string(camera),
      "--custody-keys",
      Path("custody/keys.pub"),
      "--backoff-initial",
      "10ms",
      "--backoff-max",
      "50ms"};
  all.insert(all.end(), words.begin(), words.end());
  return Process::Start(all, environment, Path("output"));
}

std::string House::MakeFile(absl::string_view name, uint64_t size) {
  std::mt19937_64 random(++files_made_);
  std::string bytes(size, '\0');
  for (uint64_t i = 0; i + 8 <= size; i += 8) {
    const uint64_t word = random();
    std::copy_n(reinterpret_cast<const char*>(&word), 8, &bytes[i]);
  }
  WriteTestFile(Path(name), bytes);
  return Path(name);
}

std::string House::CheckStored(absl::string_view camera,
                               absl::string_view recording,
                               const std::string& source) const {
  const fs::path bundle = Path(absl::StrCat("store/", camera, "/", recording));
  if (!fs::is_directory(bundle)) return "it is not stored";
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(bundle)) {
    // A receipt that is being laid, perhaps once more behind a kill.
    if (entry.path().extension() == ".new") continue;
    files.push_back(entry.path());
  }
  const auto footage =
      std::find_if(files.begin(), files.end(), [](const fs::path& file) {
        return absl::StartsWith(file.filename().string(), "recording.");
      });
  // With its statement and its receipt, once these are laid, and later perhaps
  // one that witnesses cosigned.
  if (footage == files.end() || files.size() == 2 || files.size() > 4) {
    return absl::StrCat("the bundle holds ", files.size(), " files");
  }
  if (Slurp(*footage) != Slurp(source)) return "other bytes are stored";
  return "";
}

House::Said House::RunVerify(absl::string_view words) const {
  const std::string said = Path("verified");
  const int status = std::system(
      absl::StrCat(Runfile("client/verify/schleuse-verify"), " ", words,
                   " --key ", Path("custody/keys.pub"), " > ", said, " 2>&1")
          .c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, Slurp(said)};
}

std::string House::Verify() const {
  std::string problems;
  for (const std::string& words :
       {absl::StrCat("log ", Path("custody")),
        absl::StrCat("bundle ", Path("store"), "/*/*")}) {
    const Said said = RunVerify(words);
    if (said.code != 0) absl::StrAppend(&problems, said.text);
  }
  return problems;
}

void House::Configure(absl::string_view from, absl::string_view to) {
  for (const char* name : {"gateway.textproto.in", "gateway.textproto"}) {
    const std::string before = Slurp(Path(name));
    const std::string after = absl::StrReplaceAll(before, {{from, to}});
    EXPECT_NE(before, after) << from;
    WriteTestFile(Path(name), after);
  }
}

int House::RunGateway() {
  const auto process = Process::Start(
      {Runfile(kGateway), "serve", "--config", Path("gateway.textproto")}, {},
      Path("output"));
  const std::optional<Process::Result> ended = process->Wait(absl::Seconds(30));
  return ended && ended->exited ? ended->code : -1;
}

std::vector<std::string> House::SpoolFiles() const {
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator(Path("spool"))) {
    const std::string name = entry.path().filename();
    if (name != "schleuse.marker" && name != "lock") found.push_back(name);
  }
  return found;
}

std::map<std::string, int> House::KillCounts() const {
  std::map<std::string, int> counts;
  for (const absl::string_view line :
       absl::StrSplit(Slurp(Path("kills")), '\n', absl::SkipEmpty())) {
    ++counts[std::string(line)];
  }
  return counts;
}

}  // namespace schleuse
