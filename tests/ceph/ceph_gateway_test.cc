// The whole house before a real Ceph: what devices bring arrives in it,
// whatever is killed or goes away meanwhile.
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
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
}

}  // namespace
}  // namespace schleuse
