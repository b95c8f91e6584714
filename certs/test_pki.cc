#include "certs/test_pki.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace schleuse {
namespace {

// Where bazel puts it beside the test.
constexpr char kTool[] = "certs/schleuse-certs";

[[noreturn]] void EndTest(const std::string& why) {
  std::fprintf(stderr, "test PKI: %s\n", why.c_str());
  std::abort();
}

std::string TemporaryDirectory() {
  const char* base = std::getenv("TEST_TMPDIR");
  std::string path = absl::StrCat(base == nullptr ? "/tmp" : base, "/XXXXXX");
  if (mkdtemp(path.data()) == nullptr) EndTest("no directory " + path);
  return path;
}

}  // namespace

std::string ReadTestFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) EndTest("cannot read " + path);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

void WriteTestFile(const std::string& path, absl::string_view bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file) EndTest("cannot write " + path);
}

void RunForTest(const std::string& command) {
  // Its output ends in the test's log, where it explains the failure.
  if (std::system(command.c_str()) != 0) EndTest("failed: " + command);
}

TestPki::TestPki(absl::string_view init_options)
    : directory_(TemporaryDirectory()) {
  RunForTest(absl::StrCat(kTool, " init '", directory_, "' ", init_options));
}

std::string TestPki::Issue(absl::string_view words) const {
  const std::string printed = Path("issued");
  RunForTest(absl::StrCat(kTool, " issue '", directory_, "' ", words, " >'",
                          printed, "'"));
  return std::string(absl::StripAsciiWhitespace(ReadTestFile(printed)));
}

std::string TestPki::KeyOf(absl::string_view pem_path) {
  return absl::StrCat(absl::StripSuffix(pem_path, ".pem"), ".key");
}

void TestPki::Revoke(absl::string_view pem_path) const {
  RunForTest(absl::StrCat(kTool, " revoke '", directory_, "' ", pem_path));
}

std::string TestPki::Path(absl::string_view file) const {
  return absl::StrCat(directory_, "/", file);
}

}  // namespace schleuse
