#include "client/verify/residency.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/civil_time.h"
#include "base/socket_address.h"
#include "base/status.h"
#include "client/verify/audit.h"
#include "crypto/digest.h"

namespace schleuse::client {
namespace {

using statement::v1::Statement;
using Stated = statement::v1::Residency;

std::string TimeText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d%ET%H:%M:%E*SZ", time, absl::UTCTimeZone());
}

std::string SpanText(absl::Time from, absl::Time to) {
  return absl::StrCat(TimeText(from), " to ", TimeText(to));
}

std::optional<absl::Time> TimeOf(const std::string& text) {
  absl::Time time;
  if (!absl::ParseTime(absl::RFC3339_full, text, &time, nullptr) ||
      time == absl::InfiniteFuture() || time == absl::InfinitePast()) {
    return std::nullopt;
  }
  return time;
}

// What a gateway stated of one span, in all its parts.
struct Span {
  absl::Time from, to;
  std::map<uint32_t, Stated> parts;
  std::string where;  // one of them
};

// What it all says of one next hop.
struct Hop {
  uint64_t sent = 0, received = 0, connections = 0;
  // First and last of each run.
  std::map<absl::CivilDay, absl::CivilDay> days;

  std::string DaysText() const {
    // Spans come in order.
    std::vector<std::pair<absl::CivilDay, absl::CivilDay>> runs;
    for (const auto& [first, last] : days) {
      if (!runs.empty() && first <= runs.back().second + 1) {
        runs.back().second = std::max(runs.back().second, last);
      } else {
        runs.emplace_back(first, last);
      }
    }
    return absl::StrJoin(runs, ", ", [](std::string* out, const auto& run) {
      absl::StrAppend(out, absl::FormatCivilTime(run.first));
      if (run.first == run.second) return;
      absl::StrAppend(out, " to ", absl::FormatCivilTime(run.second));
    });
  }
};

class Residencies {
 public:
  Residencies(const ResidencyQuestion& question, Report& report)
      : question_(question), report_(report) {}

  void Take(absl::string_view where, const Stated& stated) {
    const std::optional<absl::Time> from = TimeOf(stated.from());
    const std::optional<absl::Time> to = TimeOf(stated.to());
    if (!from || !to || *from >= *to || stated.part() < 1 ||
        stated.part() > stated.parts()) {
      return report_.Problem(where, " does not say of which span it speaks");
    }
    Span& span = spans_[{*from, *to}];
    span.from = *from;
    span.to = *to;
    span.where = std::string(where);
    const auto [had, fresh] = span.parts.emplace(stated.part(), stated);
    // A crash may have it stated twice, but not in two ways.
    if (!fresh &&
        had->second.SerializeAsString() != stated.SerializeAsString()) {
      report_.Problem(where, " says otherwise what was stated before of ",
                      SpanText(*from, *to));
    }
  }

  void Judge() {
    if (spans_.empty()) {
      return report_.Problem("the log does not state whither footage went");
    }
    from_ = question_.from;
    to_ = question_.to;
    absl::Time last = absl::InfinitePast();
    for (const auto& [key, span] : spans_) last = std::max(last, span.to);
    if (from_ == absl::InfinitePast()) from_ = spans_.begin()->second.from;
    if (to_ == absl::InfiniteFuture()) to_ = last;
    report_.Fact("residency_from", TimeText(from_));
    report_.Fact("residency_to", TimeText(to_));
    KeepAsked();
    CheckGaps();
    for (const Span* span : asked_) CheckSpan(*span);
    CheckHops();
    Tell();
  }

 private:
  // Of those asked for the ones that are whole.
  void KeepAsked() {
    for (const auto& [key, span] : spans_) {
      if (span.to <= from_ || span.from >= to_) continue;
      const uint32_t parts = span.parts.begin()->second.parts();
      if (span.parts.size() == parts && span.parts.rbegin()->first == parts) {
        asked_.push_back(&span);
      } else {
        report_.Problem("of what was stated of ", SpanText(span.from, span.to),
                        " (", span.where, ") parts are missing: there are ",
                        span.parts.size(), " of ", parts);
      }
    }
  }

  void CheckGaps() {
    absl::Time covered = from_;
    for (const Span* span : asked_) {
      if (span->from > covered) Gap(covered, span->from);
      covered = std::max(covered, span->to);
    }
    if (covered < to_) Gap(covered, to_);
  }

  void Gap(absl::Time from, absl::Time to) {
    report_.Problem(
        "there is a gap: nothing is stated of whither footage went ",
        SpanText(from, to));
  }

  void CheckSpan(const Span& span) {
    bool carried = false, local = false, complete = true;
    for (const auto& [part, stated] : span.parts) {
      carried |= stated.peers_size() > 0;
      local |= stated.local_store();
      complete &= stated.complete();
      for (const Stated::Peer& peer : stated.peers()) {
        TakePeer(span, peer);
      }
    }
    if (local && carried) {
      report_.Problem(span.where,
                      " says that the store was in the gateway itself, and yet "
                      "names next hops");
    }
    local_ += local && !carried;
    idle_ += !local && !carried;
    beyond_ |= carried && (span.from < from_ || span.to > to_);
    if (!complete) {
      report_.ProvesNot("how many bytes exactly went ",
                        SpanText(span.from, span.to),
                        ": the gateway was ended by a crash. All next hops are "
                        "there, their numbers are the least that there were");
    }
    incomplete_ += !complete;
  }

