#include "witness/witness.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/fake_executor.h"
#include "base/status_matchers.h"
#include "disk/fake_disk.h"
#include "evidence/tile.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "witness/carried.h"
#include "witness/test_log.h"

namespace schleuse {
namespace {

using absl::StatusCode;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using Kind = WitnessVerdict::Kind;

constexpr char kName[] = "dpo.example/w1";

const WitnessPlaces& Places() {
  static const auto* const places =
      new WitnessPlaces{kName, "/witness/state", "/witness/keys"};
  return *places;
}

class WitnessTest : public testing::Test {
 protected:
  WitnessTest() {
    EXPECT_OK(disk_.MakeDirectory("/witness"));
    EXPECT_OK(disk_.SyncDirectory("/"));
    EXPECT_OK(InitWitness(disk_, Places()).status());
    clock_.Advance(absl::FromUnixSeconds(1795000000) - clock_.Now());
    Start();
  }
  absl::Status Open() {
    witness_ = nullptr;
    const auto key = OpenWitnessKey(disk_, Places());
    if (!key.ok()) return key.status();
    auto opened = Witness::Open(disk_, Places().state_directory, *key,
                                {log_.pinned(), other_.pinned()}, clock_);
    if (!opened.ok()) return opened.status();
    witness_ = *std::move(opened);
    return absl::OkStatus();
  }
  void Start() { ASSERT_OK(Open()); }
  Kind Add(const std::string& body) { return witness_->Add(body).kind; }
  NoteVerifier key() const {
    return OpenWitnessKey(disk_, Places())->verifier();
  }
  std::string StatePath(absl::string_view origin) const {
    return absl::StrCat("/witness/state/", Sha256::Of(origin).ToHex());
  }

