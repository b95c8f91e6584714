#include "client/upload/format.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/log.h"
#include "client/upload/text.h"

namespace schleuse::client {
namespace {

// Columns of Numbers() for a recording that moves; the bar has the room that is
// left.
constexpr int kNumbersWidth = 45;

constexpr char kHashingTail[] = " hashing";

absl::string_view ToString(UploadResult::ReceiptState state) {
  switch (state) {
    case UploadResult::ReceiptState::kNone:
      break;
    case UploadResult::ReceiptState::kUnverified:
      return "unverified";
    case UploadResult::ReceiptState::kVerified:
      return "verified";
  }
  return "none";
}

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

// Printable ASCII, in which a byte is a column.
std::string Columns(absl::string_view text) {
  std::string out = PlainText(text);
  for (char& c : out) {
    if (c < 0x20 || c > 0x7E) c = '?';
  }
  return out;
}

struct Unit {
  const char* name;
  uint64_t bytes;
};

// That in which a person would say `bytes`.
Unit UnitOf(uint64_t bytes) {
  Unit unit = {"B", 1};
  for (const char* name : {"KiB", "MiB", "GiB", "TiB"}) {
    // 1023.95 is said as 1024.0 already.
    if (static_cast<double>(bytes) < 1023.95 * static_cast<double>(unit.bytes))
      break;
    unit = {name, unit.bytes * 1024};
  }
  return unit;
}

std::string In(const Unit& unit, uint64_t bytes) {
  if (unit.bytes == 1) return absl::StrCat(bytes);
  return absl::StrFormat(
      "%.1f", static_cast<double>(bytes) / static_cast<double>(unit.bytes));
}

// How far it is with what it does now.
uint64_t Done(const Progress& progress) {
  return progress.state == UploadState::kHashing ? progress.hashed
                                                 : progress.position;
}

int Percent(const Progress& progress) {
  if (progress.size == 0) {
    return progress.state == UploadState::kStored ? 100 : 0;
  }
  return static_cast<int>(100.0 * static_cast<double>(Done(progress)) /
                          static_cast<double>(progress.size));
}

bool Moves(const View& view) {
  return !view.result && (view.progress.state == UploadState::kSending ||
                          view.progress.state == UploadState::kHashing);
}

std::string Rate(const View& view) {
  return FormatBytes(static_cast<uint64_t>(view.bytes_per_second)) + "/s";
}

std::string TimeLeft(const View& view) {
  if (view.bytes_per_second < 1) return FormatSeconds(-1);
  return FormatSeconds(
      static_cast<double>(view.progress.size - Done(view.progress)) /
      view.bytes_per_second);
}

// What stands right of the bar, in at most `width` columns if that can be: the
// time left is what a person waits for.
std::string Numbers(const View& view, absl::Time now, int width) {
  const Progress& progress = view.progress;
  const std::string percent = absl::StrFormat(" %3d%%", Percent(progress));
  if (!Moves(view)) {
    return absl::StrCat(percent, " ", Columns(StateText(view, now)));
  }
  const std::string tail =
      progress.state == UploadState::kHashing ? kHashingTail : "";
  const std::string bytes =
      absl::StrFormat(" %6s/%-10s", In(UnitOf(progress.size), Done(progress)),
                      FormatBytes(progress.size));
  const std::string rate = absl::StrFormat(" %12s", Rate(view));
  const std::string left = absl::StrFormat(" %8s", TimeLeft(view));
  for (const std::string& numbers :
       {absl::StrCat(percent, bytes, rate, left, tail),
        absl::StrCat(percent, rate, left, tail)}) {
    if (numbers.size() <= static_cast<size_t>(std::max(width, 0))) {
      return numbers;
    }
  }
  return absl::StrCat(percent, left, tail);
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
  void Object(absl::string_view name, const JsonObject& value) {
    absl::StrAppend(&fields_, fields_.empty() ? "" : ",", "\"", name,
                    "\":", value.Done());
  }
  std::string Done() const { return absl::StrCat("{", fields_, "}"); }

 private:
  std::string fields_;
};

int64_t Millis(absl::Duration duration) {
  return absl::ToInt64Milliseconds(absl::Ceil(duration, absl::Milliseconds(1)));
}

bool IsStored(const View& view) {
  return view.result && view.result->status.ok();
}

}  // namespace

std::string FormatBytes(uint64_t bytes) {
  const Unit unit = UnitOf(bytes);
  return absl::StrCat(In(unit, bytes), " ", unit.name);
}

std::string FormatSeconds(double seconds) {
  if (!(seconds >= 0) || seconds > 359'999) return "--:--";
  const auto whole = static_cast<int>(std::lround(seconds));
  if (whole < 3600) return absl::StrFormat("%d:%02d", whole / 60, whole % 60);
  return absl::StrFormat("%d:%02d:%02d", whole / 3600, whole / 60 % 60,
                         whole % 60);
}

std::string FormatBar(const View& view, absl::Time now, int width) {
  const int name_width = std::clamp(width / 4, 8, 32);
  const bool hashes = view.progress.state == UploadState::kHashing;
  const int numbers_width =
      kNumbersWidth + (hashes ? static_cast<int>(sizeof(kHashingTail)) - 1 : 0);
  // While it waits the reason needs the room.
  const int bar_width =
      view.progress.state == UploadState::kWaiting
          ? 0
          : std::clamp(width - name_width - numbers_width, 0, 30);
  std::string bar;
  if (bar_width >= 6) {
    const int inside = bar_width - 3;
    const int full = inside * Percent(view.progress) / 100;
    bar = absl::StrCat(" [", std::string(full, '#'),
                       std::string(inside - full, '.'), "]");
  }
  const int left = width - name_width - static_cast<int>(bar.size());
  return Fit(absl::StrCat(Fit(view.recording, name_width), bar,
                          Numbers(view, now, left)),
             width);
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
    if (view.result->receipt_state == UploadResult::ReceiptState::kUnverified) {
      absl::StrAppend(&line, "; its receipt was not verified: keep the file");
    } else if (view.result->receipt_state ==
               UploadResult::ReceiptState::kVerified) {
      absl::StrAppend(&line, "; receipt verified");
    }
    return line;
  }
  std::string line = absl::StrCat(name, ": ", PlainText(StateText(view, now)));
  if (!view.result && Done(progress) > 0) {
    absl::StrAppend(&line, ", ", Percent(progress), "% of ",
                    FormatBytes(progress.size));
  }
  if (Moves(view) && view.bytes_per_second >= 1) {
    absl::StrAppend(&line, ", ", Rate(view), ", ", TimeLeft(view), " left");
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
  json.Number("hashed_bytes", progress.hashed);
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
    json.Text("receipt", ToString(view.result->receipt_state));
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
    if (!IsStored(view)) absl::StrAppend(&text, "\n  ", PlainText(view.file));
  }
  return text;
}

std::string FormatSummaryJson(const std::vector<View>& views, int exit_code,
                              absl::Time now) {
  uint64_t stored = 0, failed = 0, size = 0, sent = 0, resent = 0, unacked = 0;
  DelayCounts delays;
  for (const View& view : views) {
    ++(IsStored(view) ? stored : failed);
    size += IsStored(view) ? view.progress.size : 0;
    sent += view.progress.sent;
    resent += ResentBytes(view);
    unacked += view.progress.unacknowledged;
    if (view.result) delays.Add(view.result->ack_delays);
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
  if (delays.Percentile(0)) {
    JsonObject delay;
    delay.Number("p50", Millis(*delays.Percentile(0.5)));
    delay.Number("p99", Millis(*delays.Percentile(0.99)));
    json.Object("ack_delay_millis", delay);
  }
  json.Number("exit_code", int64_t{exit_code});
  return json.Done();
}

uint64_t ResentBytes(const View& view) {
  if (!IsStored(view) || view.progress.sent < view.progress.size) return 0;
  return view.progress.sent - view.progress.size;
}

}  // namespace schleuse::client
