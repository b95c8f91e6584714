#include "gateway/rpc/grpc_log.h"

#include <grpc/support/log.h>

#include <map>
#include <utility>

#include "absl/time/clock.h"
#include "base/log.h"
#include "base/log_budget.h"
#include "base/mutex.h"

namespace schleuse {
namespace {

// More than these say nothing new.
constexpr int kLinesPerSecond = 1;

// Of the source line that `args` names; there are only so many.
LogBudget& BudgetOf(const gpr_log_func_args& args) {
  // Never destroyed: gRPC may log while the process ends.
  static Mutex& mutex = *new Mutex;
  static auto& budgets = *new std::map<std::pair<const char*, int>, LogBudget>;
  MutexLock lock(mutex);
  return budgets.try_emplace({args.file, args.line}, kLinesPerSecond)
      .first->second;
}

void OnGrpcLog(gpr_log_func_args* args) {
  if (const auto left_out = BudgetOf(*args).Take(absl::Now())) {
    Log(args->severity == GPR_LOG_SEVERITY_ERROR ? Severity::kWarning
                                                 : Severity::kInfo,
        "grpc", {{"message", args->message}, {"left_out", *left_out}});
  }
}

}  // namespace

void RouteGrpcLog() { gpr_set_log_function(OnGrpcLog); }

}  // namespace schleuse
