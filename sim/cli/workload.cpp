// sagitta run on a workload, and sagitta scale-sim.
#include "cli/workload.h"

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>

#include <fmt/format.h>

#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "campaign/dataflows.h"
#include "campaign/timing_run.h"
#include "report/counter_report.h"
#include "report/results.h"
#include "report/timing_results.h"
#include "workload/scale_sim_reports.h"

namespace sagitta::cli {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> kReports = {"COMPUTE_REPORT.csv", "BANDWIDTH_REPORT.csv",
                                           "DETAILED_ACCESS_REPORT.csv"};

void write_reports(const std::string& folder, const std::vector<ScaleSimLayer>& layers, int pes) {
  make_output(folder);
  write_file(folder + "/" + kReports[0], compute_report(layers, pes));
  write_file(folder + "/" + kReports[1], bandwidth_report(layers));
  write_file(folder + "/" + kReports[2], detailed_access_report(layers));
}

// A folder of its own for each machine where there are several.
std::string folder_of(const std::string& output, const TimedMachine& machine,
                      std::size_t machines) {
  if (machines == 1) return output;
  return fmt::format("{}/{}x{}-{}", output, machine.array.rows, machine.array.columns,
                     to_string(machine.array.dataflow));
}

struct ScaleSimOptions {
  std::string config, topology, form, output, exported;
  bool traces = false;
  bool json = false;
};

TopologyForm form_of(const ScaleSimOptions& o) {
  if (o.form.empty()) return topology_form(o.topology);
  return o.form == "gemm" ? TopologyForm::gemm : TopologyForm::convolution;
}

// A topology, or the products of a workload file.
std::vector<TopologyLayer> layers_of(const ScaleSimOptions& o) {
  if (o.topology.ends_with(".json")) return read_workload(o.topology).products;
  return read_topology(o.topology, form_of(o)).layers;
}

void export_topology(const ScaleSimOptions& o) {
  const TopologyForm form = o.form == "gemm" ? TopologyForm::gemm : TopologyForm::convolution;
  std::error_code error;
  if (fs::equivalent(o.exported, o.topology, error)) {
    throw InputError(o.exported, "", "is the file that is read", "give another name");
  }
  write_file(o.exported, write_topology(layers_of(o), form, o.topology));
  print("Written: " + o.exported + "\n");
}

// The SRAM traces of all layers, in files that get their names when all are whole. What is given up
// before leaves nothing behind, folders included.
class TraceFiles {
 public:
  explicit TraceFiles(std::string folder) : folder_(std::move(folder)) {}
  ~TraceFiles() {
    std::error_code ignored;
    file_.clear();
    for (const std::string& name : names_) fs::remove(name + kPart, ignored);
    // From the innermost; one that holds something, as all do after success, stays.
    for (auto made = made_.rbegin(); made != made_.rend(); ++made) fs::remove(*made, ignored);
  }
  TraceFiles(const TraceFiles&) = delete;
  TraceFiles& operator=(const TraceFiles&) = delete;

  void start_layer(std::size_t index) {
    const std::string folder = fmt::format("{}/layer{}", folder_, index);
    make_folder(folder);
    for (const char* buffer : {"IFMAP", "FILTER", "OFMAP"}) {
      names_.push_back(fmt::format("{}/{}_SRAM_TRACE.csv", folder, buffer));
      file_[buffer].open(names_.back() + kPart, std::ios::binary);
    }
  }
  // Throws Interrupted when Ctrl-C has been pressed.
  void add(const char* buffer, const std::string& line) {
    if (InterruptGuard::interrupted()) throw Interrupted{};
    file_.at(buffer) << line;
  }
  void end_layer() {
    std::size_t name = names_.size() - file_.size();
    for (const char* buffer : {"IFMAP", "FILTER", "OFMAP"}) {
      file_.at(buffer).close();
      if (!file_.at(buffer)) cannot_write(names_[name]);
      ++name;
    }
    file_.clear();
  }
  void finish() {
    for (const std::string& name : names_) {
      std::error_code error;
      fs::rename(name + kPart, name, error);
      if (error) cannot_write(name);
    }
  }

