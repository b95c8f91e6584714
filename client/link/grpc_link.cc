#include "client/link/grpc_link.h"

#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/client_callback.h>

#include <deque>
#include <optional>
#include <utility>

#include "base/mutex.h"
#include "base/status.h"
#include "client/link/convert.h"
#include "proto/transfer.pb.h"

namespace schleuse::client {
namespace {

using Stub =
    grpc::TemplatedGenericStub<grpc::ByteBuffer, transfer::v1::UploadReply>;

constexpr char kMethod[] = "/schleuse.transfer.v1.TransferService/Upload";

}  // namespace

// One call. gRPC's threads and the strand meet here. It keeps itself alive
// until gRPC says that it is over.
class GrpcLink::Call final
    : public grpc::ClientBidiReactor<grpc::ByteBuffer,
                                     transfer::v1::UploadReply>,
      public std::enable_shared_from_this<Call> {
 public:
  Call(Connections& connections, const Strand& strand, uint64_t stream,
       LinkEvents& events, std::weak_ptr<const bool> alive)
      : connections_(connections),
        strand_(strand),
        stream_(stream),
        events_(events),
        alive_(std::move(alive)) {}

  void Start(const std::shared_ptr<grpc::Channel>& channel) {
    connections_.CallBegan();
    self_ = shared_from_this();
    SynchronizeWithStart();
    context_.set_wait_for_ready(false);
    context_.set_initial_metadata_corked(true);  // goes with Begin
    Stub(channel).PrepareBidiStreamingCall(&context_, kMethod, {}, this);
    AddHold();  // let go by LetEnd: the strand may start operations until then
    StartRead(&reply_);
    StartCall();
  }

  // On the strand.
  void Send(const Request& request, Next next) {
    Write write{ToWire(request), {}};
    if (next == Next::kFollows) write.options.set_buffer_hint();
    {
      MutexLock lock(mutex_);
      if (ending_) return;
      AddHold();
      writes_.push_back(std::move(write));
      if (writes_.size() > 1) return;  // OnWriteDone goes on with it
    }
    StartNextWrite();
  }

  void Cancel() {
    context_.TryCancel();
    LetEnd();
  }

  // Lets the gateway close the stream in order, which it does at once behind
  // Stored; should it not, the call is cancelled all the same.
  void LetClose() {
    LetEnd();
    strand_.PostAfter(absl::Seconds(5), [call = weak_from_this()] {
      if (const auto self = call.lock()) self->context_.TryCancel();
    });
  }
  bool stored() const { return stored_; }

  void OnWriteDone(bool ok) override {
    SynchronizeWithStart();
    size_t dropped = 0;
    bool more;
    int sent = 0;
    {
      MutexLock lock(mutex_);
      writes_.pop_front();
      if (ok) ++sent_;
      // Of those that follow each other at once the strand hears once.
      if (ok && writes_.empty()) sent = std::exchange(sent_, 0);
      // If not ok the stream is broken, and reading ends as well.
      if (!ok || ending_) {
        dropped = writes_.size();
        writes_.clear();
      }
      more = !writes_.empty();
    }
    if (more) StartNextWrite();
    if (sent > 0) PostSent(sent);
    for (; dropped > 0; --dropped) RemoveHold();
  }

  void OnReadDone(bool ok) override {
    SynchronizeWithStart();
    if (!ok) return LetEnd();
    absl::StatusOr<std::optional<Reply>> reply = FromWire(reply_);
    if (!reply.ok()) {
      fault_ = reply.status();
      return Cancel();
    }
    // The next is read when this one has been looked at: nobody can fill our
    // memory with replies.
    strand_.Post([self = shared_from_this(), reply = *std::move(reply)] {
      if (self->alive_.expired()) return;
      if (reply) {
        self->stored_ = std::holds_alternative<Stored>(*reply) ||
                        std::holds_alternative<Receipt>(*reply);
        self->events_.OnReply(self->stream_, *reply);
      }
      self->ReadNext();
    });
  }

  void OnDone(const grpc::Status& status) override {
    SynchronizeWithStart();
    // All ends on the strand. Were the last reference to a channel to go on
    // this thread of gRPC's, the channel would wait for its own thread to end.
    Strand strand = strand_;
    Connections& connections = connections_;
    connections.CallBegan();  // this thread, until it is out of the executor
    strand.Post([self = std::move(self_), &connections,
                 closed = fault_.ok() ? ToAbsl(status) : fault_,
                 detail = DetailOf(status)]() mutable {
      if (!self->alive_.expired()) {
        self->events_.OnClosed(self->stream_, closed, detail);
      }
      self = nullptr;
      connections.CallEnded();
    });
    connections.CallEnded();
  }

 private:
  struct Write {
    grpc::ByteBuffer request;
    grpc::WriteOptions options;
  };

  // gRPC's threads see all that was done before Start: gRPC's own locks see to
  // that, but the thread sanitizer cannot look into them, and ours are cheap.
  void SynchronizeWithStart() { MutexLock lock(mutex_); }

  // Whether an operation may be started; if so RemoveHold must follow it. No
  // lock is held meanwhile, since gRPC may call us back from within.
  bool Enter() {
    MutexLock lock(mutex_);
    if (ending_) return false;
    AddHold();
    return true;
  }

  void LetEnd() {
    {
      MutexLock lock(mutex_);
      if (std::exchange(ending_, true)) return;
    }
    RemoveHold();
  }

  void PostSent(int requests) {
    strand_.Post([self = shared_from_this(), requests] {
      for (int i = 0; i < requests; ++i) {
        if (!self->alive_.expired()) self->events_.OnSent(self->stream_);
      }
    });
  }

  // With the hold that Send added for it. Encrypts what it can at once, on the
  // calling thread.
  void StartNextWrite() {
    Write* write;
    {
      MutexLock lock(mutex_);
      write = &writes_.front();
    }
    StartWrite(&write->request, write->options);
    RemoveHold();
  }

  void ReadNext() {
    if (!Enter()) return;
    StartRead(&reply_);
    RemoveHold();
  }

  Connections& connections_;
  Strand strand_;
  const uint64_t stream_;
  LinkEvents& events_;
  const std::weak_ptr<const bool> alive_;  // asked on the strand alone
  bool stored_ = false;                    // likewise
  grpc::ClientContext context_;
  transfer::v1::UploadReply reply_;
  absl::Status fault_;  // of the gateway's reply, if that ended the call
  std::shared_ptr<Call> self_;
  Mutex mutex_;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  // The first is under way. At most Link::kSendsMax.
  int sent_ ABSL_GUARDED_BY(mutex_) = 0;  // and not yet told
  std::deque<Write> writes_ ABSL_GUARDED_BY(mutex_);
};

GrpcLink::GrpcLink(Connections& connections, int slot, const Strand& strand)
    : connections_(connections), slot_(slot), strand_(strand) {}

GrpcLink::~GrpcLink() {
  if (call_ == nullptr) return;
  call_->stored() ? call_->LetClose() : call_->Cancel();
}

void GrpcLink::Open(uint64_t stream, LinkEvents& events) {
  if (call_ != nullptr) call_->Cancel();
  channel_ = connections_.Get(slot_);
  call_ = std::make_shared<Call>(connections_, strand_, stream, events, alive_);
  call_->Start(channel_);
}

void GrpcLink::Send(Request request, Next next) {
  if (call_ != nullptr) call_->Send(request, next);
}

void GrpcLink::Close(Why why) {
  if (call_ == nullptr) return;
  std::exchange(call_, nullptr)->Cancel();
  if (why == Why::kStalled) connections_.Discard(slot_, channel_);
}

}  // namespace schleuse::client
