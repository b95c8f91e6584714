#include "gateway/store/s3_store.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/log.h"
#include "base/status.h"
#include "gateway/store/newest_receipt.h"
#include "gateway/store/s3_names.h"

namespace schleuse {
namespace {

constexpr uint64_t kProofBytesMax = 128 << 10;
constexpr size_t kTagDigits = 12;
// Between looks at a store that is away: doubling, with full jitter.
constexpr absl::Duration kLookEvery = absl::Milliseconds(500);
constexpr absl::Duration kLookMost = absl::Seconds(2);
constexpr absl::Duration kCleanUpEvery = absl::Hours(24);
constexpr absl::Duration kCleanUpAgain = absl::Minutes(1);
// Of requests that somebody waits for.
constexpr absl::Duration kAnswerWithin = absl::Seconds(10);

constexpr absl::string_view kMarkerText = "schleuse-marker 1\nroom store\n";

class StoredObject final : public StoredBytes {
 public:
  StoredObject(S3Connections& connections, std::string key)
      : connections_(connections), key_(std::move(key)) {}
  absl::StatusOr<std::string> Read(uint64_t offset,
                                   uint64_t length) const override {
    if (length == 0) return std::string();
    ASSIGN_OR_RETURN(const auto bucket, connections_.Take());
    return (*bucket)->GetRange(key_, offset, length);
  }

 private:
  S3Connections& connections_;
  const std::string key_;
};

// Counts those who hold it; whoever waits goes on when nobody does.
class Gathering {
 public:
  class Hold {
   public:
    explicit Hold(Gathering& of) : of_(of) {
      MutexLock lock(of_.mutex_);
      ++of_.holds_;
    }
    ~Hold() {
      MutexLock lock(of_.mutex_);
      if (--of_.holds_ == 0) of_.free_.NotifyAll();
    }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

   private:
    Gathering& of_;
  };

  void Wait() {
    MutexLock lock(mutex_);
    while (holds_ > 0) free_.Wait(mutex_);
  }

 private:
  Mutex mutex_;
  CondVar free_;
  int holds_ ABSL_GUARDED_BY(mutex_) = 0;
};

// What lies there; nothing if there is no such object.
absl::StatusOr<std::optional<std::string>> GetIfThere(S3Bucket& bucket,
                                                      absl::string_view key) {
  absl::StatusOr<std::string> held = bucket.GetWhole(key, kProofBytesMax);
  if (held.ok()) return std::optional<std::string>(*std::move(held));
  if (absl::IsNotFound(held.status())) return std::optional<std::string>();
  return held.status();
}

// Whatever has that key now, and all of it.
absl::Status Remove(S3Bucket& bucket, const std::string& key) {
  const absl::StatusOr<S3Bucket::Seen> seen = bucket.Look(key);
  if (absl::IsNotFound(seen.status())) return absl::OkStatus();
  RETURN_IF_ERROR(seen.status());
  return bucket.Delete(key, seen->version);
}

// Never replaces what is there.
absl::Status PutOnce(S3Bucket& bucket, const std::string& key,
                     const std::string& bytes, bool may_be_there) {
  if (may_be_there) {
    ASSIGN_OR_RETURN(const auto held, GetIfThere(bucket, key));
    if (held && *held == bytes) return absl::OkStatus();
    if (held) {
      return absl::AlreadyExistsError(absl::StrCat(key, " is something else"));
    }
  }
  return bucket.Put(key, RequestBody::Of(bytes)).status();
}

}  // namespace

S3Store::S3Store(const Disk& disk, Egress& egress, const S3Place& place,
                 std::unique_ptr<S3Credentials> credentials,
                 absl::string_view gateway_id, const Clock& clock,
                 Random& random, const S3StoreOptions& options)
    : egress_(egress),
      place_(place),
      credentials_(std::move(credentials)),
      inside_(new S3Inside{.disk = disk,
                           .clock = clock,
                           .random = random,
                           .options = options,
                           .gateway_id = std::string(gateway_id),
                           .tag = TagOf(gateway_id)}) {
  S3Patience short_patience = options.patience;
  short_patience.stall = std::min(short_patience.stall, kAnswerWithin);
  short_patience.small_request =
      std::min(short_patience.small_request, kAnswerWithin);
  inside_->connections = std::make_unique<S3Connections>(
      options.connections,
      [this] { return NewBucket(inside_->options.patience); },
      [this, short_patience] { return NewBucket(short_patience); });
}

std::unique_ptr<S3Bucket> S3Store::NewBucket(const S3Patience& patience) const {
  return std::make_unique<S3Bucket>(egress_, place_, *credentials_,
                                    inside_->health, patience);
}

std::string S3Store::TagOf(absl::string_view gateway_id) {
  return std::string(gateway_id.substr(0, kTagDigits));
}

// --- whether it is the right one ---------------------------------------------

absl::Status S3Store::CheckMarker(S3Bucket& bucket) const {
  const std::string key = s3::OwnKey(inside_->gateway_id, "marker");
  const absl::StatusOr<std::string> marker =
      bucket.GetWhole(key, kProofBytesMax);
  if (absl::IsNotFound(marker.status())) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the bucket ", place_.bucket, " has no ", key,
        ": is it the one that this gateway stored in? A new gateway is set up "
        "by schleuse-gateway init"));
  }
  RETURN_IF_ERROR(marker.status());
  if (*marker == kMarkerText) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(key, " in the bucket ", place_.bucket,
                   " is no marker of this version; was it changed?"));
}

