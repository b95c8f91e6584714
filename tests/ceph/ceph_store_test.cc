// The S3 store keeps its promises on a real Ceph.
#include <csignal>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/status_matchers.h"
#include "certs/test_pki.h"
#include "crypto/digest.h"
#include "crypto/tls_profile.h"
#include "gateway/store/test_s3.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/ceph/test_ceph.h"

namespace schleuse {
namespace {

// One for all tests: it takes 15 s to start.
struct Server {
  TestPki pki;
  TestCeph ceph{pki};
  int buckets = 0;
};
Server* server = nullptr;

TestS3Server NewBucket(bool object_lock = false) {
  const std::string bucket = absl::StrCat("bucket-", ++server->buckets);
  server->ceph.MakeBucket(bucket, object_lock);
  return {.url = server->ceph.endpoint(),
          .credentials_file = server->ceph.CredentialsFile(),
          .bucket = bucket,
          .pki = &server->pki,
          .go_away = [] { server->ceph.PutDown("rgw"); },
          .come_back = [] { server->ceph.PutUp("rgw"); }};
}

std::unique_ptr<StoreHarness> OnCeph() {
  return std::make_unique<S3Harness>(NewBucket());
}
INSTANTIATE_TEST_SUITE_P(Ceph, StoreContractTest, testing::Values(OnCeph));

absl::StatusOr<Bundle> Store(S3Harness& house, const RecordingName& name,
                             absl::string_view bytes) {
  auto upload = house.store().Open(house.Spool(name, bytes));
  if (!upload.ok()) return upload.status();
  (*upload)->Offer(bytes.size());
  return CommitWhole(**upload, bytes.size(), Sha256::Of(bytes));
}

TEST(CephStoreTest, WhatIsLockedCannotBeDeletedByAnybody) {
  const TestS3Server bucket = NewBucket(true);
  S3Harness house(
      bucket, S3StoreOptions{.lock = S3Lock{"GOVERNANCE", absl::Hours(24)}});
  const auto stored =
      Store(house, *RecordingName::Parse("cam-1", "r.mp4"), "footage");
  ASSERT_OK(stored);
  const std::string target =
      absl::StrCat("/", bucket.bucket, "/", stored->location);
  EXPECT_THAT(server->ceph.Ask("", target + "?retention="),
              testing::HasSubstr("<Mode>GOVERNANCE</Mode>"));
  const std::string versions =
      server->ceph.Ask("", absl::StrCat("/", bucket.bucket, "?versions="));
  const size_t at = versions.find("<Key>cam-1");
  ASSERT_NE(at, std::string::npos);
  const size_t id = versions.find("<VersionId>", at) + 11;
  const std::string version = versions.substr(id, versions.find('<', id) - id);
  EXPECT_THAT(server->ceph.Ask("-X DELETE", target + "?versionId=" + version),
              testing::HasSubstr("AccessDenied"));
  EXPECT_EQ(server->ceph.Ask("", target + "?versionId=" + version), "footage");
}

TEST(CephStoreTest, BucketWithoutLocksIsRefusedWhereTheyAreWanted) {
  S3Harness house(NewBucket(false));
  EXPECT_OK(house.store().Check());
  S3Harness locked(
      NewBucket(true),
      S3StoreOptions{.lock = S3Lock{"COMPLIANCE", absl::Hours(1)}});
  EXPECT_OK(locked.store().Check());
}

}  // namespace
}  // namespace schleuse

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  testing::InitGoogleMock(&argc, argv);
  if (const absl::Status profile = schleuse::InstallTlsProfile();
      !profile.ok()) {
    return 1;
  }
  schleuse::server = new schleuse::Server;
  const int result = RUN_ALL_TESTS();
  delete schleuse::server;
  return result;
}
