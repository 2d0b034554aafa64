#include "trace/access_trace.h"

#include <algorithm>
#include <string>

#include <fmt/format.h>

namespace sagitta {
namespace {

const char* to_string(DramAccess::What what) {
  switch (what) {
    case DramAccess::What::image:
      return "image";
    case DramAccess::What::weights:
      return "weights";
    case DramAccess::What::result:
      break;
  }
  return "result";
}

}  // namespace

MemoryTrace::MemoryTrace(OutputFile& file, bool values) : file_(file), values_(values) {
  file_.write(values ? "cycle,memory,bank,access,address,count,values\n"
                     : "cycle,memory,bank,access,address,count\n");
}

double MemoryTrace::estimate(const LayerCounters& run, const ArrayShape& array, bool values) {
  constexpr double kRow = 34;     // "1234567,activation,0,read,12345,16"
  constexpr double kElement = 4;  // "-12 "
  const int width = std::max(array.columns, array.weight_lanes());
  const auto wide = static_cast<double>(run.weight_row_reads + run.activation_words + run.vectors +
                                        run.pool_taps + run.store_beats + run.dma_burst_cycles) +
                    static_cast<double>(run.partial_reads + run.partial_writes) / array.columns;
  // An element a port and cycle, if not words of banks; input stationary results, too, lie apart.
  const bool banks = run.activation_words > 0;
  auto narrow = static_cast<double>(banks ? 0 : run.activation_reads);
  if (array.has(Dataflow::is)) {
    narrow += static_cast<double>(run.activation_writes + run.accumulator_writes);
  }
  return (narrow + wide) * kRow + (values ? (narrow + wide * width) * kElement : 0);
}

void MemoryTrace::sample(Machine& machine) {
  machine.visit_memories([&](const MemoryAccess& a) {
    std::string line = fmt::format("{},{},{},{},{},{}", machine.cycle(), a.memory, a.bank,
                                   a.write ? "write" : "read", a.address, a.values.size());
    if (values_) line += fmt::format(",{}", fmt::join(a.values, " "));
    file_.write(line + "\n");
    ++rows_;
  });
}

DramTrace::DramTrace(OutputFile& file) : file_(file) {
  file_.write("cycle,access,what,transfer,offset,bytes\n");
}

void DramTrace::sample(const Machine& machine) {
  for (const DramAccess& a : machine.dram_accesses()) {
    file_.write(fmt::format("{},{},{},{},{},{}\n", machine.cycle(), a.write ? "write" : "read",
                            to_string(a.what), a.transfer, a.offset, a.bytes));
    ++rows_;
  }
}

}  // namespace sagitta
