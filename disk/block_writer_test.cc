#include "disk/block_writer.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/random.h"
#include "base/status_matchers.h"
#include "disk/fake_disk.h"
#include "disk/posix_disk.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using absl::StatusCode;
using Kind = DiskOperation::Kind;

std::string Bytes(uint64_t size, uint64_t seed = 1) {
  SeededRandom random(seed);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random.Next());
  return bytes;
}

class BlockWriterTest : public testing::Test {
 protected:
  BlockWriterTest() { Reopen(0); }

  // As after a restart, with so many bytes that count.
  void Reopen(uint64_t end) {
    writer_.reset();
    file_ = nullptr;
    auto file = disk.Stat("/f").ok() ? disk.Open("/f") : disk.Create("/f");
    ASSERT_OK(file);
    file_ = *std::move(file);
    auto writer = BlockWriter::At(*file_, buffers, end);
    ASSERT_OK(writer);
    writer_ = std::make_unique<BlockWriter>(*std::move(writer));
  }
  BlockWriter& writer() { return *writer_; }
  File& file() { return *file_; }
  std::string InFile() { return *ReadFile(disk, "/f", 1 << 30); }

  FakeDisk disk;
  BlockBuffers buffers;

 private:
  std::unique_ptr<File> file_;
  std::unique_ptr<BlockWriter> writer_;
};

