// One JSON object a line on standard error: time, severity, event, fields.
// Fields are names, numbers and reasons, never footage and never a secret.
#ifndef SCHLEUSE_BASE_LOG_H_
#define SCHLEUSE_BASE_LOG_H_

#include <initializer_list>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace schleuse {

enum class Severity { kInfo, kWarning, kError, kAlarm };

struct LogField {
  template <typename Value>
  LogField(absl::string_view field_name, const Value& field_value)
      : name(field_name), value(absl::StrCat(field_value)) {}
  absl::string_view name;
  std::string value;
};

// `event` says in plain words what happened ("gateway ready"). kAlarm is what
// a person has to act on. Safe to call from many threads; a line is written
// in one piece.
void Log(Severity severity, absl::string_view event,
         std::initializer_list<LogField> fields = {});

// Lines less severe are dropped from now on; nullopt drops all. For tests.
void SetLogThreshold(std::optional<Severity> least);

// `text` as the inside of a JSON string (RFC 8259): control characters
// escaped, bytes that are not UTF-8 replaced by U+FFFD.
std::string JsonEscape(absl::string_view text);

}  // namespace schleuse

#endif  // SCHLEUSE_BASE_LOG_H_
