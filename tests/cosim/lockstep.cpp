#include "cosim/lockstep.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

#include "support/rtl_host.h"

namespace sagitta::cosim {

Lockstep::Lockstep(Shape shape, std::unique_ptr<RtlModel> rtl)
    : shape_(std::move(shape)), rtl_(std::move(rtl)) {
  const Case any = random_case(shape_, 0);
  const Machine machine(any.program);
  map_ = std::make_unique<RegisterMap>(machine, *rtl_);
  if (map_->bits() != SiteMap(machine.layout()).total_bits()) {
    throw std::runtime_error("not every fault site is compared");
  }
}

void Lockstep::clock() {
  rtl_->set_port("clk", 1);
  rtl_->eval();
  rtl_->set_port("clk", 0);
}

// The registers are reset by the RTL's own reset; whatever the last run left must not matter.
void Lockstep::reset(Machine& machine, const Case& c) {
  machine.reset(c.image.data());
  if (!map_->describes(machine)) throw std::runtime_error("another shape's program");
  rtl_->set_port("clk", 0);
  rtl_->set_port("reset", 1);
  rtl_->set_port("layers", c.program.layers.size());
  rtl_->set_port("dram_latency", static_cast<std::uint64_t>(c.program.memory.dram_latency));
  rtl_->set_port("dram_transfers", c.program.transfers.size());
  rtl_->set_port("results", static_cast<std::uint64_t>(c.program.logits));
  rtl_->eval();
  clock();
  rtl_->set_port("reset", 0);
  map_->clear_memories();
  results_.clear();
}

// Answers the RTL as host and DRAM.
void Lockstep::drive(const Case& c, bool dram_ready) {
  rtl_->set_port("dram_ready", dram_ready ? 1 : 0);
  rtl_->eval();
  const auto layer = static_cast<std::size_t>(rtl_->port("next_layer"));
  std::byte* descriptor = rtl_->port_bytes("next_descriptor");
  std::memset(descriptor, 0, rtl_->port_size("next_descriptor"));
  if (layer < c.program.layers.size()) {
    const auto bytes = test::pack_descriptor(c.program.layers[layer], map_->sites().classes());
    std::memcpy(descriptor, bytes.data(), bytes.size());
  }

  const auto transfer = static_cast<std::size_t>(rtl_->port("dram_transfer"));
  const bool exists = transfer < c.program.transfers.size();
  rtl_->set_port("dram_is_image", exists && c.program.transfers[transfer].is_image ? 1 : 0);
  rtl_->set_port("dram_size",
                 exists ? static_cast<std::uint64_t>(c.program.transfers[transfer].size) : 0);
  rtl_->set_port("dram_header",
                 exists ? static_cast<std::uint64_t>(c.program.transfers[transfer].header) : 0);
  test::read_dram(c.program, c.image.data(), transfer,
                  static_cast<std::int64_t>(rtl_->port("dram_position")),
                  static_cast<std::size_t>(c.program.memory.dram_bytes_per_cycle),
                  rtl_->port_bytes("dram_data"));
}

void Lockstep::take_result(const Case& c) {
  if (rtl_->port("result_valid") == 0) return;
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(rtl_->port_bytes("result"));
  const int size = c.program.array.columns * (shape_.raw_words > 0 ? 4 : 1);
  results_.insert(results_.end(), bytes, bytes + size);
}

std::optional<Mismatch> Lockstep::compare(const Machine& machine) const {
  if (const Register* r = map_->first_difference(machine)) {
    return Mismatch{machine.cycle(),
                    map_->sites().element_path(r->site.register_class, r->site.element),
                    RegisterMap::simulated(machine, *r), RegisterMap::expected(*r)};
  }
  if (machine.done() != (rtl_->port("done") != 0)) {
    return Mismatch{machine.cycle(), "done", machine.done() ? 1U : 0U, rtl_->port("done")};
  }
  if (machine.uncorrected() != (rtl_->port("uncorrected") != 0)) {
    return Mismatch{machine.cycle(), "uncorrected", machine.uncorrected() ? 1U : 0U,
                    rtl_->port("uncorrected")};
  }
  return std::nullopt;
}

// What the host received. A fault may send more beats than there are results; the host takes what
// fits.
std::optional<Mismatch> Lockstep::compare_results(const Machine& machine, const Case& c) const {
  const auto logits = static_cast<std::size_t>(c.program.logits);
  std::vector<std::uint8_t> simulated(logits * (shape_.raw_words > 0 ? 4 : 1));
  const void* source = shape_.raw_words > 0 ? static_cast<const void*>(machine.raw_output().data())
                                            : static_cast<const void*>(machine.logits().data());
  std::memcpy(simulated.data(), source, simulated.size());
  std::vector<std::uint8_t> received = results_;
  received.resize(simulated.size());
  const auto at = std::mismatch(simulated.begin(), simulated.end(), received.begin());
  if (at.first == simulated.end()) return std::nullopt;
  return Mismatch{machine.cycle(), fmt::format("result byte {}", at.first - simulated.begin()),
                  *at.first, *at.second};
}

RunResult Lockstep::run(const Case& c, const std::vector<Fault>& faults, std::int64_t budget,
                        const Watch& watch) {
  Machine machine(c.program);
  reset(machine, c);
  RunResult result;
  auto fault = faults.begin();
  for (;;) {
    const std::int64_t cycle = machine.cycle();
    for (; fault != faults.end() && fault->cycle == cycle; ++fault) {
      const Register& r = map_->at(fault->site);
      flip_bit(machine.state(), *r.registers, fault->site.element, fault->site.bit);
      machine.touch();
      r.flip_rtl(fault->site.bit);
    }
    const bool ready = c.dram_ready(cycle);
    machine.dma().set_dram_ready(ready);
    drive(c, ready);
    if (watch) watch(machine, cycle);
    result.cycles = cycle;
    result.done = machine.done();
    result.mismatch = compare(machine);
    if (result.mismatch || result.done || cycle >= budget) break;
    take_result(c);
    machine.step();
    clock();
  }
  if (!result.mismatch) result.mismatch = compare_results(machine, c);
  return result;
}

}  // namespace sagitta::cosim
