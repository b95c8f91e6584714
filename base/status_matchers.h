// gMock matchers for absl::Status and absl::StatusOr. For tests alone.
#ifndef SCHLEUSE_BASE_STATUS_MATCHERS_H_
#define SCHLEUSE_BASE_STATUS_MATCHERS_H_

#include <ostream>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace absl {
// Found by gtest through the namespace of the type that it prints.
inline void PrintTo(const Status& status, std::ostream* out) {
  *out << status.ToString();
}
template <typename T>
void PrintTo(const StatusOr<T>& result, std::ostream* out) {
  *out << result.status().ToString();
}
}  // namespace absl

namespace schleuse {

inline const absl::Status& StatusOf(const absl::Status& status) {
  return status;
}
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

MATCHER(IsOk, negation ? "is not OK" : "is OK") {
  *result_listener << StatusOf(arg).ToString();
  return StatusOf(arg).ok();
}

MATCHER_P(StatusIs, code, "has code " + absl::StatusCodeToString(code)) {
  *result_listener << StatusOf(arg).ToString();
  return StatusOf(arg).code() == code;
}

MATCHER_P2(StatusIs, code, message_matcher,
           "has code " + absl::StatusCodeToString(code) + " and a message") {
  *result_listener << StatusOf(arg).ToString();
  return StatusOf(arg).code() == code &&
         testing::ExplainMatchResult(message_matcher,
                                     std::string(StatusOf(arg).message()),
                                     result_listener);
}

MATCHER_P(IsOkAndHolds, matcher, "is OK and holds a matching value") {
  if (!arg.ok()) {
    *result_listener << arg.status().ToString();
    return false;
  }
  return testing::ExplainMatchResult(matcher, *arg, result_listener);
}

}  // namespace schleuse

#define ASSERT_OK(expression) ASSERT_THAT(expression, ::schleuse::IsOk())
#define EXPECT_OK(expression) EXPECT_THAT(expression, ::schleuse::IsOk())

// Declares or assigns from a StatusOr, and fails the test on an error.
#define ASSERT_OK_AND_ASSIGN(declaration, expression)                    \
  ASSERT_OK_AND_ASSIGN_INNER(SCHLEUSE_MATCHER_CONCAT(result_, __LINE__), \
                             declaration, expression)
#define SCHLEUSE_MATCHER_CONCAT_INNER(a, b) a##b
#define SCHLEUSE_MATCHER_CONCAT(a, b) SCHLEUSE_MATCHER_CONCAT_INNER(a, b)
#define ASSERT_OK_AND_ASSIGN_INNER(result, declaration, expression) \
  auto result = (expression);                                       \
  ASSERT_THAT(result, ::schleuse::IsOk());                          \
  declaration = *std::move(result)

#endif  // SCHLEUSE_BASE_STATUS_MATCHERS_H_
