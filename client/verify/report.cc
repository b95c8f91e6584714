#include "client/verify/report.h"

#include "absl/strings/str_join.h"
#include "base/log.h"

namespace schleuse::client {
namespace {

constexpr size_t kColumns = 78;

// Names in statements and files may hold anything; none may move the cursor.
std::string Shown(absl::string_view text) {
  std::string shown;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    shown.push_back(byte < 0x20 || byte == 0x7f ? '?' : c);
  }
  return shown;
}

// "- " and the line, broken at spaces.
void AppendItem(std::string& out, absl::string_view line) {
  std::string row = "  -";
  for (size_t at = 0; at < line.size();) {
    size_t end = line.find(' ', at);
    if (end == absl::string_view::npos) end = line.size();
    const absl::string_view word = line.substr(at, end - at);
    if (row.size() + 1 + word.size() > kColumns && row.size() > 4) {
      absl::StrAppend(&out, row, "\n");
      row = "   ";
    }
    absl::StrAppend(&row, " ", word);
    at = end + 1;
  }
  absl::StrAppend(&out, row, "\n");
}

void AppendSection(std::string& out, absl::string_view title,
                   const std::vector<std::string>& lines) {
  if (lines.empty()) return;
  absl::StrAppend(&out, title, "\n");
  for (const std::string& line : lines) AppendItem(out, Shown(line));
}

std::string ArrayOf(const std::vector<std::string>& lines) {
  return absl::StrCat(
      "[",
      absl::StrJoin(lines, ",",
                    [](std::string* out, const std::string& line) {
                      absl::StrAppend(out, "\"", JsonEscape(line), "\"");
                    }),
      "]");
}

}  // namespace

std::string ToText(const Report& report) {
  std::string out =
      absl::StrCat(Shown(report.subject), ": ",
                   report.holds() ? "PROVEN" : "NOT PROVEN", "\n");
  AppendSection(out, "What is wrong:", report.problems);
  AppendSection(out,
                report.holds() ? "What is proven:" : "What was found in order:",
                report.proven);
  AppendSection(out, "What is not proven by this:", report.not_proven);
  return out;
}

std::string ToJson(const Report& report) {
  return absl::StrCat(
      "{\"verdict\":\"", report.holds() ? "proven" : "not proven",
      "\",\"subject\":\"", JsonEscape(report.subject), "\",\"facts\":{",
      absl::StrJoin(report.facts, ",",
                    [](std::string* out, const auto& fact) {
                      absl::StrAppend(out, "\"", JsonEscape(fact.first),
                                      "\":\"", JsonEscape(fact.second), "\"");
                    }),
      "},\"problems\":", ArrayOf(report.problems),
      ",\"proven\":", ArrayOf(report.proven),
      ",\"not_proven\":", ArrayOf(report.not_proven), "}\n");
}

}  // namespace schleuse::client
