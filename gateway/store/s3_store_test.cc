// The S3 store before a server that does what servers do on bad days. That it
// keeps a store's promises before a real one, tests/ceph shows.
#include "gateway/store/s3_store.h"

#include <csignal>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/status_matchers.h"
#include "certs/test_pki.h"
#include "crypto/tls_profile.h"
#include "disk/posix_disk.h"
#include "gateway/store/s3_connections.h"
#include "gateway/store/s3_names.h"
#include "gateway/store/test_faulty_s3.h"
#include "gateway/store/test_s3.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using absl::StatusCode;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using What = FaultyS3::What;

constexpr size_t kPartBytes = 64 << 10;

class S3StoreTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    std::signal(SIGPIPE, SIG_IGN);
    SetLogThreshold(std::nullopt);
    ASSERT_OK(InstallTlsProfile());
    pki_ = new TestPki;
    identity_ = new TlsIdentity(IdentityOf(
        *pki_, pki_->Issue("gateway s3 --ip 127.0.0.1 --no-uri --file s3")));
  }
  static TlsIdentity IdentityOf(const TestPki& pki, const std::string& path) {
    return {.certificate_chain_pem = ReadTestFile(path),
            .private_key_pem = ReadTestFile(TestPki::KeyOf(path)),
            .root_certificates_pem = pki.Read("root.pem")};
  }

  S3StoreTest() {
    SetKey("AK1");
    house = NewHouse();
  }
  void SetKey(absl::string_view access_key) {
    WriteTestFile(key_file_, absl::StrCat("access_key=", access_key,
                                          "\nsecret_key=hush\n"));
    RunForTest("chmod 0600 " + key_file_);
  }
  std::unique_ptr<S3Harness> NewHouse() {
    S3StoreOptions options;
    options.part_bytes = kPartBytes;
    options.connections = 2;
    options.patience = {.connect = absl::Seconds(2),
                        .stall = absl::Seconds(1),
                        .small_request = absl::Seconds(2),
                        .complete = absl::Seconds(2)};
    return std::make_unique<S3Harness>(
        TestS3Server{.url = server.url(),
                     .credentials_file = key_file_,
                     .bucket = "footage",
                     .pki = pki_},
        options);
  }
  static RecordingName Name(absl::string_view id = "r.mp4") {
    return *RecordingName::Parse("cam-1", id);
  }
  static std::string Bytes(size_t size) {
    std::string bytes(size, '\0');
    for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 31 >> 3);
    return bytes;
  }

  // One recording on its way, whose commit may be tried again and again.
  struct Attempt {
    StoreSource source;
    std::string bytes;
    std::unique_ptr<StoreUpload> upload = {};

    absl::StatusOr<Bundle> Commit() {
      return CommitWhole(*upload, bytes.size(), Sha256::Of(bytes));
    }
  };
  Attempt Begin(const std::string& bytes, absl::string_view id = "r.mp4") {
    Attempt attempt = {.source = house->Spool(Name(id), bytes), .bytes = bytes};
    attempt.upload = *house->store().Open(attempt.source);
    attempt.upload->Offer(bytes.size());
    return attempt;
  }
  // Until the store was found to be back.
  absl::StatusOr<Bundle> CommitOnceItIsBack(Attempt& attempt) {
    const absl::Time deadline = absl::Now() + absl::Seconds(30);
    absl::StatusOr<Bundle> bundle = attempt.Commit();
    while (absl::IsUnavailable(bundle.status()) && absl::Now() < deadline) {
      absl::SleepFor(absl::Milliseconds(20));
      bundle = attempt.Commit();
    }
    return bundle;
  }
  // What is stored of recordings.
  std::vector<std::string> Stored() const {
    std::vector<std::string> stored;
    for (const auto& [key, bytes] : server.objects()) {
      if (s3::Read(key)) stored.push_back(bytes);
    }
    return stored;
  }
  void ExpectStoredOnce(const Attempt& attempt) {
    EXPECT_TRUE(Stored() == std::vector<std::string>{attempt.bytes});
    EXPECT_THAT(server.uploads(), IsEmpty());
  }

  static TestPki* pki_;
  static TlsIdentity* identity_;
  const std::string key_file_ = testing::TempDir() + "/s3.credentials";
  FaultyS3 server{*identity_};
  std::unique_ptr<S3Harness> house;
  const std::string small = Bytes(1000);
  const std::string large = Bytes(5 * kPartBytes + 77);
};
TestPki* S3StoreTest::pki_ = nullptr;
TlsIdentity* S3StoreTest::identity_ = nullptr;

