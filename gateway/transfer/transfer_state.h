// The rules of receiving, as a pure state machine: what to do with the next
// chunk and with a finish. It touches nothing and knows no stream; whoever
// carries its verdicts out tells it so afterwards.
#ifndef SCHLEUSE_GATEWAY_TRANSFER_TRANSFER_STATE_H_
#define SCHLEUSE_GATEWAY_TRANSFER_TRANSFER_STATE_H_

#include <cstdint>
#include <optional>

#include "gateway/transfer/messages.h"

namespace schleuse {

class TransferState {
 public:
  // A transfer of which `received` bytes are there and `durable` of them were
  // synced.
  TransferState(uint64_t received, uint64_t durable)
      : received_(received), durable_(durable) {}

  uint64_t received() const { return received_; }
  uint64_t durable() const { return durable_; }
  // True if the recording's size is known and all of it is there.
  bool complete() const { return declared_size_ == received_; }
  // Bytes that are to come, as far as it is known: 0 while the size is not.
  uint64_t missing() const {
    return declared_size_.value_or(0) > received_ ? *declared_size_ - received_
                                                  : 0;
  }

  // A new stream carries the transfer: what the old one owed is forgotten.
  // `declared_size` is what its Begin said.
  void Attach(std::optional<uint64_t> declared_size);

  struct ChunkVerdict {
    enum class Kind {
      // Compare the first `known` bytes of the chunk with those received;
      // append the rest, if there is one. A difference is the device's
      // DATA_LOSS.
      kTake,
      // Dropped: the Rewind for it is on its way.
      kDrop,
      // Send this Rewind.
      kRewind,
      // Beyond the declared or the largest size: INVALID_ARGUMENT.
      kTooLong,
      // The device rewinds without end: DATA_LOSS.
      kTooManyRewinds,
    };
    Kind kind;
    uint64_t known = 0;  // kTake: bytes at the front that were received before
    Rewind rewind = {};  // kRewind
  };
  // A chunk [offset, offset + length), length > 0.
  ChunkVerdict OnChunk(uint64_t offset, uint64_t length, bool crc_is_good);

  struct FinishVerdict {
    enum class Kind {
      kCheck,    // all bytes are there: compare the hash
      kDrop,     // a Rewind is on its way; Finish will come again
      kRewind,   // bytes are missing
      kTooMany,  // more arrived than the device declares: a mismatch
      kBadSize,  // not the size that Begin declared: INVALID_ARGUMENT
      kTooManyRewinds,
    };
    Kind kind;
    Rewind rewind = {};
  };
  FinishVerdict OnFinish(uint64_t size);

  // `length` bytes were written behind the others.
  void Appended(uint64_t length) { received_ += length; }
  // Everything below `offset` was synced.
  void Synced(uint64_t offset);
  // Bytes from `offset` on are given up: the disk had damaged them. Returns the
  // Rewind for the device.
  Rewind CutBack(uint64_t offset);

 private:
  // Asks for a rewind to where we are, or gives up.
  bool MayRewind();

  uint64_t received_;
  uint64_t durable_;
  std::optional<uint64_t> declared_size_;
  bool rewinding_ = false;  // a Rewind is out, its chunk has not come
  int rewinds_ = 0;         // on this stream
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_TRANSFER_TRANSFER_STATE_H_
