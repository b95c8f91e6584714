#include "witness/witness_key.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status.h"

namespace schleuse {
namespace {

constexpr absl::string_view kMarker = "witness.marker";
constexpr absl::string_view kMarkerHeader = "schleuse-witness-state-v1\n";
constexpr absl::string_view kKeyFile = "ed25519.pem";
constexpr uint64_t kFileBytesMax = 64 << 10;

std::string MarkerPath(const WitnessPlaces& places) {
  return JoinPath(places.state_directory, kMarker);
}
std::string KeyPath(const WitnessPlaces& places) {
  return JoinPath(places.key_directory, kKeyFile);
}

absl::Status Refuse(absl::string_view what) {
  return absl::FailedPreconditionError(what);
}

absl::StatusOr<bool> IsThere(const Disk& disk, const std::string& path) {
  const absl::Status there = disk.Stat(path).status();
  if (absl::IsNotFound(there)) return false;
  RETURN_IF_ERROR(there);
  return true;
}

// Nothing but what an interrupted init leaves.
absl::Status CheckFresh(const Disk& disk, const WitnessPlaces& places) {
  ASSIGN_OR_RETURN(const bool key, IsThere(disk, KeyPath(places)));
  ASSIGN_OR_RETURN(const bool marker, IsThere(disk, MarkerPath(places)));
  if (key && marker) {
    return Refuse(absl::StrCat(places.state_directory,
                               " is a witness's already; nothing was changed"));
  }
  if (key) {
    return Refuse(absl::StrCat(
        KeyPath(places), " is there, but not what it cosigned: is ",
        places.state_directory,
        " mounted? If the state is lost, choose another name and another "
        "key_directory: this key must never cosign again"));
  }
  for (const std::string& directory :
       {places.state_directory, places.key_directory}) {
    ASSIGN_OR_RETURN(const std::vector<std::string> names,
                     disk.List(directory));
    for (const std::string& name : names) {
      if (name == "lost+found" || name == kMarker ||
          name == absl::StrCat(kMarker, ".new") ||
          name == absl::StrCat(kKeyFile, ".new")) {
        continue;
      }
      return Refuse(absl::StrCat(directory, " is not empty: it holds ", name,
                                 "; choose another directory, or move that "
                                 "away"));
    }
  }
  return absl::OkStatus();
}

absl::Status MakePlace(Disk& disk, const std::string& directory) {
  ASSIGN_OR_RETURN(const bool parent, IsThere(disk, ParentOf(directory)));
  if (!parent) {
    return Refuse(absl::StrCat(ParentOf(directory),
                               " is missing: mount or make it first"));
  }
  return MakeDirectories(disk, directory);
}

}  // namespace

absl::StatusOr<WitnessKey> WitnessKey::Make(absl::string_view name,
                                            PrivateKey key) {
  ASSIGN_OR_RETURN(
      NoteVerifier verifier,
      NoteVerifier::Make(name, NoteKeyType::kCosignature, key.public_key()));
  return WitnessKey(std::move(verifier), std::move(key));
}

std::string WitnessKey::Line(absl::string_view note_text, uint64_t time) const {
  // Make saw to it that name and key can sign.
  return *CosignatureLine(verifier_.name(), key_, note_text, time);
}

absl::StatusOr<WitnessKey> InitWitness(Disk& disk,
                                       const WitnessPlaces& places) {
  RETURN_IF_ERROR(MakePlace(disk, places.state_directory));
  RETURN_IF_ERROR(MakePlace(disk, places.key_directory));
  RETURN_IF_ERROR(CheckFresh(disk, places));
  PrivateKey secret = PrivateKey::Generate(KeyKind::kEd25519);
  const std::string pem = secret.ToPem();
  ASSIGN_OR_RETURN(WitnessKey key,
                   WitnessKey::Make(places.name, std::move(secret)));
  // The key comes last: without it the state is nobody's.
  RETURN_IF_ERROR(WriteFileAtomically(
      disk, MarkerPath(places),
      absl::StrCat(kMarkerHeader, key.verifier().ToString(), "\n")));
  RETURN_IF_ERROR(WriteFileAtomically(disk, KeyPath(places), pem));
  return key;
}

absl::StatusOr<WitnessKey> OpenWitnessKey(const Disk& disk,
                                          const WitnessPlaces& places) {
  absl::StatusOr<std::string> marker =
      ReadFile(disk, MarkerPath(places), kFileBytesMax);
  if (absl::IsNotFound(marker.status())) {
    return Refuse(absl::StrCat(
        MarkerPath(places),
        " is missing: is the disk mounted? Before the first start run "
        "schleuse-witness init"));
  }
  RETURN_IF_ERROR(marker.status());
  const std::string path = KeyPath(places);
  const absl::StatusOr<FileInfo> info = disk.Stat(path);
  if (absl::IsNotFound(info.status())) {
    return Refuse(absl::StrCat(path, " is missing"));
  }
  RETURN_IF_ERROR(info.status());
  if (info->others_may_read) {
    return Refuse(absl::StrCat("others may read ", path,
                               ": chmod 600 it, and think of who did"));
  }
  ASSIGN_OR_RETURN(const std::string pem, ReadFile(disk, path, kFileBytesMax));
  absl::StatusOr<PrivateKey> secret = PrivateKey::FromPem(pem);
  if (!secret.ok() || secret->kind() != KeyKind::kEd25519) {
    return Refuse(absl::StrCat(path, " is no Ed25519 key"));
  }
  ASSIGN_OR_RETURN(WitnessKey key,
                   WitnessKey::Make(places.name, *std::move(secret)));
  absl::string_view owner = *marker;
  if (!absl::ConsumePrefix(&owner, kMarkerHeader) ||
      owner != absl::StrCat(key.verifier().ToString(), "\n")) {
    return Refuse(absl::StrCat(
        MarkerPath(places),
        " is the state of another name or key: put back the ones that belong "
        "together"));
  }
  return key;
}

}  // namespace schleuse
