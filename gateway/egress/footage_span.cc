#include "gateway/egress/footage_span.h"

#include <tuple>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status.h"

namespace schleuse {
namespace {

constexpr absl::string_view kHeader = "schleuse-egress-peers-v1";
constexpr absl::string_view kNoEnd = "-";

using Words = std::vector<absl::string_view>;

std::string TimeText(absl::Time time) {
  if (time == absl::InfiniteFuture()) return std::string(kNoEnd);
  return absl::FormatTime("%Y-%m-%d%ET%H:%M:%E6SZ", time, absl::UTCTimeZone());
}

void Append(std::string& text, const FootageCounts& counts) {
  absl::StrAppend(&text, " ", counts.sent, " ", counts.received, " ",
                  counts.connections, "\n");
}

absl::Status None() {
  return absl::InvalidArgumentError("not whom footage was exchanged with");
}

absl::StatusOr<absl::Time> TimeOf(absl::string_view text) {
  if (text == kNoEnd) return absl::InfiniteFuture();
  absl::Time time;
  if (!absl::ParseTime(absl::RFC3339_full, text, &time, nullptr) ||
      time == absl::InfiniteFuture() || time == absl::InfinitePast()) {
    return None();
  }
  return time;
}

// One of two words.
absl::StatusOr<bool> FlagOf(absl::string_view word, absl::string_view yes,
                            absl::string_view no) {
  if (word == yes) return true;
  if (word == no) return false;
  return None();
}

// The last three of `words`.
absl::StatusOr<FootageCounts> CountsOf(const Words& words) {
  FootageCounts counts;
  const size_t first = words.size() - 3;
  if (!absl::SimpleAtoi(words[first], &counts.sent) ||
      !absl::SimpleAtoi(words[first + 1], &counts.received) ||
      !absl::SimpleAtoi(words[first + 2], &counts.connections)) {
    return None();
  }
  return counts;
}

absl::StatusOr<FootageSpan> SpanOf(const Words& words) {
  FootageSpan span;
  ASSIGN_OR_RETURN(span.from, TimeOf(words[1]));
  ASSIGN_OR_RETURN(span.to, TimeOf(words[2]));
  ASSIGN_OR_RETURN(span.complete, FlagOf(words[3], "complete", "incomplete"));
  ASSIGN_OR_RETURN(span.local_store, FlagOf(words[4], "local", "remote"));
  if (span.from == absl::InfiniteFuture() || span.to <= span.from)
    return None();
  return span;
}

absl::Status TakePeer(const Words& words, FootageSpan& span) {
  ASSIGN_OR_RETURN(SocketAddress address, SocketAddress::Parse(words[1]));
  ASSIGN_OR_RETURN(const Digest certificate, Digest::FromHex(words[2]));
  ASSIGN_OR_RETURN(const FootageCounts counts, CountsOf(words));
  const bool fresh =
      span.peers.emplace(FootagePeer{std::move(address), certificate}, counts)
          .second;
  return fresh ? absl::OkStatus() : None();
}

absl::Status TakeLine(absl::string_view line, std::vector<FootageSpan>& spans) {
  const Words words = absl::StrSplit(line, ' ');
  // Nothing follows the present one.
  if (words[0] == "span" && words.size() == 5 &&
      (spans.empty() || spans.back().to != absl::InfiniteFuture())) {
    ASSIGN_OR_RETURN(FootageSpan span, SpanOf(words));
    spans.push_back(std::move(span));
    return absl::OkStatus();
  }
  if (words[0] == "peer" && words.size() == 6 && !spans.empty()) {
    return TakePeer(words, spans.back());
  }
  if (words[0] == "others" && words.size() == 4 && !spans.empty() &&
      !spans.back().others) {
    ASSIGN_OR_RETURN(spans.back().others, CountsOf(words));
    return absl::OkStatus();
  }
  return None();
}

}  // namespace

bool operator<(const FootagePeer& a, const FootagePeer& b) {
  const auto key = [](const FootagePeer& peer) {
    return std::tuple(absl::string_view(peer.address.ip.bytes()),
                      peer.address.port, peer.certificate.bytes());
  };
  return key(a) < key(b);
}

FootageCounts& FootageCounts::operator+=(const FootageCounts& more) {
  sent += more.sent;
  received += more.received;
  connections += more.connections;
  return *this;
}

std::string ToText(const std::vector<FootageSpan>& spans) {
  std::string text = absl::StrCat(kHeader, "\n");
  for (const FootageSpan& span : spans) {
    absl::StrAppend(&text, "span ", TimeText(span.from), " ", TimeText(span.to),
                    span.complete ? " complete" : " incomplete",
                    span.local_store ? " local\n" : " remote\n");
    for (const auto& [peer, counts] : span.peers) {
      absl::StrAppend(&text, "peer ", peer.address.ToString(), " ",
                      peer.certificate.ToHex());
      Append(text, counts);
    }
    if (!span.others) continue;
    absl::StrAppend(&text, "others");
    Append(text, *span.others);
  }
  return text;
}

absl::StatusOr<std::vector<FootageSpan>> ParseFootageSpans(
    absl::string_view text) {
  const std::vector<absl::string_view> lines = absl::StrSplit(text, '\n');
  if (lines.size() < 3 || lines[0] != kHeader || !lines.back().empty()) {
    return None();
  }
  std::vector<FootageSpan> spans;
  for (size_t i = 1; i + 1 < lines.size(); ++i) {
    RETURN_IF_ERROR(TakeLine(lines[i], spans));
  }
  if (spans.back().to != absl::InfiniteFuture()) return None();
  // There is one text for each.
  if (ToText(spans) != text) return None();
  return spans;
}

}  // namespace schleuse
