// Failing early without noise: macros that hand a Status up, and Annotate,
// which adds to an error what only the caller knows. It knows no domain.
#ifndef SCHLEUSE_BASE_STATUS_H_
#define SCHLEUSE_BASE_STATUS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

namespace schleuse {

// Returns `status` with `parts` and ": " put before its message; OK stays OK.
template <typename... Parts>
absl::Status Annotate(const absl::Status& status, const Parts&... parts) {
  if (status.ok()) return status;
  absl::Status annotated(status.code(),
                         absl::StrCat(parts..., ": ", status.message()));
  status.ForEachPayload(
      [&annotated](absl::string_view url, const absl::Cord& payload) {
        annotated.SetPayload(url, payload);
      });
  return annotated;
}

}  // namespace schleuse

#define SCHLEUSE_CONCAT_INNER(a, b) a##b
#define SCHLEUSE_CONCAT(a, b) SCHLEUSE_CONCAT_INNER(a, b)

#define RETURN_IF_ERROR(expression)                           \
  do {                                                        \
    if (absl::Status status_ = (expression); !status_.ok()) { \
      return status_;                                         \
    }                                                         \
  } while (false)

#define ASSIGN_OR_RETURN(declaration, expression)                         \
  ASSIGN_OR_RETURN_INNER(SCHLEUSE_CONCAT(result_, __LINE__), declaration, \
                         expression)
#define ASSIGN_OR_RETURN_INNER(result, declaration, expression) \
  auto result = (expression);                                   \
  if (!result.ok()) return std::move(result).status();          \
  declaration = *std::move(result)

#endif  // SCHLEUSE_BASE_STATUS_H_
