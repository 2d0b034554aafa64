// Campaign speed: injections a second to a classified outcome, and against what. Prints one JSON
// document; see README.md.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "campaign/trial.h"
#include "campaign/workers.h"
#include "measure.h"
#include "network/dataset.h"
#include "network/reference.h"
#include "rtl_machine.h"
#include "worker.h"

// The SystemC library wants one; main() below is used.
extern "C" int sc_main(int argc, char** argv);
extern "C" int sc_main(int /*argc*/, char** /*argv*/) {
  return 0;
}

namespace sagitta::bench {
namespace {

struct Options {
  Measuring measuring{.rounds = 5, .seconds = 1};
  int trials_of_an_image = 1000;
  int campaign_rounds = 3;  // 0: no whole campaigns
  int campaign_trials = 200000;
  std::vector<std::string> networks{SAGITTA_SOURCE_DIR "/models/lenet5-mnist",
                                    SAGITTA_SOURCE_DIR "/models/resnet8-fashion"};
};

constexpr int kSize = 16;
constexpr int kTileDepth = 64;
constexpr int kImages = 20;

// One tile as a network: a 1x1 convolution of 16 pixels, 64 channels to 16.
Network tile_network() {
  Layer layer;
  layer.name = "tile";
  layer.input = {4, 4, kTileDepth};
  layer.output = {4, 4, kSize};
  layer.weights = random_int8s(std::size_t{kTileDepth} * kSize);
  layer.bias.assign(kSize, 0);
  layer.scale.assign(kSize, to_fixed_scale(1e-3F, "tile"));
  Network network;
  network.name = "tile";
  network.input = layer.input;
  network.layers.push_back(layer);
  return network;
}

struct Case {
  Network network;
  std::vector<std::vector<std::int8_t>> images;
  Program program;
};

std::shared_ptr<Case> network_case(const std::string& path) {
  NetworkFolder folder = open_network(path);
  const ImageSet set = folder.load_test(kImages);
  auto c = std::make_shared<Case>();
  for (int i = 0; i < kImages; ++i) c->images.push_back(set.image(i));
  c->program = compile(folder.network, {kSize, kSize}, {}, {}, path);
  c->network = std::move(folder.network);
  return c;
}

std::shared_ptr<Case> tile_case() {
  auto c = std::make_shared<Case>();
  c->network = tile_network();
  for (int i = 0; i < kImages; ++i) {
    c->images.push_back(random_int8s(static_cast<std::size_t>(c->network.input.elements())));
  }
  c->program = compile(c->network, {kSize, kSize}, {}, {}, "tile");
  return c;
}

// Trials of the fast engine or of the whole SystemC machine, an image's fault-free run included.
// The checksum is over the outcomes of the first few.
Measure trials(std::shared_ptr<Case> c, Engine engine, std::string sites, int of_an_image) {
  struct State {
    State(const Case& c, Engine engine, const std::string& sites)
        : trials(c.program, c.network, engine),
          selection(trials.sites().select(sites, "", "")),
          cycles(trials.clean_cycles()) {}
    TrialEngine trials;
    SiteSelection selection;
    std::int64_t cycles;
    std::int64_t next = 0;
  };
  auto state = std::make_shared<State>(*c, engine, sites);
  // A look at the clock takes as long as a part of a short trial.
  const int at_once = engine == Engine::fast ? 64 : 1;
  return [c, state, of_an_image, at_once](double seconds) {
    const auto run = [&](std::int64_t k) {
      const auto faults = draw_faults(1, k, 1, state->selection, state->cycles);
      return state->trials.run(k, faults);
    };
    std::uint64_t checksum = 14695981039346656037U;
    state->trials.prepare(0, c->images[0], 0);
    for (std::int64_t k = 0; k < 20; ++k) {
      checksum = (checksum ^ static_cast<std::uint64_t>(run(k).outcome)) * 1099511628211U;
    }
    Slice slice = repeat_for(seconds, [&] {
      for (int i = 0; i < at_once; ++i) {
        if (state->next % of_an_image == 0) {
          const auto image = static_cast<std::size_t>(state->next / of_an_image % kImages);
          state->trials.prepare(static_cast<int>(image), c->images[image], 0);
        }
        run(state->next++);
      }
      return at_once;
    });
    slice.checksum = checksum;
    return slice;
  };
}

Measure inferences(std::shared_ptr<Case> c) {
  return [c](double seconds) {
    std::size_t next = 0;
    std::uint64_t classes = 0;
    Slice slice = repeat_for(seconds, [&] {
      const auto& image = c->images[next++ % kImages];
      classes += static_cast<std::uint64_t>(top1(run_network(c->network, image).back().output));
      return 1;
    });
    slice.checksum = classes;
    return slice;
  };
}

Program tile_product() {
  MemoryShape memory;
  memory.dram_bytes_per_cycle = 4 * kSize;
  return compile_gemm(kSize, kTileDepth, kSize, random_int8s(std::size_t{kTileDepth} * kSize),
                      {kSize, kSize}, memory, {});
}

// The product of the tile on the RTL machine, from reset to its results.
Measure rtl_tile() {
  auto a =
      std::make_shared<std::vector<std::int8_t>>(random_int8s(std::size_t{kSize} * kTileDepth));
  auto program = std::make_shared<Program>(tile_product());
  std::shared_ptr<RtlMachine> machine = make_rtl_machine(*program);
  return [a, program, machine](double seconds) {
    std::vector<std::int32_t> results;
    return repeat_for(seconds, [&] {
      machine->run(a->data(), results);
      return 1;
    });
  };
}

// All in turn, round by round, each in a process of its own.
class Comparison {
 public:
  explicit Comparison(const Options& options) : options_(options) {}
  void add(const std::string& name, const std::function<Measure()>& make) {
    workers_.push_back(std::make_unique<Worker>(name, make));
  }
  nlohmann::ordered_json run() {
    for (auto& w : workers_)
      checksums_[w->name()] = w->measure(options_.measuring.seconds / 20).checksum;
    for (int round = 0; round < options_.measuring.rounds; ++round) {
      for (auto& w : workers_) {
        const Slice s = w->measure(options_.measuring.seconds);
        rates_[w->name()].push_back(static_cast<double>(s.cycles) / s.seconds);
      }
    }
    nlohmann::ordered_json result;
    for (auto& w : workers_) result["per_second"][w->name()] = figures(rates_[w->name()]);
    return result;
  }
  void ratio(nlohmann::ordered_json& result, const std::string& upper,
             const std::string& lower) const {
    std::vector<double> r;
    for (std::size_t i = 0; i < rates_.at(upper).size(); ++i) {
      r.push_back(rates_.at(upper)[i] / rates_.at(lower)[i]);
    }
    result["ratios"][fmt::format("{} / {}", upper, lower)] = figures(r);
  }
  bool same(const std::string& x, const std::string& y) const {
    return checksums_.at(x) == checksums_.at(y);
  }

