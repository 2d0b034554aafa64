#include "campaign/float_trial.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

namespace sagitta {
namespace {

// Bit for bit, so that what follows from them is the same, too.
bool identical(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), sizeof(float) * a.size()) == 0;
}

bool same_values(const std::vector<float>& a, const std::vector<float>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), same_value);
}

// The gate of a layer opens with its first flagged row and stays open behind it.
std::vector<bool> open_rows(Gate gate, std::vector<bool> flagged) {
  if (gate == Gate::always) return {};
  if (gate == Gate::layer) {
    std::fill(std::find(flagged.begin(), flagged.end(), true), flagged.end(), true);
  }
  return flagged;
}

}  // namespace

std::shared_ptr<const FloatNetwork> hold_float_network(const Network& network) {
  struct Held {
    explicit Held(const Network& n) : network(n), real(network) {}
    Network network;
    FloatNetwork real;
  };
  const auto held = std::make_shared<const Held>(network);
  return {held, &held->real};
}

CleanResult as_clean(const FloatClean& clean) {
  CleanResult result;
  result.image = clean.image;
  result.correct = clean.correct;
  result.suppressed = clean.suppressed;
  return result;
}

bool same_value(float a, float b) {
  return a == b || (std::isnan(a) && std::isnan(b));
}

struct FloatEngine::Run {
  enum class Reach { none, activation, output };

  bool clean = false;                              // the fault-free one: fills reference_
  bool whole = false;                              // without shortcuts
  std::vector<std::vector<NeuronFault>> faults{};  // by layer
  Reach reach = Reach::none;                       // how far a difference came
  std::int64_t fired = 0, zeroed = 0, suppressed = 0, right = 0, wrong = 0;
  std::vector<FloatRecord> records{};
};

FloatEngine::FloatEngine(const FloatPlan& plan) : plan_(plan) {
  const Network& network = plan_.network->network();
  checkers_.resize(network.layers.size());
  reference_.resize(network.layers.size());
  outputs_.resize(network.layers.size());
  own_.resize(network.layers.size());
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const bool gemm = network.layers[l].kind == LayerKind::gemm;
    lanes_.emplace_back(network.layers[l], plan_.array,
                        gemm ? plan_.channels.at(l) : ChannelOrder{});
    for (const FloatCheckerPlan& c : plan_.checkers) {
      if (!gemm) continue;
      checkers_[l].emplace_back(
          c.checker, lanes_.back(),
          c.checker.has_bounds() ? c.bounds.at(l) : std::vector<FloatBounds>{});
    }
  }
}

FloatClean FloatEngine::prepare(int image, const std::vector<std::int8_t>& codes, int label) {
  image_ = image;
  label_ = label;
  input_ = plan_.network->input(codes);
  Run run{.clean = true, .whole = true};
  run.faults.resize(reference_.size());
  for (std::size_t l = 0; l < reference_.size(); ++l) {
    reference_[l] = {};
    const std::int64_t before = run.suppressed;
    run_layer(l, run);
    reference_[l].output = own_[l];
    reference_[l].suppressed = run.suppressed - before;
    outputs_[l] = &reference_[l].output;
  }
  clean_.image = image;
  clean_.predicted_class = top1(logits());
  clean_.correct = clean_.predicted_class == label;
  clean_.suppressed = run.suppressed;
  return clean_;
}

const std::vector<float>& FloatEngine::operand(std::size_t layer, std::size_t which) const {
  const int from = plan_.network->network().source(layer, which);
  return from < 0 ? input_ : *outputs_[static_cast<std::size_t>(from)];
}

// Whether an operand of the layer differs from the fault-free run's.
bool FloatEngine::reached(std::size_t layer) const {
  const Network& network = plan_.network->network();
  const std::size_t operands = network.layers[layer].kind == LayerKind::add ? 2 : 1;
  for (std::size_t i = 0; i < operands; ++i) {
    const int from = network.source(layer, i);
    const auto l = static_cast<std::size_t>(from);
    if (from >= 0 && outputs_[l] != &reference_[l].output) return true;
  }
  return false;
}

void FloatEngine::run_layer(std::size_t layer, Run& run) {
  const bool adds = plan_.network->network().layers[layer].kind == LayerKind::add;
  own_[layer] =
      plan_.network
          ->run_layer(layer, operand(layer, 0), adds ? operand(layer, 1) : std::vector<float>{},
                      [&](std::size_t l, std::vector<float>& sums) { change(l, sums, run); })
          .output;
}

