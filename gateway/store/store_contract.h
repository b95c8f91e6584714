// What every store must keep: the promises of store.h as tests. A store's own
// test includes this and instantiates StoreContractTest with a harness.
#ifndef SCHLEUSE_GATEWAY_STORE_STORE_CONTRACT_H_
#define SCHLEUSE_GATEWAY_STORE_STORE_CONTRACT_H_

#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "base/random.h"
#include "base/status_matchers.h"
#include "crypto/signer.h"
#include "evidence/checkpoint.h"
#include "evidence/merkle.h"
#include "evidence/note.h"
#include "evidence/receipt.h"
#include "gateway/store/store.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {

// A store and a spool for it.
class StoreHarness {
 public:
  virtual ~StoreHarness() = default;
  virtual Store& store() = 0;
  // A durable file in the spool; always a new one.
  virtual StoreSource Spool(const RecordingName& name,
                            absl::string_view bytes) = 0;
  // A new process, whose memory is empty.
  virtual void Restart() = 0;
  // Makes the store unreachable, and reachable again as it was.
  virtual void GoAway() = 0;
  virtual void ComeBack() = 0;
  // The witnessed receipt that lies beside a bundle; empty: none does.
  virtual std::string Witnessed(const Bundle& bundle) = 0;
};

// All steps of a commit.
inline absl::StatusOr<Bundle> CommitWhole(StoreUpload& upload, uint64_t size,
                                          const Digest& sha256) {
  while (true) {
    absl::StatusOr<std::optional<Bundle>> step = upload.Commit(size, sha256);
    if (!step.ok()) return step.status();
    if (step->has_value()) return **std::move(step);
    std::promise<void> ready;
    upload.WhenReady([&ready] { ready.set_value(); });
    ready.get_future().wait();
  }
}

using MakeStoreHarness = std::function<std::unique_ptr<StoreHarness>()>;

class StoreContractTest : public testing::TestWithParam<MakeStoreHarness> {
 protected:
  static constexpr size_t kLargeBytes = (9 << 20) + 5;

  static RecordingName Recording(absl::string_view id = "r.mp4",
                                 absl::string_view camera = "cam-1") {
    return *RecordingName::Parse(camera, id);
  }

  absl::StatusOr<Bundle> Commit(const StoreSource& source,
                                absl::string_view bytes) {
    auto upload = store().Open(source);
    if (!upload.ok()) return upload.status();
    (*upload)->Offer(bytes.size());
    return CommitWhole(**upload, bytes.size(), Sha256::Of(bytes));
  }
  absl::StatusOr<Bundle> SpoolAndCommit(const RecordingName& name,
                                        absl::string_view bytes) {
    return Commit(harness_->Spool(name, bytes), bytes);
  }
  // All that is stored under `name`, read back in pieces.
  std::vector<std::string> Stored(const RecordingName& name) {
    std::vector<std::string> all;
    const auto bundles = store().Find(name);
    EXPECT_OK(bundles);
    if (!bundles.ok()) return all;
    for (const Bundle& bundle : *bundles) all.push_back(ReadAll(bundle));
    return all;
  }
  std::string ReadAll(const Bundle& bundle) {
    const auto bytes = store().Read(bundle);
    EXPECT_OK(bytes);
    std::string all;
    while (bytes.ok()) {
      const auto piece = (*bytes)->Read(all.size(), 1000 + all.size());
      EXPECT_OK(piece);
      if (!piece.ok() || piece->empty()) break;
      all += *piece;
    }
    EXPECT_EQ(all.size(), bundle.size);
    return all;
  }

  Store& store() { return harness_->store(); }
  const std::unique_ptr<StoreHarness> harness_ = GetParam()();
};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StoreContractTest);

TEST_P(StoreContractTest, KeepsWhatWasCommitted) {
  const std::string bytes(2500, 'x');
  EXPECT_THAT(Stored(Recording()), testing::IsEmpty());
  const auto bundle = SpoolAndCommit(Recording(), bytes);
  ASSERT_OK(bundle);
  EXPECT_EQ(bundle->size, bytes.size());
  EXPECT_EQ(ReadAll(*bundle), bytes);
  EXPECT_THAT(Stored(Recording()), testing::ElementsAre(bytes));
  harness_->Restart();
  EXPECT_THAT(Stored(Recording()), testing::ElementsAre(bytes));
}

