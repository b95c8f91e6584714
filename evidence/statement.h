// Statements of a custody log, read: proto/statement.proto as JSON (proto3 JSON
// mapping, docs/formats.md). Their bytes are kept as they are; nobody writes
// them a second time.
#ifndef SCHLEUSE_EVIDENCE_STATEMENT_H_
#define SCHLEUSE_EVIDENCE_STATEMENT_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/statement.pb.h"

namespace schleuse {

// Passes over fields of later versions; then it may say no event.
//   DataLoss  these bytes are no statement
absl::StatusOr<statement::v1::Statement> ParseStatement(
    absl::string_view bytes);

}  // namespace schleuse

#endif  // SCHLEUSE_EVIDENCE_STATEMENT_H_
