#include "report/results.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/version.h"
#include "campaign/dataflows.h"
#include "campaign/experiment_models.h"
#include "report/counter_report.h"
#include "report/csv.h"
#include "report/memory_report.h"
#include "report/vulnerability.h"

namespace sagitta {
namespace {

using nlohmann::ordered_json;

ordered_json proportion(std::int64_t count, std::int64_t n) {
  return proportion_json(wilson(count, n));
}

ordered_json head(const Campaign& campaign) {
  ordered_json j;
  j["format"] = "sagitta-results/1";
  j["sagitta"] = {{"version", kVersion}, {"commit", kCommit}};
  j["experiment"] = campaign.experiment().file;
  j["network"] = {{"name", campaign.network().name}, {"digest", campaign.network().digest}};
  j["data_digest"] = campaign.folder().data_digest;
  j["technology"] = campaign.technology().name;
  j["confidence"] = 0.95;
  j["counter_meanings"] = counter_meanings();
  j["configurations"] = ordered_json::array();
  return j;
}

// Those of one pass, where tiles run three times.
double useful_macs(const MachinePlan& plan, const LayerCounters& c) {
  return static_cast<double>(c.macs) / plan.program.protection.passes;
}

ordered_json layers_json(const Campaign& campaign, const MachinePlan& plan,
                         const MachineResult& r) {
  ordered_json layers = ordered_json::array();
  const double pes = static_cast<double>(plan.array.rows) * plan.array.columns;
  for (std::size_t l = 0; l < campaign.network().layers.size(); ++l) {
    const Layer& layer = campaign.network().layers[l];
    const LayerCounters& c = r.counters[l];
    layers.push_back(
        {{"name", layer.name},
         {"operation", to_string(layer.kind)},
         {"dataflow", dataflow_json(plan.array, layer)},
         {"M", plan.program.batch * layer.rows()},
         {"K", layer.depth()},
         {"N", layer.columns()},
         {"cycles", c.cycles},
         {"stall_cycles", c.stall_cycles()},
         {"utilization",
          c.cycles > 0 ? useful_macs(plan, c) / (static_cast<double>(c.cycles) * pes) : 0.0},
         {"macs", c.macs},
         {"counters", counters_json(c, pes)}});
  }
  return layers;
}

// Bounds that are kept for the network: the parameter words of those that a checker has any for.
std::int64_t threshold_bytes(const MachinePlan& plan) {
  std::int64_t words = 0;
  for (const Checker& c : plan.program.protection.checkers) {
    for (const LayerBounds& layer : c.layers) {
      words += c.bound_words() * std::count_if(layer.bounds.begin(), layer.bounds.end(),
                                               [](const Bounds& b) { return b != Bounds{}; });
    }
  }
  return 4 * words;
}

// Two bounds of four bytes each, as of checkers of sums.
std::int64_t threshold_bytes(const FloatPlan& plan) {
  std::int64_t bounds = 0;
  for (const FloatCheckerPlan& c : plan.checkers) {
    for (const auto& layer : c.bounds) {
      bounds +=
          std::count_if(layer.begin(), layer.end(), [](const FloatBounds& b) { return !b.open(); });
    }
  }
  return 8 * bounds;
}

ordered_json array_json(const ArrayShape& array) {
  return {{"rows", array.rows},
          {"cols", array.columns},
          {"dataflow", dataflows_json(array)},
          {"overlap", array.overlap}};
}

// The same keys for a study in software, of which only some have a value.
ordered_json study_json(const Campaign& campaign, int study, const std::string& name) {
  const FloatPlan& plan = campaign.studies()[static_cast<std::size_t>(study)];
  const FloatResult& r = campaign.study_result(study);
  ordered_json j;
  j["name"] = name;
  j["study"] = "fp32 in software";
  j["array"] = array_json(plan.array);
  j["scheme"] = plan.scheme.name;
  j["scheme_kind"] = plan.scheme.kind;
  j["network"] = campaign.network().name;
  j["images"] = r.images;
  j["batch"] = 1;
  j["accuracy"] = proportion(r.correct, r.images);
  for (const char* key : {"cycles_per_image", "stall_cycles_per_image", "utilization", "clock_mhz",
                          "latency_us", "layers", "counters", "memory", "state_bits"}) {
    j[key] = nullptr;
  }
  j["threshold_bytes"] = threshold_bytes(plan);
  for (const char* key :
       {"area_um2", "area_blocks_um2", "energy_pj_per_image", "energy_blocks_pj"}) {
    j[key] = nullptr;
  }
  j["overhead"] = {{"area", nullptr}, {"energy", nullptr}, {"cycles", nullptr}};
  j["false_alarms"] = {{"images", proportion(r.alarmed, r.images)},
                       {"rows", nullptr},
                       {"suppressed_values", proportion(r.suppressed, r.values)}};
  j["machine_digest"] = plan.digest;
  return j;
}

// What holds for a machine whatever strikes it.
ordered_json machine_json(const Campaign& campaign, int machine, const std::string& name) {
  const MachinePlan& plan = campaign.machines()[static_cast<std::size_t>(machine)];
  const MachineResult& r = campaign.result(machine);
  const Overhead o = campaign.overhead(machine);
  const LayerCounters total = sum(r.counters);
  const double pes = static_cast<double>(plan.array.rows) * plan.array.columns;
  const auto cycles = static_cast<double>(r.cycles_per_pass);
  const int batch = plan.program.batch;
  // A share of a pass; a whole number where a pass is one image.
  const auto per_image = [batch](std::int64_t count) {
    return batch == 1 ? ordered_json(count) : ordered_json(static_cast<double>(count) / batch);
  };
  auto blocks = r.energy.block_pj;
  for (auto& [block, pj] : blocks) pj /= batch;
  std::int64_t bits = 0;
  for (const RegisterClass& c : plan.registers) bits += c.bits();
  ordered_json j;
  j["name"] = name;
  j["array"] = array_json(plan.array);
  j["scheme"] = plan.scheme.name;
  j["scheme_kind"] = plan.scheme.kind;
  j["network"] = campaign.network().name;
  j["images"] = r.images;
  j["batch"] = batch;
  j["accuracy"] = proportion(r.correct, r.images);
  j["cycles_per_image"] = per_image(r.cycles_per_pass);
  j["stall_cycles_per_image"] = per_image(total.stall_cycles());
  j["utilization"] = useful_macs(plan, total) / (cycles * pes);
  j["clock_mhz"] = campaign.experiment().clock_mhz;
  j["latency_us"] = cycles / campaign.experiment().clock_mhz;
  j["layers"] = layers_json(campaign, plan, r);
  j["counters"] = counters_json(total, pes);
  j["memory"] = memory_json(campaign.experiment().memory, plan.program.memory, r.area);
  j["state_bits"] = bits;
  j["threshold_bytes"] = threshold_bytes(plan);
  j["area_um2"] = r.area.total_um2;
  j["area_blocks_um2"] = r.area.block_um2;
  j["energy_pj_per_image"] = r.energy.total_pj / batch;
  j["energy_blocks_pj"] = blocks;
  j["overhead"] = {{"area", o.area}, {"energy", o.energy}, {"cycles", o.cycles}};
  j["false_alarms"] = {{"images", proportion(r.alarmed_passes, r.passes)},
                       {"rows", r.false_alarms},
                       {"suppressed_values", proportion(r.clean_suppressed, r.clean_values)}};
  j["machine_digest"] = plan.digest;
  return j;
}

template <typename Value>
ordered_json null_unless(bool applies, const Value& value) {
  return applies ? ordered_json(value) : ordered_json(nullptr);
}

// The options of the plan's model, but rate and upsets.
void add_options(const FaultPlan& plan, ordered_json& j) {
  if (model_has(plan.model, "cluster_size")) j["cluster_size"] = plan.cluster_size;
  if (model_has(plan.model, "cluster_along")) j["cluster_along"] = plan.cluster_along;
  if (model_has(plan.model, "onset")) j["onset"] = plan.onset;
  if (model_has(plan.model, "duration")) j["duration"] = plan.duration;
}

// The fault plan, and what was drawn over. What says nothing to a plan is null.
ordered_json plan_json(const FaultPlan& plan, const FaultResult& r) {
  const bool registers = plan.of_registers();
  const bool drawn = registers && plan.list.empty();  // a list decides these, not the plan
  const bool by_rate = plan.list.empty() && (!registers || plan.model == "rate");
  // Drawn over bits alone.
  const bool at_reset = plan.model.starts_with("stuck-at") && plan.onset == "start";
  ordered_json j = {{"level", plan.level}, {"model", plan.model}};
  if (drawn) add_options(plan, j);
  j.update({{"rate", null_unless(by_rate, plan.rate)},
            {"values", null_unless(plan.level == "neuron", plan.values)},
            {"upsets", null_unless(plan.draws_events(), plan.upsets)},
            {"sites", null_unless(drawn, plan.sites)},
            {"population", null_unless(plan.list.empty(), plan.population)},
            {"sample", plan.sample == SamplePlan{} ? ordered_json() : to_json(plan.sample)},
            {"seed", plan.seed},
            {"list", plan.list},
            {"bits", null_unless(drawn, r.sites)},
            {"cycles", null_unless(registers && !at_reset, r.cycles)},
            {"bits_x_cycles", null_unless(drawn && !at_reset, static_cast<double>(r.sites) *
                                                                  static_cast<double>(r.cycles))},
            {"elements", null_unless(!registers, r.elements)}});
  return j;
}

// How the trials were drawn, and what the intervals of their shares are.
ordered_json sample_json(const FaultPlan& plan, const FaultResult& r) {
  using Method = SamplePlan::Method;
  const bool drawn = plan.list.empty();
  const bool adapts = plan.sample.sequence;
  ordered_json j;
  j["method"] = drawn ? to_string(plan.sample.method) : "list";
  j["plan"] = adapts ? "anytime-valid sequence" : "fixed";
  j["error"] = null_unless(plan.sample.error > 0, plan.sample.error);
  j["confidence"] = null_unless(plan.sample.error > 0, plan.sample.confidence);
  j["population"] = null_unless(r.population > 0, r.population);
  j["interval"] = r.rates.interval();
  j["strata"] = r.rates.strata();
  j["pilot_trials"] = r.pilots;
  j["runs"] = r.runs;
  j["effective_size"] =
      null_unless(drawn && plan.sample.method == Method::importance, r.rates.effective_size());
  return j;
}

std::string csv_cell(const ordered_json& value) {
  return value.is_string() ? csv_text(value.get<std::string>()) : value.dump();
}

}  // namespace

ordered_json clean_results(const Campaign& campaign) {
  ordered_json j = head(campaign);
  for (std::size_t m = 0; m < campaign.machines().size(); ++m) {
    const auto& first = campaign.experiment().configurations[static_cast<std::size_t>(
        campaign.machines()[m].configurations.front())];
    j["configurations"].push_back(machine_json(campaign, static_cast<int>(m), first.name));
  }
  return j;
}

ordered_json fault_results(const Campaign& campaign) {
  ordered_json j = head(campaign);
  for (std::size_t i = 0; i < campaign.experiment().configurations.size(); ++i) {
    const Configuration& c = campaign.experiment().configurations[i];
    const FaultResult& r = campaign.faults(static_cast<int>(i));
    const int study = campaign.study_of(static_cast<int>(i));
    ordered_json e = study >= 0
                         ? study_json(campaign, study, c.name)
                         : machine_json(campaign, campaign.machine_of(static_cast<int>(i)), c.name);
    e["fault"] = plan_json(c.fault, r);
    e["sample"] = sample_json(c.fault, r);
    e["trials"] = r.trials;
    ordered_json outcomes;
    for (int o = 0; o < kOutcomes; ++o) {
      outcomes[to_string(static_cast<Outcome>(o))] = r.outcomes[static_cast<std::size_t>(o)];
    }
    e["outcomes"] = outcomes;
    for (int road = 0; road < kRoads; ++road) {
      if (const std::int64_t n = r.roads[static_cast<std::size_t>(road)]; n > 0) {
        e["roads"][to_string(static_cast<Road>(road))] = n;
      }
    }
    const auto rate = [&r](bool (*which)(Outcome)) { return proportion_json(r.rates.of(which)); };
    e["accuracy_under_faults"] =
        proportion_json(r.rates.of([](const OutcomeSums& s) { return s.correct; }));
    e["accuracy_fault_free_same_draws"] =
        proportion_json(r.rates.of([](const OutcomeSums& s) { return s.reference_correct; }));
    e["sdc_rate"] = rate(is_sdc);
    e["masked_rate"] = rate(is_masked);
    e["detected_rate"] = rate([](Outcome o) {
      return o == Outcome::detected_corrected || o == Outcome::detected_uncorrected;
    });
    e["uncorrected_rate"] = rate([](Outcome o) { return o == Outcome::detected_uncorrected; });
    e["hang_rate"] = rate([](Outcome o) { return o == Outcome::hang; });
    e["not_fired_rate"] = rate([](Outcome o) { return o == Outcome::not_fired; });
    e["tolerable_rate"] = rate([](Outcome o) { return o == Outcome::tolerable; });
    e["suppressions"] = {{"right", r.suppressed_right}, {"wrong", r.suppressed_wrong}};
    e["faults_drawn"] = r.drawn;
    e["faults_fired"] = r.fired;
    if (c.fault.of_one_bit()) {
      Vulnerability v = vulnerability(campaign, static_cast<int>(i));
      e["avf"] = std::move(v.avf);
      if (c.fault.model == "seu" && c.fault.population == "own") {
        e["fit"] = std::move(v.fit);
        e["absolute_failures"] = std::move(v.absolute_failures);
      }
      e["breakdown"] = std::move(v.breakdown);
    }
    j["configurations"].push_back(e);
  }
  return j;
}

namespace {

// Two configurations whose trials k meet the same faults on the same image.
ordered_json pair_json(const Campaign& campaign, std::size_t x, std::size_t y) {
  const auto& configurations = campaign.experiment().configurations;
  const auto [only_a, only_b] =
      campaign.store().discordant(static_cast<int>(x), static_cast<int>(y));
  const std::int64_t trials = campaign.faults(static_cast<int>(x)).trials;
  const auto n = static_cast<double>(trials);
  const FaultPlan& plan = configurations[x].fault;
  const bool of_registers = plan.of_registers();
  return {{"first", configurations[x].name},
          {"second", configurations[y].name},
          {"level", plan.level},
          {"model", plan.model},
          {"rate", null_unless(!of_registers || plan.model == "rate", plan.rate)},
          {"values", null_unless(plan.level == "neuron", plan.values)},
          {"sites", null_unless(of_registers, plan.sites)},
          {"upsets", null_unless(plan.draws_events(), plan.upsets)},
          {"seed", plan.seed},
          {"trials", trials},
          {"only_first_correct", only_a},
          {"only_second_correct", only_b},
          {"accuracy_difference", static_cast<double>(only_b - only_a) / n},
          {"mcnemar_p", mcnemar_exact(only_a, only_b)}};
}

bool same_faults(const Configuration& a, const Configuration& b) {
  return a.array == b.array && a.fault == b.fault;
}

}  // namespace

ordered_json compare_results(const Campaign& campaign) {
  ordered_json j = fault_results(campaign);
  j["pairs"] = ordered_json::array();
  const auto& configurations = campaign.experiment().configurations;
  for (std::size_t x = 0; x < configurations.size(); ++x) {
    for (std::size_t y = x + 1; y < configurations.size(); ++y) {
      if (same_faults(configurations[x], configurations[y])) {
        j["pairs"].push_back(pair_json(campaign, x, y));
      }
    }
  }
  return j;
}

ordered_json sweep_results(const Campaign& campaign) {
  ordered_json j = fault_results(campaign);
  j["pairs"] = ordered_json::array();
  const auto& configurations = campaign.experiment().configurations;
  const auto is_reference = [](const Configuration& c) {
    return c.scheme.kind == "none" || c.scheme.kind.starts_with("tmr");
  };
  for (std::size_t x = 0; x < configurations.size(); ++x) {
    const FaultPlan& plan = configurations[x].fault;
    const bool common = !plan.of_registers() || plan.population == "common";
    const bool paired = common && plan.list.empty() && !plan.sample.adapts() &&
                        plan.sample.method == SamplePlan::Method::uniform;
    if (!paired || !is_reference(configurations[x])) continue;
    for (std::size_t y = 0; y < configurations.size(); ++y) {
      const bool once = y > x || !is_reference(configurations[y]);
      if (y != x && once && same_faults(configurations[x], configurations[y])) {
        j["pairs"].push_back(pair_json(campaign, x, y));
      }
    }
  }
  return j;
}

std::string results_csv(const ordered_json& results) {
  // Columns are the scalars of all configurations, nested keys joined with dots, in the order in
  // which they first appear; lists (the layers) stay in results.json.
  using Row = std::vector<std::pair<std::string, std::string>>;
  std::vector<Row> rows;
  std::vector<std::string> columns;
  const auto flatten = [](const auto& self, const ordered_json& value, const std::string& name,
                          Row& row) -> void {
    if (value.is_object()) {
      for (const auto& [key, inner] : value.items()) {
        self(self, inner, name.empty() ? key : fmt::format("{}.{}", name, key), row);
      }
    } else if (!value.is_array()) {
      row.emplace_back(name, csv_cell(value));
    }
  };
  for (const auto& configuration : results.at("configurations")) {
    Row row;
    flatten(flatten, configuration, "", row);
    std::size_t place = 0;  // a new column goes behind the one before it in this row
    for (const auto& [name, cell] : row) {
      const auto it = std::find(columns.begin(), columns.end(), name);
      if (it != columns.end()) {
        place = static_cast<std::size_t>(it - columns.begin()) + 1;
      } else {
        columns.insert(columns.begin() + static_cast<std::ptrdiff_t>(place++), name);
      }
    }
    rows.push_back(std::move(row));
  }
  std::string text;
  for (const std::string& column : columns) text += (text.empty() ? "" : ",") + column;
  text += "\n";
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const auto it = std::find_if(row.begin(), row.end(),
                                   [&](const auto& cell) { return cell.first == columns[i]; });
      text += (i > 0 ? "," : "") + (it == row.end() ? std::string() : it->second);
    }
    text += "\n";
  }
  return text;
}

}  // namespace sagitta
