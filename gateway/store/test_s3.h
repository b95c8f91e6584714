// An S3 store and its spool, on any server that speaks S3, for tests.
#ifndef SCHLEUSE_GATEWAY_STORE_TEST_S3_H_
#define SCHLEUSE_GATEWAY_STORE_TEST_S3_H_

#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/random.h"
#include "base/status_matchers.h"
#include "certs/test_pki.h"
#include "crypto/tls_context.h"
#include "disk/posix_disk.h"
#include "gateway/egress/egress.h"
#include "gateway/store/s3_store.h"
#include "gateway/store/store_contract.h"
#include "gtest/gtest.h"

namespace schleuse {

// Where the server is, and how it comes and goes.
struct TestS3Server {
  std::string url;
  std::string credentials_file;
  std::string bucket;  // made, and nobody else's
  const TestPki* pki;  // its certificate's
  std::function<void()> go_away = [] {};
  std::function<void()> come_back = [] {};
};

// Several at a time are several gateways.
class S3Harness final : public StoreHarness {
 public:
  explicit S3Harness(TestS3Server server, S3StoreOptions options = {})
      : server_(std::move(server)), options_(std::move(options)) {
    std::string made = absl::StrCat(testing::TempDir(), "/spool-XXXXXX");
    EXPECT_NE(mkdtemp(made.data()), nullptr);
    directory_ = made;
    gateway_id_ = absl::StrCat(TransferId::Make(random_).ToString());
    const std::string certificate = server_.pki->Issue(
        absl::StrCat("gateway g --file gateway-", gateway_id_));
    egress_options_ = {
        .identity = {.certificate_chain_pem = ReadTestFile(certificate),
                     .private_key_pem =
                         ReadTestFile(TestPki::KeyOf(certificate)),
                     .root_certificates_pem = server_.pki->Read("root.pem")},
        .on_refused = [this](const EgressRefusal& refusal) {
          MutexLock lock(mutex_);
          refusals_.push_back(refusal.reason);
        }};
    Allow({"127.0.0.0/8"});
    Open();
    EXPECT_OK(store_->SetUp());
    store_->Start({});
  }
  ~S3Harness() override { Close(); }

  S3Store& store() override { return *store_; }
  StoreSource Spool(const RecordingName& name,
                    absl::string_view bytes) override {
    const TransferId id =
        TransferId::Make(random_, S3Store::TagOf(gateway_id_));
    const std::string path =
        JoinPath(directory_, absl::StrCat(id.ToString(), ".bytes"));
    EXPECT_OK(WriteFileAtomically(disk_, path, bytes));
    return {.name = name, .transfer_id = id, .path = path, .extension = "mp4"};
  }
  void Restart() override {
    Close();
    Open();
    store_->Start({});
  }
  // The process dies: what is under way is told to nobody.
  void Close() {
    if (store_ == nullptr) return;
    egress_->Stop();
    store_ = nullptr;
    egress_ = nullptr;
  }
  void GoAway() override { server_.go_away(); }
  void ComeBack() override {
    server_.come_back();
    const absl::Time deadline = absl::Now() + absl::Seconds(60);
    while (!store_->Probe().ok() && absl::Now() < deadline) {
      absl::SleepFor(absl::Milliseconds(20));
    }
  }
  std::string Witnessed(const Bundle& bundle) override {
    const Bundle at = {.location = absl::StrCat(
                           bundle.location, ".receipt.witnessed.tlog-proof"),
                       .size = 0};
    const auto bytes = store_->Read(at);
    EXPECT_OK(bytes);
    const auto text = (*bytes)->Read(0, 1 << 20);
    return text.ok() ? *text : "";
  }
  const std::string& gateway_id() const { return gateway_id_; }
  // From the next start on.
  void Allow(const std::vector<std::string>& networks) {
    const HttpsUrl url = *HttpsUrl::Parse(server_.url);
    std::vector<AllowedNetwork> allowed;
    for (const std::string& network : networks) {
      allowed.push_back(
          *AllowedNetwork::Parse(absl::StrCat(network, ":", url.port)));
    }
    egress_options_.allow = AllowList(std::move(allowed));
  }
  // Why connections were refused.
  std::vector<std::string> refusals() const {
    MutexLock lock(mutex_);
    return refusals_;
  }

 private:
  void Open() {
    auto egress = Egress::Open(disk_, egress_options_);
    EXPECT_OK(egress);
    egress_ = *std::move(egress);
    auto credentials =
        S3Credentials::Open(disk_, server_.credentials_file, clock_);
    EXPECT_OK(credentials);
    store_ = std::make_unique<S3Store>(
        disk_, *egress_,
        S3Place{*HttpsUrl::Parse(server_.url), server_.bucket, "us-east-1"},
        *std::move(credentials), gateway_id_, clock_, random_, options_);
  }

  PosixDisk disk_;
  SystemClock clock_;
  SystemRandom random_;
  const TestS3Server server_;
  const S3StoreOptions options_;
  std::string directory_;
  std::string gateway_id_;
  EgressOptions egress_options_;
  mutable Mutex mutex_;
  std::vector<std::string> refusals_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<Egress> egress_;
  std::unique_ptr<S3Store> store_;
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_STORE_TEST_S3_H_
