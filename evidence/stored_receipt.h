// What a receipt for a stored recording proves: the one on which a device may
// erase, and a court may rely. Pure.
#ifndef SCHLEUSE_EVIDENCE_STORED_RECEIPT_H_
#define SCHLEUSE_EVIDENCE_STORED_RECEIPT_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/recording_name.h"
#include "crypto/digest.h"
#include "evidence/checkpoint.h"
#include "evidence/receipt.h"

namespace schleuse {

// As the gateway stated it. Of what it heard from the device (who wore the
// camera, when it recorded) nothing is here: nobody vouches for that.
struct StoredProven {
  Proven proven;
  std::string gateway;
  std::string time;  // RFC 3339, by the gateway's clock
  bool clock_synchronised;
  RecordingName name;
  std::string transfer_id;
  std::string device;  // SPIFFE ID
  uint64_t size;       // bytes
  Digest sha256;
  std::string location;  // in the store
  bool read_back;        // from the store; else hashed when written, and synced
};

// Checks statement and receipt, and that the statement says Stored.
//   InvalidArgument, DataLoss, PermissionDenied  as VerifyReceipt
//   DataLoss            the statement is none, or contradicts its log
//   FailedPrecondition  it says something other than Stored
absl::StatusOr<StoredProven> VerifyStored(absl::string_view receipt,
                                          absl::string_view statement,
                                          const PinnedKeys& pinned,
                                          const WitnessPolicy& policy = {});

// What somebody holds whose receipt it should be.
struct Held {
  RecordingName name;
  uint64_t size;  // bytes
  Digest sha256;
};

// DataLoss: the receipt is for something else; the message says in what.
absl::Status CheckIsFor(const StoredProven& stored, const Held& held);

}  // namespace schleuse

#endif  // SCHLEUSE_EVIDENCE_STORED_RECEIPT_H_
