#include "settings/text_settings.h"

#include <google/protobuf/descriptor.pb.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

// Any message of some depth does: the one that describes messages.
using Proto = google::protobuf::FileDescriptorProto;

struct Read {
  explicit Read(absl::string_view text) : settings("f.txt", text, proto) {}
  Proto proto;
  TextSettings settings;
};

TEST(TextSettingsTest, ReadsWhatIsRight) {
  const Read read("name: 'n'  # comment\nmessage_type { name: 'm' }\n");
  EXPECT_OK(read.settings.status());
  EXPECT_THAT(read.settings.mistakes(), IsEmpty());
  EXPECT_EQ(read.proto.name(), "n");
  EXPECT_EQ(read.proto.message_type(0).name(), "m");
}

TEST(TextSettingsTest, NothingIsRightToo) {
  EXPECT_OK(Read("").settings.status());
  EXPECT_OK(Read("# only a comment").settings.status());
}

TEST(TextSettingsTest, ListsUnknownFieldsAtEveryDepth) {
  const Read read(
      "nam: 'n'\n"
      "message_type {\n"
      "  name: 'm'\n"
      "  colour: RED\n"
      "}\n"
      "tree { a { b: 5 } }\n"
      "package: 'p'\n");
  EXPECT_THAT(read.settings.mistakes(),
              ElementsAre(AllOf(StartsWith("f.txt:1: "), HasSubstr("nam")),
                          AllOf(StartsWith("f.txt:4: "), HasSubstr("colour")),
                          AllOf(StartsWith("f.txt:6: "), HasSubstr("tree"))));
  EXPECT_EQ(read.proto.package(), "p");
}

TEST(TextSettingsTest, ListsSeveralUnreadableLinesAndUnknownFieldsAtOnce) {
  const Read read(
      "name: 5\n"
      "nam: 'x'\n"
      "message_type {\n"
      "  name: m\n"
      "  field { number: 'one' }\n"
      "}\n"
      "package: 'p' 'q' = \n"
      "syntax: 's'\n"
      "syntax: 't'\n");
  EXPECT_THAT(read.settings.mistakes(),
              ElementsAre(StartsWith("f.txt:1: "), StartsWith("f.txt:2: "),
                          StartsWith("f.txt:4: "), StartsWith("f.txt:5: "),
                          StartsWith("f.txt:7: "), StartsWith("f.txt:9: ")));
  EXPECT_THAT(read.settings.status(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("f.txt:1: "), HasSubstr("\nf.txt:2: "),
                             HasSubstr("\nf.txt:9: "))));
  EXPECT_EQ(read.proto.syntax(), "s");
}

TEST(TextSettingsTest, EndsAtUnbalancedBraces) {
  for (const std::string& text :
       {std::string("message_type {\nname: 'm'\n"), std::string("}\nname: 5\n"),
        std::string("message_type {\n  name: 'm'\n}}\n"),
        std::string("message_type: = {\n  name: 5\n}\n"),
        std::string("name: 'unfinished\n"), std::string("name:"),
        std::string("\0\0\xff", 3)}) {
    const Read read(text);
    EXPECT_THAT(read.settings.mistakes(), Not(IsEmpty())) << text;
    EXPECT_FALSE(read.settings.status().ok()) << text;
  }
}

TEST(TextSettingsTest, AFileOfNothingButErrorsIsGivenUp) {
  std::string text;
  for (int i = 0; i < 10000; ++i) absl::StrAppend(&text, "= ", i, "\n");
  EXPECT_THAT(Read(text).settings.mistakes(), SizeIs(50));
}

TEST(TextSettingsTest, DeepNestingIsRefused) {
  std::string text;
  for (int i = 0; i < 100000; ++i) absl::StrAppend(&text, "nested_type {");
  EXPECT_FALSE(Read("message_type {" + text).settings.status().ok());
  text.clear();
  for (int i = 0; i < 100000; ++i) absl::StrAppend(&text, "unknown {");
  EXPECT_FALSE(Read(text).settings.status().ok());
}

TEST(TextSettingsTest, KnowsTheLineOfEveryField) {
  const Read read(
      "# first\n"
      "name: 'n'\n"
      "dependency: 'a'\n"
      "dependency: 'b'\n"
      "options {\n"
      "  java_package: 'j'\n"
      "}\n"
      "message_type { name: 'm0' }\n"
      "message_type {\n"
      "  name:\n"
      "    'm1'\n"
      "  field {\n"
      "    name: 'f0'\n"
      "  }\n"
      "  field {\n"
      "    name: 'f1'\n"
      "  }\n"
      "}\n"
      "public_dependency: [\n"
      "  1, 2, 3]\n");
  ASSERT_OK(read.settings.status());
  const TextSettings& settings = read.settings;
  EXPECT_EQ(settings.LineOf("name"), 2);
  EXPECT_EQ(settings.LineOf("dependency[0]"), 3);
  EXPECT_EQ(settings.LineOf("dependency[1]"), 4);
  EXPECT_EQ(settings.LineOf("dependency"), 3);
  EXPECT_EQ(settings.LineOf("options"), 5);
  EXPECT_EQ(settings.LineOf("options.java_package"), 6);
  EXPECT_EQ(settings.LineOf("message_type[0].name"), 8);
  EXPECT_EQ(settings.LineOf("message_type[1].name"), 10);
  EXPECT_EQ(settings.LineOf("message_type[1].field[1].name"), 16);
  EXPECT_EQ(settings.LineOf("public_dependency[2]"), 19);
  // What is not there: where it would belong.
  EXPECT_EQ(settings.LineOf("package"), 1);
  EXPECT_EQ(settings.LineOf("options.go_package"), 5);
  EXPECT_EQ(settings.LineOf("message_type[1].field[0].number"), 12);
  EXPECT_EQ(settings.LineOf("source_code_info.location[3].span[1]"), 1);
  EXPECT_EQ(settings.LineOf("no_such_field.at.all"), 1);
}

TEST(TextSettingsTest, AddsTheCallersMistakesInTheOrderOfLines) {
  Read read(
      "nam: 'n'\n"
      "message_type {\n"
      "  name: 'm'\n"
      "}\n"
      "nome: 'n'\n");
  read.settings.Mistake("message_type[0].name", "must be longer");
  read.settings.Missing("message_type[0].field");
  EXPECT_THAT(read.settings.mistakes(),
              ElementsAre(StartsWith("f.txt:1: "),
                          "f.txt:2: message_type[0].field: is missing",
                          "f.txt:3: message_type[0].name: must be longer",
                          StartsWith("f.txt:5: ")));
}

// It may have stood in the line that could not be read.
TEST(TextSettingsTest, NothingIsCalledMissingWhenALineWasLeftOut) {
  Read read("name: 5\npackage: 'p'\n");
  read.settings.Missing("name");
  read.settings.Mistake("package", "must be longer");
  EXPECT_THAT(
      read.settings.mistakes(),
      ElementsAre(StartsWith("f.txt:1: "), "f.txt:2: package: must be longer"));
}

}  // namespace
}  // namespace schleuse