TEST_P(StoreContractTest, KeepsARecordingWithoutBytes) {
  ASSERT_OK(SpoolAndCommit(Recording(), ""));
  EXPECT_THAT(Stored(Recording()), testing::ElementsAre(""));
}

TEST_P(StoreContractTest, BundleLiesWhereTheJournalSaysItWill) {
  const StoreSource source = harness_->Spool(Recording(), "footage");
  const std::string target = store().TargetOf(source);
  const auto bundle = Commit(source, "footage");
  ASSERT_OK(bundle);
  EXPECT_EQ(bundle->location, target);
}

TEST_P(StoreContractTest, NothingIsFoundBeforeTheCommit) {
  auto upload = store().Open(harness_->Spool(Recording(), "footage"));
  ASSERT_OK(upload);
  (*upload)->Offer(3);
  EXPECT_THAT(Stored(Recording()), testing::IsEmpty());
  (*upload)->Abort();
  EXPECT_THAT(Stored(Recording()), testing::IsEmpty());
  EXPECT_OK(SpoolAndCommit(Recording(), "footage"));
}

TEST_P(StoreContractTest, CommitMayBeRepeatedAndStoresOnce) {
  const StoreSource source = harness_->Spool(Recording(), "footage");
  auto upload = store().Open(source);
  ASSERT_OK(upload);
  for (int i = 0; i < 3; ++i) {
    EXPECT_OK(CommitWhole(**upload, 7, Sha256::Of("footage")));
  }
  harness_->Restart();
  EXPECT_OK(Commit(source, "footage"));
  EXPECT_THAT(Stored(Recording()), testing::ElementsAre("footage"));
}

TEST_P(StoreContractTest, SameBytesFromAnotherTransferAreTheSameRecording) {
  ASSERT_OK(SpoolAndCommit(Recording(), "footage"));
  EXPECT_OK(SpoolAndCommit(Recording(), "footage"));
  EXPECT_THAT(Stored(Recording()), testing::ElementsAre("footage"));
}

TEST_P(StoreContractTest, OtherBytesAreRefusedAndTheFirstStay) {
  ASSERT_OK(SpoolAndCommit(Recording(), "footage"));
  for (const char* other : {"FOOTAGE", "longer footage", ""}) {
    EXPECT_THAT(SpoolAndCommit(Recording(), other),
                StatusIs(absl::StatusCode::kAlreadyExists));
    harness_->Restart();
  }
  EXPECT_THAT(Stored(Recording()), testing::ElementsAre("footage"));
}

TEST_P(StoreContractTest, RecordingsDoNotDisturbEachOther) {
  ASSERT_OK(SpoolAndCommit(Recording("r", "cam-1"), "one"));
  ASSERT_OK(SpoolAndCommit(Recording("r", "cam-2"), "two"));
  ASSERT_OK(SpoolAndCommit(Recording("s", "cam-1"), "three"));
  // One name is the beginning of another.
  ASSERT_OK(SpoolAndCommit(Recording("s~", "cam-1"), "four"));
  EXPECT_THAT(Stored(Recording("r", "cam-1")), testing::ElementsAre("one"));
  EXPECT_THAT(Stored(Recording("r", "cam-2")), testing::ElementsAre("two"));
  EXPECT_THAT(Stored(Recording("s", "cam-1")), testing::ElementsAre("three"));
  EXPECT_THAT(Stored(Recording("s~", "cam-1")), testing::ElementsAre("four"));
}

