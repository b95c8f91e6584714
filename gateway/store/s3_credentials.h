// The key with which requests to the object store are signed: read from a file
// that may be replaced at any time. What it holds never gets into a message.
//
// Two lines, in any order; empty ones and those that begin with "#" count for
// nothing:
//   access_key=<letters, digits and the like, without blanks>
//   secret_key=<likewise>
#ifndef SCHLEUSE_GATEWAY_STORE_S3_CREDENTIALS_H_
#define SCHLEUSE_GATEWAY_STORE_S3_CREDENTIALS_H_

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "disk/disk.h"

namespace schleuse {

struct S3Key {
  std::string access_key;
  std::string secret_key;

  friend bool operator==(const S3Key&, const S3Key&) = default;

  //   InvalidArgument  the message names the line, and nothing of what it holds
  static absl::StatusOr<S3Key> Parse(absl::string_view text);
};

// Safe to call from many threads.
class S3Credentials {
 public:
  // Reads `path` for the first time; `disk` and `clock` are borrowed.
  //   FailedPrecondition  others may read the file
  //   InvalidArgument, and as Disk says
  static absl::StatusOr<std::unique_ptr<S3Credentials>> Open(
      const Disk& disk, absl::string_view path, const Clock& clock);

  // Looks at the file again, at most once a second. One that is bad is an
  // alarm, and the key before it stays.
  S3Key Current();

 private:
  S3Credentials(const Disk& disk, absl::string_view path, const Clock& clock)
      : disk_(disk), path_(path), clock_(clock) {}
  absl::StatusOr<S3Key> Read() const;

  const Disk& disk_;
  const std::string path_;
  const Clock& clock_;
  Mutex mutex_;
  S3Key key_ ABSL_GUARDED_BY(mutex_);
  absl::Time looked_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  bool complained_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_STORE_S3_CREDENTIALS_H_
