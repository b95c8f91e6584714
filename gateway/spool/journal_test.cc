#include "gateway/spool/journal.h"

#include <string>

#include "base/random.h"
#include "gtest/gtest.h"
#include "proto/spool.pb.h"

namespace schleuse::journal {
namespace {

const Digest kOne = Sha256::Of("one");
const Digest kTwo = Sha256::Of("two");
// A moment that the journal's microseconds hold exactly.
const absl::Time kAt = absl::FromUnixMicros(1'700'000'000'123'456);

spool::v1::SpoolRecord BegunProto() {
  spool::v1::SpoolRecord proto;
  proto.mutable_begun()->set_camera_id("cam-1");
  proto.mutable_begun()->set_recording_id("r.mp4");
  return proto;
}

TEST(JournalTest, BegunComesBackWhole) {
  const std::string metadata("any\0bytes\xff", 10);
  const auto record =
      Decode(Encode(Begun{.name = *RecordingName::Parse("cam-1", "r.mp4"),
                          .principal = "spiffe://test/dock/s1/d1",
                          .metadata = metadata,
                          .extension = "mp4",
                          .priority = 3,
                          .at = kAt}));
  ASSERT_TRUE(record);
  const Begun& begun = std::get<Begun>(*record);
  EXPECT_EQ(begun.name.ToString(), "cam-1/r.mp4");
  EXPECT_EQ(begun.principal, "spiffe://test/dock/s1/d1");
  EXPECT_EQ(begun.metadata, metadata);
  EXPECT_EQ(begun.extension, "mp4");
  EXPECT_EQ(begun.priority, 3);
  EXPECT_EQ(begun.at, kAt);
}

TEST(JournalTest, ChunkAndSyncedComeBackWhole) {
  const auto chunk = Decode(Encode(ChunkWritten{
      .offset = uint64_t{7} << 40, .length = 1 << 20, .crc32c = 0xfedcba98}));
  ASSERT_TRUE(chunk);
  EXPECT_EQ(std::get<ChunkWritten>(*chunk).offset, uint64_t{7} << 40);
  EXPECT_EQ(std::get<ChunkWritten>(*chunk).length, uint64_t{1} << 20);
  EXPECT_EQ(std::get<ChunkWritten>(*chunk).crc32c, 0xfedcba98u);
  // Zeros are not on proto3's wire, and a record all the same.
  const auto synced = Decode(Encode(SyncedTo{.offset = 0}));
  ASSERT_TRUE(synced);
  EXPECT_EQ(std::get<SyncedTo>(*synced).offset, 0u);
}

TEST(JournalTest, FinishedAndMismatchComeBackWhole) {
  const auto finished = Decode(Encode(FinishedAt{
      .finished = {.size = 5, .sha256 = kOne}, .target = "/store/x"}));
  ASSERT_TRUE(finished);
  EXPECT_EQ(std::get<FinishedAt>(*finished).finished.size, 5u);
  EXPECT_EQ(std::get<FinishedAt>(*finished).finished.sha256, kOne);
  EXPECT_EQ(std::get<FinishedAt>(*finished).target, "/store/x");

  const auto mismatch = Decode(Encode(Mismatch{.declared_size = 5,
                                               .declared = kOne,
                                               .received_size = 6,
                                               .received = kTwo,
                                               .at = kAt}));
  ASSERT_TRUE(mismatch);
  EXPECT_EQ(std::get<Mismatch>(*mismatch).declared_size, 5u);
  EXPECT_EQ(std::get<Mismatch>(*mismatch).declared, kOne);
  EXPECT_EQ(std::get<Mismatch>(*mismatch).received_size, 6u);
  EXPECT_EQ(std::get<Mismatch>(*mismatch).received, kTwo);
  EXPECT_EQ(std::get<Mismatch>(*mismatch).at, kAt);
}

TEST(JournalTest, RecordOfALaterVersionIsPassedOver) {
  // Field 15, a message of two bytes.
  const std::string later("\x7a\x02\x08\x01", 4);
  const auto record = Decode(later);
  ASSERT_TRUE(record);
  EXPECT_TRUE(std::holds_alternative<Unknown>(*record));
  EXPECT_TRUE(std::holds_alternative<Unknown>(*Decode("")));
}

TEST(JournalTest, LaterFieldsOfAKnownRecordAreIgnored) {
  const std::string chunk =
      Encode(ChunkWritten{.offset = 1, .length = 2, .crc32c = 3});
  // The same message again, with field 15 in it: proto merges the two.
  const std::string later("\x12\x02\x78\x01", 4);
  const auto record = Decode(chunk + later);
  ASSERT_TRUE(record);
  EXPECT_EQ(std::get<ChunkWritten>(*record).length, 2u);
}

TEST(JournalTest, NonsenseIsRefused) {
  EXPECT_FALSE(Decode("\xff\xff\xff"));
  const std::string whole = Encode(ChunkWritten{1000, 2000, 3000});
  EXPECT_FALSE(Decode(whole.substr(0, whole.size() - 1)));
}

TEST(JournalTest, NamesThatAreNoIdsAreRefused) {
  ASSERT_TRUE(Decode(BegunProto().SerializeAsString()));
  for (const char* bad : {"", ".", "..", "../../etc", "a/b", "a b"}) {
    spool::v1::SpoolRecord proto = BegunProto();
    proto.mutable_begun()->set_camera_id(bad);
    EXPECT_FALSE(Decode(proto.SerializeAsString())) << bad;
    proto = BegunProto();
    proto.mutable_begun()->set_recording_id(bad);
    EXPECT_FALSE(Decode(proto.SerializeAsString())) << bad;
  }
}

TEST(JournalTest, HashesOfAnotherLengthAreRefused) {
  for (const size_t bytes : {0, 31, 33}) {
    spool::v1::SpoolRecord proto;
    proto.mutable_finished()->set_sha256(std::string(bytes, 'x'));
    EXPECT_FALSE(Decode(proto.SerializeAsString()));
    proto.mutable_mismatched()->set_declared_sha256(std::string(32, 'x'));
    proto.mutable_mismatched()->set_received_sha256(std::string(bytes, 'x'));
    EXPECT_FALSE(Decode(proto.SerializeAsString()));
    proto.mutable_mismatched()->set_declared_sha256(std::string(bytes, 'x'));
    proto.mutable_mismatched()->set_received_sha256(std::string(32, 'x'));
    EXPECT_FALSE(Decode(proto.SerializeAsString()));
  }
}

TEST(JournalTest, AnyBytesAreDecodedOrRefused) {
  SeededRandom random(1);
  const std::string whole = Encode(Mismatch{.declared_size = 5,
                                            .declared = kOne,
                                            .received_size = 6,
                                            .received = kTwo,
                                            .at = kAt});
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = whole;
    for (uint64_t flips = random.Next() % 4; flips > 0; --flips) {
      bytes[random.Next() % bytes.size()] ^= 1 << random.Next() % 8;
    }
    bytes.resize(random.Next() % (whole.size() + 4), '\x7f');
    const auto record = Decode(bytes);
    // What is decoded can be encoded and is the same again.
    if (record && !std::holds_alternative<Unknown>(*record)) {
      EXPECT_EQ(Encode(*Decode(Encode(*record))), Encode(*record));
    }
  }
}

// --- what a journal adds up to ---

Begun SomeBegun() {
  return std::get<Begun>(*Decode(BegunProto().SerializeAsString()));
}
FinishedAt FinishedWith(uint64_t size) {
  return {.finished = {.size = size, .sha256 = kOne}, .target = "/store/x"};
}

TEST(SummaryTest, AddsUpWhatAJournalSays) {
  Summary summary;
  EXPECT_TRUE(summary.Add(SomeBegun()));
  EXPECT_TRUE(summary.Add(ChunkWritten{0, 1000, 1}));
  EXPECT_TRUE(summary.Add(SyncedTo{1000}));
  EXPECT_TRUE(summary.Add(Unknown{}));
  EXPECT_TRUE(summary.Add(ChunkWritten{1000, 500, 2}));
  EXPECT_EQ(summary.received, 1500u);
  EXPECT_FALSE(summary.finished);
  EXPECT_TRUE(summary.Add(FinishedWith(1500)));
  EXPECT_TRUE(summary.Add(SyncedTo{1500}));
  ASSERT_TRUE(summary.finished);
  EXPECT_EQ(summary.finished->sha256, kOne);
  EXPECT_FALSE(summary.mismatched);
  EXPECT_TRUE(summary.Add(Mismatch{1, kOne, 1500, kTwo, kAt}));
  EXPECT_TRUE(summary.mismatched);
}

TEST(SummaryTest, JournalThatDoesNotBeginWithBegunSaysNothing) {
  for (const Record& first :
       {Record(ChunkWritten{0, 1000, 1}), Record(Unknown{})}) {
    Summary summary;
    EXPECT_FALSE(summary.Add(first));
    EXPECT_FALSE(summary.begun);
  }
}

TEST(SummaryTest, RecordThatMakesNoSenseEndsIt) {
  Summary summary;
  EXPECT_TRUE(summary.Add(SomeBegun()));
  EXPECT_FALSE(summary.Add(std::nullopt));
}

TEST(SummaryTest, ChunkThatLeavesAGapEndsIt) {
  Summary summary;
  EXPECT_TRUE(summary.Add(SomeBegun()));
  EXPECT_TRUE(summary.Add(ChunkWritten{0, 1000, 1}));
  EXPECT_FALSE(summary.Add(ChunkWritten{1001, 10, 1}));
  EXPECT_EQ(summary.received, 1000u);
}

TEST(SummaryTest, FinishThatTheChunksDoNotAddUpToIsNotBelieved) {
  for (const uint64_t size : {0, 999, 1001}) {
    Summary summary;
    EXPECT_TRUE(summary.Add(SomeBegun()));
    EXPECT_TRUE(summary.Add(ChunkWritten{0, 1000, 1}));
    EXPECT_FALSE(summary.Add(FinishedWith(size)));
    EXPECT_FALSE(summary.finished);
  }
}

TEST(SummaryTest, ChunkBehindAFinishTakesItBack) {
  for (const uint64_t offset : {1000, 2000}) {
    Summary summary;
    EXPECT_TRUE(summary.Add(SomeBegun()));
    EXPECT_TRUE(summary.Add(ChunkWritten{0, 1000, 1}));
    EXPECT_TRUE(summary.Add(FinishedWith(1000)));
    EXPECT_EQ(summary.Add(ChunkWritten{offset, 10, 1}), offset == 1000);
    EXPECT_FALSE(summary.finished);
  }
}

}  // namespace
}  // namespace schleuse::journal
