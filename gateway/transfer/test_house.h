// A gateway core on a fake disk, and devices that say to it whatever a test
// wants said.
#ifndef SCHLEUSE_GATEWAY_TRANSFER_TEST_HOUSE_H_
#define SCHLEUSE_GATEWAY_TRANSFER_TEST_HOUSE_H_

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/crc32c.h"
#include "base/fake_executor.h"
#include "base/random.h"
#include "base/status.h"
#include "base/status_matchers.h"
#include "disk/fake_disk.h"
#include "evidence/checkpoint.h"
#include "evidence/statement.h"
#include "evidence/tile.h"
#include "gateway/access/roster_source.h"
#include "gateway/custody/custody_log.h"
#include "gateway/custody/keys.h"
#include "gateway/custody/log_files.h"
#include "gateway/spool/spool.h"
#include "gateway/store/fake_store.h"
#include "gateway/store/file_store.h"
#include "gateway/transfer/intake.h"
#include "gtest/gtest.h"

namespace schleuse {

constexpr char kSpoolDirectory[] = "/data/spool";
constexpr char kStoreDirectory[] = "/data/store";
constexpr char kCustodyDirectory[] = "/data/custody";
constexpr char kKeyDirectory[] = "/data/keys";

// incident = "2024-17", as it comes on the wire.
constexpr char kMetadata[] = "\x2a\x07\x32\x30\x32\x34-17";

inline std::string Footage(size_t size, uint64_t seed = 1) {
  std::string bytes(size, '\0');
  SeededRandom random(seed);
  for (char& byte : bytes) byte = static_cast<char>(random.Next());
  return bytes;
}

inline RecordingName Recording(absl::string_view recording_id = "r.mp4",
                               absl::string_view camera_id = "cam-1") {
  return *RecordingName::Parse(camera_id, recording_id);
}

// "dock/s1/d1" and "dock/s2/d2" may bring every "cam-...", "radio/s1/r1" too.
inline Principal Device(absl::string_view path = "dock/s1/d1") {
  return *Principal::Parse(absl::StrCat("spiffe://test/", path), "test");
}

// What a device hears on one stream.
class Ear final : public Outlet {
 public:
  void Send(const Reply& reply) override {
    EXPECT_FALSE(end) << "a reply behind the end";
    replies.push_back(reply);
  }
  void End(const StreamEnd& why) override {
    EXPECT_FALSE(end) << "ended twice";
    end = why;
  }
  void ResumeReading() override { ++resumed; }

  std::vector<Reply> replies;
  std::optional<StreamEnd> end;
  int resumed = 0;
};

// A device's end of one stream.
class TestStream {
 public:
  TestStream(Intake& intake, const Principal& principal)
      : ear_(std::make_shared<Ear>()),
        stream_(intake.Connect(principal, ear_)) {}
  ~TestStream() { Close(); }

  void Begin(const RecordingName& name,
             std::optional<uint64_t> size = std::nullopt) {
    stream_->OnBegin({.name = name,
                      .metadata = kMetadata,
                      .extension = "mp4",
                      .size = size});
  }
  // The bytes [offset, offset + length) of `footage`; false as OnChunk.
  bool Chunk(absl::string_view footage, uint64_t offset,
             uint64_t length = absl::string_view::npos) {
    const absl::string_view data = footage.substr(offset, length);
    return ChunkWithCrc(data, offset, Crc32c(data));
  }
  bool ChunkWithCrc(absl::string_view data, uint64_t offset, uint32_t crc32c) {
    return stream_->OnChunk(
        {.offset = offset, .crc32c = crc32c, .data = absl::Cord(data)});
  }
  void Finish(absl::string_view footage) {
    Finish(footage.size(), Sha256::Of(footage));
  }
  void Finish(uint64_t size, const Digest& sha256) {
    stream_->OnFinish({.size = size, .sha256 = sha256});
  }
  void BadMessage() { stream_->OnBadMessage("nonsense"); }
  // The call is over; also when the gateway's process dies.
  void Close() {
    if (auto stream = std::exchange(stream_, nullptr)) stream->OnClosed();
  }

