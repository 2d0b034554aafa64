// The simulator and the RTL, step by step with the same program, image, stalls and faults.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cosim/register_map.h"
#include "cosim/rtl_model.h"
#include "cosim/shape.h"
#include "fault/injector.h"

namespace sagitta::cosim {

struct Mismatch {
  std::int64_t cycle = 0;
  std::string what;  // a register's path, or a port
  std::uint64_t simulator = 0;
  std::uint64_t rtl = 0;
};

struct RunResult {
  std::optional<Mismatch> mismatch;
  std::int64_t cycles = 0;
  bool done = false;  // within the budget
};

class Lockstep {
 public:
  Lockstep(Shape shape, std::unique_ptr<RtlModel> rtl);

  // Runs a case until both machines are done, they differ, or `budget` cycles have passed. `fault`
  // strikes both machines. `watch` is called in every cycle, after the fault and before the clock
  // edge, for waveforms.
  using Watch = std::function<void(const Machine&, std::int64_t cycle)>;
  RunResult run(const Case& c, const std::optional<Fault>& fault, std::int64_t budget,
                const Watch& watch = nullptr);

  // Both machines have the same registers for every case of the shape.
  const RegisterMap& registers() const { return *map_; }
  const Shape& shape() const { return shape_; }

 private:
  void reset(Machine& machine, const Case& c);
  void drive(const Case& c, bool dram_ready);
  void clock();
  void take_result(const Case& c);
  std::optional<Mismatch> compare(const Machine& machine) const;
  std::optional<Mismatch> compare_results(const Machine& machine, const Case& c) const;

  Shape shape_;
  std::unique_ptr<RtlModel> rtl_;
  std::unique_ptr<RegisterMap> map_;
  std::vector<std::uint8_t> results_;  // what the RTL handed to the host, as bytes
};

}  // namespace sagitta::cosim
