#include "gateway/rpc/call_door.h"

#include <grpcpp/server_context.h>

#include <atomic>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "base/executor.h"
#include "base/fake_executor.h"
#include "base/thread_pool.h"
#include "crypto/digest.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using Link =
    grpc::ServerCallbackReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>;

class Reactor;

constexpr int kSilentTicksMax = 3;

// gRPC's side of a call: answers from other threads, and counts what must not
// happen.
class FakeLink final : public Link {
 public:
  FakeLink(Executor& executor, std::unique_ptr<Reactor> reactor);

  void Read(grpc::ByteBuffer*) override;
  void Write(const grpc::ByteBuffer*, grpc::WriteOptions) override;
  void Finish(grpc::Status) override;
  void WriteAndFinish(const grpc::ByteBuffer*, grpc::WriteOptions,
                      grpc::Status) override;
  void SendInitialMetadata() override { ++mistakes; }

  // The device sends nothing but what is said here: it is handled, and
  // `read_on` is its stream's answer.
  void BeSilent() { silent_ = true; }
  void Message(bool read_on);

  std::atomic<int> mistakes{0};
  std::atomic<int> reads{0};
  std::atomic<int> writes{0};
  std::atomic<int> ends{0};
  grpc::Status ended_with;

 private:
  grpc::internal::ServerReactor* reactor() override { return nullptr; }
  void CallOnDone() override {}

  Executor& executor_;
  std::unique_ptr<Reactor> reactor_;
  bool silent_ = false;
  std::atomic<bool> reading_{false};
  std::atomic<bool> writing_{false};
};

class Reactor final : public UploadCall {
 public:
  Reactor()
      : door(std::make_shared<CallDoor>(*this, context_, message_,
                                        kSilentTicksMax)) {}
  void OnDone() override {}

 private:
  grpc::CallbackServerContext context_;
  grpc::ByteBuffer message_;

 public:
  const std::shared_ptr<CallDoor> door;
};

FakeLink::FakeLink(Executor& executor, std::unique_ptr<Reactor> reactor)
    : executor_(executor), reactor_(std::move(reactor)) {
  BindReactor(reactor_.get());
}

void FakeLink::Read(grpc::ByteBuffer*) {
  ++reads;
  mistakes += reading_.exchange(true) || ends > 0;
  if (silent_) return;
  executor_.Post([this, door = reactor_->door] {
    reading_ = false;
    door->OnReadBegins();
    door->OnReadHandled(reads % 3 != 0);
  });
}

void FakeLink::Message(bool read_on) {
  mistakes += !reading_.exchange(false);
  reactor_->door->OnReadBegins();
  reactor_->door->OnReadHandled(read_on);
}

void FakeLink::Write(const grpc::ByteBuffer*, grpc::WriteOptions) {
  ++writes;
  mistakes += writing_.exchange(true) || ends > 0;
  executor_.Post([this, door = reactor_->door] {
    writing_ = false;
    door->OnWritten();
  });
}

void FakeLink::WriteAndFinish(const grpc::ByteBuffer*, grpc::WriteOptions,
                              grpc::Status status) {
  ++writes;
  Finish(std::move(status));
}

void FakeLink::Finish(grpc::Status status) {
  ++ends;
  ended_with = std::move(status);
  mistakes += writing_.load();
  reactor_.reset();  // whoever touches it from here on touches freed memory
}

