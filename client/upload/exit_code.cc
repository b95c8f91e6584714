#include "client/upload/exit_code.h"

#include <set>

namespace schleuse::client {
namespace {

int ExitCodeOf(const View& view) {
  if (!view.result) return kExitInterrupted;
  switch (view.result->status.code()) {
    case absl::StatusCode::kOk:
      return kExitStored;
    case absl::StatusCode::kCancelled:
      return kExitInterrupted;
    case absl::StatusCode::kDeadlineExceeded:
      return kExitGaveUp;
    case absl::StatusCode::kDataLoss:
      return kExitDataLoss;
    default:
      return kExitFailed;
  }
}

}  // namespace

int ExitCodeOf(const std::vector<View>& views) {
  std::set<int> codes;
  for (const View& view : views) codes.insert(ExitCodeOf(view));
  for (const int code :
       {kExitDataLoss, kExitInterrupted, kExitFailed, kExitGaveUp}) {
    if (codes.count(code) > 0) return code;
  }
  return kExitStored;
}

}  // namespace schleuse::client
