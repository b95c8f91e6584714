#include "crypto/digest.h"

#include <string>
#include <utility>

#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

struct Vector {
  std::string message;
  std::string hex;
};

// FIPS 180-4 and its examples, checked with sha256sum.
const Vector kVectors[] = {
    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    {std::string(1000000, 'a'),
     "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
};

TEST(Sha256Test, MatchesTheStandardsVectors) {
  for (const Vector& vector : kVectors) {
    EXPECT_EQ(Sha256::Of(vector.message).ToHex(), vector.hex);
  }
}

TEST(Sha256Test, PiecesOfAnySizeEqualTheWhole) {
  for (const size_t piece_bytes : {1, 63, 64, 65, 4096, 999999}) {
    Sha256 hash;
    const std::string& message = kVectors[3].message;
    for (size_t at = 0; at < message.size(); at += piece_bytes) {
      hash.Update(absl::string_view(message).substr(at, piece_bytes));
    }
    EXPECT_EQ(hash.Current().ToHex(), kVectors[3].hex) << piece_bytes;
    EXPECT_EQ(hash.bytes_hashed(), message.size());
  }
}

TEST(Sha256Test, CordOfManyPiecesEqualsItsText) {
  absl::Cord cord;
  std::string text;
  for (int i = 0; i < 100; ++i) {
    const std::string piece(1000 + i, static_cast<char>(i));
    cord.Append(absl::Cord(piece));
    text += piece;
  }
  Sha256 hash;
  hash.Update(cord);
  EXPECT_EQ(hash.Current(), Sha256::Of(text));
  EXPECT_EQ(hash.bytes_hashed(), text.size());
}

TEST(Sha256Test, MoreMayFollowAfterCurrent) {
  Sha256 hash;
  EXPECT_EQ(hash.Current(), Sha256::Of(""));
  hash.Update("a");
  EXPECT_EQ(hash.Current(), Sha256::Of("a"));
  hash.Update("bc");
  EXPECT_EQ(hash.Current(), Sha256::Of("abc"));
  EXPECT_EQ(hash.Current(), Sha256::Of("abc"));
}

TEST(Sha256Test, GoesOnAfterBeingMoved) {
  Sha256 hash;
  hash.Update("ab");
  Sha256 moved = std::move(hash);
  moved.Update("c");
  EXPECT_EQ(moved.Current(), Sha256::Of("abc"));
  EXPECT_EQ(moved.bytes_hashed(), 3);
}

TEST(DigestTest, BytesAndHexComeBackAsTheyWere) {
  const Digest digest = Sha256::Of("abc");
  EXPECT_THAT(Digest::FromBytes(digest.bytes()), IsOkAndHolds(digest));
  EXPECT_THAT(Digest::FromHex(digest.ToHex()), IsOkAndHolds(digest));
}

TEST(DigestTest, RefusesWhatIsNoDigest) {
  const std::string hex = kVectors[1].hex;
  for (const std::string& bad :
       {std::string(), hex.substr(1), hex + "0", "g" + hex.substr(1),
        " " + hex.substr(1), std::string(64, '\0')}) {
    EXPECT_THAT(Digest::FromHex(bad),
                StatusIs(absl::StatusCode::kInvalidArgument));
  }
  for (const size_t size : {0, 31, 33, 64}) {
    EXPECT_THAT(Digest::FromBytes(std::string(size, 'x')),
                StatusIs(absl::StatusCode::kInvalidArgument));
  }
}

}  // namespace
}  // namespace schleuse
