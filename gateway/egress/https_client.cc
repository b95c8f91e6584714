#include "gateway/egress/https_client.h"

#include <curl/curl.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status.h"
#include "gateway/egress/socket.h"

namespace schleuse {
namespace {

constexpr size_t kHeaderBytesMax = 64 << 10;
// Of curl's buffers, each of which a connection may have once.
constexpr long kBufferBytes = 128 << 10;
constexpr uint64_t kLargeBytes = 1 << 20;

struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using List = std::unique_ptr<curl_slist, FreeList>;

List ListOf(const std::vector<std::string>& lines) {
  curl_slist* list = nullptr;
  for (const std::string& line : lines) {
    list = curl_slist_append(list, line.c_str());
  }
  return List(list);
}

long Millis(absl::Duration duration) {
  const int64_t millis = absl::ToInt64Milliseconds(duration);
  return static_cast<long>(
      std::clamp<int64_t>(millis, 1, std::numeric_limits<int32_t>::max()));
}

}  // namespace

RequestBody RequestBody::Of(std::string text) {
  const uint64_t bytes = text.size();
  return {.bytes = bytes,
          .read = [text = std::move(text)](
                      uint64_t offset,
                      absl::Span<char> into) -> absl::StatusOr<uint64_t> {
            const size_t length = std::min(into.size(), text.size() - offset);
            std::memcpy(into.data(), text.data() + offset, length);
            return length;
          }};
}

absl::string_view HttpsResponse::Header(absl::string_view name) const {
  const auto found = headers.find(std::string(name));
  return found == headers.end() ? absl::string_view() : found->second;
}

// One request and its answer, as curl's callbacks see it.
class HttpsClient::Exchange {
 public:
  Exchange(HttpsClient& client, const HttpsRequest& request)
      : client_(client),
        egress_(client.egress_),
        url_(client.url_),
        request_(request),
        easy_(client.easy_) {}

  absl::StatusOr<HttpsResponse> Run() {
    ASSIGN_OR_RETURN(const std::vector<IpAddress> ips,
                     egress_.names().Find(url_.host));
    // Connections that are open stay so.
    curl_easy_reset(easy_);
    SetConnection(ips);
    SetRequest();
    // An option that was refused might have been the one against proxies.
    RETURN_IF_ERROR(failure_);
    const CURLcode code = curl_easy_perform(easy_);
    if (!failure_.ok()) return failure_;
    if (code != CURLE_OK) return ErrorOf(code);
    long status = 0;
    curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
    response_.status = static_cast<int>(status);
    if (status >= 300 && status < 400 && status != 304) {
      return egress_.Refuse(url_, "",
                            absl::StrCat("it redirects to \"",
                                         response_.Header("location"), "\""));
    }
    return std::move(response_);
  }

 private:
  template <typename Value>
  void Set(CURLoption option, Value value) {
    // Fails only for options that this libcurl does not have.
    const CURLcode code = curl_easy_setopt(easy_, option, value);
    if (code != CURLE_OK && failure_.ok()) {
      failure_ = absl::InternalError(absl::StrCat(
          "the HTTP library refuses an option: ", curl_easy_strerror(code)));
    }
  }

  void SetConnection(const std::vector<IpAddress>& ips) {
    Set(CURLOPT_PROTOCOLS_STR, "https");
    Set(CURLOPT_FOLLOWLOCATION, 0L);
    // Whatever the environment says.
    Set(CURLOPT_PROXY, "");
    Set(CURLOPT_NOPROXY, "*");
    Set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
    Set(CURLOPT_NOSIGNAL, 1L);
    Set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    // Curl is to look nobody up.
    std::vector<std::string> texts;
    for (const IpAddress& ip : ips) {
      texts.push_back(ip.is_v4() ? ip.ToString()
                                 : absl::StrCat("[", ip.ToString(), "]"));
    }
    addresses_ = ListOf({absl::StrCat(url_.host, ":", url_.port, ":",
                                      absl::StrJoin(texts, ","))});
    if (!IpAddress::Parse(url_.host).ok()) {
      Set(CURLOPT_RESOLVE, addresses_.get());
    }
    Set(CURLOPT_OPENSOCKETFUNCTION, &Exchange::OpenSocket);
    Set(CURLOPT_OPENSOCKETDATA, this);
    Set(CURLOPT_CONNECTTIMEOUT_MS, Millis(request_.connect));
    Set(CURLOPT_TCP_NODELAY, 1L);
    Set(CURLOPT_TCP_KEEPALIVE, 1L);

    Set(CURLOPT_SSL_VERIFYPEER, 1L);
    Set(CURLOPT_SSL_VERIFYHOST, 2L);
    Set(CURLOPT_SSL_SESSIONID_CACHE, 0L);
    // Not the machine's: SetUpTlsContext brings ours.
    Set(CURLOPT_CAINFO, static_cast<char*>(nullptr));
    Set(CURLOPT_CAPATH, static_cast<char*>(nullptr));
    Set(CURLOPT_SSL_CTX_FUNCTION, &Exchange::SetUpTls);
    Set(CURLOPT_SSL_CTX_DATA, this);
  }

