// The subcommands with faults: inject, sweep, compare.
#include <functional>
#include <memory>

#include <fmt/format.h>

#include "base/error.h"
#include "base/file.h"
#include "cli/command.h"
#include "fault/site.h"
#include "report/results.h"
#include "report/table.h"

namespace sagitta::cli {
namespace {

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

// One row a fault of every trial, with what it did.
void write_faults_csv(const Campaign& campaign, const std::string& path) {
  OutputFile file(path);
  file.write(
      "configuration,sites,upsets,seed,trial,image,site,cycle,kind,last,fired,before,after,outcome,"
      "reference_class,predicted_class\n");
  for (std::size_t i = 0; i < campaign.experiment().configurations.size(); ++i) {
    const int index = static_cast<int>(i);
    const Configuration& c = campaign.experiment().configurations[i];
    // What was drawn over; of a list nobody knows.
    std::string targets = c.fault.of_registers() ? c.fault.sites : c.fault.level + "s";
    if (!c.fault.list.empty()) targets.clear();
    const SiteMap sites(
        c.fault.of_floats()
            ? std::vector<RegisterClass>{}
            : campaign.machines()[static_cast<std::size_t>(campaign.machine_of(index))].registers);
    campaign.store().each_trial(index, [&](const TrialResult& t) {
      const auto add = [&](const std::string& site, std::int64_t cycle, bool fired, auto before,
                           auto after, FaultKind kind = FaultKind::flip,
                           const std::string& last = "") {
        file.write(fmt::format("{},\"{}\",{},{},{},{},{},{},{},{},{},{},{},{},{},{}\n", c.name,
                               targets, t.faults_drawn, c.fault.seed, t.trial, t.image, site, cycle,
                               to_string(kind), last, fired ? 1 : 0, before, after,
                               to_string(t.outcome), t.reference_class, t.predicted_class));
      };
      for (const FaultRecord& f : t.faults) {
        const bool ends = f.kind != FaultKind::flip && f.last != kToTheEnd;
        add(sites.path(f.site), f.cycle, f.fired, f.before, f.after, f.kind,
            ends ? std::to_string(f.last) : "");
      }
      for (const WeightRecord& w : t.weights) {  // in DRAM before the run
        add(weight_path(campaign.network(), w.fault), 0, w.fired, w.before, w.after);
      }
      for (const FloatRecord& r : t.floats) {  // in software: there are no cycles
        add(neuron_path(campaign.network(), r.fault), 0, r.fired, r.before, r.after);
      }
    });
  }
  file.close();
  file.take_name();
}

// Writes faults.csv and the lists that replay; returns their names.
std::vector<std::string> write_faults(const std::string& folder, const Campaign& campaign) {
  std::vector<std::string> names = {"faults.csv"};
  write_faults_csv(campaign, folder + "/faults.csv");
  const auto n = campaign.experiment().configurations.size();
  for (std::size_t i = 0; i < n; ++i) {
    names.push_back(n == 1 ? "faults.json" : fmt::format("faults-{}.json", i));
    campaign.write_fault_list(static_cast<int>(i), folder + "/" + names.back());
  }
  return names;
}

void refuse_unpaired(const Campaign& campaign) {
  for (const Configuration& c : campaign.experiment().configurations) {
    const SamplePlan& sample = c.fault.sample;
    if (sample.method != SamplePlan::Method::uniform || sample.adapts()) {
      throw InputError(campaign.experiment().file, "$.fault.sample",
                       "compare gives every scheme the same faults, drawn uniformly, and as many",
                       "remove it, or give it error and confidence alone; sweep takes the others");
    }
    if (c.fault.list.empty()) continue;
    // Its cycles are those of one machine; in another they fall into other phases.
    throw InputError(campaign.experiment().file, "$.fault.list",
                     "compare draws the faults that it carries over to every scheme",
                     "leave the list out, or replay it with sagitta inject");
  }
}

// What stands below the table of outcomes: how trials were drawn, and what single upsets do.
std::string vulnerabilities(const nlohmann::ordered_json& results, bool colour) {
  const std::string table = vulnerability_table(results, colour);
  return sample_notes(results) + (table.empty() ? "" : "\n" + table);
}

void report_trials(const std::string& command, const ExperimentOptions& options,
                   const Campaign& campaign) {
  const bool colour = colour_wanted();
  std::vector<std::string> files;
  if (!options.output.empty()) files.emplace_back("trials.sqlite");
  if (command == "sweep") {
    const auto results = sweep_results(campaign);
    report(options, campaign, results,
           fault_table(results, colour) + vulnerabilities(results, colour) + "\n" +
               finding(results) + "\n",
           files);
  } else if (command == "compare") {
    const auto results = compare_results(campaign);
    report(options, campaign, results,
           fault_table(results, colour) + "\n" + pairs_table(results, colour), files);
  } else {
    if (!options.output.empty()) {
      const auto lists = write_faults(options.output, campaign);
      files.insert(files.end(), lists.begin(), lists.end());
    }
    const auto results = fault_results(campaign);
    report(options, campaign, results,
           fault_table(results, colour) + vulnerabilities(results, colour), files);
  }
}

void add_trial_command(CLI::App& app, const std::string& name, const std::string& description,
                       const std::string& footer) {
  auto* command = app.add_subcommand(name, description);
  command->footer(footer);
  auto options = std::make_shared<ExperimentOptions>();
  options->add_to(*command);
  options->add_store_to(*command);
  command->callback([options, name] {
    if (!options->shard.empty()) options->store.shard = parse_shard(options->shard);
    if (options->output.empty() &&
        (options->store.fresh || options->store.resume || !options->shard.empty())) {
      throw InputError("", "--fresh, --resume, --shard", "say what to do with a folder of trials",
                       "name it with -o DIR");
    }
    if (options->store.fresh && options->store.resume) {
      throw InputError("", "--fresh, --resume", "contradict each other", "leave one of them out");
    }
    check_output(options->output);
    const auto all = name == "inject" ? std::vector{*options} : options->each();
    for (ExperimentOptions one : all) {
      if (name == "compare") {
        require_network(one.load());  // before a key that only networks take
        // As an override, so that the experiment written beside the results gives them again.
        one.set.emplace_back("fault.population=common");
      }
      Campaign campaign(one.load());
      check_overwrite(one, document(campaign.experiment().resolved));
      if (!one.title.empty()) print(one.title + "\n");
      run_trial_command(name, one, campaign);
    }
  });
}

const char* const kGoesOn =
    "\nTrials are kept in DIR/trials.sqlite as they end (docs/store.md): after an interruption the "
    "same\ncommand goes on, and gives the results that it would have given without one.\n"
    "Several machines: --shard 1/4 -o DIR1 on the first and so on, then sagitta merge.";

}  // namespace

void run_trial_command(const std::string& command, const ExperimentOptions& options,
                       Campaign& campaign) {
  if (command == "compare") refuse_unpaired(campaign);
  if (command == "inject" && !options.output.empty()) campaign.keep_faults();
  StoreOptions store = options.store;
  if (!options.output.empty()) store.path = store_in(options.output);
  campaign.set_engine(options.engine == "machine" ? Engine::machine : Engine::fast);
  campaign.keep_in(store, command);
  note_foreign_lists(campaign);
  campaign.read_plans();
  {
    ProgressLine line("trials and fault-free inferences", options.quiet);
    campaign.run_trials(options.worker_count(), line.callback());
  }
  if (store.shard.whole()) {
    report_trials(command, options, campaign);
    return;
  }
  print(fmt::format("Part {} is done: {} trials in {}. When all {} are: sagitta merge OUT DIR...\n",
                    store.shard.name(), campaign.store().trials(), store.path, store.shard.of));
}

void add_inject(CLI::App& app) {
  add_trial_command(
      app, "inject",
      "Trials with bit flips: outcomes, a row for every fault, and a list that replays",
      std::string("Examples: sagitta inject configs/lenet5.json --set scheme=none --set "
                  "fault.sites='array.pe**.acc' -o out\n"
                  "          sagitta inject configs/lenet5.json --set scheme=none --set "
                  "fault.list=out/faults.json -o replayed\n"
                  "With fault.level=neuron or weight and a fault.rate, neurons or weights are hit "
                  "in place of the\n"
                  "machine's bits (docs/faults.md).") +
          kGoesOn);
}

void add_sweep(CLI::App& app) {
  add_trial_command(
      app, "sweep",
      "Every configuration of an experiment under faults: accuracy, SDC, and what it costs",
      std::string("Examples: sagitta sweep configs/sweeps/demo.json -o out/demo\n"
                  "          sagitta sweep configs/lenet5.json --set 'fault={\"level\": "
                  "\"neuron\", \"rate\": [1e-4, 1e-3]}'") +
          kGoesOn);
}

void add_compare(CLI::App& app) {
  add_trial_command(
      app, "compare",
      "The schemes of an experiment on the same faults, pair by pair (McNemar's exact test)",
      std::string("Faults are drawn over the unprotected machine and carried over to every scheme "
                  "by layer, tile\n"
                  "and cycle; registers that only a scheme has are not struck here (see sweep for "
                  "those).\n"
                  "Neurons and weights (fault.level) are the same for every scheme.\n"
                  "Example: sagitta compare configs/lenet5.json --set fault.upsets=64") +
          kGoesOn);
}

}  // namespace sagitta::cli
