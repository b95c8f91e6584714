// What is called how in a bucket:
//   <camera_id>/<recording_id>/<transfer_id>                  the bytes
//   ....statement.json, .receipt.tlog-proof, .receipt.witnessed.tlog-proof
//   .schleuse/<gateway_id>/...                                our own
// A transfer_id begins with the tag of the gateway that gave it, so that whose
// an object is shows in its key (docs/decisions/0017).
#ifndef SCHLEUSE_GATEWAY_STORE_S3_NAMES_H_
#define SCHLEUSE_GATEWAY_STORE_S3_NAMES_H_

#include <optional>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/recording_name.h"

namespace schleuse::s3 {

inline constexpr absl::string_view kStatement = ".statement.json";
inline constexpr absl::string_view kReceipt = ".receipt.tlog-proof";
inline constexpr absl::string_view kWitnessed = ".receipt.witnessed.tlog-proof";

// With which all keys of a recording begin.
inline std::string PrefixOf(const RecordingName& name) {
  return absl::StrCat(name.ToString(), "/");
}
inline std::string KeyOf(const RecordingName& name, const TransferId& id) {
  return absl::StrCat(PrefixOf(name), id.ToString());
}

// What the key of a recording's bytes says; nullopt: it is none.
// In the order of keys, no key of that recording's lies behind it.
inline std::string BehindAllOf(const RecordingName& name) {
  return absl::StrCat(PrefixOf(name), "~");
}

struct Named {
  RecordingName name;
  TransferId id;
};
std::optional<Named> Read(absl::string_view key);

// Of a gateway's own objects.
inline std::string OwnKey(absl::string_view gateway_id,
                          absl::string_view what) {
  return absl::StrCat(".schleuse/", gateway_id, "/", what);
}

}  // namespace schleuse::s3

#endif  // SCHLEUSE_GATEWAY_STORE_S3_NAMES_H_
