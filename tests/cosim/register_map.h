// Where each register of the simulator lies in the RTL. rtl/README.md has the rules, kAliases in
// register_map.cpp the exceptions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/registers.h"
#include "cosim/rtl_model.h"
#include "fault/site.h"
#include "machine/machine.h"

namespace sagitta::cosim {

// One element of a register class in both machines.
struct Register {
  Site site;  // bit 0
  const RegisterClass* registers = nullptr;
  std::size_t offset = 0;     // bytes from the start of the simulator's region
  std::byte* rtl = nullptr;   // byte that holds the element's lowest bit
  int shift = 0;              // of the lowest bit within that byte
  std::size_t rtl_bytes = 1;  // that hold the element

  std::uint64_t rtl_value() const;  // zero-extended
  void flip_rtl(int bit) const;
};

// A register or memory of the RTL, and how many of its bits are fault sites.
struct RtlRegister {
  std::string name;  // hierarchical, below the top module
  int register_class = 0;
  std::int64_t bits = 0;
};

class RegisterMap {
 public:
  // Throws std::runtime_error for a register that the RTL does not have, has in another size, or
  // that shares bits with another one.
  RegisterMap(const Machine& machine, RtlModel& rtl);

  const SiteMap& sites() const { return sites_; }
  const std::vector<Register>& registers() const { return registers_; }
  const std::vector<RtlRegister>& rtl_registers() const { return rtl_registers_; }
  const Register& at(const Site& site) const;
  std::int64_t bits() const { return bits_; }

  // Whether another machine of the same shape has the same registers in the same places.
  bool describes(const Machine& machine) const;
  // SRAMs have no reset: a run starts from zeros in both machines.
  void clear_memories() const;

  // The first register that differs in this cycle, or nullptr. Compares every bit of every
  // register and memory, and that the simulator's state is nothing else than its declared bits.
  const Register* first_difference(const Machine& machine) const;
  // What the simulator should hold where the RTL holds `rtl_value`, and what it does hold.
  static std::uint64_t expected(const Register& r);
  static std::uint64_t simulated(const Machine& machine, const Register& r);

 private:
  // Bytes that are laid out alike in both machines: compared as one.
  struct Block {
    std::size_t first;  // register
    std::size_t count;
    Region region;
    std::size_t offset;
    const std::byte* rtl;
    std::size_t bytes;
  };
  void add_block(std::size_t index);
  void check_overlaps() const;

  SiteMap sites_;
  std::vector<Register> registers_;
  std::vector<RtlRegister> rtl_registers_;
  std::vector<std::size_t> first_;  // of each class
  std::vector<Block> blocks_;
  std::vector<std::size_t> singles_;  // registers in no block
  std::int64_t bits_ = 0;
};

}  // namespace sagitta::cosim
