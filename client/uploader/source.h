// The bytes of one recording, as the device holds them.
#ifndef SCHLEUSE_CLIENT_UPLOADER_SOURCE_H_
#define SCHLEUSE_CLIENT_UPLOADER_SOURCE_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/cord.h"

namespace schleuse::client {

// One thread at a time.
class Source {
 public:
  virtual ~Source() = default;

  // Bytes of the recording when it was first looked at.
  virtual absl::StatusOr<uint64_t> Size() = 0;

  // Exactly `length` bytes from `offset` on, all below Size().
  //   FailedPrecondition  the recording has changed since
  virtual absl::StatusOr<absl::Cord> Read(uint64_t offset, uint64_t length) = 0;

  // OK while the recording is the one that was first looked at.
  //   NotFound            it is gone
  //   FailedPrecondition  it has changed since
  virtual absl::Status CheckUnchanged() = 0;
};

}  // namespace schleuse::client

#endif  // SCHLEUSE_CLIENT_UPLOADER_SOURCE_H_
