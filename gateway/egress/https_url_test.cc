#include "gateway/egress/https_url.h"

#include "base/status_matchers.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

TEST(HttpsUrlTest, TakesHostPortAndPrefix) {
  struct Case {
    const char* text;
    const char* host;
    int port;
    const char* prefix;
    const char* origin;
  };
  for (const Case& one : {
           Case{"https://w1.police.example", "w1.police.example", 443, "",
                "https://w1.police.example:443"},
           Case{"https://10.0.0.5:8443/", "10.0.0.5", 8443, "",
                "https://10.0.0.5:8443"},
           Case{"https://[fd00::5]", "fd00::5", 443, "",
                "https://[fd00::5]:443"},
           Case{"https://[fd00::5]:9/a/b//", "fd00::5", 9, "/a/b",
                "https://[fd00::5]:9"},
       }) {
    ASSERT_OK_AND_ASSIGN(const HttpsUrl url, HttpsUrl::Parse(one.text));
    EXPECT_EQ(url.host, one.host);
    EXPECT_EQ(url.port, one.port);
    EXPECT_EQ(url.prefix, one.prefix);
    EXPECT_EQ(url.Origin(), one.origin);
  }
}

TEST(HttpsUrlTest, RefusesEverythingElse) {
  for (const char* text : {"",
                           "https://",
                           "http://store",
                           "HTTPS://store",
                           "ftp://store",
                           "https:///path",
                           "https://store:",
                           "https://store:0",
                           "https://store:65536",
                           "https://store:1x",
                           "https://user@store",
                           "https://user:pass@store",
                           "https://store?x",
                           "https://store#x",
                           "https://store/a b",
                           "https://store/%2e%2e",
                           "https://store\\x",
                           "https://[10.0.0.5]",
                           "https://[fe80::1%eth0]",
                           "https://fd00::5",
                           "https://[fd00::5",
                           "https://-store",
                           "https://.store",
                           "https://st_ore"}) {
    EXPECT_THAT(HttpsUrl::Parse(text),
                StatusIs(absl::StatusCode::kInvalidArgument))
        << text;
  }
}

}  // namespace
}  // namespace schleuse
