// Which store recordings end up in, and that it is the one that was set up: a
// directory beside the spool, or a bucket of an object store.
#ifndef SCHLEUSE_GATEWAY_STORE_ROOM_H_
#define SCHLEUSE_GATEWAY_STORE_ROOM_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/random.h"
#include "disk/disk.h"
#include "gateway/egress/egress.h"
#include "gateway/store/s3_store.h"
#include "gateway/store/store.h"

namespace schleuse {

// Exactly one of the two. All paths are absolute.
struct StorePlace {
  struct Files {
    std::string root;
    bool read_back = false;
  };
  struct Objects {
    S3Place at;
    std::string credentials_file;
    S3StoreOptions options;
  };
  std::optional<Files> files = {};
  std::optional<Objects> objects = {};

  // For people.
  std::string ToString() const;
};

// Marks spool and store as those of a new gateway, durably, and returns its id.
// `egress` leads to an object store; nullptr where there is none.
//   FailedPrecondition  they are marked already, or not what they should be;
//   the
//                       message says what to do
//   Unavailable         the object store is away
absl::StatusOr<std::string> InitStorePlace(Disk& disk, absl::string_view spool,
                                           const StorePlace& place,
                                           Egress* egress, const Clock& clock,
                                           Random& random);

// The id of the gateway that spool and store belong to; of an object store only
// the spool says so, since it may be away. Changes nothing.
//   FailedPrecondition  as above
absl::StatusOr<std::string> CheckStorePlace(const Disk& disk,
                                            absl::string_view spool,
                                            const StorePlace& place);

struct OpenedStore {
  std::unique_ptr<Store> store;
  S3Store* objects = nullptr;  // the same, if it is one
};
// The store of the gateway `gateway_id`. An object store that is away is an
// alarm, and is found to be the right one once it is back. Everything is
// borrowed.
//   FailedPrecondition  as above
absl::StatusOr<OpenedStore> OpenStore(Disk& disk, absl::string_view spool,
                                      const StorePlace& place,
                                      absl::string_view gateway_id,
                                      Egress& egress, const Clock& clock,
                                      Random& random);

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_STORE_ROOM_H_
