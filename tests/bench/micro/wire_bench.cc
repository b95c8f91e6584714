// Messages as gRPC hands them over: in slices of one HTTP/2 frame.
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "benchmark/benchmark.h"
#include "gateway/rpc/wire.h"
#include "proto/transfer.pb.h"

namespace schleuse {
namespace {

constexpr size_t kSliceBytes = 16 << 10;

grpc::ByteBuffer Sliced(absl::string_view bytes) {
  std::vector<grpc::Slice> slices;
  for (size_t at = 0; at < bytes.size(); at += kSliceBytes) {
    const absl::string_view piece = bytes.substr(at, kSliceBytes);
    slices.emplace_back(piece.data(), piece.size());
  }
  return grpc::ByteBuffer(slices.data(), slices.size());
}

void Parse(benchmark::State& state,
           const transfer::v1::UploadRequest& request) {
  const std::string bytes = request.SerializeAsString();
  const grpc::ByteBuffer message = Sliced(bytes);
  for (auto _ : state) {
    auto parsed = ParseUploadRequest(message);
    if (!parsed.ok()) {
      state.SkipWithError("refused");
      break;
    }
    benchmark::DoNotOptimize(parsed);
  }
  // Of whatever size: footage is not touched.
  state.SetItemsProcessed(state.iterations());
}

void ParseChunk(benchmark::State& state) {
  transfer::v1::UploadRequest request;
  request.mutable_chunk()->set_offset(uint64_t{1} << 40);
  request.mutable_chunk()->set_crc32c(0x12345678);
  request.mutable_chunk()->set_data(
      std::string(static_cast<size_t>(state.range(0)), 'x'));
  Parse(state, request);
}
BENCHMARK(ParseChunk)->Arg(4 << 10)->Arg(256 << 10)->Arg(1 << 20);

void ParseBegin(benchmark::State& state) {
  transfer::v1::UploadRequest request;
  transfer::v1::Begin& begin = *request.mutable_begin();
  begin.set_camera_id("bwc-0815");
  begin.set_recording_id("20240501-1230.mp4");
  begin.mutable_metadata()->set_original_file_name("20240501-1230.mp4");
  begin.set_size(uint64_t{1} << 30);
  Parse(state, request);
}
BENCHMARK(ParseBegin);

}  // namespace
}  // namespace schleuse
