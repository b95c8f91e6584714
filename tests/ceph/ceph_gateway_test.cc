// The whole house before a real Ceph: what devices bring arrives in it,
// whatever is killed or goes away meanwhile.
#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "certs/test_pki.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/ceph/test_ceph.h"
#include "tests/e2e/house.h"
#include "tests/e2e/process.h"

namespace schleuse {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr char kCamera[] = "bwc-1";
constexpr absl::Duration kPatience = absl::Seconds(60);

// Gateways and a Ceph in one network.
class CephGatewayTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    pki_ = new TestPki;
    ceph_ = new TestCeph(*pki_);
  }
  static void TearDownTestSuite() {
    delete ceph_;
    delete pki_;
  }

  CephGatewayTest() : bucket_(absl::StrCat("footage-", ++buckets_)) {
    ceph_->MakeBucket(bucket_);
  }

  std::unique_ptr<House> NewHouse(absl::string_view settings = "") const {
    return std::make_unique<House>(
        *pki_,
        absl::StrCat("egress { allow: \"127.0.0.1:", ceph_->port(), "\" }\n",
                     settings),
        absl::StrCat("s3 { endpoint: \"", ceph_->endpoint(), "\" bucket: \"",
                     bucket_, "\" credentials_file: \"",
                     ceph_->CredentialsFile(), "\" }"));
  }

  // Keys in the bucket that begin with `prefix`.
  std::vector<std::string> Keys(absl::string_view prefix) const {
    const std::string listing = ceph_->Ask(
        "", absl::StrCat("/", bucket_, "?list-type=2&prefix=",
                         absl::StrReplaceAll(prefix, {{"/", "%2F"}})));
    std::vector<std::string> keys = absl::StrSplit(listing, "<Key>");
    keys.erase(keys.begin());
    for (std::string& key : keys) key = key.substr(0, key.find('<'));
    return keys;
  }
  std::string Uploads() const {
    return ceph_->Ask("", absl::StrCat("/", bucket_, "?uploads="));
  }
  // "" if exactly `copies` objects are stored under that name, each with the
  // bytes of `source`, its statement and its receipt; else what is wrong.
  std::string CheckStored(absl::string_view recording,
                          const std::string& source, size_t copies = 1) const {
    const std::vector<std::string> keys =
        Keys(absl::StrCat(kCamera, "/", recording, "/"));
    size_t found = 0, statements = 0, receipts = 0;
    for (const std::string& key : keys) {
      statements += absl::EndsWith(key, ".statement.json");
      receipts += absl::EndsWith(key, ".receipt.tlog-proof");
      if (absl::StrContains(key.substr(key.rfind('/')), '.')) continue;
      ++found;
      if (ceph_->Ask("", absl::StrCat("/", bucket_, "/", key)) !=
          ReadTestFile(source)) {
        return absl::StrCat("other bytes are stored at ", key);
      }
    }
    if (found == copies && statements == copies && receipts == copies) {
      return "";
    }
    return absl::StrCat(found, " objects, ", statements, " statements, ",
                        receipts, " receipts");
  }

  // The same of many, once each: those that are wrong.
  std::vector<std::string> CheckAll(
      const std::vector<std::string>& sources) const {
    std::map<std::string, std::string> objects;  // by recording
    std::set<std::string> keys, twice;
    std::vector<std::string> wrong, targets, names;
    for (const std::string& key : Keys(absl::StrCat(kCamera, "/"))) {
      keys.insert(key);
      const std::vector<std::string> parts = absl::StrSplit(key, '/');
      if (absl::StrContains(parts[2], '.')) continue;
      if (!objects.emplace(parts[1], key).second) twice.insert(parts[1]);
      targets.push_back(absl::StrCat("/", bucket_, "/", key));
      names.push_back(parts[1]);
    }
    const std::vector<std::string> fetched = ceph_->Fetch(targets);
    std::map<std::string, const std::string*> bytes;
    for (size_t i = 0; i < names.size(); ++i) bytes[names[i]] = &fetched[i];
    for (const std::string& source : sources) {
      const std::string name = source.substr(source.rfind('/') + 1);
      const auto found = objects.find(name);
      if (found == objects.end()) {
        wrong.push_back(absl::StrCat(name, ": not stored"));
      } else if (twice.contains(name)) {
        wrong.push_back(absl::StrCat(name, ": stored twice"));
      } else if (*bytes[name] != ReadTestFile(source)) {
        wrong.push_back(absl::StrCat(name, ": other bytes"));
      } else if (!keys.contains(found->second + ".statement.json") ||
                 !keys.contains(found->second + ".receipt.tlog-proof")) {
        wrong.push_back(absl::StrCat(name, ": not proved"));
      }
    }
    return wrong;
  }

  static bool Succeeds(Process& upload) {
    const auto ended = upload.Wait(kPatience);
    return ended && ended->exited && ended->code == 0;
  }

  static TestPki* pki_;
  static TestCeph* ceph_;
  static int buckets_;
  const std::string bucket_;
};
TestPki* CephGatewayTest::pki_ = nullptr;
TestCeph* CephGatewayTest::ceph_ = nullptr;
int CephGatewayTest::buckets_ = 0;

