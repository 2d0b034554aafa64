// sagitta trace: waveforms of registers, and what memories and DRAM did, in a run.
#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>

#include <fmt/format.h>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/nearest.h"
#include "cli/command.h"
#include "cli/gemm.h"
#include "cli/trace_window.h"
#include "report/trial_export.h"
#include "trace/trace.h"

namespace sagitta::cli {
namespace {

struct TraceOptions {
  ExperimentOptions experiment;
  ProductOptions product;
  int image = 0;
  double clock_mhz = 500;  // of a product; experiments have their own
  std::string scope, vcd, sram, dram, cycles, layer;
  int tile = -1;
  bool values = false;
  double limit_mb = 1000;
  std::vector<std::string> faults;
};

// What is run: an experiment's one machine on one image (or the batch that it belongs to), or a
// product.
struct Subject {
  Program program;
  std::vector<std::int8_t> image;
  double clock_mhz = 500;
};

Subject load(const TraceOptions& o) {
  const bool product = !o.product.a.empty() || !o.product.b.empty();
  if (product != o.experiment.file.empty() || o.product.a.empty() != o.product.b.empty()) {
    throw InputError("sagitta trace", "", "needs an experiment, or a product's --a and --b",
                     "name one of the two, as in the examples of `sagitta trace --help`");
  }
  if (product) {
    Product p = load_product(o.product);
    return {std::move(p.program), std::move(p.a), o.clock_mhz};
  }
  const Campaign campaign(o.experiment.load());
  campaign.require_machines();
  if (campaign.machines().size() != 1) {
    throw InputError(o.experiment.file, "",
                     fmt::format("has {} machines, and one is traced", campaign.machines().size()),
                     "choose one, e.g. with --set scheme=none --set array.rows=8");
  }
  if (o.image >= campaign.images().count()) {
    throw InputError("--image", "",
                     fmt::format("{} is not one of the {} images of the experiment", o.image,
                                 campaign.images().count()),
                     "images are counted from 0");
  }
  const int first = o.image / campaign.batch() * campaign.batch();
  return {campaign.machines()[0].program, campaign.pass(first), campaign.experiment().clock_mhz};
}

CycleWindow layer_window(const TraceOptions& o, const Program& program, const Schedule& schedule) {
  const auto& names = program.layer_names;
  const auto found = std::find(names.begin(), names.end(), o.layer);
  if (found == names.end()) {
    throw InputError("--layer", "", fmt::format("'{}' is not a layer", o.layer),
                     suggest(o.layer, names, "layers"));
  }
  const auto layer = static_cast<int>(found - names.begin());
  if (o.tile < 0) return schedule.layers[static_cast<std::size_t>(layer)];
  std::vector<CycleWindow> tiles;
  for (const TileRecord& t : schedule.tiles) {
    if (t.layer == layer) tiles.push_back({t.start_cycle, t.end_cycle});
  }
  if (static_cast<std::size_t>(o.tile) >= tiles.size()) {
    throw InputError(
        "--tile", "",
        fmt::format("{} is not one of the {} tiles of {}", o.tile, tiles.size(), o.layer),
        tiles.empty() ? "leave it out: pooling has none" : "tiles are counted from 0");
  }
  return tiles[static_cast<std::size_t>(o.tile)];
}

CycleWindow window_of(const TraceOptions& o, const Program& program, const Schedule& schedule) {
  // A run under faults may take longer; one that takes this long hangs.
  const std::int64_t end = o.faults.empty()
                               ? schedule.cycles
                               : TrialEngine::budget(schedule.cycles, program.protection.retries);
  if (!o.layer.empty()) return layer_window(o, program, schedule);
  if (o.cycles.empty()) return {0, end - 1};
  return parse_window(o.cycles, end, schedule.cycles);
}

std::vector<Fault> faults_of(const TraceOptions& o, const SiteMap& sites, std::int64_t cycles) {
  std::vector<Fault> faults;
  for (const std::string& text : o.faults) {
    faults.push_back(parse_fault(sites, text, "--fault", ""));
    if (faults.back().cycle < cycles) continue;
    throw InputError(
        "--fault", "",
        fmt::format("'{}' strikes after the run, which has cycles 0..{}", text, cycles - 1),
        "choose a cycle in that range");
  }
  return faults;
}

// Three outputs at most, each a file of its own and none of the inputs.
void check_outputs(const TraceOptions& o) {
  std::vector<std::string> names;
  for (const std::string& name : {o.vcd, o.sram, o.dram}) {
    if (!name.empty()) names.push_back(name);
  }
  if (names.empty()) {
    throw InputError("sagitta trace", "", "nothing is to be traced",
                     "ask for --vcd FILE with --scope, --sram FILE or --dram FILE");
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    keep_input(names[i], {o.product.a, o.product.b, o.experiment.file},
               "what the trace is made of");
    const auto path = std::filesystem::absolute(names[i]).lexically_normal();
    for (std::size_t k = 0; k < i; ++k) {
      if (std::filesystem::absolute(names[k]).lexically_normal() != path) continue;
      throw InputError(names[i], "", "is named for two traces", "give each a name of its own");
    }
  }
  if (o.vcd.empty() != o.scope.empty()) {
    throw InputError(o.vcd.empty() ? "--scope" : "--vcd", "",
                     o.vcd.empty() ? "a scope goes into a waveform" : "which registers?",
                     o.vcd.empty() ? "add --vcd FILE"
                                   : "add --scope GLOBS, e.g. --scope 'array.pe[0..3][0..3].acc'");
  }
}

std::unique_ptr<OutputFile> open(const std::string& path) {
  return path.empty() ? nullptr : std::make_unique<OutputFile>(path);
}

void run_trace(const TraceOptions& o) {
  check_outputs(o);
  const Subject subject = load(o);
  const InterruptGuard guard;
  const auto vcd = open(o.vcd);
  const auto sram = open(o.sram);
  const auto dram = open(o.dram);
  const Schedule schedule = schedule_of(subject.program, subject.image.data());
  const Machine layout(subject.program);
  const SiteMap sites(layout.layout());
  const std::vector<Fault> faults = faults_of(o, sites, schedule.cycles);
  const CycleWindow window = window_of(o, subject.program, schedule);

  std::optional<Waveform> waveform;
  std::optional<MemoryTrace> memories;
  std::optional<DramTrace> dram_trace;
  TraceOutputs outputs;
  if (vcd) {
    const SiteSelection scope = sites.select(o.scope, "--scope", "");
    const double bytes = Waveform::estimate(sites, scope, faults.empty() ? 1 : 2, window.cycles());
    check_size(o.limit_mb, "--vcd", bytes, window);
    using Names = std::vector<std::string>;
    waveform.emplace(*vcd, sites, scope,
                     faults.empty() ? Names{"sagitta"} : Names{"golden", "faulty"},
                     subject.clock_mhz);
    outputs.waveform = &*waveform;
  }
  if (sram) {
    const double share =
        static_cast<double>(window.cycles()) / static_cast<double>(schedule.cycles);
    const double bytes =
        share * MemoryTrace::estimate(schedule.counters, subject.program, o.values);
    check_size(o.limit_mb, "--sram", bytes, window);
  }
  if (sram) outputs.memories = &memories.emplace(*sram, o.values);
  if (dram) outputs.dram = &dram_trace.emplace(*dram);
  const TracedRun run = trace(subject.program, subject.image.data(), faults, window, outputs);

  nlohmann::ordered_json j;
  j["cycles"] = {{"first", window.first}, {"last", run.last}};
  j["fault_free_cycles"] = schedule.cycles;
  j["clock_mhz"] = subject.clock_mhz;
  std::string text = fmt::format("Traced: cycles {}..{} of a fault-free run of {}\n", window.first,
                                 run.last, schedule.cycles);
  if (waveform) {
    j["vcd"] = {{"file", o.vcd},
                {"signals", waveform->signals()},
                {"changes", waveform->changes()},
                {"bytes", vcd->bytes()}};
    text += fmt::format("{}: {} registers, {} values, {} bytes; gtkwave {}\n", o.vcd,
                        waveform->signals(), waveform->changes(), vcd->bytes(), o.vcd);
  }
  const auto tell = [&](const char* key, const std::string& name, std::int64_t rows) {
    j[key] = {{"file", name}, {"rows", rows}};
    text += fmt::format("{}: {} accesses\n", name, rows);
  };
  if (memories) tell("sram", o.sram, memories->rows());
  if (dram_trace) tell("dram", o.dram, dram_trace->rows());
  j["faults"] = nlohmann::ordered_json::array();
  for (const FaultRecord& r : run.faults) {
    j["faults"].push_back(record_json(sites, r));
    text += fmt::format("{}: {}\n", fault_text(sites, r.fault()),
                        r.fired ? fmt::format("{} -> {}", r.before, r.after) : "did not fire");
  }
  if (!faults.empty()) {
    const bool hang =
        !run.finished &&
        run.cycles >= TrialEngine::budget(schedule.cycles, subject.program.protection.retries);
    j["hang"] = hang;
    if (hang)
      text += fmt::format("The run under faults hung: no result in {} cycles\n", run.cycles);
  }
  for (const auto* file : {&vcd, &sram, &dram}) {
    if (*file) (*file)->close();
  }
  for (const auto* file : {&vcd, &sram, &dram}) {
    if (*file) (*file)->take_name();
  }
  print(o.experiment.json ? document(j) : text);
}

}  // namespace

void add_trace(CLI::App& app) {
  auto* command = app.add_subcommand(
      "trace", "Waveforms of registers, and the accesses of memories and DRAM, cycle by cycle");
  command->footer(
      "Cycles, sites and globs are those of `sagitta gemm` and `sagitta sites`. With --fault the "
      "waveform\n"
      "holds two scopes, golden and faulty, and the accesses are those of the run under faults.\n"
      "Examples: sagitta trace configs/lenet5.json --set scheme=none --layer conv1 --tile 3 \\\n"
      "            --scope 'array.pe[0..3][*].acc,control.**' --vcd conv1.vcd\n"
      "          sagitta trace --a A.npy --b B.npy --array 8x8 --fault 'array.pe[3][4].a:5@125' "
      "\\\n"
      "            --scope 'array.pe**' --cycles 120..150 --vcd flip.vcd\n"
      "          sagitta trace configs/lenet5.json --set scheme=none --sram sram.csv --dram "
      "dram.csv");
  auto o = std::make_shared<TraceOptions>();
  o->experiment.add_to(*command, false);
  command->get_option("experiment")->required(false);
  command->add_option("--image", o->image, "Test image that is put through, counted from 0")
      ->check(CLI::NonNegativeNumber);
  o->product.add_to(*command, false);
  command->add_option("--clock-mhz", o->clock_mhz, "Clock of a product, for the waveform's time")
      ->check(CLI::Range(1e-3, 1e6))
      ->capture_default_str();
  const auto file = [&](const char* name, std::string& target, const char* description) {
    command->add_option(name, target, description)->type_name("FILE")->check(not_empty);
  };
  file("--vcd", o->vcd, "Waveform of the registers of --scope");
  command->add_option("--scope", o->scope, "Registers, by the globs of `sagitta sites`")
      ->type_name("GLOBS")
      ->check(not_empty);
  file("--sram", o->sram, "Accesses of the on-chip memories, CSV");
  command->add_flag("--values", o->values, "List the elements of each access in --sram");
  file("--dram", o->dram, "What DRAM delivers and takes, CSV");
  auto* cycles = command->add_option("--cycles", o->cycles, "Only these cycles, both inclusive")
                     ->type_name("FIRST..LAST");
  auto* layer = command->add_option("--layer", o->layer, "Only the cycles of this layer")
                    ->type_name("NAME")
                    ->excludes(cycles);
  command->add_option("--tile", o->tile, "Only those of one of its tiles, counted from 0")
      ->check(CLI::NonNegativeNumber)
      ->needs(layer);
  command
      ->add_option("--fault", o->faults,
                   "A bit flip, SITE=0@CYCLE a bit that is stuck; may be given several times")
      ->type_name("SITE@CYCLE")
      ->allow_extra_args(false);
  command->add_option("--limit-mb", o->limit_mb, "Refuse a file that may grow beyond this")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  auto* experiment = command->get_option("experiment");
  for (const char* name :
       {"--a", "--b", "--array", "--dataflow", "--overlap", "--scheme", "--clock-mhz"}) {
    experiment->excludes(command->get_option(name));
  }
  for (const char* name : {"--set", "--image"}) command->get_option(name)->needs(experiment);
  command->get_option("--values")->needs(command->get_option("--sram"));
  command->callback([o] { run_trace(*o); });
}

}  // namespace sagitta::cli
