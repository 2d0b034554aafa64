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
  // "soft_error.sram", "soft_error.flip_flop", in FIT/Mbit, are there only if the file has them.
  bool has(const std::string& key) const { return values.contains(key); }
  double at(const std::string& key) const;  // throws InputError naming file and key
};

// Throws InputError (file, JSON path, problem, remedy) for anything that the schema refuses.
Technology load_technology(const std::string& path);

// What an item is made of; leakage differs between them.
enum class CostKind : std::uint8_t { logic, flip_flop, sram };

// One line of the bill: a component of a block.
struct CostItem {
  std::string block;  // array, control, memory, vector, resilience
  std::string what;   // "8 x 8 multiplier", "flip-flop bit", ...
  double count = 0;
  double area_um2 = 0;  // of all of them
  std::string unit;     // part of the block: pe, skew_a, sequencer, checksum, gradient, ...
  CostKind kind = CostKind::logic;
};

struct AreaBill {
  std::vector<CostItem> items;
  double total_um2 = 0;
  std::map<std::string, double> block_um2;
  double unit_um2(const std::string& block, const std::string& unit) const;  // 0: there is none
  // Memory macros aside: the ground on which papers that keep memories out report overheads.
  double without_sram_um2() const;
};

// Flip-flops and SRAM bits are counted from the machine's own register declarations; arithmetic
// and multiplexers follow from the program's shape and protection.
AreaBill area_of(const Program& program, const std::vector<RegisterClass>& registers,
                 const Technology& technology);

// One line of the energy bill.
struct EnergyItem {
  std::string block;  // as in CostItem, then dram and leakage
  std::string unit;
  std::string what;
  double count = 0;  // evaluations, bits clocked or moved; um2 or bits that leak
  double pj = 0;
};

struct EnergyBill {
  std::vector<EnergyItem> items;
  std::map<std::string, double> block_pj;
  double total_pj = 0;
};

// Energy of one inference with these counts (all layers, then what is outside of layers) in
// `cycles` at `clock_mhz`. Throws std::invalid_argument unless `counters` has one entry a layer and
// one more, and the clock is above 0.
EnergyBill energy_of(const Program& program, const std::vector<RegisterClass>& registers,
                     const std::vector<LayerCounters>& counters, std::int64_t cycles,
                     double clock_mhz, const AreaBill& area, const Technology& technology);

}  // namespace sagitta
