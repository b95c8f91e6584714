// What a verification came to, for a person and for a program.
#ifndef SCHLEUSE_CLIENT_VERIFY_REPORT_H_
#define SCHLEUSE_CLIENT_VERIFY_REPORT_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace schleuse::client {

// Lines are whole sentences in plain words, without a full stop.
struct Report {
  std::string subject;  // what was looked at
  // For programs: names and values, in order.
  std::vector<std::pair<std::string, std::string>> facts = {};
  std::vector<std::string> proven = {};
  // What must not be concluded from it.
  std::vector<std::string> not_proven = {};
  // What is wrong. None: everything asked for is proven.
  std::vector<std::string> problems = {};

  bool holds() const { return problems.empty(); }

  template <typename... Parts>
  void Fact(absl::string_view name, const Parts&... parts) {
    facts.emplace_back(name, absl::StrCat(parts...));
  }
  template <typename... Parts>
  void Proves(const Parts&... parts) {
    proven.push_back(absl::StrCat(parts...));
  }
  template <typename... Parts>
  void ProvesNot(const Parts&... parts) {
    not_proven.push_back(absl::StrCat(parts...));
  }
  template <typename... Parts>
  void Problem(const Parts&... parts) {
    problems.push_back(absl::StrCat(parts...));
  }
};

// How much of a long work is done, in bytes or entries; called now and then.
using Advance = absl::FunctionRef<void(uint64_t done, uint64_t all)>;

std::string ToText(const Report& report);
// One object on one line: "verdict" is "proven" or "not proven".
std::string ToJson(const Report& report);

}  // namespace schleuse::client

#endif  // SCHLEUSE_CLIENT_VERIFY_REPORT_H_
