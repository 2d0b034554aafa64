// A Value Change Dump (IEEE 1364-2005, clause 18) of chosen registers, for GTKWave and its like.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/file.h"
#include "fault/site.h"
#include "machine/machine.h"

namespace sagitta {

// The registers of `scope`, each whole even where only some of its bits were selected. Their paths
// give the hierarchy: "array.pe[3][4].acc" is the variable acc in the scope pe[3][4] of the scope
// array. Signed registers are of the type integer, the others of the type reg. Beside them stands
// `cycle`. One cycle is one clock period; the value at a cycle's time is that of the whole cycle.
class Waveform {
 public:
  // `runs`: names of the outermost scopes, one for each machine that is sampled.
  Waveform(OutputFile& file, const SiteMap& sites, const SiteSelection& scope,
           std::vector<std::string> runs, double clock_mhz);

  std::int64_t signals() const;  // of all runs, without `cycle`
  std::int64_t changes() const { return changes_; }

  // Bytes of a file of `cycles` cycles in which every flip-flop changes in every cycle and every
  // memory word once.
  static double estimate(const SiteMap& sites, const SiteSelection& scope, std::size_t runs,
                         std::int64_t cycles);

  // The state of `machine` at the start of `cycle`: all runs in their order, then the next cycle.
  void sample(std::size_t run, std::int64_t cycle, const Machine& machine);
  // No sample follows; `cycle` is the last one's successor.
  void end(std::int64_t cycle);

 private:
  struct Scope;
  struct Time {
    std::string unit;
    double per_cycle;  // units in a clock period
  };
  struct Run {
    bool sampled = false;
    std::vector<std::byte> pipeline, held;  // as sampled last
  };
  static Time time_of(double clock_mhz);
  void write_header(const std::vector<std::string>& names);
  void write_scope(const Scope& scope, std::size_t run, int depth);
  void write_time(std::int64_t cycle);
  void write_value(std::uint64_t value, int width, std::int64_t id);

  OutputFile& file_;
  const SiteMap& sites_;
  std::vector<SiteSelection::Run> scope_;
  std::vector<std::int64_t> first_signal_;  // of each entry of scope_
  std::int64_t signals_of_run_ = 0;
  std::vector<Run> runs_;
  Time time_;
  std::int64_t changes_ = 0;
  std::string text_;
};

}  // namespace sagitta
