// sagitta counters: what is counted, in which unit, and what it means.
#include <memory>

#include "cli/command.h"
#include "report/counter_report.h"

namespace sagitta::cli {

void add_counters(CLI::App& app) {
  auto* command = app.add_subcommand(
      "counters", "List the counters of a run: unit, meaning, and the formula of derived ones");
  command->footer(
      "`sagitta run EXPERIMENT --counters` prints their values, layer by layer; results.json and\n"
      "`--json` of run and gemm have them under the same names. pes: rows x columns of the array.");
  auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json,
                    "Print one JSON document on standard output and nothing else there");
  command->callback([json] {
    print(*json ? document(counter_meanings()) : counter_meanings_table(colour_wanted()));
  });
}

}  // namespace sagitta::cli
