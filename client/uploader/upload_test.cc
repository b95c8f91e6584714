#include "client/uploader/upload.h"

#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/crc32c.h"
#include "base/fake_executor.h"
#include "base/status_matchers.h"
#include "client/uploader/fake_source.h"
#include "evidence/test_receipts.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse::client {
namespace {

using absl::StatusCode;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Le;
using ::testing::SizeIs;

constexpr uint64_t kKiB = 1024;
constexpr uint64_t kMiB = 1024 * kKiB;

std::string Footage(size_t size) {
  std::string bytes(size, '\0');
  SeededRandom random(size + 1);
  for (char& byte : bytes) byte = static_cast<char>(random.Next());
  return bytes;
}

RecordingName Name(absl::string_view id = "r.mp4") {
  return *RecordingName::Parse("cam-1", id);
}

// Keeps what was sent; the test plays the gateway.
class FakeLink final : public Link {
 public:
  explicit FakeLink(Strand& strand) : strand_(strand) {}

  void Open(uint64_t stream, LinkEvents& events) override {
    stream_ = stream;
    events_ = &events;
    open = true;
    waiting_ = 0;
    begins.clear();
    chunks.clear();
    finishes.clear();
    nexts.clear();
    ++opens;
  }
  void Send(Request request, Next next) override {
    ASSERT_TRUE(open);
    ASSERT_LT(waiting_, kSendsMax);
    ++waiting_;
    nexts.push_back(next);
    if (auto* begin = std::get_if<Begin>(&request)) {
      begins.push_back(*begin);
    } else if (auto* chunk = std::get_if<Chunk>(&request)) {
      chunks.push_back(*chunk);
    } else {
      finishes.push_back(std::get<Finish>(request));
    }
    if (takes_at_once) Take();
  }
  void Close(Why why) override {
    open = false;
    closes.push_back(why);
  }

  // The link has taken what was sent last.
  void Take() {
    strand_.Post([this, stream = stream_, events = events_] {
      if (stream == stream_) --waiting_;
      events->OnSent(stream);
    });
  }
  void Say(Reply reply) { SayOn(stream_, std::move(reply)); }
  void SayOn(uint64_t stream, Reply reply) {
    strand_.Post([stream, reply = std::move(reply), events = events_] {
      events->OnReply(stream, reply);
    });
  }
  void End(absl::Status status, ErrorDetail detail = {}) {
    open = false;
    EndOn(stream_, std::move(status), detail);
  }
  void EndOn(uint64_t stream, absl::Status status, ErrorDetail detail = {}) {
    strand_.Post([stream, status, detail, events = events_] {
      events->OnClosed(stream, status, detail);
    });
  }

  uint64_t stream() const { return stream_; }
  // End of the last chunk on this stream.
  uint64_t end() const {
    return chunks.empty() ? 0
                          : chunks.back().offset + chunks.back().data.size();
  }

  bool takes_at_once = true;
  bool open = false;
  int opens = 0;
  std::vector<Why> closes;
  // Of the present stream.
  std::vector<Begin> begins;
  std::vector<Chunk> chunks;
  std::vector<Finish> finishes;
  std::vector<Next> nexts;

 private:
  Strand& strand_;
  uint64_t stream_ = 0;
  LinkEvents* events_ = nullptr;
  size_t waiting_ = 0;
};

class Recorder final : public UploadObserver {
 public:
  void OnProgress(const Progress& progress) override {
    EXPECT_FALSE(result) << "progress after the end";
    last = progress;
    if (states.empty() || states.back() != progress.state) {
      states.push_back(progress.state);
    }
  }
  void OnDone(const UploadResult& done) override {
    EXPECT_FALSE(result) << "two ends";
    result = done;
  }

  Progress last;
  std::vector<UploadState> states;
  std::optional<UploadResult> result;
};

Ready ReadyAt(uint64_t offset, uint64_t credit = 32 * kMiB) {
  Ready ready;
  ready.transfer_id = "0123456789abcdef0123456789abcdef";
  ready.offset = offset;
  ready.chunk_bytes_max = kMiB;
  ready.credit_bytes = credit;
  return ready;
}

ErrorDetail Because(ErrorDetail::Reason reason) {
  ErrorDetail detail;
  detail.reason = reason;
  return detail;
}

// One upload and what surrounds it.
struct World {
  explicit World(std::string bytes, UploadOptions options = {},
                 RecordingName name = Name(), uint64_t seed = 7)
      : footage(std::move(bytes)),
        source(footage),
        random(seed),
        strand(executor),
        link(strand),
        upload(std::make_unique<Upload>(
            std::move(name), Metadata{}, Priority::kNormal, options, source,
            link, strand, executor, random, recorder)) {}

  void Start() {
    upload->Start();
    Run();
  }
  void Run() { executor.RunReady(); }
  void Say(Reply reply) {
    link.Say(std::move(reply));
    Run();
  }
  void End(absl::Status status, ErrorDetail detail = {}) {
    link.End(std::move(status), detail);
    Run();
  }
  // Lets time pass until the next stream opens; how long that took.
  absl::Duration UntilReopened() {
    const int before = link.opens;
    const absl::Time start = executor.Now();
    while (link.opens == before && !recorder.result) {
      if (!executor.SkipToNext()) break;
      Run();
    }
    EXPECT_EQ(link.opens, before + 1);
    return executor.Now() - start;
  }
  void Pass(absl::Duration time) {
    const absl::Time end = executor.Now() + time;
    while (executor.Now() < end) {
      executor.Advance(std::min(end - executor.Now(), absl::Seconds(1)));
      Run();
    }
  }
  Stored OwnStored() const {
    return Stored{footage.size(), Digest::FromHex(Hash().ToHex()).value()};
  }
  Digest Hash() const { return Sha256::Of(footage); }
  absl::Status status() const {
    return recorder.result ? recorder.result->status
                           : absl::UnknownError("not done");
  }
  const Progress& progress() const { return upload->progress(); }