absl::Status S3Store::SetUp() {
  ASSIGN_OR_RETURN(const auto lease, inside_->connections->Take());
  RETURN_IF_ERROR((*lease)
                      ->Put(s3::OwnKey(inside_->gateway_id, "marker"),
                            RequestBody::Of(std::string(kMarkerText)))
                      .status());
  return Check();
}

absl::Status S3Store::Check() {
  ASSIGN_OR_RETURN(const auto lease, inside_->connections->Take());
  S3Bucket* const bucket = lease->operator->();
  RETURN_IF_ERROR(CheckMarker(*bucket));
  if (!inside_->options.lock) return absl::OkStatus();
  ASSIGN_OR_RETURN(const bool locks, bucket->LocksObjects());
  if (locks) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "the bucket ", place_.bucket,
      " was made without Object Lock, which store.s3.object_lock asks for: "
      "make another bucket with it"));
}

absl::Status S3Store::Probe() const {
  RETURN_IF_ERROR(inside_->health.Check());
  ASSIGN_OR_RETURN(const auto lease, inside_->connections->Take());
  const absl::Status found = CheckMarker(*lease->operator->());
  // Not the one that was set up is as bad as none.
  return absl::IsFailedPrecondition(found)
             ? absl::UnavailableError(found.message())
             : found;
}

// --- what goes on by itself --------------------------------------------------

void S3Store::Start(Hooks hooks) {
  hooks_ = std::move(hooks);
  looking_ = NewBucket(inside_->options.patience);
  looking_->AskAnyway();
  watch_ = std::make_unique<ThreadPool>(1);
  watch_->Post([this] { Look(); });
}

void S3Store::Stop() {
  if (watch_ != nullptr) watch_->Stop();
  inside_->connections->Stop();
}

void S3Store::Look() {
  absl::Duration next = kLookEvery;
  if (inside_->health.WantsALook()) {
    const absl::Status found = CheckMarker(*looking_);
    if (absl::IsCancelled(found)) return;  // we stop
    const bool changed = inside_->health.Looked(found);
    looks_failed_ = found.ok() ? 0 : looks_failed_ + 1;
    if (found.ok() && changed) {
      Log(Severity::kInfo, "the store is back",
          {{"store", place_.endpoint.Origin()}});
      hooks_.on_back();
    } else if (!found.ok()) {
      if (changed) {
        Log(Severity::kAlarm, "the store is away",
            {{"store", place_.endpoint.Origin()}, {"reason", found.message()}});
      }
      next = std::max(
          kLookEvery,
          std::min(kLookMost,
                   std::pow(2.0, std::min(looks_failed_, 16)) * kLookEvery) *
              inside_->random.NextFraction());
    }
  } else if (inside_->clock.Now() >= next_cleanup_) {
    const absl::StatusOr<CleanedUp> cleaned = CleanUp(hooks_.is_needed);
    next_cleanup_ =
        inside_->clock.Now() +
        (absl::IsUnavailable(cleaned.status()) ? kCleanUpAgain : kCleanUpEvery);
  }
  watch_->PostAfter(next, [this] { Look(); });
}

