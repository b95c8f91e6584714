#include "gateway/transfer/credit_book.h"

#include <memory>
#include <vector>

#include "base/limits.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

constexpr uint64_t kMiB = 1 << 20;
constexpr uint64_t kMost = limits::kCreditBytesMax;

TEST(CreditBookTest, SharesAlikeWithinTheBounds) {
  CreditBook book(100 * kMiB);
  EXPECT_EQ(book.PartOf(0), kMost);
  EXPECT_EQ(book.PartOf(1), kMost);
  EXPECT_EQ(book.PartOf(10), 10 * kMiB);
  EXPECT_EQ(book.PartOf(1000), limits::kCreditBytesMin);
}

// Each of them was told a part as if no more would come.
TEST(CreditBookTest, StreamsThatCameOneAfterAnotherWereToldMoreThanThereIs) {
  constexpr int kStreams = 64;
  CreditBook book(100 * kMiB);
  std::vector<std::unique_ptr<CreditBook::Share>> shares;
  uint64_t told = 0;
  for (int i = 1; i <= kStreams; ++i) {
    shares.push_back(std::make_unique<CreditBook::Share>(book));
    told += shares.back()->Renew(i, kMost);
  }
  EXPECT_LE(told, (100 + kStreams) * kMiB);
  // Once all have heard again, each has its part.
  for (int round = 0; round < 2; ++round) {
    for (const auto& share : shares) share->Renew(kStreams, kMost);
  }
  for (const auto& share : shares) {
    EXPECT_EQ(share->told(), 100 * kMiB / kStreams);
  }
}

TEST(CreditBookTest, WhatAStreamHadIsThereForTheNext) {
  CreditBook book(32 * kMiB);
  CreditBook::Share next(book);
  {
    CreditBook::Share first(book);
    EXPECT_EQ(first.Renew(1, kMost), 32 * kMiB);
    EXPECT_EQ(next.Renew(1, kMost), limits::kCreditBytesMin);
  }
  EXPECT_EQ(next.Renew(1, kMost), 32 * kMiB);
}

TEST(CreditBookTest, NobodyGetsMoreThanAskedFor) {
  CreditBook book(100 * kMiB);
  CreditBook::Share share(book);
  EXPECT_EQ(share.told(), 0u);
  EXPECT_EQ(share.Renew(1, 2 * kMiB), 2 * kMiB);
  EXPECT_EQ(share.told(), 2 * kMiB);
}

}  // namespace
}  // namespace schleuse
