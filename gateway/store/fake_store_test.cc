// The fake keeps the promises of a store, so that tests on it say something.
#include "gateway/store/fake_store.h"

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/random.h"
#include "base/status_matchers.h"
#include "disk/fake_disk.h"
#include "gateway/store/store_contract.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

class FakeHarness final : public StoreHarness {
 public:
  FakeHarness() { Restart(); }
  Store& store() override { return *store_; }
  StoreSource Spool(const RecordingName& name,
                    absl::string_view bytes) override {
    const TransferId id = TransferId::Make(random_);
    const std::string path = absl::StrCat("/", id.ToString());
    EXPECT_OK(WriteFileAtomically(disk_, path, bytes));
    return {.name = name, .transfer_id = id, .path = path, .extension = "mp4"};
  }
  void Restart() override {
    store_ = std::make_unique<FakeStore>(disk_, server_);
  }
  void GoAway() override {
    server_.SetStatus(absl::UnavailableError("the store is away"));
  }
  void ComeBack() override { server_.SetStatus(absl::OkStatus()); }
  std::string Witnessed(const Bundle& bundle) override {
    return store_->Witnessed(bundle);
  }

 private:
  FakeDisk disk_;
  SeededRandom random_{7};
  FakeStoreServer server_;
  std::unique_ptr<FakeStore> store_;
};

std::unique_ptr<StoreHarness> Fake() { return std::make_unique<FakeHarness>(); }
INSTANTIATE_TEST_SUITE_P(Fake, StoreContractTest, testing::Values(Fake));

}  // namespace
}  // namespace schleuse