  bool closed() const { return stream_ == nullptr; }
  const std::optional<StreamEnd>& end() const { return ear_->end; }
  int resumed() const { return ear_->resumed; }
  const std::vector<Reply>& replies() const { return ear_->replies; }
  template <typename Kind>
  std::vector<Kind> All() const {
    std::vector<Kind> all;
    for (const Reply& reply : ear_->replies) {
      if (const auto* one = std::get_if<Kind>(&reply)) all.push_back(*one);
    }
    return all;
  }
  template <typename Kind>
  std::optional<Kind> Last() const {
    const std::vector<Kind> all = All<Kind>();
    return all.empty() ? std::nullopt : std::optional<Kind>(all.back());
  }
  bool stored() const { return Last<Stored>().has_value(); }
  // The highest offset acknowledged on this stream.
  uint64_t acknowledged() const {
    uint64_t most = 0;
    for (const Ack& ack : All<Ack>()) most = std::max(most, ack.durable_offset);
    return most;
  }

 private:
  const std::shared_ptr<Ear> ear_;
  std::shared_ptr<Stream> stream_;
};

// A store that a test can keep from being opened.
class HouseStore final : public Store {
 public:
  HouseStore(Disk& disk, const FileStoreOptions& options,
             const absl::Status& opens)
      : files_(disk, kStoreDirectory, options), opens_(opens) {}

  absl::StatusOr<std::unique_ptr<StoreUpload>> Open(
      const StoreSource& source) override {
    RETURN_IF_ERROR(opens_);
    return files_.Open(source);
  }
  std::string TargetOf(const StoreSource& source) const override {
    return files_.TargetOf(source);
  }
  absl::StatusOr<std::vector<Bundle>> Find(
      const RecordingName& name) const override {
    return files_.Find(name);
  }
  absl::StatusOr<std::unique_ptr<StoredBytes>> Read(
      const Bundle& bundle) const override {
    return files_.Read(bundle);
  }
  absl::Status Keep(const Bundle& bundle) override {
    return files_.Keep(bundle);
  }
  std::vector<absl::Status> LayWitnessed(
      absl::Span<const Laying> layings) override {
    return files_.LayWitnessed(layings);
  }
  absl::StatusOr<std::optional<std::string>> NewestReceipt() const override {
    return files_.NewestReceipt();
  }
  std::vector<absl::Status> Lay(absl::Span<const Laying> layings) override {
    if (!lays.ok()) return std::vector<absl::Status>(layings.size(), lays);
    return files_.Lay(layings);
  }
  absl::StatusOr<std::optional<Proof>> ReadProof(
      const Bundle& bundle) const override {
    return files_.ReadProof(bundle);
  }
  absl::StatusOr<std::optional<Proof>> FindProof(
      const RecordingName& name) const override {
    return files_.FindProof(name);
  }
  absl::StatusOr<StorePage> List(const std::string& after) const override {
    return files_.List(after);
  }
  std::string Behind(const RecordingName& name) const override {
    return files_.Behind(name);
  }
  absl::Status Delete(const Bundle& bundle, const Proof& deletion) override {
    return files_.Delete(bundle, deletion);
  }
  absl::StatusOr<std::optional<DeletedBundle>> FindDeleted(
      const RecordingName& name) const override {
    return files_.FindDeleted(name);
  }
  std::string StatedLocation(const Bundle& bundle) const override {
    return files_.StatedLocation(bundle);
  }
  bool reads_back() const override { return files_.reads_back(); }
  absl::Status Probe() const override { return files_.Probe(); }

  absl::Status lays = absl::OkStatus();

