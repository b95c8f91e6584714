#include "gateway/egress/host_names.h"

#include <string>
#include <vector>

#include "base/status_matchers.h"
#include "disk/fake_disk.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class HostNamesTest : public testing::Test {
 protected:
  HostNamesTest() {
    Write(
        "127.0.0.1 localhost\n"
        "# 10.0.0.9 store.police.example\n"
        "10.0.0.5\tstore.police.example store # the old one\n"
        "fd00::5 STORE.police.example\n"
        "10.0.0.5 store.police.example\n"
        "nonsense store.police.example\n"
        "10.0.0.6\n");
  }
  void Write(absl::string_view text) {
    EXPECT_OK(WriteFileAtomically(disk_, "/hosts", text));
  }
  std::vector<std::string> Find(absl::string_view host) const {
    std::vector<std::string> found;
    const auto ips = names_.Find(host);
    if (!ips.ok()) return {std::string(ips.status().message())};
    for (const IpAddress& ip : *ips) found.push_back(ip.ToString());
    return found;
  }

  FakeDisk disk_;
  const HostNames names_{disk_, "/hosts", /*dns=*/false};
};

TEST_F(HostNamesTest, ALiteralIsItself) {
  EXPECT_THAT(Find("192.0.2.1"), ElementsAre("192.0.2.1"));
  EXPECT_THAT(Find("2001:db8::1"), ElementsAre("2001:db8::1"));
}

TEST_F(HostNamesTest, ReadsTheHostsFile) {
  EXPECT_THAT(Find("store.police.example"), ElementsAre("10.0.0.5", "fd00::5"));
  EXPECT_THAT(Find("Store"), ElementsAre("10.0.0.5"));
}

TEST_F(HostNamesTest, ReadsItAnewEachTime) {
  Write("10.0.0.7 store\n");
  EXPECT_THAT(Find("store"), ElementsAre("10.0.0.7"));
}

// A test that asked the DNS would depend on the machine; that it is not asked
// shows in what is said.
TEST_F(HostNamesTest, WhoIsNotInItIsNobody) {
  EXPECT_THAT(Find("store.example"),
              ElementsAre(HasSubstr("enter it there, name an IP address")));
  EXPECT_THAT(Find(""), ElementsAre(HasSubstr("no address of")));
  EXPECT_THAT(Find("police.example"), ElementsAre(HasSubstr("no address of")));
}

TEST_F(HostNamesTest, AMissingHostsFileIsAnError) {
  const HostNames names(disk_, "/none", false);
  EXPECT_THAT(names.Find("store"), StatusIs(absl::StatusCode::kNotFound));
}

}  // namespace
}  // namespace schleuse