absl::StatusOr<S3Store::CleanedUp> S3Store::CleanUp(
    const std::function<bool(const RecordingName&, const TransferId&)>&
        is_needed) {
  CleanedUp cleaned;
  const std::unique_ptr<S3Bucket> bucket = NewBucket(inside_->options.patience);
  absl::Status done = CleanUpUploads(*bucket, cleaned);
  if (done.ok()) done = CleanUpObjects(*bucket, is_needed, cleaned);
  if (cleaned.uploads > 0 || cleaned.objects > 0) {
    Log(Severity::kInfo, "store: leftovers of an earlier process removed",
        {{"uploads", static_cast<uint64_t>(cleaned.uploads)},
         {"objects", static_cast<uint64_t>(cleaned.objects)}});
  }
  if (!done.ok() && !absl::IsCancelled(done)) {
    Log(Severity::kWarning, "store: leftovers cannot be removed now",
        {{"reason", done.message()}, {"what_now", "it is tried again"}});
  }
  RETURN_IF_ERROR(done);
  return cleaned;
}

absl::Status S3Store::CleanUpUploads(S3Bucket& bucket, CleanedUp& cleaned) {
  S3OpenUpload after;
  while (true) {
    ASSIGN_OR_RETURN(const S3OpenUploads open, bucket.ListUploads("", after));
    for (const S3OpenUpload& upload : open.uploads) {
      const std::optional<s3::Named> named = s3::Read(upload.key);
      // Which uploads this process goes on with, it knows by their keys alone.
      if (!named || !named->id.IsOf(inside_->tag)) continue;
      const absl::Time now = inside_->clock.Now();
      if (!inside_->book.BeginRemoval(upload.key, now)) continue;
      const absl::Status aborted = bucket.AbortUpload(upload.key, upload.id);
      inside_->book.Gone(upload.key);  // an upload is told to nobody
      RETURN_IF_ERROR(aborted);
      ++cleaned.uploads;
    }
    if (!open.more) return absl::OkStatus();
    after = open.next;
  }
}

absl::Status S3Store::CleanUpObjects(
    S3Bucket& bucket,
    const std::function<bool(const RecordingName&, const TransferId&)>&
        is_needed,
    CleanedUp& cleaned) {
  std::string after;
  absl::Status kept;             // of the first that cannot be removed
  std::optional<S3Object> last;  // whose statement may come behind it
  while (true) {
    ASSIGN_OR_RETURN(const S3Listing listing, bucket.List("", after));
    std::vector<std::string> unstated;
    const auto end_last = [&] {
      if (last) unstated.push_back(last->key);
      last.reset();
    };
    for (const S3Object& object : listing.objects) {
      // In the order of keys an object's statement lies behind it, and nothing
      // but its other companions between the two.
      if (last && absl::StartsWith(object.key, last->key)) {
        if (object.key == absl::StrCat(last->key, s3::kStatement)) last.reset();
        continue;
      }
      end_last();
      const std::optional<s3::Named> named = s3::Read(object.key);
      if (named && named->id.IsOf(inside_->tag)) last = object;
    }
    if (!listing.more) end_last();
    for (const std::string& key : unstated) {
      const std::optional<s3::Named> named = s3::Read(key);
      if (is_needed(named->name, named->id)) continue;
      if (!inside_->book.BeginRemoval(key, inside_->clock.Now())) continue;
      // Looked at once more: it may have been stated since it was listed.
      const auto stated = GetIfThere(bucket, absl::StrCat(key, s3::kStatement));
      absl::Status gone = stated.status();
      if (stated.ok() && !*stated && !is_needed(named->name, named->id)) {
        gone = Remove(bucket, key);
        cleaned.objects += gone.ok();
      }
      // Without an answer it may go yet.
      if (absl::IsUnavailable(gone) || absl::IsCancelled(gone)) return gone;
      inside_->book.Gone(key);
      // Locked, perhaps: it keeps no other.
      kept.Update(gone);
    }
    if (!listing.more) return kept;
    after = listing.objects.back().key;
  }
}

// --- recordings --------------------------------------------------------------

absl::StatusOr<std::unique_ptr<StoreUpload>> S3Store::Open(
    const StoreSource& source) {
  return std::make_unique<S3Upload>(inside_, source);
}

std::string S3Store::TargetOf(const StoreSource& source) const {
  return s3::KeyOf(source.name, source.transfer_id);
}

