// What a host is called becomes the addresses that it has: literals and the
// hosts file; the DNS, whose answers anybody on the way may have written, only
// by setting. It connects to nobody else.
#ifndef SCHLEUSE_GATEWAY_EGRESS_HOST_NAMES_H_
#define SCHLEUSE_GATEWAY_EGRESS_HOST_NAMES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/socket_address.h"
#include "disk/disk.h"

namespace schleuse {

// Safe to use from many threads.
class HostNames {
 public:
  // `hosts_file` as hosts(5) has it; read anew each time.
  HostNames(const Disk& disk, absl::string_view hosts_file, bool dns)
      : disk_(disk), hosts_file_(hosts_file), dns_(dns) {}

  // In the order of preference, at least one, none twice. An IP literal is
  // itself. Asking the DNS may block for as long as resolv.conf(5) says.
  //   NotFound  nobody is called so; the message says what to do
  absl::StatusOr<std::vector<IpAddress>> Find(absl::string_view host) const;

 private:
  const Disk& disk_;
  const std::string hosts_file_;
  const bool dns_;
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_EGRESS_HOST_NAMES_H_
