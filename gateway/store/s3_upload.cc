#include "gateway/store/s3_upload.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/status.h"
#include "gateway/store/s3_names.h"

namespace schleuse {
namespace {

// An object may have 10,000 parts: they double every so many, so that 8 TiB fit
// at 8 MiB a part. No part may be larger than 5 GiB.
constexpr int kPartsOfASize = 1000;
constexpr uint64_t kPartBytesMost = uint64_t{5} << 30;
// A part that fails is tried so often before the whole waits.
constexpr int kPartFailuresMax = 3;
constexpr absl::Duration kRetryFirst = absl::Milliseconds(200);
constexpr absl::Duration kRetryMost = absl::Minutes(1);

absl::StatusOr<Digest> HashOf(S3Bucket& bucket, absl::string_view key) {
  Sha256 hash;
  RETURN_IF_ERROR(bucket.Get(key, [&hash](absl::string_view piece) {
    hash.Update(piece);
    return absl::OkStatus();
  }));
  return hash.Current();
}

// Asked again it would be refused again; another multipart upload might not.
bool UploadIsSpoilt(const absl::Status& why) {
  return absl::IsNotFound(why) || absl::IsFailedPrecondition(why);
}

}  // namespace

S3Transfer::S3Transfer(std::shared_ptr<S3Inside> inside, StoreSource source)
    : shared_(std::move(inside)),
      source_(std::move(source)),
      key_(s3::KeyOf(source_.name, source_.transfer_id)),
      order_({source_.urgency, source_.since}) {}

// --- from whoever brings the recording ---------------------------------------

void S3Transfer::Offer(uint64_t durable_offset) {
  {
    MutexLock lock(mutex_);
    offered_ = std::max(offered_, durable_offset);
    Pump();
  }
  MakeCalls();
}

absl::StatusOr<std::optional<Bundle>> S3Transfer::Commit(uint64_t size,
                                                         const Digest& sha256) {
  std::optional<absl::StatusOr<Bundle>> result;
  {
    MutexLock lock(mutex_);
    result = std::exchange(result_, std::nullopt);
    if (result && result->ok()) {
      if (std::exchange(made_, false)) inside_.book.SetUnproved(key_);
      GiveBackKey();
    } else if (!result && !wanted_) {
      wanted_ = Wanted{size, sha256};
      offered_ = std::max(offered_, size);
      stuck_ = absl::OkStatus();
      if (size < next_offset_) BeginAnew();
      Pump();
    }
  }
  MakeCalls();
  if (!result) return std::nullopt;
  RETURN_IF_ERROR(result->status());
  return **std::move(result);
}

void S3Transfer::WhenReady(absl::AnyInvocable<void()> ready) {
  {
    MutexLock lock(mutex_);
    (result_ || !wanted_ ? call_ : ready_).push_back(std::move(ready));
  }
  MakeCalls();
}

void S3Transfer::Abandon() {
  {
    MutexLock lock(mutex_);
    wanted_.reset();
    result_.reset();
    for (auto& ready : ready_) call_.push_back(std::move(ready));
    ready_.clear();
    offered_ = 0;
    abandoned_ = true;
    Pump();
  }
  MakeCalls();
}

void S3Transfer::MakeCalls() {
  std::vector<absl::AnyInvocable<void()>> calls;
  {
    MutexLock lock(mutex_);
    calls.swap(call_);
  }
  for (auto& call : calls) call();
}

// --- what can be done now ----------------------------------------------------

void S3Transfer::Pump() {
  if (abandoned_) {
    if (jobs_ == 0) CleanUp();
    return;
  }
  if (!HasWork()) return;
  if (!stuck_.ok()) {
    if (wanted_ && jobs_ == 0) {
      End(std::exchange(stuck_, absl::OkStatus()));
    }
    return;
  }
  if (!owns_key_) {
    if (std::exchange(wants_key_, true)) return;
    call_.push_back([self = shared_from_this()] {
      self->inside_.book.Acquire(self->key_, [self] {
        {
          MutexLock lock(self->mutex_);
          self->wants_key_ = false;
          self->owns_key_ = true;
          // Given up while it waited: others wait too.
          if (!self->HasWork()) self->GiveBackKey();
          self->Pump();
        }
        self->MakeCalls();
      });
    });
    return;
  }
  if (finishing_ || beginning_) return;
  if (IsMultipart() && !made_) {
    if (upload_.empty()) {
      beginning_ = true;
      return PostJob(&S3Transfer::RunBegin);
    }
    PumpParts();
    if (!HasAllParts()) return;
  }
  if (!wanted_) return;
  finishing_ = true;
  PostJob(&S3Transfer::RunFinish);
}

void S3Transfer::PumpParts() {
  const uint64_t end = wanted_ ? wanted_->size : offered_;
  while (parts_running_ < inside_.options.parts_at_once) {
    Part part;
    if (!again_.empty()) {
      part = again_.back();
      again_.pop_back();
    } else {
      const uint64_t whole = PartBytes(next_number_);
      const uint64_t left = end > next_offset_ ? end - next_offset_ : 0;
      // Only the last may be smaller.
      if (left == 0 || (!wanted_ && left < whole)) return;
      part = {.upload = upload_,
              .number = next_number_++,
              .offset = next_offset_,
              .length = std::min(left, whole)};
      next_offset_ += part.length;
    }
    ++parts_running_;
    PostPart(part);
  }
}

void S3Transfer::PostJob(Job job) {
  ++jobs_;
  inside_.connections->Post(order_,
                            [self = shared_from_this(), job](S3Bucket& bucket) {
                              ((*self).*job)(bucket);
                              self->MakeCalls();
                            });
}

void S3Transfer::PostPart(const Part& part) {
  ++jobs_;
  auto job = [self = shared_from_this(), part](S3Bucket& bucket) {
    self->RunPart(bucket, part);
    self->MakeCalls();
  };
  if (part.failures == 0) {
    inside_.connections->Post(order_, std::move(job));
  } else {
    inside_.connections->PostAfter(Jitter(part.failures), order_,
                                   std::move(job));
  }
}

uint64_t S3Transfer::PartBytes(int number) const {
  const int doubled = std::min((number - 1) / kPartsOfASize, 9);
  return std::min(inside_.options.part_bytes << doubled, kPartBytesMost);
}

bool S3Transfer::HasWork() const {
  return wanted_ || offered_ >= inside_.options.part_bytes;
}

bool S3Transfer::IsMultipart() const {
  if (!upload_.empty()) return true;
  return !wanted_ || wanted_->size > inside_.options.part_bytes;
}

bool S3Transfer::HasAllParts() const {
  return wanted_ && next_offset_ == wanted_->size && parts_running_ == 0 &&
         again_.empty();
}

absl::Duration S3Transfer::Jitter(int failures) const {
  const double growth = std::pow(2.0, std::min(failures, 16));
  return std::min(kRetryMost, growth * kRetryFirst) *
         inside_.random.NextFraction();
}

// What was uploaded counts no more. The jobs of before find another upload.
void S3Transfer::BeginAnew() {
  if (!upload_.empty()) {
    inside_.connections->Post(order_,
                              [key = key_, upload = upload_](S3Bucket& bucket) {
                                // Else the next start finds it.
                                bucket.AbortUpload(key, upload).IgnoreError();
                              });
  }
  upload_.clear();
  next_offset_ = 0;
  next_number_ = 1;
  parts_running_ = 0;
  parts_.clear();
  again_.clear();
}

void S3Transfer::End(absl::StatusOr<Bundle> result) {
  result_ = std::move(result);
  wanted_.reset();
  for (auto& ready : ready_) call_.push_back(std::move(ready));
  ready_.clear();
}

void S3Transfer::GiveBackKey() {
  if (!std::exchange(owns_key_, false)) return;
  call_.push_back(
      [self = shared_from_this()] { self->inside_.book.GiveBack(self->key_); });
}

// Whoever commits is told so; while it only arrives it goes on by itself.
void S3Transfer::GetStuck(const absl::Status& why) {
  if (!stuck_.ok()) return;
  stuck_ = why;
  if (wanted_) return;
  inside_.connections->PostAfter(Jitter(++stuck_times_), order_,
                                 [self = shared_from_this()](S3Bucket&) {
                                   {
                                     MutexLock lock(self->mutex_);
                                     self->stuck_ = absl::OkStatus();
                                     self->Pump();
                                   }
                                   self->MakeCalls();
                                 });
}

void S3Transfer::CleanUp() {
  if (!upload_.empty() || made_) return PostJob(&S3Transfer::RunCleanUp);
  abandoned_ = false;
  stuck_ = absl::OkStatus();
  BeginAnew();
  GiveBackKey();
  Pump();  // somebody commits once more
}

// --- jobs --------------------------------------------------------------------

absl::Status S3Transfer::AbortOthers(S3Bucket& bucket) {
  ASSIGN_OR_RETURN(const S3OpenUploads open, bucket.ListUploads(key_, {}));
  for (const S3OpenUpload& other : open.uploads) {
    if (other.key != key_) continue;
    RETURN_IF_ERROR(bucket.AbortUpload(key_, other.id));
  }
  return absl::OkStatus();
}

void S3Transfer::RunBegin(S3Bucket& bucket) {
  const absl::StatusOr<std::string> upload =
      [&]() -> absl::StatusOr<std::string> {
    // Those of a process that did not come to its end.
    RETURN_IF_ERROR(AbortOthers(bucket));
    return bucket.BeginUpload(key_);
  }();
  MutexLock lock(mutex_);
  --jobs_;
  beginning_ = false;
  if (upload.ok()) {
    stuck_times_ = 0;
    upload_ = *upload;
  } else {
    GetStuck(upload.status());
  }
  Pump();
}

absl::StatusOr<RequestBody> S3Transfer::BodyOf(uint64_t offset,
                                               uint64_t length) const {
  ASSIGN_OR_RETURN(std::unique_ptr<File> opened,
                   inside_.disk.OpenForReading(source_.path));
  std::shared_ptr<File> file = std::move(opened);
  return RequestBody{
      .bytes = length,
      .read = [file, offset](uint64_t at, absl::Span<char> into) {
        return file->ReadInto(offset + at, into);
      }};
}

void S3Transfer::RunPart(S3Bucket& bucket, const Part& part) {
  const absl::StatusOr<std::string> etag =
      [&]() -> absl::StatusOr<std::string> {
    ASSIGN_OR_RETURN(const RequestBody body, BodyOf(part.offset, part.length));
    return bucket.PutPart(key_, part.upload, part.number, body);
  }();
  MutexLock lock(mutex_);
  --jobs_;
  if (part.upload != upload_) return Pump();  // given up meanwhile
  --parts_running_;
  const absl::Status& status = etag.status();
  if (status.ok()) {
    stuck_times_ = 0;
    parts_.push_back({part.number, *etag});
  } else if (UploadIsSpoilt(status)) {
    BeginAnew();
    GetStuck(absl::UnavailableError(status.message()));
  } else {
    Part again = part;
    const bool at_once = absl::IsUnavailable(status) && !abandoned_ &&
                         ++again.failures < kPartFailuresMax &&
                         inside_.health.Check().ok();
    if (at_once) {
      ++parts_running_;
      PostPart(again);
    } else {
      again.failures = 0;
      again_.push_back(again);
      GetStuck(status);
    }
  }
  Pump();
}

void S3Transfer::RunFinish(S3Bucket& bucket) {
  std::optional<Wanted> wanted;
  {
    MutexLock lock(mutex_);
    wanted = wanted_;
  }
  absl::StatusOr<Bundle> bundle = absl::CancelledError("given up");
  if (wanted) bundle = Finish(bucket, *wanted);
  MutexLock lock(mutex_);
  --jobs_;
  finishing_ = false;
  if (!abandoned_) {
    if (bundle.ok() && bundle->location != key_) BeginAnew();
    if (absl::IsFailedPrecondition(bundle.status())) BeginAnew();
    End(std::move(bundle));
  }
  Pump();
}

void S3Transfer::RunCleanUp(S3Bucket& bucket) {
  std::string upload;
  bool made;
  S3Version version;
  {
    MutexLock lock(mutex_);
    upload = std::exchange(upload_, "");
    made = std::exchange(made_, false);
    version = version_;
  }
  absl::Status gone = absl::OkStatus();
  if (!upload.empty()) gone = bucket.AbortUpload(key_, upload);
  if (made) gone.Update(bucket.Delete(key_, version));
  if (!gone.ok()) {
    Log(Severity::kWarning, "store: what was begun cannot be removed now",
        {{"key", key_},
         {"reason", gone.message()},
         {"what_now", "it is found and removed later"}});
  }
  MutexLock lock(mutex_);
  --jobs_;
  CleanUp();
}

// --- the commit --------------------------------------------------------------

absl::StatusOr<Bundle> S3Transfer::Finish(S3Bucket& bucket,
                                          const Wanted& wanted) {
  ASSIGN_OR_RETURN(std::optional<Bundle> bundle, LookAround(bucket, wanted));
  if (!bundle) {
    if (!IsMade()) RETURN_IF_ERROR(Store(bucket, wanted));
    RETURN_IF_ERROR(Verify(bucket, wanted));
    // Another gateway may have stored others meanwhile: ours are taken back,
    // and the spool keeps them.
    RETURN_IF_ERROR(LookAround(bucket, wanted).status());
    bundle = Bundle{.location = key_, .size = wanted.size};
  }
  if (inside_.options.lock) {
    RETURN_IF_ERROR(
        bucket.Retain(bundle->location, inside_.options.lock->mode,
                      inside_.clock.Now() + inside_.options.lock->span));
  }
  return *bundle;
}

bool S3Transfer::IsMade() {
  MutexLock lock(mutex_);
  return made_;
}

absl::StatusOr<std::optional<Bundle>> S3Transfer::LookAround(
    S3Bucket& bucket, const Wanted& wanted) {
  ASSIGN_OR_RETURN(const S3Listing listing,
                   bucket.ListAll(s3::PrefixOf(source_.name)));
  std::optional<Bundle> ours;
  for (const S3Object& object : listing.objects) {
    const std::optional<s3::Named> named = s3::Read(object.key);
    if (!named) continue;
    if (object.key == key_ && IsMade()) continue;  // Verify looks at it
    // One of ours that is about to go is not there, and one that is told of
    // does not go.
    if (object.key != key_ && named->id.IsOf(inside_.tag) &&
        !inside_.book.Tell(object.key, inside_.clock.Now())) {
      continue;
    }
    bool same = object.size == wanted.size;
    if (same) {
      const absl::StatusOr<Digest> hash = HashOf(bucket, object.key);
      if (absl::IsNotFound(hash.status())) continue;  // gone meanwhile
      RETURN_IF_ERROR(hash.status());
      same = *hash == wanted.sha256;
    }
    const bool is_ours = named->id.IsOf(inside_.tag);
    if (same) {
      // What another gateway stored might be taken back by it.
      if (is_ours && !ours) {
        ours = Bundle{.location = object.key, .size = object.size};
      }
      continue;
    }
    // Of this transfer and of other bytes: an attempt that nobody vouched for.
    const bool stated = std::any_of(
        listing.objects.begin(), listing.objects.end(),
        [&](const S3Object& other) {
          return other.key == absl::StrCat(object.key, s3::kStatement);
        });
    if (object.key == key_ && !stated) {
      ASSIGN_OR_RETURN(const S3Bucket::Seen seen, bucket.Look(key_));
      RETURN_IF_ERROR(bucket.Delete(key_, seen.version));
      continue;
    }
    return absl::AlreadyExistsError(
        absl::StrCat("other bytes are stored at ", object.key));
  }
  return ours;
}

absl::Status S3Transfer::Store(S3Bucket& bucket, const Wanted& wanted) {
  std::string upload;
  std::vector<S3Part> parts;
  {
    MutexLock lock(mutex_);
    upload = upload_;
    parts = parts_;
  }
  absl::StatusOr<S3Version> version;
  Failpoint("store.s3_putting");
  if (upload.empty()) {
    ASSIGN_OR_RETURN(const RequestBody body, BodyOf(0, wanted.size));
    version = bucket.Put(key_, body, /*is_footage=*/true);
  } else {
    std::sort(parts.begin(), parts.end(), [](const S3Part& a, const S3Part& b) {
      return a.number < b.number;
    });
    version = bucket.CompleteUpload(key_, upload, parts);
    if (absl::IsNotFound(version.status())) {
      // It was, and the answer was lost; else begin anew.
      const absl::StatusOr<S3Bucket::Seen> seen = bucket.Look(key_);
      if (absl::IsNotFound(seen.status())) {
        return absl::FailedPreconditionError(version.status().message());
      }
      RETURN_IF_ERROR(seen.status());
      version = seen->version;
    }
  }
  RETURN_IF_ERROR(version.status());
  Failpoint("store.s3_put");
  MutexLock lock(mutex_);
  upload_.clear();
  parts_.clear();
  next_offset_ = 0;
  next_number_ = 1;
  made_ = true;
  version_ = *version;
  return absl::OkStatus();
}

absl::Status S3Transfer::Verify(S3Bucket& bucket, const Wanted& wanted) {
  const absl::StatusOr<Digest> hash = HashOf(bucket, key_);
  if (absl::IsNotFound(hash.status())) {
    return absl::UnavailableError(
        absl::StrCat(key_, " is not there, although it was stored"));
  }
  RETURN_IF_ERROR(hash.status());
  if (*hash == wanted.sha256) return absl::OkStatus();
  S3Version version;
  {
    MutexLock lock(mutex_);
    version = version_;
  }
  const absl::Status deleted = bucket.Delete(key_, version);
  MutexLock lock(mutex_);
  made_ = !deleted.ok();
  return absl::DataLossError(
      absl::StrCat(key_, " does not read back as it was written"));
}

}  // namespace schleuse
