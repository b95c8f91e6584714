#include "gateway/rpc/call_door.h"

#include <grpc/grpc.h>
#include <grpcpp/server_context.h>

#include <utility>
#include <variant>

#include "gateway/rpc/convert.h"
#include "gateway/rpc/wire.h"

namespace schleuse {
namespace {

grpc::Status ClosedTooEarly() {
  return {grpc::StatusCode::CANCELLED, "closed before Finish"};
}

// The stream's end follows at once, and both go out as one.
bool IsLastWord(const Reply& reply) {
  return std::holds_alternative<Stored>(reply) ||
         std::holds_alternative<Pause>(reply);
}

StreamEnd Silent() {
  return {.status = absl::UnavailableError("the device sent nothing"),
          .reason = EndReason::kSilent};
}

}  // namespace

void CallDoor::Send(const Reply& reply) {
  {
    MutexLock lock(mutex_);
    if (end_) return;
    silent_ticks_ = 0;
    if (std::holds_alternative<Ack>(reply) && !waiting_.empty() &&
        std::holds_alternative<Ack>(waiting_.back())) {
      waiting_.back() = reply;
    } else {
      waiting_.push_back(reply);
    }
    if (std::holds_alternative<Rewind>(reply)) {
      finish_came_ = false;
      // It cannot send anything again.
      if (input_closed_) end_ = ClosedTooEarly();
    }
  }
  Pump();
}

void CallDoor::End(const StreamEnd& end) { EndWith(ToGrpc(end)); }

void CallDoor::EndWith(const grpc::Status& status) {
  {
    MutexLock lock(mutex_);
    if (end_) return;
    end_ = status;
    ticked_ = false;
  }
  Pump();
}

void CallDoor::StartReading() { ResumeReading(); }

void CallDoor::ResumeReading() {
  {
    MutexLock lock(mutex_);
    read_wanted_ = true;
  }
  Pump();
}

void CallDoor::OnReadBegins() {
  MutexLock lock(mutex_);
  read_wanted_ = false;
  silent_ticks_ = 0;
}

void CallDoor::OnReadHandled(bool read_on) {
  {
    MutexLock lock(mutex_);
    reading_ = false;
    if (read_on) read_wanted_ = true;
  }
  Pump();
}

void CallDoor::OnInputClosed() {
  {
    MutexLock lock(mutex_);
    input_closed_ = true;
    if (finish_came_) return;  // it waits for the answer
  }
  EndWith(ClosedTooEarly());
}

void CallDoor::OnBegin() {
  MutexLock lock(mutex_);
  begun_ = true;
}

void CallDoor::OnFinish() {
  MutexLock lock(mutex_);
  finish_came_ = true;
}

void CallDoor::OnWritten() {
  {
    MutexLock lock(mutex_);
    writing_ = false;
  }
  Pump();
}

void CallDoor::OnBroken() {
  {
    MutexLock lock(mutex_);
    waiting_.clear();
  }
  EndWith({grpc::StatusCode::CANCELLED, "the link is gone"});
}

void CallDoor::OnDone() {
  MutexLock lock(mutex_);
  done_ = true;
}

void CallDoor::OnTick() {
  grpc_call* stuck = nullptr;
  {
    MutexLock lock(mutex_);
    if (done_) return;
    if (begun_ && !end_) {
      if (!reading_ || finish_came_) return;  // it waits for us
      if (++silent_ticks_ <= silent_ticks_max_) return;
      end_ = ToGrpc(Silent());
      ticked_ = false;
    } else if (!std::exchange(ticked_, true)) {
      return;
    } else if (end_) {
      stuck = context_.c_call();
      grpc_call_ref(stuck);
    } else {
      end_ = {grpc::StatusCode::DEADLINE_EXCEEDED,
              "the call was opened and did not begin"};
      ticked_ = false;
    }
  }
  if (stuck == nullptr) return Pump();
  // The write or the end that is stuck fails. Not by the context, which may be
  // gone by now.
  grpc_call_cancel(stuck, nullptr);
  grpc_call_unref(stuck);
}

// Starts whatever can be started now: one thread at a time, so that nothing is
// started behind the end, and not under the lock. What others change meanwhile,
// it sees in its next round.
void CallDoor::Pump() {
  MutexLock lock(mutex_);
  if (pumping_) return;
  pumping_ = true;
  while (!finishing_) {
    if (!writing_ && end_ && waiting_.size() <= 1) {
      finishing_ = true;
      const grpc::Status status = *end_;
      const bool last = !waiting_.empty();
      if (last) written_ = Serialize(ToProto(waiting_.front()));
      mutex_.Unlock();
      // The reactor may be gone behind these lines.
      if (last) {
        call_.StartWriteAndFinish(&written_, {}, status);
      } else {
        call_.Finish(status);
      }
      mutex_.Lock();
    } else if (!writing_ && !waiting_.empty() &&
               (end_ || !IsLastWord(waiting_.front()))) {
      writing_ = true;
      written_ = Serialize(ToProto(waiting_.front()));
      waiting_.pop_front();
      mutex_.Unlock();
      call_.StartWrite(&written_);
      mutex_.Lock();
    } else if (read_wanted_ && !reading_ && !end_) {
      read_wanted_ = false;
      reading_ = true;
      mutex_.Unlock();
      call_.StartRead(&read_into_);
      mutex_.Lock();
    } else {
      break;
    }
  }
  pumping_ = false;
}

}  // namespace schleuse
