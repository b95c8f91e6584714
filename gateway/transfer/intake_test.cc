// What devices may say, should not say and say all the same: receiving.
// intake_finish_test.cc goes on from Finish.

#include "gateway/transfer/intake.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/limits.h"
#include "base/log.h"
#include "base/status_matchers.h"
#include "gateway/transfer/test_house.h"
#include "gateway/transfer/with_neighbour.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

using IntakeTest = WithNeighbour;

TEST_F(IntakeTest, StoresWhatCameInOrderAndAcknowledgesOnlyWhatIsDurable) {
  const std::string footage = Footage(30'000);
  auto stream = house.Begin(Recording(), footage.size());
  EXPECT_EQ(stream->Last<Ready>()->offset, 0u);
  EXPECT_FALSE(stream->Last<Ready>()->already_stored);
  uint64_t sent = 0;
  for (; sent < footage.size(); sent += 5000) {
    EXPECT_TRUE(stream->Chunk(footage, sent, 5000));
    house.Wait(absl::Milliseconds(100));
    EXPECT_LE(stream->acknowledged(), sent + 5000);
  }
  stream->Finish(footage);
  house.Run();
  ASSERT_TRUE(stream->end());
  EXPECT_OK(stream->end()->status);
  EXPECT_EQ(stream->Last<Stored>()->sha256, Sha256::Of(footage));
  EXPECT_EQ(stream->Last<Stored>()->size, footage.size());
  EXPECT_THAT(house.InStore(Recording()), ElementsAre(footage));
}

TEST_F(IntakeTest, AcknowledgesWithinTheTimeItPromised) {
  const std::string footage = Footage(100);
  auto dock = house.Begin(Recording("by-dock"));
  auto radio = house.Begin(Recording("by-radio"), {}, Device("radio/s1/r1"));
  (void)dock->Chunk(footage, 0);
  (void)radio->Chunk(footage, 0);
  house.Wait(dock->Last<Ready>()->ack_every);
  EXPECT_EQ(dock->acknowledged(), 100u);
  EXPECT_EQ(radio->acknowledged(), 0u) << "its link is dear";
  house.Wait(radio->Last<Ready>()->ack_every);
  EXPECT_EQ(radio->acknowledged(), 100u);
}

TEST_F(IntakeTest, NothingIsAcknowledgedBeforeItsSyncReturned) {
  const std::string footage = Footage(1000);
  auto stream = house.Begin(Recording());
  (void)stream->Chunk(footage, 0);
  house.Run();
  const int syncs = house.disk.syncs();
  while (stream->acknowledged() == 0) {
    ASSERT_TRUE(house.executor.RunOne() || house.executor.SkipToNext());
  }
  EXPECT_GE(house.disk.syncs(), syncs + 3) << "bytes, journal, their names";
  ASSERT_OK(house.RestartAfterPowerCut());
  EXPECT_EQ(house.Begin(Recording())->Last<Ready>()->offset, 1000u);
}

// --- chunks that do not fit -------------------------------------------------

TEST_F(IntakeTest, GapIsAnsweredByOneRewindAndWhatFollowsIsDropped) {
  const std::string footage = Footage(10'000);
  auto stream = house.Begin(Recording(), footage.size());
  (void)stream->Chunk(footage, 0, 1000);
  (void)stream->Chunk(footage, 2000, 1000);
  (void)stream->Chunk(footage, 3000, 1000);
  stream->Finish(footage);
  house.Run();
  ASSERT_THAT(stream->All<Rewind>(), SizeIs(1));
  EXPECT_EQ(stream->Last<Rewind>()->offset, 1000u);
  EXPECT_EQ(stream->Last<Rewind>()->reason, Rewind::Reason::kGap);
  EXPECT_FALSE(stream->end());
  house.SendRest(*stream, footage, 1000);
  EXPECT_TRUE(stream->stored());
  EXPECT_THAT(stream->All<Rewind>(), SizeIs(1));
  EXPECT_THAT(house.InStore(Recording()), ElementsAre(footage));
}

TEST_F(IntakeTest, FinishBehindAGapIsAnsweredByARewind) {
  const std::string footage = Footage(3000);
  auto stream = house.Begin(Recording(), footage.size());
  (void)stream->Chunk(footage, 0, 2000);
  stream->Finish(footage);
  house.Run();
  ASSERT_TRUE(stream->Last<Rewind>());
  EXPECT_EQ(stream->Last<Rewind>()->offset, 2000u);
  house.SendRest(*stream, footage, 2000);
  EXPECT_TRUE(stream->stored());
}

TEST_F(IntakeTest, WhatIsSentAgainIsComparedAndOnlyTheRestIsWritten) {
  const std::string footage = Footage(10'000);
  auto stream = house.Begin(Recording(), footage.size());
  (void)stream->Chunk(footage, 0, 4000);
  (void)stream->Chunk(footage, 0, 4000);     // the same chunk
  (void)stream->Chunk(footage, 1000, 500);   // inside another
  (void)stream->Chunk(footage, 3000, 3000);  // old and new
  house.Run();
  EXPECT_FALSE(stream->end());
  EXPECT_THAT(stream->All<Rewind>(), IsEmpty());
  EXPECT_EQ(house.Look(Recording())->received_offset, 6000u);
  house.SendRest(*stream, footage, 6000);
  EXPECT_TRUE(stream->stored());
  EXPECT_THAT(house.InStore(Recording()), ElementsAre(footage));
}

TEST_F(IntakeTest, OtherBytesSentAgainEndTheStreamAndChangeNothing) {
  const std::string footage = Footage(10'000);
  auto stream = house.Begin(Recording(), footage.size());
  (void)stream->Chunk(footage, 0, 5000);
  (void)stream->Chunk(Footage(10'000, 2), 4000, 2000);
  house.Run();
  ExpectEnd(*stream, StatusCode::kDataLoss, EndReason::kResentBytesDiffer);
  EXPECT_EQ(house.Look(Recording())->received_offset, 5000u);
  ExpectCanBeBrought(Recording(), footage);
}

TEST_F(IntakeTest, DamageOfOursIsNotBlamedOnTheDeviceThatSendsAgain) {
  const std::string footage = Footage(10'000);
  auto stream = house.Begin(Recording(), footage.size());
  (void)stream->Chunk(footage, 0, 2000);
  (void)stream->Chunk(footage, 2000, 2000);
  (void)stream->Chunk(footage, 4000, 2000);
  house.Wait(absl::Seconds(1));
  house.DamageSpool(Recording(), 2500);
  (void)stream->Chunk(footage, 2000, 2000);
  house.Run();
  ASSERT_FALSE(stream->end());
  ASSERT_THAT(stream->All<Rewind>(), SizeIs(1));
  EXPECT_EQ(stream->Last<Rewind>()->offset, 2000u);
  EXPECT_EQ(stream->Last<Rewind>()->reason, Rewind::Reason::kGatewayFault);
  house.SendRest(*stream, footage, 2000);
  EXPECT_TRUE(stream->stored());
  EXPECT_THAT(house.InStore(Recording()), ElementsAre(footage));
}

TEST_F(IntakeTest, BadCrcIsAnsweredByARewindAndNothingOfItIsKept) {
  const std::string footage = Footage(10'000);
  auto stream = house.Begin(Recording(), footage.size());
  (void)stream->Chunk(footage, 0, 1000);
  (void)stream->ChunkWithCrc(footage.substr(1000, 1000), 1000, 12345);
  (void)stream->Chunk(footage, 2000, 1000);
  house.Run();
  ASSERT_THAT(stream->All<Rewind>(), SizeIs(1));
  EXPECT_EQ(stream->Last<Rewind>()->offset, 1000u);
  EXPECT_EQ(stream->Last<Rewind>()->reason, Rewind::Reason::kBadCrc);
  EXPECT_EQ(house.Look(Recording())->received_offset, 1000u);
  house.SendRest(*stream, footage, 1000);
  EXPECT_TRUE(stream->stored());
}

TEST_F(IntakeTest, DeviceThatRewindsWithoutEndIsToldToCallSomebody) {
  const std::string footage = Footage(10'000);
  auto stream = house.Begin(Recording(), footage.size());
  for (int i = 0; i <= limits::kRewindsPerStreamMax; ++i) {
    EXPECT_FALSE(stream->end()) << i;
    (void)stream->ChunkWithCrc(footage.substr(0, 1000), 0, 12345);
    house.Run();
  }
  ExpectEnd(*stream, StatusCode::kDataLoss, EndReason::kTooManyRewinds);
  EXPECT_THAT(stream->All<Rewind>(), SizeIs(limits::kRewindsPerStreamMax));
  ExpectCanBeBrought(Recording(), footage);
}

TEST_F(IntakeTest, ChunkBeyondTheLimitOrWithoutBytesIsRefused) {
  const std::string footage = Footage(limits::kChunkBytesMax + 1);
  auto most = house.Begin(Recording("most"));
  (void)most->Chunk(footage, 0, limits::kChunkBytesMax);
  house.Run();
  EXPECT_FALSE(most->end());
  auto longer = house.Begin(Recording("longer"));
  EXPECT_TRUE(longer->Chunk(footage, 0));
  ExpectEnd(*longer, StatusCode::kInvalidArgument, EndReason::kBadMessage);
  auto empty = house.Begin(Recording("empty"));
  EXPECT_TRUE(empty->Chunk("", 0));
  ExpectEnd(*empty, StatusCode::kInvalidArgument, EndReason::kBadMessage);
  ExpectCanBeBrought(Recording("longer"), footage);
}

TEST_F(IntakeTest, ChunkBeyondTheDeclaredSizeIsRefused) {
  const std::string footage = Footage(2000);
  auto stream = house.Begin(Recording(), 1500);
  (void)stream->Chunk(footage, 0, 1000);
  (void)stream->Chunk(footage, 1000, 1000);
  house.Run();
  ExpectEnd(*stream, StatusCode::kInvalidArgument, EndReason::kBadMessage);
  ExpectCanBeBrought(Recording(), footage);
}

// --- the order of messages --------------------------------------------------

TEST_F(IntakeTest, ChunkBeforeBeginIsRefused) {
  auto stream = house.Connect();
  EXPECT_TRUE(stream->Chunk("footage", 0));
  house.Run();
  ExpectEnd(*stream, StatusCode::kInvalidArgument, EndReason::kBadMessage);
}

TEST_F(IntakeTest, FinishBeforeBeginIsRefused) {
  auto stream = house.Connect();
  stream->Finish("footage");
  house.Run();
  ExpectEnd(*stream, StatusCode::kInvalidArgument, EndReason::kBadMessage);
}

TEST_F(IntakeTest, SecondBeginIsRefusedAndOpensNothing) {
  const std::string footage = Footage(5000);
  auto stream = house.Begin(Recording());
  (void)stream->Chunk(footage, 0, 1000);
  stream->Begin(Recording("another"));
  house.Run();
  ExpectEnd(*stream, StatusCode::kInvalidArgument, EndReason::kBadMessage);
  EXPECT_THAT(house.Look(Recording("another")),
              StatusIs(StatusCode::kNotFound));
  EXPECT_EQ(house.Look(Recording())->received_offset, 1000u)
      << "what came before stays";
  ExpectCanBeBrought(Recording(), footage);
}

TEST_F(IntakeTest, NonsenseEndsTheStreamAndKeepsWhatCameBefore) {
  const std::string footage = Footage(5000);
  auto stream = house.Begin(Recording());
  (void)stream->Chunk(footage, 0, 3000);
  stream->BadMessage();
  house.Run();
  ExpectEnd(*stream, StatusCode::kInvalidArgument, EndReason::kBadMessage);
  EXPECT_EQ(house.Look(Recording())->received_offset, 3000u);
  ExpectCanBeBrought(Recording(), footage);
}

TEST_F(IntakeTest, StreamThatClosesWithoutAWordLeavesNothing) {
  const std::vector<std::string> files = house.InSpool();
  const int streams = house.intake().streams();
  house.Connect()->Close();
  house.Run();
  EXPECT_EQ(house.intake().streams(), streams);
  EXPECT_EQ(house.InSpool(), files);
}

// --- who may ----------------------------------------------------------------

TEST_F(IntakeTest, CameraThatIsNotGrantedIsRefusedAndNothingIsOpened) {
  const size_t files = house.InSpool().size();
  auto stream = house.Begin(Recording("r.mp4", "other-1"));
  ExpectEnd(*stream, StatusCode::kPermissionDenied, EndReason::kNotGranted);
  (void)stream->Chunk("footage", 0);
  stream->Finish("footage");
  house.Run();
  EXPECT_THAT(stream->replies(), IsEmpty());
  EXPECT_EQ(house.InSpool().size(), files);
}

TEST_F(IntakeTest, PrincipalsThatAreNoDevicesBringNothing) {
  for (const char* path : {"operator/hq/anna", "auditor/hq/bert",
                           "monitor/hq/prometheus", "gateway/hq/g1"}) {
    auto stream = house.Begin(Recording(), {}, Device(path));
    ExpectEnd(*stream, StatusCode::kPermissionDenied, EndReason::kNotGranted);
  }
}

// --- several streams for one recording --------------------------------------

TEST_F(IntakeTest, NewestStreamWinsAndTheOlderHasNoEffectAnyMore) {
  const std::string footage = Footage(10'000);
  const std::string other = Footage(10'000, 2);
  auto older = house.Begin(Recording());
  (void)older->Chunk(footage, 0, 2000);
  house.Run();
  auto newer = house.Begin(Recording());
  ExpectEnd(*older, StatusCode::kAborted, EndReason::kTakenOver);
  EXPECT_EQ(newer->Last<Ready>()->offset, 2000u);

  (void)older->Chunk(other, 2000, 1000);
  older->Finish(2000, Sha256::Of(footage.substr(0, 2000)));
  older->BadMessage();
  older->Close();
  house.Run();
  EXPECT_FALSE(newer->end());
  EXPECT_EQ(house.Look(Recording())->received_offset, 2000u);
  house.SendRest(*newer, footage, 2000);
  EXPECT_TRUE(newer->stored());
  EXPECT_THAT(house.InStore(Recording()), ElementsAre(footage));
}

TEST_F(IntakeTest, ReadyIsComputedBehindWhatTheOlderStreamHadQueued) {
  const std::string footage = Footage(10'000);
  auto older = house.Begin(Recording());
  for (uint64_t at = 0; at < 5000; at += 1000) {
    (void)older->Chunk(footage, at, 1000);
  }
  // Nothing of that was worked off yet.
  auto newer = house.Connect();
  newer->Begin(Recording());
  ExpectEnd(*older, StatusCode::kAborted, EndReason::kTakenOver);
  house.Run();
  ASSERT_TRUE(newer->Last<Ready>());
  EXPECT_EQ(newer->Last<Ready>()->offset, 5000u);
  house.SendRest(*newer, footage, 5000);
  EXPECT_TRUE(newer->stored());
  EXPECT_THAT(house.InStore(Recording()), ElementsAre(footage));
}

TEST_F(IntakeTest, WhatWasQueuedWhenTheLinkBrokeIsKept) {
  const std::string footage = Footage(10'000);
  auto stream = house.Begin(Recording());
  for (uint64_t at = 0; at < 5000; at += 1000) {
    (void)stream->Chunk(footage, at, 1000);
  }
  stream->Close();
  house.Run();
  const absl::StatusOr<TransferView> view = house.Look(Recording());
  ASSERT_OK(view);
  EXPECT_EQ(view->received_offset, 5000u);
  EXPECT_EQ(view->durable_offset, 5000u) << "synced at once";
}

TEST_F(IntakeTest, AnotherDeviceTakesOverWhereTheFirstStopped) {
  const std::string footage = Footage(10'000);
  auto first = house.Begin(Recording(), footage.size(), Device("dock/s1/d1"));
  (void)first->Chunk(footage, 0, 4000);
  house.Run();
  auto second = house.Begin(Recording(), footage.size(), Device("dock/s2/d2"));
  ExpectEnd(*first, StatusCode::kAborted, EndReason::kTakenOver);
  EXPECT_EQ(second->Last<Ready>()->offset, 4000u);
  house.SendRest(*second, footage, 4000);
  EXPECT_TRUE(second->stored());
  EXPECT_THAT(house.InStore(Recording()), ElementsAre(footage));
}

TEST_F(IntakeTest, ManyTakeoversInARowLoseNothing) {
  const std::string footage = Footage(20'000);
  std::vector<std::shared_ptr<TestStream>> streams;
  for (uint64_t i = 0; i < 20; ++i) {
    streams.push_back(
        house.Connect(Device(i % 2 ? "dock/s1/d1" : "dock/s2/d2")));
    streams.back()->Begin(Recording(), footage.size());
    (void)streams.back()->Chunk(footage, i * 1000, 1000);
  }
  house.Run();
  for (size_t i = 0; i + 1 < streams.size(); ++i) {
    ExpectEnd(*streams[i], StatusCode::kAborted, EndReason::kTakenOver);
  }
  ASSERT_FALSE(streams.back()->end());
  ExpectCanBeBrought(Recording(), footage);
}

// --- bounds -----------------------------------------------------------------

TEST_F(IntakeTest, QueueIsBoundedAndReadingGoesOnOnceItIsWorkedOff) {
  const std::string piece = Footage(limits::kChunkBytesMax);
  auto stream = house.Begin(Recording());
  uint64_t sent = 0;
  while (sent < 100 * limits::kChunkBytesMax) {
    const bool read_on = stream->ChunkWithCrc(piece, sent, Crc32c(piece));
    sent += piece.size();
    if (!read_on) break;
  }
  EXPECT_LE(sent, limits::kQueuedBytesMax + limits::kChunkBytesMax);
  EXPECT_EQ(stream->resumed(), 0);
  house.Run();
  EXPECT_EQ(stream->resumed(), 1) << "once";
  EXPECT_EQ(house.Look(Recording())->received_offset, sent);
  EXPECT_TRUE(stream->ChunkWithCrc(piece, sent, Crc32c(piece)));
}

TEST_F(IntakeTest, StreamThatEndedWithAFullQueueIsWorkedOffToo) {
  const std::string piece = Footage(limits::kChunkBytesMax);
  auto stream = house.Begin(Recording());
  for (uint64_t i = 0; i < 6; ++i) {
    (void)stream->ChunkWithCrc(piece, i * piece.size(), Crc32c(piece));
  }
  stream->BadMessage();
  house.Run();
  EXPECT_EQ(house.Look(Recording())->received_offset, 6 * piece.size());
}

TEST_F(IntakeTest, CreditIsSharedAndStaysWithinItsBounds) {
  Restart({.credit_bytes_total = 8 * limits::kChunkBytesMax,
           .spool_reserve_bytes = 0});
  std::vector<uint64_t> credits, chunks;
  std::vector<std::shared_ptr<TestStream>> streams;
  for (int i = 0; i < 20; ++i) {
    streams.push_back(house.Begin(Recording(absl::StrCat("r", i))));
    const Ready ready = *streams.back()->Last<Ready>();
    credits.push_back(ready.credit_bytes);
    chunks.push_back(ready.chunk_bytes_max);
    EXPECT_LT(ready.ack_every_bytes, ready.credit_bytes)
        << "else a device waits for an Ack that does not come";
  }
  EXPECT_EQ(credits.front(), limits::kFirstCreditBytes);
  EXPECT_EQ(credits.back(), limits::kCreditBytesMin);
  EXPECT_EQ(chunks.front(), limits::kChunkBytesMax);
  EXPECT_EQ(chunks[1], limits::kChunkBytesMax / 2);
  EXPECT_EQ(chunks.back(), limits::kCreditBytesMin / 8);
  Restart({.credit_bytes_total = uint64_t{1} << 40});
  auto stream = house.Begin(Recording());
  EXPECT_EQ(stream->Last<Ready>()->credit_bytes, limits::kFirstCreditBytes);
  (void)stream->Chunk(Footage(100), 0);
  house.Wait(absl::Seconds(1));
  EXPECT_EQ(stream->Last<Ack>()->credit_bytes, limits::kCreditBytesMax);
}

TEST_F(IntakeTest, TooManyStreamsAreToldToWaitAndLaterServed) {
  Restart({.streams_max = 3, .spool_reserve_bytes = 0});
  auto first = house.Begin(Recording("r1"));
  auto second = house.Begin(Recording("r2"));
  auto third = house.Begin(Recording("r3"));
  auto fourth = house.Begin(Recording("r4"));
  EXPECT_FALSE(third->end());
  ExpectPaused(*fourth, Pause::Reason::kTooManyStreams);
  fourth->Close();
  third->Close();
  house.Run();
  ExpectCanBeBrought(Recording("r4"), Footage(1000));
  EXPECT_FALSE(first->end());
  EXPECT_FALSE(second->end());
  first->Close();
  second->Close();
  house.Run();
}

TEST_F(IntakeTest, RecordingsThatWereLetGoOfAreOpenedAgain) {
  constexpr int kMany = limits::kIdleRecordingsMax + 50;
  const auto footage = [](int i) { return Footage(100, i + 1); };
  const auto name = [](int i) { return Recording(absl::StrCat("r", i)); };
  for (int i = 0; i < kMany; ++i) {
    auto stream = house.Begin(name(i), 100);
    (void)stream->Chunk(footage(i), 0, 60);
    house.Run();
    stream->Close();
    house.Wait(absl::Seconds(1));
  }
  for (int i = 0; i < kMany; ++i) {
    auto stream = house.Begin(name(i), 100);
    EXPECT_EQ(stream->Last<Ready>()->offset, 60u) << i;
    house.SendRest(*stream, footage(i), 60);
    EXPECT_TRUE(stream->stored()) << i;
    stream->Close();
    house.Run();
  }
  for (int i = 0; i < kMany; ++i) {
    EXPECT_THAT(house.InStore(name(i)), ElementsAre(footage(i)));
  }
}

// --- the spool's disk -------------------------------------------------------

TEST_F(IntakeTest, DiskThatFillsUpPausesTheDeviceAndItGoesOnLater) {
  const std::string footage = Footage(20'000);
  auto stream = house.Begin(Recording(), footage.size());
  (void)stream->Chunk(footage, 0, 5000);
  house.Wait(absl::Seconds(1));
  EXPECT_EQ(stream->acknowledged(), 5000u);
  house.Fail(DiskOperation::Kind::kWrite,
             absl::ResourceExhaustedError("disk full"));
  (void)stream->Chunk(footage, 5000, 5000);
  house.Wait(absl::Seconds(1));
  ExpectPaused(*stream, Pause::Reason::kSpoolFull);
  EXPECT_EQ(stream->acknowledged(), 5000u);
  house.FailNoMore();
  auto again = house.Begin(Recording(), footage.size());
  EXPECT_EQ(again->Last<Ready>()->offset, 10'000u) << "in memory";
  house.SendRest(*again, footage, 10'000);
  EXPECT_TRUE(again->stored());
  EXPECT_THAT(house.InStore(Recording()), ElementsAre(footage));
}

TEST_F(IntakeTest, JournalThatFindsNoRoomPausesTheDeviceAndLosesNothing) {
  const std::string footage = Footage(20'000);
  auto stream = house.Begin(Recording(), footage.size());
  (void)stream->Chunk(footage, 0, 5000);
  house.Fail(DiskOperation::Kind::kWrite,
             absl::ResourceExhaustedError("disk full"), ".records");
  house.Wait(absl::Seconds(1));
  EXPECT_EQ(stream->acknowledged(), 0u);
  ExpectPaused(*stream, Pause::Reason::kSpoolFull);
  house.FailNoMore();
  ExpectCanBeBrought(Recording(), footage);
}

TEST_F(IntakeTest, RecordingThatDoesNotFitIsToldToWaitAtBegin) {
  const std::string footage = Footage(20'000);
  house.disk.SetCapacity(10'000);
  auto stream = house.Begin(Recording(), footage.size());
  ExpectPaused(*stream, Pause::Reason::kSpoolFull);
  house.disk.SetCapacity(1 << 30);
  ExpectCanBeBrought(Recording(), footage);
}

TEST_F(IntakeTest, ReserveOfTheDiskIsLeftFree) {
  Restart({.spool_reserve_bytes = 50'000});
  house.disk.SetCapacity(49'000);
  ExpectPaused(*house.Begin(Recording()), Pause::Reason::kSpoolFull);
  house.disk.SetCapacity(1 << 30);
  ExpectCanBeBrought(Recording(), Footage(1000));
}

// It needs no room any more, and storing it may be what makes room.
TEST_F(IntakeTest, RecordingThatIsAllHereFinishesThoughTheDiskIsFull) {
  Restart({.spool_reserve_bytes = 50'000, .ack_every_bytes = 8 * 1024});
  const std::string footage = Footage(10'000);
  auto stream = house.Begin(Recording(), footage.size());
  (void)stream->Chunk(footage, 0);
  house.Wait(absl::Seconds(1));
  stream->Close();
  house.Run();
  house.disk.SetCapacity(49'000);
  EXPECT_TRUE(house.Bring(Recording(), footage)->stored());
  house.disk.SetCapacity(1 << 30);
}

TEST_F(IntakeTest, FailingSyncSetsTheTransferAsideAndItBeginsAtZero) {
  const std::string footage = Footage(20'000);
  auto stream = house.Begin(Recording(), footage.size());
  (void)stream->Chunk(footage, 0, 5000);
  house.Run();
  house.Fail(DiskOperation::Kind::kSync, absl::DataLossError("medium error"),
             ".bytes");
  house.Wait(absl::Seconds(1));
  house.FailNoMore();
  ExpectEnd(*stream, StatusCode::kUnavailable, EndReason::kSpoolFault);
  EXPECT_EQ(stream->acknowledged(), 0u);
  EXPECT_THAT(house.InSpool(".aside"), SizeIs(2));
  auto again = house.Begin(Recording(), footage.size());
  EXPECT_EQ(again->Last<Ready>()->offset, 0u);
  house.SendRest(*again, footage, 0);
  EXPECT_TRUE(again->stored());
  EXPECT_THAT(house.InStore(Recording()), ElementsAre(footage));
}

TEST_F(IntakeTest, MediumThatFailsWhileWritingSetsTheTransferAside) {
  const std::string footage = Footage(20'000);
  auto stream = house.Begin(Recording(), footage.size());
  (void)stream->Chunk(footage, 0, 5000);
  house.Wait(absl::Seconds(1));
  house.Fail(DiskOperation::Kind::kWrite, absl::DataLossError("medium error"));
  (void)stream->Chunk(footage, 5000, 5000);
  house.Wait(absl::Seconds(1));
  house.FailNoMore();
  ExpectEnd(*stream, StatusCode::kUnavailable, EndReason::kSpoolFault);
  ExpectCanBeBrought(Recording(), footage);
}

TEST_F(IntakeTest, SpoolThatCannotBeOpenedNowEndsTheStreamOnly) {
  house.Fail(DiskOperation::Kind::kCreate,
             absl::UnavailableError("too many open files"));
  auto stream = house.Begin(Recording());
  house.FailNoMore();
  ExpectEnd(*stream, StatusCode::kUnavailable, EndReason::kUnspecified);
  ExpectCanBeBrought(Recording(), Footage(1000));
}

// --- after a restart --------------------------------------------------------

TEST_F(IntakeTest, RestartTellsWhereToGoOn) {
  const std::string footage = Footage(20'000);
  auto stream = house.Begin(Recording(), footage.size());
  (void)stream->Chunk(footage, 0, 5000);
  house.Wait(absl::Seconds(1));
  ASSERT_OK(house.RestartAfterPowerCut());
  auto again = house.Begin(Recording(), footage.size());
  EXPECT_EQ(again->Last<Ready>()->offset, 5000u);
  house.SendRest(*again, footage, 5000);
  EXPECT_TRUE(again->stored());
}

TEST_F(IntakeTest, JournalDamagedBeyondUseIsSetAsideAndItBeginsAtZero) {
  const std::string footage = Footage(20'000);
  auto stream = house.Begin(Recording(), footage.size());
  (void)stream->Chunk(footage, 0, 5000);
  house.Wait(absl::Seconds(1));
  (void)stream->Chunk(footage, 5000, 5000);
  house.Wait(absl::Seconds(1));
  const auto id = house.spool().Lookup(Recording());
  ASSERT_TRUE(id);
  const std::string bytes = house.spool().BytesPath(*id);
  house.Kill();
  ASSERT_OK((*house.disk.Open(bytes))->Truncate(100));
  ASSERT_OK(house.Start());
  EXPECT_EQ(house.Begin(Recording())->Last<Ready>()->offset, 0u);
  EXPECT_THAT(house.InSpool(".aside"), SizeIs(2));
  ExpectCanBeBrought(Recording(), footage);
}

// --- how far it is ----------------------------------------------------------

TEST_F(IntakeTest, LookTellsHowFarARecordingIs) {
  using State = TransferView::State;
  EXPECT_THAT(house.Look(Recording()), StatusIs(StatusCode::kNotFound));
  const std::string footage = Footage(10'000);
  auto stream = house.Begin(Recording(), footage.size());
  (void)stream->Chunk(footage, 0, 3000);
  house.Run();
  auto view = house.Look(Recording());
  ASSERT_OK(view);
  EXPECT_EQ(view->state, State::kReceiving);
  EXPECT_EQ(view->transfer_id, stream->Last<Ready>()->transfer_id);
  EXPECT_EQ(view->received_offset, 3000u);
  EXPECT_EQ(view->durable_offset, 0u);
  house.Wait(absl::Seconds(1));
  EXPECT_EQ(house.Look(Recording())->durable_offset, 3000u);
  EXPECT_FALSE(stream->end()) << "looking takes nothing over";

  house.Fail(DiskOperation::Kind::kLink,
             absl::ResourceExhaustedError("store full"));
  house.SendRest(*stream, footage, 3000);
  view = house.Look(Recording());
  ASSERT_OK(view);
  EXPECT_EQ(view->state, State::kFinished);
  EXPECT_EQ(view->durable_offset, footage.size());
  house.FailNoMore();
  house.Wait(absl::Minutes(10));
  for (const bool restarted : {false, true}) {
    if (restarted) {
      ASSERT_OK(house.Restart());
    }
    view = house.Look(Recording());
    ASSERT_OK(view);
    EXPECT_EQ(view->state, State::kStored);
    EXPECT_EQ(view->durable_offset, footage.size());
  }
}

TEST_F(IntakeTest, LookIsRefusedForCamerasThatAreNotGranted) {
  EXPECT_THAT(house.Look(Recording("r.mp4", "other-1")),
              StatusIs(StatusCode::kPermissionDenied));
  EXPECT_THAT(house.Look(neighbour_name, Device("operator/hq/anna")),
              StatusIs(StatusCode::kPermissionDenied));
}

// A device that left for a moment finds its files open, whatever others ask.
TEST_F(IntakeTest, LookingAtManyUnknownRecordingsClosedTheOpenOnes) {
  const std::string footage = Footage(10'000);
  auto stream = house.Begin(Recording(), footage.size());
  (void)stream->Chunk(footage, 0, 3000);
  house.Wait(absl::Seconds(1));
  stream->Close();
  house.Wait(absl::Seconds(1));
  for (int i = 0; i < 3 * limits::kIdleRecordingsMax; ++i) {
    EXPECT_THAT(house.Look(Recording(absl::StrCat("unknown-", i))),
                StatusIs(StatusCode::kNotFound));
  }
  int opened = 0;
  house.disk.SetFault([&opened](const DiskOperation& operation) {
    opened += operation.kind == DiskOperation::Kind::kOpen;
    return absl::OkStatus();
  });
  EXPECT_EQ(house.Begin(Recording())->Last<Ready>()->offset, 3000u);
  house.FailNoMore();
  EXPECT_EQ(opened, 0);
}

// --- the gateway stops ------------------------------------------------------

TEST_F(IntakeTest, DrainAcknowledgesWhatCameAndEndsAllStreams) {
  const std::string footage = Footage(10'000);
  auto stream = house.Begin(Recording(), footage.size());
  (void)stream->Chunk(footage, 0, 3000);
  house.Run();
  auto finishing = house.Begin(Recording("finishing"), footage.size());
  (void)finishing->Chunk(footage, 0);
  finishing->Finish(footage);
  while (finishing->acknowledged() == 0 && house.executor.RunOne()) {
  }
  int drained = 0;
  house.intake().Drain([&drained] { ++drained; });
  house.Run();
  EXPECT_EQ(drained, 1);
  EXPECT_EQ(stream->acknowledged(), 3000u);
  ExpectEnd(*stream, StatusCode::kUnavailable, EndReason::kStopping);
  EXPECT_TRUE(finishing->stored());
  ExpectEnd(*neighbour(), StatusCode::kUnavailable, EndReason::kStopping);

  auto late = house.Begin(Recording("late"));
  ExpectEnd(*late, StatusCode::kUnavailable, EndReason::kStopping);
  ASSERT_OK(house.RestartAfterPowerCut());
  EXPECT_EQ(house.Begin(Recording())->Last<Ready>()->offset, 3000u);
  ExpectCanBeBrought(Recording(), footage);
}

// The running sync covers a part only; the rest had to be synced as well.
TEST_F(IntakeTest, DrainThatMetARunningSyncLeftTheRestUnacknowledged) {
  const std::string footage = Footage(60'000);
  for (uint64_t order = 1; order <= 200; ++order) {
    SCOPED_TRACE(order);
    TestHouse shuffled(TestHouse::SmallOptions(), {}, order, order);
    ASSERT_OK(shuffled.Start());
    auto stream = shuffled.Begin(Recording());
    // More than an Ack's worth, so that a sync begins.
    (void)stream->Chunk(footage, 0, 20'000);
    for (uint64_t steps = order % 5; steps > 0; --steps) {
      shuffled.executor.RunOne();
    }
    (void)stream->Chunk(footage, 20'000, 1000);
    bool drained = false;
    shuffled.intake().Drain([&drained] { drained = true; });
    shuffled.Run();
    ASSERT_TRUE(drained);
    ASSERT_EQ(stream->acknowledged(), 21'000u);
    ASSERT_EQ(stream->end()->reason, EndReason::kStopping);
  }
}

TEST_F(IntakeTest, DrainOfAnIdleGatewayIsDoneAtOnce) {
  ASSERT_OK(house.Restart());
  int drained = 0;
  house.intake().Drain([&drained] { ++drained; });
  house.Run();
  EXPECT_EQ(drained, 1);
  ASSERT_OK(house.Restart());
}

TEST_F(IntakeTest, DrainWaitsForNoStoreThatIsAway) {
  const std::string footage = Footage(10'000);
  house.Fail(DiskOperation::Kind::kLink,
             absl::ResourceExhaustedError("store full"));
  EXPECT_FALSE(house.Bring(Recording(), footage)->stored());
  int drained = 0;
  house.intake().Drain([&drained] { ++drained; });
  house.Run();
  EXPECT_EQ(drained, 1);
  house.FailNoMore();
  ASSERT_OK(house.Restart());
  house.Run();
  EXPECT_THAT(house.InStore(Recording()), ElementsAre(footage));
}

TEST_F(IntakeTest, DrainEndsThoughTheSpoolFails) {
  auto stream = house.Begin(Recording());
  (void)stream->Chunk(Footage(1000), 0);
  house.Run();
  house.Fail(DiskOperation::Kind::kSync, absl::DataLossError("medium error"));
  int drained = 0;
  house.intake().Drain([&drained] { ++drained; });
  house.Run();
  EXPECT_EQ(drained, 1);
  EXPECT_TRUE(stream->end());
  house.FailNoMore();
  ASSERT_OK(house.Restart());
}

}  // namespace
}  // namespace schleuse
