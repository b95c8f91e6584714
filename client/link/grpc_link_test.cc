#include "client/link/grpc_link.h"

#include <deque>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/crc32c.h"
#include "base/random.h"
#include "base/status_matchers.h"
#include "base/thread_pool.h"
#include "client/link/fake_gateway.h"
#include "client/uploader/fake_source.h"
#include "client/uploader/upload.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse::client {
namespace {

namespace wire = transfer::v1;
using absl::StatusCode;
using ::testing::SizeIs;

struct Closed {
  uint64_t stream;
  absl::Status status;
  ErrorDetail detail;
};

// Lets the test's thread wait for what came on the strand.
class Inbox final : public LinkEvents {
 public:
  void OnSent(uint64_t) override {
    MutexLock lock(mutex_);
    ++sent_;
    changed_.NotifyAll();
  }
  void OnReply(uint64_t, Reply reply) override {
    MutexLock lock(mutex_);
    replies_.push_back(std::move(reply));
    changed_.NotifyAll();
  }
  void OnClosed(uint64_t stream, absl::Status status,
                ErrorDetail detail) override {
    MutexLock lock(mutex_);
    closed_.push_back({stream, std::move(status), detail});
    changed_.NotifyAll();
  }

  Reply NextReply() {
    MutexLock lock(mutex_);
    while (replies_.empty()) changed_.Wait(mutex_);
    Reply reply = replies_.front();
    replies_.pop_front();
    return reply;
  }
  Closed NextClosed() {
    MutexLock lock(mutex_);
    while (closed_.empty()) changed_.Wait(mutex_);
    Closed closed = closed_.front();
    closed_.pop_front();
    return closed;
  }
  void WaitForSent(int count) {
    MutexLock lock(mutex_);
    while (sent_ < count) changed_.Wait(mutex_);
  }
  bool any_closed() {
    MutexLock lock(mutex_);
    return !closed_.empty();
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::deque<Reply> replies_ ABSL_GUARDED_BY(mutex_);
  std::deque<Closed> closed_ ABSL_GUARDED_BY(mutex_);
  int sent_ ABSL_GUARDED_BY(mutex_) = 0;
};

Begin AnyBegin() {
  return Begin{*RecordingName::Parse("c", "r"), {}, Priority::kNormal, 5};
}

std::unique_ptr<Connections> ConnectTo(const std::string& address,
                                       int count = 1) {
  return std::make_unique<Connections>(
      GatewayAddress{address, ""},
      [] { return grpc::InsecureChannelCredentials(); }, count);
}

// What the strand does, the test asks for and awaits.
template <typename Action>
void OnStrand(Strand& strand, Action action) {
  Mutex mutex;
  CondVar done;
  bool over = false;
  strand.Post([&] {
    action();
    MutexLock lock(mutex);
    over = true;
    done.NotifyAll();
  });
  MutexLock lock(mutex);
  while (!over) done.Wait(mutex);  // NOLINT(bugprone-infinite-loop): by another
}

struct LinkUnderTest {
  explicit LinkUnderTest(const std::string& address)
      : pool(2),
        connections(ConnectTo(address)),
        strand(pool),
        link(std::make_unique<GrpcLink>(*connections, 0, strand)) {}
  ~LinkUnderTest() { Destroy(); }
  void Open(uint64_t stream) {
    OnStrand(strand, [&] {
      link->Open(stream, inbox);
      link->Send(AnyBegin(), Link::Next::kUnknown);
    });
  }
  void Send(Request request, Link::Next next = Link::Next::kUnknown) {
    OnStrand(strand, [&] { link->Send(std::move(request), next); });
  }
  void Destroy() {
    OnStrand(strand, [&] { link = nullptr; });
  }

