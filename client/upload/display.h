// Shows a run to a person at a terminal, to a log or to a program. It knows
// nothing of uploads but what the board says.
#ifndef SCHLEUSE_CLIENT_UPLOAD_DISPLAY_H_
#define SCHLEUSE_CLIENT_UPLOAD_DISPLAY_H_

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/upload/board.h"
#include "client/upload/format.h"

namespace schleuse::client {

// Where lines go. A reader that went away is no reason to stop uploading: what
// cannot be written is dropped.
class Output {
 public:
  virtual ~Output() = default;
  virtual void Write(absl::string_view text) = 0;
};

class DescriptorOutput final : public Output {
 public:
  explicit DescriptorOutput(int descriptor) : descriptor_(descriptor) {}
  void Write(absl::string_view text) override;

 private:
  const int descriptor_;
  bool broken_ = false;
};

class Display {
 public:
  virtual ~Display() = default;
  virtual void OnEvent(const Board::Event& event, absl::Time now) = 0;
  // Often, some twenty times a second.
  virtual void OnTick(const Overview& overview, absl::Time now) = 0;
  virtual void OnEnd(const std::vector<View>& views, int exit_code,
                     absl::Time now) = 0;
};

// One JSON object a line.
class JsonDisplay final : public Display {
 public:
  explicit JsonDisplay(Output& out) : out_(out) {}
  void OnEvent(const Board::Event& event, absl::Time now) override;
  void OnTick(const Overview& overview, absl::Time now) override;
  void OnEnd(const std::vector<View>& views, int exit_code,
             absl::Time now) override;

 private:
  using Moved = std::array<uint64_t, 3>;  // bytes sent, durable and hashed

  Output& out_;
  std::map<size_t, Moved> written_;  // last, by recording
};

// Lines for a log: each event, and every ten seconds how far it is.
class PlainDisplay final : public Display {
 public:
  PlainDisplay(Output& out, Output& errors) : out_(out), errors_(errors) {}
  void OnEvent(const Board::Event& event, absl::Time now) override;
  void OnTick(const Overview& overview, absl::Time now) override;
  void OnEnd(const std::vector<View>& views, int exit_code,
             absl::Time now) override;

 private:
  Output& out_;
  Output& errors_;
  std::map<size_t, absl::Time> written_;  // when, by recording
};

// A bar for each recording that runs, redrawn in place; what is over scrolls
// away above them.
class BarDisplay final : public Display {
 public:
  struct Size {
    int width;
    int height;
  };
  BarDisplay(Output& out, Size (*terminal_size)())
      : out_(out), terminal_size_(terminal_size) {}
  void OnEvent(const Board::Event& event, absl::Time now) override;
  void OnTick(const Overview& overview, absl::Time now) override;
  void OnEnd(const std::vector<View>& views, int exit_code,
             absl::Time now) override;

 private:
  Output& out_;
  Size (*const terminal_size_)();
  std::string above_;  // lines that wait for the next drawing
  int drawn_ = 0;      // lines below the place where `above_` goes
  absl::Time last_;
};

}  // namespace schleuse::client

#endif  // SCHLEUSE_CLIENT_UPLOAD_DISPLAY_H_
