// The roster in force now: it can be replaced while the gateway runs.
#ifndef SCHLEUSE_GATEWAY_ACCESS_ROSTER_SOURCE_H_
#define SCHLEUSE_GATEWAY_ACCESS_ROSTER_SOURCE_H_

#include <memory>
#include <utility>

#include "gateway/access/roster.h"

namespace schleuse {

// Safe to call from many threads.
class RosterSource {
 public:
  virtual ~RosterSource() = default;
  // Shared: who decides by it may still do so when the next one is in force.
  virtual std::shared_ptr<const Roster> Current() const = 0;
};

// A roster that stays.
class FixedRoster final : public RosterSource {
 public:
  explicit FixedRoster(Roster roster)
      : roster_(std::make_shared<const Roster>(std::move(roster))) {}
  std::shared_ptr<const Roster> Current() const override { return roster_; }

 private:
  const std::shared_ptr<const Roster> roster_;
};

}  // namespace schleuse

#endif  // SCHLEUSE_GATEWAY_ACCESS_ROSTER_SOURCE_H_
