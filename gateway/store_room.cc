#include "gateway/store_room.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status.h"
#include "gateway/markers.h"
#include "gateway/store/file_store.h"

namespace schleuse {
namespace {

absl::StatusOr<std::unique_ptr<S3Store>> OpenObjects(
    const Disk& disk, const StorePlace::Objects& place,
    absl::string_view gateway_id, Egress& egress, const Clock& clock,
    Random& random) {
  ASSIGN_OR_RETURN(std::unique_ptr<S3Credentials> credentials,
                   S3Credentials::Open(disk, place.credentials_file, clock));
  return std::make_unique<S3Store>(disk, egress, place.at,
                                   std::move(credentials), gateway_id, clock,
                                   random, place.options);
}

}  // namespace

std::string StorePlace::ToString() const {
  if (files) return files->root;
  return absl::StrCat(objects->at.endpoint.Origin(), "/", objects->at.bucket);
}

absl::StatusOr<std::string> InitStorePlace(Disk& disk, absl::string_view spool,
                                           const StorePlace& place,
                                           Egress* egress, const Clock& clock,
                                           Random& random) {
  if (place.files) {
    return InitMarkers(disk, spool, place.files->root, random);
  }
  return InitSpoolMarker(
      disk, spool, random, [&](absl::string_view gateway_id) -> absl::Status {
        ASSIGN_OR_RETURN(const std::unique_ptr<S3Store> store,
                         OpenObjects(disk, *place.objects, gateway_id, *egress,
                                     clock, random));
        const absl::Status set_up = store->SetUp();
        egress->Stop();
        return set_up;
      });
}

absl::StatusOr<std::string> CheckStorePlace(const Disk& disk,
                                            absl::string_view spool,
                                            const StorePlace& place) {
  if (place.files) return CheckMarkers(disk, spool, place.files->root);
  return CheckSpoolMarker(disk, spool);
}

absl::StatusOr<OpenedStore> OpenStore(Disk& disk, absl::string_view spool,
                                      const StorePlace& place,
                                      absl::string_view gateway_id,
                                      Egress& egress, const Clock& clock,
                                      Random& random) {
  if (place.files) {
    auto store = std::make_unique<FileStore>(
        disk, place.files->root,
        FileStoreOptions{.read_back = place.files->read_back});
    RETURN_IF_ERROR(store->CheckReach(spool));
    return OpenedStore{.store = std::move(store)};
  }
  ASSIGN_OR_RETURN(
      std::unique_ptr<S3Store> store,
      OpenObjects(disk, *place.objects, gateway_id, egress, clock, random));
  const absl::Status checked = store->Check();
  if (absl::IsUnavailable(checked)) {
    Log(Severity::kAlarm, "the store cannot be reached; recordings wait",
        {{"store", place.ToString()}, {"reason", checked.message()}});
  } else if (!checked.ok()) {
    return checked;
  }
  S3Store* const objects = store.get();
  return OpenedStore{.store = std::move(store), .objects = objects};
}

}  // namespace schleuse
