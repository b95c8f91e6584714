// The proto files of this repository against proto/golden.txtpb, which is what
// others may rely on; and the rules themselves against made-up files.
#include "proto/contract.h"

#include <google/protobuf/text_format.h>
#include <google/protobuf/util/message_differencer.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse::contract {
namespace {

namespace pb = google::protobuf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string ReadFile(const char* path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in) << path;
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

Files Present() {
  Files files;
  EXPECT_TRUE(files.ParseFromString(ReadFile("proto/present.binpb")));
  EXPECT_GE(files.file_size(), 4);
  return files;
}

Files FromText(const char* path) {
  Files files;
  EXPECT_TRUE(pb::TextFormat::ParseFromString(ReadFile(path), &files)) << path;
  EXPECT_GE(files.file_size(), 4) << path;
  return files;
}

std::string Lines(const std::vector<std::string>& lines) {
  return absl::StrJoin(lines, "\n");
}

TEST(ContractTest, NothingIsBroken) {
  const auto broken =
      BreakingChanges(FromText("proto/golden.txtpb"), Present());
  EXPECT_THAT(Lines(broken), IsEmpty())
      << "Devices in the field and files on disk rely on these. Add a new "
         "field, value or method and keep the old one. Only if no release "
         "has it: ./dev golden, and say so in the commit.";
}

TEST(ContractTest, TheGoldenFileIsThePresentOne) {
  EXPECT_TRUE(pb::util::MessageDifferencer::Equals(
      FromText("proto/golden.txtpb"), FromText("proto/present.txtpb")))
      << "The proto files changed. If NothingIsBroken passes they stay "
         "compatible: run ./dev golden and commit proto/golden.txtpb too.";
}

TEST(ContractTest, EverythingIsDocumented) {
  EXPECT_THAT(Lines(Undocumented(Present())), IsEmpty())
      << "Write a comment before each of these in its proto file.";
}

// --- the rules ---------------------------------------------------------------

// As protoc reads the file a.proto in package p.
Files Parse(const std::string& body) {
  const std::string directory = ::testing::TempDir();
  std::ofstream(directory + "/a.proto") << "syntax = \"proto3\";\npackage p;\n"
                                        << body;
  const std::string command =
      absl::StrCat("cd '", directory,
                   "' && /usr/bin/protoc -I . --include_source_info "
                   "--descriptor_set_out=a.binpb a.proto");
  EXPECT_EQ(std::system(command.c_str()), 0) << body;
  Files files;
  EXPECT_TRUE(
      files.ParseFromString(ReadFile((directory + "/a.binpb").c_str())));
  return files;
}

// From `before` to `after`.
std::vector<std::string> Breaks(const std::string& before,
                                const std::string& after) {
  return BreakingChanges(Parse(before), Parse(after));
}

TEST(BreakingChangesTest, AdditionsBreakNobody) {
  EXPECT_THAT(
      Breaks("message M { string a = 1; } enum E { Z = 0; } "
             "service S { rpc R(M) returns (M); }",
             "message M { string a = 1; bytes b = 2; message N {} } "
             "enum E { Z = 0; Y = 1; } message O {} "
             "service S { rpc R(M) returns (M); rpc Q(M) returns (M); }"),
      IsEmpty());
}

TEST(BreakingChangesTest, AFieldIsGone) {
  EXPECT_THAT(Breaks("message M { string a = 1; string b = 2; }",
                     "message M { string b = 2; reserved 1; }"),
              ElementsAre(HasSubstr("p.M.a: the field with number 1 is gone")));
}

TEST(BreakingChangesTest, AFieldHasAnotherNumber) {
  EXPECT_THAT(
      Breaks("message M { string a = 1; }", "message M { string a = 2; }"),
      ElementsAre(HasSubstr("p.M.a: the field with number 1 is gone")));
}

TEST(BreakingChangesTest, AFieldHasAnotherType) {
  EXPECT_THAT(
      Breaks("message M { int32 a = 1; }", "message M { int64 a = 1; }"),
      ElementsAre(HasSubstr("p.M.a: its type")));
}

TEST(BreakingChangesTest, AFieldHasAnotherName) {
  EXPECT_THAT(
      Breaks("message M { int32 a = 1; }", "message M { int32 b = 1; }"),
      ElementsAre("p.M.a: its name was \"a\" and is \"b\""));
}

TEST(BreakingChangesTest, AFieldBecameRepeatedOrExplicit) {
  EXPECT_THAT(Breaks("message M { int32 a = 1; }",
                     "message M { repeated int32 a = 1; }"),
              ElementsAre(HasSubstr("p.M.a: its label")));
  EXPECT_THAT(Breaks("message M { int32 a = 1; }",
                     "message M { optional int32 a = 1; }"),
              ElementsAre(HasSubstr("p.M.a: its label")));
}

TEST(BreakingChangesTest, AFieldMovedIntoAOneof) {
  EXPECT_THAT(Breaks("message M { int32 a = 1; }",
                     "message M { oneof o { int32 a = 1; } }"),
              ElementsAre(HasSubstr("p.M.a: its oneof")));
}

TEST(BreakingChangesTest, ANestedMessageIsGone) {
  EXPECT_THAT(Breaks("message M { message N {} }", "message M {}"),
              ElementsAre("p.M.N: the message is gone"));
}

TEST(BreakingChangesTest, AnEnumChanged) {
  EXPECT_THAT(Breaks("enum E { Z = 0; A = 1; }", "enum E { Z = 0; A = 2; }"),
              ElementsAre(HasSubstr("p.E.A: the value with number 1 is gone")));
  EXPECT_THAT(Breaks("enum E { Z = 0; A = 1; }", "enum E { Z = 0; B = 1; }"),
              ElementsAre(HasSubstr("p.E.A: its name")));
  EXPECT_THAT(Breaks("enum E { Z = 0; }", ""),
              ElementsAre("p.E: the enum is gone"));
}

TEST(BreakingChangesTest, AServiceChanged) {
  const std::string message = "message M {} message N {} ";
  const std::string before =
      absl::StrCat(message, "service S { rpc R(M) returns (M); }");
  EXPECT_THAT(Breaks(before, message), ElementsAre("p.S: the service is gone"));
  EXPECT_THAT(Breaks(before, absl::StrCat(message, "service S {}")),
              ElementsAre("p.S.R: the method is gone"));
  for (const char* changed :
       {"rpc R(N) returns (M);", "rpc R(M) returns (N);",
        "rpc R(stream M) returns (M);", "rpc R(M) returns (stream M);"}) {
    EXPECT_THAT(
        Breaks(before, absl::StrCat(message, "service S { ", changed, " }")),
        ElementsAre(HasSubstr("p.S.R: its signature")))
        << changed;
  }
}

TEST(BreakingChangesTest, AFileOrItsPackageChanged) {
  Files other = Parse("");
  other.mutable_file(0)->set_package("q");
  EXPECT_THAT(BreakingChanges(Parse(""), other),
              ElementsAre(HasSubstr("a.proto: its package")));
  EXPECT_THAT(BreakingChanges(Parse(""), Files()),
              ElementsAre("a.proto: the file is gone"));
}

TEST(UndocumentedTest, NamesEachElementWithoutAComment) {
  EXPECT_THAT(Undocumented(Parse("// Documented.\n"
                                 "message M {\n"
                                 "  // Documented.\n"
                                 "  int32 a = 1;\n"
                                 "  int32 b = 2;\n"
                                 "  oneof o {\n"
                                 "    int32 c = 3;  // Documented.\n"
                                 "  }\n"
                                 "  message N {}\n"
                                 "}\n"
                                 "enum E { E_UNSPECIFIED = 0; A = 1; }\n"
                                 "service S { rpc R(M) returns (M); }\n")),
              ElementsAre("a.proto: p.M.b", "a.proto: p.M.N", "a.proto: p.E",
                          "a.proto: p.E.A", "a.proto: p.S", "a.proto: p.S.R"));
}

}  // namespace
}  // namespace schleuse::contract
