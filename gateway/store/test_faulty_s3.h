// An S3 server in memory that does to a client what servers do on bad days. One
// bucket, "footage"; keys and uploads as the S3 API has them, as far as the
// store asks. Signatures are looked at no closer than for whose they are: a
// real server checks them in tests/ceph.
#ifndef SCHLEUSE_GATEWAY_STORE_TEST_FAULTY_S3_H_
#define SCHLEUSE_GATEWAY_STORE_TEST_FAULTY_S3_H_

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "base/mutex.h"
#include "gateway/egress/test_server.h"

namespace schleuse {

// Safe to call from many threads.
class FaultyS3 {
 public:
  enum class What {
    kError,        // `status` with `code`; nothing is done
    kErrorIn200,   // 200, and the error in its body
    kWrongEtag,    // done, and another ETag told
    kTruncated,    // half of the body, then the end of the connection
    kOtherBytes,   // as many, and not the same
    kStall,        // nothing, for as long as the client waits
    kStallMidway,  // half of the body, then nothing
    kRedirect,     // to another host
    kGarbage,      // 200, and what is no XML
    kCloseBefore,  // the connection ends, nothing is done
    kCloseAfter,   // it is done, the connection ends without an answer
  };
  struct Fault {
    std::string method;
    std::string in_target;  // which requests: those whose target contains it
    What what = What::kError;
    std::string status = "500 Internal Server Error";
    std::string code = "InternalError";
    int times = 1;
  };

  explicit FaultyS3(const TlsIdentity& identity) : identity_(identity) {
    Start();
  }

  std::string url() const { return absl::StrCat("https://127.0.0.1:", port()); }
  uint16_t port() const { return server_->port(); }
  int connections() const { return server_->connections(); }
  // For connections to come.
  void Become(const TlsIdentity& identity) { server_->Become(identity); }
  void Expect(absl::string_view access_key) {
    MutexLock lock(mutex_);
    access_key_ = std::string(access_key);
  }
  void Add(Fault fault) {
    MutexLock lock(mutex_);
    faults_.push_back(std::move(fault));
  }
  void Clear() {
    MutexLock lock(mutex_);
    faults_.clear();
  }
  void PutDirectly(const std::string& key, absl::string_view bytes) {
    MutexLock lock(mutex_);
    objects_[key] = std::string(bytes);
  }
  void Remove(const std::string& key) {
    MutexLock lock(mutex_);
    objects_.erase(key);
  }
  // Begun by nobody who will go on with it.
  void BeginUpload(const std::string& key) {
    MutexLock lock(mutex_);
    uploads_[absl::StrCat("u", ++uploads_begun_)] = {key, {}};
  }
  std::map<std::string, std::string> objects() const {
    MutexLock lock(mutex_);
    return objects_;
  }
  std::vector<std::string> uploads() const {  // their keys
    MutexLock lock(mutex_);
    std::vector<std::string> keys;
    for (const auto& [id, upload] : uploads_) keys.push_back(upload.key);
    return keys;
  }
  // Requests so far that began with `method` and whose target holds `part`.
  int Count(absl::string_view method, absl::string_view part) const {
    MutexLock lock(mutex_);
    return static_cast<int>(std::count_if(
        requests_.begin(), requests_.end(), [&](const std::string& request) {
          return absl::StartsWith(request, method) &&
                 absl::StrContains(request, part);
        }));
  }

 private:
  struct Upload {
    std::string key;
    std::map<int, std::string> parts;
  };
  struct Answer {
    std::string status = "200 OK";
    std::string body = "";
    std::string headers = "";
  };
  using Query = std::map<std::string, std::string>;

  void Start() {
    server_ = std::make_unique<TestServer>(
        identity_, [this](TestPeer& peer) { Serve(peer); });
  }

