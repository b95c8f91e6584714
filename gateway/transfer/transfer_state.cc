#include "gateway/transfer/transfer_state.h"

#include <algorithm>

#include "base/limits.h"

namespace schleuse {

void TransferState::Attach(std::optional<uint64_t> declared_size) {
  declared_size_ = declared_size;
  rewinding_ = false;
  rewinds_ = 0;
}

bool TransferState::MayRewind() {
  rewinding_ = true;
  return ++rewinds_ <= limits::kRewindsPerStreamMax;
}

TransferState::ChunkVerdict TransferState::OnChunk(uint64_t offset,
                                                   uint64_t length,
                                                   bool crc_is_good) {
  using Kind = ChunkVerdict::Kind;
  const uint64_t size_max = declared_size_.value_or(limits::kRecordingBytesMax);
  // Written so that no sum can overflow.
  if (length > size_max || offset > size_max - length) {
    return {.kind = Kind::kTooLong};
  }
  if (rewinding_ && offset != received_) return {.kind = Kind::kDrop};
  if (!crc_is_good || offset > received_) {
    // The answer to a Rewind may be bad as well: it counts again.
    if (!MayRewind()) return {.kind = Kind::kTooManyRewinds};
    const Rewind::Reason reason =
        crc_is_good ? Rewind::Reason::kGap : Rewind::Reason::kBadCrc;
    return {.kind = Kind::kRewind,
            .rewind = {.offset = received_, .reason = reason}};
  }
  rewinding_ = false;
  return {.kind = Kind::kTake, .known = std::min(length, received_ - offset)};
}

TransferState::FinishVerdict TransferState::OnFinish(uint64_t size) {
  using Kind = FinishVerdict::Kind;
  if (rewinding_) return {.kind = Kind::kDrop};
  if (declared_size_ && *declared_size_ != size) {
    return {.kind = Kind::kBadSize};
  }
  if (size > limits::kRecordingBytesMax) return {.kind = Kind::kBadSize};
  if (size > received_) {
    if (!MayRewind()) return {.kind = Kind::kTooManyRewinds};
    return {.kind = Kind::kRewind,
            .rewind = {.offset = received_, .reason = Rewind::Reason::kGap}};
  }
  if (size < received_) return {.kind = Kind::kTooMany};
  return {.kind = Kind::kCheck};
}

void TransferState::Synced(uint64_t offset) {
  durable_ = std::max(durable_, std::min(offset, received_));
}

Rewind TransferState::CutBack(uint64_t offset) {
  received_ = std::min(received_, offset);
  durable_ = std::min(durable_, received_);
  rewinding_ = true;
  return {.offset = received_, .reason = Rewind::Reason::kGatewayFault};
}

}  // namespace schleuse
