// A gateway's log in memory, for tests: it signs whatever it is told to.
#ifndef SCHLEUSE_WITNESS_TEST_LOG_H_
#define SCHLEUSE_WITNESS_TEST_LOG_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "crypto/signer.h"
#include "evidence/checkpoint.h"
#include "evidence/cosigning.h"
#include "evidence/merkle.h"
#include "evidence/note.h"

namespace schleuse {

class TestLog {
 public:
  explicit TestLog(std::string gateway = "police.example/gw-1")
      : gateway_(std::move(gateway)) {}

  PinnedKeys pinned() const {
    return *PinnedKeys::Make(gateway_,
                             {ed25519_.public_key(), ecdsa_.public_key()});
  }
  std::string origin(absl::string_view year = "2026") const {
    return absl::StrCat(gateway_, "/custody/", year);
  }
  // Its entry i is "<story> i": two stories are two histories.
  static Digest Leaf(absl::string_view story, uint64_t index) {
    return LeafHash(absl::StrCat(story, " ", index));
  }
  static absl::StatusOr<Digest> Node(absl::string_view story, int level,
                                     uint64_t index) {
    if (level == 0) return Leaf(story, index);
    return NodeHash(*Node(story, level - 1, 2 * index),
                    *Node(story, level - 1, 2 * index + 1));
  }
  static Digest Root(uint64_t size, absl::string_view story = "true") {
    return *RootOf(size, [story](int level, uint64_t index) {
      return Node(story, level, index);
    });
  }
  std::string Sign(const Checkpoint& checkpoint) const {
    return *SignNote(ToText(checkpoint),
                     {*NoteSigner::Make(checkpoint.origin, ed25519_),
                      *NoteSigner::Make(checkpoint.origin, ecdsa_)});
  }
  std::string Note(uint64_t size, absl::string_view story = "true",
                   absl::string_view year = "2026") const {
    return Sign({origin(year), size, Root(size, story)});
  }
  // An add-checkpoint request, with its proof.
  std::string Ask(uint64_t old_size, uint64_t size,
                  absl::string_view story = "true",
                  absl::string_view year = "2026") const {
    AddCheckpoint request = {.old_size = old_size,
                             .checkpoint = Note(size, story, year)};
    if (old_size > 0 && old_size < size) {
      request.proof =
          *ConsistencyProof(old_size, size, [story](int level, uint64_t index) {
            return Node(story, level, index);
          });
    }
    return ToText(request);
  }

 private:
  const std::string gateway_;
  const PrivateKey ed25519_ = PrivateKey::Generate(KeyKind::kEd25519);
  const PrivateKey ecdsa_ = PrivateKey::Generate(KeyKind::kEcdsaP256);
};

}  // namespace schleuse

#endif  // SCHLEUSE_WITNESS_TEST_LOG_H_
