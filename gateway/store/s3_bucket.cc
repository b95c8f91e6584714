#include "gateway/store/s3_bucket.h"

#include <algorithm>
#include <optional>
#include <pugixml.hpp>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace schleuse {
namespace {

constexpr uint64_t kAnswerBytesMax = 4 << 20;  // of 1,000 keys or uploads

// In a query; our keys and the store's upload ids hold nothing else.
std::string Escape(absl::string_view text) {
  std::string escaped;
  for (const unsigned char c : text) {
    if (absl::ascii_isalnum(c) ||
        absl::StrContains("-._~", std::string(1, c))) {
      escaped.push_back(static_cast<char>(c));
    } else {
      absl::StrAppend(
          &escaped, "%",
          absl::AsciiStrToUpper(absl::StrCat(absl::Hex(c, absl::kZeroPad2))));
    }
  }
  return escaped;
}

std::optional<pugi::xml_document> Parse(const std::string& text) {
  pugi::xml_document document;
  const pugi::xml_parse_result parsed =
      document.load_buffer(text.data(), text.size());
  if (!parsed || !document.document_element()) return std::nullopt;
  return std::optional<pugi::xml_document>(std::move(document));
}

bool IsTrue(const pugi::xml_node& node) {
  return absl::string_view(node.child_value()) == "true";
}

// The store's own word for what went wrong; empty: it has none.
std::string CodeOf(const std::string& body) {
  const auto document = Parse(body);
  if (!document) return "";
  const pugi::xml_node root = document->document_element();
  if (absl::string_view(root.name()) != "Error") return "";
  const absl::string_view code = root.child_value("Code");
  return std::string(code.substr(0, 64));
}

// Not this request alone: none would be answered otherwise.
bool IsForAll(const std::string& code) {
  static const auto& codes = *new std::set<std::string>{
      "AccountProblem", "AllAccessDisabled",    "InvalidAccessKeyId",
      "NoSuchBucket",   "RequestTimeTooSkewed", "SignatureDoesNotMatch",
      "UserSuspended",
  };
  return codes.count(code) > 0;
}

// What is on the bucket may be asked by nobody else: without that no recording
// can be looked for.
bool ForbidsLooking(const HttpsRequest& request, int status) {
  return (status == 401 || status == 403) && request.method == "GET" &&
         absl::StrContains(request.target, "list-type=2");
}

absl::string_view WhatToDo(const std::string& code) {
  if (code == "NoSuchBucket") return " (make the bucket, or correct its name)";
  if (code == "RequestTimeTooSkewed") return " (set the clocks)";
  if (code == "InvalidAccessKeyId" || code == "SignatureDoesNotMatch") {
    return " (see the credentials file)";
  }
  return "";
}

bool IsFull(int status, const std::string& code) {
  return status == 507 || code == "QuotaExceeded" ||
         code == "InsufficientStorage" || code == "EntityTooLarge";
}

bool PassesByItself(int status, const std::string& code) {
  return status >= 500 || status == 429 || status == 408 ||
         code == "RequestTimeout" || code == "IncompleteBody" ||
         code == "BadDigest";
}

}  // namespace

S3Bucket::S3Bucket(const Egress& egress, S3Place place,
                   S3Credentials& credentials, S3Health& health,
                   const S3Patience& patience)
    : place_(std::move(place)),
      credentials_(credentials),
      health_(health),
      patience_(patience),
      client_(egress, place_.endpoint) {}

std::string S3Bucket::TargetOf(absl::string_view key) const {
  return absl::StrCat("/", place_.bucket, "/", key);
}

absl::Status S3Bucket::Failed(const absl::Status& why, bool for_all) {
  if (!asks_anyway_) health_.Failed(for_all);
  return why;
}

absl::Status S3Bucket::Nonsense(absl::string_view request,
                                absl::string_view what) {
  return Failed(absl::UnavailableError(absl::StrCat(
                    request, ": the store answers nonsense: ", what)),
                false);
}

