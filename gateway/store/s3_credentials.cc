#include "gateway/store/s3_credentials.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/log.h"
#include "base/status.h"

namespace schleuse {
namespace {

constexpr uint64_t kFileBytesMax = 4096;
constexpr absl::Duration kLookEvery = absl::Seconds(1);

}  // namespace

absl::StatusOr<S3Key> S3Key::Parse(absl::string_view text) {
  S3Key key;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line[0] == '#') continue;
    std::string* into = nullptr;
    if (absl::ConsumePrefix(&line, "access_key=")) into = &key.access_key;
    if (absl::ConsumePrefix(&line, "secret_key=")) into = &key.secret_key;
    const auto wrong = [number](absl::string_view what) {
      return absl::InvalidArgumentError(
          absl::StrCat("line ", number, " ", what));
    };
    if (into == nullptr) {
      return wrong("is neither access_key=... nor secret_key=...");
    }
    if (!into->empty()) return wrong("names a key a second time");
    // A colon would end the access key, and a line break a header.
    const bool plain = std::all_of(line.begin(), line.end(), [](char c) {
      return absl::ascii_isgraph(c) && c != ':';
    });
    if (line.empty() || !plain) return wrong("holds no key");
    *into = std::string(line);
  }
  if (key.access_key.empty() || key.secret_key.empty()) {
    return absl::InvalidArgumentError(
        "access_key=... and secret_key=... are both needed");
  }
  return key;
}

absl::StatusOr<std::unique_ptr<S3Credentials>> S3Credentials::Open(
    const Disk& disk, absl::string_view path, const Clock& clock) {
  auto credentials =
      std::unique_ptr<S3Credentials>(new S3Credentials(disk, path, clock));
  ASSIGN_OR_RETURN(S3Key key, credentials->Read());
  MutexLock lock(credentials->mutex_);
  credentials->key_ = std::move(key);
  credentials->looked_ = clock.Now();
  return credentials;
}

absl::StatusOr<S3Key> S3Credentials::Read() const {
  ASSIGN_OR_RETURN(const FileInfo info, disk_.Stat(path_));
  if (info.others_may_read) {
    return absl::FailedPreconditionError(
        absl::StrCat(path_, " can be read by others: chmod 0400 it"));
  }
  ASSIGN_OR_RETURN(const std::string text,
                   ReadFile(disk_, path_, kFileBytesMax));
  absl::StatusOr<S3Key> key = S3Key::Parse(text);
  if (!key.ok()) return Annotate(key.status(), path_);
  return key;
}

S3Key S3Credentials::Current() {
  MutexLock lock(mutex_);
  const absl::Time now = clock_.Now();
  if (now >= looked_ && now < looked_ + kLookEvery) return key_;
  looked_ = now;
  absl::StatusOr<S3Key> read = Read();
  if (!read.ok()) {
    if (!std::exchange(complained_, true)) {
      Log(Severity::kAlarm, "the object store's new key cannot be used",
          {{"reason", read.status().message()},
           {"what_now", "the key before it stays in force"}});
    }
    return key_;
  }
  complained_ = false;
  if (*read != key_) Log(Severity::kInfo, "the object store's key was renewed");
  key_ = *std::move(read);
  return key_;
}

}  // namespace schleuse
