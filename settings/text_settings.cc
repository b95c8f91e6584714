#include "settings/text_settings.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/message.h>
#include <google/protobuf/text_format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace schleuse {
namespace {

using ::google::protobuf::Descriptor;
using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::Message;
using ::google::protobuf::TextFormat;

// A file with more unreadable lines is no settings file.
constexpr int kUnreadableLinesMax = 50;

// The parser follows braces of unknown fields as deep as they go, until the
// stack ends. Ours are three deep.
constexpr int kDepthMax = 100;

// Braces in comments and strings count as well: harmless, so far from what is
// needed.
bool TooDeep(absl::string_view text) {
  int depth = 0;
  for (const char c : text) {
    if (c == '{' || c == '<' || c == '[') ++depth;
    if (c == '}' || c == '>' || c == ']') depth = std::max(depth - 1, 0);
    if (depth > kDepthMax) return true;
  }
  return false;
}

struct Finding {
  int line = 1;
  std::string text;
};

// Takes what the parser says. Unknown fields are only warnings to it, when it
// is to go on behind them; to us both are mistakes.
class Findings final : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, google::protobuf::io::ColumnNumber,
                const std::string& message) override {
    errors_.push_back({line + 1, message});
  }
  void AddWarning(int line, google::protobuf::io::ColumnNumber,
                  const std::string& message) override {
    warnings_.push_back({line + 1, message});
  }
  const std::vector<Finding>& errors() const { return errors_; }
  const std::vector<Finding>& warnings() const { return warnings_; }

 private:
  std::vector<Finding> errors_;
  std::vector<Finding> warnings_;
};

// Blanks `line` if the rest can be read without it.
bool Blank(std::vector<std::string>& lines, int line) {
  if (line < 1 || line > static_cast<int>(lines.size())) return false;
  std::string& text = lines[line - 1];
  const auto count = [&text](absl::string_view any_of) {
    return std::count_if(text.begin(), text.end(), [any_of](char c) {
      return any_of.find(c) != absl::string_view::npos;
    });
  };
  const bool blank = absl::StripAsciiWhitespace(text).empty();
  if (blank || count("{[<") != count("}]>")) return false;
  text.clear();
  return true;
}

}  // namespace

class TextSettings::Parse {
 public:
  Parse(absl::string_view file_name, absl::string_view text, Message& message)
      : file_name_(file_name), descriptor_(message.GetDescriptor()) {
    tree_.emplace();
    if (TooDeep(text)) {
      Add({1, "braces are nested too deep"});
      ++left_out_;
      return;
    }
    std::vector<std::string> lines = absl::StrSplit(text, '\n');
    for (;;) {
      Findings found;
      tree_.emplace();
      TextFormat::Parser parser;
      parser.RecordErrorsTo(&found);
      parser.WriteLocationsTo(&*tree_);
      parser.AllowUnknownField(true);
      const bool whole =
          parser.ParseFromString(absl::StrJoin(lines, "\n"), &message);
      for (const Finding& error : found.errors()) Add(error);
      left_out_ += whole ? 0 : 1;
      if (whole || found.errors().empty() || left_out_ >= kUnreadableLinesMax ||
          !Blank(lines, found.errors().front().line)) {
        for (const Finding& warning : found.warnings()) Add(warning);
        // A parser that fails without a word must not pass for success.
        if (!whole && found_.empty()) Add({1, "cannot be parsed"});
        return;
      }
    }
  }

  void Add(Finding finding) { found_.push_back(std::move(finding)); }
  bool whole() const { return left_out_ == 0; }

  int LineOf(absl::string_view field) const {
    const Descriptor* descriptor = descriptor_;
    const TextFormat::ParseInfoTree* tree = &*tree_;
    int line = 1;
    for (absl::string_view step : absl::StrSplit(field, '.')) {
      const std::pair<absl::string_view, absl::string_view> name_and_index =
          absl::StrSplit(step, absl::MaxSplits('[', 1));
      const FieldDescriptor* here =
          descriptor->FindFieldByName(std::string(name_and_index.first));
      if (here == nullptr) return line;
      int index = here->is_repeated() ? 0 : -1;
      if (here->is_repeated() && !name_and_index.second.empty()) {
        (void)absl::SimpleAtoi(absl::StripSuffix(name_and_index.second, "]"),
                               &index);
      }
      // Of a list in brackets only the beginning has a place.
      int found = -1;
      for (int i = index; found < 0 && i >= std::min(index, 0); --i) {
        found = tree->GetLocation(here, i).line;
      }
      if (found < 0) return line;
      line = found + 1;
      descriptor = here->message_type();
      tree =
          descriptor == nullptr ? nullptr : tree->GetTreeForNested(here, index);
      if (tree == nullptr) return line;
    }
    return line;
  }

  std::vector<std::string> mistakes() const {
    std::vector<Finding> ordered = found_;
    std::stable_sort(
        ordered.begin(), ordered.end(),
        [](const Finding& a, const Finding& b) { return a.line < b.line; });
    std::vector<std::string> lines;
    for (const Finding& finding : ordered) {
      lines.push_back(
          absl::StrCat(file_name_, ":", finding.line, ": ", finding.text));
    }
    return lines;
  }

 private:
  const std::string file_name_;
  const Descriptor* const descriptor_;
  std::optional<TextFormat::ParseInfoTree> tree_;
  std::vector<Finding> found_;
  int left_out_ = 0;
};

TextSettings::TextSettings(absl::string_view file_name, absl::string_view text,
                           Message& message)
    : parse_(std::make_unique<Parse>(file_name, text, message)) {}
TextSettings::~TextSettings() = default;

void TextSettings::Mistake(absl::string_view field, absl::string_view what) {
  parse_->Add({LineOf(field), absl::StrCat(field, ": ", what)});
}

void TextSettings::Missing(absl::string_view field) {
  if (parse_->whole()) Mistake(field, "is missing");
}

void TextSettings::CheckRange(absl::string_view field, uint64_t value,
                              uint64_t least, uint64_t most) {
  if (value >= least && value <= most) return;
  Mistake(field, absl::StrCat("must be ", least, " to ", most));
}

int TextSettings::LineOf(absl::string_view field) const {
  return parse_->LineOf(field);
}

std::vector<std::string> TextSettings::mistakes() const {
  return parse_->mistakes();
}

absl::Status TextSettings::status() const {
  const std::vector<std::string> all = mistakes();
  if (all.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrJoin(all, "\n"));
}

}  // namespace schleuse
