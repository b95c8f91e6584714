// Random numbers, from outside, so that the simulator can repeat a run.
#ifndef SCHLEUSE_BASE_RANDOM_H_
#define SCHLEUSE_BASE_RANDOM_H_

#include <cstdint>
#include <random>

namespace schleuse {

// Safe to call from many threads unless an implementation says otherwise.
class Random {
 public:
  virtual ~Random() = default;
  virtual uint64_t Next() = 0;

  // Uniform in [0, 1).
  double NextFraction() {
    return static_cast<double>(Next() >> 11) * 0x1.0p-53;
  }
};

// The kernel's generator (getrandom(2)): unpredictable, fit for identifiers.
class SystemRandom final : public Random {
 public:
  uint64_t Next() override;
};

// Repeats itself by its seed. One thread at a time.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(uint64_t seed) : engine_(seed) {}
  uint64_t Next() override { return engine_(); }

 private:
  std::mt19937_64 engine_;
};

}  // namespace schleuse

#endif  // SCHLEUSE_BASE_RANDOM_H_
