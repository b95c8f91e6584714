// A recording in memory that can change, vanish and fail under its reader.
#ifndef SCHLEUSE_CLIENT_UPLOADER_FAKE_SOURCE_H_
#define SCHLEUSE_CLIENT_UPLOADER_FAKE_SOURCE_H_

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/uploader/source.h"

namespace schleuse::client {

class FakeSource final : public Source {
 public:
  explicit FakeSource(std::string bytes) : bytes_(std::move(bytes)) {}

  absl::StatusOr<uint64_t> Size() override { return bytes_.size(); }
  absl::StatusOr<absl::Cord> Read(uint64_t offset, uint64_t length) override {
    if (!read_error.ok()) return read_error;
    longest_read = std::max(longest_read, length);
    bytes_read += length;
    return absl::Cord(absl::string_view(bytes_).substr(offset, length));
  }
  absl::Status CheckUnchanged() override { return change; }

  absl::Status read_error;
  absl::Status change;  // what CheckUnchanged says
  uint64_t longest_read = 0;
  uint64_t bytes_read = 0;

 private:
  const std::string bytes_;
};

}  // namespace schleuse::client

#endif  // SCHLEUSE_CLIENT_UPLOADER_FAKE_SOURCE_H_