  const TestLog log_;
  const TestLog other_{"police.example/gw-2"};
  FakeDisk disk_{1};
  FakeExecutor clock_;
  std::unique_ptr<Witness> witness_;
};

// --- what it cosigns ---------------------------------------------------------

TEST_F(WitnessTest, CosignsALogThatOnlyGrows) {
  uint64_t old_size = 0;
  for (const uint64_t size : {1, 2, 3, 7, 8, 300, 300, 301}) {
    SCOPED_TRACE(size);
    const WitnessVerdict verdict = witness_->Add(log_.Ask(old_size, size));
    ASSERT_EQ(verdict.kind, Kind::kCosigned) << verdict.reason;
    const std::string note = absl::StrCat(log_.Note(size), verdict.lines);
    ASSERT_OK_AND_ASSIGN(const OpenedNote opened, OpenNote(note, {key()}));
    EXPECT_EQ(opened.signatures.front().time, 1795000000u);
    old_size = size;
  }
}

TEST_F(WitnessTest, AnEmptyLogIsOneToo) {
  EXPECT_EQ(Add(log_.Ask(0, 0)), Kind::kCosigned);
  EXPECT_EQ(Add(log_.Ask(0, 0)), Kind::kCosigned);
  EXPECT_EQ(Add(log_.Ask(0, 5)), Kind::kCosigned);
  EXPECT_EQ(Add(log_.Ask(0, 0)), Kind::kStale);
}

TEST_F(WitnessTest, KeepsLogsApart) {
  EXPECT_EQ(Add(log_.Ask(0, 5)), Kind::kCosigned);
  EXPECT_EQ(Add(log_.Ask(0, 5, "other", "2027")), Kind::kCosigned);
  EXPECT_EQ(Add(other_.Ask(0, 7)), Kind::kCosigned);
  EXPECT_EQ(Add(log_.Ask(5, 6)), Kind::kCosigned);
  EXPECT_THAT(witness_->latest(), SizeIs(3));
}

// --- what it does not --------------------------------------------------------

TEST_F(WitnessTest, WhatIsNoRequestIsMalformed) {
  for (const std::string& body :
       {std::string(), std::string("old 0\n\n"), std::string("old 0\n\nhello"),
        log_.Note(5),
        absl::StrCat("old 0\n\n",
                     ToText(Checkpoint{log_.origin(), 5, TestLog::Root(5)})),
        absl::StrReplaceAll(log_.Ask(0, 5), {{"\n5\n", "\n05\n"}})}) {
    EXPECT_EQ(Add(body), Kind::kMalformed) << body;
  }
  EXPECT_EQ(Add(log_.Ask(6, 5)), Kind::kMalformed);
  // No entries have only one root.
  const std::string rooted = log_.Sign({log_.origin(), 0, TestLog::Root(1)});
  EXPECT_EQ(Add(absl::StrCat("old 0\n\n", rooted)), Kind::kMalformed);
  EXPECT_THAT(witness_->latest(), IsEmpty());
}

TEST_F(WitnessTest, ALogOfNobodyIsUnknown) {
  const TestLog stranger("police.example/gw-3");
  EXPECT_EQ(Add(stranger.Ask(0, 5)), Kind::kUnknownOrigin);
  const std::string elsewhere =
      log_.Sign({"police.example/gw-1/log", 5, TestLog::Root(5)});
  EXPECT_EQ(Add(absl::StrCat("old 0\n\n", elsewhere)), Kind::kUnknownOrigin);
}

TEST_F(WitnessTest, AGatewayAsksForItsOwnLogAlone) {
  EXPECT_EQ(witness_->Add(log_.Ask(0, 5), "police.example/gw-2").kind,
            Kind::kUnknownOrigin);
  EXPECT_EQ(witness_->Add(log_.Ask(0, 5), "police.example/gw-1").kind,
            Kind::kCosigned);
}

TEST_F(WitnessTest, EveryPinnedKeyMustHaveSigned) {
  // Of that name, by other keys.
  const TestLog impostor;
  EXPECT_EQ(Add(impostor.Ask(0, 5)), Kind::kNotSigned);
  std::string one_line = log_.Ask(0, 5);
  one_line.erase(one_line.rfind("\xe2\x80\x94"));
  EXPECT_EQ(Add(one_line), Kind::kNotSigned);
  EXPECT_EQ(Add(absl::StrReplaceAll(log_.Ask(0, 5), {{"\n5\n", "\n6\n"}})),
            Kind::kNotSigned);
}

TEST_F(WitnessTest, WhoDoesNotKnowTheLatestIsTold) {
  ASSERT_EQ(Add(log_.Ask(0, 5)), Kind::kCosigned);
  ASSERT_EQ(Add(log_.Ask(5, 8)), Kind::kCosigned);
  for (const uint64_t old_size : {0, 5, 7}) {
    const WitnessVerdict verdict = witness_->Add(log_.Ask(old_size, 9));
    EXPECT_EQ(verdict.kind, Kind::kStale);
    EXPECT_EQ(verdict.latest, 8u);
  }
  // Back to what was before, which it did cosign once.
  EXPECT_EQ(Add(log_.Ask(5, 5)), Kind::kStale);
}

TEST_F(WitnessTest, AForkIsNotCosignedAndIsKept) {
  ASSERT_EQ(Add(log_.Ask(0, 5)), Kind::kCosigned);
  const std::string fork = log_.Ask(5, 5, "false");
  EXPECT_EQ(Add(fork), Kind::kFork);
  EXPECT_EQ(Add(log_.Ask(5, 9, "false")), Kind::kBadProof);
  EXPECT_EQ(witness_->latest().at(log_.origin()).checkpoint.root,
            TestLog::Root(5));
  // The first contradiction is evidence; others do not replace it.
  EXPECT_THAT(
      ReadFile(disk_, absl::StrCat(StatePath(log_.origin()), ".conflict"),
               1 << 20),
      IsOkAndHolds(fork));
  EXPECT_EQ(Add(log_.Ask(5, 6)), Kind::kCosigned);
}

TEST_F(WitnessTest, AForkAfterARestartIsNotCosigned) {
  ASSERT_EQ(Add(log_.Ask(0, 5)), Kind::kCosigned);
  Start();
  EXPECT_EQ(Add(log_.Ask(0, 5, "false")), Kind::kStale);
  EXPECT_EQ(Add(log_.Ask(5, 5, "false")), Kind::kFork);
  EXPECT_EQ(Add(log_.Ask(5, 6)), Kind::kCosigned);
}

TEST_F(WitnessTest, AProofThatProvesNothingIsBad) {
  ASSERT_EQ(Add(log_.Ask(0, 5)), Kind::kCosigned);
  const auto with = [&](uint64_t old_size, uint64_t size, MerkleProof proof) {
    return ToText(AddCheckpoint{old_size, std::move(proof), log_.Note(size)});
  };
  EXPECT_EQ(Add(with(5, 9, {})), Kind::kBadProof);
  EXPECT_EQ(Add(with(5, 9, {EmptyRoot()})), Kind::kBadProof);
  // Where there is nothing to be proven.
  EXPECT_EQ(Add(with(5, 5, {EmptyRoot()})), Kind::kBadProof);
  EXPECT_EQ(
      Add(absl::StrReplaceAll(
          other_.Ask(0, 5),
          {{"old 0\n", absl::StrCat("old 0\n", std::string(43, 'A'), "=\n")}})),
      Kind::kBadProof);
}

// It convicts itself, however many of them somebody with a stolen key makes:
// none leaves a file.
TEST_F(WitnessTest, AnEmptyLogWithARootIsNone) {
  const size_t files = disk_.List("/witness/state")->size();
  const std::string body = ToText(
      AddCheckpoint{0, {}, log_.Sign({log_.origin(), 0, TestLog::Root(3)})});
  EXPECT_EQ(Add(body), Kind::kMalformed);
  EXPECT_THAT(*disk_.List("/witness/state"), SizeIs(files));
}

// A verdict says what was asked for only where its signatures were good.
TEST_F(WitnessTest, WhatStrangersClaimIsNotTakenForWhatWasAsked) {
  WitnessVerdict verdict = witness_->Add(log_.Ask(0, 5));
  EXPECT_EQ(verdict.origin, log_.origin());
  EXPECT_EQ(verdict.size, 5u);
  verdict = witness_->Add(TestLog().Ask(0, 5));
  EXPECT_EQ(verdict.origin, "");
}

// --- what lasts --------------------------------------------------------------

// A cosignature that went out is never forgotten.
TEST_F(WitnessTest, WhatWasCosignedIsKnownWhereverThePowerIsCut) {
  for (int operations = 0;; ++operations) {
    SCOPED_TRACE(operations);
    const uint64_t size = 10 * static_cast<uint64_t>(operations) + 1;
    const auto before = witness_->latest();
    const auto found = before.find(log_.origin());
    const uint64_t old_size =
        found == before.end() ? 0 : found->second.checkpoint.size;
    disk_.CutPowerAfter(operations);
    const Kind kind = Add(log_.Ask(old_size, size));
    const bool cut = disk_.power_was_cut();
    if (!cut) disk_.CutPower();
    disk_.RestorePower();
    Start();
    const auto after = witness_->latest();
    const auto now = after.find(log_.origin());
    const uint64_t known = now == after.end() ? 0 : now->second.checkpoint.size;
    if (kind == Kind::kCosigned) {
      EXPECT_EQ(known, size);
    } else {
      EXPECT_EQ(kind, Kind::kFailed);
      EXPECT_TRUE(known == old_size || known == size) << known;
    }
    if (!cut) break;
    ASSERT_LT(operations, 100);
  }
}

TEST_F(WitnessTest, OnAFullDiskNothingIsCosigned) {
  ASSERT_EQ(Add(log_.Ask(0, 5)), Kind::kCosigned);
  disk_.SetCapacity(1);
  EXPECT_EQ(Add(log_.Ask(5, 6)), Kind::kFailed);
  EXPECT_EQ(witness_->latest().at(log_.origin()).checkpoint.size, 5u);
  disk_.SetCapacity(64 << 20);
  EXPECT_EQ(Add(log_.Ask(5, 6)), Kind::kCosigned);
}

// Their keys in the wrong hands shall not fill the disk.
TEST_F(WitnessTest, RemembersSoManyLogsOfAGatewayAndNoMore) {
  for (int i = 0; i < static_cast<int>(Witness::kOriginsPerGatewayMax); ++i) {
    ASSERT_EQ(Add(log_.Ask(0, 1, "true", absl::StrCat(2000 + i))),
              Kind::kCosigned);
  }
  EXPECT_EQ(Add(log_.Ask(0, 1, "true", "9000")), Kind::kFailed);
  EXPECT_EQ(Add(log_.Ask(1, 2, "true", "2000")), Kind::kCosigned);
  EXPECT_EQ(Add(other_.Ask(0, 1)), Kind::kCosigned);
}

// One hundred are read; ours would be the one too many.
TEST_F(WitnessTest, WhatStrangersAddedToANoteIsNotKept) {
  std::string body = log_.Ask(0, 5);
  for (int i = 0; i < 98; ++i) {
    absl::StrAppend(&body, "\xe2\x80\x94 stranger", i, " AAAAAAAA\n");
  }
  ASSERT_EQ(Add(body), Kind::kCosigned);
  Start();
  EXPECT_THAT(witness_->latest().at(log_.origin()).note,
              testing::Not(HasSubstr("stranger")));
  EXPECT_EQ(Add(log_.Ask(5, 6)), Kind::kCosigned);
}

// The same line a hundred times is as many.
TEST_F(WitnessTest, ASignatureIsKeptOnce) {
  std::string body = log_.Ask(0, 5);
  const std::string line = body.substr(body.rfind("\xe2\x80\x94"));
  for (int i = 0; i < 98; ++i) body += line;
  ASSERT_EQ(Add(body), Kind::kCosigned);
  Start();
  EXPECT_THAT(witness_->latest(), SizeIs(1));
  EXPECT_EQ(Add(log_.Ask(5, 6)), Kind::kCosigned);
}

TEST_F(WitnessTest, ADamagedStateIsRefused) {
  ASSERT_EQ(Add(log_.Ask(0, 5)), Kind::kCosigned);
  const std::string path = StatePath(log_.origin());
  const std::string whole = *ReadFile(disk_, path, 1 << 20);
  for (size_t i = 0; i < whole.size(); i += 7) {
    std::string bytes = whole;
    bytes[i] ^= 1;
    ASSERT_OK(WriteFileAtomically(disk_, path, bytes));
    // Not every byte of the log's own signatures counts here: that we cosigned
    // the text does.
    if (Open().ok()) {
      EXPECT_EQ(witness_->latest().at(log_.origin()).checkpoint.size, 5u);
      continue;
    }
    EXPECT_THAT(Open(), StatusIs(StatusCode::kDataLoss, HasSubstr(path)));
  }
  ASSERT_OK(WriteFileAtomically(disk_, path, ""));
  EXPECT_THAT(Open(), StatusIs(StatusCode::kDataLoss, HasSubstr(path)));
  // Of one log under the name of another.
  ASSERT_OK(WriteFileAtomically(disk_, path, whole));
  ASSERT_OK(WriteFileAtomically(disk_, StatePath("elsewhere"), whole));
  EXPECT_THAT(Open(), StatusIs(StatusCode::kDataLoss, HasSubstr("is of")));
}

// --- keys and places ---------------------------------------------------------

TEST_F(WitnessTest, InitNeverTouchesWhatIsThere) {
  EXPECT_THAT(InitWitness(disk_, Places()).status(),
              StatusIs(StatusCode::kFailedPrecondition,
                       HasSubstr("a witness's already")));
}

TEST_F(WitnessTest, AStateThatIsGoneIsNoFirstDay) {
  ASSERT_EQ(Add(log_.Ask(0, 5)), Kind::kCosigned);
  const std::vector<std::string> names = *disk_.List("/witness/state");
  for (const std::string& name : names) {
    ASSERT_OK(disk_.Remove(JoinPath("/witness/state", name)));
  }
  EXPECT_THAT(Open(), StatusIs(StatusCode::kFailedPrecondition,
                               HasSubstr("is the disk mounted?")));
  EXPECT_THAT(InitWitness(disk_, Places()).status(),
              StatusIs(StatusCode::kFailedPrecondition,
                       HasSubstr("must never cosign again")));
}

TEST_F(WitnessTest, AnotherNameOrKeyIsRefused) {
  WitnessPlaces renamed = Places();
  renamed.name = "dpo.example/w2";
  EXPECT_THAT(OpenWitnessKey(disk_, renamed),
              StatusIs(StatusCode::kFailedPrecondition,
                       HasSubstr("another name or key")));
  ASSERT_OK(
      WriteFileAtomically(disk_, "/witness/keys/ed25519.pem",
                          PrivateKey::Generate(KeyKind::kEd25519).ToPem()));
  EXPECT_THAT(Open(), StatusIs(StatusCode::kFailedPrecondition,
                               HasSubstr("another name or key")));
  ASSERT_OK(WriteFileAtomically(disk_, "/witness/keys/ed25519.pem", "none"));
  EXPECT_THAT(Open(), StatusIs(StatusCode::kFailedPrecondition,
                               HasSubstr("no Ed25519 key")));
  ASSERT_OK(disk_.Remove("/witness/keys/ed25519.pem"));
  EXPECT_THAT(Open(), StatusIs(StatusCode::kFailedPrecondition,
                               HasSubstr("is missing")));
}

TEST(WitnessInitTest, CanBeBegunAnewWhereverThePowerIsCut) {
  for (int operations = 0;; ++operations) {
    SCOPED_TRACE(operations);
    FakeDisk disk(static_cast<uint64_t>(operations));
    ASSERT_OK(disk.MakeDirectory("/witness"));
    ASSERT_OK(disk.SyncDirectory("/"));
    disk.CutPowerAfter(operations);
    const bool made = InitWitness(disk, Places()).ok();
    const bool cut = disk.power_was_cut();
    if (!cut) disk.CutPower();
    disk.RestorePower();
    if (made || OpenWitnessKey(disk, Places()).ok()) {
      EXPECT_OK(OpenWitnessKey(disk, Places()).status());
    } else {
      EXPECT_OK(InitWitness(disk, Places()).status());
      EXPECT_OK(OpenWitnessKey(disk, Places()).status());
    }
    if (!cut) break;
    ASSERT_LT(operations, 100);
  }
}

TEST(WitnessInitTest, TakesNoDirectoryThatHoldsSomethingElse) {
  FakeDisk disk;
  ASSERT_OK(MakeDirectories(disk, "/witness/state"));
  ASSERT_OK(WriteFileAtomically(disk, "/witness/state/letter", "dear"));
  EXPECT_THAT(InitWitness(disk, Places()).status(),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("letter")));
  const WitnessPlaces nowhere = {kName, "/none/state", "/none/keys"};
  EXPECT_THAT(InitWitness(disk, nowhere).status(),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("mount")));
}

