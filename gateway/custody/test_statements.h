// Whose log the tests of this room keep, and what it says.
#ifndef SCHLEUSE_GATEWAY_CUSTODY_TEST_STATEMENTS_H_
#define SCHLEUSE_GATEWAY_CUSTODY_TEST_STATEMENTS_H_

#include "absl/strings/str_cat.h"
#include "base/random.h"
#include "crypto/digest.h"
#include "gateway/custody/keys.h"
#include "gateway/custody/statement.h"

namespace schleuse {

constexpr char kGateway[] = "police.example/gw-1";

// One set for all tests: making keys takes long, and no test needs its own.
inline const CustodyKeys& Keys() {
  static const auto* const keys =
      new CustodyKeys(*CustodyKeys::Generate(kGateway));
  return *keys;
}

inline statement::Stored StoredOf(int number) {
  SeededRandom random(static_cast<uint64_t>(number) + 1);
  return {.name = *RecordingName::Parse("bwc-1", absl::StrCat("r", number)),
          .transfer_id = TransferId::Make(random),
          .device = "spiffe://police.example/dock/s1/d1",
          .size = 7,
          .sha256 = Sha256::Of("footage"),
          .location = "there",
          .read_back = false,
          .metadata = {}};
}

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_CUSTODY_TEST_STATEMENTS_H_
