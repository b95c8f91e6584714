#include "client/verify/residency.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_matchers.h"
#include "crypto/digest.h"
#include "crypto/signer.h"
#include "disk/fake_disk.h"
#include "evidence/checkpoint.h"
#include "evidence/merkle.h"
#include "evidence/note.h"
#include "evidence/right_edge.h"
#include "evidence/tile.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse::client {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;

constexpr char kGateway[] = "police.example/gw-1";
constexpr char kOrigin[] = "police.example/gw-1/custody/2026";
constexpr char kDirectory[] = "/log";

std::string Certificate() { return Sha256::Of("der").ToHex(); }

std::string PeerAt(absl::string_view address, int bytes = 1000) {
  return absl::StrCat(R"({"address":")", address, R"(","certificate_sha256":")",
                      Certificate(), R"(","bytes_sent":")", bytes,
                      R"(","bytes_received":")", bytes,
                      R"(","connections":"2"})");
}

// What a gateway would state of one span.
struct Told {
  std::string from, to;
  std::vector<std::string> peers = {};
  bool complete = true;
  bool local_store = false;
  int part = 1, parts = 1;
};
std::string Residency(const Told& told) {
  return absl::StrCat(R"("residency":{"from":")", told.from, R"(","to":")",
                      told.to, R"(","peers":[)", absl::StrJoin(told.peers, ","),
                      R"(],"complete":)", told.complete ? "true" : "false",
                      R"(,"local_store":)", told.local_store ? "true" : "false",
                      R"(,"part":)", told.part, R"(,"parts":)", told.parts,
                      "}");
}
std::string Day(int day, std::vector<std::string> peers = {}) {
  return Residency({absl::StrCat("2026-11-", day, "T00:00:00.000000Z"),
                    absl::StrCat("2026-11-", day + 1, "T00:00:00.000000Z"),
                    std::move(peers)});
}

class ResidencyTest : public testing::Test {
 protected:
  // A log of these events, published and signed.
  void Publish(const std::vector<std::string>& events) {
    std::vector<std::string> entries;
    RightEdge edge;
    const auto add = [&](absl::string_view event) {
      entries.push_back(absl::StrCat(
          R"({"gateway":")", kGateway,
          R"(","time":"2026-11-26T18:05:29.123456Z",)"
          R"("clock_synchronised":true,)"
          R"("nonce":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",)",
          event, "}"));
      edge.Append(LeafHash(entries.back()));
    };
    add(absl::StrCat(R"("log_begun":{"origin":")", kOrigin, R"("})"));
    for (const std::string& event : events) add(event);
    Put(EntriesPath(0, edge.size()), *EncodeEntries(entries));
    Put(TilePath(0, 0, edge.size()), *edge.Tile(0, 0, edge.size()));
    Put("checkpoint",
        *SignNote(ToText(Checkpoint{kOrigin, edge.size(), edge.Root()}),
                  {*NoteSigner::Make(kOrigin, key_)}));
  }
  void Put(absl::string_view name, absl::string_view bytes) {
    const std::string path = JoinPath(kDirectory, name);
    EXPECT_OK(MakeDirectories(disk_, ParentOf(path)));
    EXPECT_OK(WriteFileAtomically(disk_, path, bytes));
  }
  static PinnedKeys PinnedTo(const PrivateKey& key) {
    return *PinnedKeys::Make(kGateway, {key.public_key()});
  }
  static absl::Time TimeAt(absl::string_view text) {
    absl::Time time;
    EXPECT_TRUE(absl::ParseTime("%Y-%m-%d", text, &time, nullptr));
    return time;
  }
  ResidencyQuestion AskOf(absl::string_view from, absl::string_view to,
                          const std::vector<std::string>& allow = {
                              "10.20.0.0/16:443"}) {
    ResidencyQuestion question = {.from = TimeAt(from), .to = TimeAt(to)};
    for (const std::string& network : allow) {
      question.allow.push_back(*NetworkPort::Parse(network));
    }
    return question;
  }
  Report Check(const ResidencyQuestion& question) {
    auto report =
        CheckResidency(disk_, kDirectory, PinnedTo(key_), question, advance_);
    EXPECT_OK(report);
    return report.ok() ? *std::move(report) : Report();
  }

  const PrivateKey key_ = PrivateKey::Generate(KeyKind::kEd25519);
  FakeDisk disk_;
  const std::function<void(uint64_t, uint64_t)> advance_ = [](uint64_t,
                                                              uint64_t) {};
};

