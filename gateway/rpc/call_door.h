// What may be started on an Upload call, from whichever thread: gRPC allows one
// read, one write and one end at a time, and nothing behind the end. It knows
// no message of the device's.
#ifndef SCHLEUSE_GATEWAY_RPC_CALL_DOOR_H_
#define SCHLEUSE_GATEWAY_RPC_CALL_DOOR_H_

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <deque>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"
#include "gateway/rpc/open_calls.h"
#include "gateway/transfer/messages.h"

namespace schleuse {

using UploadCall = grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>;

// Shared by the reactor and by the stream that answers through it, since
// either may be gone first. Safe to call from many threads.
class CallDoor final : public Outlet, public OpenCall {
 public:
  // The first three are touched only until OnDone.
  CallDoor(UploadCall& call, grpc::CallbackServerContext& context,
           grpc::ByteBuffer& read_into, int silent_ticks_max)
      : call_(call),
        context_(context),
        read_into_(read_into),
        silent_ticks_max_(silent_ticks_max) {}

  // --- from the stream ---
  void Send(const Reply& reply) override;
  void End(const StreamEnd& end) override;
  void ResumeReading() override;

  // --- from the reactor ---
  // Replies that wait still go out before `status`; the first status counts.
  void EndWith(const grpc::Status& status);
  void StartReading();
  // The message that was read is being handled: a ResumeReading from now on
  // belongs to it.
  void OnReadBegins();
  // It was handled, and `read_into` may be read into again.
  void OnReadHandled(bool read_on);
  // The device closed its side; no read follows.
  void OnInputClosed();
  void OnBegin();
  void OnFinish();
  void OnWritten();
  // The link is gone: what waits cannot be sent any more.
  void OnBroken();
  // The call is over; reactor and context may go.
  void OnDone();

  // Ends a call that did not begin between two ticks, and one that began and
  // then was silent for more than `silent_ticks_max` of them though its next
  // message was waited for; cuts off a device that did not take the end of its
  // call.
  void OnTick() override;

 private:
  void Pump();

  UploadCall& call_;
  grpc::CallbackServerContext& context_;
  grpc::ByteBuffer& read_into_;
  const int silent_ticks_max_;

  Mutex mutex_;
  // Bounded, however slowly the device reads: one Ready, one end, Rewinds of
  // which there are only so many, and one Ack between two of these.
  std::deque<Reply> waiting_ ABSL_GUARDED_BY(mutex_);
  std::optional<grpc::Status> end_ ABSL_GUARDED_BY(mutex_);
  bool begun_ ABSL_GUARDED_BY(mutex_) = false;
  // Finish came, and no Rewind after it: the device has nothing more to say.
  bool finish_came_ ABSL_GUARDED_BY(mutex_) = false;
  bool input_closed_ ABSL_GUARDED_BY(mutex_) = false;
  bool ticked_ ABSL_GUARDED_BY(mutex_) = false;  // since opening, or since end_
  // Since the last message of either side: a device may wait for ours.
  int silent_ticks_ ABSL_GUARDED_BY(mutex_) = 0;

  bool pumping_ ABSL_GUARDED_BY(mutex_) = false;
  bool read_wanted_ ABSL_GUARDED_BY(mutex_) = false;
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;  // until it is handled
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finishing_ ABSL_GUARDED_BY(mutex_) = false;
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::ByteBuffer written_;  // gRPC's while writing_
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_RPC_CALL_DOOR_H_
