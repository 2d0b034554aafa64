// merge: the parts of a run that --shard divided, as one.
#include <filesystem>
#include <map>
#include <memory>

#include <fmt/format.h>

#include "base/error.h"
#include "base/file.h"
#include "cli/command.h"
#include "report/trial_export.h"

namespace sagitta::cli {
namespace {

using Parts = std::vector<std::unique_ptr<Store>>;

// Of one experiment, all n parts of n, each once and with all of its trials.
void check_parts(const Parts& parts) {
  const auto first = parts.front()->meta();
  const auto shard_of = [](const Store& part) {
    return parse_shard(part.meta().at("shard").get<std::string>());
  };
  const int of = shard_of(*parts.front()).of;
  std::map<int, std::string> seen;
  for (const auto& part : parts) {
    if (const std::string other = difference(first, part->meta(), false); !other.empty()) {
      throw InputError(
          part->path(), "",
          fmt::format("is part of another experiment than {}: {}", parts.front()->path(), other),
          "name the parts of one experiment");
    }
    const Shard shard = shard_of(*part);
    if (shard.of != of) {
      throw InputError(
          part->path(), "",
          fmt::format("is part {}, and {} is one of {}", shard.name(), parts.front()->path(), of),
          "name parts of the same division");
    }
    if (!seen.emplace(shard.part, part->path()).second) {
      throw InputError(part->path(), "",
                       fmt::format("is part {}, and so is {}", shard.name(), seen[shard.part]),
                       "name each part once");
    }
    const std::int64_t there = part->trials();
    const std::int64_t planned = trials_planned(*part);
    if (there == planned) continue;
    throw InputError(part->path(), "",
                     fmt::format("lacks {} of its {} trials", planned - there, planned),
                     "run its command again, which goes on with it; then merge");
  }
  for (int i = 1; i <= of; ++i) {
    if (seen.contains(i)) continue;
    throw InputError(parts.front()->path(), "",
                     fmt::format("of its {} parts {}/{} is missing", of, i, of),
                     fmt::format("name its folder, too; --shard {}/{} makes it", i, of));
  }
}

void merge(const std::string& out, const std::vector<std::string>& folders,
           ExperimentOptions options) {
  Parts parts;
  for (const std::string& folder : folders) {
    std::error_code error;
    if (std::filesystem::equivalent(folder, out, error)) {
      throw InputError(out, "", "is to hold the whole, and is named as a part as well",
                       "give a folder of its own for the whole");
    }
    parts.push_back(std::make_unique<Store>(store_in(folder)));
  }
  check_parts(parts);
  check_output(out);
  StoreHead head;
  head.meta = parts.front()->meta();
  head.meta["shard"] = Shard{}.name();
  {
    Store whole({.path = store_in(out)}, head);
    for (const auto& part : parts) whole.add(*part);
  }
  parts.clear();
  // From here on it is a run in which no trial is missing, of the experiment as it was resolved.
  options.file = out + "/experiment.json";
  options.output = out;
  options.engine = head.meta.at("engine").get<std::string>();
  write_file(options.file, document(head.meta.at("experiment")));
  Experiment experiment = options.load();
  experiment.file = head.meta.at("file").get<std::string>();
  Campaign campaign(std::move(experiment));
  run_trial_command(head.meta.at("command").get<std::string>(), options, campaign);
}

}  // namespace

void add_merge(CLI::App& app) {
  auto* command = app.add_subcommand(
      "merge", "Join the parts of a run that --shard divided, and give the results of the whole");
  command->footer(
      "OUT gets the results that one run of the whole would have written, byte for byte. The "
      "network "
      "and the\n"
      "other files of the experiment must be where they were.\n"
      "Example:  sagitta sweep configs/lenet5.json --shard 1/2 -o part1   # on one machine\n"
      "          sagitta sweep configs/lenet5.json --shard 2/2 -o part2   # on another one\n"
      "          sagitta merge out part1 part2");
  auto options = std::make_shared<ExperimentOptions>();
  auto out = std::make_shared<std::string>();
  auto folders = std::make_shared<std::vector<std::string>>();
  command->add_option("out", *out, "Folder for the whole")
      ->required()
      ->type_name("OUT")
      ->check(not_empty);
  command->add_option("parts", *folders, "Folders of all the parts, in any order")
      ->required()
      ->type_name("DIR...")
      ->check(not_empty);
  command->add_flag("--json", options->json,
                    "Print one JSON document on standard output and nothing else there");
  command->add_flag("-q,--quiet", options->quiet,
                    "No progress on standard error, and no list of the files that were written");
  command->callback([out, folders, options] { merge(*out, *folders, *options); });
}

}  // namespace sagitta::cli
