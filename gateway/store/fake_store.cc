#include "gateway/store/fake_store.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "gateway/store/newest_receipt.h"

namespace schleuse {
namespace {

constexpr uint64_t kBytesMax = 64 << 20;

class Bytes final : public StoredBytes {
 public:
  explicit Bytes(std::string bytes) : bytes_(std::move(bytes)) {}
  absl::StatusOr<std::string> Read(uint64_t offset,
                                   uint64_t length) const override {
    return offset < bytes_.size() ? bytes_.substr(offset, length) : "";
  }

 private:
  const std::string bytes_;
};

}  // namespace

void FakeStoreServer::SetStatus(const absl::Status& status) {
  MutexLock lock(mutex_);
  status_ = status;
}

void FakeStoreServer::Refuse(const RecordingName& name,
                             const absl::Status& status) {
  MutexLock lock(mutex_);
  refused_[name] = status;
}

void FakeStoreServer::RefuseNoMore() {
  MutexLock lock(mutex_);
  refused_.clear();
}

void FakeStoreServer::PutForeign(const RecordingName& name,
                                 absl::string_view bytes) {
  MutexLock lock(mutex_);
  objects_.emplace(
      absl::StrCat(name.ToString(), "/foreign"),
      Object{.name = name, .bytes = std::string(bytes), .foreign = true});
}

void FakeStoreServer::Remove(const RecordingName& name) {
  MutexLock lock(mutex_);
  std::erase_if(objects_,
                [&name](const auto& at) { return at.second.name == name; });
}

std::vector<std::string> FakeStoreServer::Stored(
    const RecordingName& name) const {
  MutexLock lock(mutex_);
  std::vector<std::string> all;
  for (const auto& [key, object] : objects_) {
    if (object.name == name && !object.foreign) all.push_back(object.bytes);
  }
  return all;
}

std::vector<RecordingName> FakeStoreServer::order() const {
  MutexLock lock(mutex_);
  return order_;
}

uint64_t FakeStoreServer::offered(const RecordingName& name) const {
  MutexLock lock(mutex_);
  const auto found = offered_.find(name);
  return found == offered_.end() ? 0 : found->second;
}

int FakeStoreServer::aborted() const {
  MutexLock lock(mutex_);
  return aborted_;
}

// Each commit has a step in which nothing happens yet.
class FakeStore::Upload final : public StoreUpload {
 public:
  Upload(FakeStore& store, StoreSource source)
      : store_(store), source_(std::move(source)) {}
  ~Upload() override {
    if (!stored_) Abort();
  }

  void Offer(uint64_t durable_offset) override {
    MutexLock lock(store_.server_.mutex_);
    uint64_t& offered = store_.server_.offered_[source_.name];
    offered = std::max(offered, durable_offset);
  }
  absl::StatusOr<std::optional<Bundle>> Commit(uint64_t size,
                                               const Digest& sha256) override {
    if (!std::exchange(asked_, true)) return std::nullopt;
    asked_ = false;
    ASSIGN_OR_RETURN(Bundle bundle, store_.Store(source_, size, sha256));
    stored_ = true;
    return bundle;
  }
  void Abort() override {
    MutexLock lock(store_.server_.mutex_);
    ++store_.server_.aborted_;
    asked_ = false;
  }