absl::Status S3Bucket::ErrorOf(const HttpsRequest& request,
                               const HttpsResponse& response) {
  const std::string code = CodeOf(response.body);
  const std::string words =
      absl::StrCat(request.method, " ", request.target, ": ", response.status,
                   code.empty() ? "" : " ", code, WhatToDo(code));
  if (IsForAll(code) || ForbidsLooking(request, response.status)) {
    return Failed(absl::UnavailableError(words), true);
  }
  // The answer to a HEAD has no words.
  if (response.status == 404 &&
      (code == "NoSuchKey" || code == "NoSuchUpload" || code.empty() ||
       code == "ObjectLockConfigurationNotFoundError")) {
    health_.Answered();
    return absl::NotFoundError(words);
  }
  if (IsFull(response.status, code)) {
    health_.Answered();
    return absl::ResourceExhaustedError(words);
  }
  if (PassesByItself(response.status, code)) {
    return Failed(absl::UnavailableError(words), false);
  }
  health_.Answered();
  return absl::FailedPreconditionError(words);
}

absl::StatusOr<HttpsResponse> S3Bucket::Send(HttpsRequest request) {
  if (!asks_anyway_) RETURN_IF_ERROR(health_.Check());
  const S3Key key = credentials_.Current();
  request.signature = {key.access_key, key.secret_key, place_.region};
  request.connect = patience_.connect;
  if (request.total == absl::InfiniteDuration())
    request.stall = patience_.stall;
  absl::StatusOr<HttpsResponse> response = client_.Send(request);
  if (!response.ok()) {
    const absl::Status& why = response.status();
    // A certificate, an address or a redirect that we refuse.
    if (absl::IsPermissionDenied(why) || absl::IsNotFound(why)) {
      return Failed(absl::UnavailableError(why.message()), true);
    }
    if (absl::IsUnavailable(why)) return Failed(why, false);
    return why;  // of the body or the sink, or we stop
  }
  if (response->status >= 200 && response->status < 300) {
    // One with an error in its body is none of success, whatever the number
    // says; what is read may hold anything.
    if (request.method == "GET" || CodeOf(response->body).empty()) {
      health_.Answered();
      return response;
    }
    response->status = 500;
  }
  return ErrorOf(request, *response);
}

absl::StatusOr<S3Version> S3Bucket::Put(absl::string_view key,
                                        const RequestBody& body,
                                        bool is_footage) {
  ASSIGN_OR_RETURN(const HttpsResponse response,
                   Send({.method = "PUT",
                         .target = TargetOf(key),
                         .headers = {"Content-Type: application/octet-stream"},
                         .body = body,
                         .carries_footage = is_footage}));
  return std::string(response.Header("x-amz-version-id"));
}

absl::Status S3Bucket::Get(
    absl::string_view key,
    const std::function<absl::Status(absl::string_view)>& sink) {
  return Send({.target = TargetOf(key), .sink = sink, .carries_footage = true})
      .status();
}

absl::StatusOr<std::string> S3Bucket::GetWhole(absl::string_view key,
                                               uint64_t bytes_max) {
  ASSIGN_OR_RETURN(HttpsResponse response,
                   Send({.target = TargetOf(key),
                         .response_bytes_max = bytes_max,
                         .total = patience_.small_request}));
  return std::move(response.body);
}

absl::StatusOr<std::string> S3Bucket::GetRange(absl::string_view key,
                                               uint64_t offset,
                                               uint64_t length) {
  HttpsRequest request = {
      .target = TargetOf(key),
      .headers = {absl::StrCat("Range: bytes=", offset, "-",
                               offset + length - 1)},
      .response_bytes_max = std::max<uint64_t>(length, 64 << 10),
      .carries_footage = true};
  absl::StatusOr<HttpsResponse> response = Send(std::move(request));
  // It ends before that: 416 Range Not Satisfiable.
  if (absl::IsFailedPrecondition(response.status()) &&
      absl::StrContains(response.status().message(), ": 416")) {
    return std::string();
  }
  RETURN_IF_ERROR(response.status());
  if (response->status != 206 || response->body.size() > length) {
    return Nonsense("GET", "another range than asked for");
  }
  return std::move(response->body);
}

