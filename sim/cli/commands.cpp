// The subcommands that run an experiment: run, calibrate, inject, sweep, compare.
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

using Options = std::shared_ptr<ExperimentOptions>;

// Of several experiments: which one's results follow.
void announce(const ExperimentOptions& options) {
  if (!options.title.empty()) print(options.title + "\n");
}

// Adds a command that loads an experiment, works for a while and may leave a folder of results.
void add_experiment_command(CLI::App& app, const std::string& name, const std::string& description,
                            const std::string& footer,
                            const std::function<void(const Options&, Campaign&)>& work,
                            const std::vector<std::string>& set = {}) {
  auto* command = app.add_subcommand(name, description);
  command->footer(footer);
  auto options = std::make_shared<ExperimentOptions>();
  options->add_to(*command);
  command->callback([options, work, set, name] {
    check_output(options->output);
    const auto all = name == "inject" ? std::vector{*options} : options->each();
    for (const ExperimentOptions& each : all) {
      const auto one = std::make_shared<ExperimentOptions>(each);
      if (!set.empty()) require_network(one->load());  // before keys that only networks take
      one->set.insert(one->set.end(), set.begin(), set.end());
      Campaign campaign(one->load());
      check_overwrite(*one, document(campaign.experiment().resolved));
      announce(*one);
      work(one, campaign);
    }
  });
}

// `more`: other files that the command has put into the output folder.
void finish(const Options& options, const Campaign& campaign, const nlohmann::ordered_json& results,
            const std::string& text, const std::vector<std::string>& more = {}) {
  write_results(options->output, campaign, results);
  print(options->json ? document(results) : text);
  if (options->output.empty()) return;
  std::vector<std::string> files = {"results.json", "results.csv", "experiment.json"};
  if (!campaign.thresholds().empty()) files.emplace_back("thresholds.json");
  files.insert(files.end(), more.begin(), more.end());
  if (const auto old = left_over(options->output, files); !old.empty()) {
    fmt::print(stderr, "sagitta: note: {} also holds files of an earlier run: {}\n",
               options->output, fmt::join(old, ", "));
  }
  if (options->quiet || options->json) return;
  print(fmt::format("Written to {}: {}\n", options->output, fmt::join(files, ", ")));
}

// A fault list names sites and cycles of one machine; on another they may mean something else.
void note_foreign_lists(const Campaign& campaign) {
  for (std::size_t i = 0; i < campaign.experiment().configurations.size(); ++i) {
    const Configuration& c = campaign.experiment().configurations[i];
    if (c.fault.list.empty()) continue;
    // Neurons are the same whatever struck them.
    if (c.fault.of_floats()) continue;
    const auto& machine =
        campaign.machines()[static_cast<std::size_t>(campaign.machine_of(static_cast<int>(i)))];
    const std::string digest = read_fault_list(c.fault.list).machine_digest;
    if (digest.empty() || digest == machine.digest) continue;
    fmt::print(stderr, "sagitta: note: {} was drawn for another machine than {}\n", c.fault.list,
               c.name);
  }
}

void run_trials(const Options& options, Campaign& campaign) {
  note_foreign_lists(campaign);
  campaign.read_plans();
  ProgressLine line("trials and fault-free inferences", campaign.trial_units(), options->quiet);
  campaign.run_trials(options->worker_count(), line.callback());
}

// One row a fault of every trial, with what it did.
std::string faults_csv(const Campaign& campaign) {
  std::string text =
      "configuration,sites,upsets,seed,trial,image,site,cycle,fired,before,after,outcome,reference_"
      "class,predicted_class\n";
  const auto add = [&](const Configuration& c, const TrialResult& t, const std::string& site,
                       std::int64_t cycle, bool fired, auto before, auto after) {
    text += fmt::format("{},\"{}\",{},{},{},{},{},{},{},{},{},{},{},{}\n", c.name,
                        c.fault.of_registers() ? c.fault.sites : c.fault.level + "s",
                        t.faults_drawn, c.fault.seed, t.trial, t.image, site, cycle, fired ? 1 : 0,
                        before, after, to_string(t.outcome), t.reference_class, t.predicted_class);
  };
  for (std::size_t i = 0; i < campaign.experiment().configurations.size(); ++i) {
    const int index = static_cast<int>(i);
    const Configuration& c = campaign.experiment().configurations[i];
    if (c.fault.of_floats()) {
      for (const TrialResult& t : campaign.faults(index).trials) {
        for (const FloatRecord& r : t.floats) {  // in software: there are no cycles
          add(c, t, neuron_path(campaign.network(), r.fault), 0, r.fired, r.before, r.after);
        }
      }
      continue;
    }
    const Machine machine(
        campaign.machines()[static_cast<std::size_t>(campaign.machine_of(index))].program);
    const SiteMap sites(machine.layout());
    for (const TrialResult& t : campaign.faults(index).trials) {
      for (const FaultRecord& f : t.faults) {
        add(c, t, sites.path(f.site), f.cycle, f.fired, f.before, f.after);
      }
      for (const WeightRecord& w : t.weights) {  // in DRAM before the run
        add(c, t, weight_path(campaign.network(), w.fault), 0, w.fired, w.before, w.after);
      }
    }
  }
  return text;
}

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

