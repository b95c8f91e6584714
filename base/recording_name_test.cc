#include "base/recording_name.h"

#include <set>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "base/random.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using absl::StatusCode;

const std::vector<std::string>& BadIds() {
  static const auto* const kBad = new std::vector<std::string>{
      "",
      ".",
      "..",
      "../x",
      "a/../b",
      "a/b",
      "/a",
      "a/",
      "a\\b",
      ".hidden",
      "~home",
      std::string("a\0b", 3),
      std::string(1, '\0'),
      "a b",
      " a",
      "a\n",
      "a:b",
      "a*",
      "%2e%2e",
      "\xFF",
      "a\xC0\xAF",    // an overlong slash
      "k\xC3\xA4se",  // UTF-8, but not ASCII
      std::string(129, 'a'),
      std::string(300, 'a'),
  };
  return *kBad;
}

TEST(IsIdTest, AcceptsWhatTheAlphabetAllows) {
  for (const std::string& id : std::vector<std::string>{
           "a", "Z", "0", "_", "-", "a.b", "a..b", "a~b", "cam-0001",
           "2024-05-01T12_00.mp4", "x~0a1b2c3d", std::string(128, 'a')}) {
    EXPECT_TRUE(IsId(id)) << id;
  }
}

TEST(IsIdTest, RefusesEverythingElse) {
  for (const std::string& id : BadIds()) {
    EXPECT_FALSE(IsId(id)) << absl::CHexEscape(id);
  }
}

TEST(IsIdTest, DecidesForEveryByte) {
  const std::string first =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    const bool may_begin = first.find(c) != std::string::npos;
    EXPECT_EQ(IsId(std::string(1, c)), may_begin) << byte;
    EXPECT_EQ(IsId(std::string("a") + c), may_begin || c == '.' || c == '~')
        << byte;
  }
}

TEST(RecordingNameTest, HoldsTwoIds) {
  ASSERT_OK_AND_ASSIGN(const RecordingName name,
                       RecordingName::Parse("cam-1", "rec.2"));
  EXPECT_EQ(name.camera_id(), "cam-1");
  EXPECT_EQ(name.recording_id(), "rec.2");
  EXPECT_EQ(name.ToString(), "cam-1/rec.2");
}

TEST(RecordingNameTest, RefusesABadIdOnEitherSideAndDoesNotRepeatIt) {
  for (const std::string& bad : BadIds()) {
    EXPECT_THAT(RecordingName::Parse(bad, "ok"),
                StatusIs(StatusCode::kInvalidArgument,
                         "camera_id must match "
                         "[A-Za-z0-9_-][A-Za-z0-9._~-]{0,127}"))
        << absl::CHexEscape(bad);
    EXPECT_THAT(RecordingName::Parse("ok", bad),
                StatusIs(StatusCode::kInvalidArgument,
                         testing::StartsWith("recording_id must match")))
        << absl::CHexEscape(bad);
  }
}

TEST(RecordingNameTest, OrdersByCameraThenRecording) {
  const auto name = [](absl::string_view camera, absl::string_view recording) {
    return RecordingName::Parse(camera, recording).value();
  };
  EXPECT_LT(name("a", "z"), name("b", "a"));
  EXPECT_LT(name("a", "a"), name("a", "b"));
  EXPECT_EQ(name("a", "b"), name("a", "b"));
  EXPECT_NE(name("ab", "c"), name("a", "bc"));
}

TEST(TransferIdTest, IsMadeOfRandomnessAndReadBack) {
  SystemRandom random;
  std::set<std::string> ids;
  for (int i = 0; i < 100; ++i) {
    const TransferId id = TransferId::Make(random);
    EXPECT_EQ(id.ToString().size(), 32u);
    EXPECT_THAT(TransferId::Parse(id.ToString()), IsOkAndHolds(id));
    EXPECT_TRUE(IsId(id.ToString()));
    ids.insert(id.ToString());
  }
  EXPECT_EQ(ids.size(), 100u);
}

TEST(TransferIdTest, SmallNumbersKeepTheirZeros) {
  class Zero final : public Random {
   public:
    uint64_t Next() override { return 0; }
  } zero;
  EXPECT_EQ(TransferId::Make(zero).ToString(), std::string(32, '0'));
}

TEST(TransferIdTest, RefusesAllButThirtyTwoLowercaseHexDigits) {
  const std::string good(32, 'a');
  EXPECT_OK(TransferId::Parse(good));
  for (const std::string& bad : std::vector<std::string>{
           "", std::string(31, 'a'), std::string(33, 'a'), std::string(32, 'A'),
           std::string(32, 'g'), std::string(31, 'a') + " ",
           std::string(31, 'a') + std::string(1, '\0'),
           "../" + std::string(29, 'a'), "0x" + std::string(30, 'a')}) {
    EXPECT_THAT(TransferId::Parse(bad), StatusIs(StatusCode::kInvalidArgument))
        << absl::CHexEscape(bad);
  }
}

TEST(IdPatternTest, StandsForOneIdOrForAnyRest) {
  for (const char* pattern : {"*", "cam-*", "cam-1"}) {
    EXPECT_TRUE(IsIdPattern(pattern)) << pattern;
    EXPECT_TRUE(FitsIdPattern(pattern, "cam-1")) << pattern;
  }
  for (const char* other : {"cam-10", "am-1", "", "cam-11*"}) {
    EXPECT_FALSE(FitsIdPattern(other, "cam-1")) << other;
  }
  for (const char* none : {"", "**", "a*b", ".*", "a b", "cam-**"}) {
    EXPECT_FALSE(IsIdPattern(none)) << none;
  }
}

}  // namespace
}  // namespace schleuse
