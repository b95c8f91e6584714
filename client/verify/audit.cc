#include "client/verify/audit.h"

#include <algorithm>
#include <deque>
#include <future>
#include <map>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/status.h"
#include "client/verify/published_log.h"
#include "client/verify/tree_check.h"
#include "evidence/merkle.h"
#include "evidence/receipt.h"
#include "evidence/statement.h"
#include "evidence/tile.h"

namespace schleuse::client {
namespace {

using statement::v1::Statement;

std::string EventOf(const Statement& said) {
  const auto* const oneof = Statement::descriptor()->FindOneofByName("event");
  const auto* const field =
      Statement::GetReflection()->GetOneofFieldDescriptor(said, oneof);
  return field == nullptr ? "unknown" : field->name();
}

struct Bundle {
  bool there;
  std::vector<Digest> leaves = {};
  std::vector<absl::StatusOr<Statement>> statements = {};
};

absl::StatusOr<Bundle> ReadAndParse(const PublishedLog& log, uint64_t number) {
  ASSIGN_OR_RETURN(const auto entries, log.ReadBundle(number));
  Bundle bundle = {.there = entries.has_value()};
  if (!entries) return bundle;
  for (const std::string& entry : *entries) {
    bundle.leaves.push_back(LeafHash(entry));
    bundle.statements.push_back(ParseStatement(entry));
  }
  return bundle;
}

// The bundles of a log in order, a few of them read ahead: parsing takes nearly
// all the time of an audit.
class BundleReader {
 public:
  explicit BundleReader(const PublishedLog& log) : log_(log) {}

  absl::StatusOr<Bundle> Next() {
    const uint64_t all = (log_.checkpoint().size + kTileWidth - 1) / kTileWidth;
    while (next_ < all && ahead_.size() < ahead_max_) {
      ahead_.push_back(std::async(std::launch::async, [this, number = next_++] {
        return ReadAndParse(log_, number);
      }));
    }
    absl::StatusOr<Bundle> bundle = ahead_.front().get();
    ahead_.pop_front();
    return bundle;
  }

 private:
  const PublishedLog& log_;
  const size_t ahead_max_ =
      std::clamp(std::thread::hardware_concurrency(), 1u, 16u) + 1;
  uint64_t next_ = 0;
  std::deque<std::future<absl::StatusOr<Bundle>>> ahead_;
};

// What one log says that matters to the others.
struct Said {
  std::optional<statement::v1::LogBegun> begun;    // its first statement
  std::optional<statement::v1::LogClosed> closed;  // its last one
  uint64_t deleted = 0;                            // entries
};

class Auditor {
 public:
  Auditor(const Disk& disk, const PinnedKeys& pinned, Report& report,
          Advance advance, EachStatement each)
      : disk_(disk),
        pinned_(pinned),
        report_(report),
        advance_(advance),
        each_(each) {}

  absl::Status Audit(const std::vector<PublishedLog>& logs) {
    for (const PublishedLog& log : logs) all_ += log.checkpoint().size;
    std::vector<Said> said;
    for (const PublishedLog& log : logs) {
      ASSIGN_OR_RETURN(Said of_this, AuditOne(log));
      said.push_back(std::move(of_this));
    }
    CheckChain(logs, said);
    CheckDeleted(logs, said);
    Tell(logs);
    return absl::OkStatus();
  }

 private:
  absl::StatusOr<Said> AuditOne(const PublishedLog& log) {
    Said said;
    TreeCheck tree(log, report_);
    last_time_.clear();
    const uint64_t size = log.checkpoint().size;
    BundleReader reader(log);
    for (uint64_t number = 0; number * kTileWidth < size; ++number) {
      const absl::StatusOr<Bundle> bundle = reader.Next();
      if (absl::IsDataLoss(bundle.status())) {
        report_.Problem(log.directory(), "/", bundle.status().message());
        return said;
      }
      RETURN_IF_ERROR(bundle.status());
      if (!bundle->there) {
        RETURN_IF_ERROR(AppendFromTile(log, number, said, tree));
        continue;
      }
      for (size_t i = 0; i < bundle->leaves.size(); ++i) {
        RETURN_IF_ERROR(tree.Append(bundle->leaves[i]));
        Look(log, number * kTileWidth + i, bundle->statements[i], said);
      }
      advance_(done_, all_);
    }
    RETURN_IF_ERROR(tree.Finish());
    tiles_ += tree.tiles();
    RETURN_IF_ERROR(CheckFiles(log, "tile"));
    if (said.deleted == 0 && !said.begun) {
      report_.Problem("the first statement of ", log.directory(),
                      " is not the one that begins a log");
    }
    return said;
  }