 private:
  FakeStore& store_;
  const StoreSource source_;
  bool asked_ = false;
  bool stored_ = false;
};

absl::StatusOr<Bundle> FakeStore::Store(const StoreSource& source,
                                        uint64_t size, const Digest& sha256) {
  MutexLock lock(server_.mutex_);
  RETURN_IF_ERROR(server_.status_);
  const auto refused = server_.refused_.find(source.name);
  if (refused != server_.refused_.end()) return refused->second;
  for (const auto& [key, object] : server_.objects_) {
    if (object.name != source.name) continue;
    if (object.bytes.size() != size || Sha256::Of(object.bytes) != sha256) {
      return absl::AlreadyExistsError(
          absl::StrCat("other bytes are stored at ", key));
    }
    if (!object.foreign) return Bundle{.location = key, .size = size};
  }
  ASSIGN_OR_RETURN(std::string bytes, ReadFile(disk_, source.path, kBytesMax));
  if (Sha256::Of(bytes) != sha256) {
    return absl::DataLossError("it does not read back as it was written");
  }
  const std::string key = TargetOf(source);
  server_.objects_.emplace(
      key,
      FakeStoreServer::Object{.name = source.name, .bytes = std::move(bytes)});
  server_.order_.push_back(source.name);
  return Bundle{.location = key, .size = size};
}

absl::StatusOr<std::unique_ptr<StoreUpload>> FakeStore::Open(
    const StoreSource& source) {
  return std::make_unique<Upload>(*this, source);
}

std::string FakeStore::TargetOf(const StoreSource& source) const {
  return absl::StrCat(source.name.ToString(), "/",
                      source.transfer_id.ToString());
}

absl::StatusOr<std::vector<Bundle>> FakeStore::Find(
    const RecordingName& name) const {
  MutexLock lock(server_.mutex_);
  RETURN_IF_ERROR(server_.status_);
  std::vector<Bundle> found;
  for (const auto& [key, object] : server_.objects_) {
    if (object.name != name || object.foreign) continue;
    found.push_back({.location = key, .size = object.bytes.size()});
  }
  return found;
}

absl::StatusOr<std::unique_ptr<StoredBytes>> FakeStore::Read(
    const Bundle& bundle) const {
  MutexLock lock(server_.mutex_);
  RETURN_IF_ERROR(server_.status_);
  const auto object = server_.objects_.find(bundle.location);
  if (object == server_.objects_.end()) return absl::NotFoundError("no such");
  return std::make_unique<Bytes>(object->second.bytes);
}

absl::Status FakeStore::Keep(const Bundle& bundle) {
  MutexLock lock(server_.mutex_);
  RETURN_IF_ERROR(server_.status_);
  return server_.objects_.contains(bundle.location)
             ? absl::OkStatus()
             : absl::NotFoundError("no such object");
}

std::vector<absl::Status> FakeStore::Lay(absl::Span<const Laying> layings) {
  MutexLock lock(server_.mutex_);
  std::vector<absl::Status> results;
  for (const Laying& laying : layings) {
    const auto object = server_.objects_.find(laying.bundle.location);
    if (!server_.status_.ok()) {
      results.push_back(server_.status_);
    } else if (object == server_.objects_.end()) {
      results.push_back(absl::NotFoundError("no such object"));
    } else if (object->second.proof && *object->second.proof != laying.proof) {
      results.push_back(absl::AlreadyExistsError("something else"));
    } else {
      object->second.proof = laying.proof;
      results.push_back(absl::OkStatus());
    }
  }
  if (!server_.status_.ok()) return results;
  const std::string* const newest = NewestReceiptOf(layings, server_.newest_);
  if (newest != nullptr) server_.newest_ = *newest;
  return results;
}

std::vector<absl::Status> FakeStore::LayWitnessed(
    absl::Span<const Laying> layings) {
  MutexLock lock(server_.mutex_);
  std::vector<absl::Status> results;
  for (const Laying& laying : layings) {
    const auto object = server_.objects_.find(laying.bundle.location);
    if (!server_.status_.ok()) {
      results.push_back(server_.status_);
    } else if (object == server_.objects_.end()) {
      results.push_back(absl::NotFoundError("no such object"));
    } else if (!object->second.proof) {
      results.push_back(absl::UnavailableError("no statement yet"));
    } else if (object->second.proof->statement != laying.proof.statement) {
      results.push_back(absl::AlreadyExistsError("another statement"));
    } else {
      std::string& witnessed = object->second.witnessed;
      if (witnessed.empty()) witnessed = laying.proof.receipt;
      results.push_back(absl::OkStatus());
    }
  }
  return results;
}

absl::StatusOr<std::optional<std::string>> FakeStore::NewestReceipt() const {
  MutexLock lock(server_.mutex_);
  RETURN_IF_ERROR(server_.status_);
  return server_.newest_;
}

absl::StatusOr<std::optional<Proof>> FakeStore::ReadProof(
    const Bundle& bundle) const {
  MutexLock lock(server_.mutex_);
  RETURN_IF_ERROR(server_.status_);
  const auto object = server_.objects_.find(bundle.location);
  if (object == server_.objects_.end()) return std::optional<Proof>();
  return object->second.proof;
}

absl::StatusOr<std::optional<Proof>> FakeStore::FindProof(
    const RecordingName& name) const {
  MutexLock lock(server_.mutex_);
  RETURN_IF_ERROR(server_.status_);
  for (const auto& [key, object] : server_.objects_) {
    if (object.name == name && object.proof) return object.proof;
  }
  return std::optional<Proof>();
}

absl::StatusOr<StorePage> FakeStore::List(const std::string& after) const {
  constexpr size_t kPageNames = 8;
  MutexLock lock(server_.mutex_);
  RETURN_IF_ERROR(server_.status_);
  StorePage page;
  for (auto at = server_.objects_.upper_bound(after);
       at != server_.objects_.end(); ++at) {
    const RecordingName& name = at->second.name;
    if (at->second.foreign) continue;
    if (!page.names.empty() && page.names.back() == name) continue;
    if (page.names.size() == kPageNames) {
      page.next = Behind(page.names.back());
      return page;
    }
    page.names.push_back(name);
  }
  return page;
}

std::string FakeStore::Behind(const RecordingName& name) const {
  return absl::StrCat(name.ToString(), "/~");
}

absl::Status FakeStore::Delete(const Bundle&, const Proof&) {
  return absl::UnimplementedError("it deletes by its own rules");
}

absl::StatusOr<std::optional<DeletedBundle>> FakeStore::FindDeleted(
    const RecordingName&) const {
  return std::nullopt;
}

absl::Status FakeStore::Probe() const {
  MutexLock lock(server_.mutex_);
  return server_.status_;
}

std::string FakeStore::Witnessed(const Bundle& bundle) const {
  MutexLock lock(server_.mutex_);
  const auto object = server_.objects_.find(bundle.location);
  return object == server_.objects_.end() ? "" : object->second.witnessed;
}

}  // namespace schleuse
