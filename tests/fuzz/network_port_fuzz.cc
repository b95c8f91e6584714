// Networks and ports as people write them: what is read is written so that it
// is read alike, and holds its own first address.
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/ip_network.h"
#include "base/socket_address.h"
#include "tests/fuzz/fuzz.h"

namespace schleuse {

void Fuzz(absl::string_view text) {
  const absl::StatusOr<NetworkPort> read = NetworkPort::Parse(text);
  if (!read.ok()) {
    FUZZ_CHECK(absl::IsInvalidArgument(read.status()));
    return;
  }
  const absl::StatusOr<NetworkPort> again =
      NetworkPort::Parse(read->ToString());
  FUZZ_CHECK(again.ok() && *again == *read);
  const std::string cidr = read->network.ToString();
  const absl::StatusOr<IpAddress> first =
      IpAddress::Parse(absl::string_view(cidr).substr(0, cidr.find('/')));
  FUZZ_CHECK(first.ok());
  FUZZ_CHECK(read->Holds({*first, read->port.value_or(1)}));
  FUZZ_CHECK(!read->port || !read->Holds({*first, 0}));
}

}  // namespace schleuse
