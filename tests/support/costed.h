// A program, its machine after one run and its two bills, and how to find an item in them.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "cost/cost.h"
#include "machine/machine.h"
#include "schedule/program.h"

namespace sagitta::test {

inline constexpr double kMhz = 500;

inline const Technology& tech() {
  static const Technology technology =
      load_technology(SAGITTA_SOURCE_DIR "/configs/tech/45nm.json");
  return technology;
}

inline Protection with(bool checksum, bool range, bool gradient, bool tmr = false) {
  Protection p;
  p.checksum = checksum;
  if (range) p.checkers.push_back({.kind = CheckerKind::range});
  if (gradient) p.checkers.push_back({.kind = CheckerKind::gradient});
  if (tmr) p.pe_copies = PeCopies::all;
  return p;
}

// A program, its machine after one run, and its two bills.
struct Costed {
  explicit Costed(Program p) : program(std::move(p)), machine(program) {
    const std::vector<std::int8_t> image(static_cast<std::size_t>(program.input.elements()), 1);
    machine.reset(image.data());
    EXPECT_TRUE(machine.run(1'000'000));
    area = area_of(program, machine.layout().classes(), tech());
    energy = energy_of(program, machine.layout().classes(), machine.counters(), machine.cycle(),
                       kMhz, area, tech());
  }
  Program program;
  Machine machine;
  AreaBill area;
  EnergyBill energy;
};

inline Program gemm(int m, int k, int n, const ArrayShape& array, const Protection& protection,
                    const MemoryShape& memory = {}) {
  const std::vector<std::int8_t> b(static_cast<std::size_t>(k) * n, 1);
  return compile_gemm(m, k, n, b, array, memory, protection);
}

inline EnergyItem energy_item(const EnergyBill& bill, const std::string& block,
                              const std::string& unit, const std::string& what) {
  for (const EnergyItem& i : bill.items) {
    if (i.block == block && i.unit == unit && i.what == what) return i;
  }
  ADD_FAILURE() << "no energy item " << block << " " << unit << " " << what;
  return {};
}

}  // namespace sagitta::test
