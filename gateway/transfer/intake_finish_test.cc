// From Finish to Stored, and all that may lie between.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/limits.h"
#include "base/status_matchers.h"
#include "gateway/transfer/intake.h"
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
using Kind = DiskOperation::Kind;

class IntakeFinishTest : public WithNeighbour {
 protected:
  // All of `footage` is received and durable, nothing is declared.
  std::shared_ptr<TestStream> BringAllButFinish(absl::string_view footage) {
    auto stream = house.Begin(Recording());
    EXPECT_EQ(stream->Last<Ready>()->offset, 0u);
    for (uint64_t at = 0; at < footage.size(); at += 4000) {
      (void)stream->Chunk(footage, at, 4000);
    }
    house.Wait(absl::Seconds(1));
    return stream;
  }
  std::shared_ptr<TestStream> BringWithWrongHash(absl::string_view footage) {
    auto stream = BringAllButFinish(footage);
    stream->Finish(footage.size(), Sha256::Of("something else"));
    house.Run();
    return stream;
  }
  // No recording is stored and the store is where it was.
  void RemoveStore() {
    ASSERT_OK(house.disk.RemoveDirectory(kStoreDirectory));
    ASSERT_OK(house.disk.SyncDirectory(ParentOf(kStoreDirectory)));
  }
};

TEST_F(IntakeFinishTest, EmptyRecordingIsStoredToo) {
  auto stream = house.Begin(Recording(), 0);
  stream->Finish("");
  house.Run();
  ASSERT_TRUE(stream->stored());
  EXPECT_EQ(stream->Last<Stored>()->size, 0u);
  EXPECT_THAT(house.InStore(Recording()), ElementsAre(""));
  ASSERT_OK(house.RestartAfterPowerCut());
  EXPECT_THAT(house.InStore(Recording()), ElementsAre(""));
  ExpectCanBeBrought(Recording(), "");
}

