// Writes the seeds that are objects of ours, each made by the code that makes
// it in earnest: `bazel run //tests/fuzz:make_seeds -- $PWD/tests/fuzz/seeds`.
// Seeds of other names, such as those that once broke something, stay.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/bytes.h"
#include "base/crc32c.h"
#include "disk/fake_disk.h"
#include "disk/record_file.h"
#include "evidence/checkpoint.h"
#include "evidence/cosigning.h"
#include "evidence/merkle.h"
#include "evidence/receipt.h"
#include "evidence/right_edge.h"
#include "evidence/tile.h"
#include "gateway/custody/wal_segment.h"
#include "proto/custody_wal.pb.h"
#include "proto/spool.pb.h"
#include "proto/transfer.pb.h"
#include "tests/fuzz/keys.h"

namespace schleuse {
namespace {

constexpr char kZero = '\0';
constexpr char kTransfer[] =
    R"("transfer":{"camera_id":"bwc-0815","recording_id":"20260501-1230.MP4",)"
    R"("transfer_id":"00000000000000000000000000000001",)"
    R"("device":"spiffe://police.example/dock/stuttgart-1/d07"})";

class Seeds {
 public:
  explicit Seeds(std::string directory) : directory_(std::move(directory)) {}

  void Write(const std::string& target, const std::string& name,
             absl::string_view bytes) {
    const std::filesystem::path path =
        std::filesystem::path(directory_) / target / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream out(path, std::ios::binary);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }

 private:
  const std::string directory_;
};

std::string Statement(absl::string_view event) {
  return absl::StrCat(
      R"({"gateway":")", fuzz_keys::kGateway,
      R"(","time":"2026-11-26T18:05:29.123456Z","clock_synchronised":true,)"
      R"("nonce":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",)",
      event, "}");
}

// A log that holds the same kind of statement many times.
struct Log {
  explicit Log(size_t size) {
    for (size_t i = 0; i < size; ++i) {
      entries.push_back(Statement(
          absl::StrCat(R"("gateway_started":{"version":")", i, R"("})")));
      edge.Append(LeafHash(entries.back()));
    }
  }
  absl::StatusOr<Digest> operator()(int level, uint64_t index) const {
    return edge.Node(level, index);
  }
  std::string Checkpoint() const {
    return ToText(schleuse::Checkpoint{std::string(fuzz_keys::kOrigin),
                                       entries.size(), edge.Root()});
  }
  std::string Receipt(uint64_t index, const std::string& checkpoint) const {
    const schleuse::Receipt receipt = {
        .index = index,
        .proof = *InclusionProof(index, entries.size(), *this),
        .checkpoint = checkpoint};
    return absl::StrCat(ToText(receipt), std::string(1, kZero), entries[index]);
  }

  std::vector<std::string> entries;
  RightEdge edge;
};

