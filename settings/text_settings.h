// Reads a text proto that a person wrote, and gathers everything wrong with it,
// each mistake with its line, so that it is mended in one go. It knows no
// setting's meaning: who does adds his mistakes to the others.
//
//   config::v1::Roster proto;
//   TextSettings settings("roster.textproto", text, proto);
//   if (proto.trust_domain().empty()) settings.Missing("trust_domain");
//   RETURN_IF_ERROR(settings.status());
#ifndef SCHLEUSE_SETTINGS_TEXT_SETTINGS_H_
#define SCHLEUSE_SETTINGS_TEXT_SETTINGS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace google::protobuf {
class Message;
}  // namespace google::protobuf

namespace schleuse {

class TextSettings {
 public:
  // Parses `text` into `message`; `file_name` stands before every mistake. A
  // line that cannot be parsed is left out and the rest is read all the same,
  // unless it opens or closes a brace: then the rest goes unread.
  TextSettings(absl::string_view file_name, absl::string_view text,
               google::protobuf::Message& message);
  ~TextSettings();

  // Adds "<file>:<line>: <field>: <what>". `field` is a path from the top:
  // "store.file.root", "grant[2].device[0]".
  void Mistake(absl::string_view field, absl::string_view what);
  // Adds that `field` is missing, at the line of what should hold it; nothing
  // if a line was left out, since `field` may have stood there.
  void Missing(absl::string_view field);

  // A mistake unless `value`, that of `field`, is `least` to `most`.
  void CheckRange(absl::string_view field, uint64_t value, uint64_t least,
                  uint64_t most);

  // The line, from 1, where `field` stands, or what should hold it; 1 at the
  // top.
  int LineOf(absl::string_view field) const;

  // In the order of their lines.
  std::vector<std::string> mistakes() const;
  // OK, or InvalidArgument with all mistakes, one a line.
  absl::Status status() const;

 private:
  class Parse;
  std::unique_ptr<Parse> parse_;
};

}  // namespace schleuse

#endif  // SCHLEUSE_SETTINGS_TEXT_SETTINGS_H_
