// Statements: what is read means the same once it is written anew.
#include <google/protobuf/stubs/logging.h>
#include <google/protobuf/util/json_util.h>

#include <string>

#include "absl/status/status.h"
#include "base/utf8.h"
#include "evidence/statement.h"
#include "tests/fuzz/fuzz.h"

namespace schleuse {

void Fuzz(absl::string_view bytes) {
  // It speaks of every bad string.
  google::protobuf::SetLogHandler(nullptr);
  const absl::StatusOr<statement::v1::Statement> statement =
      ParseStatement(bytes);
  if (!statement.ok()) {
    FUZZ_CHECK(absl::IsDataLoss(statement.status()));
    return;
  }
  std::string json;
  FUZZ_CHECK(
      google::protobuf::util::MessageToJsonString(*statement, &json).ok());
  FUZZ_CHECK(IsUtf8(json));
  const absl::StatusOr<statement::v1::Statement> again = ParseStatement(json);
  FUZZ_CHECK(again.ok());
  FUZZ_CHECK(again->SerializeAsString() == statement->SerializeAsString());
}

}  // namespace schleuse
