#include "gateway/markers.h"

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status.h"

namespace schleuse {
namespace {

constexpr absl::string_view kMarker = "schleuse.marker";
constexpr absl::string_view kUnfinished = "schleuse.marker.unfinished";
constexpr absl::string_view kMagic = "schleuse-marker ";
constexpr uint64_t kMarkerBytesMax = 4096;

template <typename... Parts>
absl::Status Refuse(const Parts&... parts) {
  return absl::FailedPreconditionError(absl::StrCat(parts...));
}

std::string Encode(absl::string_view gateway, absl::string_view room) {
  return absl::StrCat(kMagic, "1\ngateway ", gateway, "\nroom ", room, "\n");
}

bool IsGatewayId(absl::string_view text) {
  return text.size() == 32 && std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f');
         });
}

// The gateway that the marker `text` at `path` names, if it is one of `room`.
absl::StatusOr<std::string> Decode(absl::string_view path,
                                   absl::string_view text,
                                   absl::string_view room) {
  std::vector<absl::string_view> lines = absl::StrSplit(text, '\n');
  if (!absl::StartsWith(text, kMagic)) {
    return Refuse(path, " is no marker of a gateway; restore it from a backup");
  }
  if (lines[0] != absl::StrCat(kMagic, "1")) {
    return Refuse(path, " has version \"",
                  absl::CEscape(absl::StripPrefix(lines[0], kMagic)),
                  "\", which this program does not know; start the version "
                  "that wrote it, or a later one");
  }
  if (lines.size() != 4 || !absl::ConsumePrefix(&lines[1], "gateway ") ||
      !IsGatewayId(lines[1]) || !absl::ConsumePrefix(&lines[2], "room ") ||
      !lines[3].empty()) {
    return Refuse(path, " is damaged; restore it from a backup");
  }
  if (lines[2] != room) {
    return Refuse(path, " says \"", absl::CEscape(lines[2]), "\" and not \"",
                  room,
                  "\"; are two directories swapped in the configuration?");
  }
  return std::string(lines[1]);
}

// The gateway that the marker `name` in `directory` names; nothing if there is
// no such file.
absl::StatusOr<std::optional<std::string>> ReadMarker(
    const Disk& disk, absl::string_view directory, absl::string_view name,
    absl::string_view room) {
  const std::string path = JoinPath(directory, name);
  const absl::StatusOr<std::string> text =
      ReadFile(disk, path, kMarkerBytesMax);
  if (absl::IsNotFound(text.status())) return std::nullopt;
  RETURN_IF_ERROR(text.status());
  ASSIGN_OR_RETURN(std::string gateway, Decode(path, *text, room));
  return gateway;
}

// That nothing lies in `directory` but `known`; it may be missing.
absl::Status CheckEmpty(const Disk& disk, absl::string_view directory,
                        std::initializer_list<absl::string_view> known) {
  const absl::StatusOr<std::vector<std::string>> names = disk.List(directory);
  if (absl::IsNotFound(names.status())) return absl::OkStatus();
  RETURN_IF_ERROR(names.status());
  for (const std::string& name : *names) {
    if (name == "lost+found") continue;
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      return Refuse(directory, " is not empty: it holds \"",
                    absl::CEscape(name),
                    "\"; choose another directory, or move that away");
    }
  }
  return absl::OkStatus();
}

absl::Status MakeRoom(Disk& disk, absl::string_view directory) {
  const std::string parent = ParentOf(directory);
  if (absl::IsNotFound(disk.Stat(parent).status())) {
    return Refuse(parent, " is missing: mount or make it first");
  }
  return MakeDirectories(disk, directory);
}

absl::Status MarkedAlready(absl::string_view directory) {
  return Refuse(directory,
                " belongs to a gateway already (schleuse.marker). If the other "
                "directory lost its marker, its file system may not be "
                "mounted; nothing was changed");
}

}  // namespace

absl::StatusOr<std::string> InitMarkers(Disk& disk, absl::string_view spool,
                                        absl::string_view store,
                                        Random& random) {
  ASSIGN_OR_RETURN(const auto in_spool,
                   ReadMarker(disk, spool, kMarker, "spool"));
  ASSIGN_OR_RETURN(const auto unfinished,
                   ReadMarker(disk, spool, kUnfinished, "spool"));
  ASSIGN_OR_RETURN(const auto in_store,
                   ReadMarker(disk, store, kMarker, "store"));
  if (!in_spool.has_value()) {
    // Nothing is changed if the store cannot be marked.
    if (in_store.has_value() && in_store != unfinished) {
      return MarkedAlready(store);
    }
    RETURN_IF_ERROR(
        CheckEmpty(disk, store, {kMarker, absl::StrCat(kMarker, ".new")}));
  }
  return InitSpoolMarker(
      disk, spool, random, [&](absl::string_view gateway) -> absl::Status {
        RETURN_IF_ERROR(MakeRoom(disk, store));
        return WriteFileAtomically(disk, JoinPath(store, kMarker),
                                   Encode(gateway, "store"));
      });
}

