#include "gateway/rpc/look_reactor.h"

#include <atomic>
#include <memory>
#include <utility>

#include "gateway/rpc/convert.h"

namespace schleuse {
namespace {

// Given once: by the intake, or by the device that does not wait for it, so
// that a stopping server need not wait either.
class Answer {
 public:
  Answer(grpc::ServerUnaryReactor& call, transfer::v1::GetTransferReply& reply,
         DeviceCounted place)
      : call_(call), reply_(reply), place_(std::move(place)) {}

  void Give(const absl::StatusOr<TransferView>& view) {
    if (given_.exchange(true)) return;
    // Until Finish the call is there.
    if (view.ok()) reply_ = ToProto(*view);
    call_.Finish(ToGrpc(view.status()));
  }

 private:
  grpc::ServerUnaryReactor& call_;
  transfer::v1::GetTransferReply& reply_;
  const DeviceCounted place_;
  std::atomic<bool> given_{false};
};

class LookReactor final : public grpc::ServerUnaryReactor {
 public:
  LookReactor(Intake& intake, const Principal& principal,
              const RecordingName& name, transfer::v1::GetTransferReply& reply,
              DeviceCounted place)
      : answer_(std::make_shared<Answer>(*this, reply, std::move(place))) {
    intake.Look(principal, name,
                [answer = answer_](const absl::StatusOr<TransferView>& view) {
                  answer->Give(view);
                });
  }

  void OnCancel() override {
    answer_->Give(absl::CancelledError("the link is gone"));
  }
  void OnDone() override { delete this; }

 private:
  // Shared with the question, which may still be queued when the call is over.
  const std::shared_ptr<Answer> answer_;
};

}  // namespace

grpc::ServerUnaryReactor* MakeLookReactor(Intake& intake,
                                          const Principal& principal,
                                          const RecordingName& name,
                                          transfer::v1::GetTransferReply& reply,
                                          DeviceCounted place) {
  return new LookReactor(intake, principal, name, reply, std::move(place));
}

}  // namespace schleuse