// Many threads at once, over and over: the stream's strand and the events.
TEST(CallDoorTest, StartsOneOperationAtATimeAndNothingBehindTheEnd) {
  int writes = 0;  // of one round it may be none: the end came first
  for (int round = 0; round < 200; ++round) {
    auto reactor = std::make_unique<Reactor>();
    const std::shared_ptr<CallDoor> door = reactor->door;
    auto pool = std::make_unique<ThreadPool>(3);
    FakeLink link(*pool, std::move(reactor));
    door->StartReading();
    door->OnBegin();
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&door, t] {
        for (uint64_t i = 0; i < 50; ++i) {
          door->Send(Ack{.durable_offset = i, .credit_bytes = 1});
          door->Send(Rewind{.offset = i, .reason = Rewind::Reason::kGap});
          door->ResumeReading();
        }
        if (t % 2 == 0) {
          door->End({.status = absl::AbortedError("over")});
        } else {
          door->OnBroken();
        }
        door->Send(Ack{.durable_offset = 0, .credit_bytes = 1});
      });
    }
    for (std::thread& thread : threads) thread.join();
    pool.reset();  // everything posted has run
    EXPECT_EQ(link.mistakes, 0);
    EXPECT_EQ(link.ends, 1);
    writes += link.writes;
  }
  EXPECT_GT(writes, 200);
}

TEST(CallDoorTest, TheLastWordGoesOutWithTheEnd) {
  for (const Reply& last :
       {Reply(Stored{.size = 0, .sha256 = Sha256::Of("")}), Reply(Pause{})}) {
    FakeExecutor executor;
    auto reactor = std::make_unique<Reactor>();
    const std::shared_ptr<CallDoor> door = reactor->door;
    FakeLink link(executor, std::move(reactor));
    door->Send(Ack{.durable_offset = 1, .credit_bytes = 1});
    door->Send(last);
    executor.RunReady();
    EXPECT_EQ(link.writes, 1);
    door->End({.status = absl::OkStatus()});
    EXPECT_EQ(link.writes, 2);
    EXPECT_EQ(link.ends, 1);
    EXPECT_EQ(link.mistakes, 0);
  }
}

// A call that began, with a device that says nothing by itself.
class SilentCallTest : public testing::Test {
 protected:
  SilentCallTest() : SilentCallTest(std::make_unique<Reactor>()) {}

  void Tick(int times) {
    for (int i = 0; i < times; ++i) {
      door_->OnTick();
      executor_.RunReady();
    }
  }
  // `times` more ticks are the last that it stands.
  void ExpectEndedAfter(int times) {
    Tick(times);
    EXPECT_EQ(link_.ends, 0);
    Tick(1);
    EXPECT_EQ(link_.ends, 1);
    EXPECT_EQ(link_.ended_with.error_code(), grpc::StatusCode::UNAVAILABLE);
    EXPECT_EQ(link_.mistakes, 0);
  }

  FakeExecutor executor_;
  std::shared_ptr<CallDoor> door_;
  FakeLink link_;

 private:
  explicit SilentCallTest(std::unique_ptr<Reactor> reactor)
      : door_(reactor->door), link_(executor_, std::move(reactor)) {
    link_.BeSilent();
    door_->StartReading();
    door_->OnBegin();
    link_.Message(true);
  }
};

TEST_F(SilentCallTest, ADeviceThatSendsNothingIsEnded) {
  ExpectEndedAfter(kSilentTicksMax);
}

TEST_F(SilentCallTest, AMessageOfEitherSideBeginsTheCountAnew) {
  for (int i = 0; i < 5; ++i) {
    Tick(kSilentTicksMax);
    link_.Message(true);
    Tick(kSilentTicksMax);
    door_->Send(Ack{.durable_offset = 1, .credit_bytes = 1});
  }
  ExpectEndedAfter(kSilentTicksMax);
}

TEST_F(SilentCallTest, ADeviceThatWeDoNotReadIsNotSilent) {
  link_.Message(false);
  Tick(100);
  door_->ResumeReading();
  ExpectEndedAfter(kSilentTicksMax);
}

// Reading a large recording again may take hours.
TEST_F(SilentCallTest, ADeviceThatWaitsForStoredIsNotSilent) {
  door_->OnFinish();
  link_.Message(true);
  Tick(100);
  door_->Send(Rewind{.offset = 0, .reason = Rewind::Reason::kGatewayFault});
  ExpectEndedAfter(kSilentTicksMax);
}

}  // namespace
}  // namespace schleuse