  void Serve(TestPeer& peer) {
    while (true) {
      const std::string request = peer.ReadRequest();
      if (request.empty()) return;
      const std::string line = request.substr(0, request.find("\r\n"));
      const std::vector<std::string> words = absl::StrSplit(line, ' ');
      const std::optional<Fault> fault = Take(words[0], words[1], line);
      const What* const what = fault ? &fault->what : nullptr;
      if (what != nullptr && *what == What::kCloseBefore) return;
      if (what != nullptr && *what == What::kStall) return peer.AwaitEnd();
      Answer answer;
      if (what != nullptr && *what == What::kError) {
        answer = Error(fault->status, fault->code);
      } else if (what != nullptr && *what == What::kErrorIn200) {
        answer = Error("200 OK", fault->code);
      } else if (what != nullptr && *what == What::kRedirect) {
        answer = {"307 Temporary Redirect", "",
                  "Location: https://elsewhere.example/\r\n"};
      } else {
        answer = Do(words[0], words[1], request);
        if (what != nullptr) {
          if (*what == What::kCloseAfter) return;
          if (*what == What::kGarbage) answer.body = "<ListBucketResult";
          if (*what == What::kWrongEtag)
            answer.headers = "ETag: \"nonsense\"\r\n";
          if (*what == What::kOtherBytes) answer.body[0] ^= 1;
        }
      }
      if (what != nullptr &&
          (*what == What::kTruncated || *what == What::kStallMidway)) {
        peer.Write(absl::StrCat("HTTP/1.1 ", answer.status,
                                "\r\nContent-Length: ", answer.body.size(),
                                "\r\n\r\n",
                                answer.body.substr(0, answer.body.size() / 2)));
        if (*what == What::kStallMidway) peer.AwaitEnd();
        return;
      }
      if (words[0] == "HEAD") {
        peer.Write(absl::StrCat("HTTP/1.1 ", answer.status,
                                "\r\nContent-Length: ", answer.body.size(),
                                "\r\n\r\n"));
      } else {
        peer.Answer(answer.status, answer.body, answer.headers);
      }
    }
  }

  std::optional<Fault> Take(const std::string& method,
                            const std::string& target,
                            const std::string& line) {
    MutexLock lock(mutex_);
    requests_.push_back(line);
    for (auto fault = faults_.begin(); fault != faults_.end(); ++fault) {
      if (fault->method != method ||
          !absl::StrContains(target, fault->in_target)) {
        continue;
      }
      const Fault taken = *fault;
      if (--fault->times == 0) faults_.erase(fault);
      return taken;
    }
    return std::nullopt;
  }

  static Answer Error(const std::string& status, const std::string& code) {
    return {status,
            absl::StrCat("<?xml version=\"1.0\"?><Error><Code>", code,
                         "</Code><Message/></Error>"),
            ""};
  }
  static std::string Unescape(const std::string& text) {
    return absl::StrReplaceAll(text, {{"%2F", "/"}, {"%22", "\""}});
  }

  Answer Do(const std::string& method, const std::string& target,
            const std::string& request) {
    MutexLock lock(mutex_);
    if (!absl::StrContains(request,
                           absl::StrCat("Credential=", access_key_, "/"))) {
      return Error("403 Forbidden", "InvalidAccessKeyId");
    }
    const std::vector<std::string> split =
        absl::StrSplit(target, absl::MaxSplits('?', 1));
    Query query;
    if (split.size() > 1) {
      for (const absl::string_view pair : absl::StrSplit(split[1], '&')) {
        const std::vector<std::string> parts =
            absl::StrSplit(pair, absl::MaxSplits('=', 1));
        query[parts[0]] = parts.size() > 1 ? Unescape(parts[1]) : "";
      }
    }
    const std::string body = request.substr(request.find("\r\n\r\n") + 4);
    if (!absl::StartsWith(split[0], "/footage")) {
      return Error("404 Not Found", "NoSuchBucket");
    }
    const std::string key =
        split[0].size() > 9 ? split[0].substr(9) : std::string();
    if (method == "GET" && key.empty()) {
      return query.contains("uploads") ? ListUploads(query) : List(query);
    }
    if (method == "GET" || method == "HEAD") return Get(key, request);
    if (method == "PUT" && query.contains("uploadId")) {
      const auto upload = uploads_.find(query["uploadId"]);
      if (upload == uploads_.end())
        return Error("404 Not Found", "NoSuchUpload");
      int number = 0;
      (void)absl::SimpleAtoi(query["partNumber"], &number);
      upload->second.parts[number] = body;
      return {"200 OK", "", absl::StrCat("ETag: \"e", number, "\"\r\n")};
    }
    if (method == "PUT") {
      objects_[key] = body;
      return {"200 OK", "", "ETag: \"e\"\r\n"};
    }
    if (method == "POST" && query.contains("uploads")) {
      const std::string id = absl::StrCat("u", ++uploads_begun_);
      uploads_[id] = {key, {}};
      return {"200 OK",
              absl::StrCat("<InitiateMultipartUploadResult><UploadId>", id,
                           "</UploadId></InitiateMultipartUploadResult>"),
              ""};
    }
    if (method == "POST") return Complete(query["uploadId"], body);
    if (query.contains("uploadId")) {
      return uploads_.erase(query["uploadId"]) > 0
                 ? Answer{"204 No Content", "", ""}
                 : Error("404 Not Found", "NoSuchUpload");
    }
    objects_.erase(key);
    return {"204 No Content", "", ""};
  }

