// What is said to one bucket of an S3 object store, over one kept connection:
// each request of the S3 API that we make, as a call. It knows nothing of
// recordings.
//
// Source: Amazon S3 API Reference, 2006-03-01, as Ceph's RADOS gateway speaks
// it. Keys are our own and hold nothing that needs an escape but "/".
//
// Errors, the same from every call:
//   NotFound            no such object, or no such multipart upload
//   Unavailable         the store is away, overloaded, does not know our key,
//   or
//                       answers nonsense: later, perhaps
//   ResourceExhausted   it is full
//   FailedPrecondition  it refuses this request, and would again
//   Cancelled           the gateway stops
// Messages name the request and the store's own code.
#ifndef SCHLEUSE_GATEWAY_STORE_S3_BUCKET_H_
#define SCHLEUSE_GATEWAY_STORE_S3_BUCKET_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "gateway/egress/egress.h"
#include "gateway/egress/https_client.h"
#include "gateway/egress/https_url.h"
#include "gateway/store/s3_credentials.h"
#include "gateway/store/s3_health.h"

namespace schleuse {

struct S3Place {
  HttpsUrl endpoint;
  std::string bucket;
  std::string region;
};

// How long a request may take.
struct S3Patience {
  absl::Duration connect = absl::Seconds(5);
  // Without a byte in either direction.
  absl::Duration stall = absl::Seconds(30);
  // Of what carries no footage.
  absl::Duration small_request = absl::Seconds(60);
  // Of putting a multipart upload together, during which the store is silent.
  absl::Duration complete = absl::Minutes(5);
};

struct S3Object {
  std::string key;
  uint64_t size;
};
struct S3Listing {
  std::vector<S3Object> objects = {};  // in the order of their keys
  bool more = false;
};

struct S3OpenUpload {
  std::string key;
  std::string id;
};
struct S3OpenUploads {
  std::vector<S3OpenUpload> uploads;
  bool more = false;
  S3OpenUpload next;  // where they go on
};

struct S3Part {
  int number;        // from 1 on
  std::string etag;  // as the store gave it
};

// What a store that keeps versions calls the one that was written; else empty.
using S3Version = std::string;

// One thread at a time.
class S3Bucket {
 public:
  // Everything but `place` and `patience` is borrowed.
  S3Bucket(const Egress& egress, S3Place place, S3Credentials& credentials,
           S3Health& health, const S3Patience& patience);

  // `is_footage`: whom it went to is remembered (egress/peer_book.h).
  absl::StatusOr<S3Version> Put(absl::string_view key, const RequestBody& body,
                                bool is_footage = false);
  // Of footage, into `sink`, piece by piece; what it returns ends the request.
  absl::Status Get(absl::string_view key,
                   const std::function<absl::Status(absl::string_view)>& sink);
  // ResourceExhausted: it is longer than `bytes_max`.
  absl::StatusOr<std::string> GetWhole(absl::string_view key,
                                       uint64_t bytes_max);
  // Of footage. Fewer than `length` bytes only at its end.
  absl::StatusOr<std::string> GetRange(absl::string_view key, uint64_t offset,
                                       uint64_t length);
  struct Seen {
    uint64_t size;
    S3Version version;
  };
  absl::StatusOr<Seen> Look(absl::string_view key);
  // Where versions are kept, that one alone; without one, what has the key, of
  // which such a store then only says that it is gone.
  absl::Status Delete(absl::string_view key, const S3Version& version);
  // Nobody can delete it before `until`; `mode` is GOVERNANCE or COMPLIANCE.
  absl::Status Retain(absl::string_view key, absl::string_view mode,
                      absl::Time until);

  absl::StatusOr<std::string> BeginUpload(absl::string_view key);
  absl::StatusOr<std::string> PutPart(absl::string_view key,
                                      absl::string_view upload, int number,
                                      const RequestBody& body);
  absl::StatusOr<S3Version> CompleteUpload(absl::string_view key,
                                           absl::string_view upload,
                                           const std::vector<S3Part>& parts);
  absl::Status AbortUpload(absl::string_view key, absl::string_view upload);

  // At most 1,000 keys that begin with `prefix`, behind `after`.
  absl::StatusOr<S3Listing> List(absl::string_view prefix,
                                 absl::string_view after);
  // All of them.
  //   FailedPrecondition  they are more than 1,000
  absl::StatusOr<S3Listing> ListAll(absl::string_view prefix);
  absl::StatusOr<S3OpenUploads> ListUploads(absl::string_view prefix,
                                            const S3OpenUpload& after);
  absl::StatusOr<bool> LocksObjects();

  // Asks although the store is away; for whoever looks whether it is back.
  void AskAnyway() { asks_anyway_ = true; }

 private:
  absl::StatusOr<HttpsResponse> Send(HttpsRequest request);
  absl::Status ErrorOf(const HttpsRequest& request,
                       const HttpsResponse& response);
  absl::Status Failed(const absl::Status& why, bool for_all);
  absl::Status Nonsense(absl::string_view request, absl::string_view what);
  std::string TargetOf(absl::string_view key) const;

  const S3Place place_;
  S3Credentials& credentials_;
  S3Health& health_;
  const S3Patience patience_;
  bool asks_anyway_ = false;
  HttpsClient client_;
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_STORE_S3_BUCKET_H_
