#include "evidence/merkle.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/random.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using absl::StatusCode;
using ::testing::IsEmpty;

// A tree that keeps everything: the slow truth.
class WholeTree {
 public:
  void Append(const Digest& leaf) {
    if (levels_.empty()) levels_.emplace_back();
    levels_[0].push_back(leaf);
    for (size_t level = 0; levels_[level].size() % 2 == 0; ++level) {
      if (levels_.size() == level + 1) levels_.emplace_back();
      const std::vector<Digest>& below = levels_[level];
      levels_[level + 1].push_back(
          NodeHash(below[below.size() - 2], below.back()));
    }
  }
  absl::StatusOr<Digest> Node(int level, uint64_t index) const {
    return levels_.at(static_cast<size_t>(level)).at(index);
  }
  const Digest& leaf(uint64_t index) const { return levels_[0][index]; }

 private:
  std::vector<std::vector<Digest>> levels_;
};

std::vector<std::string> Entries() {
  std::vector<std::string> entries;
  for (const char* hex :
       {"", "00", "10", "2021", "3031", "40414243", "5051525354555657",
        "606162636465666768696a6b6c6d6e6f"}) {
    entries.push_back(absl::HexStringToBytes(hex));
  }
  return entries;
}

WholeTree TreeOf(uint64_t size) {
  WholeTree tree;
  for (uint64_t i = 0; i < size; ++i) {
    tree.Append(LeafHash(absl::StrCat("entry ", i)));
  }
  return tree;
}

auto NodesOf(const WholeTree& tree) {
  return [&tree](int level, uint64_t index) { return tree.Node(level, index); };
}

Digest Changed(const Digest& digest, size_t bit) {
  std::string bytes(digest.bytes());
  bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ 1 << bit % 8);
  return *Digest::FromBytes(bytes);
}