TEST_F(IntakeFinishTest, RecordingThatGrewIsFinishedAtItsEnd) {
  const std::string footage = Footage(10'000);
  auto stream = BringAllButFinish(footage);
  stream->Finish(footage);
  house.Run();
  EXPECT_TRUE(stream->stored());
}

TEST_F(IntakeFinishTest, NothingIsLeftInTheSpoolOfWhatIsStored) {
  const size_t before = house.InSpool().size();
  ExpectCanBeBrought(Recording(), Footage(10'000));
  EXPECT_EQ(house.InSpool().size(), before);
}

TEST_F(IntakeFinishTest, ResumedTransferIsHashedFromItsFirstByte) {
  const std::string footage = Footage(30'000);
  BringAllButFinish(footage.substr(0, 15'000));
  ASSERT_OK(house.Restart());
  auto stream = house.Begin(Recording(), footage.size());
  EXPECT_EQ(stream->Last<Ready>()->offset, 15'000u);
  house.SendRest(*stream, footage, 15'000);
  EXPECT_TRUE(stream->stored());
  EXPECT_THAT(stream->All<Rewind>(), IsEmpty());
}

// --- what was declared is not what came -------------------------------------

TEST_F(IntakeFinishTest, FinishThatContradictsBeginIsRefused) {
  const std::string footage = Footage(1000);
  auto stream = house.Begin(Recording(), 1000);
  (void)stream->Chunk(footage, 0, 900);
  stream->Finish(footage.substr(0, 900));
  house.Run();
  ExpectEnd(*stream, StatusCode::kInvalidArgument, EndReason::kBadMessage);
  ExpectCanBeBrought(Recording(), footage);
}

TEST_F(IntakeFinishTest,
       OtherHashThanDeclaredKeepsTheBytesAsideAndBeginsAgain) {
  const std::string footage = Footage(10'000);
  const size_t files = house.InSpool().size();
  auto stream = BringWithWrongHash(footage);
  ExpectEnd(*stream, StatusCode::kDataLoss, EndReason::kMismatch);
  EXPECT_THAT(house.InStore(Recording()), IsEmpty());
  EXPECT_EQ(house.Look(Recording())->mismatches, 1);

  auto again = house.Begin(Recording(), footage.size());
  EXPECT_EQ(again->Last<Ready>()->offset, 0u);
  EXPECT_NE(again->Last<Ready>()->transfer_id,
            stream->Last<Ready>()->transfer_id);
  house.SendRest(*again, footage, 0);
  EXPECT_TRUE(again->stored());
  EXPECT_EQ(house.InSpool().size(), files + 2) << "kept for an operator";
  ASSERT_OK(house.RestartAfterPowerCut());
  house.Run();
  EXPECT_EQ(house.InSpool().size(), files + 2);
}

TEST_F(IntakeFinishTest, FewerBytesDeclaredThanCameIsAMismatch) {
  const std::string footage = Footage(10'000);
  auto stream = BringAllButFinish(footage);
  stream->Finish(footage.substr(0, 9000));
  house.Run();
  ExpectEnd(*stream, StatusCode::kDataLoss, EndReason::kMismatch);
  ExpectCanBeBrought(Recording(), footage);
}

TEST_F(IntakeFinishTest,
       AfterThreeMismatchesAnOperatorDecidesAlsoAfterARestart) {
  const std::string footage = Footage(10'000);
  for (int i = 0; i < limits::kMismatchesMax; ++i) {
    // Counted on disk and in memory, in any mixture.
    if (i == 1) {
      ASSERT_OK(house.RestartAfterPowerCut());
    }
    auto stream = BringWithWrongHash(footage);
    ExpectEnd(*stream, StatusCode::kDataLoss, EndReason::kMismatch);
  }
  for (const bool restarted : {false, true}) {
    if (restarted) {
      ASSERT_OK(house.Restart());
    }
    auto held = house.Begin(Recording(), footage.size());
    ExpectEnd(*held, StatusCode::kFailedPrecondition,
              EndReason::kHeldForOperator);
    const auto view = house.Look(Recording());
    ASSERT_OK(view);
    EXPECT_EQ(view->state, TransferView::State::kHeldForOperator);
    EXPECT_EQ(view->mismatches, limits::kMismatchesMax);
  }
  EXPECT_THAT(house.InStore(Recording()), IsEmpty());
  ExpectCanBeBrought(Recording("another.mp4"), footage);
}

TEST_F(IntakeFinishTest, MismatchThatCannotBeNotedLeavesNoHalfEndedTransfer) {
  const std::string footage = Footage(10'000);
  auto stream = BringAllButFinish(footage);
  // Room for what was written before, none for the mismatch.
  house.disk.SetFault([writes = 0](const DiskOperation& operation) mutable {
    return operation.kind == Kind::kWrite && ++writes > 1
               ? absl::ResourceExhaustedError("disk full")
               : absl::OkStatus();
  });
  stream->Finish(footage.size(), Sha256::Of("something else"));
  house.Run();
  ASSERT_TRUE(stream->end());
  house.FailNoMore();
  // The device finds its fault, is acknowledged, and the gateway is restarted.
  const std::string longer = footage + Footage(5000, 2);
  auto again = house.Begin(Recording());
  const uint64_t from = again->Last<Ready>()->offset;
  (void)again->Chunk(longer, from, 5000);
  house.Wait(absl::Seconds(1));
  const uint64_t acknowledged = again->acknowledged();
  EXPECT_GT(acknowledged, 0u);
  ASSERT_OK(house.Restart());
  EXPECT_GE(house.Begin(Recording())->Last<Ready>()->offset, acknowledged);
  ExpectCanBeBrought(Recording(), longer);
}

TEST_F(IntakeFinishTest, FinishThatContradictsTheOneBeforeItIsRefused) {
  const std::string footage = Footage(10'000);
  BringAllButFinish(footage);
  ASSERT_OK(house.Restart());  // so that hashing takes a while
  auto stream = house.Begin(Recording());
  stream->Finish(footage);
  stream->Finish("something else");
  house.Run();
  ExpectEnd(*stream, StatusCode::kInvalidArgument, EndReason::kBadMessage);
  ExpectCanBeBrought(Recording(), footage);
}

// What a device declared before it went on growing binds nobody, in this
// process or the next.
TEST_F(IntakeFinishTest, FinishThatFoundNoRoomStayedInForceForALongerOne) {
  const std::string footage = Footage(10'000);
  const std::string longer = footage + Footage(5000, 2);
  auto stream = BringAllButFinish(footage);
  house.Fail(Kind::kWrite, absl::ResourceExhaustedError("disk full"),
             ".records");
  stream->Finish(footage);
  house.Run();
  ExpectPaused(*stream, Pause::Reason::kSpoolFull);
  house.FailNoMore();
  auto again = house.Begin(Recording());
  ASSERT_EQ(again->Last<Ready>()->offset, footage.size());
  (void)again->Chunk(longer, footage.size());
  house.Wait(absl::Seconds(1));
  EXPECT_EQ(again->acknowledged(), longer.size());
  ASSERT_OK(house.RestartAfterPowerCut());
  house.Wait(absl::Minutes(10));
  EXPECT_THAT(house.InStore(Recording()), IsEmpty());
  ExpectCanBeBrought(Recording(), longer);
}

TEST_F(IntakeFinishTest, FinishThatFoundNoRoomIsGoneOnWithByItself) {
  const std::string footage = Footage(10'000);
  auto stream = BringAllButFinish(footage);
  house.Fail(Kind::kWrite, absl::ResourceExhaustedError("disk full"),
             ".records");
  stream->Finish(footage);
  house.Run();
  ExpectPaused(*stream, Pause::Reason::kSpoolFull);
  stream->Close();
  house.FailNoMore();
  house.Wait(absl::Minutes(10));
  EXPECT_THAT(house.InStore(Recording()), ElementsAre(footage));
}

// What was found true waits for room in the journal; somebody else declares
// something else meanwhile.
TEST_F(IntakeFinishTest, FoundTrueWasQuarantinedForAnothersDeclaration) {
  const std::string footage = Footage(10'000);
  auto stream = BringAllButFinish(footage);
  house.Fail(Kind::kWrite, absl::ResourceExhaustedError("disk full"),
             ".records");
  stream->Finish(footage);
  house.Run();
  ExpectPaused(*stream, Pause::Reason::kSpoolFull);
  auto other = house.Begin(Recording(), {}, Device("dock/s2/d2"));
  other->Finish(footage.size(), Sha256::Of("something else"));
  house.Run();
  ExpectEnd(*other, StatusCode::kAlreadyExists, EndReason::kOtherBytesStored);
  EXPECT_EQ(other->end()->stored_sha256, Sha256::Of(footage));
  auto third = house.Begin(Recording(), {}, Device("dock/s2/d2"));
  third->Close();
  house.FailNoMore();
  house.Wait(absl::Minutes(10));
  EXPECT_THAT(house.InStore(Recording()), ElementsAre(footage));
  EXPECT_EQ(house.Look(Recording())->mismatches, 0);
}

// A wrong hash costs a second reading; nobody else waits for it.
TEST_F(IntakeFinishTest, CheckOfALargeTransferKeptAWorkerToItself) {
  const std::string footage = Footage(20 << 20);
  auto stream = house.Begin(Recording());
  for (uint64_t at = 0; at < footage.size(); at += limits::kChunkBytesMax) {
    (void)stream->Chunk(footage, at, limits::kChunkBytesMax);
    house.Run();
  }
  house.Wait(absl::Seconds(1));
  stream->Finish(footage.size(), Sha256::Of("something else"));
  uint64_t read_at_once = 0;
  house.disk.SetFault([&](const DiskOperation& operation) {
    read_at_once += operation.kind == Kind::kRead &&
                    absl::EndsWith(operation.path, ".bytes");
    return absl::OkStatus();
  });
  // Whatever else the same turn of the strand brings.
  house.executor.set_strand_tasks_per_turn(8);
  uint64_t most = 0;
  uint64_t all = 0;
  while (house.executor.RunOne()) {
    most = std::max(most, read_at_once);
    all += std::exchange(read_at_once, 0);
  }
  house.FailNoMore();
  ExpectEnd(*stream, StatusCode::kDataLoss, EndReason::kMismatch);
  EXPECT_GE(all, 20u);
  EXPECT_LE(most, 9u) << "pieces of a MiB in one task";
}

// --- our own faults ---------------------------------------------------------

TEST_F(IntakeFinishTest, DamageInTheSpoolIsFoundBeforeTheDeviceIsBlamed) {
  const std::string footage = Footage(20'000);
  BringAllButFinish(footage);
  house.DamageSpool(Recording(), 9000);
  ASSERT_OK(house.Restart());  // so that the damage is in the hash
  auto stream = house.Begin(Recording(), footage.size());
  stream->Finish(footage);
  house.Run();
  ASSERT_FALSE(stream->end());
  ASSERT_THAT(stream->All<Rewind>(), SizeIs(1));
  EXPECT_EQ(stream->Last<Rewind>()->reason, Rewind::Reason::kGatewayFault);
  EXPECT_EQ(stream->Last<Rewind>()->offset, 8000u);
  house.SendRest(*stream, footage, 8000);
  EXPECT_TRUE(stream->stored());
  EXPECT_THAT(house.InStore(Recording()), ElementsAre(footage));
}

// The sync that ran while the damage was found covers none of what the device
// sends behind it.
TEST_F(IntakeFinishTest, SyncThatRanBesideACutVouchedForWhatCameAfterIt) {
  const std::string footage = Footage(40'000);
  for (uint64_t order = 1; order <= 200; ++order) {
    SCOPED_TRACE(order);
    TestHouse shuffled(TestHouse::SmallOptions(), {}, order, order);
    ASSERT_OK(shuffled.Start());
    auto stream = shuffled.Begin(Recording());
    for (uint64_t at = 0; at < 20'000; at += 4000) {
      (void)stream->Chunk(footage, at, 4000);
    }
    shuffled.Wait(absl::Seconds(1));
    shuffled.DamageSpool(Recording(), 1);
    // More than an Ack's worth, so that a sync begins, and an overlap in which
    // the damage shows.
    (void)stream->Chunk(footage, 20'000, 12'000);
    (void)stream->Chunk(footage, 0, 4000);
    while (stream->All<Rewind>().empty()) {
      ASSERT_TRUE(shuffled.executor.RunOne());
    }
    (void)stream->Chunk(footage, 0, 32'000);
    for (uint64_t steps = order % 7; steps > 0; --steps) {
      shuffled.executor.RunOne();
    }
    const uint64_t told_before = stream->acknowledged();
    shuffled.Run();
    // 20,000 and more were acknowledged and then taken back by the Rewind; what
    // counts are Acks behind it.
    uint64_t acknowledged = 0;
    bool rewound = false;
    for (const Reply& reply : stream->replies()) {
      rewound = rewound || std::holds_alternative<Rewind>(reply);
      const auto* ack = std::get_if<Ack>(&reply);
      if (rewound && ack != nullptr) acknowledged = ack->durable_offset;
    }
    ASSERT_GE(told_before, 20'000u);
    ASSERT_OK(shuffled.RestartAfterPowerCut());
    auto again = shuffled.Begin(Recording());
    ASSERT_GE(again->Last<Ready>()->offset, acknowledged);
    shuffled.SendRest(*again, footage, again->Last<Ready>()->offset);
    ASSERT_TRUE(again->stored());
    ASSERT_THAT(shuffled.InStore(Recording()), ElementsAre(footage));
  }
}

TEST_F(IntakeFinishTest, CutThatFailsHalfWayDidNotGoOnWithAHalfJournal) {
  const std::string footage = Footage(20'000);
  BringAllButFinish(footage);
  house.DamageSpool(Recording(), 9000);
  ASSERT_OK(house.Restart());
  auto stream = house.Begin(Recording(), footage.size());
  house.Fail(Kind::kTruncate, absl::UnavailableError("no memory"), ".bytes");
  stream->Finish(footage);
  house.Run();
  house.FailNoMore();
  const std::string longer = footage + Footage(5000, 2);
  auto again = house.Begin(Recording());
  (void)again->Chunk(longer, again->Last<Ready>()->offset, 5000);
  house.Wait(absl::Seconds(1));
  const uint64_t acknowledged = again->acknowledged();
  EXPECT_GT(acknowledged, 0u);
  ASSERT_OK(house.RestartAfterPowerCut());
  EXPECT_GE(house.Begin(Recording())->Last<Ready>()->offset, acknowledged);
  ExpectCanBeBrought(Recording(), longer);
}

// A transfer that ended while its sync ran left the next one waiting for ever.
TEST_F(IntakeFinishTest, SyncOfAnEndedTransferDidNotLetTheNextOneSync) {
  const std::string footage = Footage(20'000);
  for (uint64_t order = 1; order <= 200; ++order) {
    SCOPED_TRACE(order);
    TestHouse shuffled(TestHouse::SmallOptions(), {}, order, order);
    ASSERT_OK(shuffled.Start());
    auto wrong = shuffled.Begin(Recording());
    (void)wrong->Chunk(footage, 0, 10'000);
    wrong->Finish(10'000, Sha256::Of("something else"));
    while (!wrong->end()) ASSERT_TRUE(shuffled.executor.RunOne());
    auto right = shuffled.Connect();
    right->Begin(Recording());
    (void)right->Chunk(footage, 0);
    right->Finish(footage);
    shuffled.Wait(absl::Seconds(1));
    ASSERT_TRUE(right->stored());
  }
}

TEST_F(IntakeFinishTest, SyncThatFailsAtFinishBeginsAgainAtZero) {
  const std::string footage = Footage(10'000);
  auto stream = BringAllButFinish(footage);
  house.Fail(Kind::kSync, absl::DataLossError("medium error"));
  stream->Finish(footage);
  house.Run();
  house.FailNoMore();
  ExpectEnd(*stream, StatusCode::kUnavailable, EndReason::kSpoolFault);
  EXPECT_FALSE(stream->stored());
  EXPECT_THAT(house.InStore(Recording()), IsEmpty());
  EXPECT_EQ(house.Begin(Recording())->Last<Ready>()->offset, 0u);
  ExpectCanBeBrought(Recording(), footage);
}

TEST_F(IntakeFinishTest, DiskThatIsFullAtFinishPausesAndStoresLater) {
  const std::string footage = Footage(10'000);
  auto stream = BringAllButFinish(footage);
  house.Fail(Kind::kWrite, absl::ResourceExhaustedError("disk full"));
  stream->Finish(footage);
  house.Run();
  ExpectPaused(*stream, Pause::Reason::kSpoolFull);
  house.FailNoMore();
  auto again = house.Begin(Recording(), footage.size());
  EXPECT_EQ(again->Last<Ready>()->offset, footage.size());
  again->Finish(footage);
  house.Run();
  EXPECT_TRUE(again->stored());
  EXPECT_THAT(house.InStore(Recording()), ElementsAre(footage));
}

// --- the store is not there -------------------------------------------------

TEST_F(IntakeFinishTest, StoreThatIsFullTakesItByItselfLater) {
  const std::string footage = Footage(10'000);
  auto stream = BringAllButFinish(footage);
  house.Fail(Kind::kMakeDirectory, absl::ResourceExhaustedError("store full"));
  stream->Finish(footage);
  house.Run();
  ExpectPaused(*stream, Pause::Reason::kStoreAway);
  house.Wait(absl::Minutes(10));
  EXPECT_THAT(house.InStore(Recording()), IsEmpty());
  house.FailNoMore();
  house.Wait(absl::Minutes(10));
  EXPECT_THAT(house.InStore(Recording()), ElementsAre(footage));
  ExpectCanBeBrought(Recording(), footage);
}

TEST_F(IntakeFinishTest, StoreOnAnotherFileSystemTakesItOnceThatIsMended) {
  const std::string footage = Footage(10'000);
  house.Fail(Kind::kLink, absl::FailedPreconditionError("other file system"));
  ExpectPaused(*house.Bring(Recording(), footage), Pause::Reason::kStoreAway);
  house.FailNoMore();
  house.Wait(absl::Minutes(10));
  EXPECT_THAT(house.InStore(Recording()), ElementsAre(footage));
}

TEST_F(IntakeFinishTest, StoreThatIsGoneIsNotMadeAnewAndTakesItWhenItIsBack) {
  const std::string footage = Footage(10'000);
  auto stream = BringAllButFinish(footage);
  RemoveStore();
  stream->Finish(footage);
  house.Wait(absl::Minutes(10));
  ExpectPaused(*stream, Pause::Reason::kStoreAway);
  EXPECT_THAT(house.disk.Stat(kStoreDirectory),
              StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(house.Look(Recording("unknown")),
              StatusIs(StatusCode::kUnavailable))
      << "whether it is stored, nobody can say";
  ASSERT_OK(house.disk.MakeDirectory(kStoreDirectory));
  house.Wait(absl::Minutes(10));
  EXPECT_THAT(house.InStore(Recording()), ElementsAre(footage));
}

TEST_F(IntakeFinishTest, DeviceThatComesBackMakesUsLookForTheStoreAtOnce) {
  const std::string footage = Footage(10'000);
  house.Fail(Kind::kLink, absl::ResourceExhaustedError("store full"));
  ExpectPaused(*house.Bring(Recording(), footage), Pause::Reason::kStoreAway);
  ExpectPaused(*house.Bring(Recording(), footage), Pause::Reason::kStoreAway);
  house.FailNoMore();
  auto stream = house.Begin(Recording(), footage.size());
  EXPECT_TRUE(stream->Last<Ready>()->already_stored);
  stream->Finish(footage);
  house.Run();
  EXPECT_TRUE(stream->stored());
  EXPECT_THAT(house.InStore(Recording()), ElementsAre(footage));
  house.Wait(absl::Minutes(10));
  EXPECT_THAT(house.InStore(Recording()), ElementsAre(footage));
}

TEST_F(IntakeFinishTest, OtherBytesForWhatWaitsForTheStoreAreRefused) {
  const std::string footage = Footage(10'000);
  house.Fail(Kind::kLink, absl::ResourceExhaustedError("store full"));
  ExpectPaused(*house.Bring(Recording(), footage), Pause::Reason::kStoreAway);
  auto stream = house.Begin(Recording());
  stream->Finish("other bytes");
  house.Run();
  ExpectEnd(*stream, StatusCode::kAlreadyExists, EndReason::kOtherBytesStored);
  EXPECT_EQ(stream->end()->stored_sha256, Sha256::Of(footage));
  house.FailNoMore();
  house.Wait(absl::Minutes(10));
  EXPECT_THAT(house.InStore(Recording()), ElementsAre(footage));
}

TEST_F(IntakeFinishTest, RestartBringsWhatWasFinishedIntoTheStoreByItself) {
  const std::string footage = Footage(10'000);
  house.Fail(Kind::kLink, absl::ResourceExhaustedError("store full"));
  ExpectPaused(*house.Bring(Recording(), footage), Pause::Reason::kStoreAway);
  house.FailNoMore();
  ASSERT_OK(house.RestartAfterPowerCut());
  house.Run();
  EXPECT_THAT(house.InStore(Recording()), ElementsAre(footage));
  ExpectCanBeBrought(Recording(), footage);
}

TEST_F(IntakeFinishTest, RestartWithoutAStoreWaitsForItToo) {
  const std::string footage = Footage(10'000);
  auto stream = BringAllButFinish(footage);
  RemoveStore();
  stream->Finish(footage);
  house.Run();
  ASSERT_OK(house.RestartAfterPowerCut());
  house.Wait(absl::Minutes(1));
  ASSERT_OK(house.disk.MakeDirectory(kStoreDirectory));
  house.Wait(absl::Minutes(10));
  EXPECT_THAT(house.InStore(Recording()), ElementsAre(footage));
}

// --- small recordings, which have no journal at first ------------------------

// Neither the store nor the journal could be opened before the bytes were
// synced; the next attempt took it that they were.
TEST_F(IntakeFinishTest, RetryOfASmallRecordingSkippedTheSyncOfItsBytes) {
  const std::string footage = Footage(6000);
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    TestHouse small(TestHouse::SmallOptions(), {}, /*order=*/0, seed);
    ASSERT_OK(small.Start());
    small.store_opens = absl::UnavailableError("the store is away");
    small.Fail(Kind::kCreate, absl::UnavailableError("no descriptors"),
               ".records");
    auto stream = small.Bring(Recording(), footage);
    ExpectEnd(*stream, StatusCode::kUnavailable, EndReason::kUnspecified);
    stream->Close();
    small.store_opens = absl::OkStatus();
    small.FailNoMore();
    small.Wait(absl::Minutes(10));
    ASSERT_OK(small.RestartAfterPowerCut());
    ASSERT_THAT(small.InStore(Recording()), ElementsAre(footage));
  }
}

TEST_F(IntakeFinishTest,
       SmallRecordingWhoseSyncFailedIsSyncedWhenItComesAgain) {
  const std::string footage = Footage(6000);
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    TestHouse small(TestHouse::SmallOptions(), {}, /*order=*/0, seed);
    ASSERT_OK(small.Start());
    small.Fail(Kind::kSync, absl::DataLossError("medium error"), ".bytes");
    auto stream = small.Bring(Recording(), footage);
    ExpectEnd(*stream, StatusCode::kUnavailable, EndReason::kSpoolFault);
    EXPECT_FALSE(stream->stored());
    EXPECT_THAT(small.InStore(Recording()), IsEmpty());
    small.FailNoMore();
    auto again = small.Begin(Recording(), footage.size());
    ASSERT_EQ(again->Last<Ready>()->offset, 0u);
    small.SendRest(*again, footage, 0);
    ASSERT_TRUE(again->stored());
    ASSERT_OK(small.RestartAfterPowerCut());
    ASSERT_THAT(small.InStore(Recording()), ElementsAre(footage));
  }
}

TEST_F(IntakeFinishTest, ASyncThatFoundNoRoomLeftItsFileOnTheFullDisk) {
  const std::string footage = Footage(6000);
  const size_t before = house.InSpool().size();
  house.Fail(Kind::kSync, absl::ResourceExhaustedError("no space"), ".bytes");
  auto stream = house.Bring(Recording(), footage);
  EXPECT_EQ(stream->Last<Pause>()->reason, Pause::Reason::kSpoolFull);
  EXPECT_THAT(house.InSpool(".aside"), IsEmpty());
  EXPECT_EQ(house.InSpool().size(), before);
  house.FailNoMore();
  ExpectCanBeBrought(Recording(), footage);
}

// A large one that came faster than its first Ack; the sync before the second
// step of its commit fails, when it is linked and not verified yet.
TEST_F(IntakeFinishTest, TransferLostBetweenStepsLeftWhatNobodyHadVerified) {
  house.SetOptions(FileStoreOptions{.read_back = true});
  IntakeOptions options = TestHouse::SmallOptions();
  options.ack_every_bytes = 64 << 20;
  Restart(options);
  const std::string footage = Footage(10 << 20);
  auto stream = house.Begin(Recording());
  for (uint64_t at = 0; at < footage.size(); at += limits::kChunkBytesMax) {
    (void)stream->Chunk(footage, at, limits::kChunkBytesMax);
    house.Run();
  }
  house.disk.SetFault([syncs = 0](const DiskOperation& operation) mutable {
    return operation.kind == Kind::kSync && ++syncs == 2
               ? absl::DataLossError("medium error")
               : absl::OkStatus();
  });
  stream->Finish(footage);
  house.Run();
  house.FailNoMore();
  ExpectEnd(*stream, StatusCode::kUnavailable, EndReason::kSpoolFault);
  EXPECT_TRUE(house.InStore(Recording()).empty());
}

// Every recording that the store did not take cost a worker three syncs.
TEST_F(IntakeFinishTest, WorkerWaitedForTheSyncsOfWhatTheStoreDidNotTake) {
  const std::string footage = Footage(6000);
  int syncs = 0;
  house.disk.SetFault([&](const DiskOperation& operation) {
    if (operation.kind == Kind::kSync ||
        operation.kind == Kind::kSyncDirectory) {
      ++syncs;
      EXPECT_TRUE(house.waiter_runs) << operation.path;
    }
    return operation.kind == Kind::kLink
               ? absl::ResourceExhaustedError("store full")
               : absl::OkStatus();
  });
  ExpectPaused(*house.Bring(Recording(), footage), Pause::Reason::kStoreAway);
  EXPECT_GT(syncs, 3);
  EXPECT_THAT(house.InSpool(".records"), SizeIs(2)) << "and the neighbour's";
  house.FailNoMore();
  house.Wait(absl::Minutes(10));
  EXPECT_THAT(house.InStore(Recording()), ElementsAre(footage));
}

// --- stored already ---------------------------------------------------------

TEST_F(IntakeFinishTest, StoredRecordingIsNotTakenAgainAlsoAfterARestart) {
  const std::string footage = Footage(10'000);
  ExpectCanBeBrought(Recording(), footage);
  for (const bool restarted : {false, true}) {
    if (restarted) {
      ASSERT_OK(house.RestartAfterPowerCut());
    }
    auto stream = house.Begin(Recording(), footage.size());
    ASSERT_TRUE(stream->Last<Ready>());
    EXPECT_TRUE(stream->Last<Ready>()->already_stored);
    EXPECT_EQ(stream->Last<Ready>()->offset, footage.size());
    (void)stream->Chunk(Footage(10'000, 2), 0);  // not even looked at
    stream->Finish(footage);
    house.Run();
    EXPECT_TRUE(stream->stored());
    EXPECT_OK(stream->end()->status);
    EXPECT_THAT(house.InStore(Recording()), ElementsAre(footage));
  }
}

TEST_F(IntakeFinishTest, OtherBytesOfAStoredNameAreRefusedAlsoAfterARestart) {
  const std::string footage = Footage(10'000);
  const std::string other = Footage(10'000, 2);
  ExpectCanBeBrought(Recording(), footage);
  for (const bool restarted : {false, true}) {
    if (restarted) {
      ASSERT_OK(house.RestartAfterPowerCut());
    }
    auto stream = house.Bring(Recording(), other);
    ExpectEnd(*stream, StatusCode::kAlreadyExists,
              EndReason::kOtherBytesStored);
    EXPECT_EQ(stream->end()->stored_sha256, Sha256::Of(footage));
    EXPECT_FALSE(stream->stored());
  }
  EXPECT_THAT(house.InStore(Recording()), ElementsAre(footage));
}

// A hash that was remembered outlived the file.
TEST_F(IntakeFinishTest, StoredWasSaidOfWhatSomebodyHadRemoved) {
  const std::string footage = Footage(10'000);
  ExpectCanBeBrought(Recording(), footage);
  ASSERT_OK(house.disk.Remove(
      JoinPath(kStoreDirectory,
               absl::StrCat(Recording().ToString(), "/recording.mp4"))));
  auto stream = house.Bring(Recording(), footage);
  EXPECT_FALSE(stream->stored());
  ExpectEnd(*stream, StatusCode::kUnavailable, EndReason::kUnspecified);
  ExpectCanBeBrought(Recording(), footage);
}

// What an older stream declared was answered to the newer one.
TEST_F(IntakeFinishTest, NewerStreamWasAnsweredWithTheOldersDeclaration) {
  const std::string footage = Footage(10'000);
  ExpectCanBeBrought(Recording(), footage);
  ASSERT_OK(house.Restart());  // the hash must be read from the store
  auto older = house.Begin(Recording());
  older->Finish("other bytes");
  house.executor.RunOne();
  auto newer = house.Connect();
  newer->Begin(Recording());
  house.Run();
  ExpectEnd(*older, StatusCode::kAborted, EndReason::kTakenOver);
  EXPECT_FALSE(newer->end());
  EXPECT_FALSE(newer->stored()) << "before it declared anything";
  newer->Finish(footage);
  house.Run();
  EXPECT_TRUE(newer->stored());
}

TEST_F(IntakeFinishTest, NewerStreamWasToldStoredBeforeItDeclaredAnything) {
  const std::string footage = Footage(10'000);
  for (uint64_t order = 1; order <= 100; ++order) {
    SCOPED_TRACE(order);
    TestHouse shuffled(TestHouse::SmallOptions(), {}, order, order);
    ASSERT_OK(shuffled.Start());
    auto older = shuffled.Begin(Recording());
    (void)older->Chunk(footage, 0);
    older->Finish(footage);
    for (uint64_t steps = order % 12; steps > 0; --steps) {
      shuffled.executor.RunOne();
    }
    auto newer = shuffled.Connect(Device("dock/s2/d2"));
    newer->Begin(Recording());
    shuffled.Wait(absl::Seconds(1));
    ASSERT_FALSE(newer->end());
    ASSERT_FALSE(newer->stored());
    newer->Finish(footage);
    shuffled.Wait(absl::Seconds(1));
    ASSERT_TRUE(newer->stored());
    ASSERT_THAT(shuffled.InStore(Recording()), ElementsAre(footage));
  }
}

TEST_F(IntakeFinishTest, NewerStreamWasEndedForTheOldersWrongHash) {
  const std::string footage = Footage(10'000);
  for (uint64_t order = 1; order <= 100; ++order) {
    SCOPED_TRACE(order);
    TestHouse shuffled(TestHouse::SmallOptions(), {}, order, order);
    ASSERT_OK(shuffled.Start());
    auto first = shuffled.Begin(Recording());
    (void)first->Chunk(footage, 0);
    shuffled.Wait(absl::Seconds(1));
    ASSERT_OK(shuffled.Restart());  // so that hashing takes a while
    auto older = shuffled.Begin(Recording());
    older->Finish(footage.size(), Sha256::Of("something else"));
    for (uint64_t steps = order % 3; steps > 0; --steps) {
      shuffled.executor.RunOne();
    }
    if (older->end()) continue;  // it had its answer
    auto newer = shuffled.Connect(Device("dock/s2/d2"));
    newer->Begin(Recording());
    shuffled.Run();
    if (older->end()->reason != EndReason::kTakenOver) continue;
    ASSERT_FALSE(newer->end()) << newer->end()->status;
  }
}

TEST_F(IntakeFinishTest, StoredRecordingThatCannotBeReadIsLookedAtAgainLater) {
  const std::string footage = Footage(10'000);
  ExpectCanBeBrought(Recording(), footage);
  ASSERT_OK(house.Restart());
  auto stream = house.Begin(Recording(), footage.size());
  house.Fail(Kind::kRead, absl::DataLossError("medium error"));
  stream->Finish(footage);
  house.Run();
  house.FailNoMore();
  ExpectEnd(*stream, StatusCode::kUnavailable, EndReason::kUnspecified);
  ExpectCanBeBrought(Recording(), footage);
}

TEST_F(IntakeFinishTest, OtherBytesStoredSinceOurBeginStayAndOursAreKept) {
  const std::string footage = Footage(10'000);
  const std::string theirs = Footage(7000, 2);
  auto stream = BringAllButFinish(footage);
  const std::string directory =
      JoinPath(kStoreDirectory, Recording().ToString());
  ASSERT_OK(MakeDirectories(house.disk, directory));
  ASSERT_OK(WriteFileAtomically(house.disk,
                                JoinPath(directory, "recording.mkv"), theirs));
  stream->Finish(footage);
  house.Run();
  ExpectEnd(*stream, StatusCode::kAlreadyExists, EndReason::kOtherBytesStored);
  EXPECT_EQ(stream->end()->stored_sha256, Sha256::Of(theirs));
  EXPECT_THAT(house.InStore(Recording()), ElementsAre(theirs));
  EXPECT_THAT(house.InSpool(".aside"), SizeIs(2));
  ASSERT_OK(house.RestartAfterPowerCut());
  EXPECT_THAT(house.InStore(Recording()), ElementsAre(theirs));
  EXPECT_THAT(house.InSpool(".aside"), SizeIs(2));
}

// --- the medium, seen late --------------------------------------------------

// The stored file and the spool's are one until the spool forgets it.
TEST_F(IntakeFinishTest, RotAfterStoredDidNotCutTheStoredRecording) {
  const std::string footage = Footage(10'000);
  house.Fail(Kind::kRemove, absl::DataLossError("cannot remove"));
  ASSERT_TRUE(house.Bring(Recording(), footage)->stored());
  house.FailNoMore();
  ASSERT_OK(house.Restart());
  for (const uint64_t at : {500u, 9500u}) {
    house.DamageSpool(Recording(), at);
  }
  house.Run();
  ASSERT_THAT(house.InStore(Recording()), SizeIs(1));
  EXPECT_EQ(house.InStore(Recording())[0].size(), footage.size());
  EXPECT_THAT(house.InSpool(".aside"), SizeIs(2)) << "for a person";
  ASSERT_OK(house.Restart());
  auto stream = house.Bring(Recording(), footage);
  EXPECT_FALSE(stream->stored()) << "what is stored is damaged";
  EXPECT_EQ(house.InStore(Recording())[0].size(), footage.size());
}

// The same when the store cannot be looked into at the start.
TEST_F(IntakeFinishTest, RotAfterStoredBehindADeafStoreDidNotCutItEither) {
  const std::string footage = Footage(10'000);
  for (const uint64_t at : {500u, 9500u}) {
    const RecordingName name = Recording(absl::StrCat("r", at));
    auto stream = house.Begin(name);
    (void)stream->Chunk(footage, 0, 8000);
    house.Wait(absl::Seconds(1));
    (void)stream->Chunk(footage, 8000, 2000);
    house.Fail(Kind::kRemove, absl::DataLossError("cannot remove"));
    stream->Finish(footage);
    house.Wait(absl::Seconds(1));
    ASSERT_TRUE(stream->stored());
    house.FailNoMore();
    ASSERT_OK(house.Restart());
    house.DamageSpool(name, at);
    house.Fail(Kind::kList, absl::UnavailableError("no descriptors left"));
    house.Run();
    house.FailNoMore();
    ASSERT_THAT(house.InStore(name), SizeIs(1));
    EXPECT_EQ(house.InStore(name)[0].size(), footage.size()) << at;
  }
}

TEST_F(IntakeFinishTest, ReadBackThatFindsDamageStoresWhatTheDeviceSendsAgain) {
  house.SetOptions(FileStoreOptions{.read_back = true});
  ASSERT_OK(house.Restart());
  const std::string footage = Footage(10'000);
  auto stream = BringAllButFinish(footage);
  // Seen by nobody yet: the running hash is of what came, not of what the
  // medium made of it.
  house.DamageSpool(Recording(), 5000);
  stream->Finish(footage);
  house.Run();
  EXPECT_FALSE(stream->stored());
  EXPECT_THAT(house.InStore(Recording()), IsEmpty())
      << "damaged bytes under the recording's name";
  house.Wait(absl::Minutes(10));
  ExpectCanBeBrought(Recording(), footage);
}

}  // namespace
}  // namespace schleuse
