// Receipts for tests, by a gateway whose log holds one statement.
#ifndef SCHLEUSE_EVIDENCE_TEST_RECEIPTS_H_
#define SCHLEUSE_EVIDENCE_TEST_RECEIPTS_H_

#include <string>

#include "absl/strings/str_cat.h"
#include "evidence/merkle.h"
#include "evidence/stored_receipt.h"

namespace schleuse {

class TestReceipts {
 public:
  explicit TestReceipts(std::string gateway = "police.example/gw-1")
      : gateway_(std::move(gateway)) {}

  struct Given {
    std::string statement;
    std::string receipt;
  };

  PinnedKeys pinned() const {
    return *PinnedKeys::Make(gateway_,
                             {ed25519_.public_key(), ecdsa_.public_key()});
  }
  std::string StatementFor(const Held& held) const {
    return absl::StrCat(
        R"({"gateway":")", gateway_,
        R"(","time":"2026-11-26T18:05:29.123456Z","clock_synchronised":true,)"
        R"("nonce":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",)"
        R"("stored":{"transfer":{"camera_id":")",
        held.name.camera_id(), R"(","recording_id":")",
        held.name.recording_id(),
        R"(","transfer_id":"00000000000000000000000000000001",)"
        R"("device":"spiffe://police.example/dock/s/d"},"size":")",
        held.size, R"(","sha256":")", held.sha256.ToHex(),
        R"(","location":"cam/rec","verified":"WRITTEN_AND_SYNCED"}})");
  }
  Given Sign(std::string statement) const {
    const std::string origin = absl::StrCat(gateway_, "/custody/2026");
    const std::string text = ToText(Checkpoint{origin, 1, LeafHash(statement)});
    const Receipt receipt = {
        .index = 0,
        .proof = {},
        .checkpoint = *SignNote(text, {*NoteSigner::Make(origin, ed25519_),
                                       *NoteSigner::Make(origin, ecdsa_)})};
    return {std::move(statement), ToText(receipt)};
  }
  Given For(const Held& held) const { return Sign(StatementFor(held)); }

 private:
  const std::string gateway_;
  const PrivateKey ed25519_ = PrivateKey::Generate(KeyKind::kEd25519);
  const PrivateKey ecdsa_ = PrivateKey::Generate(KeyKind::kEcdsaP256);
};

}  // namespace schleuse

#endif  // SCHLEUSE_EVIDENCE_TEST_RECEIPTS_H_
