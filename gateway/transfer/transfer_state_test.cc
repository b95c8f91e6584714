#include "gateway/transfer/transfer_state.h"

#include <cstdint>
#include <limits>

#include "base/limits.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using ChunkKind = TransferState::ChunkVerdict::Kind;
using FinishKind = TransferState::FinishVerdict::Kind;

TransferState Fresh(std::optional<uint64_t> size = std::nullopt) {
  TransferState state(0, 0);
  state.Attach(size);
  return state;
}

// A state that holds `received` bytes and serves a new stream.
TransferState Holding(uint64_t received,
                      std::optional<uint64_t> size = std::nullopt) {
  TransferState state(received, 0);
  state.Attach(size);
  return state;
}

TEST(TransferStateTest, TakesChunksInOrder) {
  TransferState state = Fresh();
  for (uint64_t offset = 0; offset < 1000; offset += 100) {
    const auto verdict = state.OnChunk(offset, 100, true);
    ASSERT_EQ(verdict.kind, ChunkKind::kTake);
    EXPECT_EQ(verdict.known, 0u);
    state.Appended(100);
  }
  EXPECT_EQ(state.received(), 1000u);
  EXPECT_EQ(state.OnFinish(1000).kind, FinishKind::kCheck);
}

TEST(TransferStateTest, OverlapIsComparedAndOnlyTheRestIsNew) {
  TransferState state = Holding(150);
  EXPECT_EQ(state.OnChunk(0, 100, true).known, 100u);
  EXPECT_EQ(state.OnChunk(100, 100, true).known, 50u);
  EXPECT_EQ(state.OnChunk(150, 100, true).known, 0u);
}

TEST(TransferStateTest, GapAsksForARewindOnceAndDropsUntilItComes) {
  TransferState state = Holding(100);
  const auto verdict = state.OnChunk(200, 50, true);
  ASSERT_EQ(verdict.kind, ChunkKind::kRewind);
  EXPECT_EQ(verdict.rewind.offset, 100u);
  EXPECT_EQ(verdict.rewind.reason, Rewind::Reason::kGap);
  EXPECT_EQ(state.OnChunk(250, 50, true).kind, ChunkKind::kDrop);
  EXPECT_EQ(state.OnChunk(0, 50, true).kind, ChunkKind::kDrop);
  EXPECT_EQ(state.OnFinish(300).kind, FinishKind::kDrop);
  EXPECT_EQ(state.OnChunk(100, 50, true).kind, ChunkKind::kTake);
  EXPECT_EQ(state.OnChunk(0, 50, true).kind, ChunkKind::kTake);
}

TEST(TransferStateTest, BadCrcAsksForARewindWhereverTheChunkLies) {
  TransferState state = Holding(100);
  const auto verdict = state.OnChunk(100, 50, false);
  ASSERT_EQ(verdict.kind, ChunkKind::kRewind);
  EXPECT_EQ(verdict.rewind.offset, 100u);
  EXPECT_EQ(verdict.rewind.reason, Rewind::Reason::kBadCrc);
  // The answer is bad again: it is asked for again, not waited for for ever.
  EXPECT_EQ(state.OnChunk(100, 50, false).kind, ChunkKind::kRewind);
}

TEST(TransferStateTest, RewindsAreBoundedOnAStreamAndANewOneStartsAfresh) {
  TransferState state = Holding(100);
  for (int i = 0; i < limits::kRewindsPerStreamMax; ++i) {
    ASSERT_EQ(state.OnChunk(100, 50, false).kind, ChunkKind::kRewind) << i;
  }
  EXPECT_EQ(state.OnChunk(100, 50, false).kind, ChunkKind::kTooManyRewinds);
  state.Attach(std::nullopt);
  EXPECT_EQ(state.OnChunk(100, 50, false).kind, ChunkKind::kRewind);
}

TEST(TransferStateTest, FinishBoundsItsRewindsToo) {
  TransferState state = Holding(100);
  for (int i = 0; i < limits::kRewindsPerStreamMax; ++i) {
    ASSERT_EQ(state.OnFinish(200).kind, FinishKind::kRewind) << i;
    // The device answers with what we have already, and finishes again.
    ASSERT_EQ(state.OnChunk(100, 50, true).kind, ChunkKind::kTake);
  }
  EXPECT_EQ(state.OnFinish(200).kind, FinishKind::kTooManyRewinds);
}

TEST(TransferStateTest, RefusesChunksBeyondTheDeclaredSize) {
  TransferState state = Holding(100, 120);
  EXPECT_EQ(state.OnChunk(100, 20, true).kind, ChunkKind::kTake);
  EXPECT_EQ(state.OnChunk(100, 21, true).kind, ChunkKind::kTooLong);
  EXPECT_EQ(state.OnChunk(0, 121, true).kind, ChunkKind::kTooLong);
}

TEST(TransferStateTest, RefusesOffsetsWhoseEndWouldOverflow) {
  TransferState state = Fresh();
  const uint64_t most = std::numeric_limits<uint64_t>::max();
  EXPECT_EQ(state.OnChunk(most, 2, true).kind, ChunkKind::kTooLong);
  EXPECT_EQ(state.OnChunk(most - 1, 1, true).kind, ChunkKind::kTooLong);
  EXPECT_EQ(state.OnChunk(limits::kRecordingBytesMax, 1, true).kind,
            ChunkKind::kTooLong);
}

TEST(TransferStateTest, FinishNamesAllThatArrived) {
  EXPECT_EQ(Holding(100).OnFinish(100).kind, FinishKind::kCheck);
  EXPECT_EQ(Holding(100).OnFinish(99).kind, FinishKind::kTooMany);
  const auto verdict = Holding(100).OnFinish(101);
  ASSERT_EQ(verdict.kind, FinishKind::kRewind);
  EXPECT_EQ(verdict.rewind.offset, 100u);
  EXPECT_EQ(Fresh().OnFinish(0).kind, FinishKind::kCheck) << "an empty one";
}

TEST(TransferStateTest, FinishMustNotContradictBegin) {
  EXPECT_EQ(Holding(100, 100).OnFinish(99).kind, FinishKind::kBadSize);
  EXPECT_EQ(Holding(100, 120).OnFinish(100).kind, FinishKind::kBadSize);
  EXPECT_EQ(Fresh().OnFinish(limits::kRecordingBytesMax + 1).kind,
            FinishKind::kBadSize);
}

TEST(TransferStateTest, DurableNeverGoesBackNorBeyondWhatWasReceived) {
  TransferState state = Holding(100);
  state.Synced(60);
  state.Synced(40);
  EXPECT_EQ(state.durable(), 60u);
  state.Synced(500);
  EXPECT_EQ(state.durable(), 100u);
}

TEST(TransferStateTest, DamageOfOursCutsBackAndWaitsForTheDevice) {
  TransferState state = Holding(100);
  state.Synced(100);
  const Rewind rewind = state.CutBack(30);
  EXPECT_EQ(rewind.offset, 30u);
  EXPECT_EQ(rewind.reason, Rewind::Reason::kGatewayFault);
  EXPECT_EQ(state.received(), 30u);
  EXPECT_EQ(state.durable(), 30u);
  EXPECT_EQ(state.OnChunk(100, 10, true).kind, ChunkKind::kDrop);
  EXPECT_EQ(state.OnChunk(30, 10, true).kind, ChunkKind::kTake);
}

}  // namespace
}  // namespace schleuse