 private:
  FileStore files_;
  const absl::Status& opens_;
};

// The gateway: its disk stays, its process comes and goes.
class TestHouse {
 public:
  // `order` 0 runs tasks as they were posted, any other shuffles them.
  explicit TestHouse(const IntakeOptions& intake = SmallOptions(),
                     const FileStoreOptions& store = {}, uint64_t order = 0,
                     uint64_t disk_seed = 1)
      : disk(disk_seed),
        executor(order),
        intake_options_(intake),
        store_options_(store) {
    EXPECT_OK(MakeDirectories(disk, kSpoolDirectory));
    EXPECT_OK(MakeDirectories(disk, kStoreDirectory));
    constexpr char kRoster[] = "/data/roster.textproto";
    EXPECT_OK(WriteFileAtomically(
        disk, kRoster,
        "trust_domain: 'test' grant { name: 'all' device: 'dock/*/*'"
        " device: 'radio/*/*' camera: 'cam-*' }"));
    absl::StatusOr<Roster> roster = Roster::Load(disk, kRoster);
    EXPECT_OK(roster);
    roster_ = std::make_unique<FixedRoster>(*std::move(roster));
  }
  ~TestHouse() { Kill(); }

  static IntakeOptions SmallOptions() {
    return {.spool_reserve_bytes = 0, .ack_every_bytes = 8 * 1024};
  }

  // From the next start on its store is far away: on `server`.
  void StoreFarAway() { is_far_away_ = true; }
  // From the next start on it gives receipts.
  void KeepLog() {
    EXPECT_OK(MakeDirectories(disk, kCustodyDirectory));
    EXPECT_OK(MakeDirectories(disk, kKeyDirectory));
    EXPECT_OK(InitCustody(disk, kCustodyDirectory, kKeyDirectory, "gw", 4096));
    absl::StatusOr<CustodyKeys> keys =
        CustodyKeys::Load(disk, kKeyDirectory, "gw");
    EXPECT_OK(keys.status());
    keys_ = std::make_unique<CustodyKeys>(*std::move(keys));
  }
  const CustodyKeys& keys() const { return *keys_; }
  // Whether the gateway's clock follows the network's.
  void SetClockSynchronised(bool is) { clock_synchronised_ = is; }
  // All statements that its logs publish, oldest first.
  std::vector<std::string> LogEntries() {
    std::vector<std::string> all;
    const auto origins = OriginsIn(disk, kCustodyDirectory, "gw");
    EXPECT_OK(origins);
    for (const Origin& origin : *origins) {
      LogFiles files(disk, JoinPath(kCustodyDirectory, origin.Directory()));
      const auto checkpoint =
          OpenCheckpoint(files.ReadCheckpoint()->value_or(""), keys_->pinned());
      EXPECT_OK(checkpoint);
      if (!checkpoint.ok() || !*files.HasEntries()) continue;
      for (uint64_t at = 0; at * kTileWidth < checkpoint->size; ++at) {
        const auto entries =
            files.ReadEntries(at, TileWidthAt(checkpoint->size, at));
        EXPECT_OK(entries);
        if (!entries.ok()) continue;
        all.insert(all.end(), entries->begin(), entries->end());
      }
    }
    return all;
  }

  // What they say of one kind, once all that is said so far is published.
  std::vector<statement::v1::Statement> Said(
      statement::v1::Statement::EventCase kind) {
    bool flushed = false;
    custody().Flush([&flushed] { flushed = true; });
    Wait(absl::Seconds(2));
    EXPECT_TRUE(flushed);
    std::vector<statement::v1::Statement> said;
    for (const std::string& entry : LogEntries()) {
      const auto read = ParseStatement(entry);
      EXPECT_OK(read.status());
      if (read.ok() && read->event_case() == kind) said.push_back(*read);
    }
    return said;
  }

  // From the next start on.
  void SetOptions(const IntakeOptions& options) { intake_options_ = options; }
  void SetOptions(const FileStoreOptions& options) { store_options_ = options; }

