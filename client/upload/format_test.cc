#include "client/upload/format.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse::client {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

const absl::Time kNow = absl::FromUnixMillis(1'700'000'000'123);

View Sending() {
  View view;
  view.camera = "cam-1";
  view.recording = view.requested = "r.mp4";
  view.file = "/m/r.mp4";
  view.bytes_per_second = 2 << 20;
  view.progress.state = UploadState::kSending;
  view.progress.size = 100 << 20;
  view.progress.position = 40 << 20;
  view.progress.durable = 39 << 20;
  view.progress.hashed = 40 << 20;
  view.progress.sent = 41 << 20;
  view.progress.unacknowledged = 1 << 20;
  view.progress.attempts = 2;
  return view;
}

View Over(absl::Status status) {
  View view = Sending();
  view.result = UploadResult{status, *RecordingName::Parse("cam-1", "r.mp4"),
                             Sha256::Of(""), view.progress};
  view.progress.state =
      status.ok() ? UploadState::kStored : UploadState::kFailed;
  if (status.ok()) {
    view.progress.sent = 101 << 20;
    view.progress.position = view.progress.durable = view.progress.size;
  }
  return view;
}

TEST(FormatTest, BytesAsPeopleSayThem) {
  EXPECT_EQ(FormatBytes(0), "0 B");
  EXPECT_EQ(FormatBytes(1023), "1023 B");
  EXPECT_EQ(FormatBytes(1024), "1.0 KiB");
  EXPECT_EQ(FormatBytes(1536 * 1024), "1.5 MiB");
  EXPECT_EQ(FormatBytes((uint64_t{1} << 30) - 1), "1.0 GiB");
  EXPECT_EQ(FormatBytes(uint64_t{5} << 40), "5.0 TiB");
  EXPECT_EQ(FormatBytes(uint64_t{5000} << 40), "5000.0 TiB");
}

TEST(FormatTest, TimesAsClocksShowThem) {
  EXPECT_EQ(FormatSeconds(0), "0:00");
  EXPECT_EQ(FormatSeconds(7.4), "0:07");
  EXPECT_EQ(FormatSeconds(59.6), "1:00");
  EXPECT_EQ(FormatSeconds(3723), "1:02:03");
  EXPECT_EQ(FormatSeconds(-1), "--:--");
  EXPECT_EQ(FormatSeconds(1e12), "--:--");
}

TEST(FormatTest, ABarShowsBytesRateAndTimeLeft) {
  const std::string bar = FormatBar(Sending(), kNow, 100);
  EXPECT_THAT(bar, AllOf(StartsWith("r.mp4 "), HasSubstr("[##########"),
                         HasSubstr(" 40% "), HasSubstr("40.0/100.0 MiB"),
                         HasSubstr("2.0 MiB/s"), HasSubstr("0:30")));
}

TEST(FormatTest, ABarIsAsWideAsItIsTold) {
  for (const int width : {0, 1, 5, 20, 40, 79, 80, 200}) {
    for (View view : {Sending(), Over(absl::OkStatus())}) {
      EXPECT_THAT(FormatBar(view, kNow, width),
                  SizeIs(static_cast<size_t>(width)));
      view.recording = std::string(128, 'x');
      EXPECT_THAT(FormatBar(view, kNow, width),
                  SizeIs(static_cast<size_t>(width)));
    }
  }
}

TEST(FormatTest, ANarrowTerminalCutOffTheTimeLeft) {
  for (const int width : {30, 40, 50, 60, 79, 80}) {
    EXPECT_THAT(FormatBar(Sending(), kNow, width),
                AllOf(HasSubstr(" 40% "), HasSubstr(" 0:30")))
        << width;
  }
  for (const int width : {40, 50, 60, 79, 80}) {
    EXPECT_THAT(FormatBar(Sending(), kNow, width), HasSubstr("2.0 MiB/s"))
        << width;
  }
}

