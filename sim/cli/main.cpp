// The command line. Exit codes: 0 done; 1 the work failed; 2 bad input or usage; 130 interrupted.
#include <csignal>
#include <cstdio>
#include <exception>
#include <iostream>
#include <new>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <systemc>

#include "base/error.h"
#include "base/nearest.h"
#include "base/version.h"
#include "cli/command.h"

// libsystemc expects it; the command line has its own main and elaborates in worker processes.
int sc_main(int, char**) {
  return 0;
}

namespace {

// One message in the form of every other.
std::string usage_error(const CLI::App* app, const CLI::Error& error) {
  std::string problem = error.what();
  std::string command = "sagitta";
  const auto used = app->get_subcommands();
  if (!used.empty()) {
    command += " " + used.front()->get_name();
  } else if (const auto rest = app->remaining(); !rest.empty() && !rest.front().starts_with("-")) {
    std::vector<std::string> known;
    for (const CLI::App* each : app->get_subcommands({})) known.push_back(each->get_name());
    return fmt::format("sagitta: '{}' is not a command\n  remedy: `sagitta --help` lists all; {}\n",
                       rest.front(), sagitta::suggest(rest.front(), known, "commands"));
  }
  while (!problem.empty() && (problem.back() == '\n' || problem.back() == '.')) problem.pop_back();
  return fmt::format("{}: {}\n  remedy: `{} --help` shows what it takes\n", command, problem,
                     command);
}

int run_command(int argc, char** argv) {
  using namespace sagitta;
  CLI::App app{
      "Sagitta: a cycle-accurate systolic-array DNN accelerator under register-level bit flips,\n"
      "with the gradient-threshold checker and triple modular redundancy as protection.\n"};
  app.name("sagitta");
  app.require_subcommand(1);
  app.failure_message(usage_error);
  app.set_version_flag("--version", [] {
    return fmt::format("sagitta {} (commit {}), {}", kVersion, kCommit, sc_core::sc_version());
  });
  app.footer(
      "Start with:  sagitta run configs/lenet5.json            a network on the machine, "
      "fault-free\n"
      "             sagitta sweep configs/sweeps/demo.json      schemes against bit flips\n"
      "             sagitta sites configs/lenet5.json           what can be hit\n"
      "             sagitta COMMAND --help                      options and examples");
  cli::add_check(app);
  cli::add_run(app);
  cli::add_calibrate(app);
  cli::add_sites(app);
  cli::add_inject(app);
  cli::add_sweep(app);
  cli::add_compare(app);
  cli::add_export(app);
  cli::add_merge(app);
  cli::add_replay(app);
  cli::add_counters(app);
  cli::add_gemm(app);
  cli::add_scale_sim(app);
  cli::add_trace(app);
  try {
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::ParseError& e) {
    if (app.exit(e) != 0) return 2;
    if (std::fflush(stdout) == 0 && std::cout.good()) return 0;
    fmt::print(stderr, "sagitta: standard output: cannot be written\n");
    return 2;
  } catch (const InputError& e) {
    fmt::print(stderr, "sagitta: {}\n", e.what());
    return 2;
  } catch (const Interrupted& e) {
    const std::string kept = e.kept.empty() ? "nothing was written" : e.kept;
    fmt::print(stderr, "\nsagitta: interrupted; {}. Run the same command again{}.\n", kept,
               e.kept.empty() ? "" : " to go on");
    return 130;
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "sagitta: out of memory\n");
    return 1;
  } catch (const std::exception& e) {
    fmt::print(stderr, "sagitta: {}\n", e.what());
    return 1;
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGXFSZ, SIG_IGN);  // a file's limit is an error of the write that meets it
  try {
    return run_command(argc, argv);
  } catch (...) {  // what even the messages about errors may throw
    std::fputs("sagitta: failed, and could not say why\n", stderr);
    return 1;
  }
}
