// What memories and DRAM did, as CSV: one row an access. docs/formats.md has the columns.
#pragma once

#include "base/file.h"
#include "machine/machine.h"

namespace sagitta {

class MemoryTrace {
 public:
  // `values`: whether each row lists the elements that it reads or writes.
  MemoryTrace(OutputFile& file, bool values);
  // About how many bytes the trace of a whole run has that counted this much, by layer.
  static double estimate(const std::vector<LayerCounters>& counters, const Program& program,
                         bool values);
  // To be called before the machine's step.
  void sample(Machine& machine);
  std::int64_t rows() const { return rows_; }

 private:
  OutputFile& file_;
  bool values_;
  std::int64_t rows_ = 0;
};

class DramTrace {
 public:
  explicit DramTrace(OutputFile& file);
  void sample(const Machine& machine);
  std::int64_t rows() const { return rows_; }

 private:
  OutputFile& file_;
  std::int64_t rows_ = 0;
};

}  // namespace sagitta
