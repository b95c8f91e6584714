// The payload of a record in a transfer's journal: read, it is written again
// so that it means the same.
#include <google/protobuf/stubs/logging.h>

#include <optional>
#include <string>
#include <variant>

#include "base/recording_name.h"
#include "gateway/spool/journal.h"
#include "tests/fuzz/fuzz.h"

namespace schleuse {

void Fuzz(absl::string_view payload) {
  google::protobuf::SetLogHandler(nullptr);  // it speaks of every bad string
  const std::optional<journal::Record> record = journal::Decode(payload);
  journal::Summary summary;
  const bool begins = summary.Add(record);
  FUZZ_CHECK(begins == summary.begun.has_value());
  if (!record) {
    FUZZ_CHECK(!begins);
    return;
  }
  FUZZ_CHECK(begins == std::holds_alternative<Begun>(*record));
  if (begins) {
    FUZZ_CHECK(IsId(summary.begun->name.camera_id()));
    FUZZ_CHECK(IsId(summary.begun->name.recording_id()));
  }
  const std::string bytes = journal::Encode(*record);
  const std::optional<journal::Record> again = journal::Decode(bytes);
  FUZZ_CHECK(again.has_value());
  FUZZ_CHECK(again->index() == record->index());
  FUZZ_CHECK(journal::Encode(*again) == bytes);
}

}  // namespace schleuse
