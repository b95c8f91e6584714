#include "gateway/store/s3_book.h"

#include <string>
#include <vector>

#include "gateway/store/s3_names.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using testing::ElementsAre;

const absl::Time kNow = absl::UnixEpoch();

TEST(S3BookTest, OneAtATimeMakesAnObjectInTheOrderOfAsking) {
  S3Book book;
  std::vector<int> got;
  for (int i = 0; i < 3; ++i) {
    book.Acquire("k", [&got, i] { got.push_back(i); });
  }
  book.Acquire("other", [&got] { got.push_back(9); });
  EXPECT_THAT(got, ElementsAre(0, 9));
  book.GiveBack("k");
  EXPECT_THAT(got, ElementsAre(0, 9, 1));
  book.GiveBack("k");
  book.GiveBack("k");
  EXPECT_FALSE(book.IsBeingMade("k"));
  EXPECT_TRUE(book.IsBeingMade("other"));
}

// What somebody may be about to state must not be removed under their hands.
TEST(S3BookTest, WhatSomebodyWasToldOfIsNotRemoved) {
  S3Book book;
  EXPECT_TRUE(book.Tell("k", kNow));
  EXPECT_FALSE(book.BeginRemoval("k", kNow + absl::Minutes(59)));
  EXPECT_TRUE(book.BeginRemoval("k", kNow + absl::Minutes(61)));
  EXPECT_FALSE(book.Tell("k", kNow + absl::Minutes(61)));
  // Nobody knows whether it went: it is tried again, and nobody is told.
  EXPECT_TRUE(book.BeginRemoval("k", kNow + absl::Minutes(61)));
  EXPECT_FALSE(book.Tell("k", kNow + absl::Minutes(61)));
  book.Gone("k");
  EXPECT_TRUE(book.Tell("k", kNow + absl::Minutes(61)));
}

TEST(S3BookTest, WhatIsBeingMadeOrNotProvedYetIsNotRemoved) {
  S3Book book;
  book.Acquire("k", [] {});
  EXPECT_FALSE(book.BeginRemoval("k", kNow));
  EXPECT_FALSE(book.Tell("k", kNow)) << "it is not there yet";
  book.GiveBack("k");
  book.SetUnproved("k");
  EXPECT_FALSE(book.BeginRemoval("k", kNow));
  book.ForgetUnproved("k");
  EXPECT_TRUE(book.BeginRemoval("k", kNow));
}

TEST(S3NamesTest, ReadsTheKeysOfRecordingsAndOfNothingElse) {
  const std::string id = "0123456789abcdef0123456789abcdef";
  const auto named = s3::Read("cam-1/r.mp4/" + id);
  ASSERT_TRUE(named.has_value());
  EXPECT_EQ(named->name, *RecordingName::Parse("cam-1", "r.mp4"));
  EXPECT_EQ(named->id.ToString(), id);
  EXPECT_TRUE(named->id.IsOf("0123456789ab"));
  EXPECT_FALSE(named->id.IsOf("0123456789ac"));
  EXPECT_EQ(s3::KeyOf(named->name, named->id), "cam-1/r.mp4/" + id);
  for (const std::string& other :
       {"cam-1/r.mp4/" + id + ".statement.json", std::string(""), "cam-1/" + id,
        ".schleuse/" + id + "/marker", "a/b/c/" + id, "../r/" + id,
        "cam-1/r.mp4/" + id.substr(1) + "G"}) {
    EXPECT_FALSE(s3::Read(other)) << other;
  }
}

}  // namespace
}  // namespace schleuse
