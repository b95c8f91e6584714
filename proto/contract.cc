#include "proto/contract.h"

#include <map>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace schleuse::contract {
namespace {

namespace pb = google::protobuf;
using Lines = std::vector<std::string>;

// Everything of a set of files that has a name, by its full name.
struct Elements {
  std::map<std::string, const pb::FileDescriptorProto*> files;
  std::map<std::string, const pb::DescriptorProto*> messages;
  std::map<std::string, const pb::EnumDescriptorProto*> enums;
  std::map<std::string, const pb::ServiceDescriptorProto*> services;

  explicit Elements(const Files& set) {
    for (const auto& file : set.file()) {
      files[file.name()] = &file;
      const std::string scope = file.package();
      for (const auto& message : file.message_type()) Add(scope, message);
      for (const auto& e : file.enum_type()) {
        enums[absl::StrCat(scope, ".", e.name())] = &e;
      }
      for (const auto& service : file.service()) {
        services[absl::StrCat(scope, ".", service.name())] = &service;
      }
    }
  }

  void Add(const std::string& scope, const pb::DescriptorProto& message) {
    const std::string name = absl::StrCat(scope, ".", message.name());
    messages[name] = &message;
    for (const auto& nested : message.nested_type()) Add(name, nested);
    for (const auto& e : message.enum_type()) {
      enums[absl::StrCat(name, ".", e.name())] = &e;
    }
  }
};

template <typename Many>
auto ByNumber(const Many& many) {
  std::map<int, const typename Many::value_type*> result;
  for (const auto& one : many) result[one.number()] = &one;
  return result;
}

std::string TypeOf(const pb::FieldDescriptorProto& field) {
  if (!field.type_name().empty()) return field.type_name();
  return pb::FieldDescriptorProto::Type_Name(field.type());
}

std::string OneofOf(const pb::DescriptorProto& message,
                    const pb::FieldDescriptorProto& field) {
  if (!field.has_oneof_index() || field.proto3_optional()) return "";
  return message.oneof_decl(field.oneof_index()).name();
}

std::string LabelOf(const pb::FieldDescriptorProto& field) {
  return absl::StrCat(pb::FieldDescriptorProto::Label_Name(field.label()),
                      field.proto3_optional() ? " (explicit)" : "");
}

// Says so if one property of an element is no longer what it was.
void Compare(const std::string& element, const char* property,
             const std::string& before, const std::string& after,
             Lines& lines) {
  if (before == after) return;
  lines.push_back(absl::StrCat(element, ": its ", property, " was \"", before,
                               "\" and is \"", after, "\""));
}

void CompareFields(const std::string& name, const pb::DescriptorProto& before,
                   const pb::DescriptorProto& after, Lines& lines) {
  const auto present = ByNumber(after.field());
  for (const auto& field : before.field()) {
    const std::string element = absl::StrCat(name, ".", field.name());
    const auto found = present.find(field.number());
    if (found == present.end()) {
      lines.push_back(absl::StrCat(element, ": the field with number ",
                                   field.number(), " is gone"));
      continue;
    }
    const pb::FieldDescriptorProto& now = *found->second;
    Compare(element, "name", field.name(), now.name(), lines);
    Compare(element, "type", TypeOf(field), TypeOf(now), lines);
    Compare(element, "label", LabelOf(field), LabelOf(now), lines);
    Compare(element, "oneof", OneofOf(before, field), OneofOf(after, now),
            lines);
    Compare(element, "default", field.default_value(), now.default_value(),
            lines);
    Compare(element, "packing", field.options().ShortDebugString(),
            now.options().ShortDebugString(), lines);
  }
}

void CompareValues(const std::string& name,
                   const pb::EnumDescriptorProto& before,
                   const pb::EnumDescriptorProto& after, Lines& lines) {
  const auto present = ByNumber(after.value());
  for (const auto& value : before.value()) {
    const std::string element = absl::StrCat(name, ".", value.name());
    const auto found = present.find(value.number());
    if (found == present.end()) {
      lines.push_back(absl::StrCat(element, ": the value with number ",
                                   value.number(), " is gone"));
    } else {
      Compare(element, "name", value.name(), found->second->name(), lines);
    }
  }
}

void CompareMethods(const std::string& name,
                    const pb::ServiceDescriptorProto& before,
                    const pb::ServiceDescriptorProto& after, Lines& lines) {
  std::map<std::string, const pb::MethodDescriptorProto*> present;
  for (const auto& method : after.method()) present[method.name()] = &method;
  const auto signature = [](const pb::MethodDescriptorProto& method) {
    return absl::StrCat(
        method.client_streaming() ? "stream " : "", method.input_type(), " -> ",
        method.server_streaming() ? "stream " : "", method.output_type());
  };
  for (const auto& method : before.method()) {
    const std::string element = absl::StrCat(name, ".", method.name());
    const auto found = present.find(method.name());
    if (found == present.end()) {
      lines.push_back(absl::StrCat(element, ": the method is gone"));
    } else {
      Compare(element, "signature", signature(method),
              signature(*found->second), lines);
    }
  }
}

template <typename Element, typename Then>
void CompareAll(const char* what, const std::map<std::string, Element>& before,
                const std::map<std::string, Element>& after, Lines& lines,
                const Then& then) {
  for (const auto& [name, element] : before) {
    const auto found = after.find(name);
    if (found == after.end()) {
      lines.push_back(absl::StrCat(name, ": the ", what, " is gone"));
    } else {
      then(name, *element, *found->second, lines);
    }
  }
}

// --- documentation -----------------------------------------------------------

// Walks a file by the paths that its source info uses.
class Reader {
 public:
  Reader(const pb::FileDescriptorProto& file, Lines& lines)
      : file_(file), lines_(lines) {
    for (const auto& location : file.source_code_info().location()) {
      if (location.leading_comments().empty() &&
          location.trailing_comments().empty()) {
        continue;
      }
      documented_.insert({location.path().begin(), location.path().end()});
    }
  }

