#include "tests/simulation/fake_link.h"

#include <string>
#include <utility>
#include <variant>

#include "gateway/transfer/messages.h"

namespace schleuse::simulation {
namespace {

client::Reply ToClient(const Ready& ready) {
  return client::Ready{
      .transfer_id = ready.transfer_id ? ready.transfer_id->ToString() : "",
      .offset = ready.offset,
      .chunk_bytes_max = 1 << 20,
      .credit_bytes = ready.credit_bytes,
      .ack_every_bytes = ready.ack_every_bytes,
      .ack_every = ready.ack_every,
      .already_stored = ready.already_stored};
}
client::Reply ToClient(const Ack& ack) {
  return client::Ack{.durable_offset = ack.durable_offset,
                     .credit_bytes = ack.credit_bytes};
}
client::Reply ToClient(const Rewind& rewind) {
  return client::Rewind{.offset = rewind.offset,
                        .reason = static_cast<client::Rewind::Reason>(
                            static_cast<int>(rewind.reason) + 1)};
}
client::Reply ToClient(const Pause& pause) {
  return client::Pause{.retry_after = pause.retry_after,
                       .reason = static_cast<client::Pause::Reason>(
                           static_cast<int>(pause.reason) + 1)};
}
client::Reply ToClient(const GivenReceipt& receipt) {
  return client::Receipt{.camera_id = receipt.name.camera_id(),
                         .recording_id = receipt.name.recording_id(),
                         .size = receipt.size,
                         .sha256 = receipt.sha256,
                         .statement = receipt.statement,
                         .proof = receipt.proof};
}
client::Reply ToClient(const Stored& stored) {
  return client::Stored{.size = stored.size, .sha256 = stored.sha256};
}

client::ErrorDetail ToClient(const StreamEnd& end) {
  // The two enumerations list the same reasons in the same order.
  return {.reason = static_cast<client::ErrorDetail::Reason>(end.reason),
          .stored_sha256 = end.stored_sha256,
          .retry_after = end.retry_after};
}

}  // namespace

// One stream, with its two ends and what is on its way between them. Either end
// may vanish first.
class Call : public std::enable_shared_from_this<Call> {
 public:
  Call(Network& network, RecordingName recording, Strand& strand,
       uint64_t number, client::LinkEvents& events)
      : network_(network),
        recording_(std::move(recording)),
        strand_(strand),
        number_(number),
        events_(&events) {}

  void Connect(const Principal& principal) {
    network_.calls_.insert(shared_from_this());
    if (network_.gateway() == nullptr) {
      return Break(absl::UnavailableError("connection refused"));
    }
    stream_ = network_.gateway()->Connect(
        principal, std::make_shared<ToDevice>(shared_from_this()));
  }

  // --- the device's end ---
  void Send(client::Request request) {
    if (stream_ == nullptr || dead_) return;
    up_.push_back(std::move(request));
    network_.executor().Post(
        [self = shared_from_this()] { self->DeliverUp(); });
  }
  // The device lets go: its events are not wanted any more.
  void LetGo() {
    events_ = nullptr;
    network_.executor().Post(
        [self = shared_from_this()] { self->CloseAtGateway(); });
  }

  // --- the gateway's end ---
  void GatewayDied() {
    // Its objects are about to go; only what ends their circles is called.
    if (auto stream = std::exchange(stream_, nullptr)) stream->OnClosed();
    Break(absl::UnavailableError("connection reset"));
  }

 private:
  class ToDevice final : public Outlet {
   public:
    explicit ToDevice(std::weak_ptr<Call> call) : call_(std::move(call)) {}
    void Send(const Reply& reply) override {
      const auto call = call_.lock();
      if (call == nullptr || call->dead_) return;
      std::visit(
          [&call](const auto& of_kind) {
            call->network_.on_reply(call->recording_, ToClient(of_kind));
            call->Down(ToClient(of_kind));
          },
          reply);
    }
    void End(const StreamEnd& end) override {
      const auto call = call_.lock();
      if (call == nullptr) return;
      call->ended_by_gateway_ = true;
      call->network_.on_end(call->recording_, ToClient(end));
      call->Down(End_{end.status, ToClient(end)});
    }
    void ResumeReading() override {
      const auto call = call_.lock();
      if (call == nullptr) return;
      call->reading_ = true;
      call->network_.executor().Post([call] { call->DeliverUp(); });
    }

   private:
    const std::weak_ptr<Call> call_;
  };
  struct End_ {
    absl::Status status;
    client::ErrorDetail detail;
  };
  using DownMessage = std::variant<client::Reply, End_>;

