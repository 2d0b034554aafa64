#include <stdexcept>
#include <string>

#include "cost/activity.h"
#include "cost/components.h"
#include "cost/cost.h"
#include "cost/storage.h"

namespace sagitta {
namespace {

class Bill {
 public:
  void add(const std::string& block, const std::string& unit, const std::string& what, double count,
           double pj_each) {
    if (count <= 0) return;
    for (EnergyItem& known : bill_.items) {
      if (known.block == block && known.unit == unit && known.what == what) {
        known.count += count;
        known.pj += count * pj_each;
        return;
      }
    }
    bill_.items.push_back({block, unit, what, count, count * pj_each});
  }

  EnergyBill finish() {
    for (const EnergyItem& item : bill_.items) {
      bill_.total_pj += item.pj;
      bill_.block_pj[item.block] += item.pj;
    }
    return std::move(bill_);
  }

 private:
  EnergyBill bill_;
};

void add_flip_flops(Bill& bill, const RegisterClass& r, const Program& program,
                    const Activity& activity, const Technology& technology) {
  const auto bits = static_cast<double>(r.bits());
  const FlipFlopRule rule = flip_flop_rule(r, program, activity);
  const std::string unruled = rule.known ? "" : " (no rule: every cycle)";
  // No clock gating: every flip-flop is clocked in every cycle. Data is taken as random: a bit
  // changes in half of its loads.
  const double hardened = hardened_bits(r, program);
  const auto add = [&](const std::string& cell, double n, double ratio) {
    bill.add(block_of(r), unit_of(r), cell + " clock", n * activity.of(Event::cycle),
             technology.at("energy.flip_flop_clock_bit") * ratio);
    bill.add(block_of(r), unit_of(r), cell + " toggle" + unruled, 0.5 * n * rule.loads,
             technology.at("energy.flip_flop_toggle_bit") * ratio);
  };
  add("flip-flop", bits - hardened, 1);
  add("hardened flip-flop", hardened, technology.at("energy.hardened_flip_flop_ratio"));
  if (rule.enable) {
    bill.add(block_of(r), unit_of(r), "flip-flop enable", bits * rule.loads,
             technology.at("energy.mux2_bit"));
  }
}

void add_sram(Bill& bill, const RegisterClass& r, const std::vector<RegisterClass>& registers,
              const Program& program, const Activity& activity, const OperatorLibrary& lib) {
  const double bytes = memory_bits(r, registers) / 8;
  for (const SramAccess& a : sram_accesses(r, program, activity)) {
    bill.add(
        block_of(r), unit_of(r), a.write ? "SRAM bit written" : "SRAM bit read", a.bits,
        a.write ? lib.sram_write_bit_pj(a.width, bytes) : lib.sram_read_bit_pj(a.width, bytes));
  }
}

// Static power is spent all the time by what the area bill has: um2 of logic, bits of storage.
void add_leakage(Bill& bill, const std::vector<RegisterClass>& registers, const Program& program,
                 const AreaBill& area, double microseconds, const Technology& technology) {
  const double pj_per_nw = microseconds * 1e-3;  // 1 nW x 1 us = 10^-3 pJ
  for (const CostItem& item : area.items) {
    if (item.kind != CostKind::logic) continue;
    bill.add("leakage", item.block, "um2 of logic", item.area_um2,
             technology.at("leakage.logic_um2") * pj_per_nw);
  }
  for (const RegisterClass& r : registers) {
    const bool sram = r.storage == Storage::sram;
    const double nw = technology.at(sram ? "leakage.sram_bit" : "leakage.flip_flop_bit");
    const double hardened = hardened_bits(r, program);
    bill.add("leakage", block_of(r), sram ? "SRAM bit" : "flip-flop bit",
             static_cast<double>(r.bits()) - hardened, nw * pj_per_nw);
    bill.add("leakage", block_of(r), "hardened flip-flop bit", hardened,
             nw * pj_per_nw * technology.at("energy.hardened_flip_flop_ratio"));
  }
}

}  // namespace

EnergyBill energy_of(const Program& program, const std::vector<RegisterClass>& registers,
                     const std::vector<LayerCounters>& counters, std::int64_t cycles,
                     double clock_mhz, const AreaBill& area, const Technology& technology) {
  if (!(clock_mhz > 0)) throw std::invalid_argument("energy needs a clock above 0 MHz");
  const Activity activity(program, counters, cycles);
  const OperatorLibrary lib(technology);
  Bill bill;
  for (const RegisterClass& r : registers) {
    if (r.storage == Storage::sram) {
      add_sram(bill, r, registers, program, activity, lib);
    } else {
      add_flip_flops(bill, r, program, activity, technology);
    }
  }
  for (const Component& c : components_of(program, registers, technology)) {
    bill.add(c.block, c.unit, c.purpose + ": " + c.op.name,
             activity.of(c.event, c.member) * c.per_event, c.op.pj);
  }
  const double dram = technology.at("energy.dram_bit");
  bill.add("dram", "dram", "bit read", 8 * activity.dma_bytes(), dram);
  const double result_bytes = program.logits * (program.raw_output ? 4.0 : 1.0);
  bill.add("dram", "dram", "bit written", 8 * activity.inferences() * result_bytes, dram);
  add_leakage(bill, registers, program, area, activity.of(Event::cycle) / clock_mhz, technology);
  return bill.finish();
}

}  // namespace sagitta
