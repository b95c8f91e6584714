#include "client/upload/runner.h"

#include <optional>
#include <string>
#include <utility>

#include "base/status.h"
#include "client/link/grpc_link.h"
#include "client/upload/recording_id.h"
#include "client/upload/text.h"
#include "client/uploader/file_source.h"
#include "client/uploader/upload.h"
#include "disk/posix_disk.h"

namespace schleuse::client {
namespace {

// Each has its file open, and asks again by itself.
constexpr int kParkedMax = 256;

// For the metadata; a gateway refuses a name that is no text.
std::string OriginalName(absl::string_view file) {
  const absl::string_view name = BaseName(file);
  return IsPlainText(name) ? std::string(name) : RecordingIdOf(file);
}

}  // namespace

// One recording on its way. All but Begin and Stop happens on its strand.
class Runner::Job final : public UploadObserver,
                          public std::enable_shared_from_this<Job> {
 public:
  Job(Runner& runner, size_t index, int lane)
      : runner_(runner),
        index_(index),
        lane_(lane),
        strand_(runner.executor_) {}

  void Begin() {
    strand_.Post([self = shared_from_this()] { self->Run(); });
  }
  void Stop() {
    strand_.Post([self = shared_from_this()] {
      if (self->upload_ != nullptr) self->upload_->Stop();
    });
  }

  void OnProgress(const Progress& progress) override {
    runner_.board_.Progressed(index_, progress);
    const bool waits =
        progress.awaits_store && progress.state == UploadState::kWaiting;
    if (waits && !parked_) parked_ = runner_.Park(lane_);
  }
  void OnDone(const UploadResult& result) override {
    UploadResult told = result;
    if (told.status.ok() && told.receipt) {
      told.status = KeepReceipt(told.name, *told.receipt);
    }
    runner_.board_.Finished(index_, told);
    // Not from within the upload that is to go.
    strand_.Post([self = shared_from_this()] {
      self->upload_ = nullptr;
      self->link_ = nullptr;
      self->source_ = nullptr;
      self->runner_.JobOver(self->index_, self->lane_, self->parked_);
    });
  }

 private:
  void Run() {
    const Arguments::Recording& recording =
        runner_.arguments_.recordings[index_];
    runner_.board_.Started(index_);
    absl::StatusOr<std::unique_ptr<FileSource>> source =
        FileSource::Open(runner_.disk_, AbsolutePath(recording.file));
    if (!source.ok()) {
      return OnDone({source.status(), recording.name, std::nullopt, {}});
    }
    source_ = *std::move(source);
    link_ = std::make_unique<GrpcLink>(runner_.connections_, lane_, strand_);
    Metadata metadata = runner_.arguments_.metadata;
    metadata.original_file_name = OriginalName(recording.file);
    upload_ = std::make_unique<Upload>(
        recording.name, std::move(metadata), runner_.arguments_.priority,
        runner_.arguments_.upload, *source_, *link_, strand_, runner_.clock_,
        runner_.random_, *this);
    upload_->Start();
  }

  absl::Status KeepReceipt(const RecordingName& name, const Receipt& receipt) {
    if (runner_.arguments_.receipt_directory.empty()) return absl::OkStatus();
    const std::string directory =
        JoinPath(JoinPath(AbsolutePath(runner_.arguments_.receipt_directory),
                          name.camera_id()),
                 name.recording_id());
    absl::Status kept = MakeDirectories(runner_.disk_, directory);
    for (const auto& [file, bytes] :
         {std::pair("statement.json", &receipt.statement),
          std::pair("receipt.tlog-proof", &receipt.proof)}) {
      if (!kept.ok()) break;
      kept =
          WriteFileAtomically(runner_.disk_, JoinPath(directory, file), *bytes);
    }
    return Annotate(kept, "it is stored, but its receipt could not be kept");
  }

  Runner& runner_;
  const size_t index_;
  const int lane_;
  bool parked_ = false;
  Strand strand_;
  std::unique_ptr<FileSource> source_;
  std::unique_ptr<GrpcLink> link_;
  std::unique_ptr<Upload> upload_;
};

Runner::Runner(const Arguments& arguments, Disk& disk, Connections& connections,
               Executor& executor, const Clock& clock, Random& random,
               Board& board, absl::AnyInvocable<void()> on_all_over)
    : arguments_(arguments),
      disk_(disk),
      connections_(connections),
      executor_(executor),
      clock_(clock),
      random_(random),
      board_(board),
      on_all_over_(std::move(on_all_over)) {}

Runner::~Runner() = default;

void Runner::Start() {
  {
    MutexLock lock(mutex_);
    lanes_ = arguments_.parallel;
  }
  for (int lane = 0; lane < arguments_.parallel; ++lane) FillLane(lane);
}

void Runner::FillLane(int lane) {
  std::shared_ptr<Job> job;
  bool all_over = false;
  {
    MutexLock lock(mutex_);
    if (stopping_ || next_ == arguments_.recordings.size()) {
      all_over = --lanes_ == 0 && parked_ == 0;
    } else {
      const size_t index = next_++;
      job = std::make_shared<Job>(*this, index, lane);
      jobs_[index] = job;
    }
  }
  if (job != nullptr) job->Begin();
  if (all_over) on_all_over_();
}

bool Runner::Park(int lane) {
  {
    MutexLock lock(mutex_);
    if (parked_ >= kParkedMax) return false;
    ++parked_;
  }
  FillLane(lane);
  return true;
}

void Runner::JobOver(size_t index, int lane, bool parked) {
  bool all_over = false;
  {
    MutexLock lock(mutex_);
    jobs_.erase(index);
    if (parked) all_over = --parked_ == 0 && lanes_ == 0;
  }
  if (!parked) FillLane(lane);
  if (all_over) on_all_over_();
}

void Runner::Stop() {
  std::map<size_t, std::shared_ptr<Job>> jobs;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    jobs = jobs_;
  }
  for (const auto& [index, job] : jobs) job->Stop();
}

}  // namespace schleuse::client