TEST_F(ResidencyTest, SaysWhitherFootageWentAndWhatThatProves) {
  Publish({Day(24, {PeerAt("10.20.0.5:443")}), Day(25),
           Day(26, {PeerAt("10.20.0.5:443"), PeerAt("10.20.0.6:443", 5)})});
  const Report report = Check(AskOf("2026-11-24", "2026-11-27"));
  EXPECT_THAT(report.problems, IsEmpty());
  EXPECT_THAT(
      report.proven,
      AllOf(Contains(AllOf(
                HasSubstr("a next hop was 10.20.0.5:443"),
                HasSubstr(Certificate()),
                HasSubstr("2000 bytes of footage were sent to it and 2000 came "
                          "from it, over 4 connections, on 2026-11-24, "
                          "2026-11-26"))),
            Contains(HasSubstr("a next hop was 10.20.0.6:443")),
            Contains(HasSubstr("over 1 span no footage went")),
            Contains(HasSubstr("of every moment 2026-11-24T00:00:00Z to "
                               "2026-11-27T00:00:00Z"))));
  EXPECT_THAT(report.not_proven,
              Contains(HasSubstr("what a next hop did with footage")));
  EXPECT_THAT(report.facts, Contains(Pair("next_hops", "2")));
}

TEST_F(ResidencyTest, WithoutASpanItTakesAllThatIsStatedAndSaysSo) {
  Publish({Day(24), Day(25)});
  const Report report = Check({});
  EXPECT_THAT(report.problems, IsEmpty());
  EXPECT_THAT(report.not_proven,
              AllOf(Contains(HasSubstr("before 2026-11-24T00:00:00Z")),
                    Contains(HasSubstr("from 2026-11-26T00:00:00Z on"))));
}

TEST_F(ResidencyTest, ALocalStoreIsNoNextHop) {
  Publish({Residency({.from = "2026-11-24T00:00:00Z",
                      .to = "2026-11-25T00:00:00Z",
                      .local_store = true})});
  const Report report = Check(AskOf("2026-11-24", "2026-11-25", {}));
  EXPECT_THAT(report.problems, IsEmpty());
  EXPECT_THAT(report.proven,
              Contains(HasSubstr("footage stayed in the gateway's own store")));
}

TEST_F(ResidencyTest, DaysInARowAreOneRun) {
  std::vector<std::string> days;
  for (int day = 20; day < 25; ++day) {
    days.push_back(Day(day, {PeerAt("10.20.0.5:443")}));
  }
  Publish(days);
  EXPECT_THAT(Check(AskOf("2026-11-20", "2026-11-25")).proven,
              Contains(HasSubstr("on 2026-11-20 to 2026-11-24")));
}

// --- what is refused ---------------------------------------------------------

TEST_F(ResidencyTest, ANextHopOutsideIsRefused) {
  Publish({Day(24, {PeerAt("192.0.2.9:443"), PeerAt("10.20.0.5:443")})});
  EXPECT_THAT(
      Check(AskOf("2026-11-24", "2026-11-25")).problems,
      ElementsAre(AllOf(HasSubstr("the next hop 192.0.2.9:443 is not allowed"),
                        HasSubstr(Certificate()), HasSubstr("2026-11-24"))));
}

TEST_F(ResidencyTest, AnotherPortIsRefusedUnlessAllAreAllowed) {
  Publish({Day(24, {PeerAt("10.20.0.5:444")})});
  EXPECT_FALSE(Check(AskOf("2026-11-24", "2026-11-25")).holds());
  EXPECT_TRUE(
      Check(AskOf("2026-11-24", "2026-11-25", {"10.20.0.0/16"})).holds());
  EXPECT_FALSE(Check(AskOf("2026-11-24", "2026-11-25", {})).holds());
}