absl::StatusOr<std::string> InitSpoolMarker(
    Disk& disk, absl::string_view spool, Random& random,
    const std::function<absl::Status(absl::string_view gateway_id)>&
        mark_store) {
  const std::string unfinished_path = JoinPath(spool, kUnfinished);
  const std::string spool_path = JoinPath(spool, kMarker);

  ASSIGN_OR_RETURN(const auto in_spool,
                   ReadMarker(disk, spool, kMarker, "spool"));
  if (in_spool.has_value()) {
    // The crash that made somebody call again may have come before this sync.
    RETURN_IF_ERROR(disk.SyncDirectory(spool));
    return MarkedAlready(spool);
  }
  ASSIGN_OR_RETURN(const auto unfinished,
                   ReadMarker(disk, spool, kUnfinished, "spool"));
  RETURN_IF_ERROR(CheckEmpty(disk, spool,
                             {kUnfinished, absl::StrCat(kUnfinished, ".new")}));
  RETURN_IF_ERROR(MakeRoom(disk, spool));
  const std::string gateway = unfinished.value_or(
      absl::StrFormat("%016x%016x", random.Next(), random.Next()));
  // Written again, even if they are there: nobody knows what is durable.
  RETURN_IF_ERROR(
      WriteFileAtomically(disk, unfinished_path, Encode(gateway, "spool")));
  RETURN_IF_ERROR(mark_store(gateway));
  RETURN_IF_ERROR(disk.Replace(unfinished_path, spool_path));
  RETURN_IF_ERROR(disk.SyncDirectory(spool));
  return gateway;
}

absl::StatusOr<std::string> CheckMarkers(const Disk& disk,
                                         absl::string_view spool,
                                         absl::string_view store) {
  ASSIGN_OR_RETURN(const auto unfinished,
                   ReadMarker(disk, spool, kUnfinished, "spool"));
  if (unfinished.has_value()) {
    return Refuse("schleuse-gateway init was interrupted in ", spool,
                  ": run it again");
  }
  ASSIGN_OR_RETURN(const auto in_spool,
                   ReadMarker(disk, spool, kMarker, "spool"));
  ASSIGN_OR_RETURN(const auto in_store,
                   ReadMarker(disk, store, kMarker, "store"));
  if (!in_spool.has_value() && !in_store.has_value()) {
    return Refuse("neither ", spool, " nor ", store,
                  " has a schleuse.marker: are their file systems mounted? For "
                  "a new gateway run schleuse-gateway init");
  }
  if (!in_spool.has_value() || !in_store.has_value()) {
    const absl::string_view without = in_spool.has_value() ? store : spool;
    return Refuse(without,
                  " has no schleuse.marker, the other directory has: is its "
                  "file system mounted? Mount it, or restore it from a backup");
  }
  if (*in_spool != *in_store) {
    return Refuse("spool and store belong to different gateways: ", spool,
                  " to ", *in_spool, ", ", store, " to ", *in_store,
                  "; correct the configuration or the mounts");
  }
  return *in_spool;
}

absl::StatusOr<std::string> CheckSpoolMarker(const Disk& disk,
                                             absl::string_view spool) {
  ASSIGN_OR_RETURN(const auto unfinished,
                   ReadMarker(disk, spool, kUnfinished, "spool"));
  if (unfinished.has_value()) {
    return Refuse("schleuse-gateway init was interrupted in ", spool,
                  ": run it again");
  }
  ASSIGN_OR_RETURN(const auto in_spool,
                   ReadMarker(disk, spool, kMarker, "spool"));
  if (in_spool.has_value()) return *in_spool;
  return Refuse(
      spool,
      " has no schleuse.marker: is its file system mounted? For a new "
      "gateway run schleuse-gateway init");
}

bool HasMarker(const Disk& disk, absl::string_view directory) {
  return !absl::IsNotFound(disk.Stat(JoinPath(directory, kMarker)).status());
}

absl::Status WriteMarker(Disk& disk, absl::string_view directory,
                         absl::string_view room, absl::string_view gateway_id) {
  return WriteFileAtomically(disk, JoinPath(directory, kMarker),
                             Encode(gateway_id, room));
}

absl::Status CheckMarker(const Disk& disk, absl::string_view directory,
                         absl::string_view room, absl::string_view gateway_id) {
  ASSIGN_OR_RETURN(const auto gateway,
                   ReadMarker(disk, directory, kMarker, room));
  if (!gateway.has_value()) {
    return Refuse(directory,
                  " has no schleuse.marker: is its file system mounted? If it "
                  "is new, run schleuse-gateway init");
  }
  if (*gateway != gateway_id) {
    return Refuse(directory, " belongs to another gateway, ", *gateway,
                  "; correct the configuration or the mounts");
  }
  return absl::OkStatus();
}

}  // namespace schleuse
