#include "gateway/rpc/upload_reactor.h"

#include <utility>
#include <variant>

#include "base/limits.h"
#include "gateway/rpc/convert.h"
#include "gateway/rpc/wire.h"

namespace schleuse {
namespace {

// A device declares anew only after a Rewind.
constexpr int kFinishesPerStreamMax = limits::kRewindsPerStreamMax + 1;

// gRPC keeps this object until each event has returned, so that door_ is there
// to the end of whatever an event calls.
class UploadReactor final : public UploadCall {
 public:
  UploadReactor(grpc::CallbackServerContext& context, Intake& intake,
                const Principal& principal, DeviceCounted place,
                std::shared_ptr<OpenCalls> open, int silent_ticks_max)
      : place_(std::move(place)),
        door_(std::make_shared<CallDoor>(*this, context, message_,
                                         silent_ticks_max)),
        stream_(intake.Connect(principal, door_)),
        open_(std::move(open)) {
    open_->Add(door_);
    door_->StartReading();
  }

  void OnReadDone(bool ok) override {
    if (!ok) return door_->OnInputClosed();
    door_->OnReadBegins();
    const bool read_on = Handle();
    message_.Clear();
    door_->OnReadHandled(read_on);
  }

  // A failed write shows that the call is broken; OnCancel ends it.
  void OnWriteDone(bool) override { door_->OnWritten(); }

  void OnCancel() override { door_->OnBroken(); }

  void OnDone() override {
    door_->OnDone();
    open_->Remove(*door_);
    stream_->OnClosed();
    delete this;
  }

 private:
  // False: read no further for now.
  bool Handle() {
    absl::StatusOr<WireRequest> request = ParseUploadRequest(message_);
    if (!request.ok()) return Bad(request.status());
    if (auto* chunk = std::get_if<WireChunk>(&*request)) {
      return stream_->OnChunk(ToDomain(std::move(*chunk)));
    }
    if (auto* begin = std::get_if<transfer::v1::Begin>(&*request)) {
      absl::StatusOr<Begin> parsed = ToDomain(*begin);
      if (!parsed.ok()) return Bad(parsed.status());
      door_->OnBegin();
      stream_->OnBegin(*std::move(parsed));
      return true;
    }
    if (auto* finish = std::get_if<transfer::v1::Finish>(&*request)) {
      const absl::StatusOr<schleuse::Finish> parsed = ToDomain(*finish);
      if (!parsed.ok()) return Bad(parsed.status());
      // Each waits in a queue that has no other bound.
      if (++finishes_ > kFinishesPerStreamMax) {
        return Bad(absl::InvalidArgumentError("too many Finish"));
      }
      door_->OnFinish();
      stream_->OnFinish(*parsed);
      return true;
    }
    return Bad(absl::InvalidArgumentError("an empty request"));
  }

  bool Bad(const absl::Status& what) {
    stream_->OnBadMessage(what.message());
    return true;
  }

  const DeviceCounted place_;
  grpc::ByteBuffer message_;
  // Shared with the stream, which may answer until it is closed.
  const std::shared_ptr<CallDoor> door_;
  const std::shared_ptr<Stream> stream_;
  const std::shared_ptr<OpenCalls> open_;
  int finishes_ = 0;
};

class Refusal final : public UploadCall {
 public:
  explicit Refusal(const grpc::Status& status) { Finish(status); }
  void OnDone() override { delete this; }
};

}  // namespace

UploadCall* MakeUploadReactor(grpc::CallbackServerContext& context,
                              Intake& intake, const Principal& principal,
                              DeviceCounted place,
                              std::shared_ptr<OpenCalls> open,
                              int silent_ticks_max) {
  return new UploadReactor(context, intake, principal, std::move(place),
                           std::move(open), silent_ticks_max);
}

UploadCall* MakeRefusal(const grpc::Status& status) {
  return new Refusal(status);
}

}  // namespace schleuse
