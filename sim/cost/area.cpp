#include <string>

#include "cost/components.h"
#include "cost/cost.h"
#include "cost/storage.h"

namespace sagitta {
namespace {

class Bill {
 public:
  void add(CostItem item) {
    if (item.count <= 0 || item.area_um2 <= 0) return;
    for (CostItem& known : bill_.items) {  // one line for what differs in nothing but its place
      if (known.block == item.block && known.unit == item.unit && known.what == item.what) {
        known.count += item.count;
        known.area_um2 += item.area_um2;
        return;
      }
    }
    bill_.items.push_back(std::move(item));
  }

  AreaBill finish() {
    for (const CostItem& item : bill_.items) {
      bill_.total_um2 += item.area_um2;
      bill_.block_um2[item.block] += item.area_um2;
    }
    return std::move(bill_);
  }

 private:
  AreaBill bill_;
};

}  // namespace

double AreaBill::unit_um2(const std::string& block, const std::string& unit) const {
  double sum = 0;
  for (const CostItem& item : items) {
    if (item.block == block && item.unit == unit) sum += item.area_um2;
  }
  return sum;
}

double AreaBill::without_sram_um2() const {
  double sum = 0;
  for (const CostItem& item : items) {
    if (item.kind != CostKind::sram) sum += item.area_um2;
  }
  return sum;
}

AreaBill area_of(const Program& program, const std::vector<RegisterClass>& registers,
                 const Technology& technology) {
  const OperatorLibrary lib(technology);
  // Reset leaves every flip-flop zero (MachineState::reset).
  const double flip_flop = technology.at("area.flip_flop_reset_bit");
  const double enable = technology.at("area.mux2_bit");
  const Activity idle(program, std::vector<LayerCounters>(program.layers.size() + 1), 0);
  Bill bill;
  for (const RegisterClass& r : registers) {
    const auto bits = static_cast<double>(r.bits());
    if (r.storage == Storage::sram) {
      const double bytes = memory_bits(r, registers) / 8;
      const double area = bits * lib.sram_bit_um2(bytes, sram_banks(r, program));
      bill.add({block_of(r), "SRAM bit", bits, area, unit_of(r), CostKind::sram});
      continue;
    }
    const double hardened = hardened_bits(r, program);
    bill.add({block_of(r), "flip-flop bit", bits - hardened, (bits - hardened) * flip_flop,
              unit_of(r), CostKind::flip_flop});
    bill.add({block_of(r), "hardened flip-flop bit", hardened,
              hardened * flip_flop * technology.at("area.hardened_flip_flop_ratio"), unit_of(r),
              CostKind::flip_flop});
    if (flip_flop_rule(r, program, idle).enable) {
      bill.add({block_of(r), "flip-flop enable", bits, bits * enable, unit_of(r), CostKind::logic});
    }
  }
  for (const Component& c : components_of(program, registers, technology)) {
    bill.add({c.block, c.purpose + ": " + c.op.name, c.instances, c.instances * c.op.um2, c.unit,
              CostKind::logic});
  }
  return bill.finish();
}

}  // namespace sagitta