TEST_F(CephGatewayTest, BringsRecordingsOfAllSizesIntoTheBucket) {
  const auto house = NewHouse();
  const auto gateway = house->StartGateway();
  ASSERT_NE(gateway, nullptr);
  const std::string empty = house->MakeFile("empty.mp4", 0);
  const std::string small = house->MakeFile("small.mp4", 70'000);
  const std::string large = house->MakeFile("large.mp4", (30 << 20) + 8);
  const auto upload = house->StartUpload(kCamera, {empty, small, large});
  EXPECT_TRUE(Succeeds(*upload)) << house->Output();
  EXPECT_TRUE(Eventually(
      kPatience, [&] { return CheckStored("large.mp4", large).empty(); }))
      << CheckStored("large.mp4", large) << house->Output();
  EXPECT_EQ(CheckStored("empty.mp4", empty), "");
  EXPECT_EQ(CheckStored("small.mp4", small), "");
  EXPECT_TRUE(
      Eventually(kPatience, [&] { return house->SpoolFiles().empty(); }));
  EXPECT_THAT(Uploads(), Not(HasSubstr("<UploadId>")));
  // The same once more is known, and is not stored again.
  const auto again = house->StartUpload(kCamera, {small});
  EXPECT_TRUE(Succeeds(*again)) << house->Output();
  EXPECT_EQ(CheckStored("small.mp4", small), "");
  EXPECT_EQ(house->RunVerify(absl::StrCat("log ", house->Path("custody"))).code,
            0);
  // The log says whither it went, and nothing else.
  gateway->Signal(SIGTERM);
  const auto stopped = gateway->Wait(kPatience);
  EXPECT_TRUE(stopped && stopped->exited && stopped->code == 0);
  const std::string residency =
      absl::StrCat("residency ", house->Path("custody"), " --allow ");
  const House::Said allowed =
      house->RunVerify(absl::StrCat(residency, "127.0.0.1/32:", ceph_->port()));
  EXPECT_EQ(allowed.code, 0) << allowed.text;
  EXPECT_THAT(allowed.text,
              HasSubstr(absl::StrCat("127.0.0.1:", ceph_->port())));
  EXPECT_NE(house->RunVerify(residency + "10.0.0.0/8").code, 0);
}

// A device brings, leaves, and comes back for its receipt; others go on
// bringing while the store is away, and nobody has to help afterwards.
TEST_F(CephGatewayTest, AnOutageOfTheStoreLosesNothingAndDrainsByItself) {
  const char* const asked = std::getenv("SCHLEUSE_OUTAGE_SECONDS");
  const absl::Duration outage = absl::Seconds(asked ? std::atoi(asked) : 60);
  constexpr int kDevices = 3, kEach = 12;
  const auto house = NewHouse();
  const auto gateway = house->StartGateway();
  ASSERT_NE(gateway, nullptr);
  const auto bring = [&](int device) {
    std::vector<std::string> files;
    for (int i = 0; i < kEach; ++i) {
      files.push_back(house->MakeFile(absl::StrCat(device, "-", i, ".mp4"),
                                      i % 4 == 0 ? 9 << 20 : 300'000));
    }
    return files;
  };
  std::vector<std::string> all;
  std::vector<std::unique_ptr<Process>> uploads;
  const auto start = [&](int device) {
    const std::vector<std::string> files = bring(device);
    all.insert(all.end(), files.begin(), files.end());
    uploads.push_back(house->StartUpload(kCamera, files));
  };
  start(0);
  ceph_->PutDown("rgw");
  const absl::Time until = absl::Now() + outage;
  for (int device = 1; device < kDevices; ++device) start(device);
  // One gives up waiting: what it brought is finished without it.
  const std::string left = house->MakeFile("left.mp4", 400'000);
  {
    const auto leaving =
        house->StartUpload(kCamera, {left, "--retry-for", "3s"});
    const auto ended = leaving->Wait(kPatience);
    EXPECT_TRUE(ended && ended->exited && ended->code != 0);
    all.push_back(left);
  }
  absl::SleepFor(until - absl::Now());
  EXPECT_THAT(house->Output(), HasSubstr("the store is away"));
  for (const auto& upload : uploads) {
    EXPECT_FALSE(upload->Poll()) << "a device was told that it is stored";
  }
  ceph_->PutUp("rgw");
  for (const auto& upload : uploads) EXPECT_TRUE(Succeeds(*upload));
  EXPECT_TRUE(
      Eventually(kPatience, [&] { return house->SpoolFiles().empty(); }));
  EXPECT_THAT(CheckAll(all), IsEmpty());
  // Its receipt is there for it.
  const auto again = house->StartUpload(kCamera, {left});
  EXPECT_TRUE(Succeeds(*again));
  EXPECT_EQ(CheckStored("left.mp4", left), "");
  EXPECT_EQ(house->RunVerify(absl::StrCat("log ", house->Path("custody"))).code,
            0);
}

TEST_F(CephGatewayTest, AGatewayStopsAndStartsWhileItsStoreIsAway) {
  const auto house = NewHouse();
  auto gateway = house->StartGateway();
  ASSERT_NE(gateway, nullptr);
  ceph_->PutDown("rgw");
  const std::string file = house->MakeFile("r.mp4", 9 << 20);
  const auto upload = house->StartUpload(kCamera, {file, "--retry-for", "2s"});
  EXPECT_TRUE(upload->Wait(kPatience));
  for (int i = 0; i < 2; ++i) {
    gateway->Signal(SIGTERM);
    const auto stopped = gateway->Wait(kPatience);
    EXPECT_TRUE(stopped && stopped->exited && stopped->code == 0)
        << house->Output();
    gateway = house->StartGateway();
    ASSERT_NE(gateway, nullptr);
  }
  ceph_->PutUp("rgw");
  EXPECT_TRUE(
      Eventually(kPatience, [&] { return house->SpoolFiles().empty(); }));
  EXPECT_EQ(CheckStored("r.mp4", file), "");
}

TEST_F(CephGatewayTest, TwoGatewaysGivenTheSameRecordingsEachStoreThem) {
  const auto one = NewHouse(), other = NewHouse();
  const auto gateway = one->StartGateway(), second = other->StartGateway();
  ASSERT_TRUE(gateway != nullptr && second != nullptr);
  std::vector<std::string> files;
  for (int i = 0; i < 6; ++i) {
    files.push_back(
        one->MakeFile(absl::StrCat(i, ".mp4"), i == 0 ? 20 << 20 : 200'000));
  }
  const auto upload = one->StartUpload(kCamera, files);
  const auto another = other->StartUpload(kCamera, files);
  EXPECT_TRUE(Succeeds(*upload)) << one->Output();
  EXPECT_TRUE(Succeeds(*another)) << other->Output();
  for (const House* house : {one.get(), other.get()}) {
    EXPECT_TRUE(
        Eventually(kPatience, [&] { return house->SpoolFiles().empty(); }));
  }
  for (const std::string& file : files) {
    EXPECT_EQ(CheckStored(file.substr(file.rfind('/') + 1), file, 2), "");
  }
}

// With other bytes of another gateway under its name, a recording is stored
// under a name of its own, and nothing is replaced.
TEST_F(CephGatewayTest, OtherBytesOfAnotherGatewayStayAndOursLieBesideThem) {
  const auto one = NewHouse(), other = NewHouse();
  const auto gateway = one->StartGateway(), second = other->StartGateway();
  ASSERT_TRUE(gateway != nullptr && second != nullptr);
  const std::string theirs = one->MakeFile("r.mp4", 100'000);
  const auto upload = one->StartUpload(kCamera, {theirs});
  EXPECT_TRUE(Succeeds(*upload)) << one->Output();
  // A new file each time, so its bytes differ.
  (void)other->MakeFile("unused.mp4", 1);
  const std::string ours = other->MakeFile("r.mp4", 100'000);
  const auto another = other->StartUpload(kCamera, {ours});
  EXPECT_TRUE(Succeeds(*another)) << other->Output();
  EXPECT_THAT(other->Output(),
              HasSubstr("other bytes are stored under this name"));
  for (const House* house : {one.get(), other.get()}) {
    EXPECT_TRUE(Eventually(kPatience, [&] {
      return !absl::StrContains(absl::StrJoin(house->SpoolFiles(), " "),
                                ".records ");
    }));
  }
  EXPECT_TRUE(Eventually(kPatience, [&] {
    return CheckStored("r.mp4", theirs).empty();
  })) << CheckStored("r.mp4", theirs);
  const std::vector<std::string> beside =
      Keys(absl::StrCat(kCamera, "/r.mp4~"));
  ASSERT_FALSE(beside.empty());
  const std::string name = static_cast<std::vector<std::string>>(
      absl::StrSplit(beside.front(), '/'))[1];
  EXPECT_TRUE(Eventually(kPatience, [&] {
    return CheckStored(name, ours).empty();
  })) << CheckStored(name, ours);
}

// Gateway, radosgw and osd die at random moments.
TEST_F(CephGatewayTest, TwoHundredTransfersSurviveWhateverIsKilled) {
  const char* const seed_text = std::getenv("SCHLEUSE_SEED");
  const uint64_t seed = seed_text ? std::strtoull(seed_text, nullptr, 10)
                                  : std::random_device()();
  SCOPED_TRACE(absl::StrCat("SCHLEUSE_SEED=", seed));
  std::mt19937_64 random(seed);
  constexpr int kDevices = 4, kEach = 50;
  const auto house = NewHouse();
  auto gateway = house->StartGateway();
  ASSERT_NE(gateway, nullptr);
  std::vector<std::string> all;
  std::vector<std::unique_ptr<Process>> uploads;
  for (int device = 0; device < kDevices; ++device) {
    std::vector<std::string> files;
    for (int i = 0; i < kEach; ++i) {
      const uint64_t size =
          i % 10 == 0 ? (9 << 20) + random() % (8 << 20) : random() % 400'000;
      files.push_back(
          house->MakeFile(absl::StrCat(device, "-", i, ".mp4"), size));
    }
    all.insert(all.end(), files.begin(), files.end());
    uploads.push_back(house->StartUpload(kCamera, files));
  }
  const auto over = [&] {
    return std::all_of(uploads.begin(), uploads.end(),
                       [](const auto& upload) { return upload->Poll(); });
  };
  int kills = 0, gateways = 0;
  const absl::Time deadline = absl::Now() + absl::Seconds(150);
  while (!over() && absl::Now() < deadline) {
    absl::SleepFor(absl::Milliseconds(300 + random() % 2000));
    const uint64_t victim = random() % 4;
    if (victim < 2 && gateways < 12) {
      gateway->Signal(SIGKILL);
      gateway->Wait(kPatience);
      gateway = house->StartGateway();
      ASSERT_NE(gateway, nullptr);
      ++gateways;
    } else if (victim >= 2 && kills < 5) {
      // Each costs some seconds until it answers again.
      ceph_->Kill(victim == 2 ? "rgw" : "osd");
      ++kills;
    }
  }
  EXPECT_GE(gateways, 3);
  EXPECT_GE(kills, 2);
  for (const auto& upload : uploads) EXPECT_TRUE(Succeeds(*upload));
  EXPECT_TRUE(Eventually(kPatience, [&] {
    return house->SpoolFiles().empty();
  })) << absl::StrJoin(house->SpoolFiles(), " ");
  EXPECT_THAT(CheckAll(all), IsEmpty());
  EXPECT_THAT(Uploads(), Not(HasSubstr("<UploadId>")));
  EXPECT_EQ(house->RunVerify(absl::StrCat("log ", house->Path("custody"))).code,
            0);
}

}  // namespace
}  // namespace schleuse
