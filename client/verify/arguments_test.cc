#include "client/verify/arguments.h"

#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse::client {
namespace {

using absl::StatusCode;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Command = VerifyArguments::Command;

absl::StatusOr<VerifyArguments> Parse(const char* line) {
  return ParseVerifyArguments(absl::StrSplit(line, ' ', absl::SkipEmpty()));
}

TEST(VerifyArgumentsTest, ReadsEachCommand) {
  ASSERT_OK_AND_ASSIGN(
      VerifyArguments arguments,
      Parse("bundle a b --key k1 --key=k2 --witness w --witnesses 1 --json"));
  EXPECT_EQ(arguments.command, Command::kBundle);
  EXPECT_THAT(arguments.paths, ElementsAre("a", "b"));
  EXPECT_THAT(arguments.keys, ElementsAre("k1", "k2"));
  EXPECT_THAT(arguments.witnesses, ElementsAre("w"));
  EXPECT_EQ(arguments.witnesses_required, 1u);
  EXPECT_TRUE(arguments.json);
  ASSERT_OK_AND_ASSIGN(arguments, Parse("log d --kept c"));
  EXPECT_EQ(arguments.command, Command::kLog);
  EXPECT_THAT(arguments.kept, ElementsAre("c"));
  ASSERT_OK_AND_ASSIGN(arguments, Parse("consistency --key k old -- --d"));
  EXPECT_THAT(arguments.paths, ElementsAre("old", "--d"));
  ASSERT_OK_AND_ASSIGN(
      arguments,
      Parse(
          "export d --out o --from 2026-11-26 --to 2026-11-27T01:00:00+01:00"));
  EXPECT_EQ(arguments.to - arguments.from, absl::Hours(24));
  EXPECT_EQ(Parse("statements d --key k")->command, Command::kStatements);
  ASSERT_OK_AND_ASSIGN(
      arguments,
      Parse("residency d --allow 10.20.0.0/16 --allow=[fd00::/8]:443 "
            "--from 2026-11-01 --to 2026-12-01"));
  EXPECT_EQ(arguments.command, Command::kResidency);
  EXPECT_THAT(arguments.allow,
              ElementsAre(*NetworkPort::Parse("10.20.0.0/16"),
                          *NetworkPort::Parse("[fd00::/8]:443")));
  EXPECT_EQ(Parse("bundle --help")->command, Command::kHelp);
}

TEST(VerifyArgumentsTest, SaysWhatIsWrong) {
  const auto refused = [](const char* line, const char* why) {
    EXPECT_THAT(Parse(line).status(),
                StatusIs(StatusCode::kInvalidArgument, HasSubstr(why)))
        << line;
  };
  refused("", "name a command");
  refused("look d", "no command look");
  refused("bundle --key k", "at least one directory");
  refused("bundle d", "--key is missing");
  refused("log a b", "one directory");
  refused("log d --out o", "--out does not go with log");
  refused("consistency a --key k", "a kept file and a directory");
  refused("export d", "--out is missing");
  refused("export d --out o --from yesterday", "--from must be a day");
  refused("export d --out o --from 2026-01-02 --to 2026-01-02", "not before");
  refused("bundle d --key", "needs a value");
  refused("bundle d --keys k", "no flag");
  refused("bundle d --key k --witnesses 1", "more than --witness names");
  refused("bundle d --key k --witnesses x", "must be a number");
  refused("residency --allow 10.0.0.0/8", "one directory");
  refused("residency d --allow store", "--allow must be a network");
  refused("residency d --allow 10.0.0.1/8", "bits beyond its prefix");
  refused("log d --allow 10.0.0.0/8", "--allow does not go with log");
}

}  // namespace
}  // namespace schleuse::client