std::string Cosignature(absl::string_view text) {
  return *CosignatureLine(fuzz_keys::kWitness, fuzz_keys::WitnessKey(), text,
                          1'790'000'000);
}

void WriteEvidence(Seeds& seeds) {
  const std::string example = "This is an example message.\n";
  seeds.Write("note", "cosigned",
              absl::StrCat(example, "\n", Cosignature(example)));
  seeds.Write("note", "signed", *fuzz_keys::Sign("one line\nanother\n"));
  seeds.Write("note", "text_of_blank_lines", "\n\n\n");
  seeds.Write("verifier_key", "witness", fuzz_keys::Witness().ToString());
  seeds.Write("verifier_key", "gateway",
              NoteVerifier::Make(fuzz_keys::kGateway, NoteKeyType::kEd25519,
                                 fuzz_keys::GatewayKey().public_key())
                  ->ToString());
  seeds.Write("origin", "first", fuzz_keys::kOrigin);
  seeds.Write("origin", "second_of_its_year",
              absl::StrCat(fuzz_keys::kOrigin, "-2"));

  const Log one(1);
  const Log seven(7);
  const Log many(300);
  for (const Log* log : {&one, &seven, &many}) {
    seeds.Write("checkpoint", absl::StrCat("of_", log->entries.size()),
                log->Checkpoint());
  }
  seeds.Write("checkpoint", "of_nothing", Log(0).Checkpoint());

  const std::string signed_one = *fuzz_keys::Sign(one.Checkpoint());
  const std::string signed_seven = *fuzz_keys::Sign(seven.Checkpoint());
  seeds.Write("receipt", "of_1", one.Receipt(0, signed_one));
  seeds.Write("receipt", "of_7", seven.Receipt(5, signed_seven));
  seeds.Write(
      "receipt", "of_300_cosigned",
      many.Receipt(299, absl::StrCat(*fuzz_keys::Sign(many.Checkpoint()),
                                     Cosignature(many.Checkpoint()))));
  std::string extra = one.Receipt(0, signed_one);
  extra.insert(extra.find("index"), "extra QUJD\n");
  seeds.Write("receipt", "with_extra", extra);

  seeds.Write(
      "add_checkpoint", "first",
      absl::StrCat(
          ToText(AddCheckpoint{.old_size = 0, .checkpoint = signed_one}),
          std::string(1, kZero), Cosignature(one.Checkpoint())));
  seeds.Write(
      "add_checkpoint", "from_3_to_7",
      absl::StrCat(ToText(AddCheckpoint{.old_size = 3,
                                        .proof = *ConsistencyProof(3, 7, seven),
                                        .checkpoint = signed_seven}),
                   std::string(1, kZero),
                   // Two of others around it.
                   signed_seven.substr(seven.Checkpoint().size() + 1),
                   Cosignature(seven.Checkpoint()),
                   signed_seven.substr(seven.Checkpoint().size() + 1)));
}

std::string U64(uint64_t value) {
  std::string bytes;
  AppendU32(bytes, static_cast<uint32_t>(value));
  AppendU32(bytes, static_cast<uint32_t>(value >> 32));
  return bytes;
}

void WriteTiles(Seeds& seeds) {
  seeds.Write("tile_path", "full", TilePath(0, 1'234'067, 256));
  seeds.Write("tile_path", "partial", TilePath(2, 67, 89));
  seeds.Write("tile_path", "entries", EntriesPath(1234, 3));
  const Log many(300);
  // A log's size is written twice as large: no log has 2^63 entries.
  const std::string size = U64(2 * 300);
  const std::string full = *many.edge.Tile(0, 0, 256);
  const std::string last = *many.edge.Tile(0, 1, 44);
  const std::string top = *many.edge.Tile(1, 0, 1);
  seeds.Write("tile_node", "leaf", absl::StrCat(size, U64(0), U64(290), last));
  seeds.Write("tile_node", "of_8_leaves",
              absl::StrCat(size, U64(3), U64(2), full.substr(0, 24 * 32)));
  seeds.Write("tile_node", "of_256_leaves",
              absl::StrCat(size, U64(8), U64(0), top));
  seeds.Write("right_edge", "of_300", absl::StrCat(size, last, top));
  const Log few(3);
  seeds.Write("right_edge", "of_3",
              absl::StrCat(U64(2 * 3), *few.edge.Tile(0, 0, 3)));
  seeds.Write("right_edge", "of_nothing", U64(0));
  seeds.Write("entries", "3", *EncodeEntries(few.entries));
  seeds.Write("entries", "256",
              *EncodeEntries(std::vector<std::string>(256, "short")));
  seeds.Write("entries", "empty_ones", *EncodeEntries({"", "a", ""}));
}

void WriteStatements(Seeds& seeds) {
  const std::string stored = absl::StrCat(
      R"("stored":{)", kTransfer, R"(,"size":"1800000000","sha256":")",
      Sha256::Of("footage").ToHex(),
      R"(","location":"bwc-0815/20260501-1230.MP4",)"
      R"("verified":"WRITTEN_AND_SYNCED","metadata":{"wearer":"4711-123",)"
      R"("start_unix_micros":"1790000000000000","home":true}})");
  const std::pair<const char*, std::string> events[] = {
      {"stored", stored},
      {"opened", absl::StrCat(R"("opened":{)", kTransfer, "}")},
      {"log_begun",
       absl::StrCat(R"("log_begun":{"origin":")", fuzz_keys::kOrigin, R"("})")},
      {"of_a_later_version", R"("not_known_yet":{"a":[1,null,"\u20ac"]})"},
  };
  for (const auto& [name, event] : events) {
    seeds.Write("statement", name, Statement(event));
    seeds.Write("stored_receipt", name, Statement(event));
  }
}