  Inbox inbox;
  ThreadPool pool;
  std::unique_ptr<Connections> connections;
  Strand strand;
  std::unique_ptr<GrpcLink> link;
};

TEST(GrpcLinkTest, CarriesMessagesBothWays) {
  FakeGateway gateway;
  LinkUnderTest test(gateway.address());
  test.Open(1);
  EXPECT_EQ(std::get<Ready>(test.inbox.NextReply()).offset, 0u);
  test.inbox.WaitForSent(1);
  test.Send(Chunk{0, Crc32c("12345"), absl::Cord("12345")});
  test.inbox.WaitForSent(2);
  EXPECT_EQ(std::get<Ack>(test.inbox.NextReply()).durable_offset, 5u);
  test.Send(Finish{5, Sha256::Of("12345")});
  EXPECT_EQ(std::get<Stored>(test.inbox.NextReply()).sha256,
            Sha256::Of("12345"));
  const Closed closed = test.inbox.NextClosed();
  EXPECT_OK(closed.status);
  EXPECT_EQ(closed.stream, 1u);
  EXPECT_EQ(gateway.Stored("c/r"), "12345");
}

TEST(GrpcLinkTest, WhatMayGoTogetherArrivesInOrder) {
  FakeGateway gateway;
  LinkUnderTest test(gateway.address());
  OnStrand(test.strand, [&] {
    test.link->Open(1, test.inbox);
    test.link->Send(AnyBegin(), Link::Next::kFollows);
    test.link->Send(Chunk{0, Crc32c("12345"), absl::Cord("12345")},
                    Link::Next::kFollows);
    test.link->Send(Finish{5, Sha256::Of("12345")}, Link::Next::kUnknown);
  });
  test.inbox.WaitForSent(3);
  EXPECT_EQ(std::get<Ready>(test.inbox.NextReply()).offset, 0u);
  EXPECT_EQ(std::get<Ack>(test.inbox.NextReply()).durable_offset, 5u);
  EXPECT_EQ(std::get<Stored>(test.inbox.NextReply()).sha256,
            Sha256::Of("12345"));
  EXPECT_OK(test.inbox.NextClosed().status);
  EXPECT_EQ(gateway.Stored("c/r"), "12345");
}

TEST(GrpcLinkTest, WhatWaitsForTheNextMessageDoesNotKeepACallFromItsEnd) {
  FakeGateway gateway;
  LinkUnderTest test(gateway.address());
  OnStrand(test.strand, [&] {
    test.link->Open(1, test.inbox);
    test.link->Send(AnyBegin(), Link::Next::kFollows);
  });
  test.inbox.WaitForSent(1);
  OnStrand(test.strand, [&] { test.link->Close(Link::Why::kNotNeeded); });
  EXPECT_THAT(test.inbox.NextClosed().status, StatusIs(StatusCode::kCancelled));
}

TEST(GrpcLinkTest, HandsOnStatusAndDetail) {
  FakeGateway gateway;
  gateway.SetScript([](grpc::ServerContext&, ServerStream&) {
    wire::ErrorDetail detail;
    detail.set_reason(wire::ErrorDetail::HELD_FOR_OPERATOR);
    return WithDetail(grpc::StatusCode::FAILED_PRECONDITION, "held", detail);
  });
  LinkUnderTest test(gateway.address());
  test.Open(7);
  const Closed closed = test.inbox.NextClosed();
  EXPECT_EQ(closed.stream, 7u);
  EXPECT_THAT(closed.status, StatusIs(StatusCode::kFailedPrecondition, "held"));
  EXPECT_EQ(closed.detail.reason, ErrorDetail::Reason::kHeldForOperator);
}

TEST(GrpcLinkTest, AReplyThatCannotBeEndsTheStream) {
  FakeGateway gateway;
  gateway.SetScript([](grpc::ServerContext&, ServerStream& stream) {
    wire::UploadReply reply;
    reply.mutable_stored()->set_size(3);  // without a hash
    stream.Write(reply);
    wire::UploadRequest request;
    while (stream.Read(&request)) {
    }
    return grpc::Status::OK;
  });
  LinkUnderTest test(gateway.address());
  test.Open(1);
  EXPECT_THAT(test.inbox.NextClosed().status, StatusIs(StatusCode::kInternal));
}

TEST(GrpcLinkTest, AnUnreachableGatewayIsUnavailable) {
  FakeGateway gateway;
  const std::string address = gateway.address();
  gateway.Stop();
  LinkUnderTest test(address);
  test.Open(1);
  EXPECT_THAT(test.inbox.NextClosed().status,
              StatusIs(StatusCode::kUnavailable));
}

// gRPC alone would wait a second and more before it tries to connect again.
TEST(GrpcLinkTest, WhatWaitsBehindAWriteThatFailsIsDropped) {
  LinkUnderTest test("127.0.0.1:1");
  OnStrand(test.strand, [&] {
    test.link->Open(1, test.inbox);
    test.link->Send(AnyBegin(), Link::Next::kFollows);
    test.link->Send(Chunk{0, Crc32c("12345"), absl::Cord("12345")},
                    Link::Next::kFollows);
    test.link->Send(Finish{5, Sha256::Of("12345")}, Link::Next::kUnknown);
  });
  EXPECT_THAT(test.inbox.NextClosed().status,
              StatusIs(StatusCode::kUnavailable));
}

TEST(GrpcLinkTest, TheNextStreamFindsAGatewayThatCameBackAtOnce) {
  auto gateway = std::make_unique<FakeGateway>();
  const int port = gateway->port();
  LinkUnderTest test(gateway->address());
  gateway = nullptr;
  for (uint64_t stream = 1; stream <= 3; ++stream) {
    test.Open(stream);
    EXPECT_EQ(test.inbox.NextClosed().stream, stream);
  }
  FakeGateway back(grpc::InsecureServerCredentials(), port);
  test.Open(4);
  EXPECT_EQ(std::get<Ready>(test.inbox.NextReply()).offset, 0u);
}

TEST(GrpcLinkTest, CloseCancelsTheCall) {
  FakeGateway gateway;
  LinkUnderTest test(gateway.address());
  test.Open(1);
  test.inbox.NextReply();
  OnStrand(test.strand, [&] { test.link->Close(Link::Why::kNotNeeded); });
  EXPECT_THAT(test.inbox.NextClosed().status, StatusIs(StatusCode::kCancelled));
  test.Send(Finish{5, Sha256::Of("12345")});  // into the void
}

TEST(GrpcLinkTest, AStalledConnectionIsNotUsedAgain) {
  FakeGateway gateway;
  LinkUnderTest test(gateway.address());
  test.Open(1);
  test.inbox.NextReply();
  OnStrand(test.strand, [&] { test.link->Close(Link::Why::kNotNeeded); });
  test.Open(2);
  test.inbox.NextReply();
  EXPECT_THAT(gateway.Peers(), SizeIs(1));
  OnStrand(test.strand, [&] { test.link->Close(Link::Why::kStalled); });
  test.Open(3);
  test.inbox.NextReply();
  EXPECT_THAT(gateway.Peers(), SizeIs(2));
}

TEST(GrpcLinkTest, NoEventComesOnceTheLinkIsDestroyed) {
  FakeGateway gateway;
  LinkUnderTest test(gateway.address());
  test.Open(1);
  test.inbox.NextReply();
  test.Destroy();
  test.connections = nullptr;  // waits until the call is over
  OnStrand(test.strand, [] {});
  EXPECT_FALSE(test.inbox.any_closed());
}

TEST(GrpcLinkTest, SlotsAreConnectionsOfTheirOwn) {
  FakeGateway gateway;
  ThreadPool pool(2);
  Inbox inbox;
  const auto connections = ConnectTo(gateway.address(), 3);
  for (int slot = 0; slot < 6; ++slot) {
    Strand strand(pool);
    std::unique_ptr<GrpcLink> link;
    OnStrand(strand, [&] {
      link = std::make_unique<GrpcLink>(*connections, slot, strand);
      link->Open(1, inbox);
      link->Send(AnyBegin(), Link::Next::kUnknown);
    });
    inbox.NextReply();
    OnStrand(strand, [&] { link = nullptr; });
  }
  EXPECT_THAT(gateway.Peers(), SizeIs(3));
}

// --- with the uploader ------------------------------------------------------

class Waiter final : public UploadObserver {
 public:
  void OnProgress(const Progress&) override {}
  void OnDone(const UploadResult& result) override {
    MutexLock lock(mutex_);
    result_ = result;
    done_.NotifyAll();
  }
  UploadResult Wait() {
    MutexLock lock(mutex_);
    while (!result_) done_.Wait(mutex_);
    return *result_;
  }

