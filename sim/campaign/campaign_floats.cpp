// Campaign's studies in real numbers: configurations without a machine.
#include <utility>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/error.h"
#include "campaign/campaign.h"
#include "campaign/dataflows.h"

namespace sagitta {
namespace {

// Everything that decides what is computed, and nothing else.
std::string study_digest(const FloatPlan& plan, const Network& network) {
  std::string text =
      fmt::format("fp32 {} {} {} {}", network.digest, plan.array.columns,
                  dataflows_name(plan.array), plan.scheme.kind + plan.scheme.options.dump());
  for (const ChannelOrder& order : plan.channels) {
    text += fmt::format(" [{}]", fmt::join(order, " "));
  }
  for (const FloatCheckerPlan& c : plan.checkers) {
    for (const auto& layer : c.bounds) {
      text += " |";
      for (const FloatBounds& b : layer) text += fmt::format(" {:a} {:a}", b.low, b.high);
    }
  }
  return sha256(text);
}

}  // namespace

void Campaign::plan_study(int configuration) {
  const Configuration& c = experiment_.configurations[static_cast<std::size_t>(configuration)];
  std::size_t study = 0;
  while (study < studies_.size() &&
         !(studies_[study].array == c.array && studies_[study].scheme == c.scheme)) {
    ++study;
  }
  if (study == studies_.size()) {
    if (!float_network_) float_network_ = hold_float_network(network());
    const std::string& fitted = experiment_.thresholds_path;
    FloatPlan plan;
    plan.array = c.array;
    plan.scheme = c.scheme;
    plan.network = float_network_;
    orders_of(c.scheme, c.array, thresholds_, fitted);  // throws where there are none
    plan.channels = layer_channels(
        network(), c.scheme.near_order ? thresholds_.orders : std::vector<OrderFit>{},
        c.array.columns);
    plan.checkers = float_checkers_of(c.scheme, c.array, network(), thresholds_, fitted);
    plan.digest = study_digest(plan, network());
    studies_.push_back(std::move(plan));
  }
  studies_[study].configurations.push_back(configuration);
  study_of_.push_back(static_cast<int>(study));
  machine_of_.push_back(-1);
}

void Campaign::require_machines() const {
  if (!machines_.empty()) return;
  const Configuration& first = experiment_.configurations.front();
  throw error_at(experiment_, first.fault_place + (first.fault.list.empty() ? ".values" : ".list"),
                 "fp32 is a study in software: there is no machine to run, list or trace",
                 "use int32 or int8; sagitta inject, sweep and compare do such studies");
}

void Campaign::read_study_sources() {
  for (const FloatPlan& plan : studies_) {
    for (const int index : plan.configurations) {
      const auto i = static_cast<std::size_t>(index);
      FaultPlan& f = experiment_.configurations[i].fault;
      sources_[i].elements = neuron_count(network());
      if (f.list.empty()) continue;
      read_list(f, sources_[i], [&](const std::string& fault, const std::string& place) {
        parse_neuron_path(network(), fault, f.list, place);
      });
    }
  }
}

std::vector<NeuronFault> Campaign::neurons_of(int configuration, std::int64_t trial) const {
  const auto i = static_cast<std::size_t>(configuration);
  const FaultPlan& f = experiment_.configurations[i].fault;
  if (f.list.empty()) {
    return draw_neuron_faults(f.seed, trial, f.rate, NeuronValues::fp32, network());
  }
  std::vector<NeuronFault> faults;
  for (const std::string& text : sources_[i].list[static_cast<std::size_t>(trial)].faults) {
    faults.push_back(parse_neuron_path(network(), text, f.list, ""));
  }
  return faults;
}

void Campaign::add_study(int study, const CleanResult& clean) {
  FloatResult& r = study_results_[static_cast<std::size_t>(study)];
  ++r.images;
  r.correct += clean.correct ? 1 : 0;
  r.alarmed += clean.suppressed > 0 ? 1 : 0;
  r.suppressed += clean.suppressed;
  r.values += neuron_count(network());
}

}  // namespace sagitta
