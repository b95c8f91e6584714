// A house in which, whatever a test does, another recording is on its way and
// must arrive as if nothing had happened. For the tests of this room alone.
#ifndef SCHLEUSE_GATEWAY_TRANSFER_WITH_NEIGHBOUR_H_
#define SCHLEUSE_GATEWAY_TRANSFER_WITH_NEIGHBOUR_H_

#include <memory>
#include <optional>
#include <string>

#include "base/log.h"
#include "gateway/transfer/test_house.h"
#include "gmock/gmock.h"

namespace schleuse {

class WithNeighbour : public testing::Test {
 protected:
  WithNeighbour() {
    SetLogThreshold(std::nullopt);
    EXPECT_OK(house.Start());
    neighbour_ = house.Begin(neighbour_name, neighbour_footage.size());
    (void)neighbour_->Chunk(neighbour_footage, 0, 5000);
    house.Wait(absl::Seconds(1));
  }

  // The neighbour's stream goes on, or, if the gateway was restarted, the
  // neighbour comes again.
  void TearDown() override {
    std::shared_ptr<TestStream> stream = neighbour_;
    if (stream->closed()) {
      stream = house.Begin(neighbour_name, neighbour_footage.size());
    }
    ASSERT_FALSE(stream->end()) << stream->end()->status;
    house.SendRest(*stream, neighbour_footage, 5000);
    EXPECT_TRUE(stream->stored()) << "a neighbour was disturbed";
    EXPECT_THAT(house.InStore(neighbour_name),
                testing::ElementsAre(neighbour_footage));
  }

  // With other options.
  void Restart(const IntakeOptions& options) {
    house.SetOptions(options);
    ASSERT_OK(house.Restart());
  }

  void ExpectEnd(const TestStream& stream, absl::StatusCode code,
                 EndReason reason) {
    ASSERT_TRUE(stream.end().has_value());
    EXPECT_THAT(stream.end()->status, StatusIs(code));
    EXPECT_EQ(stream.end()->reason, reason);
  }
  void ExpectPaused(const TestStream& stream, Pause::Reason reason) {
    ExpectEnd(stream, absl::StatusCode::kResourceExhausted, EndReason::kPaused);
    ASSERT_TRUE(stream.Last<Pause>());
    EXPECT_EQ(stream.Last<Pause>()->reason, reason);
    EXPECT_GT(stream.Last<Pause>()->retry_after, absl::ZeroDuration());
    EXPECT_GT(stream.end()->retry_after, absl::ZeroDuration());
  }
  // Whatever happened, it can still arrive, once and whole.
  void ExpectCanBeBrought(const RecordingName& name,
                          absl::string_view footage) {
    EXPECT_TRUE(house.Bring(name, footage)->stored());
    EXPECT_THAT(house.InStore(name),
                testing::ElementsAre(std::string(footage)));
  }
  const std::shared_ptr<TestStream>& neighbour() const { return neighbour_; }

  TestHouse house;
  const RecordingName neighbour_name = Recording("neighbour.mp4", "cam-2");
  const std::string neighbour_footage = Footage(12'000, 99);

 private:
  std::shared_ptr<TestStream> neighbour_;
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_TRANSFER_WITH_NEIGHBOUR_H_