absl::StatusOr<std::vector<Bundle>> S3Store::Find(
    const RecordingName& name) const {
  ASSIGN_OR_RETURN(const auto lease, inside_->connections->Take());
  ASSIGN_OR_RETURN(const S3Listing listing,
                   (*lease)->ListAll(s3::PrefixOf(name)));
  std::vector<Bundle> stated, others;
  for (const S3Object& object : listing.objects) {
    const std::optional<s3::Named> named = s3::Read(object.key);
    if (!named || !named->id.IsOf(inside_->tag)) continue;
    const std::string statement = absl::StrCat(object.key, s3::kStatement);
    const bool is_stated = std::any_of(
        listing.objects.begin(), listing.objects.end(),
        [&](const S3Object& other) { return other.key == statement; });
    if (!is_stated && !inside_->book.Tell(object.key, inside_->clock.Now())) {
      continue;
    }
    (is_stated ? stated : others)
        .push_back({.location = object.key, .size = object.size});
  }
  // What a receipt speaks of comes first.
  stated.insert(stated.end(), others.begin(), others.end());
  return stated;
}

absl::StatusOr<std::unique_ptr<StoredBytes>> S3Store::Read(
    const Bundle& bundle) const {
  RETURN_IF_ERROR(inside_->health.Check());
  return std::make_unique<StoredObject>(*inside_->connections, bundle.location);
}

absl::Status S3Store::Keep(const Bundle& bundle) {
  ASSIGN_OR_RETURN(const auto lease, inside_->connections->Take());
  // What the store answers for is durable.
  return (*lease)->Look(bundle.location).status();
}

absl::StatusOr<std::optional<Proof>> S3Store::FindProof(
    const RecordingName& name) const {
  std::string stated;
  {
    ASSIGN_OR_RETURN(const auto lease, inside_->connections->Take());
    ASSIGN_OR_RETURN(const S3Listing listing,
                     (*lease)->ListAll(s3::PrefixOf(name)));
    for (const S3Object& object : listing.objects) {
      absl::string_view key = object.key;
      if (!absl::ConsumeSuffix(&key, s3::kStatement)) continue;
      const std::optional<s3::Named> named = s3::Read(key);
      if (named && named->id.IsOf(inside_->tag)) stated = std::string(key);
    }
  }
  if (stated.empty()) return std::optional<Proof>();
  return ReadProof({.location = stated, .size = 0});
}

absl::StatusOr<StorePage> S3Store::List(const std::string& after) const {
  ASSIGN_OR_RETURN(const auto lease, inside_->connections->Take());
  ASSIGN_OR_RETURN(const S3Listing listing, (*lease)->List("", after));
  StorePage page;
  for (const S3Object& object : listing.objects) {
    // Also by its statement alone, where the object itself is gone.
    absl::string_view key = object.key;
    absl::ConsumeSuffix(&key, s3::kStatement);
    const std::optional<s3::Named> named = s3::Read(key);
    if (!named || !named->id.IsOf(inside_->tag)) continue;
    if (!page.names.empty() && page.names.back() == named->name) continue;
    page.names.push_back(named->name);
  }
  if (!listing.more) return page;
  page.next = listing.objects.back().key;
  // The next page need not name once more what has objects on both.
  if (!page.names.empty() &&
      absl::StartsWith(page.next, s3::PrefixOf(page.names.back()))) {
    page.next = Behind(page.names.back());
  }
  return page;
}

std::string S3Store::Behind(const RecordingName& name) const {
  return s3::BehindAllOf(name);
}

absl::Status S3Store::Delete(const Bundle&, const Proof&) {
  return absl::UnimplementedError("the object store deletes by its own rules");
}

absl::StatusOr<std::optional<DeletedBundle>> S3Store::FindDeleted(
    const RecordingName&) const {
  return std::nullopt;
}

std::string S3Store::StatedLocation(const Bundle& bundle) const {
  return bundle.location;
}

// --- what proves them --------------------------------------------------------

std::vector<absl::Status> S3Store::LayEach(absl::Span<const Laying> layings,
                                           Lay1 lay) {
  std::vector<absl::Status> results(
      layings.size(), absl::CancelledError("the gateway is stopping"));
  Gathering gathering;
  for (size_t i = 0; i < layings.size(); ++i) {
    // Small, and the spool keeps what it has until then: before all footage.
    inside_->connections->Post(
        {.urgency = -1},
        [this, lay, laying = &layings[i], result = &results[i],
         hold = std::make_unique<Gathering::Hold>(gathering)](
            S3Bucket& bucket) { *result = (this->*lay)(bucket, *laying); });
  }
  gathering.Wait();
  return results;
}