  // The entries are gone; their hashes stay.
  absl::Status AppendFromTile(const PublishedLog& log, uint64_t number,
                              Said& said, TreeCheck& tree) {
    const uint64_t width = TileWidthAt(log.checkpoint().size, number);
    said.deleted += width;
    done_ += width;
    ASSIGN_OR_RETURN(const std::optional<std::string> tile,
                     log.ReadFileAt(TilePath(0, number, width)));
    if (!tile || tile->size() != width * Digest::kBytes) {
      report_.Problem(log.directory(), "/", EntriesPath(number, width),
                      " is missing, and so are its hashes");
      return absl::OkStatus();
    }
    for (uint64_t i = 0; i < width; ++i) {
      ASSIGN_OR_RETURN(const Digest leaf,
                       Digest::FromBytes(absl::string_view(*tile).substr(
                           i * Digest::kBytes, Digest::kBytes)));
      RETURN_IF_ERROR(tree.Append(leaf));
    }
    return absl::OkStatus();
  }

  void Look(const PublishedLog& log, uint64_t index,
            const absl::StatusOr<Statement>& statement, Said& said) {
    ++done_;
    const std::string where =
        absl::StrCat("entry ", index, " of ", log.checkpoint().origin);
    if (!statement.ok()) return report_.Problem(where, " is no statement");
    if (statement->gateway() != pinned_.gateway()) {
      report_.Problem(where, " speaks in the name of ", statement->gateway());
    }
    each_(where, *statement);
    ++events_[EventOf(*statement)];
    unsynchronised_ += !statement->clock_synchronised();
    // As text they sort as times do.
    if (statement->time() < last_time_) ++clock_went_back_;
    last_time_ = statement->time();
    if (said.closed) {
      report_.Problem(where, " follows the statement that closed the log");
    }
    if (statement->has_log_begun()) {
      if (index == 0) {
        said.begun = statement->log_begun();
      } else {
        report_.Problem(where, " begins the log a second time");
      }
    }
    if (statement->has_log_closed()) said.closed = statement->log_closed();
    if (statement->has_log_cut()) ++cuts_;
    if (statement->has_log_deleted()) {
      deleted_[statement->log_deleted().origin()] =
          statement->log_deleted().entries();
    }
    if (statement->has_stored()) {
      const auto& transfer = statement->stored().transfer();
      const bool fresh = stored_
                             .insert(absl::StrCat(transfer.camera_id(), "/",
                                                  transfer.recording_id()))
                             .second;
      if (!fresh) {
        report_.Problem(where, " states a second time that ",
                        transfer.camera_id(), "/", transfer.recording_id(),
                        " is stored");
      }
    }
  }

  // Whatever lies beside what was compared.
  absl::Status CheckFiles(const PublishedLog& log, const std::string& below) {
    const absl::StatusOr<std::vector<std::string>> names =
        disk_.List(JoinPath(log.directory(), below));
    if (absl::IsNotFound(names.status())) return absl::OkStatus();
    RETURN_IF_ERROR(names.status());
    for (const std::string& name : *names) {
      const std::string path = absl::StrCat(below, "/", name);
      ASSIGN_OR_RETURN(const FileInfo info,
                       disk_.Stat(JoinPath(log.directory(), path)));
      if (info.is_directory) {
        RETURN_IF_ERROR(CheckFiles(log, path));
      } else if (!absl::EndsWith(name, ".new")) {  // a gateway at work
        RETURN_IF_ERROR(CheckFile(log, path));
      }
    }
    return absl::OkStatus();
  }