 private:
  Mutex mutex_;
  CondVar done_;
  std::optional<UploadResult> result_ ABSL_GUARDED_BY(mutex_);
};

TEST(GrpcLinkTest, AnUploadArrivesThroughManyCuts) {
  FakeGateway gateway;
  gateway.CutEvery(1'000'000);
  std::string footage;
  footage.resize(10'000'000,
                 'x');  // NOLINT(bugprone-string-constructor): it is meant
  for (size_t i = 0; i < footage.size(); i += 7) {
    footage[i] = static_cast<char>(i >> 3);
  }
  ThreadPool pool(2);
  const auto connections = ConnectTo(gateway.address());
  Strand strand(pool);
  FakeSource source(footage);
  const SystemClock clock;
  SystemRandom random;
  Waiter waiter;
  UploadOptions options;
  options.backoff_initial = absl::Milliseconds(2);
  std::unique_ptr<GrpcLink> link;
  std::unique_ptr<Upload> upload;
  OnStrand(strand, [&] {
    link = std::make_unique<GrpcLink>(*connections, 0, strand);
    upload = std::make_unique<Upload>(
        *RecordingName::Parse("cam", "r.mp4"), Metadata{}, Priority::kNormal,
        options, source, *link, strand, clock, random, waiter);
    upload->Start();
  });
  const UploadResult result = waiter.Wait();
  OnStrand(strand, [&] {
    upload = nullptr;
    link = nullptr;
  });
  EXPECT_OK(result.status);
  EXPECT_TRUE(gateway.Stored("cam/r.mp4") == footage);
  EXPECT_GT(result.progress.attempts, 5);
  EXPECT_LE(result.progress.sent - footage.size(),
            result.progress.unacknowledged);
}

}  // namespace
}  // namespace schleuse::client
