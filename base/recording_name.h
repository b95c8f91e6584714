// The names of recordings and transfers, as types that cannot hold a bad one.
// They are part of file names and object keys, so what they admit decides
// whether `../` can ever reach a disk.
#ifndef SCHLEUSE_BASE_RECORDING_NAME_H_
#define SCHLEUSE_BASE_RECORDING_NAME_H_

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/random.h"

namespace schleuse {

// True for [A-Za-z0-9_-][A-Za-z0-9._~-]{0,127}.
bool IsId(absl::string_view text);

// Ids in a setting: one id, or the beginning of one, also an empty one, with a
// "*" behind it that stands for any rest.
bool IsIdPattern(absl::string_view text);
// `pattern` is one.
bool FitsIdPattern(absl::string_view pattern, absl::string_view id);

// A recording is named everywhere by its camera and an id of the camera's own.
class RecordingName {
 public:
  //   InvalidArgument  one of the two is no id
  static absl::StatusOr<RecordingName> Parse(absl::string_view camera_id,
                                             absl::string_view recording_id);

  const std::string& camera_id() const { return camera_id_; }
  const std::string& recording_id() const { return recording_id_; }
  // `<camera_id>/<recording_id>`; unambiguous, since ids hold no slash.
  std::string ToString() const {
    return absl::StrCat(camera_id_, "/", recording_id_);
  }

  friend bool operator==(const RecordingName&, const RecordingName&) = default;
  friend auto operator<=>(const RecordingName&, const RecordingName&) = default;
  template <typename H>
  friend H AbslHashValue(H state, const RecordingName& name) {
    return H::combine(std::move(state), name.camera_id_, name.recording_id_);
  }

 private:
  RecordingName(absl::string_view camera_id, absl::string_view recording_id)
      : camera_id_(camera_id), recording_id_(recording_id) {}
  std::string camera_id_;
  std::string recording_id_;
};

// One attempt to bring one recording in: 32 lowercase hex digits.
class TransferId {
 public:
  // `tag`, up to 16 lowercase hex digits, takes the place of the first ones: it
  // says who made it.
  static TransferId Make(Random& random, absl::string_view tag = "");
  //   InvalidArgument  not 32 lowercase hex digits
  static absl::StatusOr<TransferId> Parse(absl::string_view text);

  const std::string& ToString() const { return text_; }
  bool IsOf(absl::string_view tag) const {
    return text_.compare(0, tag.size(), tag.data(), tag.size()) == 0;
  }

  friend bool operator==(const TransferId&, const TransferId&) = default;
  friend auto operator<=>(const TransferId&, const TransferId&) = default;
  template <typename H>
  friend H AbslHashValue(H state, const TransferId& id) {
    return H::combine(std::move(state), id.text_);
  }

 private:
  explicit TransferId(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

}  // namespace schleuse

#endif  // SCHLEUSE_BASE_RECORDING_NAME_H_
