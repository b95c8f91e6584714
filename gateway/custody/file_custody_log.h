// The custody log on a disk. For the files of this room alone; others see
// custody_log.h.
#ifndef SCHLEUSE_GATEWAY_CUSTODY_FILE_CUSTODY_LOG_H_
#define SCHLEUSE_GATEWAY_CUSTODY_FILE_CUSTODY_LOG_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"
#include "evidence/right_edge.h"
#include "gateway/custody/custody_log.h"
#include "gateway/custody/log_files.h"
#include "gateway/custody/wal.h"

namespace schleuse {

class FileCustodyLog final
    : public CustodyLog,
      public std::enable_shared_from_this<FileCustodyLog> {
 public:
  FileCustodyLog(Disk& disk, absl::string_view directory,
                 const CustodyKeys& keys, Executor& executor,
                 const Clock& clock, Random& random, CustodyOptions options);

  // recovery.cc: reads, checks, makes durable anew, publishes. Before all else.
  absl::Status Recover(const std::vector<KnownTree>& known);

  // new_origin.cc: instead of Recover.
  absl::StatusOr<Origin> BeginAnew(const std::vector<KnownTree>& known,
                                   absl::string_view reason);

  void Append(statement::Event event, Importance importance,
              Done done) override;
  std::vector<RecordingName> Unlaid() const override;
  absl::StatusOr<std::optional<Logged>> FindStored(
      const RecordingName& name) const override;
  void Laid(const RecordingName& name) override;
  std::string checkpoint() const override;
  void Flush(absl::AnyInvocable<void()> done) override;

 private:
  struct Waiting {
    statement::Event event;
    Importance importance;
    Done done;
  };
  // A statement on its way into the log.
  struct Pending {
    std::string bytes;
    std::optional<RecordingName> stored;
    Importance importance;
    Done done;
  };
  // The log as it is durable.
  struct State {
    Origin origin;
    RightEdge edge = {};
    uint64_t first_entry = 0;  // of `entries`; a multiple of 256
    std::deque<std::string> entries = {};
    std::string checkpoint = {};
    uint64_t published = 0;  // entries
  };
  // A Stored whose bundle is not complete.
  struct Kept {
    std::string origin;
    uint64_t index;
    uint64_t tree_size;  // of the checkpoint
    std::string statement;
    std::string checkpoint;
    std::string receipt;  // empty: of an earlier process, made when asked for
    uint64_t segment;
  };
  struct Segment {
    std::string origin;
    uint64_t end;  // of its last batch
    int kept = 0;  // statements of it that are kept
  };
  // The log behind a batch, durable and not yet told.
  struct Written {
    std::string origin;
    RightEdge edge;
    std::string checkpoint;
  };
  // What recovery found of one log.
  struct Found {
    State state;
    LogFiles files;
    // Sizes of the tree that batches ended at, and what its root was then.
    std::map<uint64_t, Digest> roots = {};
  };

  // --- the sequencer: one task at a time ---
  void Run();
  void RunAfter(absl::Duration delay) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Duration Company() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::vector<Waiting> Take();
  absl::Status Commit(std::vector<Pending> all);
  // Writes and syncs; what does not fit on a full disk is told so and goes.
  absl::Status WriteBatch(std::vector<Pending>& batch, Written& written);
  absl::Status AppendToWal(const Batch& batch);
  void RefuseAll(std::vector<Pending>& batch, bool but_the_important);
  std::vector<std::string> ReceiptsOf(const std::vector<Pending>& batch,
                                      const RightEdge& edge,
                                      absl::string_view checkpoint) const;
  absl::StatusOr<Pending> Prepare(Waiting waiting);
  absl::StatusOr<std::string> Write(const statement::Event& event);
  absl::Status Say(const statement::Event& event);  // of the log itself
  bool RolloverIsDue();
  absl::Status Rollover();
  // Says so, then deletes in another task; a deletion that a crash cut short is
  // said and done again.
  absl::Status DeleteOld();
  absl::Status BeginLog(const Origin& origin,
                        absl::string_view previous_checkpoint,
                        absl::string_view reason = {});
  absl::StatusOr<std::string> LastGoodCheckpoint(const Origin& origin) const;
  absl::StatusOr<std::string> SetWalAside();

  // --- the publisher ---
  void PublishSoon();
  absl::Status Publish();
  void Keep(const RecordingName& name, Kept kept)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Release(std::map<RecordingName, Kept>::iterator kept)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RemoveSegments() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ReleaseReserve();
  void RestoreReserve();

  // Nothing more is answered.
  void Stop(const absl::Status& why);

  // --- recovery ---
  absl::Status Replay(const Batch& batch, std::vector<Found>& logs);
  absl::StatusOr<Found> FindLog(const Batch& first);
  absl::Status Check(const std::vector<Found>& logs) const;
  // That the log is nowhere behind what others hold.
  absl::Status Check(const KnownTree& known,
                     const std::vector<Found>& logs) const;
  absl::StatusOr<Digest> RootAt(uint64_t size, const Found& log) const;
  absl::Status NothingPublished() const;
  void Remember(absl::Span<const Batch> batches);
  absl::StatusOr<std::string> OldReceipt(const Kept& kept) const;
  std::string DirectoryOf(const Origin& origin) const;

  Disk& disk_;
  const std::string directory_;
  const CustodyKeys& keys_;
  Executor& executor_;
  const Clock& clock_;
  Random& random_;
  CustodyOptions options_;
  Wal wal_;  // the sequencer's alone

  // Held while the disk works; before mutex_.
  Mutex publishing_;
  std::unique_ptr<LogFiles> files_ ABSL_GUARDED_BY(publishing_);

  mutable Mutex mutex_;
  std::deque<Waiting> waiting_ ABSL_GUARDED_BY(mutex_);
  bool running_ ABSL_GUARDED_BY(mutex_) = false;
  // When tasks to begin a batch are due; the infinite future: none is.
  absl::Time gathered_at_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
  absl::Time ran_at_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  bool publish_set_ ABSL_GUARDED_BY(mutex_) = false;
  bool reserve_released_ ABSL_GUARDED_BY(mutex_) = false;
  bool year_is_odd_ ABSL_GUARDED_BY(mutex_) = false;  // and an alarm said so
  State state_ ABSL_GUARDED_BY(mutex_);
  std::map<RecordingName, Kept> kept_ ABSL_GUARDED_BY(mutex_);
  std::map<uint64_t, Segment> segments_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_CUSTODY_FILE_CUSTODY_LOG_H_
