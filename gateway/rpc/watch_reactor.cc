#include "gateway/rpc/watch_reactor.h"

#include <google/protobuf/io/coded_stream.h>
#include <grpcpp/support/slice.h>

#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/mutex.h"
#include "base/status.h"
#include "gateway/rpc/convert.h"
#include "gateway/transfer/receipt_watch.h"
#include "proto/transfer.pb.h"

namespace schleuse {
namespace {

namespace v1 = transfer::v1;
using google::protobuf::io::CodedInputStream;

// Of the field `recordings`: number 1, length-delimited.
constexpr uint32_t kRecordingsTag = 1 << 3 | 2;

absl::StatusOr<std::string> BytesOf(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  if (!buffer.Dump(&slices).ok()) {
    return absl::InvalidArgumentError("the request cannot be read");
  }
  std::string bytes;
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

// A parsed message takes many times what an empty submessage takes on the wire.
bool NamesTooMany(const std::string& bytes) {
  CodedInputStream in(reinterpret_cast<const uint8_t*>(bytes.data()),
                      static_cast<int>(bytes.size()));
  size_t names = 0;
  while (const uint32_t tag = in.ReadTag()) {
    uint32_t length = 0;
    if (tag != kRecordingsTag) return false;  // for the parser to judge
    if (!in.ReadVarint32(&length) || !in.Skip(static_cast<int>(length))) {
      return false;
    }
    if (++names > limits::kWatchedReceiptsMax) return true;
  }
  return false;
}

grpc::ByteBuffer Serialize(const v1::Receipt& receipt) {
  const grpc::Slice slice(receipt.SerializeAsString());
  return grpc::ByteBuffer(&slice, 1);
}

// What the intake tells and what the call takes meet here; either may be gone
// first.
class Watch final : public ReceiptWatch {
 public:
  explicit Watch(WatchCall& call) : call_(call) {}

  void OnReceipt(const GivenReceipt& receipt) override {
    {
      MutexLock lock(mutex_);
      if (end_) return;
      // It was found, and given at the same time.
      if (told_.size() > 2 * limits::kWatchedReceiptsMax) told_.clear();
      if (!told_.insert(receipt.name).second) return;
      waiting_.push_back(Serialize(ToProto(receipt)));
      if (waiting_.size() > limits::kWatchedReceiptsMax) {
        End(absl::ResourceExhaustedError(
            "the device does not take its receipts; ask again"));
      }
    }
    Pump();
  }
  // What was found still goes out.
  void OnEnd(const absl::Status& why) override {
    {
      MutexLock lock(mutex_);
      if (!end_) end_ = ToGrpc(why);
    }
    Pump();
  }
  void OnWritten(bool ok) {
    {
      MutexLock lock(mutex_);
      writing_ = false;
      if (!ok) End(absl::CancelledError("the link is gone"));
    }
    Pump();
  }
  void OnCancel() {
    {
      MutexLock lock(mutex_);
      End(absl::CancelledError("the link is gone"));
    }
    Pump();
  }

 private:
  void End(const absl::Status& why) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (!end_) end_ = ToGrpc(why);
    waiting_.clear();
  }

  // Of what gRPC is asked it may tell before it returns.
  void Pump() {
    MutexLock lock(mutex_);
    if (pumping_) return;
    pumping_ = true;
    while (!writing_ && !finished_) {
      if (!waiting_.empty()) {
        writing_ = true;
        written_ = waiting_.front();  // shares the bytes
        waiting_.pop_front();
        mutex_.Unlock();
        call_.StartWrite(&written_);
        mutex_.Lock();
      } else if (end_) {
        finished_ = true;
        const grpc::Status status = *end_;
        mutex_.Unlock();
        call_.Finish(status);  // the call may be gone behind it
        mutex_.Lock();
      } else {
        break;
      }
    }
    pumping_ = false;
  }

  WatchCall& call_;  // until Finish
  Mutex mutex_;
  std::deque<grpc::ByteBuffer> waiting_ ABSL_GUARDED_BY(mutex_);
  std::set<RecordingName> told_ ABSL_GUARDED_BY(mutex_);
  std::optional<grpc::Status> end_ ABSL_GUARDED_BY(mutex_);
  grpc::ByteBuffer written_;  // gRPC's while writing_
  bool pumping_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

class WatchReactor final : public WatchCall {
 public:
  WatchReactor(Intake& intake, const Principal& principal,
               const std::vector<RecordingName>& names, DeviceCounted place)
      : intake_(intake),
        place_(std::move(place)),
        watch_(std::make_shared<Watch>(*this)) {
    intake_.Watch(principal, names, watch_);
  }

  void OnWriteDone(bool ok) override { watch_->OnWritten(ok); }
  void OnCancel() override { watch_->OnCancel(); }
  void OnDone() override {
    intake_.Unwatch(*watch_);
    delete this;
  }

 private:
  Intake& intake_;
  const DeviceCounted place_;
  const std::shared_ptr<Watch> watch_;
};

class Refusal final : public WatchCall {
 public:
  explicit Refusal(const grpc::Status& status) { Finish(status); }
  void OnDone() override { delete this; }
};

}  // namespace

absl::StatusOr<std::vector<RecordingName>> NamesOf(
    const grpc::ByteBuffer& request) {
  ASSIGN_OR_RETURN(const std::string bytes, BytesOf(request));
  if (NamesTooMany(bytes)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "at most ", limits::kWatchedReceiptsMax, " recordings a call"));
  }
  v1::WatchReceiptsRequest parsed;
  if (!parsed.ParseFromString(bytes)) {
    return absl::InvalidArgumentError("the request cannot be read");
  }
  std::vector<RecordingName> names;
  for (const auto& recording : parsed.recordings()) {
    ASSIGN_OR_RETURN(
        RecordingName name,
        RecordingName::Parse(recording.camera_id(), recording.recording_id()));
    names.push_back(std::move(name));
  }
  return names;
}

WatchCall* MakeWatchReactor(Intake& intake, const Principal& principal,
                            const std::vector<RecordingName>& names,
                            DeviceCounted place) {
  return new WatchReactor(intake, principal, names, std::move(place));
}

WatchCall* MakeWatchRefusal(const grpc::Status& status) {
  return new Refusal(status);
}

}  // namespace schleuse
