#include "client/upload/display.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace schleuse::client {
namespace {

constexpr absl::Duration kPlainEvery = absl::Seconds(10);
constexpr absl::Duration kRedrawEvery = absl::Milliseconds(100);

}  // namespace

void DescriptorOutput::Write(absl::string_view text) {
  while (!text.empty() && !broken_) {
    const ssize_t written = write(descriptor_, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<size_t>(written));
    } else if (errno == EAGAIN) {  // whoever we share it with wanted it so
      pollfd ready = {descriptor_, POLLOUT, 0};
      poll(&ready, 1, -1);
    } else if (errno != EINTR) {
      broken_ = true;
    }
  }
}

// --- JSON -------------------------------------------------------------------

void JsonDisplay::OnEvent(const Board::Event& event, absl::Time now) {
  out_.Write(absl::StrCat(FormatJson(event.name, event.view, now), "\n"));
  if (event.view.result) written_.erase(event.view.index);
}

void JsonDisplay::OnTick(const Overview& overview, absl::Time now) {
  for (const View& view : overview.running) {
    const Moved moved = {view.progress.sent, view.progress.durable,
                         view.progress.hashed};
    auto& written = written_[view.index];
    if (moved == written) continue;
    written = moved;
    out_.Write(absl::StrCat(FormatJson("progress", view, now), "\n"));
  }
}

void JsonDisplay::OnEnd(const std::vector<View>& views, int exit_code,
                        absl::Time now) {
  for (const View& view : views) {
    if (view.result) continue;  // told when it happened
    out_.Write(absl::StrCat(FormatJson("failed", view, now), "\n"));
  }
  out_.Write(absl::StrCat(FormatSummaryJson(views, exit_code, now), "\n"));
}

// --- lines ------------------------------------------------------------------

void PlainDisplay::OnEvent(const Board::Event& event, absl::Time now) {
  const bool failed = event.view.result && !event.view.result->status.ok();
  (failed ? errors_ : out_)
      .Write(absl::StrCat(FormatPlain(event.view, now), "\n"));
  if (event.view.result) {
    written_.erase(event.view.index);
  } else {
    written_[event.view.index] = now;
  }
}

void PlainDisplay::OnTick(const Overview& overview, absl::Time now) {
  for (const View& view : overview.running) {
    // The first line comes when it has run for as long.
    const auto [last, fresh] = written_.emplace(view.index, now);
    if (fresh || now - last->second < kPlainEvery) continue;
    last->second = now;
    out_.Write(absl::StrCat(FormatPlain(view, now), "\n"));
  }
}

void PlainDisplay::OnEnd(const std::vector<View>& views, int /*exit_code*/,
                         absl::Time /*now*/) {
  out_.Write(absl::StrCat(FormatSummary(views), "\n"));
}

// --- bars -------------------------------------------------------------------

void BarDisplay::OnEvent(const Board::Event& event, absl::Time now) {
  // Waiting shows in the bar itself.
  if (!event.view.result) return;
  absl::StrAppend(&above_, "\r\x1b[K", FormatPlain(event.view, now), "\n");
}

void BarDisplay::OnTick(const Overview& overview, absl::Time now) {
  if (now - last_ < kRedrawEvery) return;
  last_ = now;
  const Size size = terminal_size_();
  // One column and one line less: a full line would wrap, a full screen scroll.
  const std::vector<std::string> lines =
      FormatBars(overview, now, size.width - 1, size.height - 1);
  std::string text;
  if (drawn_ > 0) absl::StrAppend(&text, "\x1b[", drawn_, "A");
  // A line that stays may wrap, over what was drawn below as well.
  if (!above_.empty()) absl::StrAppend(&text, "\x1b[J", above_);
  for (const std::string& line : lines) {
    absl::StrAppend(&text, "\r", line, "\x1b[K\n");
  }
  absl::StrAppend(&text, "\x1b[J");  // what the last drawing had below
  out_.Write(text);
  above_.clear();
  drawn_ = static_cast<int>(lines.size());
}

void BarDisplay::OnEnd(const std::vector<View>& views, int /*exit_code*/,
                       absl::Time now) {
  last_ = absl::InfinitePast();
  OnTick({}, now);
  out_.Write(absl::StrCat(FormatSummary(views), "\n"));
}

}  // namespace schleuse::client
