#include "base/socket_address.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "base/status_matchers.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

TEST(SocketAddressTest, TakesLiterals) {
  for (const char* text : {"127.0.0.1:0", "0.0.0.0:8443", "192.0.2.1:65535",
                           "[::]:8443", "[2001:db8::1]:1"}) {
    ASSERT_OK_AND_ASSIGN(const SocketAddress address,
                         SocketAddress::Parse(text));
    EXPECT_EQ(address.ToString(), text);
  }
}

TEST(SocketAddressTest, RefusesEverythingElse) {
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
    EXPECT_THAT(SocketAddress::Parse(text),
                StatusIs(absl::StatusCode::kInvalidArgument))
        << text;
  }
  EXPECT_THAT(SocketAddress::Parse(std::string("127.0.0.1\0x:80", 14)),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(SocketAddressTest, OneAddressHasOneForm) {
  for (const auto& [text, form] :
       std::vector<std::pair<std::string, std::string>>{
           {"2001:DB8:0:0::1", "2001:db8::1"},
           {"::ffff:192.0.2.1", "192.0.2.1"},
           {"::ffff:c000:201", "192.0.2.1"},
           // Not mapped but "compatible", which nobody routes to IPv4.
           {"::192.0.2.1", "::192.0.2.1"}}) {
    ASSERT_OK_AND_ASSIGN(const IpAddress ip, IpAddress::Parse(text));
    EXPECT_EQ(ip.ToString(), form);
    EXPECT_EQ(ip, IpAddress::FromBytes(ip.bytes()));
  }
  ASSERT_OK_AND_ASSIGN(const SocketAddress mapped,
                       SocketAddress::Parse("[::ffff:192.0.2.1]:443"));
  EXPECT_EQ(mapped.ToString(), "192.0.2.1:443");
}

}  // namespace
}  // namespace schleuse