  absl::Status Start() {
    std::unique_ptr<CustodyLog> log;
    if (keys_ != nullptr) {
      CustodyOptions options;
      options.reserve_bytes = 4096;
      options.clock_synchronised = [this] { return clock_synchronised_; };
      options.on_fatal = [this](const absl::Status& why) { fatal = why; };
      ASSIGN_OR_RETURN(
          log, CustodyLog::Open(disk, kCustodyDirectory, *keys_, executor,
                                executor, random, std::move(options)));
    }
    process_ = std::make_unique<Process>(*this, std::move(log));
    return process_->intake.Recover();
  }
  // The process is gone; what it had not written is gone with it.
  void Kill() {
    for (const auto& stream : streams_) stream->Close();
    streams_.clear();
    executor.DropAll();
    process_ = nullptr;
    executor.DropAll();
  }
  absl::Status Restart() {
    Kill();
    return Start();
  }
  absl::Status RestartAfterPowerCut() {
    if (!disk.power_was_cut()) disk.CutPower();
    Kill();
    disk.RestorePower();
    return Start();
  }

  Intake& intake() { return process_->intake; }
  Spool& spool() { return process_->spool; }
  HouseStore& store() { return process_->store; }
  FakeStore& far_store() { return process_->far_store; }
  CustodyLog& custody() { return *process_->custody; }

  // A stream on which nothing was said.
  std::shared_ptr<TestStream> Connect(const Principal& who = Device()) {
    streams_.push_back(std::make_shared<TestStream>(intake(), who));
    return streams_.back();
  }
  // One that has begun and heard the answer.
  std::shared_ptr<TestStream> Begin(const RecordingName& name,
                                    std::optional<uint64_t> size = std::nullopt,
                                    const Principal& who = Device()) {
    auto stream = Connect(who);
    stream->Begin(name, size);
    Run();
    return stream;
  }

  // All that is ready; time stands still.
  void Run() { executor.RunReady(); }
  void Wait(absl::Duration span) {
    const absl::Time until = executor.Now() + span;
    Run();
    while (executor.next_due() <= until) {
      executor.SkipToNext();
      Run();
    }
    executor.Advance(until - executor.Now());
    Run();
  }

  // What a device does that holds `footage`, from Begin to the stream's end.
  // It goes back where it is told to.
  std::shared_ptr<TestStream> Bring(const RecordingName& name,
                                    absl::string_view footage,
                                    const Principal& who = Device()) {
    auto stream = Begin(name, footage.size(), who);
    const auto ready = stream->Last<Ready>();
    if (!ready || stream->end()) return stream;
    SendRest(*stream, footage, ready->offset);
    return stream;
  }
  void SendRest(TestStream& stream, absl::string_view footage, uint64_t from) {
    size_t rewinds = stream.All<Rewind>().size();
    while (true) {
      for (uint64_t at = from; at < footage.size(); at += 4096) {
        (void)stream.Chunk(footage, at, 4096);
        Run();
      }
      stream.Finish(footage);
      Wait(absl::Seconds(1));
      const std::vector<Rewind> all = stream.All<Rewind>();
      if (stream.end() || all.size() == rewinds) return;
      rewinds = all.size();
      from = all.back().offset;
    }
  }

  absl::StatusOr<GivenReceipt> FindReceipt(const RecordingName& name,
                                           const Principal& who = Device()) {
    std::optional<absl::StatusOr<GivenReceipt>> answer;
    intake().FindReceipt(who, name,
                         [&answer](absl::StatusOr<GivenReceipt> receipt) {
                           answer = std::move(receipt);
                         });
    Run();
    EXPECT_TRUE(answer.has_value());
    return answer.value_or(absl::InternalError("no answer"));
  }

  absl::StatusOr<TransferView> Look(const RecordingName& name,
                                    const Principal& who = Device()) {
    std::optional<absl::StatusOr<TransferView>> answer;
    intake().Look(who, name, [&answer](absl::StatusOr<TransferView> view) {
      answer = std::move(view);
    });
    Run();
    EXPECT_TRUE(answer.has_value());
    return answer.value_or(absl::InternalError("no answer"));
  }

