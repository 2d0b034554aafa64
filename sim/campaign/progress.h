// How far a run is.
#pragma once

#include <cstdint>
#include <functional>

namespace sagitta {

struct ProgressState {
  std::int64_t done = 0;  // units of work, of `total`
  std::int64_t total = 0;
  bool grows = false;       // what is done may still add to `total`
  std::int64_t before = 0;  // of those done, what an earlier run had left
  double seconds = 0;       // since this run began
  // Trials of uniform samples that are done, and how many of them ended in silent data corruption.
  std::int64_t trials = 0;
  std::int64_t sdc = 0;
};

// Called some ten times a second while there is work, and at the end.
using Progress = std::function<void(const ProgressState&)>;

}  // namespace sagitta
