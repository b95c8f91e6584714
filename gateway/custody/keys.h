// The keys that sign the custody log: ECDSA P-256, which the BSI's TR-02102-1
// accepts, and Ed25519, which common tools check. Two PEM files that nobody but
// the gateway may read.
#ifndef SCHLEUSE_GATEWAY_CUSTODY_KEYS_H_
#define SCHLEUSE_GATEWAY_CUSTODY_KEYS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "crypto/signer.h"
#include "disk/disk.h"
#include "evidence/checkpoint.h"
#include "evidence/note.h"

namespace schleuse {

class CustodyKeys {
 public:
  // Two new keys for `gateway`, kept nowhere yet.
  //   InvalidArgument  no gateway can be called so
  static absl::StatusOr<CustodyKeys> Generate(absl::string_view gateway);

  // Writes them into `directory`, which exists, durably. Never over others.
  //   AlreadyExists  there are keys already
  absl::Status Save(Disk& disk, absl::string_view directory) const;
  //   FailedPrecondition  a key is missing, or is none, or others may read it;
  //                       the message says what to do
  static absl::StatusOr<CustodyKeys> Load(const Disk& disk,
                                          absl::string_view directory,
                                          absl::string_view gateway);

  const PinnedKeys& pinned() const { return pinned_; }
  // A signed note of it.
  std::string Sign(const Checkpoint& checkpoint) const;

 private:
  CustodyKeys(PinnedKeys pinned, std::vector<PrivateKey> keys)
      : pinned_(std::move(pinned)), keys_(std::move(keys)) {}
  static absl::StatusOr<CustodyKeys> Make(absl::string_view gateway,
                                          std::vector<PrivateKey> keys);

  PinnedKeys pinned_;
  std::vector<PrivateKey> keys_;
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_CUSTODY_KEYS_H_
