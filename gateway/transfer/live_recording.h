// A recording that streams, the spool or the store are busy with right now:
// the place where its transfer lives in memory. Carries out what
// TransferState decides. All its work runs on one strand, in order; only the
// newest stream has an effect.
#ifndef SCHLEUSE_GATEWAY_TRANSFER_LIVE_RECORDING_H_
#define SCHLEUSE_GATEWAY_TRANSFER_LIVE_RECORDING_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "base/executor.h"
#include "base/mutex.h"
#include "base/recording_name.h"
#include "gateway/spool/partial.h"
#include "gateway/store/store.h"
#include "gateway/transfer/intake.h"
#include "gateway/transfer/intake_inside.h"
#include "gateway/transfer/messages.h"
#include "gateway/transfer/transfer_state.h"

namespace schleuse {

class LiveRecording : public std::enable_shared_from_this<LiveRecording> {
 public:
  // `house` is kept alive by whoever runs tasks of this recording.
  LiveRecording(RecordingName name, std::shared_ptr<IntakeInside> house);

  const RecordingName& name() const { return name_; }

  // --- from any thread; the work follows on the strand ---
  // Makes `stream` the current one and ends the one before with ABORTED.
  void Attach(std::shared_ptr<Stream> stream, Begin begin);
  void Take(std::shared_ptr<Stream> stream, Chunk chunk, bool crc_is_good);
  void TakeFinish(std::shared_ptr<Stream> stream, const Finish& finish);
  // The stream's call is over, or it was ended for its own faults.
  void Detach(std::shared_ptr<Stream> stream);
  void Look(absl::AnyInvocable<void(absl::StatusOr<TransferView>)> done);
  void FindReceipt(absl::AnyInvocable<void(absl::StatusOr<GivenReceipt>)> done);
  // After a restart: the log says that it was stored, and its bundle may lack
  // what proves it.
  void LayStated();
  // A store that was away is back: what waits for it is tried now.
  void StoreIsBack();
  // After a restart: this transfer was finished and is to be stored.
  void StoreLeftover(const Unstored& unstored);
  // As Intake says.
  void GiveUpSpooled(DecideSpooled decide, Removed done);
  void DeleteStored(DecideStored decide, Removed done);
  // Makes durable, acknowledges, ends the stream; `done` once all is quiet.
  void Drain(absl::AnyInvocable<void()> done);

 private:
  // What is known of the recording in the final store.
  struct InStore {
    Bundle bundle;
    std::optional<Digest> sha256;     // absent until it was read and hashed
    std::optional<Proof> proof = {};  // absent until it was given or read
    bool deleted = false;             // its time ran out: the proof stays
  };
  // Stored, and on its way into the custody log and from there beside its
  // bytes.
  struct Stating {
    Bundle bundle;
    Finished finished;
    TransferId transfer_id;
    std::string device;    // SPIFFE ID
    std::string metadata;  // as it came
    bool read_back;
    bool in_spool;  // its records there go once the bundle is complete
    std::optional<Proof> proof = {};  // once the log holds it
    bool running = false;             // the log or the store is at work
  };
  struct Committing {
    StoreSource source;
    Finished finished;
    std::string device = {};    // SPIFFE ID of who began it
    std::string metadata = {};  // as it came
    // Only its bytes are durable yet: a small recording goes into the store
    // without a journal, as long as that takes it at once.
    std::shared_ptr<Partial> without_journal = {};
    // On its way into the store, perhaps since before it was finished.
    std::shared_ptr<StoreUpload> upload = {};
    bool running = false;  // the store is at work, beside the strand
    // The store got other bytes than we meant to give: ours are read again.
    bool doubtful = false;
  };
  // What came of one step of a commit.
  struct CommitStep {
    absl::StatusOr<std::optional<Bundle>> stored;
    // Whether the spool holds it durably, if the store did not take it.
    absl::Status kept;
  };
  // Hashes a bundle whose hash nobody remembers, in steps.
  struct StoreReading {
    std::unique_ptr<StoredBytes> bytes;
    Sha256 hash;
  };

  void Post(absl::AnyInvocable<void()> work);
  // The same at the end of a task beside the strand, on its thread if that may
  // be: each change of threads costs more than most work here.
  void GoOn(absl::AnyInvocable<void()> work);
  Task Work(absl::AnyInvocable<void()> work);
  // A step that reads much: behind what is ready everywhere, not in the same
  // turn as the step before it.
  void PostStep(absl::AnyInvocable<void()> work);

  // live_recording.cc: streams and chunks
  void OnAttach(const std::shared_ptr<Stream>& stream, const Begin& begin);
  void OnChunk(const std::shared_ptr<Stream>& stream, const Chunk& chunk,
               bool crc_is_good);
  void TakeChunk(const Chunk& chunk, uint64_t known);
  void OnDetach(const std::shared_ptr<Stream>& stream);
  // Unless a newer one has come.
  void ForgetNewest(const std::shared_ptr<Stream>& stream);
  absl::Status EnsureLoaded();
  absl::Status LoadStored(const TransferId& id, const Bundle& stored);
  absl::Status LoadPartial(const TransferId& id);
  bool HasTransfer() const;
  void NoteTakeover(const Principal& by);
  void OpenTransfer(const Begin& begin, const Principal& principal);
  // Whether the spool has room for `missing` bytes more above its reserve.
  absl::StatusOr<bool> HasRoom(uint64_t missing) const;
  void SendReady();
  TransferView View() const;
  void End(StreamEnd end);
  void PauseStream(Pause::Reason reason);
  // Says Stored, and lets go of the stream: that its call is over need not be
  // heard of here.
  void SayStored(const Reply& stored);