TEST_P(StoreContractTest, KeepsWhatProvesABundleBesideIt) {
  const auto bundle = SpoolAndCommit(Recording(), "footage");
  ASSERT_OK(bundle);
  EXPECT_THAT(store().ReadProof(*bundle), IsOkAndHolds(std::nullopt));
  const Proof proof = {.statement = "{}", .receipt = "receipt\n"};
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(store().Lay(std::vector<Laying>{{*bundle, proof}}),
                testing::ElementsAre(IsOk()));
    EXPECT_THAT(store().ReadProof(*bundle), IsOkAndHolds(proof));
    EXPECT_THAT(store().FindProof(Recording()), IsOkAndHolds(proof));
    harness_->Restart();
  }
  // One that cannot be laid stops no other.
  const auto other = SpoolAndCommit(*RecordingName::Parse("cam-9", "other.mp4"),
                                    "other footage");
  ASSERT_OK(other);
  EXPECT_THAT(
      store().Lay(std::vector<Laying>{
          {*bundle, {.statement = "{}", .receipt = "other\n"}},
          {*other, proof}}),
      testing::ElementsAre(StatusIs(absl::StatusCode::kAlreadyExists), IsOk()));
  EXPECT_THAT(store().ReadProof(*bundle), IsOkAndHolds(proof));
  EXPECT_THAT(store().ReadProof(*other), IsOkAndHolds(proof));
  EXPECT_THAT(Stored(Recording()), testing::ElementsAre("footage"));
}

TEST_P(StoreContractTest, LaysWhatWitnessesCosignedOnceAndForItsStatement) {
  const auto bundle = SpoolAndCommit(Recording(), "footage");
  ASSERT_OK(bundle);
  const Proof proof = {.statement = "{}", .receipt = "receipt\n"};
  const Proof witnessed = {.statement = "{}", .receipt = "witnessed\n"};
  const auto lay = [&](const Bundle& at, const Proof& what) {
    return store().LayWitnessed(std::vector<Laying>{{at, what}}).front();
  };
  EXPECT_THAT(lay(*bundle, witnessed),
              StatusIs(absl::StatusCode::kUnavailable));
  ASSERT_THAT(store().Lay(std::vector<Laying>{{*bundle, proof}}),
              testing::ElementsAre(IsOk()));
  EXPECT_THAT(lay(*bundle, {.statement = "other", .receipt = "witnessed\n"}),
              StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_THAT(harness_->Witnessed(*bundle), "");
  for (int i = 0; i < 2; ++i) {
    EXPECT_OK(lay(*bundle, witnessed));
    EXPECT_EQ(harness_->Witnessed(*bundle), "witnessed\n");
    harness_->Restart();
  }
  // The first stays: a court may have seen it.
  EXPECT_OK(lay(*bundle, {.statement = "{}", .receipt = "later\n"}));
  EXPECT_EQ(harness_->Witnessed(*bundle), "witnessed\n");
  EXPECT_THAT(store().ReadProof(*bundle), IsOkAndHolds(proof));
  Bundle gone = *bundle;
  gone.location += "x";
  EXPECT_THAT(lay(gone, witnessed), StatusIs(absl::StatusCode::kNotFound));
}

TEST_P(StoreContractTest, ListsEveryRecordingOnceInPages) {
  const auto list = [this] {
    std::vector<std::string> names;
    std::string after;
    do {
      const auto page = store().List(after);
      EXPECT_OK(page);
      if (!page.ok()) return names;
      for (const RecordingName& name : page->names) {
        names.push_back(name.ToString());
      }
      after = page->next;
    } while (!after.empty());
    return names;
  };
  EXPECT_THAT(list(), testing::IsEmpty());
  std::vector<std::string> stored;
  // One camera's name is the beginning of another's, and sorts before and
  // behind it.
  for (const char* camera : {"cam", "cam-1", "cam~1", "cam.d"}) {
    for (int i = 0; i < 5; ++i) {
      const RecordingName name = Recording(absl::StrCat("r", i), camera);
      ASSERT_OK(SpoolAndCommit(name, "footage"));
      stored.push_back(name.ToString());
    }
  }
  EXPECT_THAT(list(), testing::UnorderedElementsAreArray(stored));
  // From any of them on, as a later process does.
  const std::vector<std::string> all = list();
  for (size_t i = 0; i < all.size(); ++i) {
    const std::pair<std::string, std::string> ids = absl::StrSplit(all[i], '/');
    const auto rest =
        store().List(store().Behind(Recording(ids.second, ids.first)));
    ASSERT_OK(rest);
    if (i + 1 == all.size()) {
      EXPECT_THAT(rest->names, testing::IsEmpty());
    } else {
      ASSERT_THAT(rest->names, testing::Not(testing::IsEmpty()));
      EXPECT_EQ(rest->names.front().ToString(), all[i + 1]);
    }
  }
  harness_->Restart();
  EXPECT_THAT(list(), testing::UnorderedElementsAreArray(stored));
}

TEST_P(StoreContractTest, DeletesTheBytesAndKeepsWhatProvesThem) {
  const auto bundle = SpoolAndCommit(Recording(), "footage");
  ASSERT_OK(bundle);
  const Proof proof = {.statement = "{}", .receipt = "receipt\n"};
  const Proof deletion = {.statement = "{gone}", .receipt = "deletion\n"};
  EXPECT_THAT(store().FindProof(Recording()), IsOkAndHolds(std::nullopt));
  const absl::Status unproven = store().Delete(*bundle, deletion);
  EXPECT_EQ(absl::IsUnimplemented(unproven), !store().deletes());
  EXPECT_THAT(store().FindDeleted(Recording()), IsOkAndHolds(std::nullopt));
  EXPECT_THAT(Stored(Recording()), testing::ElementsAre("footage"));
  if (absl::IsUnimplemented(unproven)) return;
  EXPECT_THAT(unproven, StatusIs(absl::StatusCode::kFailedPrecondition));
  ASSERT_THAT(store().Lay(std::vector<Laying>{{*bundle, proof}}),
              testing::ElementsAre(IsOk()));
  ASSERT_OK(store().Delete(*bundle, deletion));
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(Stored(Recording()), testing::IsEmpty());
    const auto deleted = store().FindDeleted(Recording());
    ASSERT_OK(deleted);
    ASSERT_TRUE(deleted->has_value());
    EXPECT_THAT(store().FindProof(Recording()), IsOkAndHolds(proof));
    EXPECT_EQ((*deleted)->stored, proof);
    EXPECT_EQ((*deleted)->deletion, deletion);
    const auto page = store().List("");
    ASSERT_OK(page);
    EXPECT_THAT(page->names, testing::ElementsAre(Recording()));
    // What was deleted does not come back, and the first word of it stays.
    EXPECT_THAT(SpoolAndCommit(Recording(), "footage"),
                StatusIs(absl::StatusCode::kAlreadyExists));
    EXPECT_OK(store().Delete(
        *bundle, {.statement = "{later}", .receipt = "deletion\n"}));
    EXPECT_THAT(store().LayWitnessed(std::vector<Laying>{{*bundle, proof}}),
                testing::ElementsAre(StatusIs(absl::StatusCode::kNotFound)));
    harness_->Restart();
  }
}

