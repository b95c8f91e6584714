#include "client/upload/format.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/log.h"

namespace schleuse::client {
namespace {

// How it stands with one recording, in a person's words.
std::string StateText(const View& view, absl::Time now) {
  const Progress& progress = view.progress;
  if (view.result && !view.result->status.ok()) {
    return absl::StrCat("failed: ", view.result->status.message());
  }
  if (progress.state == UploadState::kWaiting) {
    const double left =
        std::max(0.0, absl::ToDoubleSeconds(progress.wait_until - now));
    return absl::StrCat("waiting ", FormatSeconds(std::ceil(left)), ": ",
                        progress.reason);
  }
  return std::string(ToString(progress.state));
}

std::string Fit(std::string text, int width) {
  const auto size = static_cast<size_t>(std::max(width, 0));
  if (text.size() > size) {
    text.resize(size);
    if (size > 1) text.back() = '~';
  }
  text.resize(size, ' ');
  return text;
}

// Printable ASCII: what a gateway says must not move a terminal's cursor.
std::string Printable(absl::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c < 0x20 || c > 0x7E) c = '?';
  }
  return out;
}

int Percent(const Progress& progress) {
  if (progress.size == 0) {
    return progress.state == UploadState::kStored ? 100 : 0;
  }
  return static_cast<int>(100.0 * static_cast<double>(progress.position) /
                          static_cast<double>(progress.size));
}

double SecondsLeft(const View& view) {
  if (view.bytes_per_second < 1) return -1;
  return static_cast<double>(view.progress.size - view.progress.position) /
         view.bytes_per_second;
}

class JsonObject {
 public:
  void Text(absl::string_view name, absl::string_view value) {
    absl::StrAppend(&fields_, fields_.empty() ? "" : ",", "\"", name, "\":\"",
                    JsonEscape(value), "\"");
  }
  void Number(absl::string_view name, int64_t value) {
    absl::StrAppend(&fields_, fields_.empty() ? "" : ",", "\"", name,
                    "\":", value);
  }
  void Number(absl::string_view name, uint64_t value) {
    absl::StrAppend(&fields_, fields_.empty() ? "" : ",", "\"", name,
                    "\":", value);
  }
  std::string Done() const { return absl::StrCat("{", fields_, "}"); }

 private:
  std::string fields_;
};

bool IsStored(const View& view) {
  return view.result && view.result->status.ok();
}

}  // namespace

std::string FormatBytes(uint64_t bytes) {
  if (bytes < 1024) return absl::StrCat(bytes, " B");
  double value = static_cast<double>(bytes);
  const char* units[] = {"KiB", "MiB", "GiB", "TiB"};
  int unit = -1;
  while (value >= 1023.95 && unit < 3) {
    value /= 1024;
    ++unit;
  }
  return absl::StrFormat("%.1f %s", value, units[unit]);
}

