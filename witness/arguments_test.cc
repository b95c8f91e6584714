#include "witness/arguments.h"

#include <string>
#include <vector>

#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using Command = WitnessArguments::Command;
using Words = std::vector<std::string>;

TEST(WitnessArgumentsTest, ReadsEachCommand) {
  ASSERT_OK_AND_ASSIGN(WitnessArguments arguments,
                       ParseWitnessArguments({"init", "--config", "c"}));
  EXPECT_EQ(arguments.command, Command::kInit);
  EXPECT_EQ(arguments.config_file, "c");
  ASSERT_OK_AND_ASSIGN(
      arguments,
      ParseWitnessArguments({"serve", "--port-file=p", "--config=c"}));
  EXPECT_EQ(arguments.command, Command::kServe);
  EXPECT_EQ(arguments.port_file, "p");
  ASSERT_OK_AND_ASSIGN(
      arguments, ParseWitnessArguments(
                     {"cosign", "/stick", "--config", "c", "--out", "o"}));
  EXPECT_EQ(arguments.command, Command::kCosign);
  EXPECT_EQ(arguments.log_directory, "/stick");
  EXPECT_EQ(arguments.out_file, "o");
  for (const auto& [word, command] :
       std::vector<std::pair<std::string, Command>>{{"check", Command::kCheck},
                                                    {"show", Command::kShow}}) {
    ASSERT_OK_AND_ASSIGN(arguments,
                         ParseWitnessArguments({word, "--config", "c"}));
    EXPECT_EQ(arguments.command, command);
  }
  ASSERT_OK_AND_ASSIGN(arguments, ParseWitnessArguments({"x", "--help"}));
  EXPECT_EQ(arguments.command, Command::kHelp);
  ASSERT_OK_AND_ASSIGN(arguments, ParseWitnessArguments({"--version"}));
  EXPECT_EQ(arguments.command, Command::kVersion);
}

TEST(WitnessArgumentsTest, SaysWhatIsWrong) {
  const auto says = [](const Words& words) {
    const auto parsed = ParseWitnessArguments(words);
    EXPECT_THAT(parsed, StatusIs(absl::StatusCode::kInvalidArgument));
    return std::string(parsed.status().message());
  };
  EXPECT_EQ(says({}), "a command is missing");
  EXPECT_EQ(says({"sign"}), "\"sign\" is no command");
  EXPECT_EQ(says({"serve"}), "--config is missing");
  EXPECT_EQ(says({"serve", "--config"}), "--config needs a file");
  EXPECT_EQ(says({"serve", "--config", "a", "--config", "b"}),
            "--config is given twice");
  EXPECT_EQ(says({"init", "--config", "a", "--port-file", "p"}),
            "\"--port-file\" means nothing to init");
  EXPECT_EQ(says({"serve", "--config", "a", "--out", "p"}),
            "\"--out\" means nothing to serve");
  EXPECT_EQ(says({"cosign", "--config", "a"}),
            "cosign needs the directory of a log");
  EXPECT_EQ(says({"cosign", "--config", "a", "b", "c"}),
            "\"c\" means nothing to cosign");
}

}  // namespace
}  // namespace schleuse
