#include "evidence/statement.h"

#include <google/protobuf/util/json_util.h>

#include "absl/status/status.h"

namespace schleuse {

absl::StatusOr<statement::v1::Statement> ParseStatement(
    absl::string_view bytes) {
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  statement::v1::Statement statement;
  const auto status = google::protobuf::util::JsonStringToMessage(
      {bytes.data(), bytes.size()}, &statement, options);
  if (!status.ok()) return absl::DataLossError("it is no statement");
  return statement;
}

}  // namespace schleuse
