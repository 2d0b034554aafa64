// Area, energy and latency proxies of a configuration, from a technology file whose numbers carry
// their sources. docs/cost.md says how they are composed.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/counters.h"
#include "base/registers.h"
#include "schedule/program.h"

namespace sagitta {

// A technology file (configs/schema/tech.schema.json): group.key -> value.
struct Technology {
  std::string name;
  std::string path;
  std::string digest;
  int node_nm = 0;
  double supply_v = 0;
  std::map<std::string, double> values;  // "area.flip_flop_bit" -> 4.522
  double at(const std::string& key) const;  // throws InputError naming file and key
};

Technology load_technology(const std::string& path);

// One line of the bill: a component of a block.
struct CostItem {
  std::string block;  // array, control, memory, vector, resilience
  std::string what;   // "8 x 8 multipliers", "flip-flops", ...
  double count = 0;
  double area_um2 = 0;
};

struct AreaBill {
  std::vector<CostItem> items;
  double total_um2 = 0;
  std::map<std::string, double> block_um2;
};

// Flip-flops and SRAM bits are counted from the machine's own register declarations; arithmetic
// and multiplexers follow from the program's shape and protection.
AreaBill area_of(const Program& program, const std::vector<RegisterClass>& registers,
                 const Technology& technology);

struct EnergyBill {
  std::map<std::string, double> block_pj;  // array, memory, dram, vector, resilience, leakage, ...
  double total_pj = 0;
};

// Energy of one inference with these counts (all layers, then what is outside of layers) in
// `cycles` at `clock_mhz`.
EnergyBill energy_of(const Program& program, const std::vector<RegisterClass>& registers,
                     const std::vector<LayerCounters>& counters, std::int64_t cycles,
                     double clock_mhz, const AreaBill& area, const Technology& technology);

}  // namespace sagitta