 private:
  static nlohmann::ordered_json figures(const std::vector<double>& values) {
    return {{"median", median(values)}, {"best", *std::max_element(values.begin(), values.end())}};
  }
  const Options& options_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::map<std::string, std::vector<double>> rates_;
  std::map<std::string, std::uint64_t> checksums_;
};

nlohmann::ordered_json bench_network(const Options& options, const std::string& path, bool& same) {
  const auto c = network_case(path);
  Comparison comparison(options);
  comparison.add("injections",
                 [&] { return trials(c, Engine::fast, "all", options.trials_of_an_image); });
  comparison.add("injections_into_the_array",
                 [&] { return trials(c, Engine::fast, "array.**", options.trials_of_an_image); });
  comparison.add("injections_on_the_systemc_machine",
                 [&] { return trials(c, Engine::machine, "all", options.trials_of_an_image); });
  comparison.add("reference_inferences", [&] { return inferences(c); });
  nlohmann::ordered_json result;
  result["network"] = c->network.name;
  result.update(comparison.run());
  comparison.ratio(result, "injections", "reference_inferences");
  comparison.ratio(result, "injections_into_the_array", "reference_inferences");
  comparison.ratio(result, "injections", "injections_on_the_systemc_machine");
  same = same && comparison.same("injections", "injections_on_the_systemc_machine");
  return result;
}

nlohmann::ordered_json bench_tile(const Options& options) {
  const auto c = tile_case();
  Comparison comparison(options);
  comparison.add("injections",
                 [&] { return trials(c, Engine::fast, "all", options.trials_of_an_image); });
  comparison.add("injections_into_the_array",
                 [&] { return trials(c, Engine::fast, "array.**", options.trials_of_an_image); });
  const bool rtl = make_rtl_machine(tile_product()) != nullptr;
  if (rtl) comparison.add("rtl_tiles", [] { return rtl_tile(); });
  nlohmann::ordered_json result;
  result["tile"] = fmt::format("{0}x{0}, K = {1}", kSize, kTileDepth);
  result.update(comparison.run());
  if (rtl) {
    comparison.ratio(result, "injections", "rtl_tiles");
    comparison.ratio(result, "injections_into_the_array", "rtl_tiles");
  } else {
    result["missing"]["rtl_tiles"] =
        "built without the RTL model of the tile: install Verilator and configure again";
  }
  return result;
}

// Seconds of wall time that `sagitta sweep` takes for a campaign of its own, in a folder that is
// deleted afterwards.
double run_campaign(const std::string& network, int trials, int workers) {
  std::string folder = (std::filesystem::temp_directory_path() / "campaign_bench.XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) throw std::runtime_error("cannot make " + folder);
  std::vector<std::string> words{SAGITTA_PROGRAM,
                                 "sweep",
                                 SAGITTA_SOURCE_DIR "/configs/lenet5-campaign.json",
                                 "--set",
                                 "network=" + std::filesystem::absolute(network).string(),
                                 "--set",
                                 fmt::format("fault.trials={}", trials),
                                 "-q",
                                 "-j",
                                 std::to_string(workers),
                                 "-o",
                                 folder};
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t output;
  posix_spawn_file_actions_init(&output);
  posix_spawn_file_actions_addopen(&output, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  const auto begin = std::chrono::steady_clock::now();
  pid_t child = -1;
  const int error =
      posix_spawn(&child, SAGITTA_PROGRAM, &output, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&output);
  int status = 0;
  if (error == 0) waitpid(child, &status, 0);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  std::filesystem::remove_all(folder);
  if (error != 0 || status != 0) throw std::runtime_error("a campaign failed");
  return seconds.count();
}

// Whole campaigns by one worker and by two, in turn.
nlohmann::ordered_json bench_workers(const Options& options, const std::string& network) {
  nlohmann::ordered_json result;
  result["network"] = std::filesystem::path(network).filename().string();
  result["trials"] = options.campaign_trials;
  if (default_workers() < 2) {
    result["missing"]["2 workers"] = "there is one processor";
    return result;
  }
  std::vector<double> one, two, ratio;
  for (int round = 0; round < options.campaign_rounds; ++round) {
    one.push_back(run_campaign(network, options.campaign_trials, 1));
    two.push_back(run_campaign(network, options.campaign_trials, 2));
    ratio.push_back(one.back() / two.back());
  }
  const auto best = [](const std::vector<double>& seconds) {
    return *std::min_element(seconds.begin(), seconds.end());
  };
  result["seconds"]["1 worker"] = {{"median", median(one)}, {"best", best(one)}};
  result["seconds"]["2 workers"] = {{"median", median(two)}, {"best", best(two)}};
  result["ratios"]["2 workers / 1"] = {{"median", median(ratio)},
                                       {"best", *std::max_element(ratio.begin(), ratio.end())}};
  return result;
}

}  // namespace
}  // namespace sagitta::bench

int main(int argc, char** argv) {
  using namespace sagitta::bench;
  Options options;
  CLI::App app("Injections a second and their ratios, as one JSON document (bench/README.md)");
  add_measuring(app, options.measuring);
  app.add_option("--trials-of-an-image", options.trials_of_an_image,
                 "Trials for each fault-free run of an image")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--network", options.networks, "Folder of a network; may be repeated")
      ->check(CLI::ExistingDirectory);
  app.add_option("--campaign-rounds", options.campaign_rounds,
                 "How often whole campaigns by one worker and by two are timed; 0: not")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--campaign-trials", options.campaign_trials, "Trials of each of them")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  std::signal(SIGPIPE, SIG_IGN);
  try {
    nlohmann::ordered_json document;
    document["benchmark"] = "campaign";
    document["compiler"] = __VERSION__;
    document["rounds"] = options.measuring.rounds;
    document["seconds_a_slice"] = options.measuring.seconds;
    document["trials_of_an_image"] = options.trials_of_an_image;
    document["tile"] = bench_tile(options);
    document["networks"] = nlohmann::ordered_json::array();
    bool same = true;
    for (const std::string& path : options.networks) {
      document["networks"].push_back(bench_network(options, path, same));
    }
    document["same_results"] = same;
    rusage children{};
    getrusage(RUSAGE_CHILDREN, &children);
    document["peak_memory_mib"] = static_cast<double>(children.ru_maxrss) / 1024;
    document["campaigns"] = nlohmann::ordered_json::array();
    for (const std::string& path : options.networks) {
      if (options.campaign_rounds == 0) break;
      document["campaigns"].push_back(bench_workers(options, path));
    }
    getrusage(RUSAGE_CHILDREN, &children);
    document["peak_memory_of_a_campaign_process_mib"] =
        static_cast<double>(children.ru_maxrss) / 1024;
    std::printf("%s\n", document.dump(2).c_str());
    return same ? 0 : 1;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "campaign_bench: %s\n", e.what());
    return 2;
  }
}