  // A line a cycle with a cell a port: more than anybody would read is a slip.
  static void check_size(const TopologyLayer& layer, const ScaleSimConfig& config) {
    constexpr double kMostBytes = 8e9;
    constexpr double kBytesAPort = 3;  // ",-1"; addresses are longer
    const FoldWalker walker(layer, config.dataflow, config.rows, config.columns);
    const double bytes = kBytesAPort * static_cast<double>(walker.schedule_cycles()) *
                         (config.rows + 2.0 * config.columns);
    if (bytes <= kMostBytes) return;
    throw InputError("--traces", "layer " + layer.name,
                     fmt::format("its traces would have more than {:.0f} GB", bytes / 1e9),
                     "trace a smaller layer or a smaller array");
  }

 private:
  static constexpr const char* kPart = ".part";

  void make_folder(const std::string& folder) {
    std::vector<fs::path> missing;
    for (fs::path p = folder; !p.empty() && !fs::exists(p); p = p.parent_path()) {
      missing.push_back(p);
    }
    made_.insert(made_.end(), missing.rbegin(), missing.rend());
    make_output(folder);
  }
  [[noreturn]] static void cannot_write(const std::string& name) {
    throw InputError(name, "", "cannot be written", "check the disk");
  }

  std::string folder_;
  std::vector<fs::path> made_;
  std::vector<std::string> names_;
  std::map<std::string, std::ofstream> file_;  // of the layer under way
};

nlohmann::ordered_json to_json(const ScaleSimOptions& o, const ScaleSimConfig& config,
                               const std::vector<ScaleSimLayer>& layers) {
  nlohmann::ordered_json j;
  j["config"] = o.config;
  j["topology"] = o.topology;
  j["run_name"] = config.run_name;
  j["array"] = {
      {"rows", config.rows}, {"cols", config.columns}, {"dataflow", to_string(config.dataflow)}};
  j["layers"] = nlohmann::ordered_json::array();
  for (const ScaleSimLayer& l : layers) {
    j["layers"].push_back(
        {{"name", l.name},
         {"M", l.rows},
         {"K", l.depth},
         {"N", l.columns},
         {"folds", l.folds},
         {"total_cycles", l.last_cycle()},
         {"total_cycles_with_prefetch", l.cycles_with_prefetch()},
         {"stall_cycles", l.stall_cycles},
         {"overall_utilization", l.overall_utilization(config.rows * config.columns)},
         {"mapping_efficiency", l.mapping_efficiency},
         {"compute_utilization", l.compute_utilization},
         {"ifmap_reads", l.ifmap.count},
         {"filter_reads", l.filter.count},
         {"ofmap_writes", l.ofmap.count}});
  }
  return j;
}

void run_scale_sim(const ScaleSimOptions& o) {
  if (!o.exported.empty()) {
    export_topology(o);
    return;
  }
  if (o.config.empty()) {
    throw InputError("--config", "", "no architecture file is named",
                     "name one with -c FILE, or say --export-topology FILE");
  }
  if (o.traces && o.output.empty()) {
    throw InputError("--traces", "", "there is no folder to write them to", "name one with -o DIR");
  }
  check_output(o.output);
  const ScaleSimConfig config = read_scale_sim_config(o.config);
  if (config.user_bandwidth) {
    throw InputError(o.config, "[run_presets] InterfaceBandwidth",
                     "USER: waiting for DRAM is not modelled in this timing",
                     "write CALC, or run an experiment with \"timing\": \"real\" and "
                     "memory.dram_bytes_per_cycle");
  }
  const std::vector<TopologyLayer> topology = layers_of(o);
  const std::string folder = o.output.empty() ? "" : o.output + "/" + config.run_name;
  std::vector<ScaleSimLayer> layers;
  if (o.traces) {
    for (const TopologyLayer& layer : topology) TraceFiles::check_size(layer, config);
    const InterruptGuard guard;
    TraceFiles files(folder);
    for (std::size_t i = 0; i < topology.size(); ++i) {
      files.start_layer(i);
      layers.push_back(simulate_scale_sim(
          topology[i], config,
          [&files](const char* buffer, const std::string& line) { files.add(buffer, line); }));
      files.end_layer();
    }
    files.finish();
  } else {
    for (const TopologyLayer& layer : topology) {
      layers.push_back(simulate_scale_sim(layer, config));
    }
  }
  const int pes = config.rows * config.columns;
  if (!folder.empty()) write_reports(folder, layers, pes);
  print(o.json ? document(to_json(o, config, layers)) : compute_report(layers, pes));
  if (folder.empty() || o.json) return;
  const std::string traces = !o.traces ? ""
                             : topology.size() == 1
                                 ? ", SRAM traces of 1 layer"
                                 : fmt::format(", SRAM traces of {} layers", topology.size());
  print(fmt::format("Written to {}: {}{}\n", folder, fmt::join(kReports, ", "), traces));
}

}  // namespace

