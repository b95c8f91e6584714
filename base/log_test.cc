#include "base/log.h"

#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

TEST(JsonEscapeTest, LeavesPlainTextAsItIs) {
  EXPECT_EQ(JsonEscape(""), "");
  EXPECT_EQ(JsonEscape("Dock 7: h\xC3\xA4lt / \xF0\x9F\x9A\x93"),
            "Dock 7: h\xC3\xA4lt / \xF0\x9F\x9A\x93");
}

TEST(JsonEscapeTest, EscapesWhatWouldEndTheString) {
  EXPECT_EQ(JsonEscape("a\"b\\c"), "a\\\"b\\\\c");
}

TEST(JsonEscapeTest, EscapesEveryControlCharacter) {
  EXPECT_EQ(JsonEscape(absl::string_view("\0", 1)), "\\u0000");
  EXPECT_EQ(JsonEscape("\n\x1B[31m"), "\\u000a\\u001b[31m");
  EXPECT_EQ(JsonEscape("\x1F \x7F"), "\\u001f \\u007f");
  for (char c = 0; c < 0x20; ++c) {
    EXPECT_EQ(JsonEscape(absl::string_view(&c, 1)).size(), 6u) << int{c};
  }
}

TEST(JsonEscapeTest, ReplacesEachByteThatIsNotUtf8) {
  EXPECT_EQ(JsonEscape("a\xFF"
                       "b"),
            "a\xEF\xBF\xBD"
            "b");
  EXPECT_EQ(JsonEscape("\xED\xA0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(JsonEscape("\xE2\x82"), "\xEF\xBF\xBD\xEF\xBF\xBD");
}

class LogTest : public testing::Test {
 protected:
  LogTest() { testing::internal::CaptureStderr(); }
  ~LogTest() override { SetLogThreshold(Severity::kInfo); }
  static std::string Written() {
    return testing::internal::GetCapturedStderr();
  }
};

TEST_F(LogTest, WritesOneObjectALine) {
  Log(Severity::kAlarm, "spool full",
      {{"station", "a\"b\n"}, {"free_bytes", 42}});
  EXPECT_THAT(
      Written(),
      AllOf(
          StartsWith("{\"time\":\"2"),
          EndsWith("Z\",\"severity\":\"alarm\",\"event\":\"spool full\","
                   "\"station\":\"a\\\"b\\u000a\",\"free_bytes\":\"42\"}\n")));
}

TEST_F(LogTest, DropsWhatIsLessSevereThanTheThreshold) {
  SetLogThreshold(Severity::kError);
  Log(Severity::kInfo, "one");
  Log(Severity::kWarning, "two");
  Log(Severity::kError, "three");
  Log(Severity::kAlarm, "four");
  EXPECT_THAT(Written(), AllOf(testing::Not(HasSubstr("one")),
                               testing::Not(HasSubstr("two")),
                               HasSubstr("\"three\""), HasSubstr("\"four\"")));
}

TEST_F(LogTest, LinesOfManyThreadsDoNotMix) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([] {
      for (int i = 0; i < 50; ++i) {
        Log(Severity::kInfo, "event", {{"text", std::string(500, 'x')}});
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  int lines = 0;
  const std::string written = Written();
  for (const absl::string_view line :
       absl::StrSplit(written, '\n', absl::SkipEmpty())) {
    EXPECT_TRUE(absl::StartsWith(line, "{\"time\"") &&
                absl::EndsWith(line, "xxx\"}"));
    ++lines;
  }
  EXPECT_EQ(lines, 200);
}

}  // namespace
}  // namespace schleuse