// Writes faults.csv and the lists that replay; returns their names.
std::vector<std::string> write_faults(const std::string& folder, const Campaign& campaign) {
  make_output(folder);
  std::vector<std::string> names = {"faults.csv"};
  write_file(folder + "/faults.csv", faults_csv(campaign));
  const auto n = campaign.experiment().configurations.size();
  for (std::size_t i = 0; i < n; ++i) {
    names.push_back(n == 1 ? "faults.json" : fmt::format("faults-{}.json", i));
    write_fault_list(campaign.fault_list(static_cast<int>(i)), folder + "/" + names.back());
  }
  return names;
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
  announce(options);
  {
    ProgressLine line("inferences", campaign.clean_units(), options.quiet);
    campaign.run_clean(options.worker_count(), line.callback());
  }
  const auto results = clean_results(campaign);
  std::string text = clean_table(results, colour_wanted());
  if (options.counters) text += counters_of_machines(campaign);
  finish(std::make_shared<ExperimentOptions>(options), campaign, results, text);
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

void add_inject(CLI::App& app) {
  add_experiment_command(
      app, "inject",
      "Trials with bit flips: outcomes, a row for every fault, and a list that replays",
      "Examples: sagitta inject configs/lenet5.json --set scheme=none --set "
      "fault.sites='array.pe**.acc' -o out\n"
      "          sagitta inject configs/lenet5.json --set scheme=none --set "
      "fault.list=out/faults.json\n"
      "With fault.level=neuron or weight and a fault.rate, neurons or weights are hit in place of "
      "the\n"
      "machine's bits (docs/faults.md).",
      [](const Options& options, Campaign& campaign) {
        if (!options->output.empty()) campaign.keep_faults();
        run_trials(options, campaign);
        const auto results = fault_results(campaign);
        std::vector<std::string> lists;
        if (!options->output.empty()) lists = write_faults(options->output, campaign);
        finish(options, campaign, results, fault_table(results, colour_wanted()), lists);
      });
}

void add_sweep(CLI::App& app) {
  add_experiment_command(
      app, "sweep",
      "Every configuration of an experiment under faults: accuracy, SDC, and what it costs",
      "Examples: sagitta sweep configs/sweeps/demo.json -o out/demo\n"
      "          sagitta sweep configs/lenet5.json --set 'fault={\"level\": \"neuron\", \"rate\": "
      "[1e-4, 1e-3]}'",
      [](const Options& options, Campaign& campaign) {
        run_trials(options, campaign);
        const auto results = sweep_results(campaign);
        finish(options, campaign, results,
               fault_table(results, colour_wanted()) + "\n" + finding(results) + "\n");
      });
}

void add_compare(CLI::App& app) {
  add_experiment_command(
      app, "compare",
      "The schemes of an experiment on the same faults, pair by pair (McNemar's exact test)",
      "Faults are drawn over the unprotected machine and carried over to every scheme by layer, "
      "tile\n"
      "and cycle; registers that only a scheme has are not struck here (see sweep for those).\n"
      "Neurons and weights (fault.level) are the same for every scheme.\n"
      "Example: sagitta compare configs/lenet5.json --set fault.upsets=64",
      [](const Options& options, Campaign& campaign) {
        for (const Configuration& c : campaign.experiment().configurations) {
          if (c.fault.list.empty()) continue;
          // Its cycles are those of one machine; in another they fall into other phases.
          throw InputError(campaign.experiment().file, "$.fault.list",
                           "compare draws the faults that it carries over to every scheme",
                           "leave the list out, or replay it with sagitta inject");
        }
        run_trials(options, campaign);
        const auto results = compare_results(campaign);
        finish(
            options, campaign, results,
            fault_table(results, colour_wanted()) + "\n" + pairs_table(results, colour_wanted()));
      },
      // As an override, so that the experiment written beside the results gives them again.
      {"fault.population=common"});
}

}  // namespace sagitta::cli