std::vector<absl::Status> S3Store::Lay(absl::Span<const Laying> layings) {
  KeepNewest(layings);
  return LayEach(layings, &S3Store::LayOne);
}

std::vector<absl::Status> S3Store::LayWitnessed(
    absl::Span<const Laying> layings) {
  return LayEach(layings, &S3Store::LayWitnessedOne);
}

absl::Status S3Store::LayOne(S3Bucket& bucket, const Laying& laying) {
  const std::string& key = laying.bundle.location;
  const bool may_be_there = !inside_->book.IsUnproved(key);
  // The statement comes last: an object that has one is complete.
  RETURN_IF_ERROR(PutOnce(bucket, absl::StrCat(key, s3::kReceipt),
                          laying.proof.receipt, may_be_there));
  RETURN_IF_ERROR(PutOnce(bucket, absl::StrCat(key, s3::kStatement),
                          laying.proof.statement, may_be_there));
  inside_->book.ForgetUnproved(key);
  return absl::OkStatus();
}

absl::Status S3Store::LayWitnessedOne(S3Bucket& bucket, const Laying& laying) {
  const std::string& key = laying.bundle.location;
  RETURN_IF_ERROR(bucket.Look(key).status());
  const std::string statement = absl::StrCat(key, s3::kStatement);
  ASSIGN_OR_RETURN(const auto stated, GetIfThere(bucket, statement));
  if (!stated) {
    return absl::UnavailableError(absl::StrCat(statement, " is not there yet"));
  }
  if (*stated != laying.proof.statement) {
    return absl::AlreadyExistsError(
        absl::StrCat(statement, " is another statement"));
  }
  const std::string witnessed = absl::StrCat(key, s3::kWitnessed);
  ASSIGN_OR_RETURN(const auto held, GetIfThere(bucket, witnessed));
  if (held) return absl::OkStatus();
  return bucket.Put(witnessed, RequestBody::Of(laying.proof.receipt)).status();
}

std::string S3Store::NewestKey() const {
  return s3::OwnKey(inside_->gateway_id, "newest-receipt.tlog-proof");
}

// It only says how far the log had come: an older one says less, and does no
// harm.
void S3Store::KeepNewest(absl::Span<const Laying> layings) {
  const auto complain = [](const absl::Status& why) {
    Log(Severity::kWarning, "store: the newest receipt is not kept aside",
        {{"reason", why.message()}});
  };
  MutexLock lock(newest_mutex_);
  if (!newest_) {
    const auto kept = NewestReceipt();
    if (!kept.ok()) return complain(kept.status());
    newest_ = *kept;
  }
  const std::string* const newest = NewestReceiptOf(layings, newest_);
  if (newest == nullptr) return;
  const auto lease = inside_->connections->Take();
  if (!lease.ok()) return complain(lease.status());
  S3Bucket* const bucket = (*lease)->operator->();
  const auto version = bucket->Put(NewestKey(), RequestBody::Of(*newest));
  if (!version.ok()) return complain(version.status());
  newest_ = *newest;
  // A store that keeps versions would keep them all.
  const S3Version before = std::exchange(newest_version_, *version);
  if (!before.empty()) bucket->Delete(NewestKey(), before).IgnoreError();
}

absl::StatusOr<std::optional<std::string>> S3Store::NewestReceipt() const {
  ASSIGN_OR_RETURN(const auto lease, inside_->connections->Take());
  return GetIfThere(*lease->operator->(), NewestKey());
}

absl::StatusOr<std::optional<Proof>> S3Store::ReadProof(
    const Bundle& bundle) const {
  const std::string& key = bundle.location;
  if (inside_->book.IsUnproved(key)) return std::optional<Proof>();
  ASSIGN_OR_RETURN(const auto lease, inside_->connections->Take());
  S3Bucket& bucket = *lease->operator->();
  ASSIGN_OR_RETURN(auto statement,
                   GetIfThere(bucket, absl::StrCat(key, s3::kStatement)));
  if (!statement) return std::optional<Proof>();
  ASSIGN_OR_RETURN(auto receipt,
                   GetIfThere(bucket, absl::StrCat(key, s3::kReceipt)));
  if (!receipt) return std::optional<Proof>();
  return Proof{.statement = *std::move(statement),
               .receipt = *std::move(receipt)};
}

}  // namespace schleuse