TEST_F(ResidencyTest, AMappedAddressIsTheAddressItMaps) {
  Publish({Day(24, {PeerAt("[::ffff:10.20.0.5]:443"), PeerAt("10.20.0.5:443"),
                    PeerAt("[::ffff:192.0.2.9]:443")})});
  const Report report =
      Check(AskOf("2026-11-24", "2026-11-25", {"10.20.0.0/16", "::/0"}));
  EXPECT_THAT(
      report.problems,
      ElementsAre(HasSubstr("the next hop 192.0.2.9:443 is not allowed")));
  EXPECT_THAT(report.proven,
              Contains(AllOf(HasSubstr("a next hop was 10.20.0.5:443"),
                             HasSubstr("2000 bytes of footage were sent"))));
}

TEST_F(ResidencyTest, PeersThatAreNotNamedAreRefused) {
  Publish({Day(24, {R"({"address":"others","bytes_sent":"7"})"})});
  EXPECT_THAT(Check(AskOf("2026-11-24", "2026-11-25")).problems,
              ElementsAre(HasSubstr("not all next hops are named")));
  Publish({Day(24, {R"({"address":"10.20.0.5:443","bytes_sent":"7"})"})});
  EXPECT_THAT(Check(AskOf("2026-11-24", "2026-11-25")).problems,
              ElementsAre(HasSubstr("has no certificate")));
}

TEST_F(ResidencyTest, AMissingDayIsAGap) {
  Publish({Day(23), Day(25)});
  EXPECT_THAT(
      Check(AskOf("2026-11-23", "2026-11-26")).problems,
      ElementsAre(HasSubstr("there is a gap: nothing is stated of whither "
                            "footage went 2026-11-24T00:00:00Z to "
                            "2026-11-25T00:00:00Z")));
  EXPECT_FALSE(Check({}).holds());
  // Of what was not asked for nothing is said.
  EXPECT_TRUE(Check(AskOf("2026-11-25", "2026-11-26")).holds());
}

TEST_F(ResidencyTest, AGapAtEitherEndIsAGap) {
  Publish({Day(24)});
  EXPECT_THAT(Check(AskOf("2026-11-23", "2026-11-26")).problems,
              ElementsAre(HasSubstr("2026-11-23T00:00:00Z to "
                                    "2026-11-24T00:00:00Z"),
                          HasSubstr("2026-11-25T00:00:00Z to "
                                    "2026-11-26T00:00:00Z")));
}

TEST_F(ResidencyTest, AGapOfAMicrosecondIsAGap) {
  Publish({Day(24),
           Residency({"2026-11-25T00:00:00.000001Z", "2026-11-26T00:00:00Z"})});
  EXPECT_FALSE(Check(AskOf("2026-11-24", "2026-11-26")).holds());
}

TEST_F(ResidencyTest, SpansThatOverlapOrAreOutOfOrderAreNoGap) {
  Publish({Day(25), Day(24),
           Residency({"2026-11-23T12:00:00Z", "2026-11-24T12:00:00Z"})});
  EXPECT_TRUE(Check(AskOf("2026-11-24", "2026-11-26")).holds());
}

TEST_F(ResidencyTest, ALogThatStatesNothingOfItIsRefused) {
  Publish({});
  EXPECT_THAT(Check({}).problems,
              ElementsAre(HasSubstr("does not state whither footage went")));
}

TEST_F(ResidencyTest, AMissingPartIsRefusedAndNoCover) {
  Told half = {.from = "2026-11-24T00:00:00Z",
               .to = "2026-11-25T00:00:00Z",
               .peers = {PeerAt("10.20.0.5:443")},
               .parts = 2};
  Publish({Residency(half)});
  EXPECT_THAT(Check(AskOf("2026-11-24", "2026-11-25")).problems,
              ElementsAre(HasSubstr("parts are missing: there are 1 of 2"),
                          HasSubstr("there is a gap")));
  Told other = half;
  other.part = 2;
  other.peers = {PeerAt("192.0.2.9:443")};
  Publish({Residency(half), Residency(other)});
  EXPECT_THAT(Check(AskOf("2026-11-24", "2026-11-25")).problems,
              ElementsAre(HasSubstr("192.0.2.9:443 is not allowed")));
}

