#include "gateway/trust.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/limits.h"
#include "base/status.h"
#include "crypto/tls_context.h"

namespace schleuse {
namespace {

std::string ToText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%SZ", time, absl::UTCTimeZone());
}

// Reads files and gathers what is wrong with them.
class Reader {
 public:
  Reader(const Disk& disk, absl::Time now) : disk_(disk), now_(now) {}

  std::string ReadPem(const std::string& path) {
    absl::StatusOr<std::string> pem =
        ReadFile(disk_, path, limits::kSettingsBytesMax);
    if (pem.ok()) return *std::move(pem);
    Mistake(path, pem.status().message());
    return "";
  }

  // The gateway's own certificate first, each of the others the issuer of the
  // one before it.
  void CheckChain(const Config& config, absl::string_view chain_pem,
                  absl::string_view key_pem) {
    const std::string& path = config.certificate_chain_file;
    const std::vector<Certificate> chain = Certificates(path, chain_pem);
    if (chain.empty()) return;
    for (size_t i = 0; i < chain.size(); ++i) {
      CheckTime(path, chain[i]);
      if (i > 0 && !chain[i - 1].IssuedBy(chain[i])) {
        Mistake(path, absl::StrCat(chain[i].SubjectText(), " did not issue ",
                                   chain[i - 1].SubjectText(),
                                   ", which stands before it"));
      }
    }
    if (!chain.front().KeyIsStrongEnough()) {
      Mistake(path, "has a weak key: EC from 250 or RSA from 3000 bits needed");
    }
    if (key_pem.empty()) return;
    const absl::Status match = chain.front().MatchesKey(key_pem);
    if (!match.ok()) Mistake(config.private_key_file, match.message());
  }

  void CheckRoots(const std::string& path, absl::string_view pem) {
    for (const Certificate& root : Certificates(path, pem)) {
      CheckTime(path, root);
      if (!root.is_ca()) {
        Mistake(path, absl::StrCat(root.SubjectText(), " is no CA"));
      }
    }
  }

  std::vector<RevocationList> ReadLists(
      const std::vector<std::string>& paths,
      const std::vector<Certificate>& issuers) {
    std::vector<RevocationList> lists;
    for (const std::string& path : paths) {
      const std::string pem = ReadPem(path);
      if (pem.empty()) continue;
      absl::StatusOr<RevocationList> list =
          RevocationList::FromPem(pem, issuers);
      if (list.ok()) {
        lists.push_back(*std::move(list));
      } else {
        Mistake(path, list.status().message());
      }
    }
    return lists;
  }

  // One that is itself a list of mistakes stays as it is.
  void Mistakes(const absl::Status& status) {
    mistakes_.emplace_back(status.message());
  }

  absl::Status status() const {
    if (mistakes_.empty()) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrJoin(mistakes_, "\n"));
  }

 private:
  void Mistake(absl::string_view path, absl::string_view what) {
    mistakes_.push_back(absl::StrCat(path, ": ", what));
  }

  std::vector<Certificate> Certificates(const std::string& path,
                                        absl::string_view pem) {
    if (pem.empty()) return {};
    absl::StatusOr<std::vector<Certificate>> all = Certificate::AllFromPem(pem);
    if (all.ok()) return *std::move(all);
    Mistake(path, all.status().message());
    return {};
  }

  void CheckTime(const std::string& path, const Certificate& certificate) {
    if (now_ < certificate.not_before()) {
      Mistake(path,
              absl::StrCat(certificate.SubjectText(), " is not valid before ",
                           ToText(certificate.not_before())));
    }
    if (now_ > certificate.not_after()) {
      Mistake(path, absl::StrCat(certificate.SubjectText(), " expired at ",
                                 ToText(certificate.not_after())));
    }
  }

  const Disk& disk_;
  const absl::Time now_;
  std::vector<std::string> mistakes_;
};

// Says of every CA in the roster whether its list is missing or too old.
std::vector<std::string> WarningsOf(const std::vector<Certificate>& issuers,
                                    const std::vector<RevocationList>& lists,
                                    absl::Time now) {
  std::vector<std::string> warnings;
  for (const Certificate& issuer : issuers) {
    const std::string name = issuer.SubjectText();
    absl::Time due = absl::InfinitePast();
    for (const RevocationList& list : lists) {
      if (list.IssuerText() == name) due = std::max(due, list.next_update());
    }
    if (due > now) continue;
    warnings.push_back(absl::StrCat(
        "whom ", name, " certified is refused: ",
        due == absl::InfinitePast()
            ? "it has no revocation list"
            : absl::StrCat("its revocation list ran out at ", ToText(due))));
  }
  return warnings;
}

}  // namespace

absl::StatusOr<Trust> Trust::Load(const Disk& disk, const Config& config,
                                  absl::Time now) {
  Reader reader(disk, now);
  std::string chain = reader.ReadPem(config.certificate_chain_file);
  std::string key = reader.ReadPem(config.private_key_file);
  std::string roots = reader.ReadPem(config.root_certificates_file);
  reader.CheckChain(config, chain, key);
  reader.CheckRoots(config.root_certificates_file, roots);

  absl::StatusOr<Roster> roster = Roster::Load(disk, config.roster_file);
  if (!roster.ok()) {
    reader.Mistakes(roster.status());
    // Which CAs may sign the lists is not known.
    return reader.status();
  }
  std::vector<RevocationList> lists =
      reader.ReadLists(config.revocation_list_files, roster->Issuers());
  if (const absl::Status status = reader.status(); !status.ok()) return status;
  RETURN_IF_ERROR(Annotate(CheckTlsIdentity({.certificate_chain_pem = chain,
                                             .private_key_pem = key,
                                             .root_certificates_pem = roots}),
                           config.certificate_chain_file));
  std::vector<std::string> warnings = WarningsOf(roster->Issuers(), lists, now);
  return Trust{.certificate_chain_pem = std::move(chain),
               .private_key_pem = std::move(key),
               .root_certificates_pem = std::move(roots),
               .roster = *std::move(roster),
               .revocation_lists = std::move(lists),
               .warnings = std::move(warnings)};
}

}  // namespace schleuse
