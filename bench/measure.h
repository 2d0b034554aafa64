// What the benchmarks share: slices of CPU time, their medians, and data.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include <CLI/CLI.hpp>

#include "base/philox.h"
#include "worker.h"

namespace sagitta::bench {

inline std::vector<std::int8_t> random_int8s(std::size_t n) {
  Stream stream(1, n, Purpose::test);
  std::vector<std::int8_t> values(n);
  for (auto& v : values) v = static_cast<std::int8_t>(stream.next());
  return values;
}

// Calls work() until that much CPU time is used up, at least once; it returns what it has done, in
// Slice::cycles.
template <typename Work>
Slice repeat_for(double seconds, const Work& work) {
  Slice slice;
  const double start = cpu_seconds();
  do {
    slice.cycles += work();
    slice.seconds = cpu_seconds() - start;
  } while (slice.seconds < seconds);
  return slice;
}

// How long everything is measured.
struct Measuring {
  int rounds;
  double seconds;
};

inline void add_measuring(CLI::App& app, Measuring& measuring) {
  app.add_option("--rounds", measuring.rounds, "How often everything is measured in turn")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--seconds", measuring.seconds, "CPU time of each slice")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
}

inline double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v.size() % 2 == 1 ? v[v.size() / 2] : (v[v.size() / 2 - 1] + v[v.size() / 2]) / 2;
}

}  // namespace sagitta::bench
