#include "client/link/fake_gateway.h"

#include <grpcpp/server_builder.h>

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/crc32c.h"
#include "base/limits.h"
#include "crypto/digest.h"
#include "proto/rich_status.pb.h"

namespace schleuse::client {
namespace {

namespace wire = transfer::v1;

constexpr uint64_t kCredit = 2 << 20;

wire::UploadReply AckOf(uint64_t durable) {
  wire::UploadReply reply;
  reply.mutable_ack()->set_durable_offset(durable);
  reply.mutable_ack()->set_credit_bytes(kCredit);
  return reply;
}

}  // namespace

FakeGateway::FakeGateway(std::shared_ptr<grpc::ServerCredentials> credentials,
                         int port) {
  grpc::ServerBuilder builder;
  builder.AddListeningPort(absl::StrCat("127.0.0.1:", port), credentials,
                           &port_);
  builder.SetMaxReceiveMessageSize(static_cast<int>(limits::kMessageBytesMax));
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
}

FakeGateway::~FakeGateway() { Stop(); }

void FakeGateway::Stop() {
  if (server_ == nullptr) return;
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
  server_ = nullptr;
}

std::string FakeGateway::address() const {
  return absl::StrCat("127.0.0.1:", port_);
}

void FakeGateway::SetScript(Script script) {
  MutexLock lock(mutex_);
  script_ = std::move(script);
}

void FakeGateway::CutEvery(size_t bytes) {
  MutexLock lock(mutex_);
  cut_every_ = bytes;
}

std::string FakeGateway::Stored(const std::string& name) const {
  MutexLock lock(mutex_);
  const auto found = stored_.find(name);
  return found == stored_.end() ? "" : found->second;
}

void FakeGateway::Store(const std::string& name, std::string bytes) {
  MutexLock lock(mutex_);
  stored_[name] = std::move(bytes);
}

wire::Begin FakeGateway::LastBegin() const {
  MutexLock lock(mutex_);
  return last_begin_;
}

std::set<std::string> FakeGateway::Peers() const {
  MutexLock lock(mutex_);
  return peers_;
}

bool FakeGateway::ShouldCut(size_t bytes) {
  MutexLock lock(mutex_);
  since_cut_ += bytes;
  if (cut_every_ == 0 || since_cut_ < cut_every_) return false;
  since_cut_ = 0;
  return true;
}

grpc::Status FakeGateway::Upload(grpc::ServerContext* context,
                                 ServerStream* stream) {
  Script script;
  {
    MutexLock lock(mutex_);
    peers_.insert(context->peer());
    script = script_;
  }
  return script ? script(*context, *stream) : Take(*stream);
}

grpc::Status FakeGateway::Take(ServerStream& stream) {
  wire::UploadRequest request;
  if (!stream.Read(&request) || !request.has_begin()) {
    return {grpc::StatusCode::INVALID_ARGUMENT, "Begin comes first"};
  }
  const std::string name = absl::StrCat(request.begin().camera_id(), "/",
                                        request.begin().recording_id());
  std::string bytes, kept;
  {
    MutexLock lock(mutex_);
    last_begin_ = request.begin();
    bytes = partial_[name];
    kept = stored_.count(name) > 0 ? stored_[name] : "";
  }
  wire::UploadReply reply;
  wire::Ready& ready = *reply.mutable_ready();
  ready.set_transfer_id("0123456789abcdef0123456789abcdef");
  ready.set_already_stored(!kept.empty());
  ready.set_offset(kept.empty() ? bytes.size() : kept.size());
  ready.set_chunk_bytes_max(limits::kChunkBytesMax);
  ready.set_credit_bytes(kCredit);
  stream.Write(reply);
  while (stream.Read(&request)) {
    if (request.has_chunk()) {
      const wire::Chunk& chunk = request.chunk();
      if (Crc32c(absl::string_view(chunk.data())) != chunk.crc32c()) {
        return {grpc::StatusCode::DATA_LOSS, "CRC"};
      }
      if (ShouldCut(chunk.data().size())) {
        return {grpc::StatusCode::UNAVAILABLE, "cut"};
      }
      if (!kept.empty() || chunk.offset() > bytes.size()) continue;
      const uint64_t known = bytes.size() - chunk.offset();
      if (chunk.data().size() > known) bytes += chunk.data().substr(known);
      {
        MutexLock lock(mutex_);
        partial_[name] = bytes;
      }
      stream.Write(AckOf(bytes.size()));
      continue;
    }
    const std::string& held = kept.empty() ? bytes : kept;
    const Digest sha256 = Sha256::Of(held);
    if (sha256.bytes() != request.finish().sha256()) {
      wire::ErrorDetail detail;
      detail.set_reason(kept.empty() ? wire::ErrorDetail::MISMATCH
                                     : wire::ErrorDetail::OTHER_BYTES_STORED);
      if (!kept.empty()) detail.set_stored_sha256(std::string(sha256.bytes()));
      return WithDetail(kept.empty() ? grpc::StatusCode::DATA_LOSS
                                     : grpc::StatusCode::ALREADY_EXISTS,
                        "other bytes", detail);
    }
    {
      MutexLock lock(mutex_);
      stored_[name] = held;
    }
    reply.mutable_stored()->set_size(held.size());
    reply.mutable_stored()->set_sha256(std::string(sha256.bytes()));
    stream.Write(reply);
    return grpc::Status::OK;
  }
  return grpc::Status::OK;
}

grpc::Status WithDetail(grpc::StatusCode code, const std::string& message,
                        const wire::ErrorDetail& detail) {
  rich_status::v1::RichStatus rich;
  rich.set_code(code);
  rich.set_message(message);
  rich.add_details()->PackFrom(detail);
  return {code, message, rich.SerializeAsString()};
}

}  // namespace schleuse::client
