#include "client/upload/arguments.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/limits.h"
#include "base/status.h"
#include "client/upload/recording_id.h"
#include "client/upload/text.h"

namespace schleuse::client {

const char kHelp[] =
    R"(Usage: schleuse-upload --gateway HOST:PORT --cert FILE --key FILE --ca FILE
                       --camera ID [OPTION...] FILE...

Brings recordings to a Schleuse gateway, each until the final store holds
exactly its bytes. Interrupted uploads go on where they were: just run the same
command again. The files are only read, never changed and never deleted.

Where to, and who we are:
  --gateway HOST:PORT    the gateway
  --cert FILE            this device's certificate and its chain, PEM
  --key FILE             its private key, PEM
  --ca FILE              the internal root certificate, PEM
  --server-name NAME     the name that the gateway's certificate must hold, if
                         it is not HOST
  --custody-keys FILE    keys.pub of the gateway's custody log, from whoever runs
                         it; once for each gateway. Then every receipt is
                         verified by them before a recording counts as stored
  --receipts DIR         keep the receipts there:
                         DIR/CAMERA/RECORDING/statement.json and
                         receipt.tlog-proof
What:
  --camera ID            the camera that made the recordings
  --recording ID         the recording's name; with one FILE only. Otherwise it
                         is the file's name, with '_' for each byte other than
                         A-Z a-z 0-9 . _ ~ - and cut to 128 characters, the
                         extension kept
  --priority WHICH       urgent, normal (default) or bulk
  --incident TEXT        the incident or case that the recordings belong to
  --legal-basis TEXT     a name from the operator's list
  --wearer TEXT          badge number or pseudonym
  --camera-serial TEXT   the maker's serial number
  --start TIME           start of the recording, 2024-05-01T12:30:00+02:00
  --duration DURATION    its length, as 90s or 1h2m3.5s; with one FILE only
  --codec TEXT           codec or container, "video/mp4; codecs=avc1"
  --retain-until TIME    see your operator's rules
  --home                 recorded in a home
                         The file's name and this device's clock are always
                         told as well
How:
  --parallel N           recordings at the same time, 1 to 64 (default 4)
  --connections N        connections to spread them over, 1 to 16 (default: as
                         many as --parallel, but not more than 4)
  --chunk-kib N          most footage in one message, 1 to 1024 KiB (default
                         1024; over radio 16 to 64); a slow link gets less
  --retry-for DURATION   give up after so long without progress, as 90s, 5m or
                         2h (default: never)
  --backoff-initial DURATION, --backoff-max DURATION
                         waits between attempts are random, up to the first
                         (0.5s), doubling up to the second (60s)
  --stall-after DURATION a link on which nothing moves for so long is given up
                         (default 60s)
  --json                 one JSON object a line on standard output
  --help                 this text

Examples:
  schleuse-upload --gateway schleuse.example:8443 --cert dock.pem
      --key dock.key --ca root.pem --camera bwc-0815 /media/bwc-0815/*.MP4
  schleuse-upload ... --camera bwc-0815 --recording 20240501-1230.mp4
      --priority urgent --incident 2024-17 --chunk-kib 64 video.mp4

Exit codes; if several apply: 5 before 3, 1, 4.
  0  every recording is stored. With --custody-keys every receipt was verified,
     which permits erasing; without them the files are still needed
  1  a recording failed: refused, unreadable, it changed meanwhile, or it got no
     receipt though --custody-keys asks for one
  2  wrong usage, or certificate or key files that cannot be used
  3  interrupted by SIGINT or SIGTERM; what is not stored yet is named
  4  gave up after --retry-for
  5  data loss: bytes differ where they must not, or a receipt does not hold.
     Call somebody, erase nothing
)";

namespace {

// Longer than any battery lasts; more is a slip of somebody's.
constexpr absl::Duration kDurationMax = absl::Hours(1000);

absl::Status Bad(absl::string_view flag, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("--", flag, " ", why));
}

absl::StatusOr<int> Number(absl::string_view flag, absl::string_view text,
                           int least, int most) {
  int value = 0;
  if (!absl::SimpleAtoi(text, &value) || value < least || value > most) {
    return Bad(flag,
               absl::StrCat("must be a number from ", least, " to ", most));
  }
  return value;
}

absl::StatusOr<absl::Duration> Length(absl::string_view flag,
                                      absl::string_view text) {
  absl::Duration value;
  if (!absl::ParseDuration(text, &value) || value <= absl::ZeroDuration()) {
    return Bad(flag, "must be a duration above zero, such as 90s, 5m or 2h");
  }
  return value;
}

absl::StatusOr<uint64_t> Millis(absl::string_view flag,
                                absl::string_view text) {
  ASSIGN_OR_RETURN(const absl::Duration length, Length(flag, text));
  if (length < absl::Milliseconds(1) || length > kDurationMax) {
    return Bad(flag, absl::StrCat("must be from 1ms to ",
                                  absl::FormatDuration(kDurationMax)));
  }
  return static_cast<uint64_t>(absl::ToInt64Milliseconds(length));
}

absl::StatusOr<int64_t> UnixMicros(absl::string_view flag,
                                   absl::string_view text) {
  absl::Time value;
  std::string error;
  if (!absl::ParseTime(absl::RFC3339_full, text, &value, &error) ||
      value <= absl::UnixEpoch() || value == absl::InfiniteFuture()) {
    return Bad(flag, "must be a time such as 2024-05-01T12:30:00+02:00");
  }
  return absl::ToUnixMicros(value);
}

absl::StatusOr<std::string> Text(absl::string_view flag,
                                 absl::string_view text) {
  if (!IsPlainText(text) || text.size() > limits::kMetadataFieldBytesMax) {
    return Bad(flag,
               absl::StrCat("must be UTF-8 without control characters, at "
                            "most ",
                            limits::kMetadataFieldBytesMax, " bytes"));
  }
  return std::string(text);
}

absl::StatusOr<std::string> HostAndPort(absl::string_view flag,
                                        absl::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos || colon == 0 ||
      absl::StrContains(text, '/') ||
      !Number(flag, text.substr(colon + 1), 1, 65535).ok()) {
    return Bad(flag, "must be HOST:PORT");
  }
  return std::string(text);
}

absl::StatusOr<Priority> Class(absl::string_view flag, absl::string_view text) {
  if (text == "urgent") return Priority::kUrgent;
  if (text == "normal") return Priority::kNormal;
  if (text == "bulk") return Priority::kBulk;
  return Bad(flag, "must be urgent, normal or bulk");
}

// Reads words; knows which flags there are.
class Parser {
 public:
  Parser() {
    Take("gateway", arguments_.gateway, HostAndPort);
    Take("cert", arguments_.certificate_file, Text);
    Take("key", arguments_.key_file, Text);
    Take("ca", arguments_.root_file, Text);
    Take("server-name", arguments_.server_name, Text);
    TakeEach("custody-keys", arguments_.custody_key_files, Text);
    Take("receipts", arguments_.receipt_directory, Text);
    Take("camera", camera_, Text);
    Take("recording", recording_, Text);
    Take("priority", arguments_.priority, Class);
    Metadata& metadata = arguments_.metadata;
    Take("incident", metadata.incident, Text);
    Take("legal-basis", metadata.legal_basis, Text);
    Take("wearer", metadata.wearer, Text);
    Take("camera-serial", metadata.camera_serial, Text);
    Take("start", metadata.start_unix_micros, UnixMicros);
    Take("duration", metadata.duration_millis, Millis);
    Take("codec", metadata.codec, Text);
    Take("retain-until", metadata.retain_until_unix_micros, UnixMicros);
    TakeNumber("parallel", arguments_.parallel, 1, 64);
    TakeNumber("connections", connections_, 1, 16);
    TakeNumber("chunk-kib", chunk_kib_, 1,
               static_cast<int>(limits::kChunkBytesMax / 1024));
    Take("retry-for", arguments_.upload.retry_for, Length);
    Take("backoff-initial", arguments_.upload.backoff_initial, Length);
    Take("backoff-max", arguments_.upload.backoff_max, Length);
    Take("stall-after", arguments_.upload.stall_after, Length);
    switches_["home"] = &metadata.home;
    switches_["json"] = &arguments_.json;
    switches_["help"] = &arguments_.help;
  }

  absl::StatusOr<Arguments> Parse(const std::vector<std::string>& words) {
    RETURN_IF_ERROR(Read(words));
    if (arguments_.help) return std::move(arguments_);
    RETURN_IF_ERROR(CheckComplete());
    RETURN_IF_ERROR(NameRecordings());
    arguments_.upload.chunk_bytes = static_cast<uint64_t>(chunk_kib_) * 1024;
    arguments_.connections = connections_.value_or(4);
    arguments_.connections =
        std::min(arguments_.connections, arguments_.parallel);
    return std::move(arguments_);
  }

 private:
  using Reader = absl::AnyInvocable<absl::Status(absl::string_view flag,
                                                 absl::string_view text)>;

  template <typename Value, typename Parse>
  void Take(const char* flag, Value& value, Parse parse) {
    readers_[flag] = [&value, parse](absl::string_view name,
                                     absl::string_view text) {
      ASSIGN_OR_RETURN(value, parse(name, text));
      return absl::OkStatus();
    };
  }
  // A flag that may be given several times.
  template <typename Parse>
  void TakeEach(const char* flag, std::vector<std::string>& values,
                Parse parse) {
    readers_[flag] = [&values, parse](absl::string_view name,
                                      absl::string_view text) {
      ASSIGN_OR_RETURN(std::string value, parse(name, text));
      values.push_back(std::move(value));
      return absl::OkStatus();
    };
    repeatable_.insert(flag);
  }
  template <typename Value>
  void TakeNumber(const char* flag, Value& value, int least, int most) {
    Take(flag, value, [=](absl::string_view name, absl::string_view text) {
      return Number(name, text, least, most);
    });
  }

  absl::Status Read(const std::vector<std::string>& words) {
    bool only_files = false;
    for (size_t i = 0; i < words.size(); ++i) {
      absl::string_view word = words[i];
      if (only_files || !absl::StartsWith(word, "--")) {
        files_.emplace_back(word);
        continue;
      }
      word.remove_prefix(2);
      if (word.empty()) {
        only_files = true;
        continue;
      }
      const size_t equals = word.find('=');
      const std::string flag(word.substr(0, equals));
      const bool has_value = equals != absl::string_view::npos;
      if (const auto found = switches_.find(flag); found != switches_.end()) {
        if (has_value) return Bad(flag, "takes no value");
        *found->second = true;
        continue;
      }
      const auto found = readers_.find(flag);
      if (found == readers_.end()) {
        return Bad(flag, "is no flag of this program");
      }
      if (!given_.insert(flag).second && repeatable_.count(flag) == 0) {
        return Bad(flag, "is given twice");
      }
      if (!has_value && i + 1 == words.size())
        return Bad(flag, "needs a value");
      RETURN_IF_ERROR(found->second(
          flag, has_value ? word.substr(equals + 1) : words[++i]));
    }
    return absl::OkStatus();
  }

  absl::Status CheckComplete() const {
    for (const char* flag : {"gateway", "cert", "key", "ca", "camera"}) {
      if (given_.count(flag) == 0) return Bad(flag, "is missing");
    }
    if (files_.empty()) {
      return absl::InvalidArgumentError("name at least one FILE");
    }
    for (const char* flag : {"recording", "duration"}) {
      if (given_.count(flag) > 0 && files_.size() != 1) {
        return Bad(flag, "goes with one FILE only");
      }
    }
    return absl::OkStatus();
  }

  absl::Status NameRecordings() {
    std::map<std::string, std::string> files_by_id;
    for (const std::string& file : files_) {
      const std::string id = recording_.value_or(RecordingIdOf(file));
      auto name = RecordingName::Parse(camera_, id);
      if (!name.ok()) {
        return absl::InvalidArgumentError(
            absl::StrCat(file, ": ", name.status().message()));
      }
      const auto [other, fresh] = files_by_id.emplace(id, file);
      if (!fresh && other->second == file) {
        return absl::InvalidArgumentError(
            absl::StrCat(file, " is named twice"));
      }
      if (!fresh) {
        return absl::InvalidArgumentError(
            absl::StrCat(other->second, " and ", file, " would both be named ",
                         id, "; upload them one by one with --recording"));
      }
      arguments_.recordings.push_back({file, *std::move(name)});
    }
    return absl::OkStatus();
  }

  Arguments arguments_;
  std::string camera_;
  std::optional<std::string> recording_;
  std::optional<int> connections_;
  int chunk_kib_ = 1024;
  std::vector<std::string> files_;
  std::map<std::string, Reader> readers_;
  std::map<std::string, bool*> switches_;
  std::set<std::string> given_, repeatable_;
};

}  // namespace

absl::StatusOr<Arguments> ParseArguments(
    const std::vector<std::string>& words) {
  return Parser().Parse(words);
}

}  // namespace schleuse::client