  // The contents of all that is stored under `name`.
  std::vector<std::string> InStore(const RecordingName& name) const {
    std::vector<std::string> all;
    const std::string directory = JoinPath(kStoreDirectory, name.ToString());
    const auto names = disk.List(directory);
    if (!names.ok()) return all;
    for (const std::string& file : *names) {
      const auto bytes = ReadFile(disk, JoinPath(directory, file), 1 << 30);
      all.push_back(bytes.ok() ? *bytes : bytes.status().ToString());
    }
    return all;
  }
  // The names in the spool that end in `suffix`.
  std::vector<std::string> InSpool(absl::string_view suffix = "") const {
    std::vector<std::string> names = *disk.List(kSpoolDirectory);
    names.erase(std::remove_if(names.begin(), names.end(),
                               [suffix](const std::string& name) {
                                 return !absl::EndsWith(name, suffix);
                               }),
                names.end());
    return names;
  }
  // Turns bits of the open transfer's bytes, as an old disk does.
  void DamageSpool(const RecordingName& name, uint64_t offset) {
    const auto id = spool().Lookup(name);
    ASSERT_TRUE(id.has_value());
    Damage(spool().BytesPath(*id), offset);
  }
  void Damage(absl::string_view path, uint64_t offset) {
    ASSERT_OK_AND_ASSIGN(const std::unique_ptr<File> file, disk.Open(path));
    ASSERT_OK_AND_ASSIGN(std::string byte, file->Read(offset, 1));
    ASSERT_EQ(byte.size(), 1u);
    byte[0] ^= 0x10;
    ASSERT_OK(file->Write(offset, byte));
    ASSERT_OK(file->Sync());
  }
  // Every operation of that kind fails with `status` from now on.
  void Fail(DiskOperation::Kind kind, const absl::Status& status,
            absl::string_view path_ends = "") {
    disk.SetFault([kind, status, suffix = std::string(path_ends)](
                      const DiskOperation& operation) {
      return operation.kind == kind && absl::EndsWith(operation.path, suffix)
                 ? status
                 : absl::OkStatus();
    });
  }
  void FailNoMore() { disk.SetFault(nullptr); }

  FakeStoreServer server;
  FakeDisk disk;
  FakeExecutor executor;
  SeededRandom random{7};
  absl::Status store_opens;
  absl::Status fatal;  // why the custody log cannot go on
  // The task that runs is one of those that may wait for the disk.
  bool waiter_runs = false;

 private:
  struct Waiters final : Executor {
    explicit Waiters(TestHouse& of) : house(of) {}
    void Post(Task task) override {
      house.executor.Post([this, task = std::move(task)]() mutable {
        house.waiter_runs = true;
        task();
        house.waiter_runs = false;
      });
    }
    void PostAfter(absl::Duration delay, Task task) override {
      house.executor.PostAfter(delay, std::move(task));
    }
    TestHouse& house;
  };
  struct Process {
    Process(TestHouse& house, std::unique_ptr<CustodyLog> log)
        : custody(std::move(log)),
          spool(house.disk, kSpoolDirectory, house.random),
          store(house.disk, house.store_options_, house.store_opens),
          far_store(house.disk, house.server),
          intake(spool,
                 house.is_far_away_ ? static_cast<Store&>(far_store) : store,
                 *house.roster_, house.executor, house.waiters_, house.executor,
                 house.random, WithLog(house.intake_options_, custody.get())) {}
    static IntakeOptions WithLog(IntakeOptions options, CustodyLog* log) {
      options.custody = log;
      return options;
    }
    std::unique_ptr<CustodyLog> custody;
    Spool spool;
    HouseStore store;
    FakeStore far_store;
    Intake intake;
  };

  Waiters waiters_{*this};
  IntakeOptions intake_options_;
  FileStoreOptions store_options_;
  bool is_far_away_ = false;
  bool clock_synchronised_ = true;
  std::unique_ptr<RosterSource> roster_;
  std::unique_ptr<CustodyKeys> keys_;
  std::unique_ptr<Process> process_;
  std::vector<std::shared_ptr<TestStream>> streams_;
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_TRANSFER_TEST_HOUSE_H_
