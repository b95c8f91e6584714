#include "gateway/rpc/listen_address.h"

#include <string>

#include "absl/status/status.h"
#include "base/status_matchers.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

TEST(ListenAddressTest, TakesLiterals) {
  for (const char* text : {"127.0.0.1:0", "0.0.0.0:8443", "192.0.2.1:65535",
                           "[::]:8443", "[2001:db8::1]:1"}) {
    ASSERT_OK_AND_ASSIGN(const ListenAddress address,
                         ListenAddress::Parse(text));
    EXPECT_EQ(address.ToString(), text);
  }
}

TEST(ListenAddressTest, RefusesEverythingElse) {
  for (const std::string text : {"",
                                 ":",
                                 "8443",
                                 ":8443",
                                 "127.0.0.1",
                                 "127.0.0.1:",
                                 "127.0.0.1:65536",
                                 "127.0.0.1:-1",
                                 "127.0.0.1: 1",
                                 "127.0.0.1:+1",
                                 "127.0.0.1:000001",
                                 "localhost:8443",
                                 "gateway.police.example:8443",
                                 "127.1:8443",
                                 "[127.0.0.1]:8443",
                                 "::1:8443",
                                 "[::1:8443",
                                 "::1]:8443",
                                 "[]:8443",
                                 "unix:/tmp/socket",
                                 "[fe80::1%eth0]:8443",
                                 "127.0.0.1:8443 "}) {
    EXPECT_THAT(ListenAddress::Parse(text),
                StatusIs(absl::StatusCode::kInvalidArgument))
        << text;
  }
  EXPECT_THAT(ListenAddress::Parse(std::string("127.0.0.1\0x:80", 14)),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace schleuse
