#include "cli/command.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <regex>
#include <set>

#include <fmt/format.h>

#include "base/error.h"
#include "base/file.h"
#include "report/results.h"

namespace sagitta::cli {

void ExperimentOptions::add_to(CLI::App& app, bool runs) {
  app.add_option("experiment", file, "Experiment file (JSON; see configs/schema)")->required();
  app.add_option("--set", set, "Override a key, e.g. array.rows=32 or fault.upsets=[1,64]")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  app.add_flag("--json", json, "Print one JSON document on standard output and nothing else there");
  app.add_option("--part", part, "One part of an experiment that has parts (its key \"parts\")")
      ->type_name("NAME")
      ->check(not_empty);
  if (!runs) return;
  app.add_option(
         "-o,--output", output,
         "Folder for results.json, results.csv, experiment.json and thresholds.json; trials are "
         "kept there, too, and the same command goes on with them")
      ->type_name("DIR")
      ->check(not_empty);
  app.add_option("-j,--workers", workers, "Worker processes (default: one for each processor)")
      ->check(CLI::Range(1, 1024));
  app.add_flag("-q,--quiet", quiet,
               "No progress on standard error, and no list of the files that were written");
}

void ExperimentOptions::add_store_to(CLI::App& app) {
  app.add_option("--engine", engine,
                 "How trials are run: fast leaves out what cannot differ, machine runs the whole "
                 "SystemC accelerator for each. Results are the same, but for the column road")
      ->check(CLI::IsMember({"fast", "machine"}))
      ->capture_default_str();
  app.add_flag(
      "--fresh", store.fresh,
      "Start anew: delete the trials that DIR (of -o) holds, in place of going on with them");
  app.add_flag(
      "--resume", store.resume,
      "Go on with the trials that DIR (of -o) holds, as without it; an error where it has none");
  app.add_option(
         "--shard", shard,
         "Only the trials k with k mod n = i - 1, in DIR; `sagitta merge` joins all n parts")
      ->type_name("i/n");
}

std::vector<ExperimentOptions> ExperimentOptions::each() const {
  std::vector<std::string> parts = {part};
  if (part.empty()) {
    if (const auto all = experiment_parts(file); !all.empty()) parts = all;
  }
  std::vector<ExperimentOptions> all;
  const auto into = [](std::string& folder, const std::string& name) {
    if (!folder.empty()) folder += "/" + name;
  };
  for (const std::string& name : parts) {
    ExperimentOptions of_part = *this;
    of_part.part = name;
    if (parts.size() > 1) {
      into(of_part.output, name);
      of_part.title = "Part " + name;
    }
    const std::vector<std::string> networks = experiment_networks(file, set, name);
    if (networks.size() < 2) all.push_back(of_part);
    std::set<std::string> names;
    for (const std::string& network : networks) {
      if (networks.size() < 2) break;
      ExperimentOptions& one = all.emplace_back(of_part);
      one.set.push_back("network=" + network);
      const std::string called = open_network(network).network.name;
      into(one.output, called);
      one.title += (one.title.empty() ? "Network " : ", network ") + called;
      if (names.insert(called).second) continue;
      throw InputError(file, "$.network", "two of the networks are called " + called,
                       "give each a \"name\" of its own: results go to a folder of that name");
    }
  }
  if (json && all.size() > 1) {
    throw InputError(file, "$", "--json prints one document, and this is several experiments",
                     "choose one with --part and --set network=..., or read results.json of each "
                     "in -o DIR");
  }
  return all;
}

ProgressLine::ProgressLine(std::string what, bool quiet)
    : what_(std::move(what)), quiet_(quiet), terminal_(isatty(STDERR_FILENO) != 0) {}

ProgressLine::~ProgressLine() {
  if (drawn_ && terminal_) std::fputs("\n", stderr);
}

Progress ProgressLine::callback() {
  if (quiet_) return nullptr;
  return [this](const ProgressState& state) { show(state); };
}

void ProgressLine::show(const ProgressState& state) {
  const bool last = state.done >= state.total && !state.grows;
  if ((last && finished_) || (!last && !terminal_)) return;
  finished_ = last;
  const auto done = static_cast<double>(state.done - state.before);  // in these seconds
  const double rate = state.seconds > 0 ? done / state.seconds : 0;
  const std::string left =
      last ? fmt::format("{:.0f} s", state.seconds)
      : rate > 0
          ? fmt::format("{:.0f} s left", static_cast<double>(state.total - state.done) / rate)
          : std::string("-");
  std::string line = fmt::format(
      "{}: {}/{} ({:.0f} %), {:.0f}/s, {}", what_, state.done, state.total,
      100.0 * static_cast<double>(state.done) / static_cast<double>(state.total), rate, left);
  if (state.trials > 0) {
    const Proportion sdc = wilson(state.sdc, state.trials);
    line += fmt::format(", SDC {:.2f} % [{:.2f}, {:.2f}]", 100 * sdc.value, 100 * sdc.low,
                        100 * sdc.high);
  }
  fmt::print(stderr, "{}{}{}", terminal_ ? "\r\033[K" : "", line, terminal_ ? "" : "\n");
  std::fflush(stderr);
  drawn_ = true;
}

bool colour_wanted() {
  return isatty(STDOUT_FILENO) != 0 && std::getenv("NO_COLOR") == nullptr;
}

const CLI::Validator not_empty(
    [](std::string& text) { return text.empty() ? std::string("the name is empty") : ""; }, "");

void check_output(const std::string& folder) {
  if (folder.empty()) return;  // no -o
  namespace fs = std::filesystem;
  std::error_code error;
  fs::path nearest = fs::absolute(folder, error);  // the folder, or the one it will be made in
  while (!fs::exists(nearest, error) && nearest.has_relative_path())
    nearest = nearest.parent_path();
  // Only making something tells for sure: the permissions of /proc, say, promise too much.
  std::string probe = (nearest / ".sagitta-XXXXXX").string();
  if (mkdtemp(probe.data()) == nullptr || rmdir(probe.c_str()) != 0) {
    throw InputError(folder, "", "is not a folder that can be written to",
                     "give another one with -o DIR");
  }
}

void make_output(const std::string& folder) {
  check_output(folder);
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    throw InputError(folder, "", "cannot be made: " + error.message(),
                     "give another one with -o DIR");
  }
}