TEST_F(S3StoreTest, PartsGoOutWhileItArrivesOverConnectionsThatAreKept) {
  Attempt attempt = Begin("");
  attempt.bytes = large;
  attempt.source = house->Spool(Name(), large);
  attempt.upload = *house->store().Open(attempt.source);
  attempt.upload->Offer(2 * kPartBytes + 5);
  const absl::Time deadline = absl::Now() + absl::Seconds(20);
  while (server.Count("PUT", "partNumber=2") == 0 && absl::Now() < deadline) {
    absl::SleepFor(absl::Milliseconds(5));
  }
  EXPECT_EQ(server.Count("PUT", "partNumber=2"), 1);
  EXPECT_EQ(server.Count("PUT", "partNumber=3"), 0) << "not whole yet";
  ASSERT_OK(attempt.Commit());
  ExpectStoredOnce(attempt);
  EXPECT_EQ(server.Count("PUT", "partNumber="), 6);
  for (int i = 0; i < 20; ++i) {
    Attempt more = Begin(small, absl::StrCat("r", i));
    ASSERT_OK(more.Commit());
  }
  // Two for each of footage and questions, and one that looks after the store.
  EXPECT_LE(server.connections(), 6);
}

TEST_F(S3StoreTest, AnErrorNowAndThenIsTriedAgainByItself) {
  for (const char* code : {"InternalError", "SlowDown"}) {
    server.Add({.method = "PUT",
                .in_target = "partNumber=2",
                .status = "503 Service Unavailable",
                .code = code});
    Attempt attempt = Begin(large, code);
    EXPECT_OK(attempt.Commit()) << code;
  }
  EXPECT_EQ(server.Count("PUT", "partNumber=2"), 4);
}

TEST_F(S3StoreTest, OverloadedForLongItIsAwayAndFoundToBeBack) {
  Attempt attempt = Begin(small);
  for (const char* method : {"GET", "PUT", "POST"}) {
    server.Add({.method = method,
                .in_target = "",
                .status = "503 Service Unavailable",
                .code = "SlowDown",
                .times = 1'000'000});
  }
  const absl::Time deadline = absl::Now() + absl::Seconds(20);
  do {
    EXPECT_THAT(attempt.Commit(), StatusIs(StatusCode::kUnavailable));
    absl::SleepFor(absl::Milliseconds(5));
  } while (!absl::StrContains(house->store().Probe().message(), "is away") &&
           absl::Now() < deadline);
  // Now nothing is even asked.
  const int before = server.Count("PUT", "");
  EXPECT_THAT(attempt.Commit(), StatusIs(StatusCode::kUnavailable));
  EXPECT_EQ(server.Count("PUT", ""), before);
  server.Clear();
  EXPECT_OK(CommitOnceItIsBack(attempt));
  ExpectStoredOnce(attempt);
}

// The store chokes on one recording, and three failures in a row made it away
// for all, again and again.
TEST_F(S3StoreTest, OneRecordingThatItChokesOnDoesNotMakeItAway) {
  Attempt poison = Begin(large, "poison"), other = Begin(small, "other");
  for (const What what : {What::kError, What::kCloseBefore, What::kRedirect}) {
    server.Add({.method = "PUT",
                .in_target = "/poison/",
                .what = what,
                .times = 1'000'000});
    for (int i = 0; i < 3; ++i) {
      EXPECT_THAT(poison.Commit(), StatusIs(StatusCode::kUnavailable));
      EXPECT_OK(house->store().Probe());
      EXPECT_OK(other.Commit());
    }
    server.Clear();
  }
  EXPECT_OK(poison.Commit());
}

