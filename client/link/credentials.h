// Who this device is and whom it trusts, as gRPC wants it. It knows no
// addresses.
#ifndef SCHLEUSE_CLIENT_LINK_CREDENTIALS_H_
#define SCHLEUSE_CLIENT_LINK_CREDENTIALS_H_

#include <grpcpp/security/credentials.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "disk/disk.h"

namespace schleuse::client {

// Absolute paths of PEM files.
struct CredentialFiles {
  std::string certificate;  // the device's, with its chain
  std::string key;
  std::string root;  // the internal CA: only what it issued is a gateway
};

// Safe to call from many threads.
class Credentials {
 public:
  // Reads and checks the three files.
  //   InvalidArgument  unreadable, or the key is another certificate's
  //   others           as Disk says
  static absl::StatusOr<std::unique_ptr<Credentials>> Load(
      const Disk& disk, CredentialFiles files);

  // For a new connection. The files are read again, so that a renewed
  // certificate is used without a restart; should they be bad by now the last
  // good ones stay.
  std::shared_ptr<grpc::ChannelCredentials> Current();

 private:
  Credentials(const Disk& disk, CredentialFiles files,
              std::shared_ptr<grpc::ChannelCredentials> good)
      : disk_(disk), files_(std::move(files)), good_(std::move(good)) {}

  const Disk& disk_;
  const CredentialFiles files_;
  Mutex mutex_;
  // Shared with the channels that were made with it, as gRPC has it.
  std::shared_ptr<grpc::ChannelCredentials> good_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace schleuse::client

#endif  // SCHLEUSE_CLIENT_LINK_CREDENTIALS_H_
