#include "gateway/custody/https_witness.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status.h"

namespace schleuse {
namespace {

constexpr int kOk = 200;
constexpr int kConflict = 409;
constexpr int kUnprocessable = 422;
constexpr absl::string_view kSizeType = "text/x.tlog.size";
// Of what a witness says about a refusal.
constexpr size_t kWordsBytesMax = 200;

}  // namespace

absl::StatusOr<WitnessAnswer> HttpsWitness::Ask(const AddCheckpoint& request,
                                                absl::Duration patience) {
  ASSIGN_OR_RETURN(const HttpsResponse response,
                   client_.Send({.method = "POST",
                                 .target = "/add-checkpoint",
                                 .headers = {"Content-Type: text/plain"},
                                 .body = RequestBody::Of(ToText(request)),
                                 .connect = patience,
                                 .stall = patience,
                                 .total = patience}));
  if (response.status == kOk) return WitnessAnswer{.lines = response.body};
  uint64_t latest = 0;
  if (response.status == kConflict &&
      response.Header("content-type") == kSizeType &&
      absl::SimpleAtoi(absl::StripSuffix(response.body, "\n"), &latest)) {
    return WitnessAnswer{.latest = latest};
  }
  return WitnessAnswer{
      .refusal = absl::StrCat(
          response.status, " ",
          absl::StripAsciiWhitespace(
              absl::string_view(response.body).substr(0, kWordsBytesMax))),
      .contradicts =
          response.status == kConflict || response.status == kUnprocessable};
}

}  // namespace schleuse
