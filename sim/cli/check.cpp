// The subcommand that reads an experiment and everything it names, and runs nothing.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "campaign/dataflows.h"
#include "campaign/float_study.h"
#include "cli/command.h"
#include "cli/workload.h"
#include "report/table.h"

namespace sagitta::cli {
namespace {

// What a user may not expect of the machine.
std::vector<std::string> notes_of(const MachinePlan& machine) {
  const auto& asked = machine.scheme.blocks.checkers;
  const Program& program = machine.program;
  const bool other_axis = std::any_of(asked.begin(), asked.end(),
                                      [](const Checker& c) { return c.axis != Axis::lanes; });
  std::vector<std::string> notes;
  if (other_axis && !program.protection.has_lines()) {
    notes.emplace_back(
        "with an input-stationary layer its gradient checkers look at the lanes of a vector in all "
        "layers, not along lines or in maps");
  }
  const bool any_map = std::any_of(program.layers.begin(), program.layers.end(),
                                   [](const LayerDescriptor& l) { return l.map_lines != 0; });
  if (program.protection.maps() > 0 && !any_map) {
    notes.emplace_back(
        "no layer with a product has a pixel with three neighbours: its checker of maps never "
        "acts");
  }
  return notes;
}

// "100 trials of 1.2e+12 faults", how many runs an exhaustive sample is, or where another begins.
std::string trials_text(const FaultPlan& fault, const PlannedTrials& planned) {
  const std::string runs = counted(planned.runs, "trial");
  const std::string space =
      planned.population > 0 ? fmt::format(" of {:.3g} faults", planned.population) : "";
  if (fault.sample.method == SamplePlan::Method::exhaustive) {
    return fmt::format("all{}, run as {}", space, runs);
  }
  if (!planned.adapts) return runs + space;
  return fault.sample.sequence
             ? fmt::format("{}{} and more, until the interval is as narrow as asked", runs, space)
             : fmt::format("{}{} after {} that allocate them", counted(fault.trials, "trial"),
                           space, planned.runs);
}

}  // namespace

void add_check(CLI::App& app) {
  auto* command =
      app.add_subcommand("check", "Check an experiment and everything it names; runs nothing");
  auto options = std::make_shared<ExperimentOptions>();
  options->add_to(*command, false);
  command->callback([options] {
    Experiment experiment = options->load();
    if (!experiment.workload_path.empty()) {
      check_workload(*options, std::move(experiment));
      return;
    }
    Campaign campaign(std::move(experiment));
    campaign.read_plans();
    nlohmann::ordered_json j;
    j["experiment"] = campaign.experiment().resolved;
    j["machines"] = nlohmann::ordered_json::array();
    std::string text =
        fmt::format("{}: network {}, {}, {}, {} on {}\n", campaign.experiment().file,
                    campaign.network().name, counted(campaign.network().layers.size(), "layer"),
                    counted(campaign.images().count(), "image"),
                    counted(campaign.experiment().configurations.size(), "configuration"),
                    counted(campaign.machines().size(), "machine"));
    for (const FloatPlan& study : campaign.studies()) {
      const auto first = static_cast<std::size_t>(study.configurations.front());
      const std::string& name = campaign.experiment().configurations[first].name;
      j["studies"].push_back(
          {{"name", name}, {"array", array_name(study.array)}, {"scheme", study.scheme.name}});
      text += fmt::format("  {}: fp32, a study in software\n", name);
    }
    for (const MachinePlan& m : campaign.machines()) {
      std::int64_t bits = 0;
      for (const RegisterClass& c : m.registers) bits += c.bits();
      const auto& memory = m.program.memory;
      const auto first = static_cast<std::size_t>(m.configurations.front());
      const std::string& name = campaign.experiment().configurations[first].name;
      j["machines"].push_back({{"name", name},
                               {"array", array_name(m.array)},
                               {"scheme", m.scheme.name},
                               {"state_bits", bits},
                               {"activation_bytes", memory.activation_bytes},
                               {"weight_rows", memory.weight_rows},
                               {"notes", notes_of(m)}});
      const std::string banks =
          memory.activation_banks > 0
              ? fmt::format(" in {} of {} a cycle", counted(memory.activation_banks, "bank"),
                            counted(memory.activation_port_bytes, "byte"))
              : "";
      text += fmt::format(
          "  {}: {} bits of state; activation maps {} x {} bytes{}, weight banks 2 x {} rows, "
          "DRAM {} latency, {} a cycle, {} at a time\n",
          name, bits, m.program.activation_maps, memory.activation_bytes, banks, memory.weight_rows,
          counted(memory.dram_latency, "cycle"), counted(memory.dram_bytes_per_cycle, "byte"),
          counted(memory.dma_queue, "request"));
      for (const std::string& note : notes_of(m)) text += "    note: " + note + "\n";
    }
    // Where the experiment does not say how many trials there are.
    const auto& all = campaign.experiment().configurations;
    const auto sampled = [](const Configuration& c) { return c.fault.sample != SamplePlan{}; };
    if (campaign.batch() == 1 && std::any_of(all.begin(), all.end(), sampled)) {
      const std::vector<PlannedTrials> planned = campaign.planned();
      for (std::size_t i = 0; i < planned.size(); ++i) {
        const Configuration& c = all[i];
        if (!sampled(c)) continue;
        j["trials"].push_back({{"name", c.name},
                               {"runs", planned[i].runs},
                               {"adapts", planned[i].adapts},
                               {"population", planned[i].population}});
        text += fmt::format("  {}: {}\n", c.name, trials_text(c.fault, planned[i]));
      }
    }
    print(options->json ? document(j) : text + "OK\n");
  });
}

}  // namespace sagitta::cli
