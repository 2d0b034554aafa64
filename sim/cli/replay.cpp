// replay: one trial of an output folder once more, on the whole machine, with waveforms if wanted.
#include <algorithm>
#include <memory>
#include <set>
#include <stdexcept>
#include <utility>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/version.h"
#include "cli/command.h"
#include "cli/trace_window.h"
#include "report/replay_report.h"
#include "trace/pair_trace.h"

namespace sagitta::cli {
namespace {

using nlohmann::ordered_json;

struct ReplayOptions {
  std::string folder;
  std::int64_t trial = 0;
  int configuration = -1;  // not given
  bool json = false;
  std::string trace, scope, cycles;
  double limit_mb = 1000;
};

int choose_configuration(const ReplayOptions& o, const Experiment& experiment) {
  const auto& all = experiment.configurations;
  const int given = std::max(o.configuration, 0);
  const bool there = static_cast<std::size_t>(given) < all.size();
  if (there && (o.configuration >= 0 || all.size() == 1)) return given;
  constexpr std::size_t kListed = 40;
  std::string names;
  for (std::size_t i = 0; i < std::min(kListed, all.size()); ++i) {
    const FaultPlan& f = all[i].fault;
    const std::string plan = !f.list.empty()    ? "list " + f.list
                             : f.of_registers() ? counted(f.upsets, "upset") + " in " + f.sites
                                                : fmt::format("{}s at {}", f.level, f.rate);
    names += fmt::format("{} {} ({}, {})", i == 0 ? "" : ",", i, all[i].name, plan);
  }
  if (all.size() > kListed) names += fmt::format(" and {} more", all.size() - kListed);
  throw InputError(
      o.folder, "",
      there ? fmt::format("has {} configurations, and a trial belongs to one", all.size())
            : fmt::format("has no configuration {}", given),
      "choose one with --configuration:" + names);
}

// What decides how a configuration's faults are drawn and what they meet, beside its experiment.
std::string machine_there(const Store& store, int configuration) {
  std::string text;
  SQLite::Statement plan(store.database(),
                         "SELECT machine_digest, plan FROM configuration WHERE id = ?");
  plan.bind(1, configuration);
  if (!plan.executeStep()) return text;
  text = plan.getColumn(0).getString();
  SQLite::Statement row(store.database(),
                        "SELECT path, extents, width FROM register WHERE plan = ? ORDER BY id");
  row.bind(1, plan.getColumn(1).getInt());
  while (row.executeStep()) {
    text += fmt::format("\n{} {} {}", row.getColumn(0).getString(), row.getColumn(1).getString(),
                        row.getColumn(2).getInt());
  }
  return text;
}

std::string machine_here(const StoreHead& head, int configuration) {
  const ordered_json& c =
      head.tables.at("configuration").at(static_cast<std::size_t>(configuration));
  std::string text = c.at("machine_digest").get<std::string>();
  const auto registers = head.tables.find("register");
  if (registers == head.tables.end()) return text;  // studies in software only
  for (const ordered_json& r : registers->second) {
    if (r.at("plan") != c.at("plan")) continue;
    text += fmt::format("\n{} {} {}", r.at("path").get<std::string>(),
                        r.at("extents").get<std::string>(), r.at("width").get<int>());
  }
  return text;
}

// Refuses where the trial would not be the same one. Of another commit of the program it may be:
// the commands that write a folder refuse such, since its trials would be of two programs, but here
// nothing is written, and whether the other program finds the same is worth knowing. So that is a
// note, as long as its machine has the same digest and registers, from which sites are drawn.
// Returns the other commit; empty: it is the same.
std::string check_same(const Store& store, const Campaign& campaign, int configuration) {
  const ordered_json there = store.meta();
  const StoreHead head = campaign.store_head();
  ordered_json here = head.meta;
  for (const char* key : {"version", "commit", "engine", "faults"}) here[key] = there.at(key);
  if (const std::string other = difference(there, here, false); !other.empty()) {
    throw InputError(store.path(), "", "its experiment's files are not what they were: " + other,
                     "put them back as they were, or run the experiment anew with --fresh");
  }
  auto commit = there.at("commit").get<std::string>();
  const bool same = commit == kCommit && there.at("version") == kVersion;
  if (machine_there(store, configuration) != machine_here(head, configuration)) {
    throw InputError(
        store.path(), "",
        fmt::format("was written by commit {}, and the machine of commit {} is another one", commit,
                    kCommit),
        "replay it with the program that wrote it");
  }
  if (same) return "";
  fmt::print(stderr, "sagitta: note: {} was written by version {}, commit {}, and this is {}, {}\n",
             store.path(), there.at("version").get<std::string>(), commit, kVersion, kCommit);
  return commit;
}

std::string with_any_index(std::string path) {
  for (std::size_t at = 0; (at = path.find("[]", at)) != std::string::npos; at += 3) {
    path.replace(at, 2, "[*]");
  }
  return path;
}

// The flip-flops of the blocks in which the first differing registers are, and of memories the
// words that differ: these are long, and the rest of them stands still.
std::string default_scope(const SiteMap& sites,
                          const std::vector<std::pair<int, std::int64_t>>& registers) {
  std::string globs;
  std::set<std::string> blocks;
  const auto add = [&globs](const std::string& glob) {
    globs += (globs.empty() ? "" : ",") + glob;
  };
  for (const auto& [index, element] : registers) {
    const RegisterClass& c = sites.classes()[static_cast<std::size_t>(index)];
    blocks.insert(c.path.substr(0, c.path.find('.')));
    if (c.storage == Storage::sram) add(sites.element_path(index, element));
  }
  for (const RegisterClass& c : sites.classes()) {
    if (c.storage == Storage::sram || !blocks.contains(c.path.substr(0, c.path.find('.'))))
      continue;
    add(with_any_index(c.path));
  }
  return globs;
}

ordered_json parting_document(const SiteMap& sites, const PairTrace::Parting& parting) {
  ordered_json j = {{"cycle", nullptr}, {"registers", ordered_json::array()}};
  if (parting.cycle < 0) return j;
  j["cycle"] = parting.cycle;
  for (const auto& [index, element] : parting.registers) {
    j["registers"].push_back(sites.element_path(index, element));
  }
  return j;
}

// Leaves golden.vcd and faulty.vcd. The replayed run is run again, the same engine's, and watched.
ordered_json write_traces(const ReplayOptions& o, const Campaign& campaign, int configuration,
                          Replay& replay) {
  const MachinePlan& plan =
      campaign.machines()[static_cast<std::size_t>(campaign.machine_of(configuration))];
  const auto image = campaign.images().image(replay.trial.image);
  const SiteMap& sites = replay.engine->sites();
  const std::int64_t cycles = std::max(replay.trial.cycles, replay.clean.cycles);
  const InterruptGuard guard;
  const auto run = [&](PairTrace& pair) {
    replay.engine->watch([&pair](const Machine& machine) { pair.see(machine); });
    replay.engine->run_trial(replay.trial.trial, replay.faults, true);
    replay.engine->watch(nullptr);
    if (InterruptGuard::interrupted()) throw Interrupted{};
    return pair.finish();
  };
  PairTrace search(plan.program, image.data());
  run(search);
  const PairTrace::Parting& parting = search.parting();
  if (parting.cycle < 0 && (o.scope.empty() || o.cycles.empty())) {
    throw InputError("--trace", "",
                     "no fault of this trial changed a register: both runs are the same",
                     "name --scope and --cycles to see them nevertheless, or choose another trial");
  }
  const CycleWindow window = o.cycles.empty()
                                 ? CycleWindow{std::max<std::int64_t>(0, parting.cycle - 10),
                                               std::min(parting.cycle + 200, cycles - 1)}
                                 : parse_window(o.cycles, cycles, cycles);
  const SiteSelection scope = sites.select(
      o.scope.empty() ? default_scope(sites, parting.registers) : o.scope, "--scope", "");
  check_size(o.limit_mb, "--trace", 2 * Waveform::estimate(sites, scope, 1, window.cycles()),
             window);
  make_output(o.trace);
  OutputFile golden_file(o.trace + "/golden.vcd");
  OutputFile faulty_file(o.trace + "/faulty.vcd");
  // The same names in both, so that a viewer's settings for one fit the other.
  const double clock = campaign.experiment().clock_mhz;
  Waveform golden(golden_file, sites, scope, {"sagitta"}, clock);
  Waveform faulty(faulty_file, sites, scope, {"sagitta"}, clock);
  PairTrace pair(plan.program, image.data());
  pair.write(golden, faulty, window);
  const std::int64_t last = run(pair);
  for (OutputFile* file : {&golden_file, &faulty_file}) file->close();
  for (OutputFile* file : {&golden_file, &faulty_file}) file->take_name();
  return {{"golden", golden_file.path()},
          {"faulty", faulty_file.path()},
          {"signals", golden.signals()},
          {"bytes", golden_file.bytes() + faulty_file.bytes()},
          {"cycles", {{"first", window.first}, {"last", last}}},
          {"first_difference", parting_document(sites, parting)}};
}

std::string trace_text(const ordered_json& j) {
  constexpr std::size_t kNamed = 8;
  std::string text = fmt::format(
      "Waveforms: {} and {}, {} registers in cycles {}..{}, {} bytes\n",
      j.at("golden").get<std::string>(), j.at("faulty").get<std::string>(),
      j.at("signals").get<std::int64_t>(), j.at("cycles").at("first").get<std::int64_t>(),
      j.at("cycles").at("last").get<std::int64_t>(), j.at("bytes").get<std::int64_t>());
  const ordered_json& first = j.at("first_difference");
  if (first.at("cycle").is_null()) return text + "They do not differ in any register\n";
  const auto names = first.at("registers").get<std::vector<std::string>>();
  const auto shown = static_cast<std::ptrdiff_t>(std::min(kNamed, names.size()));
  text += fmt::format("First difference: cycle {}, {}", first.at("cycle").get<std::int64_t>(),
                      fmt::join(names.begin(), names.begin() + shown, ", "));
  if (names.size() > kNamed) text += fmt::format(" and {} more", names.size() - kNamed);
  return text + "\n";
}

void run_replay(const ReplayOptions& o) {
  check_output(o.trace);
  const Store store(store_in(o.folder));
  const ordered_json meta = store.meta();
  Experiment experiment =
      resolved_experiment(meta.at("experiment"), meta.at("file").get<std::string>());
  const int configuration = choose_configuration(o, experiment);
  Campaign campaign(std::move(experiment));
  if (!o.trace.empty() && campaign.study_of(configuration) >= 0) {
    throw InputError("--trace", "",
                     fmt::format("configuration {} is a study in real numbers, in software: it has "
                                 "no registers and no cycles",
                                 configuration),
                     "leave it out, or choose a configuration of int32 or int8");
  }
  const std::string other = check_same(store, campaign, configuration);
  Replay replay = campaign.replay(configuration, o.trial, store);
  ordered_json j = replay_document(campaign, configuration, replay,
                                   find_stored(campaign, store, configuration, o.trial));
  std::string text = replay_text(j);
  if (!o.trace.empty()) {
    j["trace"] = write_traces(o, campaign, configuration, replay);
    text += trace_text(j.at("trace"));
  }
  print(o.json ? document(j) : text);
  if (j.at("as_stored") != false) return;
  throw std::runtime_error(fmt::format(
      "{}: trial {} of configuration {} is not as stored\n  remedy: {}", store.path(), o.trial,
      configuration,
      other.empty() ? "unless the file was changed by hand, this is a bug: please report it, with "
                      "what is printed above and the experiment"
                    : "another commit may give other results on purpose: replay it with commit " +
                          other + ", and report a bug where that differs, too"));
}

}  // namespace

void add_replay(CLI::App& app) {
  auto* command = app.add_subcommand(
      "replay", "One trial of an output folder once more, on the whole machine, with waveforms");
  command->footer(
      "The trial runs from reset to its end on the SystemC accelerator, without the shortcuts that "
      "sweeps take,\nand every field of its result is compared with what DIR holds: `As stored`, "
      "or "
      "the fields that\ndiffer and exit code 1. DIR may be a shard's or an unfinished one; a trial "
      "that it lacks is run all the\nsame. Nothing in DIR is written. The experiment's files must "
      "be "
      "where they were.\n\n"
      "Which trial: `sagitta export DIR` lists them, and so does\n"
      "          sqlite3 -box DIR/trials.sqlite \"SELECT configuration, trial FROM trials WHERE "
      "outcome_name = 'critical'\"\n\n"
      "--trace leaves the fault-free run and the one with the faults as two waveforms with the "
      "same "
      "names: by\ndefault from 10 cycles before they part to 200 after, and the flip-flops of the "
      "block where they do.\n\n"
      "Examples: sagitta replay out --trial 17\n"
      "          sagitta replay out --configuration 3 --trial 17 --trace wave; gtkwave "
      "wave/faulty.vcd\n"
      "          sagitta replay out --trial 17 --trace wave --scope "
      "'array.pe[0..3][*].acc,vector.**'"
      " --cycles 5000..6000");
  auto o = std::make_shared<ReplayOptions>();
  command
      ->add_option("folder", o->folder, "Folder that sagitta inject, sweep, compare or merge wrote")
      ->required()
      ->type_name("DIR")
      ->check(not_empty);
  command->add_option("--trial", o->trial, "Its number in the configuration, counted from 0")
      ->required()
      ->check(CLI::Range(std::int64_t{0}, INT64_MAX));
  command
      ->add_option("--configuration", o->configuration,
                   "Its number in results.json, counted from 0; needed where there are several")
      ->check(CLI::Range(0, INT32_MAX));
  command->add_flag("--json", o->json,
                    "Print one JSON document on standard output and nothing else there");
  auto* trace = command->add_option("--trace", o->trace, "Folder for golden.vcd and faulty.vcd")
                    ->type_name("OUT")
                    ->check(not_empty);
  command->add_option("--scope", o->scope, "Registers, by the globs of `sagitta sites`")
      ->type_name("GLOBS")
      ->check(not_empty)
      ->needs(trace);
  command->add_option("--cycles", o->cycles, "Only these cycles, both inclusive")
      ->type_name("FIRST..LAST")
      ->needs(trace);
  command->add_option("--limit-mb", o->limit_mb, "Refuse files that may grow beyond this")
      ->check(CLI::PositiveNumber)
      ->capture_default_str()
      ->needs(trace);
  command->callback([o] { run_replay(*o); });
}

}  // namespace sagitta::cli
