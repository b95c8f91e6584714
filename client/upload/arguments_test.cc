#include "client/upload/arguments.h"

#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse::client {
namespace {

using absl::StatusCode;
using ::testing::HasSubstr;
using ::testing::SizeIs;

using Words = std::vector<std::string>;

const Words kLeast = {"--gateway", "gw:8443", "--cert",   "c.pem",    "--key",
                      "k.pem",     "--ca",    "root.pem", "--camera", "cam-1"};

absl::StatusOr<Arguments> Parse(const Words& more) {
  Words words = kLeast;
  words.insert(words.end(), more.begin(), more.end());
  return ParseArguments(words);
}

TEST(ArgumentsTest, TheLeastIsEnough) {
  ASSERT_OK_AND_ASSIGN(const Arguments arguments, Parse({"/m/a b.mp4"}));
  EXPECT_EQ(arguments.gateway, "gw:8443");
  EXPECT_EQ(arguments.certificate_file, "c.pem");
  EXPECT_EQ(arguments.key_file, "k.pem");
  EXPECT_EQ(arguments.root_file, "root.pem");
  ASSERT_THAT(arguments.recordings, SizeIs(1));
  EXPECT_EQ(arguments.recordings[0].file, "/m/a b.mp4");
  EXPECT_EQ(arguments.recordings[0].name.ToString(), "cam-1/a_b.mp4");
  EXPECT_EQ(arguments.parallel, 4);
  EXPECT_EQ(arguments.connections, 4);
  EXPECT_EQ(arguments.upload.chunk_bytes, 1024u * 1024);
  EXPECT_EQ(arguments.upload.retry_for, absl::InfiniteDuration());
  EXPECT_EQ(arguments.priority, Priority::kNormal);
  EXPECT_FALSE(arguments.json);
}

TEST(ArgumentsTest, EveryFlagIsTaken) {
  ASSERT_OK_AND_ASSIGN(const Arguments arguments,
                       Parse({"--recording=r.mp4",
                              "--server-name",
                              "gw.test",
                              "--priority",
                              "urgent",
                              "--incident",
                              "2024-17",
                              "--legal-basis",
                              "PolG 57",
                              "--wearer",
                              "4711",
                              "--camera-serial",
                              "S1",
                              "--start",
                              "2024-05-01T12:30:00+02:00",
                              "--retain-until",
                              "2024-06-01T00:00:00Z",
                              "--home",
                              "--duration",
                              "1m30.5s",
                              "--codec",
                              "video/mp4; codecs=avc1",
                              "--parallel",
                              "8",
                              "--connections",
                              "3",
                              "--chunk-kib",
                              "64",
                              "--retry-for",
                              "5m",
                              "--backoff-initial",
                              "100ms",
                              "--backoff-max=10s",
                              "--stall-after",
                              "90s",
                              "--json",
                              "x.mp4"}));
  EXPECT_EQ(arguments.recordings[0].name.recording_id(), "r.mp4");
  EXPECT_EQ(arguments.server_name, "gw.test");
  EXPECT_EQ(arguments.priority, Priority::kUrgent);
  EXPECT_EQ(arguments.metadata.incident, "2024-17");
  EXPECT_EQ(arguments.metadata.legal_basis, "PolG 57");
  EXPECT_EQ(arguments.metadata.wearer, "4711");
  EXPECT_EQ(arguments.metadata.camera_serial, "S1");
  EXPECT_EQ(arguments.metadata.start_unix_micros, 1'714'559'400'000'000);
  EXPECT_EQ(arguments.metadata.retain_until_unix_micros, 1'717'200'000'000'000);
  EXPECT_TRUE(arguments.metadata.home);
  EXPECT_EQ(arguments.metadata.duration_millis, 90'500u);
  EXPECT_EQ(arguments.metadata.codec, "video/mp4; codecs=avc1");
  EXPECT_EQ(arguments.parallel, 8);
  EXPECT_EQ(arguments.connections, 3);
  EXPECT_EQ(arguments.upload.chunk_bytes, 64u * 1024);
  EXPECT_EQ(arguments.upload.retry_for, absl::Minutes(5));
  EXPECT_EQ(arguments.upload.backoff_initial, absl::Milliseconds(100));
  EXPECT_EQ(arguments.upload.backoff_max, absl::Seconds(10));
  EXPECT_EQ(arguments.upload.stall_after, absl::Seconds(90));
  EXPECT_TRUE(arguments.json);
}

TEST(ArgumentsTest, HelpNeedsNothingElse) {
  ASSERT_OK_AND_ASSIGN(const Arguments arguments, ParseArguments({"--help"}));
  EXPECT_TRUE(arguments.help);
}

TEST(ArgumentsTest, HelpExplainsWhateverCanBeSaidOfARecording) {
  for (const char* flag :
       {"--camera-serial", "--wearer", "--start", "--duration", "--incident",
        "--legal-basis", "--home", "--retain-until", "--codec", "--priority",
        "--recording", "file's name", "device's clock"}) {
    EXPECT_THAT(kHelp, HasSubstr(flag));
  }
}

TEST(ArgumentsTest, ConnectionsAreNoMoreThanRecordingsAtATime) {
  ASSERT_OK_AND_ASSIGN(const Arguments arguments,
                       Parse({"--parallel", "2", "x"}));
  EXPECT_EQ(arguments.connections, 2);
}

TEST(ArgumentsTest, AfterTwoDashesAllAreFiles) {
  ASSERT_OK_AND_ASSIGN(const Arguments arguments, Parse({"--", "--json"}));
  EXPECT_EQ(arguments.recordings[0].file, "--json");
  EXPECT_FALSE(arguments.json);
}

struct Wrong {
  Words words;
  const char* message;
};

class WrongTest : public testing::TestWithParam<Wrong> {};

TEST_P(WrongTest, IsRefusedWithAReason) {
  EXPECT_THAT(Parse(GetParam().words), StatusIs(StatusCode::kInvalidArgument,
                                                HasSubstr(GetParam().message)));
}

INSTANTIATE_TEST_SUITE_P(
    All, WrongTest,
    testing::Values(Wrong{{}, "at least one FILE"},
                    Wrong{{"--nonsense", "x"}, "no flag"},
                    Wrong{{"x", "--incident"}, "needs a value"},
                    Wrong{{"--json=1", "x"}, "takes no value"},
                    Wrong{{"--camera", "other", "x"}, "given twice"},
                    Wrong{{"--recording", "r", "x", "y"}, "one FILE only"},
                    Wrong{{"--duration", "1m", "x", "y"}, "one FILE only"},
                    Wrong{{"--recording", "a/b", "x"}, "must match"},
                    Wrong{{"/a/x.mp4", "/b/x.mp4"}, "both be named"},
                    Wrong{{"/a/x.mp4", "/a/x.mp4"}, "named twice"},
                    Wrong{{"/a/"}, "must match"},
                    Wrong{{"--parallel", "0", "x"}, "1 to 64"},
                    Wrong{{"--parallel", "many", "x"}, "1 to 64"},
                    Wrong{{"--connections", "17", "x"}, "1 to 16"},
                    Wrong{{"--chunk-kib", "1025", "x"}, "1 to 1024"},
                    Wrong{{"--retry-for", "5", "x"}, "duration"},
                    Wrong{{"--retry-for", "-5s", "x"}, "duration"},
                    Wrong{{"--stall-after", "0s", "x"}, "duration"},
                    Wrong{{"--start", "yesterday", "x"}, "2024"},
                    Wrong{{"--duration", "90", "x"}, "duration"},
                    Wrong{{"--duration", "100us", "x"}, "1ms"},
                    Wrong{{"--duration", "inf", "x"}, "1ms"},
                    Wrong{{"--codec", "a\nb", "x"}, "control"},
                    Wrong{{"--priority", "high", "x"}, "urgent"},
                    Wrong{{"--incident", "a\nb", "x"}, "control"},
                    Wrong{{"--wearer", "\xff", "x"}, "UTF-8"},
                    Wrong{{"--wearer", std::string(513, 'x'), "x"}, "512"}));

TEST(ArgumentsTest, EachNeededFlagIsMissed) {
  for (size_t i = 0; i < kLeast.size(); i += 2) {
    Words words = kLeast;
    words.erase(words.begin() + static_cast<long>(i),
                words.begin() + static_cast<long>(i) + 2);
    words.push_back("x");
    EXPECT_THAT(ParseArguments(words),
                StatusIs(StatusCode::kInvalidArgument,
                         HasSubstr(kLeast[i] + " is missing")));
  }
}

TEST(ArgumentsTest, AGatewayIsHostAndPort) {
  for (const char* bad :
       {"gw", "gw:", ":1", "gw:0", "gw:65536", "gw:x", "https://gw:1", ""}) {
    Words words = kLeast;
    words[1] = bad;
    words.push_back("x");
    EXPECT_THAT(ParseArguments(words),
                StatusIs(StatusCode::kInvalidArgument, HasSubstr("HOST:PORT")))
        << bad;
  }
}

}  // namespace
}  // namespace schleuse::client