void WriteMessages(Seeds& seeds) {
  transfer::v1::UploadRequest begin;
  begin.mutable_begin()->set_camera_id("bwc-0815");
  begin.mutable_begin()->set_recording_id("20260501-1230.MP4");
  begin.mutable_begin()->mutable_metadata()->set_wearer("4711-123");
  begin.mutable_begin()->mutable_metadata()->set_original_file_name(
      "PRIVATE/M4ROOT/C0001.MP4");
  begin.mutable_begin()->set_priority(transfer::v1::PRIORITY_URGENT);
  begin.mutable_begin()->set_size(1'800'000'000);
  seeds.Write("wire", "begin", begin.SerializeAsString());
  for (const size_t bytes : {300, 9000}) {  // copied, and not
    transfer::v1::UploadRequest chunk;
    chunk.mutable_chunk()->set_offset(uint64_t{1} << 40);
    chunk.mutable_chunk()->set_crc32c(0x01020304);
    chunk.mutable_chunk()->set_data(std::string(bytes, 'x'));
    seeds.Write("wire", absl::StrCat("chunk_of_", bytes),
                chunk.SerializeAsString());
  }
  transfer::v1::UploadRequest finish;
  finish.mutable_finish()->set_size(300);
  finish.mutable_finish()->set_sha256(std::string(32, 'h'));
  seeds.Write("wire", "finish", finish.SerializeAsString());
  const std::pair<const char*, const char*> principals[] = {
      {"dock", "dock/stuttgart-1/d07"},
      {"radio", "radio/ulm/r-1"},
      {"witness", "witness/w/w1"}};
  for (const auto& [name, path] : principals) {
    seeds.Write("principal", name,
                absl::StrCat("spiffe://police.example/", path));
  }
}

void WriteLogs(Seeds& seeds) {
  const std::vector<std::string> records = {"first", "the second", "3"};
  {
    FakeDisk disk;
    const auto file = RecordFile::Create(disk, "/f");
    for (const std::string& record : records) file->Append(record);
    if (!file->Flush().ok()) std::abort();
    const std::string bytes = *ReadFile(disk, "/f", 1000);
    seeds.Write("record_file", "whole", bytes);
    seeds.Write("record_file", "torn", bytes.substr(0, bytes.size() - 1));
    seeds.Write("record_file", "lines", absl::StrJoin(records, "\n"));
  }
  FakeDisk disk;
  const auto segment = WalSegment::Create(disk, "/f");
  for (const std::string& record : records) {
    if (!(*segment)->Append(record).ok()) std::abort();
  }
  const std::string bytes = *ReadFile(disk, "/f", 1000);
  seeds.Write("wal_segment", "whole", bytes);
  seeds.Write("wal_segment", "torn", bytes.substr(0, bytes.size() - 1));
  seeds.Write("wal_segment", "never_synced", std::string(30, kZero));
  seeds.Write("wal_segment", "records",
              absl::StrJoin(records, std::string(1, kZero)));

  const Log seven(7);
  custody::v1::Batch batch;
  batch.set_origin(std::string(fuzz_keys::kOrigin));
  batch.set_first_index(5);
  batch.add_entry(seven.entries[5]);
  batch.add_entry(seven.entries[6]);
  batch.set_checkpoint(*fuzz_keys::Sign(seven.Checkpoint()));
  seeds.Write("wal", "batch", batch.SerializeAsString());
}

// The journal of a transfer, as its device brings 20 bytes and finishes.
void WriteJournals(Seeds& seeds) {
  std::string footage(20, kZero);  // as spool_fuzz.cc makes it
  for (size_t i = 0; i < footage.size(); ++i) {
    footage[i] = static_cast<char>(i * i >> 3);
  }
  std::vector<std::pair<const char*, spool::v1::SpoolRecord>> records(6);
  records[0].first = "begun";
  spool::v1::Begun& begun = *records[0].second.mutable_begun();
  begun.set_camera_id("bwc-0815");
  begun.set_recording_id("20260501-1230.MP4");
  begun.set_principal("spiffe://police.example/dock/stuttgart-1/d07");
  begun.set_metadata("\x12\x04wear");
  begun.set_begun_unix_micros(1'790'000'000'000'000);
  begun.set_extension("mp4");
  begun.set_priority(2);
  for (const size_t i : {1, 3}) {
    const size_t offset = i == 1 ? 0 : 12;
    const size_t length = i == 1 ? 12 : 8;
    records[i].first = i == 1 ? "chunk" : "next_chunk";
    spool::v1::ChunkRecord& chunk = *records[i].second.mutable_chunk();
    chunk.set_offset(offset);
    chunk.set_length(length);
    chunk.set_crc32c(Crc32c(absl::string_view(footage).substr(offset, length)));
  }
  records[2].first = "synced";
  records[2].second.mutable_synced()->set_offset(12);
  records[4].first = "finished";
  spool::v1::Finished& finished = *records[4].second.mutable_finished();
  finished.set_size(20);
  finished.set_sha256(std::string(Sha256::Of(footage).bytes()));
  finished.set_target("/store/bwc-0815/20260501-1230.MP4");
  records[5].first = "mismatched";
  spool::v1::Mismatched& mismatched = *records[5].second.mutable_mismatched();
  mismatched.set_declared_size(21);
  mismatched.set_declared_sha256(std::string(32, 'd'));
  mismatched.set_received_size(20);
  mismatched.set_received_sha256(std::string(32, 'r'));
  mismatched.set_at_unix_micros(1'790'000'000'000'001);

  std::string spool("\x14\x00", 2);
  for (const auto& [name, record] : records) {
    const std::string payload = record.SerializeAsString();
    seeds.Write("journal", name, payload);
    spool.push_back(static_cast<char>(payload.size()));
    spool.append(payload);
    seeds.Write("spool", absl::StrCat("until_", name), spool);
  }
}

}  // namespace

void WriteSeeds(const std::string& directory) {
  Seeds seeds(directory);
  WriteEvidence(seeds);
  WriteTiles(seeds);
  WriteStatements(seeds);
  WriteMessages(seeds);
  WriteLogs(seeds);
  WriteJournals(seeds);
}

}  // namespace schleuse

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: make_seeds DIRECTORY\n", stderr);
    return 2;
  }
  schleuse::WriteSeeds(argv[1]);
  return 0;
}
