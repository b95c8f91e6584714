#include "client/upload/recording_id.h"

#include "base/recording_name.h"
#include "gtest/gtest.h"

namespace schleuse::client {
namespace {

TEST(RecordingIdTest, IsTheFilesNameWhereThatIsAnId) {
  EXPECT_EQ(RecordingIdOf("r.mp4"), "r.mp4");
  EXPECT_EQ(RecordingIdOf("/media/cam/DCIM/2024-05-01_12~30.MP4"),
            "2024-05-01_12~30.MP4");
}

TEST(RecordingIdTest, EveryBadByteBecomesAnUnderscore) {
  EXPECT_EQ(RecordingIdOf("2024 05 01 (Hof).mp4"), "2024_05_01__Hof_.mp4");
  EXPECT_EQ(RecordingIdOf("Tür.mp4"), "T__r.mp4");
  EXPECT_EQ(RecordingIdOf(".hidden"), "_hidden");
  EXPECT_EQ(RecordingIdOf("~backup"), "_backup");
  EXPECT_EQ(RecordingIdOf(".."), "_.");
  EXPECT_EQ(RecordingIdOf("a\nb"), "a_b");
}

TEST(RecordingIdTest, ALongNameKeepsItsExtension) {
  const std::string id = RecordingIdOf(std::string(200, 'x') + ".mp4");
  EXPECT_EQ(id, std::string(124, 'x') + ".mp4");
  // Too long for an extension.
  EXPECT_EQ(RecordingIdOf("x." + std::string(200, 'y')),
            "x." + std::string(126, 'y'));
}

TEST(RecordingIdTest, IsAnIdWhateverTheName) {
  for (int a = 1; a < 256; ++a) {
    const std::string name = {static_cast<char>(a), static_cast<char>(255 - a),
                              static_cast<char>(a)};
    if (RecordingIdOf(name).empty()) continue;  // ends with a slash
    EXPECT_TRUE(IsId(RecordingIdOf(name))) << a;
  }
}

TEST(RecordingIdTest, ADirectoryHasNone) {
  EXPECT_EQ(RecordingIdOf("/media/"), "");
  EXPECT_EQ(RecordingIdOf(""), "");
}

}  // namespace
}  // namespace schleuse::client
