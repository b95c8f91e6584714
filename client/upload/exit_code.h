// What the program's end says about its recordings.
#ifndef SCHLEUSE_CLIENT_UPLOAD_EXIT_CODE_H_
#define SCHLEUSE_CLIENT_UPLOAD_EXIT_CODE_H_

#include <vector>

#include "client/upload/format.h"

namespace schleuse::client {

inline constexpr int kExitStored = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitInterrupted = 3;
inline constexpr int kExitGaveUp = 4;
inline constexpr int kExitDataLoss = 5;

// The gravest that applies. A recording without a result was interrupted.
int ExitCodeOf(const std::vector<View>& views);

}  // namespace schleuse::client

#endif  // SCHLEUSE_CLIENT_UPLOAD_EXIT_CODE_H_
