#include "gateway/egress/peer_book.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/status.h"

namespace schleuse {
namespace {

// All spans with all peers that there can be.
constexpr uint64_t kFileBytesMax =
    (limits::kFootageSpansMax + 1) * (limits::kFootagePeersMax + 2) * 256;

absl::Time DayOf(absl::Time time) {
  return absl::FromCivil(absl::ToCivilDay(time, absl::UTCTimeZone()),
                         absl::UTCTimeZone());
}
absl::Time DayAfter(absl::Time time) {
  return absl::FromCivil(absl::ToCivilDay(time, absl::UTCTimeZone()) + 1,
                         absl::UTCTimeZone());
}

}  // namespace

PeerBook::PeerBook(Disk& disk, const Clock& clock, PeerBookOptions options)
    : disk_(disk),
      clock_(clock),
      options_(std::move(options)),
      present_{.from = Now(), .local_store = options_.local_store} {}

absl::StatusOr<std::unique_ptr<PeerBook>> PeerBook::Open(
    Disk& disk, const Clock& clock, PeerBookOptions options) {
  auto book =
      std::unique_ptr<PeerBook>(new PeerBook(disk, clock, std::move(options)));
  RETURN_IF_ERROR(book->Read());
  return book;
}

// As the file has times.
absl::Time PeerBook::Now() const {
  return absl::FromUnixMicros(absl::ToUnixMicros(clock_.Now()));
}

absl::Status PeerBook::Read() {
  const absl::StatusOr<std::string> text =
      ReadFile(disk_, options_.path, kFileBytesMax);
  if (absl::IsNotFound(text.status())) return absl::OkStatus();
  RETURN_IF_ERROR(text.status());
  absl::StatusOr<std::vector<FootageSpan>> spans = ParseFootageSpans(*text);
  if (!spans.ok()) {
    const std::string aside = absl::StrCat(options_.path, ".damaged");
    Log(Severity::kAlarm, "the file of footage's next hops is damaged",
        {{"file", options_.path},
         {"set_aside_as", aside},
         {"what_now", "since the last statement of them there is a gap"}});
    return disk_.Replace(options_.path, aside);
  }
  MutexLock lock(mutex_);
  present_ = std::move(spans->back());
  spans->pop_back();
  for (FootageSpan& span : *spans) {
    ended_.push_back({number_++, std::move(span), /*durable=*/true});
  }
  EndDays();
  // Under other settings another span begins.
  if (present_.local_store == options_.local_store) return absl::OkStatus();
  if (ended_.size() < limits::kFootageSpansMax) EndAt(Now());
  present_.local_store &= options_.local_store;
  return absl::OkStatus();
}

absl::Status PeerBook::Count(const FootagePeer& peer,
                             const FootageCounts& more) {
  while (true) {
    {
      MutexLock lock(mutex_);
      EndDays();
      if (FootageCounts* const counts = Durable(peer)) {
        *counts += more;
        changed_ = true;
        return absl::OkStatus();
      }
    }
    RETURN_IF_ERROR(
        Annotate(Write(), "footage goes to nobody who cannot be written down"));
  }
}

FootageCounts* PeerBook::Durable(const FootagePeer& peer) {
  const auto known = present_.peers.find(peer);
  if (known != present_.peers.end()) {
    return durable_.contains(peer) ? &known->second : nullptr;
  }
  changed_ = true;
  if (present_.peers.size() < limits::kFootagePeersMax) {
    present_.peers.emplace(peer, FootageCounts());
    return nullptr;
  }
  if (!present_.others) present_.others.emplace();
  return others_durable_ ? &*present_.others : nullptr;
}

// A gateway that cannot state them goes on with a longer one.
void PeerBook::EndDays() {
  const absl::Time now = Now();
  // A clock that was set back must not end days until it is there again.
  present_.from = std::min(present_.from, now);
  if (now < DayAfter(present_.from) ||
      ended_.size() >= limits::kFootageSpansMax) {
    return;
  }
  EndAt(DayAfter(present_.from));
  // Whole days without a process, all in one.
  if (present_.from < DayOf(now)) EndAt(DayOf(now));
}

void PeerBook::EndAt(absl::Time to) {
  present_.to = to;
  ended_.push_back({number_++, std::move(present_), /*durable=*/false});
  present_ = {.from = to, .local_store = options_.local_store};
  durable_.clear();
  others_durable_ = false;
  changed_ = true;
}

absl::Status PeerBook::Save() {
  {
    MutexLock lock(mutex_);
    EndDays();
    if (!changed_) return absl::OkStatus();
  }
  return Write();
}

absl::Status PeerBook::EndSpan() {
  {
    MutexLock lock(mutex_);
    EndDays();
    const absl::Time now = Now();
    if (ended_.size() < limits::kFootageSpansMax &&
        (now > present_.from || present_.carried())) {
      // None is empty.
      EndAt(std::max(now, present_.from + absl::Microseconds(1)));
    }
  }
  return Write();
}

std::vector<FootageSpan> PeerBook::Ended() const {
  MutexLock lock(mutex_);
  std::vector<FootageSpan> spans;
  for (const EndedSpan& ended : ended_) {
    if (ended.durable) spans.push_back(ended.span);
  }
  return spans;
}

absl::Status PeerBook::Forget(const FootageSpan& span) {
  {
    MutexLock lock(mutex_);
    std::erase_if(
        ended_, [&span](const EndedSpan& ended) { return ended.span == span; });
    changed_ = true;
  }
  return Write();
}

// What the present span has counted by now is what it will have had at least.
std::string PeerBook::Text() const {
  std::vector<FootageSpan> spans;
  for (const EndedSpan& ended : ended_) spans.push_back(ended.span);
  spans.push_back(present_);
  spans.back().complete &= !present_.carried();
  return ToText(spans);
}

absl::Status PeerBook::Write() {
  std::string text;
  uint64_t number = 0;
  std::set<FootagePeer> peers;
  bool others = false;
  {
    MutexLock lock(mutex_);
    while (writing_) written_.Wait(mutex_);
    writing_ = true;
    changed_ = false;
    text = Text();
    number = number_;
    for (const auto& [peer, counts] : present_.peers) peers.insert(peer);
    others = present_.others.has_value();
  }
  const absl::Status written = WriteFileAtomically(disk_, options_.path, text);
  MutexLock lock(mutex_);
  writing_ = false;
  written_.NotifyAll();
  if (!written.ok()) {
    changed_ = true;
    return written;
  }
  for (EndedSpan& ended : ended_) ended.durable |= ended.number < number;
  if (number == number_) {
    durable_ = std::move(peers);
    others_durable_ = others;
  }
  return absl::OkStatus();
}

}  // namespace schleuse
