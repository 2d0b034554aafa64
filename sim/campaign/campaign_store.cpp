// What a store says of its experiment: docs/store.md.
#include <string>
#include <utility>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/version.h"
#include "campaign/campaign.h"
#include "campaign/dataflows.h"

namespace sagitta {
namespace {

using nlohmann::ordered_json;

template <typename Value>
ordered_json null_unless(bool applies, const Value& value) {
  return applies ? ordered_json(value) : ordered_json(nullptr);
}

// A sequence's trials are uniform, but an interval of a fixed plan does not hold for them.
const char* sample_name(const FaultPlan& f) {
  if (!f.list.empty()) return "list";
  return f.sample.sequence ? "sequence" : to_string(f.sample.method);
}

ordered_json configuration_row(int id, const Configuration& c, int plan, std::int64_t pilots,
                               std::int64_t trials, const std::string& digest) {
  const FaultPlan& f = c.fault;
  const bool drawn = f.of_registers() && f.list.empty();
  return {{"id", id},
          {"name", c.name},
          {"plan", plan},
          {"array", array_name(c.array)},
          {"scheme", c.scheme.name},
          {"level", f.level},
          {"model", f.model},
          {"rate", null_unless(f.list.empty() && (!f.of_registers() || f.model == "rate"), f.rate)},
          {"value_kind", null_unless(f.level == "neuron", f.values)},
          {"upsets", null_unless(f.draws_events(), f.upsets)},
          {"sites", null_unless(drawn, f.sites)},
          {"population", null_unless(f.list.empty(), f.population)},
          {"sample", sample_name(f)},
          {"pilots", pilots},
          {"seed", f.seed},
          {"trials", trials},
          {"machine_digest", digest}};
}

ordered_json register_row(int plan, int id, const RegisterClass& c) {
  const bool in_a_pe = c.path.starts_with("array.pe[][]");
  return {{"plan", plan},
          {"id", id},
          {"path", c.path},
          {"block", c.path.substr(0, c.path.find('.'))},
          {"extents", ordered_json(c.extents).dump()},
          {"width", c.width},
          {"bits", c.bits()},
          {"pe_columns", null_unless(in_a_pe, in_a_pe ? c.extents[1] : 0)},
          {"pe_copies", null_unless(in_a_pe, in_a_pe && c.extents.size() > 2 ? c.extents[2] : 1)}};
}

}  // namespace

StoreHead Campaign::store_head() const {
  StoreHead head;
  std::string lists;
  bool named = true;
  for (std::size_t i = 0; i < experiment_.configurations.size(); ++i) {
    const Configuration& c = experiment_.configurations[i];
    if (!c.fault.list.empty()) lists += sha256_file(c.fault.list);
    named = named && names_faults(static_cast<int>(i));
    const int study = study_of(static_cast<int>(i));
    const int machine = machine_of(static_cast<int>(i));
    const int plan = study >= 0 ? static_cast<int>(machines_.size()) + study : machine;
    head.tables["configuration"].push_back(configuration_row(
        static_cast<int>(i), c, plan, pilots_of(i), i < sources_.size() ? sources_[i].decided : 0,
        study >= 0 ? studies_[static_cast<std::size_t>(study)].digest
                   : machines_[static_cast<std::size_t>(machine)].digest));
  }
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    if (!sources_[i].sampler) continue;
    const auto& strata = sources_[i].sampler->strata();
    for (std::size_t h = 0; h < strata.size(); ++h) {
      head.tables["stratum"].push_back({{"configuration", i},
                                        {"id", h},
                                        {"name", strata[h].name},
                                        {"population", strata[h].population},
                                        {"weight", strata[h].weight},
                                        {"probability", strata[h].probability}});
    }
  }
  for (std::size_t m = 0; m < machines_.size(); ++m) {
    for (std::size_t r = 0; r < machines_[m].registers.size(); ++r) {
      head.tables["register"].push_back(
          register_row(static_cast<int>(m), static_cast<int>(r), machines_[m].registers[r]));
    }
  }
  for (std::size_t l = 0; l < network().layers.size(); ++l) {
    const Layer& layer = network().layers[l];
    head.tables["layer"].push_back({{"id", l},
                                    {"name", layer.name},
                                    {"width", layer.output.width},
                                    {"channels", layer.output.channels}});
  }
  head.meta = {
      {"version", kVersion},
      {"commit", kCommit},
      {"command", command_},
      {"engine", to_string(engine_)},
      {"file", experiment_.file},
      {"experiment", experiment_.resolved},
      {"network", network().name},
      {"network_digest", network().digest},
      {"data_digest", folder_.data_digest},
      {"technology_digest",
       experiment_.technology_path.empty() ? "" : sha256_file(experiment_.technology_path)},
      {"thresholds_digest", thresholds_.empty() ? "" : to_json(thresholds_).at("digest")},
      {"lists_digest", lists.empty() ? "" : sha256(lists)},
      {"faults", named ? "named" : "counted"},
      {"shard", store_options_.shard.name()},
  };
  return head;
}

}  // namespace sagitta
