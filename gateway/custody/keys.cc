#include "gateway/custody/keys.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace schleuse {
namespace {

struct KeyFile {
  KeyKind kind;
  absl::string_view name;
};
constexpr KeyFile kFiles[] = {
    {KeyKind::kEd25519, "ed25519.pem"},
    {KeyKind::kEcdsaP256, "ecdsa-p256.pem"},
};
constexpr uint64_t kPemBytesMax = 16 << 10;

absl::Status Unusable(absl::string_view path, absl::string_view what) {
  return absl::FailedPreconditionError(
      absl::StrCat("the custody log's key ", path, " ", what));
}

}  // namespace

absl::StatusOr<CustodyKeys> CustodyKeys::Make(absl::string_view gateway,
                                              std::vector<PrivateKey> keys) {
  std::vector<PublicKey> public_keys;
  for (const PrivateKey& key : keys) public_keys.push_back(key.public_key());
  ASSIGN_OR_RETURN(PinnedKeys pinned,
                   PinnedKeys::Make(gateway, std::move(public_keys)));
  return CustodyKeys(std::move(pinned), std::move(keys));
}

absl::StatusOr<CustodyKeys> CustodyKeys::Generate(absl::string_view gateway) {
  std::vector<PrivateKey> keys;
  for (const KeyFile& file : kFiles) {
    keys.push_back(PrivateKey::Generate(file.kind));
  }
  return Make(gateway, std::move(keys));
}

absl::Status CustodyKeys::Save(Disk& disk, absl::string_view directory) const {
  for (size_t i = 0; i < keys_.size(); ++i) {
    ASSIGN_OR_RETURN(const std::unique_ptr<File> file,
                     disk.Create(JoinPath(directory, kFiles[i].name)));
    RETURN_IF_ERROR(file->Write(0, keys_[i].ToPem()));
    RETURN_IF_ERROR(file->Sync());
  }
  return disk.SyncDirectory(directory);
}

absl::StatusOr<CustodyKeys> CustodyKeys::Load(const Disk& disk,
                                              absl::string_view directory,
                                              absl::string_view gateway) {
  std::vector<PrivateKey> keys;
  for (const KeyFile& file : kFiles) {
    const std::string path = JoinPath(directory, file.name);
    const absl::StatusOr<std::string> pem = ReadFile(disk, path, kPemBytesMax);
    if (absl::IsNotFound(pem.status())) {
      return Unusable(path,
                      "is missing: restore it; without it no receipt is given");
    }
    RETURN_IF_ERROR(pem.status());
    ASSIGN_OR_RETURN(const FileInfo info, disk.Stat(path));
    if (info.others_may_read) {
      return Unusable(path,
                      "can be read by others: chmod 600 it, and find out who "
                      "has read it");
    }
    absl::StatusOr<PrivateKey> key = PrivateKey::FromPem(*pem);
    if (!key.ok() || key->kind() != file.kind) {
      return Unusable(path, "is not the key that its name says");
    }
    keys.push_back(*std::move(key));
  }
  return Make(gateway, std::move(keys));
}

std::string CustodyKeys::Sign(const Checkpoint& checkpoint) const {
  std::vector<NoteSigner> signers;
  for (const PrivateKey& key : keys_) {
    signers.push_back(*NoteSigner::Make(checkpoint.origin, key));
  }
  return *SignNote(ToText(checkpoint), signers);
}

}  // namespace schleuse