// --- by stick ----------------------------------------------------------------

class CarriedTest : public WitnessTest {
 protected:
  // The log as it is published, in full tiles and a partial one.
  void Carry(uint64_t size, absl::string_view story = "true") {
    ASSERT_OK(MakeDirectories(disk_, "/stick"));
    ASSERT_OK(WriteFileAtomically(disk_, "/stick/checkpoint",
                                  log_.Note(size, story)));
    for (int level = 0; (size >> (8 * level)) > 0; ++level) {
      const uint64_t hashes = size >> (8 * level);
      for (uint64_t number = 0; number * kTileWidth < hashes; ++number) {
        const uint64_t width = TileWidthAt(hashes, number);
        std::string tile;
        for (uint64_t i = 0; i < width; ++i) {
          absl::StrAppend(
              &tile, TestLog::Node(story, 8 * level, number * kTileWidth + i)
                         ->bytes());
        }
        const std::string path =
            JoinPath("/stick", TilePath(level, number, width));
        ASSERT_OK(MakeDirectories(disk_, ParentOf(path)));
        ASSERT_OK(WriteFileAtomically(disk_, path, tile));
      }
    }
  }
  absl::StatusOr<Kind> Cosign() {
    const auto request = ReadCarried(disk_, "/stick", *witness_);
    if (!request.ok()) return request.status();
    return Add(ToText(*request));
  }
};