  absl::Status CheckFile(const PublishedLog& log, const std::string& path) {
    const absl::StatusOr<TileName> name = ParseTilePath(path);
    if (!name.ok()) {
      report_.Problem(log.directory(), "/", path, " does not belong there");
      return absl::OkStatus();
    }
    uint64_t hashes = log.checkpoint().size;
    for (int level = 0; level < name->level; ++level) hashes /= kTileWidth;
    const uint64_t width = TileWidthAt(hashes, name->number);
    if (name->width > width) {
      ++beyond_;
      return absl::OkStatus();
    }
    if (name->width == width) return absl::OkStatus();  // it was compared
    const auto path_of = [&](uint64_t of_width) {
      return name->level < 0 ? EntriesPath(name->number, of_width)
                             : TilePath(name->level, name->number, of_width);
    };
    ASSIGN_OR_RETURN(const auto whole, log.ReadFileAt(path_of(width)));
    ASSIGN_OR_RETURN(const auto part, log.ReadFileAt(path));
    // A gateway at work, or an entry that was deleted.
    if (!whole || !part) return absl::OkStatus();
    if (!absl::StartsWith(*whole, *part)) {
      report_.Problem(log.directory(), "/", path,
                      " is not how the log was when it had fewer entries");
    }
    return absl::OkStatus();
  }

  void CheckChain(const std::vector<PublishedLog>& logs,
                  const std::vector<Said>& said) {
    for (size_t i = 0; i < logs.size(); ++i) {
      const std::string& origin = logs[i].checkpoint().origin;
      if (said[i].begun && said[i].begun->origin() != origin) {
        report_.Problem(origin, " begins with the words of ",
                        said[i].begun->origin());
      }
      if (i + 1 < logs.size() && said[i].closed &&
          said[i].closed->next_origin() != logs[i + 1].checkpoint().origin) {
        report_.Problem("behind ", origin, " the log ",
                        said[i].closed->next_origin(), " is missing");
      }
      if (said[i].begun) CheckBefore(logs, i, *said[i].begun);
    }
  }

  // That a log begins where the one before it ended.
  void CheckBefore(const std::vector<PublishedLog>& logs, size_t i,
                   const statement::v1::LogBegun& begun) {
    const std::string& origin = logs[i].checkpoint().origin;
    if (begun.previous_checkpoint().empty()) {
      if (i > 0) {
        report_.Problem(origin, " begins as if no log had been before it");
      }
      return;
    }
    const absl::StatusOr<Checkpoint> before =
        OpenCheckpoint(begun.previous_checkpoint(), pinned_);
    if (!before.ok()) {
      return report_.Problem(
          origin, " names a log before it whose checkpoint is not good: ",
          before.status().message());
    }
    if (i == 0) {
      return report_.ProvesNot("what stood in ", before->origin,
                               ", the log before ", origin,
                               ": it is not there");
    }
    const Checkpoint& last = logs[i - 1].checkpoint();
    if (before->origin != last.origin) {
      return report_.Problem("between ", last.origin, " and ", origin,
                             " the log ", before->origin, " is missing");
    }
    if (!(*before == last)) {
      return report_.Problem(
          last.origin, " has ", last.size, " entries, but ", origin,
          " began behind one of ", before->size,
          before->size == last.size ? " with another root" : "");
    }
    if (!begun.reason().empty()) {
      report_.ProvesNot("why ", origin,
                        " began within the year: the gateway "
                        "gave as its reason \"",
                        begun.reason(), "\"");
    }
  }