absl::StatusOr<S3Bucket::Seen> S3Bucket::Look(absl::string_view key) {
  ASSIGN_OR_RETURN(const HttpsResponse response,
                   Send({.method = "HEAD",
                         .target = TargetOf(key),
                         .total = patience_.small_request}));
  Seen seen = {.size = 0,
               .version = std::string(response.Header("x-amz-version-id"))};
  if (!absl::SimpleAtoi(response.Header("content-length"), &seen.size)) {
    return Nonsense("HEAD", "no Content-Length");
  }
  return seen;
}

absl::Status S3Bucket::Delete(absl::string_view key, const S3Version& version) {
  const absl::Status deleted =
      Send({.method = "DELETE",
            .target = absl::StrCat(
                TargetOf(key),
                version.empty() ? ""
                                : absl::StrCat("?versionId=", Escape(version))),
            .total = patience_.small_request})
          .status();
  return absl::IsNotFound(deleted) ? absl::OkStatus() : deleted;
}

absl::Status S3Bucket::Retain(absl::string_view key, absl::string_view mode,
                              absl::Time until) {
  const std::string body = absl::StrCat(
      "<Retention xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Mode>",
      mode, "</Mode><RetainUntilDate>",
      absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", until, absl::UTCTimeZone()),
      "</RetainUntilDate></Retention>");
  return Send({.method = "PUT",
               .target = absl::StrCat(TargetOf(key), "?retention="),
               .headers = {"Content-Type: application/xml"},
               .body = RequestBody::Of(body),
               .total = patience_.small_request})
      .status();
}

absl::StatusOr<std::string> S3Bucket::BeginUpload(absl::string_view key) {
  ASSIGN_OR_RETURN(const HttpsResponse response,
                   Send({.method = "POST",
                         .target = absl::StrCat(TargetOf(key), "?uploads="),
                         .headers = {"Content-Type: application/octet-stream"},
                         .body = RequestBody::Of(""),
                         .total = patience_.small_request}));
  const auto document = Parse(response.body);
  std::string id =
      document ? document->document_element().child_value("UploadId") : "";
  if (id.empty()) return Nonsense("POST ?uploads", "no UploadId");
  return id;
}

absl::StatusOr<std::string> S3Bucket::PutPart(absl::string_view key,
                                              absl::string_view upload,
                                              int number,
                                              const RequestBody& body) {
  ASSIGN_OR_RETURN(
      const HttpsResponse response,
      Send({.method = "PUT",
            .target = absl::StrCat(TargetOf(key), "?partNumber=", number,
                                   "&uploadId=", Escape(upload)),
            .headers = {"Content-Type: application/octet-stream"},
            .body = body,
            .carries_footage = true}));
  std::string etag(response.Header("etag"));
  // It goes into an XML text of ours.
  if (etag.empty() || absl::StrContains(etag, '<') ||
      absl::StrContains(etag, '&')) {
    return Nonsense("PUT of a part", "no ETag");
  }
  return etag;
}

absl::StatusOr<S3Version> S3Bucket::CompleteUpload(
    absl::string_view key, absl::string_view upload,
    const std::vector<S3Part>& parts) {
  std::string body = "<CompleteMultipartUpload>";
  for (const S3Part& part : parts) {
    absl::StrAppend(&body, "<Part><PartNumber>", part.number,
                    "</PartNumber><ETag>", part.etag, "</ETag></Part>");
  }
  absl::StrAppend(&body, "</CompleteMultipartUpload>");
  ASSIGN_OR_RETURN(
      const HttpsResponse response,
      Send({.method = "POST",
            .target = absl::StrCat(TargetOf(key), "?uploadId=", Escape(upload)),
            .headers = {"Content-Type: application/xml"},
            .body = RequestBody::Of(body),
            .stall = patience_.complete,
            .total = patience_.complete}));
  const auto document = Parse(response.body);
  if (!document || absl::string_view(document->document_element().name()) !=
                       "CompleteMultipartUploadResult") {
    return Nonsense("POST ?uploadId", "no CompleteMultipartUploadResult");
  }
  return std::string(response.Header("x-amz-version-id"));
}

