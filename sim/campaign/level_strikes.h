// How faults of neurons and weights reach the machine.
#pragma once

#include <cstdint>
#include <vector>

#include "campaign/fault_levels.h"
#include "fault/injector.h"
#include "fault/site.h"
#include "machine/machine.h"
#include "network/network.h"
#include "schedule/program.h"

namespace sagitta {

// Strikes a neuron where it stands in the machine, in the first cycle in which it does: the int32
// sum in `vector.bias_add.sum[lane]`, before the checksum's comparison and the resilience unit; the
// int8 output in `vector.output.value[lane]`, on its way to the scratchpad. Told by the address
// that stands beside it, so it holds for every dataflow and however long a vector was under way.
class NeuronStrikes {
 public:
  NeuronStrikes(const SiteMap& sites, const Network& network);

  // To be called in every cycle of a fault-free run, after `forget`: notes when neurons stand where
  // they are struck.
  void forget();
  void note(const Machine& machine);

  // `keep`: whether records are wanted. `oracle`: in the same cycle each struck neuron becomes zero
  // (an int8 one its layer's zero point), as if somebody knew where the faults are.
  void begin(NeuronValues values, const std::vector<NeuronFault>& faults, bool keep,
             bool oracle = false);
  // The first cycle of the fault-free run in which one of the faults strikes; -1 without faults.
  std::int64_t first_cycle() const;
  bool pending() const { return left_ > 0; }
  // Strikes what stands in its place in this cycle.
  void strike(Machine& machine);

  std::int64_t fired() const { return fired_; }
  std::int64_t zeroed() const { return zeroed_; }                       // by the oracle
  const std::vector<FaultRecord>& records() const { return records_; }  // as they struck

 private:
  void zero(Machine& machine, const RegisterClass& registers, std::int64_t element);

  struct Place {  // of one kind of values
    int register_class = -1;
    int copies = 1;                                 // of which the first one is struck
    std::vector<std::vector<std::int32_t>> cycles;  // by layer and element; -1: not seen
  };
  static int class_of(const SiteMap& sites, const std::string& path);
  Place& place(NeuronValues values) { return values == NeuronValues::int32 ? sums_ : outputs_; }
  template <typename Visit>
  static void each_lane(const Machine& machine, std::int32_t address, std::size_t elements,
                        const Visit& visit);

  const SiteMap* sites_;
  Place sums_, outputs_;
  NeuronValues values_ = NeuronValues::int8;
  std::vector<NeuronFault> faults_;
  std::vector<std::vector<std::uint32_t>> bits_;  // to be flipped, by layer and element
  std::int64_t left_ = 0;
  std::int64_t fired_ = 0;
  std::int64_t zeroed_ = 0;
  bool keep_ = true;
  bool oracle_ = false;
  std::vector<FaultRecord> records_;
};

// A real number that was struck (float_trial.h), before and after this one of its bits.
struct FloatRecord {
  NeuronFault fault;
  bool fired = false;
  float before = 0, after = 0;
};

struct WeightRecord {
  WeightFault fault;
  bool fired = false;  // DMA delivered the weight
  int before = 0, after = 0;
};

// Flips weights in DRAM: in the program's images of the column tiles, before the run, so that DMA
// brings them as they are. The checksum's weights beside them are those of the true ones.
class WeightFlips {
 public:
  // Changes the program, which the machine reads, for one run.
  WeightFlips(Program& program, const Network& network);
  ~WeightFlips() { undo(); }
  WeightFlips(const WeightFlips&) = delete;
  WeightFlips& operator=(const WeightFlips&) = delete;

  // As NeuronStrikes: when transfers begin to arrive in a fault-free run.
  void forget();
  void note(const Machine& machine);

  void apply(const std::vector<WeightFault>& faults);
  void undo();
  std::int64_t first_cycle() const;
  // All weights that were flipped have been delivered.
  bool delivered(const Machine& machine) const;
  // What became of each, at the end of the run.
  std::vector<WeightRecord> records(const Machine& machine) const;
  std::int64_t fired(const Machine& machine) const;

 private:
  struct Flip {
    WeightFault fault;
    int transfer;
    std::size_t byte;
    int before, after;
  };
  static bool delivered(const Machine& machine, int transfer);

  Program* program_;
  const Network* network_;
  // Of each gemm layer: its column tiles, and which of them each channel belongs to.
  std::vector<std::vector<ColumnTile>> tiles_;
  std::vector<std::vector<int>> tile_of_;
  std::vector<std::int64_t> arrival_;  // by transfer; -1: not seen
  std::vector<Flip> flips_;
};

}  // namespace sagitta
