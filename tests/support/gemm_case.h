// One int8 matrix product on the machine, with faults, and what plain arithmetic says about it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "support/machine_cases.h"

namespace sagitta::test {

struct GemmCase {
  int m, k, n;
  std::vector<std::int8_t> a, b;  // row-major
  Program program;

  // No operand is zero, so that every product that a flip touches changes.
  GemmCase(Random& random, int m_, int k_, int n_, const ArrayShape& array,
           const Protection& protection = {}, int partial_rows = 0)
      : m(m_), k(k_), n(n_), a(nonzero(random, m_ * k_)), b(nonzero(random, k_ * n_)) {
    MemoryShape memory;
    memory.dram_latency = 0;
    memory.dram_bytes_per_cycle = 1024;
    memory.activation_bytes = m * std::max(k, n);
    const bool is = array.dataflow == Dataflow::is;
    memory.weight_rows = is ? (k + array.rows - 1) / array.rows * n : k;
    memory.partial_rows = partial_rows;
    program = compile_gemm(m, k, n, b, array, memory, protection);
  }

  std::int8_t a_at(int row, int depth) const {
    return a[static_cast<std::size_t>(row * k + depth)];
  }
  std::int8_t b_at(int depth, int column) const {
    return b[static_cast<std::size_t>(depth * n + column)];
  }
  std::size_t at(int row, int column) const { return static_cast<std::size_t>(row * n + column); }

  std::vector<std::int32_t> product() const {
    std::vector<std::int32_t> result(static_cast<std::size_t>(m * n));
    for (int r = 0; r < m; ++r) {
      for (int c = 0; c < n; ++c) {
        for (int d = 0; d < k; ++d) result[at(r, c)] += a_at(r, d) * b_at(d, c);
      }
    }
    return result;
  }

 private:
  static std::vector<std::int8_t> nonzero(Random& random, int count) {
    auto values = random.int8s(count);
    for (auto& v : values) {
      while (v == 0) v = random.int8();
    }
    return values;
  }
};

// One machine that is run again and again with other faults, each time from a snapshot shortly
// before the first of them.
class FaultyRuns {
 public:
  // `always`: paths of faults that strike in every run, the clean one included, as SITE and cycle.
  FaultyRuns(const Program& program, const std::vector<std::int8_t>& image,
             const std::vector<std::pair<std::string, std::int64_t>>& always = {})
      : machine_(program), sites_(machine_.layout()) {
    for (const auto& [path, cycle] : always) always_.push_back({site(path), cycle});
    Injector injector(sites_, always_);
    machine_.record_tiles(true);
    machine_.reset(image.data());
    while (!machine_.done()) {
      machine_.save(snapshots_.emplace_back());
      if (injector.next_cycle() == machine_.cycle()) {
        injector.strike(machine_.state(), machine_.cycle());
        machine_.touch();
      }
      machine_.step();
    }
    cycles_ = machine_.cycle();
    tiles_ = machine_.tiles();
    machine_.save(clean_);
    clean_uncorrected_ = machine_.uncorrected();
    machine_.record_tiles(false);
  }

  // Cycles of the clean run; a fault may strike in 0 .. cycles() - 1.
  std::int64_t cycles() const { return cycles_; }
  const std::vector<TileRecord>& tiles() const { return tiles_; }
  const SiteMap& sites() const { return sites_; }
  const Machine& machine() const { return machine_; }
  const Machine::Snapshot& clean() const { return clean_; }
  const std::vector<std::int32_t>& clean_raw() const { return clean_.raw_output; }

  Site site(const std::string& path) const { return sites_.parse(path, "", ""); }

  // True when done within `budget` (0: twice the clean run and a little).
  bool run(std::vector<Fault> faults, std::int64_t budget = 0) {
    const std::int64_t first =
        std::min_element(faults.begin(), faults.end(), [](const Fault& x, const Fault& y) {
          return x.cycle < y.cycle;
        })->cycle;
    std::copy_if(always_.begin(), always_.end(), std::back_inserter(faults),
                 [first](const Fault& f) { return f.cycle >= first; });
    Injector injector(sites_, std::move(faults));
    machine_.restore(snapshots_[static_cast<std::size_t>(first)]);
    return run_with(machine_, injector, budget > 0 ? budget : 2 * cycles_ + 100);
  }

  // Anything that a user sees: results, counts, cycles, suppressions.
  bool visible() const {
    if (machine_.cycle() != clean_.cycle || machine_.logits() != clean_.logits) return true;
    if (machine_.raw_output() != clean_.raw_output) return true;
    if (machine_.uncorrected() != clean_uncorrected_) return true;
    if (machine_.suppressions().size() != clean_.suppressions.size()) return true;
    for (std::size_t i = 0; i < clean_.suppressions.size(); ++i) {
      const auto& x = machine_.suppressions()[i];
      const auto& y = clean_.suppressions[i];
      if (x.layer != y.layer || x.address != y.address || x.value != y.value) return true;
    }
    return !std::equal(clean_.counters.begin(), clean_.counters.end(), machine_.counters().begin(),
                       same_counters);
  }

 private:
  Machine machine_;
  SiteMap sites_;
  std::vector<Fault> always_;
  std::vector<Machine::Snapshot> snapshots_;
  Machine::Snapshot clean_;
  bool clean_uncorrected_ = false;
  std::vector<TileRecord> tiles_;
  std::int64_t cycles_ = 0;
};

}  // namespace sagitta::test