// Flips what is to be struck in a layer; returns the flagged rows.
std::vector<bool> FloatEngine::strike(std::size_t layer, std::vector<float>& sums, Run& run) const {
  std::vector<bool> flagged(static_cast<std::size_t>(lanes_[layer].rows()), false);
  const std::vector<NeuronFault>& faults = run.faults[layer];
  if (faults.empty()) return flagged;
  std::vector<std::uint32_t> flips(sums.size(), 0);  // of each sum; two of the same bit cancel
  for (const NeuronFault& f : faults) {
    flips.at(static_cast<std::size_t>(f.element)) ^= 1U << f.bit;
  }
  for (const NeuronFault& f : faults) {
    const auto at = static_cast<std::size_t>(f.element);
    const std::uint32_t bit = flips[at] & 1U << f.bit;
    const float before = sums[at];
    sums[at] = std::bit_cast<float>(std::bit_cast<std::uint32_t>(before) ^ bit);
    if (keep_records_) run.records.push_back({f, bit != 0, before, sums[at]});
    if (bit == 0) continue;
    flips[at] ^= bit;
    flagged[static_cast<std::size_t>(lanes_[layer].row_of()[at])] = true;
    ++run.fired;
  }
  if (!plan_.scheme.oracle) return flagged;
  std::vector<bool> zeroed(sums.size(), false);
  for (const NeuronFault& f : faults) {
    const auto at = static_cast<std::size_t>(f.element);
    if (!zeroed[at]) ++run.zeroed;
    zeroed[at] = true;
    sums[at] = 0;
  }
  return flagged;
}

void FloatEngine::change(std::size_t layer, std::vector<float>& sums, Run& run) {
  const std::vector<bool> flagged = strike(layer, sums, run);
  std::vector<std::vector<float>>& stages = reference_[layer].stages;
  if (run.clean) stages.push_back(sums);
  if (!run.clean && !same_values(sums, stages.front())) {
    run.reach = std::max(run.reach, Run::Reach::activation);
  }
  for (std::size_t i = 0; i < checkers_[layer].size(); ++i) {
    const Gate gate = plan_.checkers[i].checker.gate;
    for (const auto& [element, value] :
         checkers_[layer][i].replacements(sums, open_rows(gate, flagged))) {
      float& sum = sums[static_cast<std::size_t>(element)];
      const bool right = !same_value(sum, stages[i][static_cast<std::size_t>(element)]);
      ++(right ? run.right : run.wrong);
      ++run.suppressed;
      sum = value;
    }
    if (run.clean) stages.push_back(sums);
  }
}

TrialResult FloatEngine::run_trial(std::int64_t trial, const std::vector<NeuronFault>& faults,
                                   bool whole) {
  Run run{.whole = whole};
  run.faults.resize(reference_.size());
  for (const NeuronFault& f : faults) {
    run.faults.at(static_cast<std::size_t>(f.layer)).push_back(f);
  }
  for (std::size_t l = 0; l < reference_.size(); ++l) {
    outputs_[l] = &reference_[l].output;
    if (!run.whole && run.faults[l].empty() && !reached(l)) {
      run.suppressed += reference_[l].suppressed;
      run.wrong += reference_[l].suppressed;
      continue;
    }
    run_layer(l, run);
    if (identical(own_[l], reference_[l].output)) continue;
    outputs_[l] = &own_[l];
    if (!same_values(own_[l], reference_[l].output)) run.reach = Run::Reach::output;
  }
  TrialResult result;
  result.road = Road::software;
  result.trial = trial;
  result.faults_drawn = static_cast<std::int64_t>(faults.size());
  finish(run, result);
  return result;
}

void FloatEngine::finish(const Run& run, TrialResult& result) const {
  const std::vector<float>& reference = reference_.back().output;
  result.image = image_;
  result.reference_class = clean_.predicted_class;
  result.reference_correct = clean_.correct;
  result.faults_fired = run.fired;
  result.suppressed_right = run.right + run.zeroed;
  result.suppressed_wrong = run.wrong;
  result.floats = run.records;
  result.predicted_class = top1(logits());
  result.correct = result.predicted_class == label_;
  if (run.fired == 0) {
    result.outcome = Outcome::not_fired;
  } else if (!same_values(logits(), reference)) {
    result.outcome = compare_logits(reference, logits(), label_);
  } else if (run.suppressed > clean_.suppressed || run.zeroed > 0) {
    result.outcome = Outcome::detected_corrected;
  } else if (run.reach == Run::Reach::output) {
    result.outcome = Outcome::masked_downstream;
  } else if (run.reach == Run::Reach::activation) {
    result.outcome = Outcome::masked_activation;
  } else {
    result.outcome = Outcome::masked_logical;
  }
}

}  // namespace sagitta
