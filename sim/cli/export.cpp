// export: the trials of an output folder as one line each.
#include <memory>

#include <fmt/format.h>

#include "base/file.h"
#include "cli/command.h"
#include "report/trial_export.h"

namespace sagitta::cli {
namespace {

struct ExportOptions {
  std::string folder;
  std::string format = "csv";
  std::string output;
};

void run_export(const ExportOptions& options) {
  const Store store(store_in(options.folder));
  const auto format = options.format == "csv" ? ExportFormat::csv : ExportFormat::jsonl;
  if (options.output.empty()) {
    export_trials(store, format, [](std::string_view text) { print(std::string(text)); });
  } else {
    OutputFile file(options.output);
    export_trials(store, format, [&file](std::string_view text) { file.write(text); });
    file.close();
    file.take_name();
  }
  const std::int64_t there = store.trials();
  const std::int64_t planned = trials_planned(store);
  if (there == planned) return;
  fmt::print(stderr,
             "sagitta: note: {} holds {} of {} trials; the command that began it goes on with it\n",
             store.path(), there, planned);
}

}  // namespace

void add_export(CLI::App& app) {
  auto* command =
      app.add_subcommand("export", "The trials of an output folder, one row each, as CSV or JSON");
  command->footer(
      "Rows are in the order of configurations and trials; the same experiment gives the same "
      "bytes.\n"
      "docs/store.md has the columns. DIR/trials.sqlite itself is for sqlite3 and pandas:\n"
      "          sqlite3 -box out/demo/trials.sqlite 'SELECT * FROM sdc'\n"
      "Examples: sagitta export out/demo > trials.csv\n"
      "          sagitta export out/demo --format jsonl -o trials.jsonl");
  auto options = std::make_shared<ExportOptions>();
  command
      ->add_option("folder", options->folder,
                   "Folder that sagitta inject, sweep or compare wrote with -o")
      ->required()
      ->type_name("DIR")
      ->check(not_empty);
  command
      ->add_option("--format", options->format,
                   "csv, with names in the first row, or jsonl, an object a line")
      ->check(CLI::IsMember({"csv", "jsonl"}))
      ->capture_default_str();
  command->add_option("-o,--output", options->output, "File to write (default: standard output)")
      ->type_name("FILE")
      ->check(not_empty);
  command->callback([options] { run_export(*options); });
}

}  // namespace sagitta::cli
