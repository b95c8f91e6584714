#include "tests/ceph/test_ceph.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

namespace fs = std::filesystem;

constexpr absl::Duration kStartsWithin = absl::Seconds(180);
constexpr absl::Duration kChangesWithin = absl::Seconds(60);

// The value of a member of a flat JSON object.
std::string Member(const std::string& json, absl::string_view name) {
  const std::vector<std::string> behind =
      absl::StrSplit(json, absl::StrCat("\"", name, "\": \""));
  if (behind.size() < 2) return "";
  return behind[1].substr(0, behind[1].find('"'));
}

}  // namespace

TestCeph::TestCeph(const TestPki& pki) {
  std::string made = absl::StrCat(testing::TempDir(), "/ceph-XXXXXX");
  if (mkdtemp(made.data()) == nullptr) std::abort();
  directory_ = made;
  root_ = pki.Path("root.pem");
  const std::string certificate = pki.Issue(
      "gateway s3 --ip 127.0.0.1 --dns store.police.example "
      "--no-uri --file s3");
  process_ = Process::Start(
      {fs::absolute("tests/ceph/ceph").string(), "--dir", Path("ceph"),
       "--certificate", certificate, "--key", TestPki::KeyOf(certificate)},
      {}, Path("output"));
  const std::string ready = Path("ceph/ready.json");
  Eventually(kStartsWithin,
             [&] { return fs::exists(ready) || process_->Poll(); });
  if (!fs::exists(ready)) {
    std::fprintf(stderr, "Ceph does not start: %s\n",
                 ReadTestFile(Path("output")).c_str());
    std::abort();
  }
  const std::string json = ReadTestFile(ready);
  endpoint_ = Member(json, "endpoint");
  access_key_ = Member(json, "access_key");
  secret_key_ = Member(json, "secret_key");
}

TestCeph::~TestCeph() {
  process_->Signal(SIGTERM);
  process_->Wait(kChangesWithin);
  fs::remove_all(directory_);
}

std::string TestCeph::Path(absl::string_view name) const {
  return absl::StrCat(directory_, "/", name);
}

uint16_t TestCeph::port() const {
  uint32_t port = 0;
  (void)absl::SimpleAtoi(endpoint_.substr(endpoint_.rfind(':') + 1), &port);
  return static_cast<uint16_t>(port);
}

std::string TestCeph::CredentialsFile() const {
  const std::string path = Path("credentials");
  WriteTestFile(path, absl::StrCat("access_key=", access_key_,
                                   "\nsecret_key=", secret_key_, "\n"));
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
  return path;
}

std::string TestCeph::Ask(absl::string_view words,
                          absl::string_view target) const {
  const std::string answer = Path("answer");
  RunForTest(absl::StrCat(
      "curl -sS --max-time 60 --cacert ", root_,
      " --aws-sigv4 aws:amz:us-east-1:s3 --user ", access_key_, ":",
      secret_key_, " -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' -o ", answer,
      " ", words, " '", endpoint_, target, "' && touch ", answer));
  return ReadTestFile(answer);
}

std::vector<std::string> TestCeph::Fetch(
    const std::vector<std::string>& targets) const {
  std::string config;
  for (size_t i = 0; i < targets.size(); ++i) {
    absl::StrAppend(&config, "url = \"", endpoint_, targets[i],
                    "\"\noutput = \"", Path(absl::StrCat("object-", i)),
                    "\"\n");
  }
  WriteTestFile(Path("targets"), config);
  RunForTest(absl::StrCat(
      "curl -sSf --max-time 600 --cacert ", root_,
      " --aws-sigv4 aws:amz:us-east-1:s3 --user ", access_key_, ":",
      secret_key_, " -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' --config ",
      Path("targets")));
  std::vector<std::string> bytes;
  for (size_t i = 0; i < targets.size(); ++i) {
    const std::string path = Path(absl::StrCat("object-", i));
    bytes.push_back(fs::exists(path) ? ReadTestFile(path) : "");
    fs::remove(path);
  }
  return bytes;
}

void TestCeph::MakeBucket(absl::string_view name, bool object_lock) const {
  Ask(absl::StrCat(
          "-f -X PUT ",
          object_lock ? "-H 'x-amz-bucket-object-lock-enabled: true'" : ""),
      absl::StrCat("/", name));
}

void TestCeph::Kill(absl::string_view daemon) const {
  int id = 0;
  const std::string text =
      ReadTestFile(Path(absl::StrCat("ceph/", daemon, ".pid")));
  if (absl::SimpleAtoi(absl::StripSuffix(text, "\n"), &id)) kill(id, SIGKILL);
}

void TestCeph::PutDown(absl::string_view daemon) const {
  WriteTestFile(Path(absl::StrCat("ceph/", daemon, ".down")), "");
  Kill(daemon);
}

void TestCeph::PutUp(absl::string_view daemon) const {
  fs::remove(Path(absl::StrCat("ceph/", daemon, ".down")));
}

}  // namespace schleuse