  void CheckDeleted(const std::vector<PublishedLog>& logs,
                    const std::vector<Said>& said) {
    for (size_t i = 0; i < logs.size(); ++i) {
      if (said[i].deleted == 0) continue;
      const Checkpoint& checkpoint = logs[i].checkpoint();
      const auto stated = deleted_.find(checkpoint.origin);
      if (stated == deleted_.end()) {
        report_.Problem(said[i].deleted, " entries of ", checkpoint.origin,
                        " are missing, and no later log states that they were "
                        "deleted");
      } else if (stated->second != checkpoint.size ||
                 said[i].deleted != checkpoint.size) {
        report_.Problem("of ", checkpoint.origin, " ", said[i].deleted,
                        " entries are missing; that ", stated->second,
                        " were deleted is stated");
      } else {
        report_.Proves("the ", checkpoint.size, " entries of ",
                       checkpoint.origin,
                       " were deleted by their deadline, as a later log "
                       "states; their hashes are all there");
        report_.ProvesNot(
            "what the deleted entries said, unless somebody "
            "kept a statement with its receipt");
      }
    }
  }

  void Tell(const std::vector<PublishedLog>& logs) {
    uint64_t entries = 0;
    std::vector<std::string> origins;
    for (const PublishedLog& log : logs) {
      entries += log.checkpoint().size;
      origins.push_back(log.checkpoint().origin);
    }
    report_.Fact("gateway", pinned_.gateway());
    report_.Fact("logs", logs.size());
    report_.Fact("entries", entries);
    report_.Fact("tiles", tiles_);
    report_.Fact("newest_origin", logs.back().checkpoint().origin);
    report_.Fact("newest_size", logs.back().checkpoint().size);
    report_.Fact("newest_root", logs.back().checkpoint().root.ToHex());
    for (const auto& [event, count] : events_) {
      report_.Fact(absl::StrCat("event_", event), count);
    }
    report_.Proves("the gateway ", pinned_.gateway(), " signed ",
                   absl::StrJoin(origins, ", "), " with all the keys given, ",
                   entries, " entries in all");
    if (report_.holds()) {
      report_.Proves(
          "each entry stands where the signed tree has it; none was "
          "changed, dropped, swapped or put in; ",
          tiles_, " tiles agree");
      if (logs.size() > 1) {
        report_.Proves("the logs form one chain without a gap");
      }
    }
    if (cuts_ > 0) {
      report_.Proves(cuts_,
                     " times the torn end of the log was cut after a "
                     "power cut, and stated: nothing that was cut had been "
                     "answered for");
    }
    if (unsynchronised_ > 0) {
      report_.ProvesNot("the times of ", unsynchronised_,
                        " entries: the gateway's clock stood alone");
    }
    if (clock_went_back_ > 0) {
      report_.ProvesNot("the order of times: the gateway's clock went back ",
                        clock_went_back_, " times");
    }
    if (beyond_ > 0) {
      report_.ProvesNot("what ", beyond_,
                        " files say that lie beyond the last "
                        "checkpoint: a gateway at work is about to sign them");
    }
    report_.ProvesNot(
        "that there is no entry behind the last checkpoint, and "
        "that everybody was shown this same log: compare it with "
        "a checkpoint or a receipt kept elsewhere (--kept)");
  }

