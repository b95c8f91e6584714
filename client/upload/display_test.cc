#include "client/upload/display.h"

#include <string>

#include "absl/strings/str_split.h"
#include "client/upload/exit_code.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse::client {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class TextOutput final : public Output {
 public:
  void Write(absl::string_view more) override {
    text.append(more.data(), more.size());
  }
  std::string Take() { return std::exchange(text, ""); }
  std::string text;
};

constexpr absl::Time kStart = absl::FromUnixSeconds(1'700'000'000);

View AnyView(size_t index = 0) {
  View view;
  view.index = index;
  view.camera = "cam";
  view.recording = view.requested = "r.mp4";
  view.progress.size = 1000;
  return view;
}

UploadResult ResultOf(absl::Status status) {
  return {status, *RecordingName::Parse("cam", "r.mp4"), Sha256::Of("x"), {}};
}

Progress In(UploadState state, uint64_t sent = 0) {
  Progress progress;
  progress.state = state;
  progress.size = 1000;
  progress.sent = sent;
  return progress;
}

std::vector<std::string> Names(Board& board) {
  std::vector<std::string> names;
  for (const Board::Event& event : board.TakeEvents()) {
    names.emplace_back(event.name);
  }
  return names;
}

// --- the board --------------------------------------------------------------

TEST(BoardTest, NoWaitingIsMissedHoweverShort) {
  Board board({AnyView()});
  board.Started(0);
  board.Progressed(0, In(UploadState::kConnecting));
  board.Progressed(0, In(UploadState::kWaiting));
  board.Progressed(0, In(UploadState::kConnecting));
  board.Progressed(0, In(UploadState::kWaiting));
  board.Progressed(0, In(UploadState::kConnecting));
  board.Progressed(0, In(UploadState::kSending));
  board.Progressed(0, In(UploadState::kVerifying));
  board.Finished(0, ResultOf(absl::OkStatus()));
  EXPECT_THAT(Names(board),
              ElementsAre("waiting", "waiting", "resumed", "stored"));
  EXPECT_THAT(Names(board), IsEmpty());
}

TEST(BoardTest, CountsWhatRunsAndWhatDoesNot) {
  Board board({AnyView(0), AnyView(1), AnyView(2)});
  EXPECT_EQ(board.Look(kStart).queued, 3u);
  board.Started(0);
  board.Started(1);
  board.Finished(0, ResultOf(absl::DataLossError("x")));
  const Overview overview = board.Look(kStart);
  EXPECT_EQ(overview.queued, 1u);
  EXPECT_EQ(overview.done, 1u);
  ASSERT_THAT(overview.running, SizeIs(1));
  EXPECT_EQ(overview.running[0].index, 1u);
  EXPECT_THAT(Names(board), ElementsAre("failed"));
}

TEST(BoardTest, KnowsTheRate) {
  Board board({AnyView()});
  board.Started(0);
  board.Look(kStart);
  board.Progressed(0, In(UploadState::kSending, 500));
  EXPECT_NEAR(board.Look(kStart + absl::Seconds(1)).running[0].bytes_per_second,
              500, 1);
}

TEST(BoardTest, TheRateOfHashingIsNotMixedWithThatOfSending) {
  Board board({AnyView()});
  board.Started(0);
  board.Look(kStart);
  board.Progressed(0, In(UploadState::kSending, 500));
  board.Look(kStart + absl::Seconds(1));
  Progress hashing = In(UploadState::kHashing, 500);
  hashing.hashed = 100;
  board.Progressed(0, hashing);
  EXPECT_EQ(board.Look(kStart + absl::Seconds(2)).running[0].bytes_per_second,
            0);
  hashing.hashed = 300;
  board.Progressed(0, hashing);
  EXPECT_NEAR(board.Look(kStart + absl::Seconds(3)).running[0].bytes_per_second,
              200, 1);
}

TEST(BoardTest, HashingForAnotherNameIsNoResumedStream) {
  Board board({AnyView()});
  board.Started(0);
  board.Progressed(0, In(UploadState::kWaiting));
  board.Progressed(0, In(UploadState::kConnecting));
  board.Progressed(0, In(UploadState::kHashing));
  EXPECT_THAT(Names(board), ElementsAre("waiting"));
}

// --- exit codes -------------------------------------------------------------

int CodeOf(const std::vector<absl::Status>& results) {
  std::vector<View> views;
  for (const absl::Status& status : results) {
    views.push_back(AnyView());
    views.back().result = ResultOf(status);
  }
  return ExitCodeOf(views);
}

TEST(ExitCodeTest, TheGravestCounts) {
  const absl::Status ok, refused = absl::PermissionDeniedError("x"),
                         gave_up = absl::DeadlineExceededError("x"),
                         interrupted = absl::CancelledError("x"),
                         lost = absl::DataLossError("x");
  EXPECT_EQ(CodeOf({}), 0);
  EXPECT_EQ(CodeOf({ok, ok}), 0);
  EXPECT_EQ(CodeOf({ok, refused}), 1);
  EXPECT_EQ(CodeOf({ok, gave_up}), 4);
  EXPECT_EQ(CodeOf({gave_up, refused}), 1);
  EXPECT_EQ(CodeOf({refused, interrupted, gave_up}), 3);
  EXPECT_EQ(CodeOf({refused, interrupted, lost, gave_up}), 5);
  EXPECT_EQ(ExitCodeOf({AnyView()}), 3);  // never begun
}

// --- JSON -------------------------------------------------------------------

TEST(JsonDisplayTest, WritesProgressOnlyWhenSomethingMoved) {
  TextOutput out;
  JsonDisplay display(out);
  Overview overview;
  overview.running = {AnyView()};
  overview.running[0].progress.sent = 10;
  display.OnTick(overview, kStart);
  EXPECT_THAT(out.Take(), AllOf(HasSubstr("\"event\":\"progress\""),
                                HasSubstr("\"sent_bytes\":10,")));
  display.OnTick(overview, kStart);
  EXPECT_THAT(out.Take(), IsEmpty());
  overview.running[0].progress.durable = 10;
  display.OnTick(overview, kStart);
  EXPECT_THAT(out.Take(), HasSubstr("\"durable_offset\":10"));
  overview.running[0].progress.hashed = 10;
  display.OnTick(overview, kStart);
  EXPECT_THAT(out.Take(), HasSubstr("\"hashed_bytes\":10"));
}

TEST(JsonDisplayTest, TheEndNamesWhatWasNeverBegun) {
  TextOutput out;
  JsonDisplay display(out);
  View stored = AnyView();
  stored.result = ResultOf(absl::OkStatus());
  display.OnEnd({stored, AnyView(1)}, 3, kStart);
  EXPECT_THAT(out.text, AllOf(HasSubstr("\"event\":\"failed\""),
                              HasSubstr("\"code\":\"CANCELLED\""),
                              HasSubstr("\"exit_code\":3")));
}

// --- plain lines ------------------------------------------------------------

TEST(PlainDisplayTest, WritesALineEveryTenSecondsAtMost) {
  TextOutput out, errors;
  PlainDisplay display(out, errors);
  Overview overview;
  overview.running = {AnyView()};
  for (int tenths = 0; tenths < 350; ++tenths) {
    display.OnTick(overview, kStart + absl::Milliseconds(100) * tenths);
  }
  const std::vector<std::string> lines = absl::StrSplit(out.text, '\n');
  EXPECT_THAT(lines, SizeIs(3 + 1));
}

TEST(PlainDisplayTest, FailuresGoToStandardError) {
  TextOutput out, errors;
  PlainDisplay display(out, errors);
  View view = AnyView();
  view.result = ResultOf(absl::PermissionDeniedError("not granted"));
  display.OnEvent({"failed", view}, kStart);
  EXPECT_THAT(out.text, IsEmpty());
  EXPECT_EQ(errors.text, "cam/r.mp4: failed: not granted\n");
}

// --- bars -------------------------------------------------------------------

BarDisplay::Size Small() { return {40, 4}; }

TEST(BarDisplayTest, DrawsInPlace) {
  TextOutput out;
  BarDisplay display(out, Small);
  Overview overview;
  overview.running = {AnyView(0), AnyView(1)};
  display.OnTick(overview, kStart);
  EXPECT_THAT(out.Take(), Not(HasSubstr("A\r")));
  display.OnTick(overview, kStart + absl::Milliseconds(50));
  EXPECT_THAT(out.Take(), IsEmpty()) << "ten times a second is enough";
  View over = AnyView(1);
  over.result = ResultOf(absl::OkStatus());
  display.OnEvent({"stored", over}, kStart);
  overview.running.pop_back();
  display.OnTick(overview, kStart + absl::Milliseconds(200));
  // Up over the two bars, the line that stays, one bar, nothing below.
  const std::string drawn = out.Take();
  EXPECT_EQ(drawn.rfind("\x1b[2A", 0), 0u);
  EXPECT_THAT(drawn,
              AllOf(HasSubstr("cam/r.mp4: stored"), HasSubstr("\x1b[J")));
  display.OnEnd({over}, 0, kStart + absl::Seconds(1));
  EXPECT_THAT(out.text, HasSubstr("1 of 1 recordings stored"));
}

TEST(BarDisplayTest, ALongLineThatWrappedLeftRestsOfBarsBehindIt) {
  TextOutput out;
  BarDisplay display(out, Small);
  Overview overview;
  overview.running = {AnyView(0), AnyView(1)};
  display.OnTick(overview, kStart);
  out.Take();
  View over = AnyView(1);
  over.result = ResultOf(absl::DataLossError(std::string(100, 'x')));
  display.OnEvent({"failed", over}, kStart);
  display.OnTick(overview, kStart + absl::Seconds(1));
  EXPECT_EQ(out.text.rfind("\x1b[2A\x1b[J", 0), 0u) << "all cleared first";
}

TEST(BarDisplayTest, NeverTakesMoreLinesThanThereAre) {
  TextOutput out;
  BarDisplay display(out, Small);
  Overview overview;
  for (size_t i = 0; i < 50; ++i) overview.running.push_back(AnyView(i));
  display.OnTick(overview, kStart);
  EXPECT_EQ(std::count(out.text.begin(), out.text.end(), '\n'), 3);
}

}  // namespace
}  // namespace schleuse::client
