// Whom footage was exchanged with over spans of time, and the text of the small
// file that keeps it:
//
//   schleuse-egress-peers-v1
//   span <from> <to> <complete|incomplete> <local|remote>
//   peer <address> <certificate> <sent> <received> <connections>      each
//   others <sent> <received> <connections>
//
// The last span is the present one: its <to> is "-".
#ifndef SCHLEUSE_GATEWAY_EGRESS_FOOTAGE_SPAN_H_
#define SCHLEUSE_GATEWAY_EGRESS_FOOTAGE_SPAN_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/socket_address.h"
#include "crypto/digest.h"

namespace schleuse {

// Who is at the other end of a connection.
struct FootagePeer {
  SocketAddress address;
  Digest certificate;  // SHA-256 of its DER

  friend bool operator==(const FootagePeer&, const FootagePeer&) = default;
  friend bool operator<(const FootagePeer& a, const FootagePeer& b);
};

struct FootageCounts {
  uint64_t sent = 0;      // bytes
  uint64_t received = 0;  // bytes
  uint64_t connections = 0;

  FootageCounts& operator+=(const FootageCounts& more);
  friend bool operator==(const FootageCounts&, const FootageCounts&) = default;
};

// Times are whole microseconds.
struct FootageSpan {
  absl::Time from;
  absl::Time to = absl::InfiniteFuture();  // the present one has no end yet
  // Otherwise all peers are there, and the counts are the least there can have
  // been.
  bool complete = true;
  bool local_store = false;  // footage is stored in a local directory
  std::map<FootagePeer, FootageCounts> peers = {};
  // Together, those beyond the number that is kept apart.
  std::optional<FootageCounts> others = {};

  bool carried() const { return !peers.empty() || others; }
  friend bool operator==(const FootageSpan&, const FootageSpan&) = default;
};

// Oldest first, the present one last.
std::string ToText(const std::vector<FootageSpan>& spans);
//   InvalidArgument  it is not what ToText writes
absl::StatusOr<std::vector<FootageSpan>> ParseFootageSpans(
    absl::string_view text);

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_EGRESS_FOOTAGE_SPAN_H_