// transparency-dev/merkle, rfc6962/rfc6962_test.go and testonly/constants.go.
TEST(MerkleVectorsTest, Hashes) {
  EXPECT_EQ(EmptyRoot().ToHex(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(LeafHash("").ToHex(),
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
  EXPECT_EQ(LeafHash("L123456").ToHex(),
            "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56");
}

TEST(MerkleVectorsTest, EightLeaves) {
  const std::vector<std::string> entries = Entries();
  const std::vector<const char*> roots = {
      "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
      "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
      "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
      "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
      "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
      "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
      "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
      "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};
  WholeTree tree;
  for (size_t i = 0; i < entries.size(); ++i) {
    tree.Append(LeafHash(entries[i]));
    ASSERT_OK_AND_ASSIGN(const Digest root, RootOf(i + 1, NodesOf(tree)));
    EXPECT_EQ(root.ToHex(), roots[i]) << i;
  }
}

TEST(MerkleTest, EverySmallTreeProvesEveryEntryAndEveryBeginning) {
  constexpr uint64_t kSize = 130;
  const WholeTree tree = TreeOf(kSize);
  for (uint64_t size = 1; size <= kSize; ++size) {
    ASSERT_OK_AND_ASSIGN(const Digest root, RootOf(size, NodesOf(tree)));
    for (uint64_t index = 0; index < size; ++index) {
      ASSERT_OK_AND_ASSIGN(const MerkleProof proof,
                           InclusionProof(index, size, NodesOf(tree)));
      EXPECT_OK(VerifyInclusion(index, size, tree.leaf(index), proof, root));
    }
    for (uint64_t first = 0; first <= size; ++first) {
      ASSERT_OK_AND_ASSIGN(const Digest first_root,
                           RootOf(first, NodesOf(tree)));
      ASSERT_OK_AND_ASSIGN(const MerkleProof proof,
                           ConsistencyProof(first, size, NodesOf(tree)));
      EXPECT_OK(VerifyConsistency(first, size, first_root, root, proof));
    }
  }
}

// One entry and one beginning of each, and what a single changed bit, index or
// size makes of it.
TEST(MerkleTest, EveryTreeToTwoThousandProvesAndAnyChangeFails) {
  constexpr uint64_t kSize = 2000;
  const WholeTree tree = TreeOf(kSize);
  SeededRandom random(1);
  for (uint64_t size = 1; size <= kSize; ++size) {
    ASSERT_OK_AND_ASSIGN(const Digest root, RootOf(size, NodesOf(tree)));
    const uint64_t index = random.Next() % size;
    const Digest leaf = tree.leaf(index);
    ASSERT_OK_AND_ASSIGN(MerkleProof proof,
                         InclusionProof(index, size, NodesOf(tree)));
    ASSERT_OK(VerifyInclusion(index, size, leaf, proof, root));
    const size_t bit = random.Next() % 256;
    EXPECT_FALSE(
        VerifyInclusion(index, size, Changed(leaf, bit), proof, root).ok());
    EXPECT_FALSE(
        VerifyInclusion(index, size, leaf, proof, Changed(root, bit)).ok());
    EXPECT_FALSE(VerifyInclusion(index + 1, size, leaf, proof, root).ok());
    for (Digest& hash : proof) {
      const Digest good = std::exchange(hash, Changed(hash, bit));
      EXPECT_FALSE(VerifyInclusion(index, size, leaf, proof, root).ok());
      hash = good;
    }
    proof.push_back(root);
    EXPECT_FALSE(VerifyInclusion(index, size, leaf, proof, root).ok());
    proof.pop_back();
    if (!proof.empty()) {
      proof.pop_back();
      EXPECT_FALSE(VerifyInclusion(index, size, leaf, proof, root).ok());
    }
  }
}

TEST(MerkleTest, AnyChangeToAConsistencyProofFails) {
  constexpr uint64_t kSize = 2000;
  const WholeTree tree = TreeOf(kSize);
  SeededRandom random(2);
  for (uint64_t second = 2; second <= kSize; ++second) {
    const uint64_t first = 1 + random.Next() % (second - 1);
    ASSERT_OK_AND_ASSIGN(const Digest first_root, RootOf(first, NodesOf(tree)));
    ASSERT_OK_AND_ASSIGN(const Digest second_root,
                         RootOf(second, NodesOf(tree)));
    ASSERT_OK_AND_ASSIGN(MerkleProof proof,
                         ConsistencyProof(first, second, NodesOf(tree)));
    const auto verify = [&](const Digest& one, const Digest& two) {
      return VerifyConsistency(first, second, one, two, proof);
    };
    ASSERT_OK(verify(first_root, second_root));
    const size_t bit = random.Next() % 256;
    EXPECT_FALSE(verify(Changed(first_root, bit), second_root).ok());
    EXPECT_FALSE(verify(first_root, Changed(second_root, bit)).ok());
    for (Digest& hash : proof) {
      const Digest good = std::exchange(hash, Changed(hash, bit));
      EXPECT_FALSE(verify(first_root, second_root).ok());
      hash = good;
    }
    proof.push_back(second_root);
    EXPECT_FALSE(verify(first_root, second_root).ok());
    proof.pop_back();
    proof.pop_back();
    EXPECT_FALSE(verify(first_root, second_root).ok());
  }
}

TEST(MerkleTest, WhatCannotBeIsRefused) {
  const WholeTree tree = TreeOf(4);
  const Digest root = *RootOf(4, NodesOf(tree));
  EXPECT_THAT(InclusionProof(4, 4, NodesOf(tree)).status(),
              StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(ConsistencyProof(5, 4, NodesOf(tree)).status(),
              StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(VerifyInclusion(0, 0, root, {}, root),
              StatusIs(StatusCode::kDataLoss));
  EXPECT_THAT(VerifyConsistency(5, 4, root, root, {}),
              StatusIs(StatusCode::kDataLoss));
  EXPECT_THAT(VerifyConsistency(4, 4, root, Changed(root, 0), {}),
              StatusIs(StatusCode::kDataLoss));
  EXPECT_THAT(VerifyConsistency(4, 4, root, root, {root}),
              StatusIs(StatusCode::kDataLoss));
  EXPECT_THAT(VerifyConsistency(0, 4, EmptyRoot(), root, {root}),
              StatusIs(StatusCode::kDataLoss));
  EXPECT_THAT(VerifyConsistency(0, 4, root, root, {}),
              StatusIs(StatusCode::kDataLoss));
  EXPECT_THAT(VerifyConsistency(2, 4, root, root, {}),
              StatusIs(StatusCode::kDataLoss));
}

TEST(MerkleTest, ASingleEntryNeedsNoProof) {
  const WholeTree tree = TreeOf(1);
  ASSERT_OK_AND_ASSIGN(const MerkleProof proof,
                       InclusionProof(0, 1, NodesOf(tree)));
  EXPECT_THAT(proof, IsEmpty());
  EXPECT_OK(VerifyInclusion(0, 1, tree.leaf(0), proof, tree.leaf(0)));
}

}  // namespace
}  // namespace schleuse