  const std::string footage;
  FakeSource source;
  FakeExecutor executor;
  SeededRandom random;
  Strand strand;
  FakeLink link;
  Recorder recorder;
  std::unique_ptr<Upload> upload;
};

// Chunks follow each other from `from` on, carry the source's bytes and CRCs.
void ExpectChunks(const World& world, uint64_t from) {
  uint64_t offset = from;
  for (const Chunk& chunk : world.link.chunks) {
    EXPECT_EQ(chunk.offset, offset);
    EXPECT_EQ(std::string(chunk.data),
              world.footage.substr(offset, chunk.data.size()));
    EXPECT_EQ(chunk.crc32c, Crc32c(chunk.data));
    offset += chunk.data.size();
  }
}

// --- the straight way -------------------------------------------------------

TEST(UploadTest, BringsARecordingToStored) {
  World world(Footage(3 * kMiB + 17));
  world.Start();
  world.Say(ReadyAt(0));

  ExpectChunks(world, 0);
  EXPECT_EQ(world.link.end(), world.footage.size());
  ASSERT_THAT(world.link.finishes, SizeIs(1));  // no Ack was awaited
  EXPECT_EQ(world.link.finishes[0].size, world.footage.size());
  EXPECT_EQ(world.link.finishes[0].sha256, world.Hash());
  EXPECT_EQ(world.recorder.last.state, UploadState::kVerifying);

  world.Say(Ack{world.footage.size(), 32 * kMiB});
  world.Say(world.OwnStored());
  EXPECT_OK(world.status());
  EXPECT_EQ(world.recorder.result->name, Name());
  EXPECT_EQ(world.recorder.result->sha256, world.Hash());
  EXPECT_EQ(world.progress().sent, world.footage.size());
  EXPECT_EQ(world.progress().unacknowledged, 0u);
  EXPECT_EQ(world.progress().attempts, 1);
  EXPECT_EQ(world.progress().state, UploadState::kStored);
  EXPECT_EQ(world.source.bytes_read, world.footage.size()) << "read once";
  EXPECT_THAT(world.recorder.states,
              ElementsAre(UploadState::kConnecting, UploadState::kSending,
                          UploadState::kVerifying));
}

TEST(UploadTest, BeginSaysWhatIsKnown) {
  FakeExecutor executor;
  Strand strand(executor);
  FakeLink link(strand);
  FakeSource source(Footage(5));
  SeededRandom random(1);
  Recorder recorder;
  Metadata metadata;
  metadata.incident = "2024-17";
  metadata.home = true;
  Upload upload(Name(), metadata, Priority::kUrgent, {}, source, link, strand,
                executor, random, recorder);
  upload.Start();
  ASSERT_THAT(link.begins, SizeIs(1));
  EXPECT_EQ(link.begins[0].name, Name());
  EXPECT_EQ(link.begins[0].priority, Priority::kUrgent);
  EXPECT_EQ(link.begins[0].size, 5u);
  EXPECT_EQ(link.begins[0].metadata.incident, "2024-17");
  EXPECT_TRUE(link.begins[0].metadata.home);
  EXPECT_EQ(link.begins[0].metadata.device_clock_unix_micros,
            absl::ToUnixMicros(executor.Now()));
}

TEST(UploadTest, AnEmptyRecordingIsStoredToo) {
  World world("");
  world.Start();
  world.Say(ReadyAt(0));
  EXPECT_THAT(world.link.chunks, IsEmpty());
  ASSERT_THAT(world.link.finishes, SizeIs(1));
  EXPECT_EQ(world.link.finishes[0].size, 0u);
  EXPECT_EQ(world.link.finishes[0].sha256, Sha256::Of(""));
  world.Say(world.OwnStored());
  EXPECT_OK(world.status());
}

TEST(UploadTest, SendsAtMost64KiBBeforeReady) {
  World world(Footage(kMiB));
  world.Start();
  ExpectChunks(world, 0);
  EXPECT_EQ(world.link.end(), 64 * kKiB);
  EXPECT_THAT(world.link.finishes, IsEmpty());
}

TEST(UploadTest, AShortRecordingGoesWholeAheadOfReady) {
  World world(Footage(50'000));
  world.Start();
  ExpectChunks(world, 0);
  EXPECT_EQ(world.link.end(), 50'000u);
  ASSERT_THAT(world.link.finishes, SizeIs(1));
  EXPECT_EQ(world.link.finishes[0].sha256, world.Hash());
  world.Say(ReadyAt(0));
  EXPECT_EQ(world.recorder.last.state, UploadState::kVerifying);
  world.Say(world.OwnStored());
  EXPECT_OK(world.status());
  EXPECT_EQ(world.link.end(), 50'000u);
  EXPECT_THAT(world.link.finishes, SizeIs(1));
}

TEST(UploadTest, WhatGoesTogetherIsSaidToTheLink) {
  using Next = Link::Next;
  World world(Footage(50'000));
  world.Start();
  EXPECT_THAT(world.link.nexts,
              ElementsAre(Next::kFollows, Next::kFollows, Next::kUnknown));
  World longer(Footage(100'000));
  longer.Start();
  longer.Say(ReadyAt(0));
  EXPECT_THAT(longer.link.nexts, ElementsAre(Next::kFollows, Next::kUnknown,
                                             Next::kFollows, Next::kUnknown));
}

TEST(UploadTest, AFinishAheadOfReadyHoldsForWhatIsStoredAlready) {
  World world(Footage(50'000));
  world.Start();
  Ready ready = ReadyAt(50'000);
  ready.already_stored = true;
  world.Say(ready);
  EXPECT_THAT(world.link.finishes, SizeIs(1));
  world.Say(world.OwnStored());
  EXPECT_OK(world.status());
  EXPECT_EQ(world.progress().unacknowledged, 50'000u);
}

TEST(UploadTest, AFinishAheadOfReadyIsVoidIfTheGatewayLostBytes) {
  World world(Footage(50'000));
  world.Start();
  world.Say(ReadyAt(0));
  world.Say(Ack{50'000, kMiB});
  world.End(absl::UnavailableError("gone"));
  world.UntilReopened();
  EXPECT_THAT(world.link.chunks, IsEmpty());
  EXPECT_THAT(world.link.finishes, SizeIs(1));
  world.Say(ReadyAt(0));
  EXPECT_EQ(world.link.end(), 50'000u);
  EXPECT_THAT(world.link.finishes, SizeIs(2));
  // The gateway's answer to the first of them.
  world.Say(Rewind{.offset = 0, .reason = Rewind::Reason::kGap});
  EXPECT_EQ(world.link.end(), 50'000u);
  EXPECT_THAT(world.link.finishes, SizeIs(3));
  world.Say(world.OwnStored());
  EXPECT_OK(world.status());
}

TEST(UploadTest, StoredAheadOfReadyIsABreachThoughFinishIsSent) {
  World world(Footage(50'000));
  world.Start();
  world.Say(world.OwnStored());
  EXPECT_FALSE(world.recorder.result);
  EXPECT_FALSE(world.link.open);
  EXPECT_EQ(world.recorder.last.state, UploadState::kWaiting);
}

TEST(UploadTest, GoesOnWhereReadySaysBehindWhatItSentEarly) {
  World world(Footage(kMiB));
  world.Start();
  world.Say(ReadyAt(500'000));  // a run of this program before got so far
  ASSERT_THAT(world.link.chunks, SizeIs(Ge(2u)));
  EXPECT_EQ(world.link.chunks[1].offset, 500'000u);
  EXPECT_EQ(world.link.end(), kMiB);
  EXPECT_EQ(world.progress().unacknowledged, 64 * kKiB);  // sent for nothing
  EXPECT_EQ(world.progress().durable, 0u);  // Ready promises no power cut
}

TEST(UploadTest, ReadyInsideWhatItSentEarlyCostsNothing) {
  World world(Footage(kMiB));
  world.Start();
  world.Say(ReadyAt(1000));
  ExpectChunks(world, 0);
  EXPECT_EQ(world.progress().sent, kMiB);
}

TEST(UploadTest, KeepsToTheLargestChunkThatTheGatewayTakes) {
  UploadOptions options;
  options.early_bytes = 0;
  World world(Footage(kMiB), options);
  world.Start();
  EXPECT_THAT(world.link.chunks, IsEmpty());
  Ready ready = ReadyAt(0);
  ready.chunk_bytes_max = 10'000;
  world.Say(ready);
  for (const Chunk& chunk : world.link.chunks) {
    EXPECT_LE(chunk.data.size(), 10'000u);
  }
  EXPECT_EQ(world.link.end(), kMiB);
}

// With 1 MiB in one message, a link of 8 KiB/s seemed to stall.
TEST(UploadTest, ChunksFitTheLink) {
  World world(Footage(8 * kMiB), {.early_bytes = 0});
  world.link.takes_at_once = false;
  world.Start();
  world.link.Take();
  world.Run();
  world.Say(ReadyAt(0));
  const auto next_after = [&](absl::Duration time) {
    world.Pass(time);
    world.link.Take();
    world.Run();
    return world.link.chunks.back().data.size();
  };
  EXPECT_EQ(world.link.chunks.back().data.size(), 256 * kKiB);
  // One is prepared ahead.
  EXPECT_EQ(next_after(absl::ZeroDuration()), 256 * kKiB);
  EXPECT_EQ(next_after(absl::ZeroDuration()), 512 * kKiB);
  EXPECT_EQ(next_after(absl::ZeroDuration()), kMiB);
  EXPECT_EQ(next_after(absl::Seconds(1)), kMiB);
  for (const uint64_t size : {512, 256, 128, 64, 32, 16, 16}) {
    EXPECT_EQ(next_after(absl::Seconds(30)), size * kKiB);
  }
}

TEST(UploadTest, KeepsToItsOwnChunkSizeForRadios) {
  UploadOptions options;
  options.chunk_bytes = 16 * kKiB;
  World world(Footage(kMiB), options);
  world.Start();
  EXPECT_EQ(world.link.end(), 64 * kKiB);
  world.Say(ReadyAt(0));
  EXPECT_THAT(world.link.chunks, SizeIs(64));
}

TEST(UploadTest, PreparesTheNextChunkWhileTheLastIsOnItsWay) {
  UploadOptions options;
  options.early_bytes = 0;
  World world(Footage(kMiB), options);
  world.Start();
  world.link.takes_at_once = false;
  world.Say(ReadyAt(0));
  EXPECT_THAT(world.link.chunks, SizeIs(1));
  EXPECT_EQ(world.source.bytes_read, 2 * 256 * kKiB);
}

TEST(UploadTest, ASmallRecordingGoesInOnePiece) {
  World world(Footage(64 * kKiB));
  world.link.takes_at_once = false;
  world.Start();
  EXPECT_THAT(world.link.begins, SizeIs(1));
  EXPECT_THAT(world.link.chunks, SizeIs(1));
  EXPECT_THAT(world.link.finishes, SizeIs(1));
}

// --- credit -----------------------------------------------------------------

TEST(UploadTest, StopsAtTheEndOfItsCreditAndGoesOnWithAnAck) {
  UploadOptions options;
  options.early_bytes = 0;
  World world(Footage(4 * kMiB), options);
  world.Start();
  world.Say(ReadyAt(0, kMiB));
  EXPECT_EQ(world.link.end(), kMiB);
  world.Say(Ack{512 * kKiB, kMiB});
  EXPECT_EQ(world.link.end(), 1536 * kKiB);
  EXPECT_EQ(world.recorder.last.durable, 512 * kKiB);
}

TEST(UploadTest, CountsHowLongAcksTake) {
  World world(Footage(2 * kMiB), {.chunk_bytes = kMiB, .early_bytes = 0});
  world.Start();
  world.Say(ReadyAt(0));
  world.Pass(absl::Milliseconds(16));
  world.Say(Ack{kMiB, kMiB});
  world.Pass(absl::Milliseconds(48));
  world.Say(world.OwnStored());
  ASSERT_OK(world.status());
  const DelayCounts& delays = world.recorder.result->ack_delays;
  EXPECT_LE(absl::AbsDuration(*delays.Percentile(0.5) - absl::Milliseconds(16)),
            absl::Milliseconds(2));
  EXPECT_LE(absl::AbsDuration(*delays.Percentile(1) - absl::Milliseconds(64)),
            absl::Milliseconds(5));
}

TEST(UploadTest, TheTimeWithoutAStreamIsNoAckDelay) {
  World world(Footage(2 * kMiB), {.chunk_bytes = kMiB, .early_bytes = 0});
  world.Start();
  world.Say(ReadyAt(0));
  world.End(absl::UnavailableError("gone"));
  world.UntilReopened();
  world.Say(ReadyAt(2 * kMiB));
  world.Say(world.OwnStored());
  ASSERT_OK(world.status());
  EXPECT_FALSE(world.recorder.result->ack_delays.Percentile(1));
}

TEST(UploadTest, CreditMayShrinkBelowWhatIsInFlight) {
  UploadOptions options;
  options.early_bytes = 0;
  World world(Footage(4 * kMiB), options);
  world.Start();
  world.Say(ReadyAt(0, 2 * kMiB));
  world.Say(Ack{kMiB, 256 * kKiB});
  EXPECT_EQ(world.link.end(), 2 * kMiB);
  world.Say(Ack{2 * kMiB, 256 * kKiB});
  EXPECT_EQ(world.link.end(), 2 * kMiB + 256 * kKiB);
}

TEST(UploadTest, CreditSmallerThanAChunkIsUsedWholeWithNothingInFlight) {
  UploadOptions options;
  options.early_bytes = 0;
  World world(Footage(kMiB), options);
  world.Start();
  world.Say(ReadyAt(0, 1000));
  EXPECT_EQ(world.link.end(), 1000u);
  world.Say(Ack{500, 1000});
  EXPECT_THAT(world.link.chunks, SizeIs(1)) << "no crumbs";
  world.Say(Ack{1000, 1000});
  EXPECT_EQ(world.link.end(), 2000u);
  ExpectChunks(world, 0);
}

TEST(UploadTest, NoCreditAtAllIsAStallNotACrash) {
  World world(Footage(kMiB));
  world.Start();
  world.Say(ReadyAt(0, 0));
  EXPECT_EQ(world.link.end(), 64 * kKiB);
  world.Pass(absl::Seconds(61));
  EXPECT_THAT(world.link.closes, ElementsAre(Link::Why::kStalled));
}

// --- going back -------------------------------------------------------------

TEST(UploadTest, RewindSendsAgainAndHashesOnce) {
  UploadOptions options;
  options.chunk_bytes = 256 * kKiB;
  options.early_bytes = 0;
  World world(Footage(4 * kMiB), options);
  world.Start();
  world.Say(ReadyAt(0, kMiB));
  world.Say(Rewind{100'000, Rewind::Reason::kBadCrc});
  ASSERT_THAT(world.link.chunks, SizeIs(Ge(5u)));
  EXPECT_EQ(world.link.chunks[4].offset, 100'000u);
  EXPECT_EQ(world.progress().rewound, kMiB - 100'000);
  for (uint64_t durable = kMiB; durable < 4 * kMiB; durable += 256 * kKiB) {
    world.Say(Ack{std::min(durable, world.link.end()), kMiB});
  }
  ASSERT_THAT(world.link.finishes, SizeIs(1));
  EXPECT_EQ(world.link.finishes[0].sha256, world.Hash());
}

TEST(UploadTest, RewindBehindFinishSendsAgainAndFinishesAgain) {
  World world(Footage(kMiB));
  world.Start();
  world.Say(ReadyAt(0));
  ASSERT_THAT(world.link.finishes, SizeIs(1));
  world.Say(Rewind{3, Rewind::Reason::kGatewayFault});
  ASSERT_THAT(world.link.finishes, SizeIs(2));
  EXPECT_EQ(world.link.finishes[1].sha256, world.Hash());
  EXPECT_EQ(world.progress().sent, 2 * kMiB - 3);
  world.Say(world.OwnStored());
  EXPECT_OK(world.status());
}

TEST(UploadTest, RewindWhileFinishIsNotYetTakenWaitsForIt) {
  World world(Footage(kMiB));
  world.Start();
  world.link.takes_at_once = false;
  world.Say(ReadyAt(0));
  while (world.link.finishes.empty()) {
    world.link.Take();
    world.Run();
  }
  world.Say(Rewind{0, Rewind::Reason::kGap});
  const size_t chunks = world.link.chunks.size();
  world.link.takes_at_once = true;
  world.link.Take();
  world.Run();
  EXPECT_EQ(world.link.chunks[chunks].offset, 0u);
  EXPECT_THAT(world.link.finishes, SizeIs(2));
}

TEST(UploadTest, RewindBelowTheDurableOffsetTakesItBack) {
  World world(Footage(kMiB));
  world.Start();
  world.Say(ReadyAt(0, 512 * kKiB));
  world.Say(Ack{256 * kKiB, 512 * kKiB});
  EXPECT_EQ(world.recorder.last.durable, 256 * kKiB);
  world.Say(Rewind{0, Rewind::Reason::kGatewayFault});
  EXPECT_EQ(world.recorder.last.durable, 0u);
  EXPECT_EQ(world.link.end(), 512 * kKiB);
}

// --- resuming ---------------------------------------------------------------

TEST(UploadTest, ANewStreamBeginsFromTheLastAck) {
  World world(Footage(4 * kMiB));
  world.Start();
  world.Say(ReadyAt(0, kMiB));
  world.Say(Ack{300'000, kMiB});
  const uint64_t sent = world.link.end();
  world.End(absl::UnavailableError("cut"));
  EXPECT_EQ(world.progress().unacknowledged, sent - 300'000);
  world.UntilReopened();
  ASSERT_THAT(world.link.chunks, SizeIs(1));
  EXPECT_EQ(world.link.chunks[0].offset, 300'000u);
  world.Say(ReadyAt(300'000));
  ExpectChunks(world, 300'000);
  ASSERT_THAT(world.link.finishes, SizeIs(1));
  EXPECT_EQ(world.link.finishes[0].sha256, world.Hash());
}

TEST(UploadTest, GoesBackIfTheGatewayLostWhatItAcknowledged) {
  World world(Footage(4 * kMiB));
  world.Start();
  world.Say(ReadyAt(0, kMiB));
  world.Say(Ack{512 * kKiB, kMiB});
  world.End(absl::UnavailableError("spool fault"),
            Because(ErrorDetail::Reason::kSpoolFault));
  world.UntilReopened();
  world.Say(ReadyAt(1000));
  EXPECT_EQ(world.progress().durable, 0u + 1000);
  EXPECT_EQ(world.link.chunks[1].offset, 1000u);
  EXPECT_EQ(world.link.end(), 4 * kMiB);
  // The early chunks were a gap for the gateway; its Rewind is obeyed too.
  world.Say(Rewind{1000, Rewind::Reason::kGap});
  world.Say(world.OwnStored());
  EXPECT_OK(world.status());
  EXPECT_EQ(world.link.finishes.back().sha256, world.Hash());
}

TEST(UploadTest, AfterARestartTheHashCatchesUpInBoundedSteps) {
  World world(Footage(10 * kMiB));
  world.Start();
  world.Say(ReadyAt(9 * kMiB));
  ASSERT_THAT(world.link.finishes, SizeIs(1));
  EXPECT_EQ(world.link.finishes[0].sha256, world.Hash());
  EXPECT_LE(world.source.longest_read, kMiB);
}

TEST(UploadTest, TheHashCatchesUpBetweenTheChunksAndNotInOneBlock) {
  World world(Footage(10 * kMiB));
  world.Start();
  world.link.takes_at_once = false;
  world.link.Say(ReadyAt(8 * kMiB));
  int tasks = 0;
  while (world.executor.RunOne()) ++tasks;
  EXPECT_THAT(world.link.finishes, IsEmpty());
  EXPECT_GE(tasks, 8);
}

TEST(UploadTest, AlreadyStoredSendsNoChunkButTheHash) {
  World world(Footage(5 * kMiB));
  world.Start();
  Ready ready = ReadyAt(5 * kMiB);
  ready.already_stored = true;
  world.Say(ready);
  EXPECT_EQ(world.link.end(), 64 * kKiB);  // what went ahead, nothing else
  ASSERT_THAT(world.link.finishes, SizeIs(1));
  EXPECT_EQ(world.link.finishes[0].sha256, world.Hash());
  EXPECT_EQ(world.recorder.last.state, UploadState::kVerifying);
  world.Say(world.OwnStored());
  EXPECT_OK(world.status());
}

TEST(UploadTest, NobodySawThatTheHashOfAStoredRecordingIsOnItsWay) {
  World world(Footage(5 * kMiB));
  world.Start();
  Ready ready = ReadyAt(5 * kMiB);
  ready.already_stored = true;
  world.link.Say(ready);
  std::vector<uint64_t> seen;
  while (world.executor.RunOne()) {
    if (world.recorder.last.state != UploadState::kHashing) continue;
    if (seen.empty() || seen.back() != world.recorder.last.hashed) {
      seen.push_back(world.recorder.last.hashed);
    }
  }
  EXPECT_THAT(seen, SizeIs(Ge(5u)));
  EXPECT_THAT(world.recorder.states,
              ElementsAre(UploadState::kConnecting, UploadState::kSending,
                          UploadState::kHashing, UploadState::kVerifying));
  EXPECT_EQ(world.recorder.last.hashed, 5 * kMiB);
}

TEST(UploadTest, HashingBeforeItIsBegunUnderAnotherNameIsSeenToo) {
  World world(Footage(10 * kMiB));
  world.Start();
  world.End(absl::AlreadyExistsError("other bytes"));
  EXPECT_THAT(world.recorder.states,
              ElementsAre(UploadState::kConnecting, UploadState::kHashing,
                          UploadState::kConnecting));
}

TEST(UploadTest, AGatewayThatEndsAStreamOnWhichWeOnlyHashIsBegunAgain) {
  UploadOptions options;
  options.retry_for = absl::Seconds(100);
  World world(Footage(64 * kMiB), options);
  world.Start();
  world.link.Say(ReadyAt(64 * kMiB));
  for (int i = 0; i < 30; ++i) {  // a slow card
    world.executor.Advance(absl::Seconds(5));
    ASSERT_TRUE(world.executor.RunOne());
  }
  ASSERT_EQ(world.recorder.last.state, UploadState::kHashing);
  world.End(absl::UnavailableError("the device sent nothing for too long"),
            {.reason = ErrorDetail::Reason::kSilent});
  ASSERT_FALSE(world.recorder.result);
  world.UntilReopened();
  world.Say(ReadyAt(64 * kMiB));
  world.Say(world.OwnStored());
  EXPECT_OK(world.status());
  EXPECT_EQ(world.source.bytes_read, 64 * kMiB + 64 * kKiB) << "hashed once";
}

// --- another recording under this name --------------------------------------

TEST(UploadTest, OtherBytesStoredSendsOnceMoreUnderAnotherName) {
  World world(Footage(kMiB));
  world.Start();
  Ready stored = ReadyAt(77'000'000);  // of another size, which is no error
  stored.already_stored = true;
  world.Say(stored);
  ErrorDetail detail = Because(ErrorDetail::Reason::kOtherBytesStored);
  detail.stored_sha256 = Sha256::Of("other");
  world.End(absl::AlreadyExistsError("other bytes"), detail);

  const std::string renamed = "r.mp4~" + world.Hash().ToHex().substr(0, 8);
  ASSERT_THAT(world.link.begins, SizeIs(1));
  EXPECT_EQ(world.link.begins[0].name, Name(renamed));
  EXPECT_EQ(world.link.chunks[0].offset, 0u);
  world.Say(ReadyAt(0));
  world.Say(world.OwnStored());
  EXPECT_OK(world.status());
  EXPECT_EQ(world.recorder.result->name, Name(renamed));
}

TEST(UploadTest, OtherBytesStoredBeforeTheHashIsKnownHashesFirst) {
  World world(Footage(10 * kMiB));
  world.Start();
  world.End(absl::AlreadyExistsError("other bytes"));
  ASSERT_THAT(world.link.begins, SizeIs(1));
  EXPECT_EQ(world.link.begins[0].name,
            Name("r.mp4~" + world.Hash().ToHex().substr(0, 8)));
}

TEST(UploadTest, ALongIdIsCutToMakeRoomForTheHash) {
  const std::string id(128, 'x');
  World world(Footage(9), {}, Name(id));
  world.Start();
  world.Say(ReadyAt(0));
  world.End(absl::AlreadyExistsError("other bytes"));
  ASSERT_THAT(world.link.begins, SizeIs(1));
  EXPECT_EQ(world.link.begins[0].name.recording_id(),
            id.substr(0, 119) + "~" + world.Hash().ToHex().substr(0, 8));
}

TEST(UploadTest, OtherBytesUnderBothNamesIsTheEnd) {
  World world(Footage(9));
  world.Start();
  world.Say(ReadyAt(0));
  world.End(absl::AlreadyExistsError("other bytes"));
  world.Say(ReadyAt(0));
  world.End(absl::AlreadyExistsError("other bytes"));
  EXPECT_THAT(world.status(), StatusIs(StatusCode::kAlreadyExists));
  EXPECT_EQ(world.link.opens, 2);
}

TEST(UploadTest, OtherBytesWithOurHashIsNonsense) {
  World world(Footage(9));
  world.Start();
  world.Say(ReadyAt(0));
  ErrorDetail detail;
  detail.stored_sha256 = world.Hash();
  world.End(absl::AlreadyExistsError("other bytes"), detail);
  EXPECT_THAT(world.status(), StatusIs(StatusCode::kInternal));
}

// --- a gateway that is wrong ------------------------------------------------

TEST(UploadTest, StoredOfAnotherHashIsDataLoss) {
  World world(Footage(9));
  world.Start();
  world.Say(ReadyAt(0));
  world.Say(Stored{9, Sha256::Of("other")});
  EXPECT_THAT(world.status(),
              StatusIs(StatusCode::kDataLoss, HasSubstr("something else")));
}

TEST(UploadTest, AReceiptThatNobodyVerifiedWasTakenForStored) {
  World world(Footage(9));
  world.Start();
  world.Say(ReadyAt(0));
  world.Say(Receipt{"cam-1", "r.mp4", 9, world.Hash(), "", ""});
  EXPECT_OK(world.status());
  EXPECT_EQ(world.recorder.result->receipt_state,
            UploadResult::ReceiptState::kUnverified);

  World stored(Footage(9));
  stored.Start();
  stored.Say(ReadyAt(0));
  stored.Say(stored.OwnStored());
  EXPECT_EQ(stored.recorder.result->receipt_state,
            UploadResult::ReceiptState::kNone);
}

// --- with the keys of a custody log ------------------------------------------

Receipt ReceiptOf(const TestReceipts& gateway, const Held& stated) {
  const TestReceipts::Given given = gateway.For(stated);
  return {"cam-1",         "r.mp4",      9, Sha256::Of(Footage(9)),
          given.statement, given.receipt};
}

UploadOptions Pinning(const std::vector<PinnedKeys>& keys) {
  UploadOptions options;
  options.custody_keys = keys;
  return options;
}

// What an upload with these keys makes of a reply to its Finish.
UploadResult After(Reply reply, const std::vector<PinnedKeys>& keys) {
  World world(Footage(9), Pinning(keys));
  world.Start();
  world.Say(ReadyAt(0));
  world.Say(std::move(reply));
  return *world.recorder.result;
}

TEST(UploadTest, AReceiptIsVerifiedByTheKeysOfWhicheverGatewayGaveIt) {
  const TestReceipts gateway, other("police.example/gw-2");
  const Held ours = {Name(), 9, Sha256::Of(Footage(9))};
  for (const std::vector<PinnedKeys>& keys :
       {std::vector{gateway.pinned()},
        std::vector{other.pinned(), gateway.pinned()}}) {
    const UploadResult result = After(ReceiptOf(gateway, ours), keys);
    EXPECT_OK(result.status);
    EXPECT_EQ(result.receipt_state, UploadResult::ReceiptState::kVerified);
    EXPECT_EQ(result.receipt->statement, ReceiptOf(gateway, ours).statement);
  }
}

TEST(UploadTest, AReceiptThatDoesNotHoldIsDataLossAndSaysWhy) {
  const TestReceipts gateway, stranger;
  const Held ours = {Name(), 9, Sha256::Of(Footage(9))};
  const auto refused = [&](const Receipt& receipt, const char* why) {
    const UploadResult result = After(receipt, {gateway.pinned()});
    EXPECT_THAT(result.status, StatusIs(StatusCode::kDataLoss, HasSubstr(why)));
    EXPECT_EQ(result.receipt_state, UploadResult::ReceiptState::kUnverified);
  };
  refused(ReceiptOf(stranger, ours), "does not hold");
  refused(ReceiptOf(gateway,
                    {*RecordingName::Parse("cam-1", "s.mp4"), 9, ours.sha256}),
          "the receipt is for cam-1/s.mp4");
  refused(ReceiptOf(gateway, {Name(), 8, ours.sha256}), "for 8 bytes");
  refused(ReceiptOf(gateway, {Name(), 9, Sha256::Of("other")}), "SHA-256");
  Receipt altered = ReceiptOf(gateway, ours);
  altered.statement.replace(altered.statement.find("true"), 4, "null");
  refused(altered, "does not hold");
  refused({"cam-1", "r.mp4", 9, ours.sha256, "", ""}, "does not hold");
}

TEST(UploadTest, StoredWithoutTheReceiptThatTheKeysAskForIsNotDone) {
  const UploadResult result =
      After(Stored{9, Sha256::Of(Footage(9))}, {TestReceipts().pinned()});
  EXPECT_THAT(result.status, StatusIs(StatusCode::kFailedPrecondition,
                                      HasSubstr("no receipt")));
}

TEST(UploadTest, AReceiptForOtherBytesOrAnotherRecordingIsDataLoss) {
  const Digest ours = Sha256::Of(Footage(9)), others = Sha256::Of("other");
  for (const Receipt& receipt : {Receipt{"cam-1", "r.mp4", 9, others, "", ""},
                                 Receipt{"cam-1", "r.mp4", 8, ours, "", ""},
                                 Receipt{"cam-1", "s.mp4", 9, ours, "", ""},
                                 Receipt{"cam-2", "r.mp4", 9, ours, "", ""},
                                 Receipt{"", "", 9, ours, "", ""}}) {
    World world(Footage(9));
    world.Start();
    world.Say(ReadyAt(0));
    world.Say(receipt);
    EXPECT_THAT(world.status(), StatusIs(StatusCode::kDataLoss));
    EXPECT_FALSE(world.link.open);
  }
}

TEST(UploadTest, StoredOfAnotherSizeIsDataLoss) {
  World world(Footage(9));
  world.Start();
  world.Say(ReadyAt(0));
  world.Say(Stored{8, world.Hash()});
  EXPECT_THAT(world.status(), StatusIs(StatusCode::kDataLoss));
}

TEST(UploadTest, ReadyBeyondTheEndIsAnotherRecording) {
  World world(Footage(9));
  world.Start();
  world.Say(ReadyAt(10));
  EXPECT_THAT(world.status(), StatusIs(StatusCode::kFailedPrecondition,
                                       HasSubstr("another recording")));
  EXPECT_THAT(world.link.closes, SizeIs(1));
}

TEST(UploadTest, ChunkBytesMaxOfZeroOrMoreThanAChunkMayHoldIsNotObeyed) {
  for (const uint64_t said : {uint64_t{0}, uint64_t{1} << 40, ~uint64_t{0}}) {
    UploadOptions options;
    options.early_bytes = 0;
    options.chunk_bytes = 16 * kMiB;
    World world(Footage(3 * kMiB), options);
    world.Start();
    Ready ready = ReadyAt(0, ~uint64_t{0});
    ready.chunk_bytes_max = said;
    world.Say(ready);
    EXPECT_EQ(world.link.end(), 3 * kMiB) << said;
    EXPECT_EQ(world.source.longest_read, kMiB);
  }
}

TEST(UploadTest, NumbersAtTheEndOfTheirRangeAreRefusedNotReckonedWith) {
  World world(Footage(kMiB));
  world.Start();
  world.Say(ReadyAt(~uint64_t{0}, ~uint64_t{0}));
  EXPECT_THAT(world.status(), StatusIs(StatusCode::kFailedPrecondition));

  World other(Footage(4 * kMiB));
  other.Start();
  other.Say(ReadyAt(0, kMiB));
  other.Say(Ack{~uint64_t{0}, ~uint64_t{0}});
  EXPECT_EQ(other.recorder.last.state, UploadState::kWaiting);
  EXPECT_EQ(other.recorder.last.durable, 0u);
}

TEST(UploadTest, AcksThatMoveNothingKeptAStreamWithoutCreditAlive) {
  World world(Footage(4 * kMiB));
  world.Start();
  world.Say(ReadyAt(0, kMiB));
  for (int i = 0; i < 62 && world.link.closes.empty(); ++i) {
    world.Say(Ack{0, 0});
    world.Pass(absl::Seconds(1));
  }
  EXPECT_THAT(world.link.closes, ElementsAre(Link::Why::kStalled));
}

TEST(UploadTest, AcksThatMoveNothingKeptAVerificationWithoutEndAlive) {
  World world(Footage(kMiB));
  world.Start();
  world.Say(ReadyAt(0));
  world.Say(Ack{kMiB, kMiB});
  ASSERT_THAT(world.link.finishes, SizeIs(1));
  for (int i = 0; i < 62 && world.link.closes.empty(); ++i) {
    world.Say(Ack{kMiB, kMiB});
    world.Pass(absl::Seconds(1));
  }
  EXPECT_THAT(world.link.closes, ElementsAre(Link::Why::kStalled));
}

TEST(UploadTest, RewindsWithoutEndSentTheRecordingForEver) {
  World world(Footage(kMiB));
  world.Start();
  world.Say(ReadyAt(0));
  for (int i = 1; i <= limits::kRewindsPerStreamMax; ++i) {
    world.Say(Rewind{0, Rewind::Reason::kGatewayFault});
    ASSERT_TRUE(world.link.open) << i;
  }
  world.Say(Rewind{0, Rewind::Reason::kGatewayFault});
  EXPECT_FALSE(world.link.open);
  EXPECT_THAT(world.recorder.last.reason, HasSubstr("again and again"));
  world.UntilReopened();
}

TEST(UploadTest, PausesOfAMillisecondWereABusyLoop) {
  World world(Footage(kMiB));
  world.Start();
  for (int i = 0; i < 20; ++i) {
    world.Say(Pause{absl::Milliseconds(1), Pause::Reason::kSpoolFull});
    EXPECT_GE(world.UntilReopened(), absl::Milliseconds(500));
  }
}

TEST(UploadTest, AGatewayThatLosesAllAgainAndAgainIsNotHurriedFor) {
  World world(Footage(4 * kMiB));
  world.Start();
  absl::Duration longest;
  for (int i = 0; i < 50; ++i) {
    world.Say(ReadyAt(0, kMiB));
    world.Say(Ack{kMiB, kMiB});
    world.End(absl::UnavailableError("disk"),
              Because(ErrorDetail::Reason::kSpoolFault));
    ASSERT_FALSE(world.recorder.result);
    longest = std::max(longest, world.UntilReopened());
  }
  EXPECT_GT(longest, absl::Seconds(30));
}

TEST(UploadTest, SendingAgainWhatTheGatewayLostIsNoReasonToGiveUp) {
  UploadOptions options;
  options.retry_for = absl::Minutes(2);
  World world(Footage(4 * kMiB), options);
  world.Start();
  world.Say(ReadyAt(0, 2 * kMiB));
  world.Say(Ack{2 * kMiB, 2 * kMiB});
  world.Say(Rewind{0, Rewind::Reason::kGatewayFault});
  world.Pass(absl::Seconds(50));
  world.Say(Ack{kMiB, 2 * kMiB});
  world.Pass(absl::Seconds(50));
  world.Say(Ack{kMiB + 1, 2 * kMiB});
  world.Pass(absl::Seconds(50));
  world.End(absl::UnavailableError("cut"));
  EXPECT_FALSE(world.recorder.result);
}

struct Breach {
  const char* what;
  std::vector<Reply> replies;
};

class BreachTest : public testing::TestWithParam<Breach> {};

// The stream is given up and another tried; never is anything believed.
TEST_P(BreachTest, EndsTheStreamAndTriesAgain) {
  World world(Footage(4 * kMiB));
  world.Start();
  for (const Reply& reply : GetParam().replies) world.Say(reply);
  EXPECT_FALSE(world.recorder.result);
  EXPECT_THAT(world.link.closes, SizeIs(1));
  EXPECT_EQ(world.recorder.last.state, UploadState::kWaiting);
  world.UntilReopened();
}

INSTANTIATE_TEST_SUITE_P(
    All, BreachTest,
    testing::Values(
        Breach{"ReadyTwice", {ReadyAt(0), ReadyAt(0)}},
        Breach{"AckBeforeReady", {Ack{0, kMiB}}},
        Breach{"AckBeyondSent", {ReadyAt(0, kMiB), Ack{2 * kMiB, kMiB}}},
        Breach{
            "AckBeyondRewind",
            {ReadyAt(0, 0), Rewind{0, Rewind::Reason::kGap}, Ack{kMiB, kMiB}}},
        Breach{"RewindBeforeReady", {Rewind{0, Rewind::Reason::kGap}}},
        Breach{"RewindAhead",
               {ReadyAt(0, kMiB), Rewind{2 * kMiB, Rewind::Reason::kGap}}},
        Breach{"StoredBeforeReady", {Stored{9, Sha256::Of("x")}}},
        Breach{"ReceiptBeforeFinish",
               {ReadyAt(0, kMiB),
                Receipt{"cam-1", "r.mp4", 9, Sha256::Of("x"), "", ""}}},
        Breach{"StoredBeforeFinish",
               {ReadyAt(0, kMiB), Stored{9, Sha256::Of("x")}}}),
    [](const auto& info) { return info.param.what; });

// --- refusals and broken links ----------------------------------------------

class FatalTest : public testing::TestWithParam<StatusCode> {};

TEST_P(FatalTest, IsNotTriedAgain) {
  World world(Footage(kMiB));
  world.Start();
  world.Say(ReadyAt(0));
  world.End(absl::Status(GetParam(), "because"));
  EXPECT_THAT(world.status(), StatusIs(GetParam(), HasSubstr("because")));
  EXPECT_EQ(world.link.opens, 1);
  while (world.executor.SkipToNext()) world.Run();
  EXPECT_EQ(world.link.opens, 1);
}

INSTANTIATE_TEST_SUITE_P(
    All, FatalTest,
    testing::Values(StatusCode::kInvalidArgument, StatusCode::kPermissionDenied,
                    StatusCode::kUnauthenticated, StatusCode::kUnimplemented,
                    StatusCode::kFailedPrecondition, StatusCode::kDataLoss,
                    StatusCode::kNotFound, StatusCode::kOutOfRange));

TEST(UploadTest, HeldForAnOperatorSaysSo) {
  World world(Footage(9));
  world.Start();
  world.End(absl::FailedPreconditionError("three mismatches"),
            Because(ErrorDetail::Reason::kHeldForOperator));
  EXPECT_THAT(world.status(),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("operator")));
}

class BrokenLinkTest : public testing::TestWithParam<StatusCode> {};

TEST_P(BrokenLinkTest, IsTriedAgain) {
  World world(Footage(kMiB));
  world.Start();
  world.End(absl::Status(GetParam(), "cut"));
  EXPECT_EQ(world.recorder.last.state, UploadState::kWaiting);
  EXPECT_GT(world.recorder.last.wait_until, world.executor.Now());
  EXPECT_LE(world.UntilReopened(), absl::Milliseconds(500));
  world.Say(ReadyAt(0));
  world.Say(world.OwnStored());
  EXPECT_OK(world.status());
  EXPECT_EQ(world.progress().attempts, 2);
}

INSTANTIATE_TEST_SUITE_P(
    All, BrokenLinkTest,
    testing::Values(StatusCode::kOk, StatusCode::kUnavailable,
                    StatusCode::kCancelled, StatusCode::kUnknown,
                    StatusCode::kInternal, StatusCode::kDeadlineExceeded,
                    StatusCode::kResourceExhausted, StatusCode::kAborted));

TEST(UploadTest, ADeadLinkIsTriedForEverWithGrowingJitteredWaits) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    World world(Footage(kMiB), {}, Name(), seed);
    world.Start();
    absl::Duration bound = absl::Milliseconds(500);
    absl::Duration total;
    for (int i = 0; i < 100; ++i) {
      world.End(absl::UnavailableError("no route"));
      const absl::Duration waited = world.UntilReopened();
      EXPECT_LE(waited, bound);
      total += waited;
      bound = std::min(bound * 2, absl::Seconds(60));
    }
    // 93 of them uniform in [0, 60 s): the mean of their sum is 46.5 min.
    EXPECT_GT(total, absl::Minutes(30));
    EXPECT_LT(total, absl::Minutes(65));
    EXPECT_FALSE(world.recorder.result);
  }
}

TEST(UploadTest, ProgressMakesTheWaitsShortAgain) {
  World world(Footage(64 * kMiB));
  world.Start();
  for (int i = 0; i < 20; ++i) {
    world.End(absl::UnavailableError("no route"));
    world.UntilReopened();
  }
  world.Say(ReadyAt(0, kMiB));
  world.Say(Ack{1000, kMiB});
  world.End(absl::UnavailableError("cut"));
  EXPECT_LE(world.UntilReopened(), absl::Milliseconds(500));
}

TEST(UploadTest, ReadyAloneIsNoProgress) {
  for (uint64_t seed = 1; seed < 5; ++seed) {
    World world(Footage(64 * kMiB), {}, Name(), seed);
    world.Start();
    absl::Duration longest;
    for (int i = 0; i < 50; ++i) {  // a gateway that crashes on what we send
      world.Say(ReadyAt(0, kMiB));
      world.End(absl::UnavailableError("cut"));
      longest = std::max(longest, world.UntilReopened());
    }
    EXPECT_GT(longest, absl::Seconds(30));
  }
}

TEST(UploadTest, PauseWaitsAsToldPlusUpToAsMuch) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    World world(Footage(kMiB), {}, Name(), seed);
    world.Start();
    world.Say(ReadyAt(0));
    world.Say(Pause{absl::Seconds(30), Pause::Reason::kStoreAway});
    EXPECT_FALSE(world.link.open);
    EXPECT_EQ(world.recorder.last.state, UploadState::kWaiting);
    EXPECT_THAT(world.recorder.last.reason, HasSubstr("store"));
    // The call ends behind it; that is no second reason to wait.
    world.End(absl::ResourceExhaustedError("paused"),
              Because(ErrorDetail::Reason::kPaused));
    EXPECT_THAT(world.UntilReopened(),
                AllOf(Ge(absl::Seconds(30)), Le(absl::Seconds(60))));
  }
}

TEST(UploadTest, PauseMayComeInsteadOfReady) {
  World world(Footage(kMiB));
  world.Start();
  world.Say(Pause{absl::Seconds(5), Pause::Reason::kTooManyStreams});
  EXPECT_THAT(world.UntilReopened(),
              AllOf(Ge(absl::Seconds(5)), Le(absl::Seconds(10))));
}

TEST(UploadTest, ResourceExhaustedWithoutAPauseWaitsAsItsDetailSays) {
  World world(Footage(kMiB));
  world.Start();
  ErrorDetail detail = Because(ErrorDetail::Reason::kPaused);
  detail.retry_after = absl::Seconds(8);
  world.End(absl::ResourceExhaustedError("full"), detail);
  EXPECT_THAT(world.UntilReopened(),
              AllOf(Ge(absl::Seconds(8)), Le(absl::Seconds(16))));
}

TEST(UploadTest, AnAbsurdPauseIsCut) {
  World world(Footage(kMiB));
  world.Start();
  world.Say(Pause{absl::InfiniteDuration(), Pause::Reason::kHeld});
  EXPECT_LE(world.UntilReopened(), absl::Hours(48));
}

// --- takeovers --------------------------------------------------------------

TEST(UploadTest, FiveTakeoversWithoutProgressAreASecondProgram) {
  World world(Footage(4 * kMiB));
  world.Start();
  for (int i = 1; i <= 4; ++i) {
    world.Say(ReadyAt(0, kMiB));
    world.End(absl::AbortedError("newer stream"),
              Because(ErrorDetail::Reason::kTakenOver));
    ASSERT_FALSE(world.recorder.result) << i;
    world.UntilReopened();
  }
  world.End(absl::AbortedError("newer stream"),
            Because(ErrorDetail::Reason::kTakenOver));
  EXPECT_THAT(world.status(),
              StatusIs(StatusCode::kAborted, HasSubstr("another program")));
}

TEST(UploadTest, TakeoversWithProgressInBetweenAreEndured) {
  World world(Footage(4 * kMiB));
  world.Start();
  for (int i = 1; i <= 20; ++i) {
    world.Say(ReadyAt(1000 * (i - 1), kMiB));
    world.Say(Ack{1000u * i, kMiB});
    world.End(absl::AbortedError("newer stream"));
    ASSERT_FALSE(world.recorder.result) << i;
    world.UntilReopened();
  }
}

// --- stalls -----------------------------------------------------------------

TEST(UploadTest, SilenceWhileConnectingIsAStall) {
  World world(Footage(kMiB));
  world.link.takes_at_once = false;
  world.Start();
  world.Pass(absl::Seconds(59));
  EXPECT_TRUE(world.link.open);
  world.Pass(absl::Seconds(2));
  EXPECT_THAT(world.link.closes, ElementsAre(Link::Why::kStalled));
  EXPECT_THAT(world.recorder.last.reason, HasSubstr("nothing moved"));
}

TEST(UploadTest, AChunkThatIsNeverTakenIsAStall) {
  World world(Footage(kMiB));
  world.Start();
  world.link.takes_at_once = false;
  world.Say(ReadyAt(0));
  world.Pass(absl::Seconds(61));
  EXPECT_THAT(world.link.closes, ElementsAre(Link::Why::kStalled));
}

TEST(UploadTest, ExhaustedCreditWithoutAnAckIsAStall) {
  World world(Footage(4 * kMiB));
  world.Start();
  world.Say(ReadyAt(0, kMiB));
  world.Pass(absl::Seconds(61));
  EXPECT_THAT(world.link.closes, ElementsAre(Link::Why::kStalled));
}

TEST(UploadTest, ASlowLinkThatMovesIsNoStall) {
  UploadOptions options;
  options.chunk_bytes = 16 * kKiB;
  World world(Footage(kMiB), options);
  world.link.takes_at_once = false;
  world.Start();
  world.Pass(absl::Seconds(50));
  world.Say(ReadyAt(0));
  for (int i = 0; i < 60; ++i) {  // an hour
    world.Pass(absl::Seconds(59));
    world.link.Take();
    world.Run();
  }
  EXPECT_THAT(world.link.closes, IsEmpty());
  EXPECT_EQ(world.link.opens, 1);
}

TEST(UploadTest, ALongVerificationIsGivenMoreTimeWithEachAttempt) {
  World world(Footage(kMiB));
  world.Start();
  absl::Duration patience = absl::Seconds(60);
  for (size_t i = 1; i <= 4; ++i, patience *= 2) {
    world.Say(ReadyAt(i == 1 ? 0 : kMiB));
    ASSERT_THAT(world.link.finishes, SizeIs(1));
    const absl::Time finished = world.executor.Now();
    while (world.link.closes.size() < i) {
      ASSERT_TRUE(world.executor.SkipToNext());
      world.Run();
    }
    EXPECT_EQ(world.executor.Now() - finished, patience);
    world.UntilReopened();
  }
}

// --- giving up --------------------------------------------------------------

TEST(UploadTest, GivesUpWhereTheGatewayCannotBeReached) {
  UploadOptions options;
  options.retry_for = absl::Seconds(100);
  World world(Footage(kMiB), options);
  const absl::Time start = world.executor.Now();
  world.Start();
  while (!world.recorder.result) {
    world.End(absl::UnavailableError("refused"));
    if (!world.recorder.result) {
      world.executor.SkipToNext();
      world.Run();
    }
  }
  EXPECT_THAT(world.status(),
              StatusIs(StatusCode::kDeadlineExceeded, HasSubstr("refused")));
  EXPECT_EQ(world.executor.Now() - start, absl::Seconds(100));
}

TEST(UploadTest, GivesUpWhereNothingAnswers) {
  UploadOptions options;
  options.retry_for = absl::Seconds(10);
  World world(Footage(kMiB), options);
  world.Start();
  world.Pass(absl::Seconds(10));
  EXPECT_THAT(world.status(), StatusIs(StatusCode::kDeadlineExceeded));
  EXPECT_FALSE(world.link.open);
}

TEST(UploadTest, DoesNotGiveUpWhileAStreamStands) {
  UploadOptions options;
  options.retry_for = absl::Seconds(10);
  World world(Footage(4 * kMiB), options);
  world.Start();
  world.Say(ReadyAt(0, kMiB));
  world.Pass(absl::Seconds(50));
  EXPECT_FALSE(world.recorder.result);
  world.Say(Ack{world.link.end(), kMiB});
  world.End(absl::UnavailableError("cut"));
  EXPECT_FALSE(world.recorder.result) << "there was progress just now";
}

TEST(UploadTest, StopEndsInOrder) {
  World world(Footage(4 * kMiB));
  world.Start();
  world.Say(ReadyAt(0, kMiB));
  world.upload->Stop();
  world.Run();
  EXPECT_THAT(world.status(), StatusIs(StatusCode::kCancelled));
  EXPECT_FALSE(world.link.open);
  world.upload->Stop();  // twice is nothing
}

TEST(UploadTest, StopEndsAWaitToo) {
  World world(Footage(kMiB));
  world.Start();
  world.End(absl::UnavailableError("cut"));
  world.upload->Stop();
  while (world.executor.SkipToNext()) world.Run();
  EXPECT_THAT(world.status(), StatusIs(StatusCode::kCancelled));
  EXPECT_EQ(world.link.opens, 1);
}

TEST(UploadTest, MayBeDestroyedWhileItsTasksWait) {
  World world(Footage(10 * kMiB));
  world.Start();
  world.Say(ReadyAt(9 * kMiB, 0));
  world.upload.reset();
  while (world.executor.SkipToNext()) world.Run();
}

// --- late events ------------------------------------------------------------

TEST(UploadTest, EventsOfAnOlderStreamMeanNothing) {
  World world(Footage(4 * kMiB));
  world.Start();
  const uint64_t old = world.link.stream();
  world.End(absl::UnavailableError("cut"));
  world.link.EndOn(old, absl::DataLossError("late"));
  world.Run();
  world.UntilReopened();
  world.Say(ReadyAt(0, kMiB));
  const uint64_t end = world.link.end();
  world.link.SayOn(old, Ack{kMiB, 64 * kMiB});
  world.link.SayOn(old, Rewind{0, Rewind::Reason::kGap});
  world.link.SayOn(old, Pause{absl::Hours(1), Pause::Reason::kHeld});
  world.link.SayOn(old, world.OwnStored());
  world.link.EndOn(old, absl::PermissionDeniedError("late"));
  world.Run();
  EXPECT_FALSE(world.recorder.result);
  EXPECT_EQ(world.link.end(), end);
  EXPECT_EQ(world.recorder.last.durable, 0u);
  EXPECT_TRUE(world.link.open);
}

// --- the source -------------------------------------------------------------

TEST(UploadTest, ASourceThatChangedIsNotBegunAgain) {
  World world(Footage(4 * kMiB));
  world.Start();
  world.End(absl::UnavailableError("cut"));
  world.source.change = absl::NotFoundError("gone");
  while (!world.recorder.result) {
    ASSERT_TRUE(world.executor.SkipToNext());
    world.Run();
  }
  EXPECT_THAT(world.status(), StatusIs(StatusCode::kNotFound));
  EXPECT_EQ(world.link.opens, 1);
}

TEST(UploadTest, ASourceThatChangedIsNotFinished) {
  World world(Footage(kMiB));
  world.Start();
  world.source.change = absl::FailedPreconditionError("it grew");
  world.Say(ReadyAt(0));
  EXPECT_THAT(world.link.finishes, IsEmpty());
  EXPECT_THAT(world.status(),
              StatusIs(StatusCode::kFailedPrecondition, "it grew"));
  EXPECT_FALSE(world.link.open);
}

TEST(UploadTest, ASourceThatChangedSinceFinishIsNotReportedStored) {
  World world(Footage(kMiB));
  world.Start();
  world.Say(ReadyAt(0));
  world.source.change = absl::FailedPreconditionError("it grew");
  world.Say(world.OwnStored());
  EXPECT_THAT(world.status(),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("it grew")));
}

TEST(UploadTest, ASourceThatCannotBeReadEndsTheUpload) {
  World world(Footage(4 * kMiB));
  world.Start();
  world.source.read_error = absl::DataLossError("bad sector");
  world.Say(ReadyAt(0));
  EXPECT_THAT(world.status(),
              StatusIs(StatusCode::kDataLoss, HasSubstr("bad sector")));
  EXPECT_FALSE(world.link.open);
}

TEST(UploadTest, ASourceThatCannotBeReadForItsHashEndsTheUpload) {
  World world(Footage(4 * kMiB));
  world.Start();
  Ready ready = ReadyAt(4 * kMiB);
  ready.already_stored = true;
  world.source.read_error = absl::DataLossError("bad sector");
  world.Say(ready);
  EXPECT_THAT(world.status(), StatusIs(StatusCode::kDataLoss));
  EXPECT_FALSE(world.link.open);
}

// --- any script -------------------------------------------------------------

// A gateway as the protocol describes it, which by its seed acknowledges late,
// shrinks credit, rewinds, forgets what was not durable, pauses and cuts.
class RandomGateway final : public Link {
 public:
  RandomGateway(Strand& strand, Random& random, std::string footage)
      : strand_(strand), random_(random), footage_(std::move(footage)) {}

  void Open(uint64_t stream, LinkEvents& events) override {
    stream_ = stream;
    events_ = &events;
    open_ = true;
    ready_ = false;
    rewinding_ = false;
    // What was not durable may be gone.
    received_.resize(durable_ + Any(received_.size() - durable_ + 1));
  }
  void Send(Request request, Next) override {
    if (!open_) return;
    if (cuts_left > 0 && Any(12) == 0) {
      --cuts_left;
      open_ = false;
      strand_.Post([this, stream = stream_, kind = Any(3)] {
        events_->OnClosed(stream,
                          kind == 0   ? absl::UnavailableError("cut")
                          : kind == 1 ? absl::InternalError("reset")
                                      : absl::ResourceExhaustedError("full"),
                          {});
      });
      return;
    }
    strand_.Post([this, stream = stream_] { events_->OnSent(stream); });
    if (std::holds_alternative<Begin>(request)) {
      ready_ = true;
      credit_ = 1 + Any(300'000);
      Ready ready = ReadyAt(received_.size(), credit_);
      ready.chunk_bytes_max = 1 + Any(100'000);
      Say(ready);
    } else if (auto* chunk = std::get_if<Chunk>(&request)) {
      OnChunk(*chunk);
    } else {
      OnFinish(std::get<Finish>(request));
    }
  }
  void Close(Why) override { open_ = false; }

  // Makes some of it durable and says so.
  void Sync() {
    if (!open_ || !ready_) return;
    durable_ += 1 + Any(received_.size() - durable_ + 1);
    durable_ = std::min<uint64_t>(durable_, received_.size());
    credit_ =
        Any(10) == 0 && durable_ < received_.size() ? 0 : 1 + Any(300'000);
    Say(Ack{durable_, credit_});
  }

  int cuts_left = 8;
  bool stored = false;

 private:
  uint64_t Any(uint64_t below) { return random_.Next() % below; }
  void Say(Reply reply) {
    strand_.Post([this, stream = stream_, reply] {
      // Only from when the client heard of it does new credit count.
      if (stream == stream_) heard_.push_back(reply);
      events_->OnReply(stream, reply);
    });
  }
  void OnChunk(const Chunk& chunk) {
    const std::string data(chunk.data);
    ASSERT_GT(data.size(), 0u);
    ASSERT_EQ(data, footage_.substr(chunk.offset, data.size()));
    CheckCredit(chunk.offset + data.size());
    if (rewinding_) {
      if (chunk.offset != received_.size()) return;
      rewinding_ = false;
    }
    if (chunk.offset > received_.size() || Any(40) == 0) {
      rewinding_ = true;
      if (chunk.offset <= received_.size() && Any(2) == 0) {
        received_.resize(std::max<uint64_t>(durable_, chunk.offset));
      }
      Say(Rewind{received_.size(), Rewind::Reason::kGap});
      return;
    }
    if (chunk.offset + data.size() > received_.size()) {
      received_.append(data.substr(received_.size() - chunk.offset));
    }
  }
  // What the client has heard by now bounds what it may send.
  void CheckCredit(uint64_t end) {
    for (; !heard_.empty(); heard_.pop_front()) {
      if (auto* ready = std::get_if<Ready>(&heard_.front())) {
        client_base_ = ready->offset;
        client_credit_ = ready->credit_bytes;
        early_ = false;
      } else if (auto* ack = std::get_if<Ack>(&heard_.front())) {
        client_base_ = std::max(client_base_, ack->durable_offset);
        client_credit_ = ack->credit_bytes;
      } else if (auto* rewind = std::get_if<Rewind>(&heard_.front())) {
        client_base_ = std::min(client_base_, rewind->offset);
      }
    }
    if (seen_stream_ != stream_) {
      seen_stream_ = stream_;
      early_ = true;
    }
    if (early_) return;
    ASSERT_LE(end, client_base_ + client_credit_);
  }
  void OnFinish(const Finish& finish) {
    if (rewinding_) return;
    if (Any(4) == 0) {
      const uint64_t back = Any(footage_.size() + 1);
      received_.resize(back);
      durable_ = std::min(durable_, back);
      rewinding_ = true;
      return Say(Rewind{back, Rewind::Reason::kGatewayFault});
    }
    ASSERT_EQ(received_, footage_);
    ASSERT_EQ(finish.size, footage_.size());
    ASSERT_EQ(finish.sha256, Sha256::Of(footage_));
    stored = true;
    Say(Stored{finish.size, finish.sha256});
  }

  Strand& strand_;
  Random& random_;
  const std::string footage_;
  uint64_t stream_ = 0;
  uint64_t seen_stream_ = 0;
  LinkEvents* events_ = nullptr;
  bool open_ = false;
  bool ready_ = false;
  bool rewinding_ = false;
  bool early_ = true;
  std::string received_;
  uint64_t durable_ = 0;
  uint64_t credit_ = 0;
  uint64_t client_base_ = 0;
  uint64_t client_credit_ = 0;
  std::deque<Reply> heard_;
};

TEST(UploadTest, WhateverTheGatewayDoesAllArrivesWithinCredit) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    SeededRandom random(seed);
    const std::string footage = Footage(random.Next() % 1'000'000);
    FakeExecutor executor(seed);
    Strand strand(executor);
    RandomGateway gateway(strand, random, footage);
    FakeSource source(footage);
    Recorder recorder;
    UploadOptions options;
    options.chunk_bytes = 1 + random.Next() % 300'000;
    Upload upload(Name(), {}, Priority::kNormal, options, source, gateway,
                  strand, executor, random, recorder);
    upload.Start();
    for (int steps = 0; !recorder.result && steps < 200'000; ++steps) {
      if (executor.RunOne() && random.Next() % 4 != 0) continue;
      gateway.Sync();
      if (executor.idle()) executor.SkipToNext();
    }
    ASSERT_TRUE(recorder.result);
    ASSERT_OK(recorder.result->status);
    EXPECT_TRUE(gateway.stored);
    const Progress& end = recorder.result->progress;
    EXPECT_GE(end.sent, footage.size());
    EXPECT_LE(end.sent - footage.size(), end.unacknowledged + end.rewound);
    if (testing::Test::HasFatalFailure()) return;
  }
}

// Cuts the stream at the first event, then at the second, and so on.
TEST(UploadTest, ResumesWhereverTheStreamIsCut) {
  for (int events = 0;; ++events) {
    SCOPED_TRACE(events);
    World world(Footage(600'000));
    uint64_t received = 0;
    bool cut = false;
    int left = events;
    const auto count = [&] {
      if (cut || left-- > 0) return false;
      cut = true;
      world.End(absl::UnavailableError("cut"));
      world.UntilReopened();
      return true;
    };
    world.Start();
    const auto play = [&]() -> bool {  // one stream; false if it was cut
      if (count()) return false;
      world.Say(ReadyAt(received, 100'000));
      while (world.link.finishes.empty()) {
        received = std::max(received, world.link.end());
        if (count()) return false;
        world.Say(Ack{received, 100'000});
      }
      received = world.footage.size();
      return !count();
    };
    if (!play()) {
      ASSERT_TRUE(play());
    }
    ASSERT_THAT(world.link.finishes, SizeIs(1));
    EXPECT_EQ(world.link.finishes[0].sha256, world.Hash());
    world.Say(world.OwnStored());
    EXPECT_OK(world.status());
    EXPECT_LE(world.progress().sent - world.footage.size(),
              world.progress().unacknowledged);
    if (!cut) return;
  }
}

}  // namespace
}  // namespace schleuse::client
