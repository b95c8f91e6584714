// The one door through which the gateway connects to others: stores and
// witnesses. Forbidden until permitted: the allow-list is asked for the very
// address that a socket is about to connect to, whatever a name, the
// environment or a server says. No proxy, no redirect; TLS by the profile of
// the house, to servers whose certificates our own CA vouches for.
#ifndef SCHLEUSE_GATEWAY_EGRESS_EGRESS_H_
#define SCHLEUSE_GATEWAY_EGRESS_EGRESS_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/socket_address.h"
#include "crypto/certificate.h"
#include "crypto/tls_context.h"
#include "disk/disk.h"
#include "gateway/egress/allow_list.h"
#include "gateway/egress/host_names.h"
#include "gateway/egress/https_url.h"
#include "gateway/egress/peer_book.h"

namespace schleuse {

// A connection that was not made, or was ended before anything was said.
struct EgressRefusal {
  std::string host;  // as it was called
  uint16_t port;
  std::string address;  // that it would have gone to; empty: none was known
  std::string reason;
};

struct EgressOptions {
  AllowList allow = {};
  std::string hosts_file = "/etc/hosts";
  bool dns = false;  // whether names may be looked up there too
  TlsIdentity identity = {};
  // A server whose certificate one of these revokes is refused.
  std::vector<RevocationList> revocation_lists = {};
  // Told of each refusal, from the thread that wanted to connect.
  std::function<void(const EgressRefusal&)> on_refused = {};
  // Where those are written down who get footage; borrowed. Null where nobody
  // states it.
  PeerBook* peers = nullptr;
};

// Safe to use from many threads. Outlives its clients.
class Egress {
 public:
  //   InvalidArgument  the identity cannot be used
  //   Internal         the HTTP library cannot begin
  static absl::StatusOr<std::unique_ptr<Egress>> Open(const Disk& disk,
                                                      EgressOptions options);

  // Requests that are under way end with Cancelled within a second or two, and
  // all later ones at once.
  void Stop() { stopping_ = true; }
  bool stopping() const { return stopping_; }

  // --- for HttpsClient ---

  const HostNames& names() const { return names_; }
  bool Permits(const SocketAddress& address) const {
    return options_.allow.Permits(address);
  }
  // Says so, in at most 200 printable characters of `words`, and returns it as
  // an error.
  absl::Status Refuse(const HttpsUrl& url, absl::string_view address,
                      absl::string_view words) const;
  // What TLS asks of a server beyond its chain.
  absl::Status CheckServer(const std::vector<Certificate>& chain) const;
  const TlsIdentity& identity() const { return options_.identity; }
  PeerBook* peers() const { return options_.peers; }

 private:
  Egress(const Disk& disk, EgressOptions options);

  const EgressOptions options_;
  const HostNames names_;
  std::atomic<bool> stopping_ = false;
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_EGRESS_EGRESS_H_
