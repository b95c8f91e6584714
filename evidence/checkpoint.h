// Checkpoints (C2SP tlog-checkpoint 1.0.0): what a log promises to be, as the
// text of a signed note. And the origins of our logs: one for each gateway and
// year.
//
//   <origin>
//   <size, decimal>
//   <root, base64>
//
// Ours have no extension lines, and one that has some is refused.
#ifndef SCHLEUSE_EVIDENCE_CHECKPOINT_H_
#define SCHLEUSE_EVIDENCE_CHECKPOINT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "crypto/digest.h"
#include "evidence/note.h"

namespace schleuse {

struct Checkpoint {
  std::string origin;
  uint64_t size;  // entries
  Digest root;

  friend bool operator==(const Checkpoint&, const Checkpoint&) = default;
};

std::string ToText(const Checkpoint& checkpoint);
//   InvalidArgument  it is none
absl::StatusOr<Checkpoint> ParseCheckpoint(absl::string_view text);

// "<gateway>/custody/<year>", with "-<n>" behind it for the second and further
// origins of a year.
struct Origin {
  std::string gateway;  // a URL without its scheme; no space, no '+'
  int year;             // 1970 to 9999
  int number = 1;

  friend bool operator==(const Origin&, const Origin&) = default;
  // Of one gateway: whether its log comes before the other.
  bool IsBefore(const Origin& other) const {
    return std::tie(year, number) < std::tie(other.year, other.number);
  }

  std::string ToString() const;
  // The last part: "2026", "2026-2".
  std::string Directory() const;
  //   InvalidArgument  no origin of a custody log
  static absl::StatusOr<Origin> Parse(absl::string_view text);
};

// The keys of one gateway, known from elsewhere. They sign under the names of
// its origins, so that the turn of a year breaks nothing. Copies share what
// OpenCheckpoint has lately found good, since all receipts of a batch end in
// the same checkpoint. Safe to use from many threads.
class PinnedKeys {
 public:
  // One verifier key a line, whose name is the gateway's; empty lines and those
  // that begin with '#' are passed over.
  //   InvalidArgument  a line is none, or they name several gateways, or no key
  static absl::StatusOr<PinnedKeys> Parse(absl::string_view text);
  //   InvalidArgument  no gateway can be called so, or there is no key
  static absl::StatusOr<PinnedKeys> Make(absl::string_view gateway,
                                         std::vector<PublicKey> keys);

  const std::string& gateway() const { return gateway_; }
  const std::vector<PublicKey>& keys() const { return keys_; }
  // As Parse reads it.
  std::string ToString() const;
  // Who signs for one origin.
  //   PermissionDenied  it is another gateway's
  absl::StatusOr<std::vector<NoteVerifier>> For(const Origin& origin) const;

 private:
  friend absl::StatusOr<Checkpoint> OpenCheckpoint(absl::string_view note,
                                                   const PinnedKeys& pinned);
  class GoodNotes;
  PinnedKeys(std::string gateway, std::vector<PublicKey> keys);

  std::string gateway_;
  std::vector<PublicKey> keys_;
  std::shared_ptr<GoodNotes> good_;
};

// Takes a signed checkpoint apart. All pinned keys must have signed it, and its
// origin must be one of the gateway's.
//   InvalidArgument   it is none
//   DataLoss          a pinned key's signature is bad
//   PermissionDenied  another gateway's, or a pinned key's signature is missing
absl::StatusOr<Checkpoint> OpenCheckpoint(absl::string_view note,
                                          const PinnedKeys& pinned);

}  // namespace schleuse

#endif  // SCHLEUSE_EVIDENCE_CHECKPOINT_H_