  void Down(DownMessage message) {
    down_.push_back(std::move(message));
    network_.executor().Post(
        [self = shared_from_this()] { self->DeliverDown(); });
  }

  bool Misfortune() {
    if (network_.Chance(network_.faults().cut)) {
      Break(absl::UnavailableError("link cut"));
      return true;
    }
    if (network_.Chance(network_.faults().dead)) {
      dead_ = true;
      network_.executor().PostAfter(
          absl::Seconds(90),
          [self = shared_from_this()] { self->CloseAtGateway(); });
      return true;
    }
    return false;
  }

  void DeliverUp() {
    if (up_.empty() || !reading_ || dead_ || stream_ == nullptr) return;
    if (Misfortune()) return;
    client::Request request = std::move(up_.front());
    up_.pop_front();
    ToEvents([number = number_](client::LinkEvents& events) {
      events.OnSent(number);
    });
    // A gateway that has ended a stream reads nothing of it any more.
    if (ended_by_gateway_) return;
    if (auto* begin = std::get_if<client::Begin>(&request)) {
      stream_->OnBegin({.name = begin->name,
                        // The recorder's badge, as protobuf writes it.
                        .metadata = "\x12\x06"
                                    "badge1",
                        .extension = "mp4",
                        .priority = Priority::kNormal,
                        .size = begin->size});
    } else if (auto* chunk = std::get_if<client::Chunk>(&request)) {
      if (network_.Chance(network_.faults().flip_chunk)) {
        std::string bytes(chunk->data);
        bytes[network_.random().Next() % bytes.size()] ^= 0x10;
        chunk->data = bytes;
      }
      reading_ = stream_->OnChunk({.offset = chunk->offset,
                                   .crc32c = chunk->crc32c,
                                   .data = std::move(chunk->data)});
    } else {
      const auto& finish = std::get<client::Finish>(request);
      stream_->OnFinish({.size = finish.size, .sha256 = finish.sha256});
    }
  }

  void DeliverDown() {
    if (down_.empty() || dead_) return;
    if (Misfortune()) return;
    DownMessage message = std::move(down_.front());
    down_.pop_front();
    if (auto* reply = std::get_if<client::Reply>(&message)) {
      return ToEvents([number = number_,
                       reply = std::move(*reply)](client::LinkEvents& events) {
        events.OnReply(number, reply);
      });
    }
    const auto& end = std::get<End_>(message);
    CloseAtGateway();
    CloseAtDevice(end.status, end.detail);
  }

  // Both ends hear of it; what was on its way is lost.
  void Break(const absl::Status& why) {
    CloseAtGateway();
    CloseAtDevice(why, {});
  }

  void CloseAtGateway() {
    up_.clear();
    if (auto stream = std::exchange(stream_, nullptr)) stream->OnClosed();
    if (events_ == nullptr) network_.calls_.erase(shared_from_this());
  }

  void CloseAtDevice(const absl::Status& status,
                     const client::ErrorDetail& detail) {
    down_.clear();
    ToEvents([number = number_, status, detail](client::LinkEvents& events) {
      events.OnClosed(number, status, detail);
    });
    network_.calls_.erase(shared_from_this());
  }

  template <typename Event>
  void ToEvents(Event event) {
    if (events_ == nullptr) return;
    strand_.Post([self = shared_from_this(), event = std::move(event)] {
      if (self->events_ != nullptr) event(*self->events_);
    });
  }

  Network& network_;
  const RecordingName recording_;
  Strand& strand_;
  const uint64_t number_;
  client::LinkEvents* events_;
  std::shared_ptr<Stream> stream_;
  std::deque<client::Request> up_;
  std::deque<DownMessage> down_;
  bool reading_ = true;
  bool dead_ = false;
  bool ended_by_gateway_ = false;
};

void Network::GatewayDied() {
  gateway_ = nullptr;
  const std::set<std::shared_ptr<Call>> calls = std::exchange(calls_, {});
  for (const std::shared_ptr<Call>& call : calls) call->GatewayDied();
}

FakeLink::~FakeLink() {
  if (call_ != nullptr) call_->LetGo();
}

void FakeLink::Open(uint64_t stream, client::LinkEvents& events) {
  if (call_ != nullptr) call_->LetGo();
  call_ = std::make_shared<Call>(network_, recording_, strand_, stream, events);
  call_->Connect(principal_);
}

void FakeLink::Send(client::Request request, Next) {
  call_->Send(std::move(request));
}

void FakeLink::Close(Why) { call_->LetGo(); }

}  // namespace schleuse::simulation
