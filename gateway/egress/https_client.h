// Requests over HTTPS to one server inside the network, one after another over
// one connection that is kept. It knows nothing of what they say.
#ifndef SCHLEUSE_GATEWAY_EGRESS_HTTPS_CLIENT_H_
#define SCHLEUSE_GATEWAY_EGRESS_HTTPS_CLIENT_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "gateway/egress/egress.h"
#include "gateway/egress/footage_connection.h"
#include "gateway/egress/https_url.h"

namespace schleuse {

// What is sent, without holding it: where to read it from.
struct RequestBody {
  uint64_t bytes = 0;
  // Up to `into.size()` bytes from `offset` on, at least one. May be asked for
  // the same bytes again.
  std::function<absl::StatusOr<uint64_t>(uint64_t offset,
                                         absl::Span<char> into)>
      read;

  // `text` is copied.
  static RequestBody Of(std::string text);
};

// With which a request is signed: AWS Signature Version 4 for S3
// (docs.aws.amazon.com, "Signature Version 4"). The body is not signed, since
// TLS vouches for it.
struct S3Signature {
  std::string access_key;
  std::string secret_key;
  std::string region;
};

struct HttpsRequest {
  std::string method = "GET";
  std::string target = {};  // behind the URL's prefix: "/bucket/key?uploads="
  std::vector<std::string> headers = {};  // "name: value"
  // Asks for the query keys to be sorted, each with its "=".
  std::optional<S3Signature> signature = {};
  std::optional<RequestBody> body = {};
  // Takes what comes back piece by piece; unset: it is kept, bounded.
  std::function<absl::Status(absl::string_view)> sink = {};
  uint64_t response_bytes_max = 64 << 10;  // of what is kept
  absl::Duration connect = absl::Seconds(10);
  // Without a byte in either direction for so long it is given up.
  absl::Duration stall = absl::Seconds(30);
  absl::Duration total = absl::InfiniteDuration();
  // `body` is footage, or where there is none what comes back: whoever is at
  // the other end of the connection is written down before the first byte of
  // it, and how many there were, also if the request fails.
  bool carries_footage = false;
};

struct HttpsResponse {
  int status = 0;
  std::map<std::string, std::string> headers = {};  // names in lower case
  std::string body = {};

  absl::string_view Header(absl::string_view name) const;
};

// One thread at a time.
class HttpsClient {
 public:
  // `egress` is borrowed.
  HttpsClient(const Egress& egress, HttpsUrl url);
  ~HttpsClient();
  HttpsClient(const HttpsClient&) = delete;
  HttpsClient& operator=(const HttpsClient&) = delete;

  const HttpsUrl& url() const { return url_; }

  // Blocks until it is answered, in whatever words: any status but a redirect
  // is an answer.
  //   PermissionDenied  refused by Egress, or the server redirects; alarmed
  //   Unavailable       no connection, it broke, or it stalled; `body` may have
  //                     been received or not
  //   ResourceExhausted the answer is too long
  //   Cancelled         Egress was stopped
  //   others            what `read` or `sink` said; of footage also that its
  //                     peer cannot be written down
  absl::StatusOr<HttpsResponse> Send(const HttpsRequest& request);

 private:
  class Exchange;

  const Egress& egress_;
  const HttpsUrl url_;
  void* const easy_;      // CURL*
  uint64_t sockets_ = 0;  // that were made so far
  // The connection that carried footage last.
  std::optional<FootageConnection> footage_;
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_EGRESS_HTTPS_CLIENT_H_
