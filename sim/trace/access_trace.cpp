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

double MemoryTrace::estimate(const std::vector<LayerCounters>& counters, const Program& program,
                             bool values) {
  // "12345,activation,0,read,1234,16" but for the cycle; and of each element " -12", or a sum.
  constexpr double kRow = 26;
  constexpr double kElement = 3.6;
  constexpr double kSum = 7;
  std::int64_t cycles = 0;
  for (const LayerCounters& c : counters) cycles += c.cycles;
  const double row = kRow + static_cast<double>(std::to_string(cycles).size());
  const double columns = program.array.columns;
  double bytes = 0;
  const auto add = [&](double rows, double elements, double element) {
    bytes += rows * (row + (values ? elements * element : 0));
  };
  for (std::size_t l = 0; l < counters.size(); ++l) {
    const LayerCounters& c = counters[l];
    const auto of = [](std::int64_t count) { return static_cast<double>(count); };
    // Reads of the activations: whole words of banks; or an element a port of the array, a vector
    // for pooling and for the host.
    if (program.memory.activation_banks > 0) {
      add(of(c.activation_words), program.memory.activation_port_bytes, kElement);
    } else {
      if (c.feed_cycles > 0) add(of(c.activation_reads), 1, kElement);
      add(of(c.pool_taps + c.store_beats), columns, kElement);
    }
    add(of(c.weight_row_reads), program.array.weight_lanes(), kElement);
    if (program.checksum_bytes() > 0) add(of(c.weight_row_reads), 2, kElement);
    // Results: a vector at a time, but those of an input-stationary layer lie apart.
    const bool apart =
        c.feed_cycles > 0 && l < program.layers.size() && program.dataflow(l) == Dataflow::is;
    const double neighbours = apart ? 1 : columns;
    add(of(c.activation_writes + c.accumulator_writes) / neighbours, neighbours,
        c.accumulator_writes > 0 ? kSum : kElement);
    add(of(c.partial_reads + c.partial_writes) / columns, columns, kSum);
    if (program.protection.passes > 1) {  // two rows read in each pass, one kept in two of three
      add(of(c.vectors) * (2.0 * program.protection.passes + 2), columns, kSum);
    }
    if (program.protection.column_checksum) {  // each row waits in the buffer
      add(of(c.vectors) * 2, columns + 2, kSum);
    }
    // Checkers of maps hold vectors back where they have three neighbours.
    if (l < program.layers.size() && program.layers[l].map_lines != 0) {
      add(2 * of(c.vectors) * program.protection.maps(), columns, kSum);
    }
    if (program.parameters.neuron_words > 0) {  // a neuron's bounds are read beside each vector
      add(of(c.vectors), 4.0 * columns * program.parameters.neuron_words, kElement);
    }
    add(of(c.dma_burst_cycles), program.memory.dram_bytes_per_cycle, kElement);
  }
  return bytes;
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