absl::Status S3Bucket::AbortUpload(absl::string_view key,
                                   absl::string_view upload) {
  const absl::Status aborted =
      Send({.method = "DELETE",
            .target = absl::StrCat(TargetOf(key), "?uploadId=", Escape(upload)),
            .total = patience_.small_request})
          .status();
  return absl::IsNotFound(aborted) ? absl::OkStatus() : aborted;
}

absl::StatusOr<S3Listing> S3Bucket::List(absl::string_view prefix,
                                         absl::string_view after) {
  const std::string start =
      after.empty() ? "" : absl::StrCat("&start-after=", Escape(after));
  ASSIGN_OR_RETURN(
      const HttpsResponse response,
      Send({.target = absl::StrCat("/", place_.bucket, "?list-type=2&prefix=",
                                   Escape(prefix), start),
            .response_bytes_max = kAnswerBytesMax,
            .total = patience_.small_request}));
  const auto document = Parse(response.body);
  if (!document || absl::string_view(document->document_element().name()) !=
                       "ListBucketResult") {
    return Nonsense("GET ?list-type=2", "no ListBucketResult");
  }
  const pugi::xml_node root = document->document_element();
  S3Listing listing = {.more = IsTrue(root.child("IsTruncated"))};
  for (const pugi::xml_node& node : root.children("Contents")) {
    S3Object object = {.key = node.child_value("Key"), .size = 0};
    if (!absl::StartsWith(object.key, prefix) ||
        (!after.empty() && object.key <= after) ||
        !absl::SimpleAtoi(node.child_value("Size"), &object.size)) {
      return Nonsense("GET ?list-type=2", "an object that was not asked for");
    }
    listing.objects.push_back(std::move(object));
  }
  if (listing.more && listing.objects.empty()) {
    return Nonsense("GET ?list-type=2", "more of nothing");
  }
  return listing;
}

absl::StatusOr<S3Listing> S3Bucket::ListAll(absl::string_view prefix) {
  ASSIGN_OR_RETURN(S3Listing listing, List(prefix, ""));
  if (listing.more) {
    return absl::FailedPreconditionError(absl::StrCat(
        "more than 1,000 objects lie below ", prefix, "; remove others'"));
  }
  return listing;
}

absl::StatusOr<S3OpenUploads> S3Bucket::ListUploads(absl::string_view prefix,
                                                    const S3OpenUpload& after) {
  std::string query;
  if (!after.key.empty()) {
    absl::StrAppend(&query, "key-marker=", Escape(after.key), "&");
  }
  absl::StrAppend(&query, "prefix=", Escape(prefix));
  if (!after.key.empty()) {
    absl::StrAppend(&query, "&upload-id-marker=", Escape(after.id));
  }
  ASSIGN_OR_RETURN(
      const HttpsResponse response,
      Send({.target = absl::StrCat("/", place_.bucket, "?", query, "&uploads="),
            .response_bytes_max = kAnswerBytesMax,
            .total = patience_.small_request}));
  const auto document = Parse(response.body);
  if (!document || absl::string_view(document->document_element().name()) !=
                       "ListMultipartUploadsResult") {
    return Nonsense("GET ?uploads", "no ListMultipartUploadsResult");
  }
  const pugi::xml_node root = document->document_element();
  S3OpenUploads open = {.uploads = {},
                        .more = IsTrue(root.child("IsTruncated")),
                        .next = {root.child_value("NextKeyMarker"),
                                 root.child_value("NextUploadIdMarker")}};
  for (const pugi::xml_node& node : root.children("Upload")) {
    open.uploads.push_back(
        {node.child_value("Key"), node.child_value("UploadId")});
  }
  if (open.more && (open.uploads.empty() || open.next.key.empty())) {
    return Nonsense("GET ?uploads", "more of nothing");
  }
  return open;
}

absl::StatusOr<bool> S3Bucket::LocksObjects() {
  const absl::StatusOr<HttpsResponse> response =
      Send({.target = absl::StrCat("/", place_.bucket, "?object-lock="),
            .total = patience_.small_request});
  if (absl::IsNotFound(response.status())) return false;
  RETURN_IF_ERROR(response.status());
  return absl::StrContains(response->body, "Enabled");
}

}  // namespace schleuse
