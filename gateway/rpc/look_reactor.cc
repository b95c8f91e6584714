#include "gateway/rpc/look_reactor.h"

#include <atomic>
#include <memory>
#include <utility>

#include "gateway/rpc/convert.h"

namespace schleuse {
namespace {

// Given once: by the intake, or by the device that does not wait for it, so
// that a stopping server need not wait either.
template <typename Reply>
class Answer {
 public:
  Answer(grpc::ServerUnaryReactor& call, Reply& reply, DeviceCounted place)
      : call_(call), reply_(reply), place_(std::move(place)) {}

  template <typename Found>
  void Give(const absl::StatusOr<Found>& found) {
    if (given_.exchange(true)) return;
    // Until Finish the call is there.
    if (found.ok()) reply_ = ToProto(*found);
    call_.Finish(ToGrpc(found.status()));
  }
  void GiveUp() {
    if (given_.exchange(true)) return;
    call_.Finish(ToGrpc(absl::CancelledError("the link is gone")));
  }

 private:
  grpc::ServerUnaryReactor& call_;
  Reply& reply_;
  const DeviceCounted place_;
  std::atomic<bool> given_{false};
};

template <typename Reply>
class LookReactor final : public grpc::ServerUnaryReactor {
 public:
  // `ask` hands an answer on to the intake.
  template <typename Ask>
  LookReactor(Reply& reply, DeviceCounted place, Ask ask)
      : answer_(
            std::make_shared<Answer<Reply>>(*this, reply, std::move(place))) {
    ask(answer_);
  }

  void OnCancel() override { answer_->GiveUp(); }
  void OnDone() override { delete this; }

 private:
  // Shared with the question, which may still be queued when the call is over.
  const std::shared_ptr<Answer<Reply>> answer_;
};

}  // namespace

grpc::ServerUnaryReactor* MakeLookReactor(Intake& intake,
                                          const Principal& principal,
                                          const RecordingName& name,
                                          transfer::v1::GetTransferReply& reply,
                                          DeviceCounted place) {
  return new LookReactor<transfer::v1::GetTransferReply>(
      reply, std::move(place), [&](auto answer) {
        intake.Look(principal, name,
                    [answer](const absl::StatusOr<TransferView>& view) {
                      answer->Give(view);
                    });
      });
}

grpc::ServerUnaryReactor* MakeLookReactor(Intake& intake,
                                          const Principal& principal,
                                          const RecordingName& name,
                                          transfer::v1::Receipt& reply,
                                          DeviceCounted place) {
  return new LookReactor<transfer::v1::Receipt>(
      reply, std::move(place), [&](auto answer) {
        intake.FindReceipt(principal, name,
                           [answer](const absl::StatusOr<GivenReceipt>& found) {
                             answer->Give(found);
                           });
      });
}

}  // namespace schleuse
