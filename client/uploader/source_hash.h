// The SHA-256 of a whole source, of which pieces come by in any order: each
// byte is fed once, in order, whatever is read twice or skipped.
#ifndef SCHLEUSE_CLIENT_UPLOADER_SOURCE_HASH_H_
#define SCHLEUSE_CLIENT_UPLOADER_SOURCE_HASH_H_

#include <algorithm>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/cord.h"
#include "base/status.h"
#include "client/uploader/source.h"
#include "crypto/digest.h"

namespace schleuse::client {

class SourceHash {
 public:
  // Takes what it has not hashed yet of a piece that was read anyway. A piece
  // beyond the hashed part is left to CatchUp.
  void Offer(uint64_t offset, const absl::Cord& bytes) {
    const uint64_t end = offset + bytes.size();
    if (offset > hashed() || end <= hashed()) return;
    hash_.Update(bytes.Subcord(hashed() - offset, end - hashed()));
  }

  // Reads and hashes up to `target`, at most `bytes_max` at once.
  absl::Status CatchUp(Source& source, uint64_t target, uint64_t bytes_max) {
    if (target <= hashed()) return absl::OkStatus();
    ASSIGN_OR_RETURN(
        const absl::Cord bytes,
        source.Read(hashed(), std::min(bytes_max, target - hashed())));
    hash_.Update(bytes);
    return absl::OkStatus();
  }

  // All bytes below this are in the hash.
  uint64_t hashed() const { return hash_.bytes_hashed(); }
  Digest Current() const { return hash_.Current(); }

 private:
  Sha256 hash_;
};

}  // namespace schleuse::client

#endif  // SCHLEUSE_CLIENT_UPLOADER_SOURCE_HASH_H_