  void SetRequest() {
    Set(CURLOPT_URL,
        absl::StrCat(url_.Origin(), url_.prefix, request_.target).c_str());
    Set(CURLOPT_PATH_AS_IS, 1L);
    std::vector<std::string> lines = request_.headers;
    if (request_.signature) {
      const S3Signature& by = *request_.signature;
      Set(CURLOPT_AWS_SIGV4,
          absl::StrCat("aws:amz:", by.region, ":s3").c_str());
      Set(CURLOPT_USERNAME, by.access_key.c_str());
      Set(CURLOPT_PASSWORD, by.secret_key.c_str());
      lines.emplace_back("x-amz-content-sha256: UNSIGNED-PAYLOAD");
      // Asked first a server may refuse what is large; what is small is sent
      // before it could.
      const bool is_large =
          request_.body && request_.body->bytes >= kLargeBytes;
      Set(CURLOPT_EXPECT_100_TIMEOUT_MS, is_large ? 1000L : 1L);
    } else {
      // Servers that are asked first cost a round trip; one that refuses says
      // so at any time. (Of what is signed libcurl 7.88 signs this line too,
      // though it does not send it.)
      lines.emplace_back("Expect:");
    }
    if (request_.body) {
      Set(CURLOPT_UPLOAD, 1L);
      Set(CURLOPT_INFILESIZE_LARGE,
          static_cast<curl_off_t>(request_.body->bytes));
      Set(CURLOPT_READFUNCTION, &Exchange::ReadBody);
      Set(CURLOPT_READDATA, this);
      Set(CURLOPT_SEEKFUNCTION, &Exchange::SeekBody);
      Set(CURLOPT_SEEKDATA, this);
    } else if (request_.method == "HEAD") {
      Set(CURLOPT_NOBODY, 1L);
    }
    headers_ = ListOf(lines);
    Set(CURLOPT_HTTPHEADER, headers_.get());
    Set(CURLOPT_CUSTOMREQUEST, request_.method.c_str());
    Set(CURLOPT_HEADERFUNCTION, &Exchange::TakeHeader);
    Set(CURLOPT_HEADERDATA, this);
    Set(CURLOPT_WRITEFUNCTION, &Exchange::TakeBody);
    Set(CURLOPT_WRITEDATA, this);
    Set(CURLOPT_BUFFERSIZE, kBufferBytes);
    Set(CURLOPT_UPLOAD_BUFFERSIZE, kBufferBytes);
    Set(CURLOPT_LOW_SPEED_LIMIT, 1L);
    Set(CURLOPT_LOW_SPEED_TIME, std::max(1L, Millis(request_.stall) / 1000));
    if (request_.total != absl::InfiniteDuration()) {
      Set(CURLOPT_TIMEOUT_MS, Millis(request_.total));
    }
    Set(CURLOPT_NOPROGRESS, 0L);
    Set(CURLOPT_XFERINFOFUNCTION, &Exchange::GoOn);
    Set(CURLOPT_XFERINFODATA, this);
  }

  absl::Status ErrorOf(CURLcode code) const {
    if (egress_.stopping()) return absl::CancelledError("stopping");
    if (code == CURLE_PEER_FAILED_VERIFICATION) {
      return egress_.Refuse(
          url_, "",
          refused_by_.empty()
              ? "its certificate is not of our CA, or names another host"
              : refused_by_);
    }
    return absl::UnavailableError(
        absl::StrCat(url_.Origin(), ": ", curl_easy_strerror(code)));
  }

  void Fail(absl::Status status) {
    if (failure_.ok()) failure_ = std::move(status);
  }

  // Footage is about to go over the present connection, or came from it.
  absl::Status CountFootage(uint64_t sent, uint64_t received) {
    PeerBook* const peers = egress_.peers();
    if (!request_.carries_footage || peers == nullptr) return absl::OkStatus();
    ASSIGN_OR_RETURN(const FootageConnection::Id id,
                     ConnectionOf(easy_, client_.sockets_));
    std::optional<FootageConnection>& last = client_.footage_;
    FootageCounts counts = {.sent = sent, .received = received};
    if (last && last->id == id) return peers->Count(last->peer, counts);
    ASSIGN_OR_RETURN(FootagePeer peer, PeerOfConnection(easy_));
    counts.connections = 1;
    RETURN_IF_ERROR(peers->Count(peer, counts));
    last = FootageConnection{id, std::move(peer)};
    return absl::OkStatus();
  }

  // --- what curl calls ---

  static curl_socket_t OpenSocket(void* self, curlsocktype, curl_sockaddr* to) {
    auto* exchange = static_cast<Exchange*>(self);
    const std::optional<SocketAddress> address = FromSocket(to->addr);
    // The one check there is: of what the kernel is about to be told.
    if (!address || !exchange->egress_.Permits(*address)) {
      exchange->Fail(exchange->egress_.Refuse(
          exchange->url_, address ? address->ToString() : "",
          "it is not on the allow-list"));
      return CURL_SOCKET_BAD;
    }
    ++exchange->client_.sockets_;
    return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
  }

