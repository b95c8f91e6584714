// Every bound on what is received, queued or kept open, on one page. Bytes
// unless the name says otherwise.
#ifndef SCHLEUSE_BASE_LIMITS_H_
#define SCHLEUSE_BASE_LIMITS_H_

#include <cstdint>

#include "absl/time/time.h"

namespace schleuse::limits {

// --- names and metadata ---------------------------------------------------
// Fits every file system's 255 bytes with our suffixes.
inline constexpr uint64_t kIdBytesMax = 128;
// One metadata text; badge numbers, codecs and file names are far shorter.
inline constexpr uint64_t kMetadataFieldBytesMax = 512;
// All of a Begin, serialized. Leaves room in a 64 KiB statement.
inline constexpr uint64_t kBeginBytesMax = 16 * 1024;

// --- messages ---------------------------------------------------------------
// One chunk. Larger messages made the bare protocol slower, not faster.
inline constexpr uint64_t kChunkBytesMax = 1 << 20;
// A chunk and its framing; the limit that gRPC itself enforces.
inline constexpr uint64_t kMessageBytesMax = kChunkBytesMax + 16 * 1024;
// HTTP/2 headers of a call; ours need a few hundred bytes.
inline constexpr uint64_t kCallHeaderBytesMax = 8 * 1024;
// Chunks a device may send in the flight of its Begin, before Ready.
inline constexpr uint64_t kEarlyBytesMax = 64 * 1024;
// A recording. 8 TiB is ten weeks of 8 Mbit/s; a file system takes it.
inline constexpr uint64_t kRecordingBytesMax = uint64_t{8} << 40;

// --- a transfer -------------------------------------------------------------
// Rewinds on one stream before the device is told to call somebody: each one
// costs a credit's worth of traffic, and TLS leaves only broken memory as
// cause.
inline constexpr int kRewindsPerStreamMax = 8;
// Attempts whose bytes did not match what the device declared, before the
// recording is held for an operator.
inline constexpr int kMismatchesMax = 3;

// Transfers of one device that the spool keeps, open or ended in a mismatch:
// each costs two files and an index entry, so that one device cannot fill the
// spool with beginnings. A dock brings some hundred clips at a shift change.
inline constexpr int kTransfersPerDeviceMax = 4096;
// Threads that wait for syncs and for the store: as many as a disk can make
// good use of at one time, and apart from those that hash and write, so that
// nobody's chunks wait behind another's syncs.
inline constexpr int kWaitingThreads = 16;
// Finished transfers of an earlier process that are brought into the store at
// one time: each has two files open and a hash to compute.
inline constexpr int kLeftoversAtOnceMax = 16;

// --- streams and memory -----------------------------------------------------
// Credit: sent and not yet durable. The most one stream gets; at 1 GB/s it
// covers 32 ms, several syncs.
inline constexpr uint64_t kCreditBytesMax = 32 << 20;
// The least, some chunks of the size that Ready then asks for. With 2,000
// streams it covers what a disk takes in a second.
inline constexpr uint64_t kCreditBytesMin = 512 * 1024;
// What Ready gives at most: the first Ack says more, once it is known how many
// begin at the same time.
inline constexpr uint64_t kFirstCreditBytes = 2 * kChunkBytesMax;
// Received and not yet written, one stream; reading stops above it. Keeps both
// cores busy and no more.
inline constexpr uint64_t kQueuedBytesMax = 4 * kChunkBytesMax;
// What a queued chunk costs beside its data, counted with it: else chunks of
// one byte would fill the memory with their tasks.
inline constexpr uint64_t kQueuedChunkCostBytes = 512;
// Streams that may carry a transfer at one time (design: 2,000 active), with
// room for takeovers.
inline constexpr int kStreamsMax = 4096;
// Recordings kept open (two files, a running hash) without a stream, so that
// a device that comes right back costs no second reading of its bytes.
inline constexpr int kIdleRecordingsMax = 256;
// Certificates whose holder was found and is remembered; beyond that the memory
// starts anew. A fleet has some thousand devices.
inline constexpr size_t kKnownCertificatesMax = 16'384;
// Concurrent calls on one connection: a dock has some ten cameras.
inline constexpr int kCallsPerConnectionMax = 64;

// Upload calls open at one time: beyond the streams that may carry a transfer
// those that have not begun and those that are told to wait.
inline constexpr int kUploadCallsMax = 2 * kStreamsMax;
// Those of one device, over all its connections.
inline constexpr int kUploadCallsPerDeviceMax = 256;
// GetTransfer calls that wait for their answer. gRPC's own bound counts a call
// no more once its device gave it up.
inline constexpr int kLooksMax = 1024;
inline constexpr int kLooksPerDeviceMax = 64;
// WatchReceipts calls, each with the receipts that wait for a slow link.
inline constexpr int kWatchesMax = 1024;
inline constexpr int kWatchesPerDeviceMax = 4;
inline constexpr size_t kWatchedReceiptsMax = 1000;

// --- times ------------------------------------------------------------------
// TLS handshake over a slow radio link.
inline constexpr absl::Duration kHandshakeMax = absl::Seconds(60);
// A stream that opened and has not begun.
inline constexpr absl::Duration kBeginWithin = absl::Seconds(60);
// A stream that began, from which we wait for a message. Progress, not total
// time: the largest chunk over a radio link of 10 kbit/s takes 14 minutes.
inline constexpr absl::Duration kSilenceMax = absl::Minutes(15);

// A connection is closed at its next idle moment after so long, and with it
// those whose device was revoked since; calls that run are left alone.
inline constexpr absl::Duration kConnectionAgeMax = absl::Hours(1);
// A silent connection is asked whether it lives, and has so long to answer: a
// radio link that is full answers late.
inline constexpr absl::Duration kPingEvery = absl::Minutes(5);
inline constexpr absl::Duration kPingAnswerMax = absl::Minutes(10);

// --- whither footage went ---------------------------------------------------
// Peers of one day that are kept apart; a store has some ten addresses, and a
// certificate changes now and then.
inline constexpr size_t kFootagePeersMax = 1000;
// Spans that wait to be stated, of a day each, or between two stops.
inline constexpr size_t kFootageSpansMax = 100;

// --- the log ---
// Lines a second that one place writes because somebody outside gave cause: 10
// of 400 bytes are 350 MB a day, which rotation copes with.
inline constexpr int kLogLinesPerSecond = 10;

// --- the disk ---------------------------------------------------------------
// Framed record in the spool: a Begin with its metadata and change.
inline constexpr uint64_t kRecordBytesMax = 64 * 1024;
// A roster, a configuration or a certificate file that we read whole.
inline constexpr uint64_t kSettingsBytesMax = 4 << 20;

}  // namespace schleuse::limits

#endif  // SCHLEUSE_BASE_LIMITS_H_