TEST_F(S3StoreTest, AnErrorInA200IsAnError) {
  server.Add(
      {.method = "POST", .in_target = "uploadId=", .what = What::kErrorIn200});
  Attempt attempt = Begin(large);
  EXPECT_THAT(attempt.Commit(), StatusIs(StatusCode::kUnavailable));
  EXPECT_THAT(Stored(), IsEmpty());
  EXPECT_OK(attempt.Commit());
  ExpectStoredOnce(attempt);
  EXPECT_EQ(server.Count("PUT", "partNumber="), 6) << "parts were kept";
}

TEST_F(S3StoreTest, WithWrongEtagsThePartsAreSentAnew) {
  server.Add(
      {.method = "PUT", .in_target = "partNumber=3", .what = What::kWrongEtag});
  Attempt attempt = Begin(large);
  EXPECT_THAT(attempt.Commit(), StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_OK(attempt.Commit());
  EXPECT_TRUE(Stored() == std::vector<std::string>{large});
  const absl::Time deadline = absl::Now() + absl::Seconds(10);
  while (!server.uploads().empty() && absl::Now() < deadline) {
    absl::SleepFor(absl::Milliseconds(5));
  }
  EXPECT_THAT(server.uploads(), IsEmpty());
}

TEST_F(S3StoreTest, AReadBackThatEndsEarlyProvesNothingAndSendsNothingAgain) {
  for (const What what : {What::kTruncated, What::kStallMidway}) {
    server.Remove("");
    Attempt attempt = Begin(large, absl::StrCat("r", static_cast<int>(what)));
    server.Add(
        {.method = "GET",
         .in_target = absl::StrCat("/", attempt.source.transfer_id.ToString()),
         .what = what});
    EXPECT_THAT(attempt.Commit(), StatusIs(StatusCode::kUnavailable));
    const int puts = server.Count("PUT", "partNumber=");
    EXPECT_OK(attempt.Commit());
    EXPECT_EQ(server.Count("PUT", "partNumber="), puts);
  }
}

TEST_F(S3StoreTest, WhatReadsBackDifferentlyIsRemovedAndStoredAnew) {
  for (const std::string& bytes : {small, large}) {
    Attempt attempt = Begin(bytes);
    server.Add(
        {.method = "GET",
         .in_target = absl::StrCat("/", attempt.source.transfer_id.ToString()),
         .what = What::kOtherBytes});
    EXPECT_THAT(attempt.Commit(), StatusIs(StatusCode::kDataLoss));
    EXPECT_THAT(Stored(), IsEmpty());
    EXPECT_OK(attempt.Commit());
    ExpectStoredOnce(attempt);
    for (const auto& [key, object] : server.objects()) server.Remove(key);
  }
}

TEST_F(S3StoreTest, AStallIsGivenUp) {
  server.Add(
      {.method = "PUT", .in_target = "partNumber=1", .what = What::kStall});
  Attempt attempt = Begin(large);
  const absl::Time begin = absl::Now();
  EXPECT_OK(CommitOnceItIsBack(attempt));
  EXPECT_LT(absl::Now() - begin, absl::Seconds(20));
  ExpectStoredOnce(attempt);
}

TEST_F(S3StoreTest, WithoutAnAnswerItIsLookedWhetherItWasDone) {
  server.Add(
      {.method = "POST", .in_target = "uploadId=", .what = What::kCloseAfter});
  Attempt attempt = Begin(large);
  EXPECT_OK(CommitOnceItIsBack(attempt));
  ExpectStoredOnce(attempt);
  EXPECT_EQ(server.Count("PUT", "partNumber="), 6);

  Attempt other = Begin(small, "other");
  server.Add({.method = "PUT",
              .in_target = other.source.transfer_id.ToString(),
              .what = What::kCloseAfter});
  EXPECT_OK(CommitOnceItIsBack(other));
  EXPECT_THAT(Stored(), testing::SizeIs(2));
}

TEST_F(S3StoreTest, NonsenseIsNoAnswer) {
  server.Add(
      {.method = "GET", .in_target = "prefix=cam-1", .what = What::kGarbage});
  Attempt attempt = Begin(small);
  const absl::StatusOr<Bundle> bundle = attempt.Commit();
  EXPECT_THAT(bundle, StatusIs(StatusCode::kUnavailable));
  EXPECT_THAT(bundle.status().message(), HasSubstr("nonsense"));
  EXPECT_OK(attempt.Commit());
}

TEST_F(S3StoreTest, FullItSaysSo) {
  server.Add({.method = "PUT",
              .in_target = "cam-1/",
              .status = "403 Forbidden",
              .code = "QuotaExceeded"});
  Attempt attempt = Begin(small);
  EXPECT_THAT(attempt.Commit(), StatusIs(StatusCode::kResourceExhausted));
  EXPECT_OK(house->store().Probe()) << "full is not away";
  EXPECT_OK(attempt.Commit());
}

TEST_F(S3StoreTest, BucketThatIsGoneIsSaidWithWhatToDo) {
  Attempt attempt = Begin(small);
  server.Add({.method = "GET",
              .in_target = "prefix=cam-1",
              .status = "404 Not Found",
              .code = "NoSuchBucket"});
  const absl::StatusOr<Bundle> bundle = attempt.Commit();
  EXPECT_THAT(bundle, StatusIs(StatusCode::kUnavailable));
  EXPECT_THAT(bundle.status().message(), HasSubstr("make the bucket"));
  EXPECT_OK(CommitOnceItIsBack(attempt));
}

TEST_F(S3StoreTest, WrongKeyIsSaidWithoutItAndANewFileIsEnough) {
  server.Expect("AK2");
  Attempt attempt = Begin(small);
  const absl::StatusOr<Bundle> bundle = attempt.Commit();
  EXPECT_THAT(bundle, StatusIs(StatusCode::kUnavailable));
  EXPECT_THAT(std::string(bundle.status().message()),
              AllOf(HasSubstr("credentials file"), Not(HasSubstr("hush")),
                    Not(HasSubstr("AK1"))));
  SetKey("AK2");
  EXPECT_OK(CommitOnceItIsBack(attempt));
}

TEST_F(S3StoreTest, ForeignAndExpiredCertificatesGetNothing) {
  const TestPki elsewhere;
  const std::vector<TlsIdentity> wrong = {
      IdentityOf(elsewhere,
                 elsewhere.Issue("gateway s3 --ip 127.0.0.1 --file s3")),
      IdentityOf(*pki_, pki_->Issue("gateway s3 --ip 127.0.0.1 --file expired "
                                    "--not-before '3 days ago' --not-after "
                                    "'1 day ago'")),
      IdentityOf(*pki_, pki_->Issue("gateway s3 --ip 127.0.0.2 --file other")),
  };
  int number = 0;
  for (const TlsIdentity& identity : wrong) {
    house->Restart();  // kept connections are trusted already
    server.Become(identity);
    Attempt attempt = Begin(small, absl::StrCat("r", number++));
    EXPECT_THAT(attempt.Commit(), StatusIs(StatusCode::kUnavailable));
    EXPECT_THAT(Stored(), IsEmpty());
    EXPECT_THAT(house->refusals(), Not(IsEmpty()));
    server.Become(*identity_);
    ASSERT_OK(CommitOnceItIsBack(attempt));
    for (const auto& [key, object] : server.objects()) {
      if (s3::Read(key)) server.Remove(key);
    }
  }
}

TEST_F(S3StoreTest, RedirectsAreRefused) {
  server.Add({.method = "PUT", .in_target = "cam-1/", .what = What::kRedirect});
  Attempt attempt = Begin(small);
  EXPECT_THAT(attempt.Commit(), StatusIs(StatusCode::kUnavailable));
  EXPECT_THAT(house->refusals(), ElementsAre(HasSubstr("redirects")));
  EXPECT_OK(CommitOnceItIsBack(attempt));
}

TEST_F(S3StoreTest, AnAddressThatIsNotAllowedIsNotConnectedTo) {
  house->Allow({"10.20.0.0/24"});
  house->Restart();
  const int before = server.connections();
  Attempt attempt = Begin(small);
  EXPECT_THAT(attempt.Commit(), StatusIs(StatusCode::kUnavailable));
  EXPECT_EQ(server.connections(), before);
  EXPECT_THAT(house->refusals(), Not(IsEmpty()));
}

TEST_F(S3StoreTest, OtherBytesOfAnotherGatewayStayAndIdenticalOnesAreNotTaken) {
  const auto other = NewHouse();
  ASSERT_NE(other->gateway_id(), house->gateway_id());
  const StoreSource theirs = other->Spool(Name(), small);
  ASSERT_OK(CommitWhole(**other->store().Open(theirs), small.size(),
                        Sha256::Of(small)));
  Attempt same = Begin(small);
  const absl::StatusOr<Bundle> bundle = same.Commit();
  ASSERT_OK(bundle);
  EXPECT_NE(bundle->location, other->store().TargetOf(theirs));
  EXPECT_THAT(house->store().Find(Name()), IsOkAndHolds(ElementsAre(*bundle)));
  EXPECT_TRUE(Stored() == std::vector<std::string>({small, small}));
  Attempt different = Begin(large);
  EXPECT_THAT(different.Commit(), StatusIs(StatusCode::kAlreadyExists));
  EXPECT_TRUE(Stored() == std::vector<std::string>({small, small}));
}

// It got its turn after it was given up, and kept it for ever.
TEST_F(S3StoreTest, OneGivenUpWhileItWaitedForItsTurnKeptTheNextFromIt) {
  Attempt first = Begin(small);
  const Digest sha256 = Sha256::Of(small);
  ASSERT_OK(first.upload->Commit(small.size(), sha256));
  const auto second = *house->store().Open(first.source);
  ASSERT_OK(second->Commit(small.size(), sha256));
  second->Abort();
  ASSERT_OK(first.Commit());
  const auto third = *house->store().Open(first.source);
  EXPECT_OK(CommitWhole(*third, small.size(), sha256));
}

TEST_F(S3StoreTest, LeftoversOfOurOwnAreRemovedAndNobodyElses) {
  const auto key = [](const std::string& tag, absl::string_view id, char c) {
    return absl::StrCat("cam-1/", id, "/",
                        tag + std::string(32 - tag.size(), c));
  };
  const std::string ours = S3Store::TagOf(house->gateway_id());
  const std::string theirs = S3Store::TagOf(NewHouse()->gateway_id());
  server.BeginUpload(key(ours, "u", '1'));
  server.BeginUpload(key(theirs, "u", '1'));
  server.PutDirectly(key(ours, "unstated", '1'), "x");
  server.PutDirectly(key(ours, "needed", '1'), "x");
  server.PutDirectly(key(ours, "told", '1'), "x");
  server.PutDirectly(key(theirs, "unstated", '1'), "x");
  for (int i = 0; i < 3; ++i) {
    const std::string stated = key(ours, absl::StrCat("stated", i), '1');
    server.PutDirectly(stated, "x");
    server.PutDirectly(stated + ".receipt.tlog-proof", "x");
    server.PutDirectly(stated + ".statement.json", "x");
  }
  EXPECT_OK(house->store().Find(Name("told")));
  const size_t before = server.objects().size();
  const auto cleaned =
      house->store().CleanUp([](const RecordingName& name, const TransferId&) {
        return name.recording_id() == "needed";
      });
  ASSERT_OK(cleaned);
  EXPECT_EQ(cleaned->uploads, 1);
  EXPECT_EQ(cleaned->objects, 1);
  EXPECT_THAT(server.uploads(), ElementsAre(key(theirs, "u", '1')));
  EXPECT_EQ(server.objects().size(), before - 1);
  EXPECT_FALSE(server.objects().contains(key(ours, "unstated", '1')));
}

// One of them was locked, and every look at the bucket ended there.
TEST_F(S3StoreTest, LeftoverThatCannotBeRemovedKeptAllOthers) {
  const std::string tag = S3Store::TagOf(house->gateway_id());
  const auto key = [&tag](absl::string_view id) {
    return absl::StrCat("cam-1/", id, "/",
                        tag + std::string(32 - tag.size(), '1'));
  };
  server.PutDirectly(key("a-locked"), "x");
  server.PutDirectly(key("b"), "x");
  server.Add({.method = "DELETE",
              .in_target = "a-locked",
              .status = "403 Forbidden",
              .code = "AccessDenied"});
  const auto nobody = [](const RecordingName&, const TransferId&) {
    return false;
  };
  EXPECT_THAT(house->store().CleanUp(nobody),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_TRUE(server.objects().contains(key("a-locked")));
  EXPECT_FALSE(server.objects().contains(key("b")));
  ASSERT_OK(house->store().CleanUp(nobody));
  EXPECT_FALSE(server.objects().contains(key("a-locked")));
}

// Recordings could not be begun at all, though the spool had room.
TEST_F(S3StoreTest, BucketThatMayNotBeListedWasRefusedToEachRecordingAlone) {
  server.Add({.method = "GET",
              .in_target = "list-type=2",
              .status = "403 Forbidden",
              .code = "AccessDenied"});
  EXPECT_THAT(house->store().Find(Name()),
              StatusIs(absl::StatusCode::kUnavailable));
}

// The promises of a store, on a server in memory.
class FaultyHarness final : public StoreHarness {
 public:
  FaultyHarness() {
    std::signal(SIGPIPE, SIG_IGN);
    EXPECT_OK(InstallTlsProfile());
    pki_ = std::make_unique<TestPki>();
    const std::string path =
        pki_->Issue("gateway s3 --ip 127.0.0.1 --no-uri --file s3");
    server_ = std::make_unique<FaultyS3>(
        TlsIdentity{.certificate_chain_pem = ReadTestFile(path),
                    .private_key_pem = ReadTestFile(TestPki::KeyOf(path)),
                    .root_certificates_pem = pki_->Read("root.pem")});
    const std::string key = pki_->Path("s3.credentials");
    WriteTestFile(key, "access_key=AK1\nsecret_key=hush\n");
    RunForTest("chmod 0600 " + key);
    house_ = std::make_unique<S3Harness>(
        TestS3Server{.url = server_->url(),
                     .credentials_file = key,
                     .bucket = "footage",
                     .pki = pki_.get(),
                     .go_away =
                         [this] {
                           for (const char* method :
                                {"GET", "HEAD", "PUT", "POST", "DELETE"}) {
                             server_->Add({.method = method,
                                           .in_target = "",
                                           .what = What::kCloseBefore,
                                           .times = 1'000'000});
                           }
                         },
                     .come_back = [this] { server_->Clear(); }},
        S3StoreOptions{.part_bytes = kPartBytes});
  }
  Store& store() override { return house_->store(); }
  StoreSource Spool(const RecordingName& name,
                    absl::string_view bytes) override {
    return house_->Spool(name, bytes);
  }
  void Restart() override { house_->Restart(); }
  void GoAway() override { house_->GoAway(); }
  void ComeBack() override { house_->ComeBack(); }
  std::string Witnessed(const Bundle& bundle) override {
    return house_->Witnessed(bundle);
  }

 private:
  std::unique_ptr<TestPki> pki_;
  std::unique_ptr<FaultyS3> server_;
  std::unique_ptr<S3Harness> house_;
};
std::unique_ptr<StoreHarness> InMemory() {
  return std::make_unique<FaultyHarness>();
}
INSTANTIATE_TEST_SUITE_P(InMemory, StoreContractTest,
                         testing::Values(InMemory));

TEST_F(S3StoreTest, UrgentWorkGoesFirstAndThenTheOldest) {
  const PosixDisk disk;
  const SystemClock clock;
  S3Health health;
  const auto egress = *Egress::Open(disk, {.identity = *identity_});
  const auto credentials = *S3Credentials::Open(disk, key_file_, clock);
  const auto make = [&] {
    return std::make_unique<S3Bucket>(
        *egress, S3Place{*HttpsUrl::Parse(server.url()), "footage", "r"},
        *credentials, health, S3Patience());
  };
  std::promise<void> go;
  std::vector<int> order;
  {
    S3Connections connections(1, make, make);
    std::shared_future<void> may_go = go.get_future().share();
    connections.Post({}, [may_go](S3Bucket&) { may_go.wait(); });
    const auto post = [&](int urgency, int second, int number) {
      connections.Post(
          {.urgency = urgency, .since = absl::FromUnixSeconds(second)},
          [&order, number](S3Bucket&) { order.push_back(number); });
    };
    post(3, 1, 5);
    post(2, 9, 4);
    post(2, 2, 2);
    post(2, 2, 3);
    post(1, 50, 1);
    go.set_value();
    connections.Stop();
  }
  EXPECT_THAT(order, ElementsAre(1, 2, 3, 4, 5));
}

}  // namespace
}  // namespace schleuse