  Answer Get(const std::string& key, const std::string& request)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const auto object = objects_.find(key);
    if (object == objects_.end()) return Error("404 Not Found", "NoSuchKey");
    const size_t range = request.find("Range: bytes=");
    if (range == std::string::npos) return {"200 OK", object->second, ""};
    const std::vector<std::string> ends = absl::StrSplit(
        request.substr(range + 13, request.find("\r\n", range) - range - 13),
        '-');
    uint64_t from = 0, to = 0;
    (void)absl::SimpleAtoi(ends[0], &from);
    (void)absl::SimpleAtoi(ends[1], &to);
    if (from >= object->second.size()) {
      return Error("416 Range Not Satisfiable", "InvalidRange");
    }
    return {"206 Partial Content", object->second.substr(from, to - from + 1),
            ""};
  }

  Answer Complete(const std::string& id, const std::string& body)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const auto upload = uploads_.find(id);
    if (upload == uploads_.end()) return Error("404 Not Found", "NoSuchUpload");
    std::string all;
    for (const auto& [number, bytes] : upload->second.parts) {
      if (!absl::StrContains(body, absl::StrCat("<PartNumber>", number,
                                                "</PartNumber><ETag>\"e",
                                                number, "\"</ETag>"))) {
        return Error("400 Bad Request", "InvalidPart");
      }
      all += bytes;
    }
    objects_[upload->second.key] = all;
    uploads_.erase(upload);
    return {"200 OK", "<CompleteMultipartUploadResult/>", ""};
  }

  // Pages of three, so that whoever lists must go on.
  Answer List(const Query& query) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const auto value = [&query](const char* name) {
      const auto found = query.find(name);
      return found == query.end() ? std::string() : found->second;
    };
    std::string items;
    int count = 0;
    bool more = false;
    for (const auto& [key, bytes] : objects_) {
      if (!absl::StartsWith(key, value("prefix"))) continue;
      if (key <= value("start-after") && !value("start-after").empty())
        continue;
      const bool whole = !value("prefix").empty();
      if (!whole && count == 3) {
        more = true;
        break;
      }
      ++count;
      absl::StrAppend(&items, "<Contents><Key>", key, "</Key><Size>",
                      bytes.size(), "</Size></Contents>");
    }
    return {
        "200 OK",
        absl::StrCat("<ListBucketResult><IsTruncated>", more ? "true" : "false",
                     "</IsTruncated>", items, "</ListBucketResult>"),
        ""};
  }
  Answer ListUploads(const Query& query) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const auto prefix = query.find("prefix");
    std::string items;
    for (const auto& [id, upload] : uploads_) {
      if (!absl::StartsWith(upload.key, prefix->second)) continue;
      absl::StrAppend(&items, "<Upload><Key>", upload.key, "</Key><UploadId>",
                      id, "</UploadId></Upload>");
    }
    return {"200 OK",
            absl::StrCat("<ListMultipartUploadsResult><IsTruncated>false"
                         "</IsTruncated>",
                         items, "</ListMultipartUploadsResult>"),
            ""};
  }

  const TlsIdentity identity_;
  mutable Mutex mutex_;
  std::string access_key_ ABSL_GUARDED_BY(mutex_) = "AK1";
  std::vector<Fault> faults_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::string> objects_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Upload> uploads_ ABSL_GUARDED_BY(mutex_);
  int uploads_begun_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<std::string> requests_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<TestServer> server_;  // last: its threads use all of this
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_STORE_TEST_FAULTY_S3_H_
