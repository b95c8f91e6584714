#include "base/log.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/utf8.h"

namespace schleuse {
namespace {

std::atomic<int> threshold{static_cast<int>(Severity::kInfo)};

absl::string_view Name(Severity severity) {
  switch (severity) {
    case Severity::kInfo:
      return "info";
    case Severity::kWarning:
      return "warning";
    case Severity::kError:
      return "error";
    case Severity::kAlarm:
      return "alarm";
  }
  return "alarm";
}

}  // namespace

std::string JsonEscape(absl::string_view text) {
  std::string out;
  out.reserve(text.size() + 2);
  while (!text.empty()) {
    const size_t length = Utf8Length(text);
    if (length == 0) {
      out += "\xEF\xBF\xBD";
      text.remove_prefix(1);
      continue;
    }
    const auto byte = static_cast<unsigned char>(text[0]);
    if (byte == '"' || byte == '\\') {
      out += '\\';
      out += text[0];
    } else if (byte < 0x20 || byte == 0x7F) {
      absl::StrAppendFormat(&out, "\\u%04x", byte);
    } else {
      out.append(text.data(), length);
    }
    text.remove_prefix(length);
  }
  return out;
}

void SetLogThreshold(std::optional<Severity> least) {
  threshold =
      static_cast<int>(least.value_or(Severity::kAlarm)) + (least ? 0 : 1);
}

void Log(Severity severity, absl::string_view event,
         std::initializer_list<LogField> fields) {
  if (static_cast<int>(severity) < threshold.load(std::memory_order_relaxed)) {
    return;
  }
  std::string line =
      absl::StrCat("{\"time\":\"",
                   absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::Now(),
                                    absl::UTCTimeZone()),
                   "\",\"severity\":\"", Name(severity), "\",\"event\":\"",
                   JsonEscape(event), "\"");
  for (const LogField& field : fields) {
    absl::StrAppend(&line, ",\"", field.name, "\":\"", JsonEscape(field.value),
                    "\"");
  }
  line += "}\n";
  // There is nobody left to tell when standard error itself fails.
  ssize_t written;
  do {
    written = write(STDERR_FILENO, line.data(), line.size());
  } while (written < 0 && errno == EINTR);
}

}  // namespace schleuse