TEST(FormatTest, HashingOfAStoredRecordingStoodAtOneHundredPercent) {
  View view = Sending();
  view.progress.state = UploadState::kHashing;
  view.progress.position = view.progress.size;
  view.progress.hashed = 25 << 20;
  EXPECT_THAT(FormatBar(view, kNow, 100),
              AllOf(HasSubstr(" 25% "), HasSubstr("25.0/100.0 MiB"),
                    HasSubstr("0:38 hashing")));
  EXPECT_EQ(FormatPlain(view, kNow),
            "cam-1/r.mp4: hashing, 25% of 100.0 MiB, 2.0 MiB/s, 0:38 left");
}

TEST(FormatTest, AReceiptThatNobodyVerifiedIsSaidToBeThat) {
  View view = Over(absl::OkStatus());
  EXPECT_THAT(FormatPlain(view, kNow), Not(HasSubstr("receipt")));
  EXPECT_THAT(FormatJson("stored", view, kNow),
              HasSubstr("\"receipt\":\"none\""));
  view.result->receipt_state = UploadResult::ReceiptState::kUnverified;
  EXPECT_THAT(FormatPlain(view, kNow),
              AllOf(HasSubstr("r.mp4: stored"),
                    HasSubstr("receipt was not verified: keep the file")));
  EXPECT_THAT(FormatJson("stored", view, kNow),
              HasSubstr("\"receipt\":\"unverified\""));
}

TEST(FormatTest, AVerifiedReceiptIsSaidToBeThat) {
  View view = Over(absl::OkStatus());
  view.result->receipt_state = UploadResult::ReceiptState::kVerified;
  EXPECT_THAT(FormatPlain(view, kNow), HasSubstr("; receipt verified"));
  EXPECT_THAT(FormatJson("stored", view, kNow),
              HasSubstr("\"receipt\":\"verified\""));
}

TEST(FormatTest, NamesOfFilesCannotMoveTheCursorEither) {
  View view = Over(absl::NotFoundError("/m/\xC3\x9C\x1b[2J.mp4 is gone"));
  view.file = "/m/\xC3\x9C\x1b[2J.mp4";
  EXPECT_THAT(FormatSummary({view}), HasSubstr("\n  /m/\xC3\x9C?[2J.mp4"));
  EXPECT_THAT(FormatPlain(view, kNow), HasSubstr("/m/\xC3\x9C?[2J.mp4 is"));
}

TEST(FormatTest, AWaitingBarSaysWhyAndHowLong) {
  View view = Sending();
  view.progress.state = UploadState::kWaiting;
  view.progress.reason = "UNAVAILABLE: no route";
  view.progress.wait_until = kNow + absl::Seconds(12);
  EXPECT_THAT(FormatBar(view, kNow, 120),
              AllOf(HasSubstr("waiting 0:12: UNAVAILABLE: no route"),
                    Not(HasSubstr("/s"))));
}

TEST(FormatTest, WhatAGatewaySaysCannotMoveTheCursor) {
  View view = Sending();
  view.progress.state = UploadState::kWaiting;
  view.progress.reason = "\x1b[2Jgone\n";
  EXPECT_THAT(FormatBar(view, kNow, 120), Not(HasSubstr("\x1b")));
  EXPECT_THAT(FormatPlain(view, kNow), Not(HasSubstr("\n")));
}

TEST(FormatTest, ManyBarsDegradeToACount) {
  Overview overview;
  for (int i = 0; i < 10; ++i) overview.running.push_back(Sending());
  EXPECT_THAT(FormatBars(overview, kNow, 80, 10), SizeIs(10));
  const std::vector<std::string> few = FormatBars(overview, kNow, 80, 4);
  ASSERT_THAT(few, SizeIs(4));
  EXPECT_THAT(few[3], HasSubstr("7 more run, 0 queued, 0 done"));
  overview.queued = 3;
  overview.done = 2;
  const std::vector<std::string> all = FormatBars(overview, kNow, 80, 11);
  ASSERT_THAT(all, SizeIs(11));
  EXPECT_THAT(all[10], StartsWith("3 queued, 2 done"));
  EXPECT_THAT(FormatBars(overview, kNow, 80, 1), SizeIs(1));
  EXPECT_THAT(FormatBars(overview, kNow, 80, 0), SizeIs(0));
  EXPECT_THAT(FormatBars({}, kNow, 80, 5), SizeIs(0));
}

