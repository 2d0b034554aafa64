#include "workload/scale_sim.h"

#include <algorithm>

#include <fmt/format.h>

namespace sagitta {
namespace {

void count(SramAccesses& accesses, const PortRequests& requests, std::int64_t cycle) {
  if (requests.count == 0) return;
  if (accesses.count == 0) accesses.start = cycle;
  accesses.stop = cycle;
  accesses.count += requests.count;
}

void read(ReadBuffer& buffer, const PortRequests& requests, std::int64_t cycle) {
  for (int i = requests.first; i < requests.last; ++i) {
    const std::int64_t address = requests.address[static_cast<std::size_t>(i)];
    if (address >= 0) buffer.request(cycle, address);
  }
}

// The cycle in which the buffer answers, then an address for each port, -1 where there is none.
std::string trace_line(const PortRequests& requests, std::int64_t cycle, std::int64_t offset) {
  std::string line = fmt::format("{}", cycle);
  for (const std::int64_t address : requests.address) {
    line += address < 0 ? ",-1" : fmt::format(",{}", address + offset);
  }
  return line + "\n";
}

}  // namespace

double ScaleSimLayer::overall_utilization(int pes) const {
  return static_cast<double>(macs) / (static_cast<double>(last_cycle()) * pes);
}

std::int64_t ScaleSimLayer::cycles_with_prefetch() const {
  return ofmap_dram.stop - std::min(ifmap_dram.start, filter_dram.start);
}

ScaleSimLayer simulate_scale_sim(const TopologyLayer& layer, const ScaleSimConfig& config,
                                 const TraceSink& trace) {
  constexpr std::int64_t kReadLatency = 1;  // of a buffer
  FoldWalker walker(layer, config.dataflow, config.rows, config.columns);
  ReadBuffer ifmap(config.ifmap_words, walker.ifmap_words());
  ReadBuffer filter(config.filter_words, walker.filter_words());
  WriteBuffer ofmap(config.ofmap_words, config.columns);
  ScaleSimLayer result;
  result.name = layer.name;
  result.rows = layer.rows();
  result.depth = layer.depth();
  result.columns = layer.columns();
  result.macs = layer.macs();
  std::int64_t used_pes = 0;  // summed over folds
  while (walker.step()) {
    const std::int64_t cycle = walker.cycle();
    if (walker.folds() != result.folds) {
      result.folds = walker.folds();
      used_pes += std::int64_t{walker.used_rows()} * walker.used_columns();
    }
    count(result.ifmap, walker.ifmap(), cycle + kReadLatency);
    count(result.filter, walker.filter(), cycle + kReadLatency);
    count(result.ofmap, walker.ofmap(), cycle);
    read(ifmap, walker.ifmap(), cycle);
    read(filter, walker.filter(), cycle);
    for (int i = 0; i < walker.ofmap().count; ++i) ofmap.request(cycle);
    if (!trace) continue;
    trace("IFMAP", trace_line(walker.ifmap(), cycle + kReadLatency, config.ifmap_offset));
    trace("FILTER", trace_line(walker.filter(), cycle + kReadLatency, config.filter_offset));
    trace("OFMAP", trace_line(walker.ofmap(), cycle, config.ofmap_offset));
  }
  result.cycles = walker.cycle() + 1;
  result.ifmap_dram = ifmap.finish();
  result.filter_dram = filter.finish();
  result.ofmap_dram = ofmap.finish(result.last_cycle());

  const double pes = static_cast<double>(config.rows) * config.columns;
  const double fold_cycles = static_cast<double>(result.cycles) / static_cast<double>(result.folds);
  result.mapping_efficiency =
      static_cast<double>(used_pes) / (static_cast<double>(result.folds) * pes);
  // SCALE-Sim takes a fold with a stationary operand for C - 1 cycles longer here than it counts.
  const bool outputs = config.dataflow == Stationary::output;
  const auto time = static_cast<double>(outputs                                 ? result.depth
                                        : config.dataflow == Stationary::weight ? result.rows
                                                                                : result.columns);
  result.compute_utilization =
      result.mapping_efficiency * time / (fold_cycles + (outputs ? 0 : config.columns - 1));
  return result;
}

}  // namespace sagitta