  void TakePeer(const Span& span, const Stated::Peer& peer) {
    const absl::StatusOr<SocketAddress> address =
        SocketAddress::Parse(peer.address());
    // In one form, however it was written.
    Hop& hop = hops_[{address.ok() ? address->ToString() : peer.address(),
                      peer.certificate_sha256()}];
    hop.sent += peer.bytes_sent();
    hop.received += peer.bytes_received();
    hop.connections += peer.connections();
    const auto day = [](absl::Time time) {
      return absl::ToCivilDay(time, absl::UTCTimeZone());
    };
    const absl::CivilDay first = day(span.from);
    // A day's end is the next one's first moment.
    const absl::CivilDay last =
        std::max(first, day(span.to - absl::Nanoseconds(1)));
    absl::CivilDay& end = hop.days.emplace(first, last).first->second;
    end = std::max(end, last);
  }

  bool Allowed(const SocketAddress& address) const {
    return std::any_of(question_.allow.begin(), question_.allow.end(),
                       [&address](const NetworkPort& network) {
                         return network.Holds(address);
                       });
  }

  void CheckHops() {
    for (const auto& [key, hop] : hops_) {
      const auto& [address, certificate] = key;
      const std::string what =
          absl::StrCat(hop.sent, " bytes of footage were sent to it and ",
                       hop.received, " came from it, over ", hop.connections,
                       " connections, on ", hop.DaysText());
      report_.Fact(absl::StrCat("next_hop_", ++told_), address, " ",
                   certificate.empty() ? "-" : certificate, " ", hop.sent, " ",
                   hop.received, " ", hop.connections);
      const auto parsed = SocketAddress::Parse(address);
      if (!parsed.ok()) {
        report_.Problem("not all next hops are named: under \"", address,
                        "\", ", what);
        continue;
      }
      if (!Digest::FromHex(certificate).ok()) {
        report_.Problem("the next hop ", address, " has no certificate; ",
                        what);
      }
      if (Allowed(*parsed)) {
        report_.Proves("a next hop was ", address, " with the certificate ",
                       certificate, ": ", what);
      } else {
        report_.Problem("the next hop ", address,
                        " is not allowed (certificate ", certificate,
                        "): ", what);
      }
    }
  }

  void Tell() {
    const auto spans = [](uint64_t count) {
      return absl::StrCat(count, count == 1 ? " span" : " spans");
    };
    report_.Fact("next_hops", hops_.size());
    report_.Fact("spans", asked_.size());
    report_.Fact("spans_incomplete", incomplete_);
    if (local_ > 0) {
      report_.Proves("over ", spans(local_),
                     " footage stayed in the gateway's own store: it went to "
                     "no next hop");
    }
    if (idle_ > 0) {
      report_.Proves("over ", spans(idle_), " no footage went to a next hop");
    }
    if (report_.holds()) {
      report_.Proves(
          "of every moment ", SpanText(from_, to_),
          " the gateway stated whither footage went, and there were no other "
          "next hops",
          hops_.empty()
              ? ""
              : absl::StrCat("; all of them lie in ",
                             absl::StrJoin(question_.allow, ", ",
                                           [](std::string* out,
                                              const NetworkPort& network) {
                                             absl::StrAppend(
                                                 out, network.ToString());
                                           })));
    }
    report_.ProvesNot(
        "what a next hop did with footage: this shows to which machines the "
        "gateway gave it, and not whither those brought it");
    report_.ProvesNot(
        "that the gateway's host told it the truth: the packet filter's "
        "counters and the store's own log are other witnesses");
    if (beyond_) {
      report_.ProvesNot(
          "which of the bytes went within the time that was asked for: spans "
          "reach beyond it and are counted whole");
    }
    if (question_.from == absl::InfinitePast()) {
      report_.ProvesNot("whither footage went before ", TimeText(from_),
                        ": the statements begin there");
    }
    if (question_.to == absl::InfiniteFuture()) {
      report_.ProvesNot("whither footage went from ", TimeText(to_),
                        " on: the statements end there");
    }
  }

  const ResidencyQuestion& question_;
  Report& report_;
  std::map<std::pair<absl::Time, absl::Time>, Span> spans_;  // from, to
  absl::Time from_, to_;
  std::vector<const Span*> asked_;
  std::map<std::pair<std::string, std::string>, Hop> hops_;
  uint64_t local_ = 0, idle_ = 0, incomplete_ = 0, told_ = 0;
  bool beyond_ = false;
};

}  // namespace

absl::StatusOr<Report> CheckResidency(const Disk& disk,
                                      absl::string_view directory,
                                      const PinnedKeys& pinned,
                                      const ResidencyQuestion& question,
                                      Advance advance) {
  Report found;
  Residencies residencies(question, found);
  ASSIGN_OR_RETURN(
      Report report,
      AuditLog(disk, directory, pinned, /*kept=*/{}, advance,
               [&residencies](absl::string_view where, const Statement& said) {
                 if (said.has_residency()) {
                   residencies.Take(where, said.residency());
                 }
               }));
  // Of a log that does not hold, nothing that it says is believed.
  if (!report.holds()) return report;
  residencies.Judge();
  const auto append = [](auto& to, auto& from) {
    to.insert(to.end(), from.begin(), from.end());
  };
  append(report.facts, found.facts);
  append(report.proven, found.proven);
  append(report.not_proven, found.not_proven);
  append(report.problems, found.problems);
  return report;
}

}  // namespace schleuse::client
