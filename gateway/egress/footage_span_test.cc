#include "gateway/egress/footage_span.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

FootagePeer PeerAt(absl::string_view address, absl::string_view der) {
  return {*SocketAddress::Parse(address), Sha256::Of(der)};
}

std::vector<FootageSpan> AnySpans() {
  const absl::Time from = absl::FromUnixMicros(1'764'180'000'123'456);
  const absl::Time to = absl::FromUnixSeconds(1'764'201'600);
  FootageSpan ended = {.from = from, .to = to, .complete = false};
  ended.peers[PeerAt("10.20.0.5:443", "a")] = {1, 2, 3};
  ended.peers[PeerAt("10.20.0.5:443", "b")] = {4, 5, 6};
  ended.peers[PeerAt("[fd00:20::5]:443", "a")] = {~uint64_t{0}, 0, 1};
  ended.others = FootageCounts{7, 8, 9};
  return {ended, {.from = to, .local_store = true}};
}

TEST(FootageSpanTest, IsWrittenAsItIsRead) {
  const std::string text = ToText(AnySpans());
  EXPECT_THAT(ParseFootageSpans(text), IsOkAndHolds(AnySpans())) << text;
}

TEST(FootageSpanTest, RefusesEverythingElse) {
  const std::string text = ToText(AnySpans());
  const auto with = [&text](absl::string_view old, absl::string_view other) {
    const std::string changed = absl::StrReplaceAll(text, {{old, other}});
    EXPECT_NE(changed, text) << old;
    return changed;
  };
  const std::string another =
      absl::StrCat("peer 10.20.0.5:443 ", Sha256::Of("a").ToHex(), " 1 2 3\n");
  for (const std::string& bad :
       {std::string(),
        std::string("schleuse-egress-peers-v1\n"),
        text.substr(0, text.size() - 1),
        text + "span\n",
        text + "\n",
        text.substr(0, text.rfind("span")),              // no present one
        text + text.substr(text.rfind("span")),          // two of them
        "schleuse-egress-peers-v1\n" + another,          // of no span
        text.substr(0, text.find("others")) + another +  // twice
            text.substr(text.find("others")),
        with("-v1", "-v2"),
        with("incomplete", "partly"),
        with("local", "there"),
        with("10.20.0.5", "store"),
        with(" 4 5 6", " 4 5"),
        with(" 4 5 6", " 4 +5 6"),
        with(".123456Z", ".1234567Z"),
        with(" 4 5 6", " 4 -5 6"),
        with(" - complete", " 2025-11-28T00:00:00.000000Z complete"),
        with("2025-11-26", "2025-11-28"),
        with("2025-11-26T", "yesterday "),
        with(Sha256::Of("b").ToHex(), "00")}) {
    EXPECT_FALSE(ParseFootageSpans(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace schleuse
