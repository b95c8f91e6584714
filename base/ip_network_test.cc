#include "base/ip_network.h"

#include "absl/strings/string_view.h"
#include "base/status_matchers.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

bool Holds(absl::string_view network, absl::string_view address) {
  return NetworkPort::Parse(network)->Holds(*SocketAddress::Parse(address));
}

TEST(IpNetworkTest, HoldsItsAddressesToTheBit) {
  for (const char* inside : {"10.20.0.0:443", "10.21.255.255:1"}) {
    EXPECT_TRUE(Holds("10.20.0.0/15", inside)) << inside;
  }
  for (const char* outside : {"10.19.255.255:443", "10.22.0.0:443"}) {
    EXPECT_FALSE(Holds("10.20.0.0/15", outside)) << outside;
  }
  EXPECT_TRUE(Holds("fd00:20::/33", "[fd00:20:7fff::1]:443"));
  EXPECT_FALSE(Holds("fd00:20::/33", "[fd00:20:8000::]:443"));
}

TEST(IpNetworkTest, APortIsThatPortAndNoneIsAll) {
  EXPECT_TRUE(Holds("10.0.0.1", "10.0.0.1:9"));
  EXPECT_TRUE(Holds("10.0.0.1:9", "10.0.0.1:9"));
  EXPECT_FALSE(Holds("10.0.0.1:8", "10.0.0.1:9"));
}

TEST(IpNetworkTest, FamiliesAreNotMixedUp) {
  EXPECT_FALSE(Holds("0.0.0.0/0", "[2001:db8::1]:443"));
  EXPECT_FALSE(Holds("::/0", "192.0.2.1:443"));
}

TEST(IpNetworkTest, AMappedAddressIsTheAddressItMaps) {
  EXPECT_TRUE(Holds("10.0.0.0/8", "[::ffff:10.1.2.3]:443"));
  EXPECT_FALSE(Holds("10.0.0.0/8", "[::ffff:8.8.8.8]:443"));
  EXPECT_FALSE(Holds("::/0", "[::ffff:8.8.8.8]:443"));
}

TEST(IpNetworkTest, IsWrittenAsItIsRead) {
  for (const char* text : {"10.20.0.0/16", "10.20.0.0/16:443", "fd00:20::/32",
                           "[fd00:20::/32]:443"}) {
    ASSERT_OK_AND_ASSIGN(const NetworkPort network, NetworkPort::Parse(text));
    EXPECT_EQ(network.ToString(), text);
  }
  EXPECT_EQ(NetworkPort::Parse("10.0.0.1")->ToString(), "10.0.0.1/32");
  EXPECT_EQ(NetworkPort::Parse("[fd00::1]")->ToString(), "fd00::1/128");
}

TEST(IpNetworkTest, RefusesEverythingElse) {
  for (const char* text : {"",
                           "10.0.0.0/8:",
                           "10.0.0.0/8:0",
                           "10.0.0.0/8:65536",
                           "10.0.0.0/33",
                           "10.0.0.0/",
                           "10.0.0.0/-1",
                           "10.0.0.0/8/8",
                           "10.0.0/8",
                           "10.0.0.1/8",
                           "[10.0.0.0/8]",
                           "[10.0.0.0/8]:443",
                           "fd00::/8:443",
                           "[fd00::/129]",
                           "[fd00::/8",
                           "fd00::/8]",
                           "[fd00::/8]443",
                           "[fd00::1/64]:443",
                           "fe80::%eth0/64",
                           "::ffff:10.0.0.0/104",
                           "[::ffff:10.0.0.0/104]:443",
                           "store.police.example",
                           "*",
                           ":443"}) {
    EXPECT_THAT(NetworkPort::Parse(text),
                StatusIs(absl::StatusCode::kInvalidArgument))
        << text;
  }
}

}  // namespace
}  // namespace schleuse