// A log that was set back shows by the receipts that it gave.
TEST_P(StoreContractTest, KnowsTheNewestReceiptOfAll) {
  EXPECT_THAT(store().NewestReceipt(), IsOkAndHolds(std::nullopt));
  const auto receipt = [](absl::string_view year, uint64_t size) {
    const std::string origin = absl::StrCat("police.example/custody/", year);
    return ToText(Receipt{
        .index = 0,
        .proof = {},
        .checkpoint =
            *SignNote(ToText(Checkpoint{origin, size, EmptyRoot()}),
                      {*NoteSigner::Make(
                          origin, PrivateKey::Generate(KeyKind::kEd25519))})});
  };
  int number = 0;
  const auto lay = [&](const std::vector<std::string>& receipts) {
    std::vector<Laying> layings;
    for (const std::string& text : receipts) {
      const std::string id = absl::StrCat("r", ++number);
      const auto bundle = SpoolAndCommit(Recording(id), id);
      layings.push_back({*bundle, {.statement = "{}", .receipt = text}});
    }
    for (const absl::Status& laid : store().Lay(layings)) EXPECT_OK(laid);
  };
  const std::string ninth = receipt("2026", 9);
  lay({receipt("2026", 7), ninth, receipt("2026", 8)});
  EXPECT_THAT(store().NewestReceipt(), IsOkAndHolds(ninth));
  lay({receipt("2026", 3), "no receipt"});
  EXPECT_THAT(store().NewestReceipt(), IsOkAndHolds(ninth));
  const std::string next_year = receipt("2027", 2);
  lay({next_year});
  EXPECT_THAT(store().NewestReceipt(), IsOkAndHolds(next_year));
  harness_->Restart();
  EXPECT_THAT(store().NewestReceipt(), IsOkAndHolds(next_year));
  // Those of before are laid once more at a start.
  lay({ninth});
  EXPECT_THAT(store().NewestReceipt(), IsOkAndHolds(next_year));
}