TEST_F(CarriedTest, ALogOnAStickIsCosignedLikeAnyOther) {
  for (const uint64_t size : {3, 3, 200, 256, 600}) {
    SCOPED_TRACE(size);
    Carry(size);
    EXPECT_THAT(Cosign(), IsOkAndHolds(Kind::kCosigned));
  }
  EXPECT_EQ(Add(log_.Ask(600, 601)), Kind::kCosigned);
}

TEST_F(CarriedTest, ATileThatGrewIsAsGood) {
  Carry(300);
  ASSERT_THAT(Cosign(), IsOkAndHolds(Kind::kCosigned));
  Carry(600);
  // The checkpoint is older than the tiles beside it.
  ASSERT_OK(WriteFileAtomically(disk_, "/stick/checkpoint", log_.Note(500)));
  EXPECT_THAT(Cosign(), IsOkAndHolds(Kind::kCosigned));
}

TEST_F(CarriedTest, AnOlderCopyIsRefused) {
  Carry(300);
  ASSERT_THAT(Cosign(), IsOkAndHolds(Kind::kCosigned));
  Carry(200);
  EXPECT_THAT(Cosign(), IsOkAndHolds(Kind::kMalformed));
}

TEST_F(CarriedTest, AForkIsRefused) {
  Carry(300);
  ASSERT_THAT(Cosign(), IsOkAndHolds(Kind::kCosigned));
  Carry(310, "false");
  EXPECT_THAT(Cosign(), IsOkAndHolds(Kind::kBadProof));
}

TEST_F(CarriedTest, WhatIsNoLogIsSaidToBeNone) {
  EXPECT_THAT(Cosign(), StatusIs(StatusCode::kNotFound));
  Carry(300);
  ASSERT_THAT(Cosign(), IsOkAndHolds(Kind::kCosigned));
  Carry(301);
  ASSERT_OK(disk_.Remove("/stick/tile/0/001.p/45"));
  EXPECT_THAT(Cosign(), StatusIs(StatusCode::kNotFound));
  ASSERT_OK(WriteFileAtomically(disk_, "/stick/checkpoint", "hello"));
  EXPECT_THAT(Cosign(), StatusIs(StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace schleuse
