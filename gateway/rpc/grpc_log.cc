#include "gateway/rpc/grpc_log.h"

#include <grpc/support/log.h>

#include <map>
#include <utility>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/log.h"
#include "base/mutex.h"

namespace schleuse {
namespace {

// Whoever can make gRPC complain must not fill our disk with it.
constexpr absl::Duration kQuiet = absl::Seconds(1);

struct Source {
  absl::Time last = absl::InfinitePast();
  int left_out = 0;
};

void OnGrpcLog(gpr_log_func_args* args) {
  // Never destroyed: gRPC may log while the process ends.
  static Mutex& mutex = *new Mutex;
  static auto& sources = *new std::map<std::pair<const char*, int>, Source>;
  int left_out;
  {
    MutexLock lock(mutex);
    Source& source = sources[{args->file, args->line}];
    const absl::Time now = absl::Now();
    if (now - source.last < kQuiet) {
      ++source.left_out;
      return;
    }
    source.last = now;
    left_out = std::exchange(source.left_out, 0);
  }
  Log(args->severity == GPR_LOG_SEVERITY_ERROR ? Severity::kWarning
                                               : Severity::kInfo,
      "grpc", {{"message", args->message}, {"left_out", left_out}});
}

}  // namespace

void RouteGrpcLog() { gpr_set_log_function(OnGrpcLog); }

}  // namespace schleuse