  void Read() {
    using F = pb::FileDescriptorProto;
    for (int i = 0; i < file_.message_type_size(); ++i) {
      ReadMessage({F::kMessageTypeFieldNumber, i}, file_.package(),
                  file_.message_type(i));
    }
    for (int i = 0; i < file_.enum_type_size(); ++i) {
      ReadEnum({F::kEnumTypeFieldNumber, i}, file_.package(),
               file_.enum_type(i));
    }
    for (int i = 0; i < file_.service_size(); ++i) {
      const auto& service = file_.service(i);
      const std::string name =
          absl::StrCat(file_.package(), ".", service.name());
      const Path path = {F::kServiceFieldNumber, i};
      Check(path, name);
      for (int j = 0; j < service.method_size(); ++j) {
        Check(Below(path, pb::ServiceDescriptorProto::kMethodFieldNumber, j),
              absl::StrCat(name, ".", service.method(j).name()));
      }
    }
  }

 private:
  using Path = std::vector<int>;

  static Path Below(Path path, int field, int index) {
    path.push_back(field);
    path.push_back(index);
    return path;
  }

  void Check(const Path& path, const std::string& name) {
    if (documented_.count(path) == 0) {
      lines_.push_back(absl::StrCat(file_.name(), ": ", name));
    }
  }

  void ReadMessage(const Path& path, const std::string& scope,
                   const pb::DescriptorProto& message) {
    using M = pb::DescriptorProto;
    const std::string name = absl::StrCat(scope, ".", message.name());
    Check(path, name);
    for (int i = 0; i < message.field_size(); ++i) {
      Check(Below(path, M::kFieldFieldNumber, i),
            absl::StrCat(name, ".", message.field(i).name()));
    }
    for (int i = 0; i < message.nested_type_size(); ++i) {
      ReadMessage(Below(path, M::kNestedTypeFieldNumber, i), name,
                  message.nested_type(i));
    }
    for (int i = 0; i < message.enum_type_size(); ++i) {
      ReadEnum(Below(path, M::kEnumTypeFieldNumber, i), name,
               message.enum_type(i));
    }
  }

  void ReadEnum(const Path& path, const std::string& scope,
                const pb::EnumDescriptorProto& e) {
    const std::string name = absl::StrCat(scope, ".", e.name());
    Check(path, name);
    for (int i = 0; i < e.value_size(); ++i) {
      const auto& value = e.value(i);
      if (value.number() == 0 && absl::EndsWith(value.name(), "UNSPECIFIED")) {
        continue;
      }
      Check(Below(path, pb::EnumDescriptorProto::kValueFieldNumber, i),
            absl::StrCat(name, ".", value.name()));
    }
  }

  const pb::FileDescriptorProto& file_;
  Lines& lines_;
  std::set<Path> documented_;
};

}  // namespace

Lines BreakingChanges(const Files& before, const Files& after) {
  const Elements was(before), is(after);
  Lines lines;
  CompareAll(
      "file", was.files, is.files, lines,
      [](const std::string& name, const auto& old_file, const auto& new_file,
         Lines& out) {
        Compare(name, "package", old_file.package(), new_file.package(), out);
        Compare(name, "syntax", old_file.syntax(), new_file.syntax(), out);
      });
  CompareAll("message", was.messages, is.messages, lines, CompareFields);
  CompareAll("enum", was.enums, is.enums, lines, CompareValues);
  CompareAll("service", was.services, is.services, lines, CompareMethods);
  return lines;
}

Lines Undocumented(const Files& files) {
  Lines lines;
  for (const auto& file : files.file()) Reader(file, lines).Read();
  return lines;
}

}  // namespace schleuse::contract