// More than a store reads in one step, so that it stops in between.
TEST_P(StoreContractTest, LargeRecordingIsStoredAndFoundAgainInSteps) {
  const std::string bytes(kLargeBytes, 'x');
  const StoreSource source = harness_->Spool(Recording(), bytes);
  ASSERT_OK(Commit(source, bytes));
  EXPECT_OK(Commit(source, bytes));
  harness_->Restart();
  EXPECT_OK(SpoolAndCommit(Recording(), bytes));
  std::string other = bytes;
  other.back() = 'y';
  EXPECT_THAT(SpoolAndCommit(Recording(), other),
              StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_THAT(Stored(Recording()), testing::ElementsAre(bytes));
}

TEST_P(StoreContractTest, CommitLeftBetweenStepsIsDoneByAnother) {
  const std::string bytes(kLargeBytes, 'x');
  const Digest sha256 = Sha256::Of(bytes);
  const StoreSource source = harness_->Spool(Recording(), bytes);
  // First where nothing is stored, then where the recording is already.
  for (int i = 0; i < 2; ++i) {
    ASSERT_OK((*store().Open(source))->Commit(bytes.size(), sha256));
    harness_->Restart();
    EXPECT_OK(Commit(source, bytes));
    EXPECT_THAT(Stored(Recording()), testing::ElementsAre(bytes));
  }
}

TEST_P(StoreContractTest, CommitAbortedBetweenStepsLeavesNothingOfItsOwn) {
  const std::string bytes(kLargeBytes, 'x');
  const Digest sha256 = Sha256::Of(bytes);
  const StoreSource source = harness_->Spool(Recording(), bytes);
  const auto upload = *store().Open(source);
  const auto step = upload->Commit(bytes.size(), sha256);
  ASSERT_OK(step);
  upload->Abort();
  if (!step->has_value()) {
    EXPECT_THAT(Stored(Recording()), testing::IsEmpty());
  }
  EXPECT_OK(CommitWhole(*upload, bytes.size(), sha256));
  // What was there before the commit stays; what goes on behind the caller may
  // keep others from finding it for a moment.
  ASSERT_OK(upload->Commit(bytes.size(), sha256));
  upload->Abort();
  const absl::Time deadline = absl::Now() + absl::Seconds(20);
  while (Stored(Recording()).empty() && absl::Now() < deadline) {
    absl::SleepFor(absl::Milliseconds(10));
  }
  EXPECT_TRUE(Stored(Recording()) == std::vector<std::string>{bytes});
}

TEST_P(StoreContractTest, KeepsWhatItHolds) {
  const auto bundle = SpoolAndCommit(Recording(), "footage");
  ASSERT_OK(bundle);
  EXPECT_OK(store().Keep(*bundle));
  harness_->Restart();
  EXPECT_OK(store().Keep(*bundle));
  EXPECT_OK(store().Keep(store().Find(Recording())->front()));
  EXPECT_THAT(Stored(Recording()), testing::ElementsAre("footage"));
}

TEST_P(StoreContractTest, KeepOfWhatIsNotThereIsRefused) {
  const StoreSource source = harness_->Spool(Recording(), "footage");
  EXPECT_THAT(store().Keep({.location = store().TargetOf(source), .size = 7}),
              StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(Stored(Recording()), testing::IsEmpty());
}

TEST_P(StoreContractTest, StoreThatIsAwaySaysSoAndTakesItWhenItIsBack) {
  EXPECT_OK(store().Probe());
  const StoreSource source = harness_->Spool(Recording(), "footage");
  const Bundle bundle = {.location = store().TargetOf(source), .size = 7};
  harness_->GoAway();
  EXPECT_THAT(store().Probe(), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(store().Keep(bundle), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(store().List(""), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(store().Find(Recording()),
              StatusIs(absl::StatusCode::kUnavailable))
      << "not: nothing is stored";
  EXPECT_THAT(Commit(source, "footage"),
              StatusIs(absl::StatusCode::kUnavailable));
  harness_->ComeBack();
  EXPECT_OK(store().Probe());
  EXPECT_OK(Commit(source, "footage"));
  EXPECT_THAT(Stored(Recording()), testing::ElementsAre("footage"));
}

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_STORE_STORE_CONTRACT_H_
