#include "gateway/store/s3_credentials.h"

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/log.h"
#include "base/status_matchers.h"
#include "certs/test_pki.h"
#include "disk/posix_disk.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using absl::StatusCode;
using testing::HasSubstr;
using testing::Not;

constexpr char kGood[] = "access_key=AK1\nsecret_key=s/e+c=ret\n";

class Clock final : public schleuse::Clock {
 public:
  absl::Time Now() const override { return now; }
  absl::Time now = absl::UnixEpoch();
};

class S3CredentialsTest : public testing::Test {
 protected:
  void Write(absl::string_view text) {
    WriteTestFile(path_, text);
    RunForTest("chmod 0600 " + path_);
  }
  absl::StatusOr<std::unique_ptr<S3Credentials>> Open() {
    return S3Credentials::Open(disk_, path_, clock_);
  }

  PosixDisk disk_;
  Clock clock_;
  const std::string path_ = testing::TempDir() + "/s3.key";
};

TEST(S3KeyTest, ReadsTwoLinesInAnyOrderAmongComments) {
  const S3Key key = {"AK1", "s/e+c=ret"};
  EXPECT_THAT(S3Key::Parse(kGood), IsOkAndHolds(key));
  EXPECT_THAT(S3Key::Parse("# of gw-1\n\n secret_key=s/e+c=ret \r\n"
                           "access_key=AK1"),
              IsOkAndHolds(key));
}

TEST(S3KeyTest, RefusesWhatIsNoneAndNeverRepeatsIt) {
  for (const char* bad :
       {"", "access_key=AK1\n", "secret_key=hush\n", "access_key=AK1 hush\n",
        "access_key=AK1\nsecret_key=\n", "aws_secret_access_key = hush\n",
        "access_key=a:hush\nsecret_key=hush\n",
        "access_key=AK1\naccess_key=hush\nsecret_key=hush\n",
        "access_key=AK1\nsecret_key=hu\x01sh\n", "AK1:hush"}) {
    const absl::StatusOr<S3Key> key = S3Key::Parse(bad);
    EXPECT_THAT(key, StatusIs(StatusCode::kInvalidArgument)) << bad;
    EXPECT_THAT(std::string(key.status().message()), Not(HasSubstr("hush")));
  }
}

TEST_F(S3CredentialsTest, FollowsItsFileAndKeepsTheLastGoodKey) {
  SetLogThreshold(std::nullopt);
  Write(kGood);
  const auto credentials = *Open();
  EXPECT_EQ(credentials->Current().access_key, "AK1");
  Write("access_key=AK2\nsecret_key=other\n");
  EXPECT_EQ(credentials->Current().access_key, "AK1") << "looked at too often";
  clock_.now += absl::Seconds(1);
  EXPECT_EQ(credentials->Current().access_key, "AK2");
  Write("access_key=\n");
  clock_.now += absl::Seconds(1);
  EXPECT_EQ(credentials->Current().access_key, "AK2");
  RunForTest("rm -f " + path_);
  clock_.now += absl::Seconds(1);
  EXPECT_EQ(credentials->Current().access_key, "AK2");
  // A clock that is set back must not keep it from looking.
  Write(kGood);
  clock_.now -= absl::Hours(5);
  EXPECT_EQ(credentials->Current().access_key, "AK1");
}

TEST_F(S3CredentialsTest, FileThatOthersMayReadIsRefused) {
  Write(kGood);
  RunForTest("chmod 0644 " + path_);
  EXPECT_THAT(Open(), StatusIs(StatusCode::kFailedPrecondition));
  RunForTest("rm -f " + path_);
  EXPECT_THAT(Open(), StatusIs(StatusCode::kNotFound));
}

}  // namespace
}  // namespace schleuse
