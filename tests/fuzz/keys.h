// Keys that sign what the evidence targets read. Nobody trusts them: whoever
// reads this file can make them.
#ifndef SCHLEUSE_TESTS_FUZZ_KEYS_H_
#define SCHLEUSE_TESTS_FUZZ_KEYS_H_

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "crypto/digest.h"
#include "crypto/signer.h"
#include "evidence/checkpoint.h"

namespace schleuse::fuzz_keys {

inline constexpr absl::string_view kGateway = "police.example/gw-1";
inline constexpr absl::string_view kOrigin = "police.example/gw-1/custody/2026";
inline constexpr absl::string_view kWitness = "witness.example/w-1";

inline PrivateKey Key(absl::string_view owner) {
  const Digest seed = Sha256::Of(absl::StrCat("fuzz tests: ", owner));
  return *PrivateKey::FromEd25519Seed(seed.bytes());
}
inline const PrivateKey& GatewayKey() {
  static const auto& key = *new PrivateKey(Key(kGateway));
  return key;
}
inline const PrivateKey& WitnessKey() {
  static const auto& key = *new PrivateKey(Key(kWitness));
  return key;
}
inline const NoteVerifier& Witness() {
  static const auto& witness = *new NoteVerifier(*NoteVerifier::Make(
      kWitness, NoteKeyType::kCosignature, WitnessKey().public_key()));
  return witness;
}
inline PinnedKeys Pinned(absl::string_view gateway = kGateway) {
  return *PinnedKeys::Make(gateway, {GatewayKey().public_key()});
}
// A checkpoint's text, signed under its origin.
inline absl::StatusOr<std::string> Sign(absl::string_view text,
                                        absl::string_view origin = kOrigin) {
  const absl::StatusOr<NoteSigner> signer =
      NoteSigner::Make(origin, GatewayKey());
  if (!signer.ok()) return signer.status();
  return SignNote(text, {*signer});
}

}  // namespace schleuse::fuzz_keys

#endif  // SCHLEUSE_TESTS_FUZZ_KEYS_H_
