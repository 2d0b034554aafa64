// What the subcommands share. Each subcommand is one file with one function that adds it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "campaign/campaign.h"
#include "campaign/workers.h"

namespace sagitta::cli {

// Options of every command that reads an experiment.
struct ExperimentOptions {
  std::string file;
  std::vector<std::string> set;
  std::string output;  // -o; empty: nothing is written
  bool json = false;
  int workers = 0;  // 0: one for each processor
  bool quiet = false;
  bool counters = false;  // run: print them, layer by layer

  StoreOptions store;  // inject, sweep, compare: how they keep their trials
  std::string engine = "fast";
  std::string shard;  // ... as on the command line

  void add_to(CLI::App& app, bool runs = true);
  void add_store_to(CLI::App& app);
  std::string part;        // of an experiment that has parts; empty: none chosen
  std::string title = {};  // of several: what results belong to

  Experiment load() const { return load_experiment(file, set, part); }
  // One for each part of the experiment, unless one is chosen, and each network that it names, with
  // an output folder of its own where there are several.
  std::vector<ExperimentOptions> each() const;
  int worker_count() const { return workers > 0 ? workers : default_workers(); }
};

// A line on standard error with share, rate and time left, redrawn when that is a terminal; else
// one line when all is done, or nothing when quiet. With trials also the share that ended in silent
// data corruption so far, with its 95 % Wilson interval, of all configurations together.
class ProgressLine {
 public:
  ProgressLine(std::string what, bool quiet);
  ~ProgressLine();
  Progress callback();

 private:
  void show(const ProgressState& state);
  std::string what_;
  bool quiet_;
  bool terminal_;
  bool drawn_ = false;
  bool finished_ = false;  // the last line is shown once
};

bool colour_wanted();  // standard output is a terminal and NO_COLOR is not set

// For options that name a file or folder: an empty one is a slip, such as an unset variable.
extern const CLI::Validator not_empty;

// Checks before the work that `-o DIR` can be made, so that no result is lost to a bad path; leaves
// nothing behind, so that a run that fails does not either.
void check_output(const std::string& folder);
void make_output(const std::string& folder);
// What an earlier run left in the folder under names that runs write, beside those just written.
std::vector<std::string> left_over(const std::string& folder,
                                   const std::vector<std::string>& written);
// Writes results.json, results.csv, the resolved experiment and the thresholds used.
void write_results(const std::string& folder, const Campaign& campaign,
                   const nlohmann::ordered_json& results);
// The same where there is a folder, and prints the results, as `text` or with --json. `more`: other
// files that the command has put into the folder.
void report(const ExperimentOptions& options, const Campaign& campaign,
            const nlohmann::ordered_json& results, const std::string& text,
            const std::vector<std::string>& more = {});
// inject, sweep or compare, by its name: the trials that the folder lacks, then the results.
void run_trial_command(const std::string& command, const ExperimentOptions& options,
                       Campaign& campaign);
// Where the trials of a folder are.
inline std::string store_in(const std::string& folder) {
  return folder + "/trials.sqlite";
}
// The resolved experiment, of this text, must not replace the one that the user wrote.
void check_overwrite(const ExperimentOptions& options, const std::string& resolved);
// "1 machine", "2 machines".
template <typename Count>
std::string counted(Count n, const std::string& noun) {
  return std::to_string(n) + " " + noun + (n == 1 ? "" : "s");
}
// The text of a JSON document.
std::string document(const nlohmann::ordered_json& json);
// Standard output, with an error when it cannot be written (a closed pipe, a full disk).
void print(const std::string& text);

void add_check(CLI::App& app);
void add_run(CLI::App& app);
void add_calibrate(CLI::App& app);
void add_sites(CLI::App& app);
void add_inject(CLI::App& app);
void add_sweep(CLI::App& app);
void add_compare(CLI::App& app);
void add_export(CLI::App& app);
void add_merge(CLI::App& app);
void add_replay(CLI::App& app);
void add_counters(CLI::App& app);
void add_gemm(CLI::App& app);
void add_scale_sim(CLI::App& app);
void add_trace(CLI::App& app);

}  // namespace sagitta::cli
