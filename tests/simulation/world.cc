#include "tests/simulation/world.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "crypto/digest.h"
#include "evidence/tile.h"
#include "gateway/custody/statement.h"

namespace schleuse::simulation {
namespace {

constexpr char kSpool[] = "/data/spool";
constexpr char kStore[] = "/data/store";
constexpr char kCustody[] = "/data/custody";
constexpr char kKeys[] = "/data/keys";
constexpr char kRoster[] = "/data/roster.textproto";

// A world that has not come to rest by then never will.
constexpr int kStepsMax = 400'000;
// Misfortunes end after so many steps, so that the rest can be brought in.
constexpr int kUnluckySteps = 4'000;
// A gateway that stops has no reason to take longer.
constexpr absl::Duration kDrainMax = absl::Minutes(2);

std::string RandomBytes(Random& random, uint64_t size) {
  std::string bytes(size, '\0');
  for (uint64_t i = 0; i < size; i += 8) {
    const uint64_t word = random.Next();
    for (uint64_t j = i; j < std::min(size, i + 8); ++j) {
      bytes[j] = static_cast<char>(word >> (8 * (j - i)));
    }
  }
  return bytes;
}

uint64_t RandomSize(Random& random) {
  switch (random.Next() % 5) {
    case 0:
      return random.Next() % 3;  // nothing, or next to it
    case 1:
      return random.Next() % 4096;
    default:
      return random.Next() % 200'000;
  }
}

void Must(const absl::Status& status) {
  if (!status.ok()) std::abort();  // the simulation itself is wrong
}

}  // namespace

std::string Outcome::Report() const {
  return absl::StrCat(
      broken, " (steps ", steps, ", kills ", kills, ", power cuts ", power_cuts,
      ", client kills ", client_kills, ", disk faults ", disk_faults,
      ", takeovers ", takeovers, ", drains ", drains, ", full disks ",
      full_disks, ", store away ", store_away, ", again ", again, ")");
}

struct World::Gateway {
  Gateway(World& world, std::unique_ptr<CustodyLog> log)
      : custody(std::move(log)),
        spool(world.disk_, kSpool, world.random_),
        store(world.disk_, kStore,
              {.read_back = world.random_.Next() % 4 == 0}),
        intake(spool, store, *world.roster_, world.gateway_executor_,
               world.gateway_executor_, world.gateway_executor_, world.random_,
               {.custody = custody.get(),
                .spool_reserve_bytes = 0,
                .ack_every_bytes = 16 * 1024,
                .ack_every = absl::Milliseconds(250),
                .pause = absl::Seconds(2)}) {}
  const std::unique_ptr<CustodyLog> custody;
  Spool spool;
  FileStore store;
  Intake intake;
};

struct World::Device : public client::UploadObserver {
  Device(World& owner, RecordingName recording, std::string content,
         absl::string_view spiffe_id)
      : world(owner),
        name(std::move(recording)),
        bytes(std::move(content)),
        principal(spiffe_id),
        source(bytes),
        random(owner.random_.Next()) {}

  void OnProgress(const client::Progress&) override {}
  void OnDone(const client::UploadResult& result) override {
    done = true;
    if (!result.status.ok()) {
      return world.Broken(absl::StrCat("upload of ", name.ToString(),
                                       " failed: ", result.status.ToString()));
    }
    stored = true;
    world.CheckStored(*this, "when the device heard Stored");
    if (!world.plan_.receipts) return;
    if (result.receipt_state != client::UploadResult::ReceiptState::kVerified) {
      world.Broken(absl::StrCat(name.ToString(), " is done unverified"));
    }
    if (receipt && (receipt->statement != result.receipt->statement ||
                    receipt->proof != result.receipt->proof)) {
      world.Broken(absl::StrCat(name.ToString(), " got two receipts"));
    }
    receipt = result.receipt;
  }