  // live_sync.cc: durability
  void SyncSoon();
  void StartSync();
  void OnSynced(const absl::Status& status);
  void OfferToStore();
  void SyncNext();
  void OnSpoolError(const absl::Status& status);
  void LoseTransfer(const absl::Status& why);
  // Reads the spool's bytes, a step at a time: for the hash, or for a check.
  void StepReading();
  void ReadStep();
  uint64_t RenewCredit(uint64_t most);
  uint64_t AckEveryBytes() const;
  absl::Duration AckEvery() const;
  // Keeps this in the registry while there is work; reports quiet to Drain.
  void UpdateBusy();

  // live_finish.cc: from Finish to what is durable in the spool
  void OnFinish(const std::shared_ptr<Stream>& stream, const Finish& finish);
  void ContinueFinish();
  void ForgetFinish();
  void OnChecked(const Partial::SelfCheck& check);
  void GoBackTo(uint64_t offset);
  void CloseAsMismatch(const Digest& received);
  void RecordFinished();
  void FinishFromSpool();
  StoreSource SourceOf(const TransferId& id, const std::string& extension,
                       int priority, absl::Time since) const;
  StoreSource SourceOfPartial() const;

  // live_commit.cc: from there to Stored
  void Commit();
  void CommitAtOnce();
  void BeginCommitting();
  void StepCommit();
  void OnCommitStep(const CommitStep& step);
  void AwaitStore();
  static absl::Status KeepInSpool(Partial* unkept);
  void OnUnsynced(const absl::Status& why);
  void OnUnkept(const absl::Status& stored, const absl::Status& kept);
  void OnStored(const Bundle& bundle);
  void OnConflict();
  void RetryCommit(const absl::Status& why);
  void DoubtSpool();
  void RetryLater();
  void TryAgain();
  void LoadLeftover();
  absl::Status LookIntoStore();
  absl::Status LookForDeleted();
  void AnswerFromStore(const Finish& finish);
  void AnswerOf(const Finish& finish);
  void StepStoreReading();
  void StoreNotReadable(const absl::Status& why);

  // live_removal.cc: what is not kept any longer
  absl::StatusOr<std::optional<Spooled>> LookForGivingUp();
  absl::StatusOr<std::optional<Bundle>> LookForDeleting();
  // Goes on with `next` once it is stated; nullptr: there is no log.
  void StateRemoval(
      statement::Event event,
      absl::AnyInvocable<void(absl::StatusOr<const Logged*>)> next);
  absl::Status ForgetSpooled(const TransferId& id);
  void EndRemoval();

  // live_receipt.cc: from Stored to the receipt, and to a complete bundle
  void State(Stating stating);
  void StateAgain();
  absl::Status IsOfWhatIsStored(absl::string_view statement) const;
  void OnStated(const absl::StatusOr<Logged>& logged);
  void OnProof(Proof proof);
  void LayProof();
  void LayStatedNow();
  absl::StatusOr<std::optional<Bundle>> FindAt(
      absl::string_view location) const;
  void TellWatches();
  void OnLaid(const absl::Status& status);
  void SayReceipt();
  void AnswerWithReceipt(const Finish& finish);
  absl::StatusOr<GivenReceipt> Given() const;
  void ForgetTransfer(const TransferId& id);

  const RecordingName name_;
  const std::shared_ptr<IntakeInside> house_;
  Strand strand_;

  Mutex newest_mutex_;
  // Who may speak; also decides the order in which attachments are posted.
  std::shared_ptr<Stream> newest_ ABSL_GUARDED_BY(newest_mutex_);

  // --- on the strand alone ---
  std::shared_ptr<Stream> current_;
  bool current_ended_ = false;    // by us: nothing more of it has an effect
  bool current_asked_ = false;    // its Finish came
  std::string current_metadata_;  // as its Begin brought it
  // Shared with a Sync that runs beside the strand.
  std::shared_ptr<Partial> partial_;
  std::optional<TransferState> state_;  // exactly while partial_ is there
  // Carries what of partial_ is durable to a store far away.
  std::shared_ptr<StoreUpload> early_upload_;
  std::optional<InStore> in_store_;
  std::optional<StoreReading> store_reading_;

  bool sync_running_ = false;
  uint64_t sync_offset_ = 0;  // what the running sync makes durable
  bool sync_timer_set_ = false;
  bool reading_step_posted_ = false;
  // The bytes are being held against the journal, since the hash is not what
  // the device declared.
  bool checking_ = false;
  // The sync that makes the Finished record durable.
  enum class FinishSync { kNone, kWanted, kRunning };
  FinishSync finish_sync_ = FinishSync::kNone;
  // What a device declared, until it is answered. While it is set, the
  // recording takes no chunk.
  std::optional<Finish> finish_;
  // Everything is durable in the spool and on its way into the store; partial_
  // is closed.
  std::optional<Committing> committing_;
  std::optional<Stating> stating_;
  int failures_ = 0;  // to bring it into the store, in a row
  bool retry_set_ = false;
  // Finished in an earlier process, and not looked at yet.
  std::optional<Unstored> leftover_;
  // Others wait for it to be done with, or to wait itself.
  bool leftover_has_turn_ = false;
  // The log states it, and the store does not answer whether it holds that.
  bool lays_stated_ = false;

  // What there is of it is about to be deleted: until then nothing begins.
  bool removing_ = false;

  std::deque<absl::Time> takeovers_;
  bool busy_ = false;
  int leaves_ = 0;  // holders who left during the running task
  absl::AnyInvocable<void()> drained_;
  bool draining_ = false;
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_TRANSFER_LIVE_RECORDING_H_
