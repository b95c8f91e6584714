// A file of framed records that only grows: the journal of one transfer. It
// knows framing, not what the records mean.
//
// Bytes (docs/formats.md): an 8-byte header, 'S' 'c' 'h' 'l' 'R' 'e' 'c' and
// the version 0x01; then for each record: u32 length, u32 CRC-32C of the
// length field and the payload, payload. Little-endian.
#ifndef SCHLEUSE_DISK_RECORD_FILE_H_
#define SCHLEUSE_DISK_RECORD_FILE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "disk/disk.h"

namespace schleuse {

class RecordFile {
 public:
  // What a file without any record holds.
  static constexpr uint64_t kHeaderBytes = 8;

  // A new file. It is made by the first Flush, with its header and what was
  // appended by then in one write; until then nothing is on the disk.
  static std::unique_ptr<RecordFile> Create(Disk& disk, absl::string_view path);
  bool is_made() const { return file_ != nullptr; }

  // Opens a file and hands each intact record to `visit`, in order, with the
  // offset at which it ends. Stops at the first that is torn, at the end, or
  // when `visit` returns false: that record and all behind it do not count.
  // Nothing is cut yet: the next Flush cuts what did not count before it
  // writes, or CutTail does.
  //   DataLoss            the header is not ours, or was never synced
  //   FailedPrecondition  a version that this program does not know
  static absl::StatusOr<std::unique_ptr<RecordFile>> Open(
      Disk& disk, absl::string_view path,
      absl::FunctionRef<bool(absl::string_view payload, uint64_t end)> visit);

  // Reads a file without opening it for writing: hands its intact records to
  // `visit` as Open does, and has its errors.
  static absl::Status Visit(
      const Disk& disk, absl::string_view path,
      absl::FunctionRef<bool(absl::string_view payload, uint64_t end)> visit);

  // Frames `payload`, at most limits::kRecordBytesMax, into the buffer; Flush
  // writes it.
  void Append(absl::string_view payload);
  // Writes what was appended. After an error the same bytes are written again
  // by the next Flush.
  //   AlreadyExists  it would have to be made, and somebody else did
  absl::Status Flush();
  // Makes what was flushed before the call durable. May run beside Append and
  // Flush.
  absl::Status Sync();

  // Reads the records again from the file, as Open does (unflushed ones are not
  // seen). Begins with the one at `from`, an offset that a visit named.
  //   DataLoss  a record that counted is no longer intact
  absl::Status Read(
      absl::FunctionRef<bool(absl::string_view payload, uint64_t end)> visit,
      uint64_t from = kHeaderBytes) const;

  // Writes everything from `from` on once more (an offset that a visit named; 0
  // for the header too) and cuts the file anew where it ends, durably. For a
  // file that an earlier process left: if its last sync failed, reading shows
  // bytes and an end that are not on the medium, and no later sync would bring
  // them there.
  absl::Status WriteAnew(uint64_t from);

  // Cuts the file to `end`, an offset that a visit named, durably: else a
  // record left behind could line up with the end of a new one and count again.
  // Drops the buffer.
  absl::Status CutTo(uint64_t end);
  // True if bytes lie behind the last record that counted at Open.
  bool has_tail() const { return has_tail_; }
  // Cuts them off.
  absl::Status CutTail() { return CutTo(end_); }

  // Where the next flushed record begins.
  uint64_t end() const { return end_; }

 private:
  RecordFile(std::unique_ptr<File> file, uint64_t end, bool has_tail);
  absl::Status Make();
  absl::Status CutFile(uint64_t end);

  std::unique_ptr<File> file_;  // nullptr: not made yet
  Disk* disk_ = nullptr;        // to make it
  std::string path_;
  uint64_t end_;
  bool has_tail_;
  std::string buffer_;
};

}  // namespace schleuse

#endif  // SCHLEUSE_DISK_RECORD_FILE_H_
