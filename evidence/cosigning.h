// What a log and its witnesses say to each other (C2SP tlog-witness 1.0.0): the
// body of an add-checkpoint request,
//
//   old <size, decimal>     of the latest checkpoint that the witness cosigned
//   <hash, base64>          consistency proof from there, at most 63
//   (empty line)
//   <the signed checkpoint, verbatim>
//
// and the cosignatures that come back, which are lines of a signed note. Pure:
// who carries them, over a network or on a stick, is not known here.
#ifndef SCHLEUSE_EVIDENCE_COSIGNING_H_
#define SCHLEUSE_EVIDENCE_COSIGNING_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "evidence/merkle.h"
#include "evidence/note.h"

namespace schleuse {

struct AddCheckpoint {
  uint64_t old_size = 0;
  MerkleProof proof = {};
  std::string checkpoint;  // a signed note
};

// Far more than 63 hashes and a checkpoint with its signatures.
constexpr size_t kAddCheckpointBytesMax = 64 << 10;

std::string ToText(const AddCheckpoint& request);
// What the checkpoint says, and whether the proof fits, is not looked at.
//   InvalidArgument  it is none
absl::StatusOr<AddCheckpoint> ParseAddCheckpoint(absl::string_view text);

// `checkpoint`, a signed note, with the cosignature that `lines` hold of
// `witness` added to it; lines of others are left out. The same once more adds
// nothing.
//   InvalidArgument   it is no signed note, or these are no such lines
//   DataLoss          the cosignature is bad
//   PermissionDenied  `lines` hold none of this witness
absl::StatusOr<std::string> WithCosignature(absl::string_view checkpoint,
                                            absl::string_view lines,
                                            const NoteVerifier& witness);

}  // namespace schleuse

#endif  // SCHLEUSE_EVIDENCE_COSIGNING_H_
