#include "gateway/retention/holds.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/status.h"
#include "proto/config.pb.h"
#include "settings/text_settings.h"

namespace schleuse {
namespace {

constexpr int kHoldsMost = 1'000;
// What is stated of one hold fits into a statement.
constexpr int kIdsMost = 200;
constexpr size_t kTextMost = 1'000;

// Whether `id` is among those asked for, or none are.
bool IsOneOf(const std::vector<std::string>& patterns, absl::string_view id) {
  return patterns.empty() || std::any_of(patterns.begin(), patterns.end(),
                                         [id](const std::string& pattern) {
                                           return FitsIdPattern(pattern, id);
                                         });
}

}  // namespace

class Holds::Reader {
 public:
  Reader(absl::string_view path, absl::string_view text)
      : settings_(path, text, proto_) {}

  absl::StatusOr<Holds> Read() {
    if (proto_.hold_size() > kHoldsMost) {
      settings_.Mistake("hold", absl::StrCat("at most ", kHoldsMost));
    }
    for (int i = 0; i < proto_.hold_size(); ++i) ReadHold(i);
    RETURN_IF_ERROR(settings_.status());
    return std::move(holds_);
  }

 private:
  using Hold = config::v1::Holds::Hold;
  using Ids = google::protobuf::RepeatedPtrField<std::string>;

  void ReadHold(int i) {
    const Hold& hold = proto_.hold(i);
    const std::string at = absl::StrCat("hold[", i, "].");
    if (!hold.has_name()) {
      settings_.Missing(at + "name");
    } else if (!IsId(hold.name())) {
      settings_.Mistake(at + "name", "must be like a recording id");
    } else if (!names_.insert(hold.name()).second) {
      settings_.Mistake(at + "name", "there is a hold of that name already");
    }
    CheckText(at + "reason", hold.has_reason(), hold.reason());
    CheckText(at + "by", hold.has_by(), hold.by());
    CheckIds(at + "camera", hold.camera());
    CheckIds(at + "recording", hold.recording());
    for (int j = 0; j < hold.incident_size(); ++j) {
      CheckText(absl::StrCat(at, "incident[", j, "]"), true, hold.incident(j));
    }
    const int ids =
        hold.camera_size() + hold.recording_size() + hold.incident_size();
    if (ids == 0) {
      settings_.Mistake(absl::StrCat("hold[", i, "]"),
                        "names no camera, recording or incident; to hold all, "
                        "camera: \"*\"");
    } else if (ids > kIdsMost) {
      settings_.Mistake(
          absl::StrCat("hold[", i, "]"),
          absl::StrCat("names more than ", kIdsMost, "; make several of it"));
    }
    holds_.all_.push_back(
        {.hold = hold.name(),
         .cameras = {hold.camera().begin(), hold.camera().end()},
         .recordings = {hold.recording().begin(), hold.recording().end()},
         .incidents = {hold.incident().begin(), hold.incident().end()},
         .reason = hold.reason(),
         .by = hold.by()});
  }

  void CheckText(const std::string& field, bool is_there,
                 const std::string& text) {
    if (!is_there || text.empty()) return settings_.Missing(field);
    if (text.size() > kTextMost) {
      settings_.Mistake(field, absl::StrCat("at most ", kTextMost, " bytes"));
    }
  }

  void CheckIds(const std::string& field, const Ids& ids) {
    for (int j = 0; j < ids.size(); ++j) {
      if (IsIdPattern(ids[j])) continue;
      settings_.Mistake(absl::StrCat(field, "[", j, "]"),
                        "must be an id, or the beginning of one and \"*\"");
    }
  }

  config::v1::Holds proto_;
  TextSettings settings_;
  std::set<std::string> names_;
  Holds holds_;
};

absl::StatusOr<Holds> Holds::Load(const Disk& disk, absl::string_view path) {
  ASSIGN_OR_RETURN(const std::string text,
                   ReadFile(disk, path, limits::kSettingsBytesMax));
  return Reader(path, text).Read();
}

std::optional<std::string> Holds::Of(const std::optional<RecordingName>& name,
                                     absl::string_view incident) const {
  for (const statement::Held& hold : all_) {
    const bool fits =
        !name || (IsOneOf(hold.cameras, name->camera_id()) &&
                  IsOneOf(hold.recordings, name->recording_id()) &&
                  (hold.incidents.empty() ||
                   std::find(hold.incidents.begin(), hold.incidents.end(),
                             incident) != hold.incidents.end()));
    if (fits) return hold.hold;
  }
  return std::nullopt;
}

}  // namespace schleuse