  static CURLcode SetUpTls(CURL*, void* context, void* self) {
    auto* exchange = static_cast<Exchange*>(self);
    // Asked within this exchange alone: later ones find the connection made.
    const absl::Status set = SetUpTlsContext(
        static_cast<ssl_ctx_st*>(context), exchange->egress_.identity(),
        [exchange](const std::vector<Certificate>& chain) {
          const absl::Status checked = exchange->egress_.CheckServer(chain);
          exchange->refused_by_ = std::string(checked.message());
          return checked;
        });
    if (set.ok()) return CURLE_OK;
    exchange->Fail(set);
    return CURLE_SSL_CERTPROBLEM;
  }

  static size_t ReadBody(char* into, size_t size, size_t count, void* self) {
    auto* exchange = static_cast<Exchange*>(self);
    const RequestBody& body = *exchange->request_.body;
    const uint64_t left = body.bytes - exchange->sent_;
    if (left == 0) return 0;
    const absl::StatusOr<uint64_t> read =
        body.read(exchange->sent_,
                  absl::MakeSpan(into, std::min<uint64_t>(left, size * count)));
    if (!read.ok() || *read == 0) {
      exchange->Fail(read.ok() ? absl::DataLossError("the body ends early")
                               : read.status());
      return CURL_READFUNC_ABORT;
    }
    if (const absl::Status counted = exchange->CountFootage(*read, 0);
        !counted.ok()) {
      exchange->Fail(counted);
      return CURL_READFUNC_ABORT;
    }
    exchange->sent_ += *read;
    return *read;
  }

  // Where a kept connection turns out to be closed, curl begins again.
  static int SeekBody(void* self, curl_off_t offset, int origin) {
    auto* exchange = static_cast<Exchange*>(self);
    if (origin != SEEK_SET || offset < 0 ||
        static_cast<uint64_t>(offset) > exchange->request_.body->bytes) {
      return CURL_SEEKFUNC_FAIL;
    }
    exchange->sent_ = static_cast<uint64_t>(offset);
    return CURL_SEEKFUNC_OK;
  }

  static size_t TakeHeader(char* bytes, size_t size, size_t count, void* self) {
    auto* exchange = static_cast<Exchange*>(self);
    const absl::string_view line(bytes, size * count);
    exchange->header_bytes_ += line.size();
    if (exchange->header_bytes_ > kHeaderBytesMax) {
      exchange->Fail(absl::ResourceExhaustedError("too long a header"));
      return 0;
    }
    const size_t colon = line.find(':');
    if (colon != absl::string_view::npos) {
      exchange->response_
          .headers[absl::AsciiStrToLower(line.substr(0, colon))] =
          std::string(absl::StripAsciiWhitespace(line.substr(colon + 1)));
    } else if (absl::StartsWith(line, "HTTP/")) {
      exchange->response_.headers.clear();  // another answer begins
    }
    return line.size();
  }

  static size_t TakeBody(char* bytes, size_t size, size_t count, void* self) {
    auto* exchange = static_cast<Exchange*>(self);
    const absl::string_view piece(bytes, size * count);
    const HttpsRequest& request = exchange->request_;
    std::string& kept = exchange->response_.body;
    long status = 0;
    curl_easy_getinfo(exchange->easy_, CURLINFO_RESPONSE_CODE, &status);
    const bool good = status >= 200 && status < 300;
    if (good && !request.body) {
      const absl::Status counted = exchange->CountFootage(0, piece.size());
      if (!counted.ok()) {
        exchange->Fail(counted);
        return 0;
      }
    }
    // Whoever waits for bytes does not want the words of an error.
    if (good && request.sink) {
      if (const absl::Status taken = request.sink(piece); !taken.ok()) {
        exchange->Fail(taken);
        return 0;
      }
    } else if (kept.size() + piece.size() > request.response_bytes_max) {
      exchange->Fail(absl::ResourceExhaustedError(
          absl::StrCat(exchange->url_.Origin(), " answers more than ",
                       request.response_bytes_max, " bytes")));
      return 0;
    } else {
      kept.append(piece.data(), piece.size());
    }
    return piece.size();
  }

  static int GoOn(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    auto* exchange = static_cast<Exchange*>(self);
    return exchange->egress_.stopping() || !exchange->failure_.ok() ? 1 : 0;
  }

  HttpsClient& client_;
  const Egress& egress_;
  const HttpsUrl& url_;
  const HttpsRequest& request_;
  CURL* const easy_;
  List addresses_;
  List headers_;
  uint64_t sent_ = 0;
  size_t header_bytes_ = 0;
  std::string refused_by_;
  absl::Status failure_;
  HttpsResponse response_;
};

HttpsClient::HttpsClient(const Egress& egress, HttpsUrl url)
    : egress_(egress), url_(std::move(url)), easy_(curl_easy_init()) {}

HttpsClient::~HttpsClient() { curl_easy_cleanup(easy_); }

absl::StatusOr<HttpsResponse> HttpsClient::Send(const HttpsRequest& request) {
  if (egress_.stopping()) return absl::CancelledError("stopping");
  if (easy_ == nullptr) return absl::InternalError("no memory");
  return Exchange(*this, request).Run();
}

}  // namespace schleuse
