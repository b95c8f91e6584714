#include "gateway/egress/host_names.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/limits.h"
#include "base/status.h"
#include "gateway/egress/socket.h"

namespace schleuse {
namespace {

void AddOnce(IpAddress ip, std::vector<IpAddress>& all) {
  if (std::find(all.begin(), all.end(), ip) == all.end()) {
    all.push_back(std::move(ip));
  }
}

std::vector<IpAddress> InHosts(absl::string_view text, absl::string_view host) {
  std::vector<IpAddress> found;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    line = line.substr(0, line.find('#'));
    const std::vector<absl::string_view> words =
        absl::StrSplit(line, absl::ByAnyChar(" \t\r"), absl::SkipEmpty());
    if (words.empty()) continue;
    const absl::StatusOr<IpAddress> ip = IpAddress::Parse(words.front());
    if (!ip.ok()) continue;
    if (std::any_of(words.begin() + 1, words.end(),
                    [host](absl::string_view name) {
                      return absl::EqualsIgnoreCase(name, host);
                    })) {
      AddOnce(*ip, found);
    }
  }
  return found;
}

std::vector<IpAddress> InDns(const std::string& host) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  std::vector<IpAddress> found;
  if (getaddrinfo(host.c_str(), nullptr, &hints, &list) != 0) return found;
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owned(list,
                                                                 freeaddrinfo);
  for (const addrinfo* one = list; one != nullptr; one = one->ai_next) {
    const std::optional<SocketAddress> address = FromSocket(*one->ai_addr);
    if (address) AddOnce(address->ip, found);
  }
  return found;
}

}  // namespace

absl::StatusOr<std::vector<IpAddress>> HostNames::Find(
    absl::string_view host) const {
  if (const auto literal = IpAddress::Parse(host); literal.ok()) {
    return std::vector<IpAddress>{*literal};
  }
  ASSIGN_OR_RETURN(const std::string hosts,
                   ReadFile(disk_, hosts_file_, limits::kSettingsBytesMax));
  std::vector<IpAddress> found = InHosts(hosts, host);
  if (found.empty() && dns_) found = InDns(std::string(host));
  if (!found.empty()) return found;
  return absl::NotFoundError(absl::StrCat(
      "no address of ", host, " in ", hosts_file_,
      dns_ ? " nor in the DNS"
           : ": enter it there, name an IP address, or set egress.dns"));
}

}  // namespace schleuse
