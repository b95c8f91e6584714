#include "gateway/retention/holds.h"

#include "base/status.h"
#include "base/status_matchers.h"
#include "disk/fake_disk.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using testing::HasSubstr;
using testing::Optional;

constexpr char kPath[] = "/holds.textproto";

absl::StatusOr<Holds> Load(absl::string_view text) {
  FakeDisk disk;
  RETURN_IF_ERROR(WriteFileAtomically(disk, kPath, text));
  return Holds::Load(disk, kPath);
}

RecordingName Name(absl::string_view camera, absl::string_view recording) {
  return *RecordingName::Parse(camera, recording);
}

TEST(HoldsTest, HoldsWhatFitsEveryKindThatItNames) {
  ASSERT_OK_AND_ASSIGN(
      const Holds holds,
      Load("hold { name: 'h-1' camera: 'cam-1' recording: 'a*' reason: 'r'"
           " by: 'b' }"
           "hold { name: 'h-2' incident: '2026-17' reason: 'r' by: 'b' }"
           "hold { name: 'h-3' camera: 'k*' incident: 'x' reason: 'r'"
           " by: 'b' }"));
  EXPECT_THAT(holds.Of(Name("cam-1", "a.mp4"), ""),
              Optional(std::string("h-1")));
  EXPECT_EQ(holds.Of(Name("cam-1", "b.mp4"), ""), std::nullopt);
  EXPECT_EQ(holds.Of(Name("cam-10", "a.mp4"), ""), std::nullopt);
  EXPECT_THAT(holds.Of(Name("cam-9", "z"), "2026-17"),
              Optional(std::string("h-2")));
  EXPECT_EQ(holds.Of(Name("cam-9", "z"), "2026-1"), std::nullopt);
  EXPECT_THAT(holds.Of(Name("k9", "z"), "x"), Optional(std::string("h-3")));
  EXPECT_EQ(holds.Of(Name("k9", "z"), ""), std::nullopt);
  // Of what nobody knows, any may be meant.
  EXPECT_THAT(holds.Of(std::nullopt, ""), Optional(std::string("h-1")));
}

TEST(HoldsTest, EmptyFileHoldsNothingAndAStarHoldsAll) {
  ASSERT_OK_AND_ASSIGN(const Holds none, Load(""));
  EXPECT_EQ(none.Of(Name("c", "r"), "i"), std::nullopt);
  EXPECT_EQ(none.Of(std::nullopt, ""), std::nullopt);
  ASSERT_OK_AND_ASSIGN(
      const Holds all,
      Load("hold { name: 'all' camera: '*' reason: 'r' by: 'b' }"));
  EXPECT_THAT(all.Of(Name("c", "r"), ""), Optional(std::string("all")));
}

TEST(HoldsTest, EveryMistakeIsNamed) {
  const auto holds = Load(
      "hold { camera: 'a b' reason: 'r' by: 'b' }\n"
      "hold { name: 'h' reason: 'r' by: 'b' }\n"
      "hold { name: 'h' camera: 'c' recording: '**' }\n");
  ASSERT_THAT(holds, StatusIs(absl::StatusCode::kInvalidArgument));
  for (const char* mistake :
       {":1: hold[0].name", ":1: hold[0].camera[0]", ":2: hold[1]",
        ":3: hold[2].name", ":3: hold[2].recording[0]", ":3: hold[2].reason",
        ":3: hold[2].by"}) {
    EXPECT_THAT(holds.status().message(), HasSubstr(mistake));
  }
}

}  // namespace
}  // namespace schleuse
