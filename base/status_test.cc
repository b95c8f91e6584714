#include "base/status.h"

#include <memory>
#include <string>
#include <utility>

#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace schleuse {
namespace {

using absl::StatusCode;

absl::Status ReturnIfError(const absl::Status& status, bool& went_on) {
  RETURN_IF_ERROR(status);
  went_on = true;
  return absl::OkStatus();
}

TEST(ReturnIfErrorTest, HandsUpAnErrorAndGoesOnAfterOk) {
  bool went_on = false;
  EXPECT_THAT(ReturnIfError(absl::DataLossError("torn"), went_on),
              StatusIs(StatusCode::kDataLoss, "torn"));
  EXPECT_FALSE(went_on);
  EXPECT_OK(ReturnIfError(absl::OkStatus(), went_on));
  EXPECT_TRUE(went_on);
}

TEST(ReturnIfErrorTest, EvaluatesItsExpressionOnce) {
  int calls = 0;
  const auto call = [&calls] {
    ++calls;
    return absl::OkStatus();
  };
  const auto function = [&call]() -> absl::Status {
    RETURN_IF_ERROR(call());
    return absl::OkStatus();
  };
  EXPECT_OK(function());
  EXPECT_EQ(calls, 1);
}

absl::StatusOr<std::unique_ptr<int>> MakeInt(int value) {
  if (value < 0) return absl::InvalidArgumentError("negative");
  return std::make_unique<int>(value);
}

absl::StatusOr<int> Sum(int a, int b) {
  ASSIGN_OR_RETURN(const std::unique_ptr<int> first, MakeInt(a));
  std::unique_ptr<int> second;
  ASSIGN_OR_RETURN(second, MakeInt(b));
  return *first + *second;
}

TEST(AssignOrReturnTest, DeclaresOrAssignsOrHandsUp) {
  EXPECT_THAT(Sum(1, 2), IsOkAndHolds(3));
  EXPECT_THAT(Sum(-1, 2), StatusIs(StatusCode::kInvalidArgument, "negative"));
  EXPECT_THAT(Sum(1, -2), StatusIs(StatusCode::kInvalidArgument, "negative"));
}

TEST(AnnotateTest, PutsItsPartsBeforeTheMessage) {
  EXPECT_THAT(Annotate(absl::NotFoundError("gone"), "chunk ", 7, " of ", "x"),
              StatusIs(StatusCode::kNotFound, "chunk 7 of x: gone"));
}

TEST(AnnotateTest, KeepsPayloads) {
  absl::Status status = absl::UnavailableError("busy");
  status.SetPayload("url", absl::Cord("payload"));
  EXPECT_EQ(Annotate(status, "x").GetPayload("url"), absl::Cord("payload"));
}

TEST(AnnotateTest, LeavesOkAsItIs) {
  EXPECT_EQ(Annotate(absl::OkStatus(), "x"), absl::OkStatus());
}

}  // namespace
}  // namespace schleuse