TEST(FormatTest, PlainLinesSayWhatHappened) {
  EXPECT_EQ(FormatPlain(Sending(), kNow),
            "cam-1/r.mp4: sending, 40% of 100.0 MiB, 2.0 MiB/s, 0:30 left");
  EXPECT_EQ(FormatPlain(Over(absl::PermissionDeniedError("not granted")), kNow),
            "cam-1/r.mp4: failed: not granted");
  EXPECT_EQ(FormatPlain(Over(absl::OkStatus()), kNow),
            "cam-1/r.mp4: stored, 104857600 bytes, SHA-256 "
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855, "
            "1.0 MiB sent twice");
  View renamed = Over(absl::OkStatus());
  renamed.recording = "r.mp4~e3b0c442";
  EXPECT_THAT(FormatPlain(renamed, kNow),
              HasSubstr("other bytes are stored as r.mp4"));
}

TEST(FormatTest, JsonHoldsWhatProgramsNeed) {
  EXPECT_EQ(FormatJson("progress", Sending(), kNow),
            "{\"event\":\"progress\",\"time_unix_millis\":1700000000123,"
            "\"camera\":\"cam-1\",\"recording\":\"r.mp4\","
            "\"file\":\"/m/r.mp4\",\"state\":\"sending\",\"size\":104857600,"
            "\"position\":41943040,\"durable_offset\":40894464,"
            "\"hashed_bytes\":41943040,"
            "\"sent_bytes\":42991616,\"resent_bytes\":0,"
            "\"unacknowledged_bytes\":1048576,\"rewound_bytes\":0,"
            "\"attempts\":2,\"bytes_per_second\":2097152}");
}

TEST(FormatTest, JsonSaysWhatIsSpecialToAnEvent) {
  View waiting = Sending();
  waiting.progress.reason = "a \"b\"";
  waiting.progress.wait_until = kNow + absl::Milliseconds(1500);
  EXPECT_THAT(FormatJson("waiting", waiting, kNow),
              AllOf(HasSubstr("\"reason\":\"a \\\"b\\\"\""),
                    HasSubstr("\"retry_in_millis\":1500")));
  EXPECT_THAT(FormatJson("stored", Over(absl::OkStatus()), kNow),
              AllOf(HasSubstr("\"sha256\":\"e3b0"),
                    HasSubstr("\"resent_bytes\":1048576")));
  EXPECT_THAT(
      FormatJson("failed", Over(absl::DataLossError("differ")), kNow),
      AllOf(HasSubstr("\"code\":\"DATA_LOSS\""),
            HasSubstr("\"reason\":\"differ\""), Not(HasSubstr("sha256"))));
  View renamed = Over(absl::OkStatus());
  renamed.recording = "r.mp4~e3b0c442";
  EXPECT_THAT(FormatJson("stored", renamed, kNow),
              HasSubstr("\"requested\":\"r.mp4\""));
}

TEST(FormatTest, SummariesCountAndName) {
  View queued = Sending();
  queued.file = "/m/other.mp4";
  const std::vector<View> views = {Over(absl::OkStatus()), queued};
  EXPECT_EQ(FormatSummary(views),
            "1 of 2 recordings stored, 100.0 MiB; not stored:\n  /m/other.mp4");
  EXPECT_EQ(FormatSummaryJson(views, 3, kNow),
            "{\"event\":\"summary\",\"time_unix_millis\":1700000000123,"
            "\"recordings\":2,\"stored\":1,\"not_stored\":1,"
            "\"size\":104857600,\"sent_bytes\":148897792,"
            "\"resent_bytes\":1048576,\"unacknowledged_bytes\":2097152,"
            "\"exit_code\":3}");
}

TEST(FormatTest, TheSummarySaysHowLongAcksTook) {
  View one = Over(absl::OkStatus()), other = Over(absl::DataLossError("no"));
  one.result->ack_delays.Add(absl::Microseconds(1'500));
  other.result->ack_delays.Add(absl::Microseconds(3));
  EXPECT_THAT(FormatSummaryJson({one, other}, 3, kNow),
              HasSubstr("\"ack_delay_millis\":{\"p50\":1,\"p99\":2}"));
}

}  // namespace
}  // namespace schleuse::client