  World& world;
  const RecordingName name;
  const std::string bytes;
  const std::string principal;
  client::FakeSource source;
  SeededRandom random;
  uint64_t acknowledged = 0;
  bool done = false;
  bool stored = false;
  std::optional<client::Receipt> receipt;
  std::unique_ptr<Strand> strand;
  std::unique_ptr<FakeLink> link;
  std::unique_ptr<client::Upload> upload;
};

World::World(const Plan& plan)
    : plan_(plan),
      random_(plan.seed),
      disk_(plan.seed * 7 + 1),
      gateway_executor_(plan.seed * 3 + 1),
      device_executor_(plan.seed * 3 + 2),
      network_executor_(plan.seed * 3 + 3),
      network_(network_executor_, random_, {}) {
  Must(MakeDirectories(disk_, kSpool));
  Must(MakeDirectories(disk_, kStore));
  Must(WriteFileAtomically(disk_, kRoster,
                           "trust_domain: 'sim.test'\n"
                           "grant { name: 'all' device: 'dock/*/*'"
                           " camera: 'cam-*' }\n"));
  absl::StatusOr<Roster> roster = Roster::Load(disk_, kRoster);
  Must(roster.status());
  roster_ = std::make_unique<FixedRoster>(*std::move(roster));
  if (plan.receipts) {
    for (const char* directory : {kCustody, kKeys}) {
      Must(MakeDirectories(disk_, directory));
    }
    Must(InitCustody(disk_, kCustody, kKeys, "sim.test/gw", 64 << 10));
    absl::StatusOr<CustodyKeys> keys =
        CustodyKeys::Load(disk_, kKeys, "sim.test/gw");
    Must(keys.status());
    keys_ = std::make_unique<const CustodyKeys>(*std::move(keys));
  }
  network_.on_reply = [this](const RecordingName& name,
                             const client::Reply& reply) {
    OnReply(name, reply);
  };
  network_.on_end = [this](const RecordingName& name,
                           const client::ErrorDetail& detail) {
    using Reason = client::ErrorDetail::Reason;
    outcome_.takeovers += detail.reason == Reason::kTakenOver;
    // What is said without power, nobody hears.
    if (disk_.power_was_cut()) return;
    if (detail.reason != Reason::kSpoolFault) return;
    if (!plan_.disk_faults) Broken("a spool fault without a disk fault");
    for (auto& device : devices_) {
      if (device->name == name) device->acknowledged = 0;
    }
  };
  if (plan.network_faults) {
    network_.SetFaults(
        {.cut = 0.002 * static_cast<double>(random_.Next() % 8),
         .dead = 0.0005 * static_cast<double>(random_.Next() % 4),
         .flip_chunk = random_.Next() % 3 == 0 ? 0.01 : 0});
  }
  disk_.SetFault([this](const DiskOperation& operation) {
    return looking_ ? absl::OkStatus() : FaultOf(operation);
  });
  const int recordings = 1 + static_cast<int>(random_.Next() % 4);
  for (int i = 0; i < recordings; ++i) {
    absl::StatusOr<RecordingName> name = RecordingName::Parse(
        absl::StrCat("cam-", i % 2), absl::StrCat("rec-", i));
    Must(name.status());
    const std::string bytes = RandomBytes(random_, RandomSize(random_));
    AddDevice(*name, bytes, "spiffe://sim.test/dock/s1/d1");
    if (plan.everyday_trouble && random_.Next() % 3 == 0) {
      // The camera is docked elsewhere as well.
      ++outcome_.rivals;
      AddDevice(*name, bytes, "spiffe://sim.test/dock/s2/d2");
    }
  }
}

absl::Status World::FaultOf(const DiskOperation& operation) {
  using Kind = DiskOperation::Kind;
  if (store_is_away_ && absl::StartsWith(operation.path, kStore)) {
    return absl::UnavailableError("the store is away (simulated)");
  }
  if (!plan_.disk_faults || !misfortunes_ || random_.NextFraction() > 0.01) {
    return absl::OkStatus();
  }
  ++outcome_.disk_faults;
  switch (operation.kind) {
    case Kind::kWrite:
    case Kind::kSync:
    case Kind::kSyncDirectory:
    case Kind::kCreate:
    case Kind::kLink:
    case Kind::kMakeDirectory:
    case Kind::kReplace:
      return random_.Next() % 2 == 0
                 ? absl::ResourceExhaustedError("no space (simulated)")
                 : absl::DataLossError("medium error (simulated)");
    default:
      return random_.Next() % 2 == 0
                 ? absl::UnavailableError("no descriptors (simulated)")
                 : absl::DataLossError("medium error (simulated)");
  }
}

void World::AddDevice(const RecordingName& name, const std::string& bytes,
                      absl::string_view principal) {
  devices_.push_back(std::make_unique<Device>(*this, name, bytes, principal));
}

World::~World() {
  misfortunes_ = false;
  KillGateway();
  for (auto& device : devices_) {
    device->upload.reset();
    device->link.reset();
  }
  network_executor_.DropAll();
  device_executor_.DropAll();
  gateway_executor_.DropAll();
}

void World::Broken(const std::string& what) {
  if (outcome_.broken.empty()) outcome_.broken = what;
}

void World::StartGateway() {
  absl::StatusOr<std::unique_ptr<CustodyLog>> log = nullptr;
  if (plan_.receipts) {
    CustodyOptions options;
    options.reserve_bytes = 64 << 10;
    options.segment_bytes = 4096;
    options.clock_synchronised = [] { return true; };
    options.on_fatal = [this](const absl::Status& why) {
      if (!plan_.disk_faults && !disk_.power_was_cut()) {
        Broken(absl::StrCat("the log ended: ", why.ToString()));
      }
      log_is_at_its_end_ = true;
    };
    log = CustodyLog::Open(disk_, kCustody, *keys_, gateway_executor_,
                           gateway_executor_, random_, std::move(options));
  }
  absl::Status recovered = log.status();
  if (recovered.ok()) {
    gateway_ = std::make_unique<Gateway>(*this, *std::move(log));
    recovered = gateway_->intake.Recover();
  }
  // A gateway that cannot read its spool does not start; somebody tries again.
  if (!recovered.ok()) {
    if (!plan_.disk_faults && !disk_is_full_ && !disk_.power_was_cut()) {
      Broken(absl::StrCat("recovery failed: ", recovered.ToString()));
    }
    Log(Severity::kAlarm, "gateway refused to start",
        {{"reason", recovered.ToString()}});
    return KillGateway();
  }
  network_.ConnectTo(&gateway_->intake);
}

void World::KillGateway() {
  drained_ = nullptr;
  log_is_at_its_end_ = false;
  network_.GatewayDied();
  gateway_executor_.DropAll();
  gateway_.reset();
  gateway_executor_.DropAll();
}

void World::RestartAfterPowerCut() {
  ++outcome_.power_cuts;
  KillGateway();
  disk_.RestorePower();
  for (const auto& device : devices_) {
    if (device->stored) CheckStored(*device, "after a power cut");
  }
}

void World::StartDevice(Device& device) {
  // In this order, since each uses the next.
  device.upload.reset();
  device.link.reset();
  device.strand = std::make_unique<Strand>(device_executor_);
  absl::StatusOr<Principal> principal =
      Principal::Parse(device.principal, "sim.test");
  Must(principal.status());
  std::vector<PinnedKeys> pinned;
  if (plan_.receipts) pinned.push_back(keys_->pinned());
  device.link = std::make_unique<FakeLink>(network_, *principal, device.name,
                                           *device.strand);
  device.upload = std::make_unique<client::Upload>(
      device.name, client::Metadata{}, client::Priority::kNormal,
      client::UploadOptions{.chunk_bytes = 1 + device.random.Next() % 20'000,
                            .early_bytes = device.random.Next() % (64 * 1024),
                            .custody_keys = std::move(pinned)},
      device.source, *device.link, *device.strand, device_executor_,
      device.random, device);
  device.strand->Post([&device, upload = device.upload.get()] {
    // Unless it was restarted before it began.
    if (device.upload.get() == upload) upload->Start();
  });
}

void World::OnReply(const RecordingName& name, const client::Reply& reply) {
  for (auto& device : devices_) {
    if (device->name != name) continue;
    if (const auto* ack = std::get_if<client::Ack>(&reply)) {
      device->acknowledged =
          std::max(device->acknowledged, ack->durable_offset);
    } else if (const auto* ready = std::get_if<client::Ready>(&reply)) {
      ++outcome_.streams;
      if (!plan_.disk_faults && ready->offset < device->acknowledged) {
        Broken(absl::StrCat(name.ToString(), ": ", device->acknowledged,
                            " bytes were acknowledged, the gateway has ",
                            ready->offset));
      }
    } else if (const auto* rewind = std::get_if<client::Rewind>(&reply)) {
      ++outcome_.rewinds;
      if (!plan_.disk_faults && rewind->offset < device->acknowledged) {
        Broken(absl::StrCat(name.ToString(), ": rewound to ", rewind->offset,
                            " below ", device->acknowledged));
      }
    }
  }
}

void World::CheckStored(const Device& device, const char* when) {
  const Looking looking(*this);
  const std::string directory =
      absl::StrCat(kStore, "/", device.name.ToString());
  const auto names = disk_.List(directory);
  // Looking may be what the power goes at; it is looked at again afterwards.
  if (disk_.power_was_cut()) return;
  std::vector<std::string> footage;
  for (const std::string& name : names.value_or(std::vector<std::string>{})) {
    if (absl::StartsWith(name, "recording.")) footage.push_back(name);
  }
  if (footage.size() != 1) {
    return Broken(
        absl::StrCat(device.name.ToString(), " is not stored once ", when));
  }
  const auto bytes =
      ReadFile(disk_, JoinPath(directory, footage.front()), 1 << 30);
  if (disk_.power_was_cut()) return;
  if (!bytes.ok() || *bytes != device.bytes) {
    Broken(absl::StrCat(device.name.ToString(), " is stored with other bytes ",
                        when));
  }
}

// Once all is quiet: what lies in the bundle is what every device was given.
void World::CheckReceipt(const Device& device) {
  const Looking looking(*this);
  const std::string directory =
      absl::StrCat(kStore, "/", device.name.ToString());
  const auto read = [&](absl::string_view name) {
    return ReadFile(disk_, JoinPath(directory, name), 1 << 20)
        .value_or("(none)");
  };
  if (read("statement.json") != device.receipt->statement ||
      read("receipt.tlog-proof") != device.receipt->proof) {
    Broken(absl::StrCat(device.name.ToString(),
                        ": its bundle has another receipt than was given"));
  }
}

// One Stored for each recording, however often the gateway died.
void World::CheckLog() {
  const Looking looking(*this);
  const std::string log = absl::StrCat(kCustody, "/2023");
  const auto checkpoint = OpenCheckpoint(
      ReadFile(disk_, JoinPath(log, "checkpoint"), 1 << 20).value_or(""),
      keys_->pinned());
  if (!checkpoint.ok()) return Broken("the log is not published");
  std::map<std::string, int> stored;
  for (uint64_t number = 0; number * kTileWidth < checkpoint->size; ++number) {
    const uint64_t width = TileWidthAt(checkpoint->size, number);
    const auto entries = DecodeEntries(
        ReadFile(disk_, JoinPath(log, EntriesPath(number, width)), 64 << 20)
            .value_or(""),
        width);
    if (!entries.ok()) return Broken("entries of the log are missing");
    for (const std::string& entry : *entries) {
      const auto read = statement::ReadBack(entry);
      if (!read.ok()) return Broken("an entry is no statement");
      if (read->stored) ++stored[read->stored->name.ToString()];
    }
  }
  for (const auto& device : devices_) {
    if (const int times = stored[device->name.ToString()]; times != 1) {
      Broken(absl::StrCat(device->name.ToString(), " was stated ", times,
                          " times"));
    }
  }
}

void World::CheckSpoolIsEmpty() {
  const Looking looking(*this);
  const auto names = disk_.List(kSpool);
  if (!names.ok()) return Broken("the spool is gone");
  // What a failing disk damaged was set aside for a person, or could not even
  // be set aside.
  if (plan_.disk_faults) return;
  for (const std::string& name : *names) {
    // A journal torn before its first sync, met again after a power cut.
    if (plan_.power_cuts && absl::EndsWith(name, ".aside")) continue;
    Broken(absl::StrCat("left in the spool: ", name));
  }
}

void World::Misfortune() {
  if (!misfortunes_) return;
  const double luck = random_.NextFraction();
  if (plan_.crashes && luck < 0.004) {
    ++outcome_.kills;
    return KillGateway();
  }
  if (plan_.crashes && luck < 0.008) {
    Device& device = *devices_[random_.Next() % devices_.size()];
    if (!device.done) {
      ++outcome_.client_kills;
      StartDevice(device);
    }
    return;
  }
  if (plan_.power_cuts && luck < 0.012) {
    return disk_.CutPowerAfter(static_cast<int>(random_.Next() % 20));
  }
  if (plan_.everyday_trouble) EverydayTrouble(random_.NextFraction());
}

void World::EverydayTrouble(double luck) {
  if (luck < 0.001) {
    disk_is_full_ = true;
    ++outcome_.full_disks;
    return disk_.SetCapacity(random_.Next() % 300'000);
  }
  if (disk_is_full_ && luck < 0.01) {
    disk_is_full_ = false;
    return disk_.SetCapacity(uint64_t{1} << 40);
  }
  if (luck < 0.013) return StartDrain();
  if (luck < 0.014 || (store_is_away_ && luck < 0.02)) {
    store_is_away_ = !store_is_away_;
    outcome_.store_away += store_is_away_;
    return;
  }
  if (luck < 0.017) {
    // A device that heard Stored and forgot.
    Device& device = *devices_[random_.Next() % devices_.size()];
    if (!device.stored) return;
    ++outcome_.again;
    device.done = false;
    StartDevice(device);
  }
}

void World::StartDrain() {
  if (gateway_ == nullptr || drained_ != nullptr) return;
  ++outcome_.drains;
  drained_ = std::make_shared<bool>(false);
  drain_until_ = gateway_executor_.Now() + kDrainMax;
  gateway_->intake.Drain([drained = drained_] { *drained = true; });
}

bool World::RunOne() {
  FakeExecutor* const all[] = {&gateway_executor_, &device_executor_,
                               &network_executor_};
  const size_t first = random_.Next() % 3;
  for (size_t i = 0; i < 3; ++i) {
    if (all[(first + i) % 3]->RunOne()) return true;
  }
  return false;
}

void World::MoveTime() {
  FakeExecutor* const all[] = {&gateway_executor_, &device_executor_,
                               &network_executor_};
  absl::Time next = absl::InfiniteFuture();
  for (const FakeExecutor* one : all) next = std::min(next, one->next_due());
  if (next == absl::InfiniteFuture()) {
    return Broken("nothing will ever happen again");
  }
  const absl::Duration by = next - gateway_executor_.Now();
  for (FakeExecutor* one : all) one->Advance(by);
}

bool World::AllStored() const {
  return std::all_of(devices_.begin(), devices_.end(),
                     [](const auto& device) { return device->done; });
}

void World::EndMisfortunes() {
  misfortunes_ = false;
  store_is_away_ = false;
  network_.SetFaults({});
  disk_.SetCapacity(uint64_t{1} << 40);
}

// What was put off for company, receipts and statements, is done as well.
void World::RunFor(absl::Duration time) {
  for (absl::Duration passed; passed < time; passed += absl::Milliseconds(50)) {
    for (int i = 0; i < kStepsMax && RunOne(); ++i) {
    }
    gateway_executor_.Advance(absl::Milliseconds(50));
  }
  for (int i = 0; i < kStepsMax && RunOne(); ++i) {
  }
}

// Whatever the gateway still does is done, then the power goes once more: what
// is stored must be there all the same.
void World::Settle() {
  EndMisfortunes();
  for (int i = 0; i < kStepsMax && RunOne(); ++i) {
  }
  disk_.CutPower();
  RestartAfterPowerCut();
  StartGateway();
  RunFor(absl::Seconds(2));
  for (const auto& device : devices_) CheckStored(*device, "at the end");
  CheckSpoolIsEmpty();
  if (!plan_.receipts) return;
  for (const auto& device : devices_) CheckReceipt(*device);
  CheckLog();
}

Outcome World::Run() {
  for (auto& device : devices_) StartDevice(*device);
  while (outcome_.broken.empty() && !AllStored()) {
    if (++outcome_.steps > kStepsMax) {
      Broken("it never came to rest");
      break;
    }
    if (outcome_.steps == kUnluckySteps) EndMisfortunes();
    if (drained_ != nullptr && *drained_) {
      KillGateway();
    } else if (drained_ != nullptr && gateway_executor_.Now() > drain_until_) {
      Broken("the gateway does not stop");
    }
    if (log_is_at_its_end_) KillGateway();
    if (disk_.power_was_cut()) RestartAfterPowerCut();
    if (gateway_ == nullptr) StartGateway();
    Misfortune();
    if (!RunOne()) MoveTime();
  }
  if (outcome_.broken.empty()) Settle();
  return outcome_;
}

}  // namespace schleuse::simulation
