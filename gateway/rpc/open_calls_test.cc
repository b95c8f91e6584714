#include "gateway/rpc/open_calls.h"

#include <memory>

#include "absl/time/time.h"
#include "base/fake_executor.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(60);

struct CountingCall final : OpenCall {
  void OnTick() override { ++ticks; }
  int ticks = 0;
};

TEST(OpenCallsTest, EveryOpenCallIsAskedOnceInEveryPatience) {
  FakeExecutor executor;
  const auto calls = std::make_shared<OpenCalls>(executor, kPatience);
  const auto early = std::make_shared<CountingCall>();
  const auto late = std::make_shared<CountingCall>();
  calls->Add(early);
  executor.Advance(kPatience / 2);
  calls->Add(late);
  for (int i = 1; i <= 3; ++i) {
    executor.Advance(kPatience);
    executor.RunReady();
    EXPECT_EQ(early->ticks, i);
    EXPECT_EQ(late->ticks, i);
  }
}

TEST(OpenCallsTest, ACallThatIsOverIsNotAsked) {
  FakeExecutor executor;
  const auto calls = std::make_shared<OpenCalls>(executor, kPatience);
  const auto removed = std::make_shared<CountingCall>();
  calls->Add(removed);
  calls->Add(std::make_shared<CountingCall>());  // gone at once
  calls->Remove(*removed);
  executor.Advance(kPatience);
  executor.RunReady();
  EXPECT_EQ(removed->ticks, 0);
}

// A device that opens and drops calls as fast as it can.
TEST(OpenCallsTest, AFloodOfShortCallsLeavesOneTimer) {
  FakeExecutor executor;
  const auto calls = std::make_shared<OpenCalls>(executor, kPatience);
  for (int i = 0; i < 10'000; ++i) {
    const auto call = std::make_shared<CountingCall>();
    calls->Add(call);
    calls->Remove(*call);
  }
  ASSERT_TRUE(executor.SkipToNext());
  EXPECT_FALSE(executor.SkipToNext());
  executor.RunReady();
  EXPECT_FALSE(executor.SkipToNext());  // nobody is there to ask
}

TEST(OpenCallsTest, TheTimerMayComeWhenAllIsOver) {
  FakeExecutor executor;
  auto calls = std::make_shared<OpenCalls>(executor, kPatience);
  const auto call = std::make_shared<CountingCall>();
  calls->Add(call);
  calls.reset();
  executor.Advance(kPatience);
  executor.RunReady();
  EXPECT_EQ(call->ticks, 0);
}

}  // namespace
}  // namespace schleuse
