// What is not to be deleted, however old it is: Holds of proto/config.proto,
// checked.
#ifndef SCHLEUSE_GATEWAY_RETENTION_HOLDS_H_
#define SCHLEUSE_GATEWAY_RETENTION_HOLDS_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/recording_name.h"
#include "disk/disk.h"
#include "gateway/custody/statement.h"

namespace schleuse {

class Holds {
 public:
  // Holds nothing.
  Holds() = default;
  // Reads the holds at `path`, an absolute path. An empty file holds nothing.
  //   InvalidArgument  they are wrong; the message lists every mistake, one a
  //                    line
  //   others           `path` itself cannot be read, as ReadFile says
  static absl::StatusOr<Holds> Load(const Disk& disk, absl::string_view path);

  // The first hold that a recording is under. Where nobody knows any more which
  // recording it was, every hold may be meant: the first of all.
  std::optional<std::string> Of(const std::optional<RecordingName>& name,
                                absl::string_view incident) const;

  // As they are stated.
  const std::vector<statement::Held>& all() const { return all_; }

 private:
  class Reader;
  std::vector<statement::Held> all_;
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_RETENTION_HOLDS_H_
