#include "gateway/arguments.h"

#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using ::testing::HasSubstr;
using Command = Arguments::Command;

TEST(ArgumentsTest, ReadsCommands) {
  ASSERT_OK_AND_ASSIGN(
      const Arguments serve,
      ParseArguments({"serve", "--config", "c", "--port-file=p"}));
  EXPECT_EQ(serve.command, Command::kServe);
  EXPECT_EQ(serve.config_file, "c");
  EXPECT_EQ(serve.port_file, "p");
  ASSERT_OK_AND_ASSIGN(const Arguments init,
                       ParseArguments({"init", "--config=c=d"}));
  EXPECT_EQ(init.command, Command::kInit);
  EXPECT_EQ(init.config_file, "c=d");
  ASSERT_OK_AND_ASSIGN(const Arguments check,
                       ParseArguments({"check", "--config", "c"}));
  EXPECT_EQ(check.command, Command::kCheck);
  ASSERT_OK_AND_ASSIGN(const Arguments new_log,
                       ParseArguments({"new-log", "--config", "c", "--reason",
                                       "the disk was restored"}));
  EXPECT_EQ(new_log.command, Command::kNewLog);
  EXPECT_EQ(new_log.reason, "the disk was restored");
}

TEST(ArgumentsTest, HelpAndVersionNeedNothingElse) {
  EXPECT_EQ(ParseArguments({"--help"})->command, Command::kHelp);
  EXPECT_EQ(ParseArguments({"serve", "--help"})->command, Command::kHelp);
  EXPECT_EQ(ParseArguments({"--version"})->command, Command::kVersion);
}

TEST(ArgumentsTest, SaysWhatIsWrong) {
  const struct {
    std::vector<std::string> words;
    const char* says;
  } cases[] = {
      {{}, "a command is missing"},
      {{"start"}, "\"start\" is no command"},
      {{"--config", "c"}, "\"--config\" is no command"},
      {{"serve"}, "--config is missing"},
      {{"serve", "--config"}, "--config needs a file"},
      {{"serve", "--config="}, "--config needs a file"},
      {{"serve", "--config", ""}, "--config needs a file"},
      {{"serve", "--config", "c", "--config", "d"}, "given twice"},
      {{"serve", "--config", "c", "d"}, "\"d\" means nothing to serve"},
      {{"serve", "--config", "c", "--force"}, "\"--force\" means nothing"},
      {{"init", "--config", "c", "--port-file", "p"}, "nothing to init"},
      {{"check", "--config", "c", "--port-file=p"}, "nothing to check"},
      {{"serve", "--config", "c", "--reason", "r"}, "nothing to serve"},
      {{"new-log", "--config", "c"}, "--reason is missing"},
      {{"new-log", "--config", "c", "--reason="}, "--reason needs words"},
  };
  for (const auto& [words, says] : cases) {
    EXPECT_THAT(ParseArguments(words),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(says)));
  }
}

}  // namespace
}  // namespace schleuse
