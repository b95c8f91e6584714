#include "client/upload/text.h"

#include "gtest/gtest.h"

namespace schleuse::client {
namespace {

TEST(TextTest, LettersOfAnyLanguageArePlain) {
  for (const char* text : {"", "a b.mp4", "\303\234bung", "\xE2\x82\xAC",
                           "\xC2\xA0", "\xF0\x9F\x8E\xA5"}) {
    EXPECT_TRUE(IsPlainText(text)) << text;
    EXPECT_EQ(PlainText(text), text);
  }
}

TEST(TextTest, WhatMovesACursorOrIsNoTextIsNot) {
  EXPECT_EQ(PlainText("a\x1b[2Jb\n"), "a?[2Jb?");
  EXPECT_EQ(PlainText("\x7f"), "?");
  EXPECT_EQ(PlainText("\xC2\x9B"
                      "2J"),
            "??2J");  // CSI in one character
  EXPECT_EQ(PlainText("\xff\xC3"), "??");
  for (const char* text : {"a\nb", "\x7f", "\xC2\x85", "\xff", "\xC3"}) {
    EXPECT_FALSE(IsPlainText(text));
  }
}

}  // namespace
}  // namespace schleuse::client
