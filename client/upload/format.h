// How an upload is shown, as text and as JSON: pure functions of what is known
// about it.
#ifndef SCHLEUSE_CLIENT_UPLOAD_FORMAT_H_
#define SCHLEUSE_CLIENT_UPLOAD_FORMAT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/uploader/upload.h"

namespace schleuse::client {

// One recording, as far as it is known now.
struct View {
  size_t index = 0;  // among all of this run
  std::string camera;
  std::string recording;  // under which it is or will be stored
  std::string requested;  // under which it was begun
  std::string file;
  Progress progress;
  double bytes_per_second = 0;         // lately
  std::optional<UploadResult> result;  // once it is over
};

// "17 B", "1.5 MiB", "12.3 GiB".
std::string FormatBytes(uint64_t bytes);
// "0:07", "12:34", "1:02:03"; "--:--" if nobody can know.
std::string FormatSeconds(double seconds);

// One line of exactly `width` characters, or shorter below 20.
std::string FormatBar(const View& view, absl::Time now, int width);

// All recordings of a run: those that are on their way, and how many are not.
struct Overview {
  std::vector<View> running;
  size_t queued = 0;
  size_t done = 0;
};

// At most `height` lines: those that run, then one that counts the rest.
std::vector<std::string> FormatBars(const Overview& overview, absl::Time now,
                                    int width, int height);

// What a person reads in a log: one line without its end.
std::string FormatPlain(const View& view, absl::Time now);

// One JSON object without a line's end. README.md lists the fields.
std::string FormatJson(absl::string_view event, const View& view,
                       absl::Time now);

// "3 of 4 recordings stored, 1.5 GiB"
std::string FormatSummary(const std::vector<View>& views);
std::string FormatSummaryJson(const std::vector<View>& views, int exit_code,
                              absl::Time now);

// Bytes sent beyond the recording's size, once it is stored; else 0.
uint64_t ResentBytes(const View& view);

}  // namespace schleuse::client

#endif  // SCHLEUSE_CLIENT_UPLOAD_FORMAT_H_
