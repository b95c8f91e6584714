// The TLS profile (tls_profile.h) on one context. For crypto/*.cc alone.
#ifndef SCHLEUSE_CRYPTO_TLS_COMMANDS_H_
#define SCHLEUSE_CRYPTO_TLS_COMMANDS_H_

#include "absl/status/status.h"

struct ssl_ctx_st;

namespace schleuse {

// Internal: OpenSSL refuses a command of it.
absl::Status ApplyTlsProfile(ssl_ctx_st* context);

}  // namespace schleuse

#endif  // SCHLEUSE_CRYPTO_TLS_COMMANDS_H_
