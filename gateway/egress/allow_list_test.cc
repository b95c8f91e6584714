#include "gateway/egress/allow_list.h"

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/status_matchers.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

AllowList ListOf(const std::vector<std::string>& entries) {
  std::vector<AllowedNetwork> networks;
  for (const std::string& entry : entries) {
    networks.push_back(*AllowedNetwork::Parse(entry));
  }
  return AllowList(std::move(networks));
}

bool Permits(const AllowList& list, absl::string_view address) {
  return list.Permits(*SocketAddress::Parse(address));
}

TEST(AllowListTest, ForbidsEverythingUntilPermitted) {
  EXPECT_FALSE(Permits(AllowList(), "127.0.0.1:443"));
  EXPECT_FALSE(Permits(AllowList(), "10.0.0.1:443"));
  EXPECT_FALSE(Permits(AllowList(), "[::1]:443"));
}

TEST(AllowListTest, PermitsItsNetworksToTheBit) {
  const AllowList list =
      ListOf({"10.20.0.0/15:443", "[fd00:20::/33]:443", "192.168.7.9:9000"});
  for (const char* inside :
       {"10.20.0.0:443", "10.21.255.255:443", "[fd00:20::1]:443",
        "[fd00:20:7fff:ffff:ffff:ffff:ffff:ffff]:443", "192.168.7.9:9000"}) {
    EXPECT_TRUE(Permits(list, inside)) << inside;
  }
  for (const char* outside :
       {"10.19.255.255:443", "10.22.0.0:443", "10.20.0.0:444", "10.20.0.0:9000",
        "[fd00:20:8000::]:443", "[fd00:1f:ffff::]:443", "192.168.7.8:9000",
        "192.168.7.10:9000", "8.8.8.8:443"}) {
    EXPECT_FALSE(Permits(list, outside)) << outside;
  }
}

// The same bits in another family are another address.
TEST(AllowListTest, FamiliesAreNotMixedUp) {
  EXPECT_FALSE(Permits(ListOf({"0.0.0.0/0:443"}), "[2001:db8::1]:443"));
  EXPECT_FALSE(Permits(ListOf({"[::/0]:443"}), "192.0.2.1:443"));
}

TEST(AllowListTest, AMappedAddressIsTheAddressItMaps) {
  EXPECT_TRUE(Permits(ListOf({"10.0.0.0/8:443"}), "[::ffff:10.1.2.3]:443"));
  EXPECT_FALSE(Permits(ListOf({"10.0.0.0/8:443"}), "[::ffff:8.8.8.8]:443"));
  // As if the whole of IPv4 lay within an IPv6 entry.
  EXPECT_FALSE(Permits(ListOf({"[::/0]:443"}), "[::ffff:8.8.8.8]:443"));
}

TEST(AllowListTest, RefusesWhatIsNoNetwork) {
  for (const char* text :
       {"", "10.0.0.0/8", "10.0.0.0/8:", "10.0.0.0/8:0", "10.0.0.0/8:65536",
        "10.0.0.0/33:443", "10.0.0.0/:443", "10.0.0.0/-1:443",
        "10.0.0.0/8/8:443", "10.0.0/8:443", "10.0.0.1/8:443",
        "[10.0.0.0/8]:443", "fd00::/8:443", "[fd00::/129]:443",
        "[fd00::1/64]:443", "[fe80::%eth0/64]:443", "[::ffff:10.0.0.0/104]:443",
        "store.police.example:443", "*:443"}) {
    EXPECT_THAT(AllowedNetwork::Parse(text),
                StatusIs(absl::StatusCode::kInvalidArgument))
        << text;
  }
}

TEST(AllowListTest, KnowsWhatTheInternetCannotReach) {
  for (const char* internal :
       {"10.0.0.0/8:443", "10.20.0.0/16:443", "172.16.0.0/12:443",
        "172.31.0.0/16:443", "192.168.1.1:443", "100.64.0.0/10:443",
        "127.0.0.1:443", "[fd00::/8]:443", "[::1]:443"}) {
    EXPECT_TRUE(AllowedNetwork::Parse(internal)->IsInternal()) << internal;
  }
  for (const char* external :
       {"0.0.0.0/0:443", "8.0.0.0/7:443", "172.0.0.0/8:443",
        "172.32.0.0/16:443", "192.0.0.0/8:443", "100.0.0.0/8:443", "[::/0]:443",
        "[2001:db8::/32]:443", "[fe80::/10]:443", "[f800::/6]:443"}) {
    EXPECT_FALSE(AllowedNetwork::Parse(external)->IsInternal()) << external;
  }
}

TEST(AllowListTest, IsWrittenAsItIsRead) {
  for (const char* text : {"10.20.0.0/16:443", "[fd00:20::/32]:443"}) {
    EXPECT_EQ(AllowedNetwork::Parse(text)->ToString(), text);
  }
  EXPECT_EQ(AllowedNetwork::Parse("10.0.0.1:80")->ToString(), "10.0.0.1/32:80");
}

}  // namespace
}  // namespace schleuse
