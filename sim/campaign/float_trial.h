// Trials on the network in real numbers (network/float_reference.h), with a scheme's checkers on
// the sums of each layer: the literature's fault model in its floating-point form. A study in
// software beside the hardware: nothing here has registers, cycles or an area.
//
// A fault inverts one bit of a sum with its bias, before the checkers. The detector behind their
// gates is exact and free: a row is flagged where a sum in it was struck (a checksum of real
// numbers would need a tolerance, so this is a bound).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "campaign/experiment.h"
#include "campaign/float_checker.h"
#include "campaign/trial.h"
#include "network/float_reference.h"

namespace sagitta {

// A network in real numbers with an int8 network of its own behind it.
std::shared_ptr<const FloatNetwork> hold_float_network(const Network& network);

// A checker of a scheme, with what is fitted: by layer of the network, of gemm layers.
struct FloatCheckerPlan {
  Checker checker;
  std::vector<std::vector<FloatBounds>> bounds;  // empty without bounds
};

// An array with a scheme, in real numbers.
struct FloatPlan {
  ArrayShape array;
  Scheme scheme;
  std::shared_ptr<const FloatNetwork> network;
  // The channels of each layer in the order that the scheme asks for. The network stays as it is:
  // the order only says which channels are neighbours.
  std::vector<ChannelOrder> channels;
  std::vector<FloatCheckerPlan> checkers;
  std::string digest;               // of everything that decides what is computed
  std::vector<int> configurations;  // indices into Experiment::configurations
};

// What a fault-free run of an image gives.
struct FloatClean {
  int image = 0;
  int predicted_class = 0;
  bool correct = false;
  std::int64_t suppressed = 0;
};

// As the store keeps it, beside the runs of machines.
CleanResult as_clean(const FloatClean& clean);
inline const CleanResult& as_clean(const CleanResult& clean) {
  return clean;
}

// Values that mean the same: equal (zeros of either sign are), or both NaN.
bool same_value(float a, float b);

class FloatEngine {
 public:
  explicit FloatEngine(const FloatPlan& plan);

  // Fault-free run of an image, which the trials that follow are compared with.
  FloatClean prepare(int image, const std::vector<std::int8_t>& codes, int label);
  // The logits of the last run.
  const std::vector<float>& logits() const { return *outputs_.back(); }

  // One trial on the prepared image. Layers that nothing has reached are the fault-free run's;
  // `whole`: they are computed all the same.
  TrialResult run_trial(std::int64_t trial, const std::vector<NeuronFault>& faults,
                        bool whole = false);

  // Whether results name the neurons that were hit; their number is always told.
  void keep_records(bool keep) { keep_records_ = keep; }

 private:
  // What the fault-free run has of a layer.
  struct Reference {
    std::vector<std::vector<float>> stages;  // gemm: the sums before each checker, then behind all
    std::vector<float> output;
    std::int64_t suppressed = 0;
  };
  struct Run;  // one trial, under way

  void run_layer(std::size_t layer, Run& run);
  void change(std::size_t layer, std::vector<float>& sums, Run& run);
  std::vector<bool> strike(std::size_t layer, std::vector<float>& sums, Run& run) const;
  const std::vector<float>& operand(std::size_t layer, std::size_t which) const;
  bool reached(std::size_t layer) const;
  void finish(const Run& run, TrialResult& result) const;

  FloatPlan plan_;
  std::vector<std::vector<FloatChecker>> checkers_;  // by layer, those of gemm layers
  std::vector<ChannelLanes> lanes_;
  bool keep_records_ = true;

  int image_ = -1;
  int label_ = 0;
  std::vector<float> input_;
  FloatClean clean_;
  std::vector<Reference> reference_;
  // The last run: where each layer's output is, the fault-free one's or one of its own.
  std::vector<const std::vector<float>*> outputs_;
  std::vector<std::vector<float>> own_;
};

}  // namespace sagitta
