#include "tests/fuzz/mutate.h"

#include <algorithm>

namespace schleuse {
namespace {

// Where numbers and texts turn.
constexpr absl::string_view kTurns("\x00\x01\x7f\x80\xff\n +-/09AZaz=", 17);

class Mutator {
 public:
  Mutator(absl::string_view seed, absl::string_view other, Random& random)
      : bytes_(seed), other_(other), random_(random) {}

  void Change() {
    const size_t at = Below(bytes_.size() + 1);
    // Mostly short; now and then anything up to all that is there.
    const size_t length = Below(Below(8) == 0 ? bytes_.size() + 1 : 9);
    switch (Below(8)) {
      case 0:
        if (at < bytes_.size()) {
          bytes_[at] = static_cast<char>(bytes_[at] ^ (1 << Below(8)));
        }
        break;
      case 1:
        if (at < bytes_.size()) bytes_[at] = Byte();
        break;
      case 2:
        bytes_.erase(at, length);
        break;
      case 3:
        bytes_.insert(at, bytes_.substr(Below(bytes_.size() + 1), length));
        break;
      case 4:
        bytes_.insert(at, std::string(1 + Below(9), Byte()));
        break;
      case 5:
        bytes_.insert(at, Others(length));
        break;
      case 6: {  // the beginning of one, the end of the other
        bytes_.erase(at);
        bytes_.append(Others(other_.size()));
        break;
      }
      case 7:
        bytes_.erase(at);
        break;
    }
  }

  std::string bytes() && { return std::move(bytes_); }

 private:
  size_t Below(size_t bound) { return random_.Next() % bound; }
  char Byte() {
    return Below(2) == 0 ? kTurns[Below(kTurns.size())]
                         : static_cast<char>(random_.Next());
  }
  std::string Others(size_t length) {
    return std::string(other_.substr(Below(other_.size() + 1), length));
  }

  std::string bytes_;
  const absl::string_view other_;
  Random& random_;
};

}  // namespace

std::string Mutated(absl::string_view seed, absl::string_view other,
                    Random& random) {
  Mutator mutator(seed, other, random);
  for (uint64_t changes = 1 + random.Next() % 4; changes > 0; --changes) {
    mutator.Change();
  }
  return std::move(mutator).bytes();
}

}  // namespace schleuse