TEST_F(ResidencyTest, StatedTwiceAlikeCountsOnceAndOtherwiseIsRefused) {
  const std::string day = Day(24, {PeerAt("10.20.0.5:443")});
  Publish({day, day});
  const Report report = Check(AskOf("2026-11-24", "2026-11-25"));
  EXPECT_THAT(report.problems, IsEmpty());
  EXPECT_THAT(report.proven, Contains(HasSubstr("1000 bytes of footage")));
  Publish({day, Day(24)});
  EXPECT_THAT(Check(AskOf("2026-11-24", "2026-11-25")).problems,
              ElementsAre(HasSubstr("says otherwise what was stated before")));
}

TEST_F(ResidencyTest, ACrashIsToldAndDoesNotFail) {
  Publish({Residency({.from = "2026-11-24T00:00:00Z",
                      .to = "2026-11-25T00:00:00Z",
                      .peers = {PeerAt("10.20.0.5:443")},
                      .complete = false})});
  const Report report = Check(AskOf("2026-11-24", "2026-11-25"));
  EXPECT_THAT(report.problems, IsEmpty());
  EXPECT_THAT(report.not_proven,
              Contains(HasSubstr("the gateway was ended by a crash")));
  EXPECT_THAT(report.facts, Contains(Pair("spans_incomplete", "1")));
}

TEST_F(ResidencyTest, ALocalStoreWithNextHopsIsRefused) {
  Publish({Residency({.from = "2026-11-24T00:00:00Z",
                      .to = "2026-11-25T00:00:00Z",
                      .peers = {PeerAt("10.20.0.5:443")},
                      .local_store = true})});
  EXPECT_THAT(Check(AskOf("2026-11-24", "2026-11-25")).problems,
              ElementsAre(HasSubstr("and yet names next hops")));
}

TEST_F(ResidencyTest, ASpanThatIsNoneIsRefused) {
  for (const Told& bad :
       {Told{"", "2026-11-25T00:00:00Z"}, Told{"yesterday", "today"},
        Told{"2026-11-25T00:00:00Z", "2026-11-24T00:00:00Z"},
        Told{"infinite-past", "infinite-future"},
        Told{.from = "2026-11-24T00:00:00Z",
        .to = "2026-11-25T00:00:00Z",
        .part = 2}}) {
    Publish({Day(24), Residency(bad)});
    EXPECT_THAT(Check(AskOf("2026-11-24", "2026-11-25")).problems,
                Contains(HasSubstr("does not say of which span")))
        << bad.from;
  }
}

// --- what is not believed ----------------------------------------------------

TEST_F(ResidencyTest, ASignatureOfAnotherKeyIsRefused) {
  Publish({Day(24)});
  ASSERT_OK_AND_ASSIGN(
      const Report report,
      CheckResidency(disk_, kDirectory,
                     PinnedTo(PrivateKey::Generate(KeyKind::kEd25519)),
                     AskOf("2026-11-24", "2026-11-25"), advance_));
  EXPECT_FALSE(report.holds());
  EXPECT_THAT(report.proven, Not(Contains(HasSubstr("whither footage went"))));
}

TEST_F(ResidencyTest, AnEntryThatNobodySignedIsRefused) {
  Publish({Day(24, {PeerAt("192.0.2.9:443")})});
  ASSERT_OK_AND_ASSIGN(
      std::string entries,
      ReadFile(disk_, JoinPath(kDirectory, EntriesPath(0, 2)), 1 << 20));
  const size_t at = entries.find("192.0.2.9");
  entries.replace(at, 9, "10.20.0.5");
  Put(EntriesPath(0, 2), entries);
  const Report report = Check(AskOf("2026-11-24", "2026-11-25"));
  EXPECT_FALSE(report.holds());
  EXPECT_THAT(report.proven, Not(Contains(HasSubstr("a next hop was"))));
}

TEST_F(ResidencyTest, ADroppedEntryIsRefused) {
  Publish({Day(24), Day(25, {PeerAt("192.0.2.9:443")})});
  EXPECT_OK(disk_.Remove(JoinPath(kDirectory, EntriesPath(0, 3))));
  EXPECT_FALSE(Check(AskOf("2026-11-24", "2026-11-25")).holds());
}

TEST_F(ResidencyTest, WithoutALogNothingIsKnown) {
  EXPECT_THAT(CheckResidency(disk_, "/nowhere", PinnedTo(key_), {}, advance_),
              StatusIs(absl::StatusCode::kNotFound));
}

}  // namespace
}  // namespace schleuse::client
