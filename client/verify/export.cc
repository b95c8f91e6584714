#include "client/verify/export.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "base/status.h"
#include "client/verify/published_log.h"
#include "evidence/merkle.h"
#include "evidence/receipt.h"
#include "evidence/statement.h"
#include "evidence/tile.h"

namespace schleuse::client {
namespace {

constexpr absl::string_view kStatement = ".json";
constexpr absl::string_view kProof = ".tlog-proof";

std::string NameOf(uint64_t index) { return absl::StrFormat("%012d", index); }

// Entries [first, last] that an export covers.
struct Span {
  uint64_t first, last;
};

absl::StatusOr<std::optional<Span>> FindSpan(const PublishedLog& log,
                                             absl::Time from, absl::Time to,
                                             Advance advance) {
  std::optional<Span> span;
  const uint64_t size = log.checkpoint().size;
  for (uint64_t number = 0; number * kTileWidth < size; ++number) {
    ASSIGN_OR_RETURN(const auto bundle, log.ReadBundle(number));
    if (!bundle) continue;  // deleted
    for (size_t i = 0; i < bundle->size(); ++i) {
      const auto said = ParseStatement((*bundle)[i]);
      absl::Time time;
      if (!said.ok() ||
          !absl::ParseTime(absl::RFC3339_full, said->time(), &time, nullptr)) {
        continue;
      }
      if (time < from || time >= to) continue;
      const uint64_t index = number * kTileWidth + i;
      if (!span) span = Span{index, index};
      span->last = index;
    }
    advance(std::min(size, (number + 1) * kTileWidth), size);
  }
  return span;
}

absl::Status ExportOne(Disk& disk, const PublishedLog& log, const Span& span,
                       const std::string& out, Advance advance) {
  RETURN_IF_ERROR(disk.MakeDirectory(out));
  std::optional<std::vector<std::string>> bundle;
  uint64_t number = ~uint64_t{0};
  for (uint64_t index = span.first; index <= span.last; ++index) {
    if (index / kTileWidth != number) {
      number = index / kTileWidth;
      ASSIGN_OR_RETURN(bundle, log.ReadBundle(number));
    }
    if (!bundle) {
      return absl::DataLossError(absl::StrCat(
          "entry ", index, " of ", log.checkpoint().origin, " is missing"));
    }
    ASSIGN_OR_RETURN(MerkleProof proof,
                     InclusionProof(index, log.checkpoint().size,
                                    [&log](int level, uint64_t i) {
                                      return log.Node(level, i);
                                    }));
    const std::string& statement = (*bundle)[index % kTileWidth];
    // Nobody is handed what will not verify.
    RETURN_IF_ERROR(Annotate(
        VerifyInclusion(index, log.checkpoint().size, LeafHash(statement),
                        proof, log.checkpoint().root),
        log.directory(), " is damaged at entry ", index,
        "; \"schleuse-verify log\" says where"));
    const std::string path = JoinPath(out, NameOf(index));
    const std::string receipt = ToText(Receipt{
        .index = index, .proof = std::move(proof), .checkpoint = log.note()});
    for (const auto& [suffix, bytes] :
         {std::pair(kStatement, &statement), std::pair(kProof, &receipt)}) {
      ASSIGN_OR_RETURN(const std::unique_ptr<File> file,
                       disk.Create(absl::StrCat(path, suffix)));
      RETURN_IF_ERROR(file->Write(0, *bytes));
    }
    advance(index - span.first + 1, span.last - span.first + 1);
  }
  return absl::OkStatus();
}

absl::Status MakeEmpty(Disk& disk, const std::string& out) {
  RETURN_IF_ERROR(MakeDirectories(disk, out));
  ASSIGN_OR_RETURN(const std::vector<std::string> names, disk.List(out));
  if (names.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(out, " is not empty: name a new directory"));
}

void TellLimits(Report& report) {
  report.ProvesNot(
      "that nothing was stated before the first or behind the last of them: "
      "the whole log shows that");
}

// Checks the statements of one log, from <directory>/<index>.json on.
absl::Status VerifyOne(const Disk& disk, const std::string& directory,
                       const PinnedKeys& pinned, Report& report,
                       Advance advance) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, disk.List(directory));
  std::vector<uint64_t> indices;
  std::set<std::string> origins;
  for (const std::string& name : names) {
    absl::string_view digits = name;
    uint64_t index = 0;
    if (!absl::ConsumeSuffix(&digits, kStatement)) continue;
    const std::string path = JoinPath(directory, name);
    if (!absl::SimpleAtoi(digits, &index) || NameOf(index) != digits) {
      report.Problem(path, " does not belong there");
      continue;
    }
    ASSIGN_OR_RETURN(const std::string statement,
                     ReadFile(disk, path, kEntryBytesMax));
    const auto receipt =
        ReadFile(disk, JoinPath(directory, absl::StrCat(digits, kProof)),
                 kReceiptBytesMax);
    if (!receipt.ok()) {
      report.Problem(path, " has no proof");
      continue;
    }
    const auto proven = VerifyReceipt(*receipt, statement, pinned);
    if (!proven.ok()) {
      report.Problem(path, " does not hold: ", proven.status().message());
    } else if (proven->index != index) {
      report.Problem(path, " is entry ", proven->index, " of its log");
    } else {
      origins.insert(proven->checkpoint.origin);
    }
    if (!indices.empty() && index != indices.back() + 1) {
      report.Problem("between entries ", indices.back(), " and ", index, " of ",
                     directory, " some are missing");
    }
    indices.push_back(index);
    advance(indices.size(), names.size() / 2);
  }
  if (origins.size() > 1) {
    report.Problem(directory, " holds statements of more than one log");
  }
  if (indices.empty() || !report.holds()) return absl::OkStatus();
  report.Fact(absl::StrCat("statements_", *origins.begin()), indices.size());
  report.Proves("the gateway ", pinned.gateway(), " stated each of entries ",
                indices.front(), " to ", indices.back(), " of ",
                *origins.begin(), ", ", indices.size(),
                " in all, and none between them is missing");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Report> ExportStatements(Disk& disk, absl::string_view log,
                                        absl::string_view out,
                                        const PinnedKeys& pinned,
                                        absl::Time from, absl::Time to,
                                        Advance advance) {
  const std::string target(out);
  ASSIGN_OR_RETURN(const std::vector<PublishedLog> logs,
                   OpenLogs(disk, log, pinned));
  RETURN_IF_ERROR(MakeEmpty(disk, target));
  Report report = {.subject = target};
  uint64_t count = 0;
  for (const PublishedLog& one : logs) {
    ASSIGN_OR_RETURN(const std::optional<Span> span,
                     FindSpan(one, from, to, advance));
    if (!span) continue;
    count += span->last - span->first + 1;
    RETURN_IF_ERROR(ExportOne(
        disk, one, *span, JoinPath(target, one.origin().Directory()), advance));
    report.Proves("entries ", span->first, " to ", span->last, " of ",
                  one.checkpoint().origin,
                  " were written, each with its "
                  "proof");
  }
  RETURN_IF_ERROR(WriteFileAtomically(disk, JoinPath(target, "keys.pub"),
                                      pinned.ToString()));
  report.Fact("statements", count);
  if (count == 0) report.Problem("nothing was stated in that time");
  report.ProvesNot(
      "that this is right: check it with \"schleuse-verify "
      "statements ",
      target, " --key KEYS\"");
  return report;
}

absl::StatusOr<Report> VerifyExport(const Disk& disk,
                                    absl::string_view directory,
                                    const PinnedKeys& pinned, Advance advance) {
  Report report = {.subject = std::string(directory)};
  ASSIGN_OR_RETURN(const std::vector<std::string> names, disk.List(directory));
  for (const std::string& name : names) {
    const std::string path = JoinPath(directory, name);
    ASSIGN_OR_RETURN(const FileInfo info, disk.Stat(path));
    if (!info.is_directory) continue;
    RETURN_IF_ERROR(VerifyOne(disk, path, pinned, report, advance));
  }
  if (report.holds() && report.proven.empty()) {
    report.Problem("there are no statements in it");
  }
  TellLimits(report);
  return report;
}

}  // namespace schleuse::client
