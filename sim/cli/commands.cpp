// The subcommands without faults: run, calibrate.
#include <algorithm>
#include <filesystem>
#include <functional>
#include <memory>

#include <fmt/format.h>

#include "base/error.h"
#include "base/file.h"
#include "campaign/dataflows.h"
#include "campaign/float_study.h"
#include "cli/command.h"
#include "cli/workload.h"
#include "fault/site.h"
#include "report/counter_report.h"
#include "report/results.h"
#include "report/table.h"

namespace sagitta::cli {
namespace {

// What each machine counted in an inference.
std::string counters_of_machines(const Campaign& campaign) {
  std::string text;
  for (std::size_t m = 0; m < campaign.machines().size(); ++m) {
    const MachinePlan& plan = campaign.machines()[m];
    const auto first = static_cast<std::size_t>(plan.configurations.front());
    const std::string pass =
        campaign.batch() == 1 ? "" : fmt::format(", a pass of {} images", campaign.batch());
    text += fmt::format("\n{}{}\n", campaign.experiment().configurations[first].name, pass) +
            counters_table(plan.program.layer_names, campaign.result(static_cast<int>(m)).counters,
                           colour_wanted());
  }
  return text;
}

void run_one(const ExperimentOptions& options) {
  Experiment experiment = options.load();
  if (!experiment.workload_path.empty()) {
    run_workload(options, std::move(experiment));
    return;
  }
  Campaign campaign(std::move(experiment));
  campaign.require_machines();
  check_overwrite(options, document(campaign.experiment().resolved));
  if (!options.title.empty()) print(options.title + "\n");
  {
    ProgressLine line("inferences", options.quiet);
    campaign.run_clean(options.worker_count(), line.callback());
  }
  const auto results = clean_results(campaign);
  std::string text = clean_table(results, colour_wanted());
  if (options.counters) text += counters_of_machines(campaign);
  report(options, campaign, results, text);
}

}  // namespace

void add_run(CLI::App& app) {
  auto* command = app.add_subcommand(
      "run",
      "Put every image through the SystemC machine, fault-free: accuracy, cycles, area, energy; "
      "or time a workload");
  command->footer(
      "Examples: sagitta run configs/lenet5.json --set array.rows=[8,16] -o out/run\n"
      "          sagitta run configs/lenet5.json --set scheme=none --counters\n"
      "          sagitta run configs/resnet50.json");
  auto options = std::make_shared<ExperimentOptions>();
  options->add_to(*command);
  command->add_flag(
      "--counters", options->counters,
      "Print what was counted, layer by layer; `sagitta counters` says what each count means");
  command->callback([options] {
    check_output(options->output);
    const std::vector<ExperimentOptions> all = options->each();
    for (const ExperimentOptions& each : all) run_one(each);
  });
}

// The least and the largest bound of a list.
template <typename Bound>
std::pair<std::string, std::string> widest(const std::vector<Bound>& bounds) {
  if (bounds.empty()) return {"-", "-"};
  auto low = bounds.front().low;
  auto high = bounds.front().high;
  for (const Bound& b : bounds) {
    low = std::min(low, b.low);
    high = std::max(high, b.high);
  }
  if constexpr (std::is_integral_v<decltype(low)>) {
    return {std::to_string(low), std::to_string(high)};
  } else {
    return {fmt::format("{:.4g}", low), fmt::format("{:.4g}", high)};
  }
}

std::string bounds_table(const ThresholdFile& file) {
  Table table({"checker", "columns", "layer", "dataflow", "judged", "mean", "deviation", "k", "low",
               "high", "blamed"},
              {true, false, true, true, false, false, false, false, false, false, false});
  for (const ThresholdFit& fit : file.fits) {
    for (const LayerFit& l : fit.layers) {
      const auto [low, high] = fit.key.floats ? widest(l.float_bounds) : widest(l.bounds);
      const bool one = l.mean.size() == 1;
      const std::string several = fmt::format("by {}", to_string(fit.key.checker.granularity));
      const auto statistic = [&](const std::vector<double>& values) {
        return one ? fmt::format("{:.1f}", values[0]) : several;
      };
      const bool none = l.samples == 0;  // no bounds for this layer, or too few neighbours
      table.add({describe(fit.key), std::to_string(fit.key.columns), l.layer, to_string(l.dataflow),
                 std::to_string(l.samples), none ? "-" : statistic(l.mean),
                 none ? "-" : statistic(l.deviation), l.k > 0 ? fmt::format("{:.2f}", l.k) : "-",
                 none ? "-" : low, none ? "-" : high, std::to_string(l.blamed)});
    }
  }
  return table.text(colour_wanted()) +
         "judged: fault-free neurons; blamed: those that the checker would act on with its gate "
         "open; low, high: of several bounds the widest.\n\n";
}

std::string neighbours_tables(const ThresholdFile& file) {
  std::string text;
  for (const NeighbourTable& t : file.neighbours) {
    Table table({"array", "layer", "position", "neighbours", "rule", "judged", "sigma_G/sigma_Y",
                 "k", "threshold in sigma_Y"},
                {true, true, true, true, true, false, false, false, false});
    for (const NeighbourFit& f : t.fits) {
      table.add({array_name(t.array), f.layer, to_string(f.position), f.neighbours, f.rule,
                 std::to_string(f.samples), fmt::format("{:.2f}", f.sigma_ratio),
                 fmt::format("{:.2f}", f.k), fmt::format("{:.2f}", f.threshold)});
    }
    text += table.text(colour_wanted()) +
            fmt::format(
                "k: the smallest with at most {} of the fault-free neurons of a layer "
                "blamed, over whole layers.\n\n",
                t.false_positives);
  }
  return text;
}

void add_calibrate(CLI::App& app) {
  auto* command = app.add_subcommand(
      "calibrate", "Fit the thresholds of every scheme of an experiment on the calibration images");
  command->footer(
      "Examples: sagitta calibrate configs/lenet5.json -o thresholds.json\n"
      "          sagitta calibrate configs/lenet5.json --neighbours 0.001 -o thresholds.json\n"
      "then name the file in the experiment: \"thresholds\": \"thresholds.json\"");
  auto options = std::make_shared<ExperimentOptions>();
  options->add_to(*command, false);
  command->add_option("-o,--output", options->output, "Threshold file to write")
      ->type_name("FILE")
      ->check(not_empty)
      ->required();
  auto neighbours = std::make_shared<double>(0);
  command
      ->add_option("--neighbours", *neighbours,
                   "Also how tight thresholds are for every choice of neighbours, at this share of "
                   "false positives")
      ->type_name("SHARE")
      ->check(CLI::Range(1e-6, 0.5));
  command->callback([options, neighbours] {
    if (std::filesystem::is_directory(options->output)) {
      throw InputError(options->output, "", "is a folder", "name a file, e.g. thresholds.json");
    }
    // Only thresholds may be written over: a slip must not cost an experiment.
    if (std::filesystem::is_regular_file(options->output) &&
        std::filesystem::file_size(options->output) > 0 &&
        read_file(options->output).find("\"sagitta-thresholds/") == std::string::npos) {
      throw InputError(options->output, "", "exists and is not a threshold file",
                       "give a new name with -o");
    }
    options->set.emplace_back("thresholds=null");  // the file that is about to be made
    Experiment experiment = options->load();
    require_network(experiment);
    const NetworkFolder folder = open_network(experiment.network_path);
    settle_dataflows(experiment, folder.network, "network " + folder.network.name);
    with_origins(experiment, [&] { settle_float_plans(experiment); });
    ThresholdFile file = calibrate(experiment, folder);
    if (file.empty()) {
      throw InputError(experiment.file, "$.scheme", "no scheme of this experiment has thresholds",
                       "add range-zero or gradient, for example");
    }
    if (*neighbours > 0) add_neighbours(file, experiment, folder, *neighbours);
    write_thresholds(file, options->output);
    if (options->json) {
      print(document(to_json(file)));
      return;
    }
    print(bounds_table(file) + neighbours_tables(file) +
          fmt::format("Fitted on {} calibration images of {}. Written: {}\n", file.images,
                      file.network, options->output));
  });
}

}  // namespace sagitta::cli
