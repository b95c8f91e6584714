// The TLS profile of the whole house (BSI TR-02102-2, TR-03116-4): TLS 1.3
// alone, TLS_AES_256_GCM_SHA384 and TLS_AES_128_GCM_SHA256, secp256r1, ECDSA
// and RSA-PSS with SHA-2, no session tickets. It knows no certificates.
#ifndef SCHLEUSE_CRYPTO_TLS_PROFILE_H_
#define SCHLEUSE_CRYPTO_TLS_PROFILE_H_

#include "absl/status/status.h"

namespace schleuse {

// Makes the profile the default of OpenSSL in this process, for gRPC and
// everything else that brings its own TLS code. Call it first in main, before
// any thread and before gRPC starts.
//   Internal  OpenSSL refuses the profile: do not go on
absl::Status InstallTlsProfile();

}  // namespace schleuse

#endif  // SCHLEUSE_CRYPTO_TLS_PROFILE_H_
