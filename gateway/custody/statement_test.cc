#include "gateway/custody/statement.h"

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/random.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse::statement {
namespace {

using absl::StatusCode;
using ::testing::AllOf;
using ::testing::HasSubstr;

const Frame kFrame = {.gateway = "police.example/gw-1",
                      .time = absl::FromUnixMicros(1'764'180'000'123'456),
                      .clock_synchronised = true,
                      .nonce = std::string(32, 'n')};

Stored AnyStored() {
  SeededRandom random(1);
  return {.name = *RecordingName::Parse("bwc-1", "clip-7.mp4"),
          .transfer_id = TransferId::Make(random),
          .device = "spiffe://police.example/dock/s1/d1",
          .size = 12'345'678'901,
          .sha256 = Sha256::Of("footage"),
          .location = "bwc-1/clip-7.mp4/recording.mp4",
          .read_back = false,
          // incident = "2024-17", home = true
          .metadata =
              "\x2a\x07"
              "2024-17\x38\x01"};
}

// As large as its numbers can be.
Residency AnyResidency(size_t peers) {
  return {.from = absl::FromUnixSeconds(1'764'115'200),
          .to = absl::FromUnixSeconds(1'764'201'600),
          .peers = std::vector<Residency::Peer>(
              peers, {.address = "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:"
                                 "65535",
                      .certificate_sha256 = Sha256::Of("der").ToHex(),
                      .bytes_sent = ~uint64_t{0},
                      .bytes_received = ~uint64_t{0},
                      .connections = ~uint64_t{0}}),
          .complete = true,
          .local_store = false,
          .part = 1,
          .parts = 7};
}

TEST(StatementTest, SaysWhoWhatAndWhen) {
  const Stored stored = AnyStored();
  ASSERT_OK_AND_ASSIGN(const std::string bytes, Write(kFrame, stored));
  EXPECT_THAT(
      bytes,
      AllOf(HasSubstr("\"gateway\":\"police.example/gw-1\""),
            HasSubstr("\"time\":\"2025-11-26T18:00:00.123456Z\""),
            HasSubstr("\"clock_synchronised\":true"),
            HasSubstr("\"camera_id\":\"bwc-1\""),
            HasSubstr("\"recording_id\":\"clip-7.mp4\""),
            HasSubstr("\"size\":\"12345678901\""),
            HasSubstr(Sha256::Of("footage").ToHex()),
            HasSubstr("\"verified\":\"WRITTEN_AND_SYNCED\""),
            HasSubstr("\"incident\":\"2024-17\""), HasSubstr("\"home\":true")));
  ASSERT_OK_AND_ASSIGN(const Read read, ReadBack(bytes));
  ASSERT_TRUE(read.stored);
  EXPECT_EQ(read.stored->name, stored.name);
  EXPECT_EQ(read.stored->size, stored.size);
  EXPECT_EQ(read.stored->sha256, stored.sha256);
  EXPECT_EQ(read.stored->transfer_id, stored.transfer_id);
  EXPECT_EQ(read.stored->device, stored.device);
  EXPECT_EQ(read.stored->location, stored.location);
  EXPECT_EQ(read.stored->at, kFrame.time);
  EXPECT_TRUE(read.stored->clock_synchronised);
  EXPECT_EQ(read.stored->basis.incident, "2024-17");
  EXPECT_TRUE(read.stored->basis.home);
  EXPECT_EQ(read.next_origin, std::nullopt);
}

TEST(StatementTest, EveryEventCanBeTold) {
  SeededRandom random(1);
  const RecordingName name = *RecordingName::Parse("c", "r");
  const TransferId id = TransferId::Make(random);
  const Digest hash = Sha256::Of("");
  for (const Event& event :
       {Event(LogBegun{"g/custody/2026", "checkpoint", "why"}),
        Event(LogClosed{"g/custody/2027"}),
        Event(LogCut{7}),
        Event(GatewayStarted{"0.2.0"}),
        Event(GatewayStopped{}),
        Event(Opened{name, id, "d"}),
        Event(TakenOver{name, id, "d", "e"}),
        Event(AnyStored()),
        Event(Conflicting{name, id, "d", hash}),
        Event(Quarantined{name, id, "d", 1, hash, 2, hash}),
        Event(Expired{name, id, "d", 7, kFrame.time}),
        Event(Deleted{name, id, "d", Deleted::Place::kStore, 7, hash, "body",
                      "PolG 44", kFrame.time}),
        Event(Deleted{{},
                      id,
                      "",
                      Deleted::Place::kQuarantine,
                      7,
                      {},
                      "",
                      "",
                      kFrame.time}),
        Event(Held{"h-1", {"c*"}, {"r"}, {"i"}, "why", "who"}),
        Event(Released{"h-1"}),
        Event(Damaged{name, Damaged::Finding::kMissing, "gone", "c/r"}),
        Event(Scrubbed{kFrame.time, 1, 2, 3, 4, 5}),
        Event(Refused{name, "d", "why", 1}),
        Event(CertificateRefused{"d", "0f", "why", 2}),
        Event(EgressRefused{"store", 443, "192.0.2.1:443", "why", 3}),
        Event(AnyResidency(1))}) {
    ASSERT_OK_AND_ASSIGN(const std::string bytes, Write(kFrame, event));
    EXPECT_OK(ReadBack(bytes).status()) << bytes;
    EXPECT_THAT(bytes, HasSubstr("\"nonce\":\"bm5ubm5u"));
  }
}

TEST(StatementTest, ReadsWhatWasDeletedFromTheStoreAlone) {
  SeededRandom random(1);
  const RecordingName name = *RecordingName::Parse("c", "r");
  const TransferId id = TransferId::Make(random);
  using Place = Deleted::Place;
  for (const Place place : {Place::kStore, Place::kSpool, Place::kQuarantine}) {
    ASSERT_OK_AND_ASSIGN(
        const std::string bytes,
        Write(
            kFrame,
            Deleted{
                name, id, "d", place, 7, {}, "body", "PolG 44", kFrame.time}));
    ASSERT_OK_AND_ASSIGN(const Read read, ReadBack(bytes));
    EXPECT_EQ(read.deleted, place == Place::kStore
                                ? std::optional<RecordingName>(name)
                                : std::nullopt);
  }
}

TEST(StatementTest, TheEndOfALogNamesTheNext) {
  ASSERT_OK_AND_ASSIGN(const std::string bytes,
                       Write(kFrame, LogClosed{"g/custody/2027"}));
  ASSERT_OK_AND_ASSIGN(const Read read, ReadBack(bytes));
  EXPECT_EQ(read.next_origin, "g/custody/2027");
}

TEST(StatementTest, SaysWhitherFootageWent) {
  ASSERT_OK_AND_ASSIGN(const std::string bytes, Write(kFrame, AnyResidency(1)));
  EXPECT_THAT(
      bytes,
      AllOf(HasSubstr("\"residency\":{\"from\":\"2025-11-26T00:00:00.000000Z\","
                      "\"to\":\"2025-11-27T00:00:00.000000Z\""),
            HasSubstr("\"address\":\"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:"
                      "65535\",\"certificate_sha256\":\""),
            HasSubstr("\"bytes_sent\":\"18446744073709551615\""),
            HasSubstr("\"complete\":true"),
            HasSubstr("\"part\":1,\"parts\":7")));
}

TEST(StatementTest, AsManyPeersAsItSaysFitIntoOne) {
  EXPECT_OK(Write(kFrame, AnyResidency(Residency::kPeersMax)));
}

TEST(StatementTest, TooMuchOrNonsenseIsNotStated) {
  Stored stored = AnyStored();
  stored.location = std::string(70'000, 'x');
  EXPECT_THAT(Write(kFrame, stored),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("too long")));
  stored = AnyStored();
  stored.metadata = "\xff";
  EXPECT_THAT(Write(kFrame, stored), StatusIs(StatusCode::kInvalidArgument));
}

TEST(StatementTest, WhatIsNoStatementIsDataLoss) {
  for (const char* bad :
       {"", "{", "footage", "[]",
        "{\"stored\":{\"transfer\":{\"camera_id\":\"../x\"}}}"}) {
    EXPECT_FALSE(ReadBack(bad).ok()) << bad;
  }
  EXPECT_OK(ReadBack("{\"of a later version\":1}").status());
}

}  // namespace
}  // namespace schleuse::statement
