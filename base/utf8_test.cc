#include "base/utf8.h"

#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

// The first and last character of each row of Unicode's table 3-7.
TEST(Utf8Test, AcceptsTheBordersOfEachRow) {
  const std::vector<std::string> characters[] = {
      {std::string(1, '\0'), "a", "\x7F"},
      {"\xC2\x80", "\xDF\xBF"},
      {"\xE0\xA0\x80", "\xE0\xBF\xBF", "\xE1\x80\x80", "\xEC\xBF\xBF",
       "\xED\x80\x80", "\xED\x9F\xBF", "\xEE\x80\x80", "\xEF\xBF\xBF"},
      {"\xF0\x90\x80\x80", "\xF0\xBF\xBF\xBF", "\xF1\x80\x80\x80",
       "\xF3\xBF\xBF\xBF", "\xF4\x80\x80\x80", "\xF4\x8F\xBF\xBF"},
  };
  for (size_t length = 1; length <= 4; ++length) {
    for (const std::string& character : characters[length - 1]) {
      EXPECT_EQ(Utf8Length(character), length) << absl::CHexEscape(character);
      EXPECT_EQ(Utf8Length(character + "\xFF"), length);
      EXPECT_TRUE(IsUtf8(absl::StrCat(character, "x", character)));
    }
  }
}

TEST(Utf8Test, RefusesWhatLiesBeyondThem) {
  for (const std::string& text :
       std::vector<std::string>{"\x80",
                                "\xBF",  // no lead byte
                                "\xC0\x80",
                                "\xC1\xBF",  // overlong, two bytes
                                "\xC2\x7F",
                                "\xC2\xC0",  // second byte is none
                                "\xE0\x80\x80",
                                "\xE0\x9F\xBF",  // overlong, three bytes
                                "\xED\xA0\x80",
                                "\xED\xBF\xBF",  // surrogates
                                "\xE1\x80\x7F",
                                "\xE1\x80\xC0",  // third byte is none
                                "\xF0\x80\x80\x80",
                                "\xF0\x8F\xBF\xBF",  // overlong, four bytes
                                "\xF4\x90\x80\x80",
                                "\xF5\x80\x80\x80",  // above U+10FFFF
                                "\xF0\x90\x80\x7F",
                                "\xF0\x90\x7F\x80",  // later bytes are none
                                "\xF8\x88\x80\x80\x80",
                                "\xFE",
                                "\xFF"}) {
    EXPECT_EQ(Utf8Length(text), 0u) << absl::CHexEscape(text);
    EXPECT_FALSE(IsUtf8("ok" + text)) << absl::CHexEscape(text);
  }
}

TEST(Utf8Test, RefusesACharacterCutShort) {
  for (const std::string character :
       {"\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\x9A\x93"}) {
    for (size_t length = 1; length < character.size(); ++length) {
      EXPECT_EQ(Utf8Length(character.substr(0, length)), 0u);
      EXPECT_FALSE(IsUtf8(character.substr(0, length)));
    }
  }
}

TEST(Utf8Test, NothingIsUtf8ButNoCharacter) {
  EXPECT_TRUE(IsUtf8(""));
  EXPECT_EQ(Utf8Length(""), 0u);
}

}  // namespace
}  // namespace schleuse
