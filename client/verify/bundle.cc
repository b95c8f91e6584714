#include "client/verify/bundle.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/status.h"
#include "crypto/digest.h"
#include "evidence/statement.h"
#include "evidence/stored_receipt.h"
#include "evidence/tile.h"

namespace schleuse::client {
namespace {

constexpr uint64_t kReadBytes = 1 << 20;
constexpr char kStatement[] = "statement.json";
constexpr char kReceipt[] = "receipt.tlog-proof";
constexpr char kWitnessed[] = "receipt.witnessed.tlog-proof";
constexpr char kDeletion[] = "deleted.json";
constexpr char kDeletionReceipt[] = "deleted.tlog-proof";

struct Hashed {
  uint64_t size;
  Digest sha256;
};

absl::StatusOr<Hashed> HashFile(const Disk& disk, const std::string& path,
                                Advance advance) {
  ASSIGN_OR_RETURN(const std::unique_ptr<File> file, disk.OpenForReading(path));
  ASSIGN_OR_RETURN(const uint64_t size, file->Size());
  std::string buffer(kReadBytes, '\0');
  Sha256 hash;
  uint64_t at = 0;
  while (true) {
    ASSIGN_OR_RETURN(
        const uint64_t got,
        file->ReadInto(at, absl::MakeSpan(buffer.data(), buffer.size())));
    if (got == 0) break;
    hash.Update(absl::string_view(buffer).substr(0, got));
    at += got;
    advance(at, std::max(at, size));
  }
  return Hashed{at, hash.Current()};
}

// The one file of footage, or a problem and nothing; where that was deleted
// nothing is no problem.
std::string FindRecording(const std::vector<std::string>& names, bool deleted,
                          Report& report) {
  std::vector<std::string> found;
  for (const std::string& name : names) {
    if (absl::StartsWith(name, "recording.")) found.push_back(name);
  }
  if (found.size() == 1) return found.front();
  if (found.empty() && deleted) return "";
  report.Problem(found.empty()
                     ? "there is no file recording.<extension>: the footage "
                       "itself is missing"
                     : "there is more than one file recording.<extension>");
  return "";
}

std::string TextOf(uint64_t unix_seconds) {
  return absl::FormatTime(
      absl::RFC3339_sec,
      absl::FromUnixSeconds(static_cast<int64_t>(unix_seconds)),
      absl::UTCTimeZone());
}

void Tell(const StoredProven& stored, const std::string& file, Report& report) {
  report.Fact("camera", stored.name.camera_id());
  report.Fact("recording", stored.name.recording_id());
  report.Fact("size", stored.size);
  report.Fact("sha256", stored.sha256.ToHex());
  report.Fact("gateway", stored.gateway);
  report.Fact("time", stored.time);
  report.Fact("clock_synchronised",
              stored.clock_synchronised ? "true" : "false");
  report.Fact("device", stored.device);
  report.Fact("transfer_id", stored.transfer_id);
  report.Fact("origin", stored.proven.checkpoint.origin);
  report.Fact("index", stored.proven.index);
  report.Fact("tree_size", stored.proven.checkpoint.size);
  if (file.empty()) {
    report.Proves("the gateway ", stored.gateway, " stored ", stored.size,
                  " bytes with SHA-256 ", stored.sha256.ToHex(),
                  " as recording ", stored.name.recording_id(), " of camera ",
                  stored.name.camera_id());
  } else {
    report.Proves("these ", stored.size, " bytes (", file, ", SHA-256 ",
                  stored.sha256.ToHex(), ") are what the gateway ",
                  stored.gateway, " stored as recording ",
                  stored.name.recording_id(), " of camera ",
                  stored.name.camera_id(), "; not one bit has changed since");
  }
  report.Proves("the gateway stated this at ", stored.time,
                " by its own clock, ",
                stored.clock_synchronised
                    ? "which was synchronised with the network's"
                    : "which was NOT synchronised with the network's");
  report.Proves("the device ", stored.device, " brought it, in transfer ",
                stored.transfer_id);
  report.Proves(stored.read_back
                    ? "the gateway read the bytes back from the store before "
                      "it said so"
                    : "the gateway hashed the bytes as it wrote them and had "
                      "them on the disk before it said so");
  report.Proves("the statement is entry ", stored.proven.index, " of the log ",
                stored.proven.checkpoint.origin, ", signed when that had ",
                stored.proven.checkpoint.size, " entries");
}

// Whether what says that the footage was deleted holds, and is about it.
void CheckDeletion(const std::string& statement, const std::string& receipt,
                   const StoredProven& stored, const PinnedKeys& pinned,
                   bool footage_is_there, Report& report) {
  const absl::StatusOr<Proven> proven =
      VerifyReceipt(receipt, statement, pinned);
  if (!proven.ok()) {
    report.Problem(kDeletionReceipt,
                   " does not hold: ", proven.status().message());
    return;
  }
  const absl::StatusOr<statement::v1::Statement> said =
      ParseStatement(statement);
  if (!said.ok()) {
    report.Problem(kDeletion, " is no statement: ", said.status().message());
    return;
  }
  const statement::v1::Deleted& deleted = said->deleted();
  if (!said->has_deleted() || deleted.place() != statement::v1::STORE ||
      deleted.transfer().camera_id() != stored.name.camera_id() ||
      deleted.transfer().recording_id() != stored.name.recording_id() ||
      deleted.sha256() != stored.sha256.ToHex()) {
    report.Problem(kDeletion, " is genuine, but about something else");
    return;
  }
  report.Fact("deleted", said->time());
  report.Fact("rule", deleted.rule());
  report.Proves("the gateway stated at ", said->time(),
                " that it deletes the footage: by the rule \"", deleted.rule(),
                "\" for the legal basis \"", deleted.legal_basis(),
                "\" it was to be kept until ", deleted.retain_until());
  report.ProvesNot(
      footage_is_there
          ? "that the footage was deleted: it still lies here, since a crash "
            "or a hold came in between"
          : "that no copy of the footage exists elsewhere");
}

void TellLimits(const StoredProven& stored, bool witnessed, Report& report) {
  report.ProvesNot(
      "what the camera saw, and what happened to the recording before the "
      "device sent it");
  report.ProvesNot(
      "what the statement repeats under \"metadata\": the device said that, "
      "and nobody vouches for it");
  if (!stored.clock_synchronised) {
    report.ProvesNot("the time: the clock of the gateway stood alone");
  }
  if (!witnessed) {
    report.ProvesNot(
        "that the gateway showed everybody the same log: no witness has "
        "cosigned this receipt");
  }
}

// True if witnesses' words were found and are good.
absl::StatusOr<bool> CheckWitnessed(const Disk& disk,
                                    const std::string& directory,
                                    const std::string& statement,
                                    const PinnedKeys& pinned,
                                    const WitnessPolicy& policy,
                                    Report& report) {
  const absl::StatusOr<std::string> receipt =
      ReadFile(disk, JoinPath(directory, kWitnessed), kReceiptBytesMax);
  if (absl::IsNotFound(receipt.status())) {
    if (policy.required > 0) {
      report.Problem(kWitnessed, " is missing: no witness has cosigned yet");
    }
    return false;
  }
  RETURN_IF_ERROR(receipt.status());
  const absl::StatusOr<Proven> proven =
      VerifyReceipt(*receipt, statement, pinned, policy);
  if (!proven.ok()) {
    report.Problem(kWitnessed, " does not hold: ", proven.status().message());
    return false;
  }
  for (const NoteSignature& signature : proven->cosignatures) {
    report.Proves("the witness ", policy.witnesses[signature.verifier].name(),
                  " has seen this log with ", proven->checkpoint.size,
                  " entries at ", TextOf(signature.time),
                  ", and nothing taken away since it last looked");
  }
  return !proven->cosignatures.empty();
}

}  // namespace

absl::StatusOr<Report> VerifyBundle(const Disk& disk,
                                    absl::string_view directory,
                                    const PinnedKeys& pinned,
                                    const WitnessPolicy& policy,
                                    Advance advance) {
  const std::string path(directory);
  Report report = {.subject = path};
  ASSIGN_OR_RETURN(const std::vector<std::string> names, disk.List(path));
  const bool deleted =
      std::find(names.begin(), names.end(), kDeletion) != names.end();
  const std::string file = FindRecording(names, deleted, report);
  const auto read = [&](const char* name,
                        uint64_t bytes_max) -> absl::StatusOr<std::string> {
    absl::StatusOr<std::string> bytes =
        ReadFile(disk, JoinPath(path, name), bytes_max);
    if (absl::IsNotFound(bytes.status())) {
      report.Problem(name, " is missing: there is no receipt to check");
    } else if (absl::IsResourceExhausted(bytes.status())) {
      report.Problem(name, " is far longer than one can be");
    }
    return bytes;
  };
  const auto statement = read(kStatement, kEntryBytesMax);
  const auto receipt = read(kReceipt, kReceiptBytesMax);
  if (!report.holds()) return report;
  RETURN_IF_ERROR(statement.status());
  RETURN_IF_ERROR(receipt.status());

  const absl::StatusOr<StoredProven> stored =
      VerifyStored(*receipt, *statement, pinned);
  if (!stored.ok()) {
    report.Problem("the receipt does not hold: ", stored.status().message());
    return report;
  }
  if (deleted) {
    const auto deletion = read(kDeletion, kEntryBytesMax);
    const auto deletion_receipt = read(kDeletionReceipt, kReceiptBytesMax);
    if (!report.holds()) return report;
    RETURN_IF_ERROR(deletion.status());
    RETURN_IF_ERROR(deletion_receipt.status());
    CheckDeletion(*deletion, *deletion_receipt, *stored, pinned, !file.empty(),
                  report);
    if (!report.holds()) return report;
  }
  Hashed hashed = {stored->size, stored->sha256};
  if (!file.empty()) {
    ASSIGN_OR_RETURN(hashed, HashFile(disk, JoinPath(path, file), advance));
  }
  if (hashed.size != stored->size || hashed.sha256 != stored->sha256) {
    report.Problem(file, " is not what was stored: it has ", hashed.size,
                   " bytes and SHA-256 ", hashed.sha256.ToHex(),
                   "; the statement, which is genuine, says ", stored->size,
                   " bytes and ", stored->sha256.ToHex());
    return report;
  }
  ASSIGN_OR_RETURN(
      const bool witnessed,
      CheckWitnessed(disk, path, *statement, pinned, policy, report));
  Tell(*stored, file, report);
  TellLimits(*stored, witnessed, report);
  return report;
}

}  // namespace schleuse::client