void run_workload(const ExperimentOptions& options, Experiment experiment) {
  check_output(options.output);
  TimingRun run(std::move(experiment));
  const std::string resolved = document(run.experiment().resolved);
  check_overwrite(options, resolved);
  {
    ProgressLine line("machines", options.quiet);
    run.run(line.callback());
  }
  const nlohmann::ordered_json results = timing_results(run);
  std::vector<std::string> files = {"results.json", "results.csv", "experiment.json"};
  if (!options.output.empty()) {
    make_output(options.output);
    write_file(options.output + "/experiment.json", resolved);
    write_file(options.output + "/results.csv", results_csv(results));
    if (run.experiment().timing == Timing::scale_sim) {
      for (const TimedMachine& m : run.machines()) {
        const std::string folder = folder_of(options.output, m, run.machines().size());
        write_reports(folder, m.layers, m.array.rows * m.array.columns);
      }
      files.insert(files.end(), kReports.begin(), kReports.end());
    }
    write_file(options.output + "/results.json", document(results));
  }
  std::string text = timing_table(results, colour_wanted());
  for (const TimedMachine& m : run.machines()) {
    if (!options.counters || m.counters.empty()) continue;
    text += fmt::format("\n{}\n", m.name) +
            counters_table(m.program.layer_names, m.counters, colour_wanted());
  }
  print(options.json ? document(results) : text);
  if (options.output.empty() || options.quiet || options.json) return;
  print(fmt::format("Written to {}: {}\n", options.output, fmt::join(files, ", ")));
}

void check_workload(const ExperimentOptions& options, Experiment experiment) {
  const TimingRun run(std::move(experiment));
  nlohmann::ordered_json j;
  j["experiment"] = run.experiment().resolved;
  j["machines"] = nlohmann::ordered_json::array();
  for (const TimedMachine& m : run.machines()) {
    j["machines"].push_back(
        {{"name", m.name}, {"array", array_name(m.array)}, {"scheme", m.scheme.name}});
  }
  print(options.json
            ? document(j)
            : fmt::format("{}: workload {}, {}, {}, timing {}, {}\nOK\n", run.experiment().file,
                          run.workload().name, counted(run.workload().layers.size(), "layer"),
                          counted(run.workload().macs(), "MAC"), to_string(run.experiment().timing),
                          counted(run.machines().size(), "machine")));
}

void add_scale_sim(CLI::App& app) {
  auto* command = app.add_subcommand(
      "scale-sim", "Time a SCALE-Sim topology under that simulator's conventions; its reports");
  command->footer(
      "Options are SCALE-Sim's. -t also takes a workload file (.json).\n"
      "Examples: sagitta scale-sim -c configs/scale-sim/32x32-ws.cfg -t "
      "traces/topologies/alexnet.csv "
      "-o out\n"
      "          sagitta scale-sim -t traces/workloads/resnet18.json --export-topology "
      "resnet18.csv\n"
      "What the machine itself takes: \"workload\" in an experiment, with sagitta run.");
  auto o = std::make_shared<ScaleSimOptions>();
  command->add_option("-c,--config", o->config, "Architecture file (.cfg)")->type_name("FILE");
  command->add_option("-t,--topology", o->topology, "Topology (.csv) or workload file (.json)")
      ->type_name("FILE")
      ->required();
  command
      ->add_option("-i,--input-type", o->form,
                   "Form of the topology's rows; without it the header decides")
      ->check(CLI::IsMember({"conv", "gemm"}));
  command
      ->add_option("-o,-p,--output", o->output,
                   "Folder; reports go to a folder below it that run_name names")
      ->type_name("DIR")
      ->check(not_empty);
  command->add_flag("--traces", o->traces, "Also write the SRAM traces of every layer");
  command
      ->add_option("--export-topology", o->exported,
                   "Write the layers as a topology of this form, and run nothing")
      ->type_name("FILE")
      ->check(not_empty);
  command->add_flag("--json", o->json,
                    "Print one JSON document on standard output and nothing else there");
  command->callback([o] { run_scale_sim(*o); });
}

}  // namespace sagitta::cli
