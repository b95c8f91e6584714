// The way to the gateway, as Upload sees it: streams of messages, one at a
// time. It knows nothing of what the messages mean.
#ifndef SCHLEUSE_CLIENT_UPLOADER_LINK_H_
#define SCHLEUSE_CLIENT_UPLOADER_LINK_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "client/uploader/messages.h"

namespace schleuse::client {

// What happens on a stream. Each event names the stream that it belongs to;
// events of streams other than the newest may still come and mean nothing.
class LinkEvents {
 public:
  virtual ~LinkEvents() = default;
  // The link has taken the request of the oldest Send that waited for this.
  virtual void OnSent(uint64_t stream) = 0;
  virtual void OnReply(uint64_t stream, Reply reply) = 0;
  // The stream is over; no event of it follows. OK means that the gateway
  // closed it in order.
  virtual void OnClosed(uint64_t stream, absl::Status status,
                        ErrorDetail detail) = 0;
};

// Calls come from one strand; events go to that same strand, never inside a
// call. Destroying a link gives up its stream; no event follows.
class Link {
 public:
  virtual ~Link() = default;

  // Starts a stream, which replaces the one before it. Send may follow at once;
  // a gateway that cannot be reached shows as OnClosed. `events` must outlive
  // the link.
  virtual void Open(uint64_t stream, LinkEvents& events) = 0;

  enum class Next {
    kUnknown,
    kFollows,  // another Send comes right behind it: both may go together
  };
  // Sends on the newest stream. At most kSendsMax of them wait for their
  // OnSent: Begin, and what goes with it. On a stream that has ended (its
  // OnClosed may still be on its way) it does nothing.
  static constexpr size_t kSendsMax = 3;
  virtual void Send(Request request, Next next) = 0;

  enum class Why {
    kNotNeeded,  // the stream did its work, or must not go on
    kStalled,    // nothing moves: what carries it is best not used again
  };
  // Gives the newest stream up. Its OnClosed may come or not.
  virtual void Close(Why why) = 0;
};

}  // namespace schleuse::client

#endif  // SCHLEUSE_CLIENT_UPLOADER_LINK_H_