  const Disk& disk_;
  const PinnedKeys& pinned_;
  Report& report_;
  Advance advance_;
  EachStatement each_;
  uint64_t done_ = 0, all_ = 0;
  uint64_t tiles_ = 0, cuts_ = 0, unsynchronised_ = 0, clock_went_back_ = 0,
           beyond_ = 0;
  std::string last_time_;
  std::map<std::string, uint64_t> events_;
  std::map<std::string, uint64_t> deleted_;  // origin -> entries
  std::set<std::string> stored_;
};

// Compares one kept checkpoint with the logs that are there.
absl::Status CheckKept(const std::vector<PublishedLog>& logs,
                       const KeptCheckpoint& kept, const PinnedKeys& pinned,
                       Report& report) {
  const absl::StatusOr<Checkpoint> old = OpenCheckpoint(kept.note, pinned);
  if (!old.ok()) {
    report.Problem(kept.from, " holds no checkpoint of this gateway: ",
                   old.status().message());
    return absl::OkStatus();
  }
  for (const PublishedLog& log : logs) {
    const Checkpoint& present = log.checkpoint();
    if (present.origin != old->origin) continue;
    if (present.size < old->size) {
      report.Problem("the log was cut: ", kept.from, " knows ", old->size,
                     " entries of ", old->origin, ", here are ", present.size);
      return absl::OkStatus();
    }
    const auto node = [&log](int level, uint64_t index) {
      return log.Node(level, index);
    };
    const absl::StatusOr<MerkleProof> proof =
        ConsistencyProof(old->size, present.size, node);
    const absl::Status shown =
        proof.ok() ? VerifyConsistency(old->size, present.size, old->root,
                                       present.root, *proof)
                   : proof.status();
    if (absl::IsDataLoss(shown)) {
      report.Problem("this log is not the one that ", kept.from,
                     " was given: the first ", old->size, " entries of ",
                     old->origin,
                     " differ. One gateway has signed two "
                     "histories, or tiles were damaged");
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(shown);
    report.Fact("old_size", old->size);
    report.Fact("new_size", present.size);
    report.Proves("all ", old->size, " entries of ", old->origin, " that ",
                  kept.from,
                  " knew are in this log, unchanged and "
                  "in their places; ",
                  present.size - old->size, " were added since");
    return absl::OkStatus();
  }
  report.Problem(kept.from, " knows the log ", old->origin,
                 ", which is not there");
  return absl::OkStatus();
}

// A log that is there and no good is a finding, not a mistake of the caller's.
absl::StatusOr<std::vector<PublishedLog>> OpenOrReport(
    const Disk& disk, absl::string_view directory, const PinnedKeys& pinned,
    Report& report) {
  auto logs = OpenLogs(disk, directory, pinned);
  if (absl::IsDataLoss(logs.status()) ||
      absl::IsPermissionDenied(logs.status()) ||
      absl::IsInvalidArgument(logs.status())) {
    report.Problem(logs.status().message());
    return std::vector<PublishedLog>();
  }
  return logs;
}

}  // namespace

KeptCheckpoint KeptFrom(absl::string_view from, absl::string_view bytes) {
  const absl::StatusOr<Receipt> receipt = ParseReceipt(bytes);
  return {.from = std::string(from),
          .note = receipt.ok() ? receipt->checkpoint : std::string(bytes)};
}

absl::StatusOr<Report> AuditLog(const Disk& disk, absl::string_view directory,
                                const PinnedKeys& pinned,
                                const std::vector<KeptCheckpoint>& kept,
                                Advance advance) {
  return AuditLog(disk, directory, pinned, kept, advance,
                  [](absl::string_view, const Statement&) {});
}

absl::StatusOr<Report> AuditLog(const Disk& disk, absl::string_view directory,
                                const PinnedKeys& pinned,
                                const std::vector<KeptCheckpoint>& kept,
                                Advance advance, EachStatement each) {
  Report report = {.subject = std::string(directory)};
  ASSIGN_OR_RETURN(const std::vector<PublishedLog> logs,
                   OpenOrReport(disk, directory, pinned, report));
  if (!report.holds()) return report;
  RETURN_IF_ERROR(Auditor(disk, pinned, report, advance, each).Audit(logs));
  for (const KeptCheckpoint& one : kept) {
    RETURN_IF_ERROR(CheckKept(logs, one, pinned, report));
  }
  return report;
}

absl::StatusOr<Report> CheckConsistency(const Disk& disk,
                                        const KeptCheckpoint& old,
                                        absl::string_view directory,
                                        const PinnedKeys& pinned) {
  Report report = {.subject = std::string(directory)};
  ASSIGN_OR_RETURN(const std::vector<PublishedLog> logs,
                   OpenOrReport(disk, directory, pinned, report));
  if (!report.holds()) return report;
  RETURN_IF_ERROR(CheckKept(logs, old, pinned, report));
  report.ProvesNot(
      "what the entries say: only their hashes were looked at; "
      "\"schleuse-verify log\" audits all of it");
  return report;
}

}  // namespace schleuse::client