std::vector<std::string> left_over(const std::string& folder,
                                   const std::vector<std::string>& written) {
  static const std::regex names(
      "(results|experiment|thresholds|faults|faults-[0-9]+)\\.json|(results|faults)\\.csv|trials\\."
      "sqlite");
  std::vector<std::string> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    const bool known = std::find(written.begin(), written.end(), name) != written.end();
    if (!known && std::regex_match(name, names)) found.push_back(name);
  }
  std::sort(found.begin(), found.end());
  return found;
}

void write_results(const std::string& folder, const Campaign& campaign,
                   const nlohmann::ordered_json& results) {
  if (folder.empty()) return;
  make_output(folder);
  write_file(folder + "/experiment.json", document(campaign.experiment().resolved));
  if (!campaign.thresholds().empty()) {
    write_thresholds(campaign.thresholds(), folder + "/thresholds.json");
  }
  write_file(folder + "/results.csv", results_csv(results));
  write_file(folder + "/results.json", document(results));
}

void report(const ExperimentOptions& options, const Campaign& campaign,
            const nlohmann::ordered_json& results, const std::string& text,
            const std::vector<std::string>& more) {
  write_results(options.output, campaign, results);
  print(options.json ? document(results) : text);
  if (options.output.empty()) return;
  std::vector<std::string> files = {"results.json", "results.csv", "experiment.json"};
  if (!campaign.thresholds().empty()) files.emplace_back("thresholds.json");
  files.insert(files.end(), more.begin(), more.end());
  if (const auto old = left_over(options.output, files); !old.empty()) {
    fmt::print(stderr, "sagitta: note: {} also holds files of an earlier run: {}\n", options.output,
               fmt::join(old, ", "));
  }
  if (options.quiet || options.json) return;
  print(fmt::format("Written to {}: {}\n", options.output, fmt::join(files, ", ")));
}

void check_overwrite(const ExperimentOptions& options, const std::string& resolved) {
  const std::string target = options.output + "/experiment.json";
  std::error_code error;
  if (options.output.empty() || !std::filesystem::equivalent(target, options.file, error)) return;
  if (read_file(target) == resolved) return;
  throw InputError(target, "", "is the experiment itself, and results go beside a resolved copy",
                   "give another folder with -o DIR");
}

std::string document(const nlohmann::ordered_json& json) {
  // File names need not be UTF-8; JSON must be.
  return json.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

void print(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    throw InputError("standard output", "", "cannot be written", "check the pipe or the disk");
  }
}

}  // namespace sagitta::cli
