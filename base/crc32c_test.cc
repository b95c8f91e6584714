#include "base/crc32c.h"

#include <algorithm>
#include <string>

#include "absl/strings/cord.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

std::string Rising() {
  std::string bytes;
  for (int i = 0; i < 32; ++i) bytes.push_back(static_cast<char>(i));
  return bytes;
}

// RFC 3720, appendix B.4, and the check value of every CRC catalogue.
TEST(Crc32cTest, AgreesWithTheStandard) {
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8A9136AAu);
  EXPECT_EQ(Crc32c(std::string(32, '\xFF')), 0x62A8AB43u);
  EXPECT_EQ(Crc32c(Rising()), 0x46DD794Eu);
  const std::string rising = Rising();
  EXPECT_EQ(Crc32c(std::string(rising.rbegin(), rising.rend())), 0x113FDB5Cu);
  EXPECT_EQ(Crc32c("123456789"), 0xE3069283u);
  EXPECT_EQ(Crc32c(""), 0u);
}

TEST(Crc32cTest, PiecesMakeTheSameAsTheWhole) {
  std::string bytes;
  for (int i = 0; i < 1000; ++i) bytes.push_back(static_cast<char>(i * i));
  const absl::string_view view = bytes;
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    EXPECT_EQ(ExtendCrc32c(Crc32c(view.substr(0, cut)), view.substr(cut)),
              Crc32c(view))
        << cut;
  }
}

TEST(Crc32cTest, ACordMakesTheSameAsItsBytes) {
  absl::Cord cord;
  std::string bytes;
  for (int i = 0; i < 100; ++i) {
    const std::string piece(i * 37 % 600, static_cast<char>(i));
    bytes += piece;
    cord.Append(absl::Cord(piece));
  }
  EXPECT_EQ(Crc32c(cord), Crc32c(bytes));
  EXPECT_EQ(Crc32c(absl::Cord()), 0u);
}

}  // namespace
}  // namespace schleuse