// Whatever the sizes and wherever it is flushed or opened again.
TEST_F(BlockWriterTest, FileHoldsWhatWasAppended) {
  SeededRandom random(3);
  std::string all;
  for (int i = 0; i < 400; ++i) {
    const uint64_t kinds[] = {1, 100, 4096, 70'000, 256 * 1024, 1 << 20};
    const uint64_t size = 1 + random.Next() % kinds[random.Next() % 6];
    const std::string piece = Bytes(size, i);
    absl::Cord cord(piece.substr(0, size / 3));
    cord.Append(piece.substr(size / 3));
    ASSERT_OK(writer().Append(cord));
    all += piece;
    ASSERT_EQ(writer().end(), all.size());
    if (random.Next() % 4 == 0) {
      ASSERT_OK(writer().Flush());
    }
    if (random.Next() % 10 == 0) {
      ASSERT_OK(writer().Flush());
      Reopen(all.size());
    }
    const uint64_t from = random.Next() % all.size();
    const uint64_t length = random.Next() % (2 << 20);
    ASSERT_EQ(*writer().Read(from, length), all.substr(from, length));
  }
  ASSERT_OK(writer().Flush());
  const std::string held = InFile();
  EXPECT_EQ(held.substr(0, all.size()), all);
  EXPECT_LT(held.size() - all.size(), File::kBlockBytes);
  EXPECT_EQ(held.substr(all.size()),
            std::string(held.size() - all.size(), '\0'));
}

TEST_F(BlockWriterTest, FlushOfNothingNewWritesNothing) {
  ASSERT_OK(writer().Append(absl::Cord("bytes")));
  ASSERT_OK(writer().Flush());
  const int operations = disk.operations();
  ASSERT_OK(writer().Flush());
  EXPECT_EQ(disk.operations(), operations);
}

TEST_F(BlockWriterTest, WritesLargePieces) {
  int writes = 0;
  disk.SetFault([&writes](const DiskOperation& operation) {
    writes += operation.kind == Kind::kWrite;
    return absl::OkStatus();
  });
  for (int i = 0; i < 64; ++i) {
    ASSERT_OK(writer().Append(absl::Cord(Bytes(64 * 1024))));
  }
  ASSERT_OK(writer().Flush());
  EXPECT_LE(writes, 6);
}

// What is there goes out before what is new comes in, so that an error says
// nothing about what is new.
TEST_F(BlockWriterTest, AppendThatFindsNoRoomChangesNothing) {
  const std::string first = Bytes(1 << 20);
  const std::string second = Bytes(500'000, 2);
  ASSERT_OK(writer().Append(absl::Cord(first)));
  disk.SetCapacity(10'000);
  EXPECT_THAT(writer().Append(absl::Cord(second)),
              StatusIs(StatusCode::kResourceExhausted));
  EXPECT_THAT(writer().Flush(), StatusIs(StatusCode::kResourceExhausted));
  EXPECT_EQ(writer().end(), first.size());
  EXPECT_EQ(*writer().Read(0, 2 << 20), first);
  disk.SetCapacity(1 << 30);
  ASSERT_OK(writer().Append(absl::Cord(second)));
  ASSERT_OK(writer().Flush());
  EXPECT_EQ(InFile().substr(0, writer().end()), first + second);
}

// A block that was flushed half full is written again with the same beginning:
// whichever of the two writes a power cut leaves, what was synced stays.
TEST_F(BlockWriterTest, BlockWrittenAgainKeepsWhatWasSynced) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    FakeDisk torn(seed);
    ASSERT_OK_AND_ASSIGN(const std::unique_ptr<File> file, torn.Create("/f"));
    ASSERT_OK(torn.SyncDirectory("/"));
    ASSERT_OK_AND_ASSIGN(BlockWriter to, BlockWriter::At(*file, buffers, 0));
    const std::string kept = Bytes(5000);
    ASSERT_OK(to.Append(absl::Cord(kept)));
    ASSERT_OK(to.Flush());
    ASSERT_OK(file->Sync());
    ASSERT_OK(to.Append(absl::Cord(Bytes(9000, 2))));
    ASSERT_OK(to.Flush());
    torn.CutPower();
    torn.RestorePower();
    ASSERT_EQ(ReadFile(torn, "/f", 1 << 20)->substr(0, 5000), kept);
  }
}

TEST_F(BlockWriterTest, FileThatEndsBeforeItsTimeIsRefused) {
  ASSERT_OK(file().Write(0, Bytes(5000)));
  EXPECT_THAT(BlockWriter::At(file(), buffers, 6000).status(),
              StatusIs(StatusCode::kDataLoss));
  ASSERT_OK_AND_ASSIGN(const BlockWriter at,
                       BlockWriter::At(file(), buffers, 4500));
  EXPECT_EQ(at.end(), 4500u);
}

// On the real thing, where alignment is not only asked for.
TEST(BlockWriterPosixTest, FileHoldsWhatWasAppended) {
  PosixDisk disk;
  const std::string path = JoinPath(std::getenv("TEST_TMPDIR"), "block_writer");
  BlockBuffers buffers;
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<File> file, disk.Create(path));
  ASSERT_OK_AND_ASSIGN(BlockWriter writer, BlockWriter::At(*file, buffers, 0));
  std::string all;
  for (int i = 0; i < 30; ++i) {
    const std::string piece = Bytes(1 + i * 20'000, i);
    ASSERT_OK(writer.Append(absl::Cord(piece)));
    all += piece;
    if (i % 3 == 0) {
      ASSERT_OK(writer.Flush());
    }
    ASSERT_EQ(*writer.Read(0, all.size()), all);
  }
  ASSERT_OK(writer.Flush());
  ASSERT_OK(file->Truncate(all.size()));
  ASSERT_OK(file->Sync());
  EXPECT_THAT(ReadFile(disk, path, 1 << 30), IsOkAndHolds(all));
}

TEST(BlockBuffersTest, BuffersAreAlignedAndUsedAgain) {
  BlockBuffers buffers;
  BlockBuffers::Buffer small = buffers.Take(1);
  BlockBuffers::Buffer large = buffers.Take(BlockBuffers::kSizes[1] + 1);
  EXPECT_EQ(small.capacity, BlockBuffers::kSizes[0]);
  EXPECT_EQ(large.capacity, BlockBuffers::kLargeBytes);
  char* const memory = large.memory.get();
  EXPECT_EQ(reinterpret_cast<uintptr_t>(memory) % File::kBlockBytes, 0u);
  buffers.Give(std::move(large));
  EXPECT_NE(buffers.Take(1).memory.get(), memory) << "of the other kind";
  EXPECT_EQ(buffers.Take(1 << 20).memory.get(), memory);
}

}  // namespace
}  // namespace schleuse