std::string FormatSeconds(double seconds) {
  if (!(seconds >= 0) || seconds > 359'999) return "--:--";
  const auto whole = static_cast<int>(seconds + 0.5);
  if (whole < 3600) return absl::StrFormat("%d:%02d", whole / 60, whole % 60);
  return absl::StrFormat("%d:%02d:%02d", whole / 3600, whole / 60 % 60,
                         whole % 60);
}

std::string FormatBar(const View& view, absl::Time now, int width) {
  const Progress& progress = view.progress;
  const std::string state = Printable(StateText(view, now));
  const bool moves = !view.result && progress.state == UploadState::kSending;
  const std::string right =
      moves ? absl::StrFormat(
                  " %3d%% %10s %10s/s %8s", Percent(progress),
                  FormatBytes(progress.size),
                  FormatBytes(static_cast<uint64_t>(view.bytes_per_second)),
                  FormatSeconds(SecondsLeft(view)))
            : absl::StrFormat(" %3d%% %10s %s", Percent(progress),
                              FormatBytes(progress.size), state);
  const int name_width = std::clamp(width / 4, 8, 32);
  const int bar_width = std::clamp(width - name_width - 40, 0, 30);
  std::string bar;
  if (bar_width >= 6) {
    const int inside = bar_width - 3;
    const int full = inside * Percent(progress) / 100;
    bar = absl::StrCat(" [", std::string(full, '#'),
                       std::string(inside - full, '.'), "]");
  }
  return Fit(absl::StrCat(Fit(view.recording, name_width), bar, right), width);
}

std::vector<std::string> FormatBars(const Overview& overview, absl::Time now,
                                    int width, int height) {
  if (height < 1) return {};
  const size_t running = overview.running.size();
  const auto room = static_cast<size_t>(height);
  const bool all_fit =
      running <= room && (overview.queued == 0 || running < room);
  const size_t shown = all_fit ? running : std::min(running, room - 1);
  std::vector<std::string> lines;
  for (size_t i = 0; i < shown; ++i) {
    lines.push_back(FormatBar(overview.running[i], now, width));
  }
  if (shown < running || overview.queued > 0) {
    const std::string more =
        shown < running ? absl::StrCat(running - shown, " more run, ") : "";
    lines.push_back(Fit(absl::StrCat(more, overview.queued, " queued, ",
                                     overview.done, " done"),
                        width));
  }
  return lines;
}

std::string FormatPlain(const View& view, absl::Time now) {
  const Progress& progress = view.progress;
  const std::string name = absl::StrCat(view.camera, "/", view.recording);
  if (IsStored(view)) {
    std::string line =
        absl::StrCat(name, ": stored, ", progress.size, " bytes, SHA-256 ",
                     view.result->sha256->ToHex());
    if (ResentBytes(view) > 0) {
      absl::StrAppend(&line, ", ", FormatBytes(ResentBytes(view)),
                      " sent twice");
    }
    if (view.recording != view.requested) {
      absl::StrAppend(&line, " (other bytes are stored as ", view.requested,
                      ")");
    }
    if (view.result->unverified_receipt) {
      absl::StrAppend(&line, "; its receipt was not verified: keep the file");
    }
    return line;
  }
  std::string line = absl::StrCat(name, ": ", Printable(StateText(view, now)));
  if (!view.result && progress.position > 0) {
    absl::StrAppend(&line, ", ", Percent(progress), "% of ",
                    FormatBytes(progress.size));
  }
  return line;
}

std::string FormatJson(absl::string_view event, const View& view,
                       absl::Time now) {
  const Progress& progress = view.progress;
  JsonObject json;
  json.Text("event", event);
  json.Number("time_unix_millis", absl::ToUnixMillis(now));
  json.Text("camera", view.camera);
  json.Text("recording", view.recording);
  if (view.recording != view.requested) json.Text("requested", view.requested);
  json.Text("file", view.file);
  json.Text("state", ToString(progress.state));
  json.Number("size", progress.size);
  json.Number("position", progress.position);
  json.Number("durable_offset", progress.durable);
  json.Number("sent_bytes", progress.sent);
  json.Number("resent_bytes", ResentBytes(view));
  json.Number("unacknowledged_bytes", progress.unacknowledged);
  json.Number("rewound_bytes", progress.rewound);
  json.Number("attempts", int64_t{progress.attempts});
  if (event == "waiting") {
    json.Text("reason", progress.reason);
    json.Number("retry_in_millis",
                std::max<int64_t>(
                    0, absl::ToInt64Milliseconds(progress.wait_until - now)));
  }
  if (event == "progress") {
    json.Number("bytes_per_second",
                static_cast<uint64_t>(view.bytes_per_second));
  }
  if (view.result && view.result->status.ok()) {
    json.Text("sha256", view.result->sha256->ToHex());
    json.Text("receipt",
              view.result->unverified_receipt ? "unverified" : "none");
  } else if (view.result) {
    json.Text("code", absl::StatusCodeToString(view.result->status.code()));
    json.Text("reason", view.result->status.message());
  } else if (event == "failed") {
    json.Text("code", "CANCELLED");
    json.Text("reason", "interrupted before it was begun");
  }
  return json.Done();
}

std::string FormatSummary(const std::vector<View>& views) {
  uint64_t stored = 0, bytes = 0;
  for (const View& view : views) {
    if (!IsStored(view)) continue;
    ++stored;
    bytes += view.progress.size;
  }
  std::string text = absl::StrCat(stored, " of ", views.size(),
                                  " recordings stored, ", FormatBytes(bytes));
  if (stored < views.size()) absl::StrAppend(&text, "; not stored:");
  for (const View& view : views) {
    if (!IsStored(view)) absl::StrAppend(&text, "\n  ", view.file);
  }
  return text;
}

std::string FormatSummaryJson(const std::vector<View>& views, int exit_code,
                              absl::Time now) {
  uint64_t stored = 0, failed = 0, size = 0, sent = 0, resent = 0, unacked = 0;
  for (const View& view : views) {
    ++(IsStored(view) ? stored : failed);
    size += IsStored(view) ? view.progress.size : 0;
    sent += view.progress.sent;
    resent += ResentBytes(view);
    unacked += view.progress.unacknowledged;
  }
  JsonObject json;
  json.Text("event", "summary");
  json.Number("time_unix_millis", absl::ToUnixMillis(now));
  json.Number("recordings", uint64_t{views.size()});
  json.Number("stored", stored);
  json.Number("not_stored", failed);
  json.Number("size", size);
  json.Number("sent_bytes", sent);
  json.Number("resent_bytes", resent);
  json.Number("unacknowledged_bytes", unacked);
  json.Number("exit_code", int64_t{exit_code});
  return json.Done();
}

uint64_t ResentBytes(const View& view) {
  if (!IsStored(view) || view.progress.sent < view.progress.size) return 0;
  return view.progress.sent - view.progress.size;
}

}  // namespace schleuse::client
