// A target's property, held against its seeds and against some thousand inputs
// that come near each: the same ones at every run.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "base/random.h"
#include "gtest/gtest.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/mutate.h"

// There in a build with sanitizers.
// NOLINTNEXTLINE(bugprone-reserved-identifier)
extern "C" void __sanitizer_set_death_callback(void (*callback)())
    __attribute__((weak));

namespace schleuse {
namespace {

namespace fs = std::filesystem;

struct Seed {
  std::string name;
  std::string bytes;
};

std::string Setting(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::vector<Seed> ReadSeeds() {
  std::vector<Seed> seeds;
  for (const auto& entry : fs::directory_iterator(Setting("FUZZ_SEEDS"))) {
    std::ifstream in(entry.path(), std::ios::binary);
    seeds.push_back({entry.path().filename().string(),
                     std::string(std::istreambuf_iterator<char>(in), {})});
  }
  std::sort(seeds.begin(), seeds.end(),
            [](const Seed& a, const Seed& b) { return a.name < b.name; });
  return seeds;
}

const std::vector<Seed>& Seeds() {
  static const auto& seeds = *new std::vector<Seed>(ReadSeeds());
  return seeds;
}

// A property that does not hold ends the process; what it does not hold for is
// left behind.
std::string input;
std::string input_path;
std::string said;

bool Put(int file, const std::string& bytes) {
  return ::write(file, bytes.data(), bytes.size()) ==
         static_cast<ssize_t>(bytes.size());
}

void KeepInput() {
  const int file =
      ::open(input_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (file >= 0 && Put(file, input)) Put(STDERR_FILENO, said);
}

void KeepInputAndDie(int signal) {
  KeepInput();
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void Try(std::string bytes) {
  input = std::move(bytes);
  Fuzz(input);
}

class SeedTest : public testing::TestWithParam<Seed> {
 protected:
  static void SetUpTestSuite() {
    input_path = Setting("TEST_UNDECLARED_OUTPUTS_DIR") + "/input";
    said = "It does not hold for " + input_path + "\n";
    std::signal(SIGABRT, KeepInputAndDie);
    if (__sanitizer_set_death_callback != nullptr) {
      __sanitizer_set_death_callback(KeepInput);  // it has signals of its own
    } else {
      std::signal(SIGSEGV, KeepInputAndDie);
    }
  }
};

TEST_P(SeedTest, Holds) { Try(GetParam().bytes); }

TEST_P(SeedTest, HoldsForWhatIsNear) {
  int mutations = 0;
  ASSERT_TRUE(absl::SimpleAtoi(Setting("FUZZ_MUTATIONS"), &mutations));
  SeededRandom random(2026);
  for (int i = 0; i < mutations; ++i) {
    const Seed& other = Seeds()[Below(random, Seeds().size())];
    Try(Mutated(GetParam().bytes, other.bytes, random));
  }
}

std::string NameOf(const testing::TestParamInfo<Seed>& info) {
  std::string name = info.param.name;
  for (char& c : name) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c))) c = '_';
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, SeedTest, testing::ValuesIn(Seeds()), NameOf);

}  // namespace
}  // namespace schleuse
