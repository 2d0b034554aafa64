// Simulation speed: the SystemC accelerator, the same blocks without the kernel, the RTL under
// Verilator, and the PE array alone as one SystemC module a PE and as the flat core. Prints one
// JSON document; see README.md.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "machine/accelerator.h"
#include "machine/array/pe_array.h"
#include "machine/modules.h"
#include "measure.h"
#include "network/dataset.h"
#include "rtl_machine.h"
#include "worker.h"

int sc_main(int, char**) {
  return 0;
}  // the library wants one; main() below is used

namespace sagitta::bench {
namespace {

struct Options {
  Measuring measuring{.rounds = 7, .seconds = 0.2};
  std::vector<int> sizes{8, 16, 32, 128};
  std::string network = SAGITTA_SOURCE_DIR "/models/lenet5-mnist";
};

std::uint64_t mix(std::uint64_t hash, std::int64_t value) {
  return (hash ^ static_cast<std::uint64_t>(value)) * 1099511628211U;
}

// What a machine computes again and again: one inference or one matrix product.
struct Work {
  Program program;
  std::vector<std::int8_t> image;
};

// 8 row tiles by 2 column tiles of K = 256, with bandwidth in proportion to the array, so that the
// array works most of the time at every size.
Work product_work(int size) {
  const int m = 8 * size, k = 256, n = 2 * size;
  MemoryShape memory;
  memory.dram_bytes_per_cycle = 4 * size;
  Work w;
  w.image = random_int8s(static_cast<std::size_t>(m) * k);
  w.program = compile_gemm(m, k, n, random_int8s(static_cast<std::size_t>(k) * n), {size, size},
                           memory, {});
  return w;
}

Work network_work(const NetworkFolder& folder, const ImageSet& images, int size) {
  return {compile(folder.network, {size, size}, {}, {}, folder.folder), images.image(0)};
}

// Of the results and of the cycles that they took.
std::uint64_t checksum(const Machine& machine) {
  std::uint64_t hash = mix(14695981039346656037U, machine.cycle());
  for (const auto v : machine.logits()) hash = mix(hash, v);
  for (const auto v : machine.raw_output()) hash = mix(hash, v);
  return hash;
}

// Whole runs until the time is used up. Run: from reset to done.
template <typename Run>
Slice repeat(double seconds, Machine& machine, const Work& work, const Run& run) {
  Slice slice = repeat_for(seconds, [&] {
    machine.reset(work.image.data());
    run();
    return machine.cycle();
  });
  slice.checksum = checksum(machine);
  return slice;
}

Measure systemc_machine(const Work& work) {
  auto accelerator = std::make_shared<Accelerator>("accelerator", work.program);
  return [accelerator, &work](double seconds) {
    return repeat(seconds, accelerator->machine(), work, [&] { accelerator->run(1'000'000'000); });
  };
}

Measure plain_machine(const Work& work) {
  auto machine = std::make_shared<Machine>(work.program);
  return [machine, &work](double seconds) {
    return repeat(seconds, *machine, work, [&] { machine->run(1'000'000'000); });
  };
}

Measure rtl_machine(const Work& work) {
  std::shared_ptr<RtlMachine> machine = make_rtl_machine(work.program);
  return [machine, &work](double seconds) {
    std::vector<std::int32_t> results;
    std::int64_t cycles = 0;
    Slice slice =
        repeat_for(seconds, [&] { return cycles = machine->run(work.image.data(), results); });
    slice.checksum = mix(14695981039346656037U, cycles);
    // A machine with raw results has, beside them, as many logits, which stay zero.
    if (work.program.raw_output) {
      for (std::size_t i = 0; i < results.size(); ++i) slice.checksum = mix(slice.checksum, 0);
    }
    for (const std::int32_t v : results) slice.checksum = mix(slice.checksum, v);
    return slice;
  };
}

// What the kernel alone needs for as many clocked modules: one SC_METHOD each that asks for a
// commit, one update, no registers.
class KernelAlone : public sc_core::sc_module {
 public:
  KernelAlone(const sc_core::sc_module_name& name, int modules)
      : sc_module(name), clock_("clock", period_), commit_("commit"), injector_("injector") {
    clock_.injector(injector_);
    for (int i = 0; i < modules; ++i) {
      idle_.push_back(std::make_unique<Idle>(fmt::format("idle{}", i).c_str(), commit_));
      idle_.back()->clock(clock_);
    }
  }
  void run(std::int64_t cycles) { sc_core::sc_start(period_ * static_cast<double>(cycles)); }
  std::int64_t commits() const { return commit_.commits; }

 private:
  struct Commit : sc_core::sc_prim_channel {
    explicit Commit(const char* name) : sc_prim_channel(name) {}
    void ask() { request_update(); }
    void update() override { ++commits; }
    std::int64_t commits = 0;
  };
  struct Idle : sc_core::sc_module {
    ClockIn clock{"clock"};
    SC_HAS_PROCESS(Idle);
    Idle(const sc_core::sc_module_name& name, Commit& commit) : sc_module(name), commit_(commit) {
      SC_METHOD(on_clock);
      sensitive << clock;
      dont_initialize();
    }
    void on_clock() { commit_.ask(); }
    Commit& commit_;
  };

  sc_core::sc_time period_{1, sc_core::SC_NS};
  Clock clock_;
  Commit commit_;
  InjectorModule injector_;
  std::vector<std::unique_ptr<Idle>> idle_;
};

// As many modules as the product's machine has: sequencer, DMA, two scratchpads, array, vector unit
// and accumulator buffer.
Measure kernel_alone() {
  constexpr int modules = 7;
  auto kernel = std::make_shared<KernelAlone>("kernel", modules);
  return [kernel](double seconds) {
    return repeat_for(seconds, [&] {
      const std::int64_t before = kernel->commits();
      kernel->run(5000);
      return kernel->commits() - before;
    });
  };
}

// Operands of the array alone: K = 256 products, then a drain, over and over.
class Operands {
 public:
  explicit Operands(int size)
      : size_(size), values_(random_int8s(kSets * static_cast<std::size_t>(size))) {}
  const std::int8_t* activations() const { return values_.data() + cycle_ % kSets * size_; }
  const std::int8_t* weights() const { return values_.data() + (cycle_ + 7) % kSets * size_; }
  ArrayMode mode() const {
    const std::int64_t at = cycle_ % (256 + size_);
    return at < 256               ? ArrayMode::accumulate
           : at + 1 < 256 + size_ ? ArrayMode::shift
                                  : ArrayMode::shift_clear;
  }
  void advance() { ++cycle_; }

 private:
  static constexpr std::int64_t kSets = 64;
  std::int64_t size_;
  std::vector<std::int8_t> values_;
  std::int64_t cycle_ = 0;
};

constexpr std::int64_t kFirstCycles = 500;  // what the two checksums compare

// Runs `step(cycles)` in batches until the time is used up; the checksum is taken once, after the
// same number of cycles whatever the speed.
template <typename Step, typename Sum>
Measure batches(int size, Step step, Sum sum) {
  step(kFirstCycles);
  std::uint64_t hash = 14695981039346656037U;
  for (int r = 0; r < size; ++r) {
    for (int c = 0; c < size; ++c) hash = mix(hash, sum(r, c));
  }
  return [step, hash, size](double seconds) {
    const std::int64_t batch = size >= 128 ? 50 : 2000;
    Slice slice = repeat_for(seconds, [&] {
      step(batch);
      return batch;
    });
    slice.checksum = hash;
    return slice;
  };
}

Measure systemc_array(int size) {
  auto operands = std::make_shared<Operands>(size);
  auto array = std::make_shared<PeArray>(
      "array", ArrayShape{size, size}, [operands, size](ArrayOperands& next) {
        std::memcpy(next.activations.data(), operands->activations(),
                    static_cast<std::size_t>(size));
        std::memcpy(next.weights.data(), operands->weights(), static_cast<std::size_t>(size));
        next.mode = operands->mode();
        operands->advance();
      });
  array->run(1);  // brings the first operands in
  return batches(
      size, [array](std::int64_t cycles) { array->run(cycles); },
      [array](int r, int c) { return array->acc(r, c); });
}

struct FlatArray {
  RegisterLayout layout;
  Array core;
  MachineState state;
  explicit FlatArray(int size) : core(layout, {size, size}, 1), state(layout) {}
};

Measure flat_array(int size) {
  auto operands = std::make_shared<Operands>(size);
  auto flat = std::make_shared<FlatArray>(size);
  return batches(
      size,
      [operands, flat](std::int64_t cycles) {
        for (; cycles > 0; --cycles) {
          flat->core.step(flat->state.cycle(), operands->activations(), operands->weights(),
                          {.mode = operands->mode()});
          flat->state.clock_edge();
          operands->advance();
        }
      },
      [flat, size](int r, int c) {
        for (const RegisterClass& k : flat->layout.classes()) {
          if (k.path == "array.pe[][].acc") {
            return *reinterpret_cast<const std::int32_t*>(flat->state.address(k, r * size + c));
          }
        }
        return 0;
      });
}

nlohmann::ordered_json bench_size(int size, const Options& options, const NetworkFolder& folder,
                                  const ImageSet& images) {
  const Work product = product_work(size);
  const Work inference = size <= 32 ? network_work(folder, images, size) : Work{};
  std::vector<std::unique_ptr<Worker>> workers;
  const auto add = [&](const char* name, const std::function<Measure()>& make) {
    workers.push_back(std::make_unique<Worker>(name, make));
  };
  if (size <= 32) {
    add("machine_systemc_network", [&] { return systemc_machine(inference); });
    add("machine_plain_network", [&] { return plain_machine(inference); });
  }
  add("machine_systemc_gemm", [&] { return systemc_machine(product); });
  add("machine_plain_gemm", [&] { return plain_machine(product); });
  add("kernel_alone", [] { return kernel_alone(); });
  const bool has_rtl = make_rtl_machine(product.program) != nullptr;
  if (has_rtl) add("machine_rtl_gemm", [&] { return rtl_machine(product); });
  add("array_systemc_per_pe", [&] { return systemc_array(size); });
  add("array_flat", [&] { return flat_array(size); });

  std::map<std::string, std::vector<double>> rates;
  std::map<std::string, std::uint64_t> checksums;
  for (auto& w : workers)
    checksums[w->name()] = w->measure(options.measuring.seconds / 10).checksum;  // warm up
  for (int round = 0; round < options.measuring.rounds; ++round) {
    for (auto& w : workers) {
      const Slice s = w->measure(options.measuring.seconds);
      rates[w->name()].push_back(static_cast<double>(s.cycles) / s.seconds);
    }
  }
  nlohmann::ordered_json result;
  result["rows"] = result["columns"] = size;
  for (auto& w : workers) {
    const double m = median(rates[w->name()]);
    const double best = *std::max_element(rates[w->name()].begin(), rates[w->name()].end());
    result["speeds"][w->name()] = {
        {"cycles_per_second", {{"median", m}, {"best", best}}},
        {"pe_cycles_per_second", {{"median", m * size * size}, {"best", best * size * size}}}};
  }
  // Ratios of neighbours in time, round by round.
  const auto ratio = [&](const char* upper, const char* lower) {
    if (!rates.contains(upper)) return;
    std::vector<double> r;
    for (int i = 0; i < options.measuring.rounds; ++i) {
      r.push_back(rates[upper][static_cast<std::size_t>(i)] /
                  rates[lower][static_cast<std::size_t>(i)]);
    }
    result["ratios"][fmt::format("{} / {}", upper, lower)] = {
        {"median", median(r)}, {"best", *std::max_element(r.begin(), r.end())}};
  };
  for (const char* machine : {"machine_systemc_network", "machine_systemc_gemm",
                              "machine_plain_network", "machine_plain_gemm", "array_flat"}) {
    ratio(machine, "array_systemc_per_pe");
  }
  if (has_rtl) {
    ratio("machine_systemc_gemm", "machine_rtl_gemm");
    ratio("machine_plain_gemm", "machine_rtl_gemm");
  } else {
    result["missing"]["machine_rtl_gemm"] = fmt::format(
        "built without an RTL model of {0}x{0}: install Verilator and configure with "
        "-DSAGITTA_BENCH_RTL=\"...;{0}\"",
        size);
  }
  ratio("machine_plain_network", "machine_systemc_network");
  ratio("machine_plain_gemm", "machine_systemc_gemm");
  ratio("kernel_alone", "machine_systemc_gemm");
  const auto same = [&](const char* x, const char* y) { return checksums[x] == checksums[y]; };
  result["same_results"] = same("array_systemc_per_pe", "array_flat") &&
                           same("machine_systemc_gemm", "machine_plain_gemm") &&
                           (!has_rtl || same("machine_systemc_gemm", "machine_rtl_gemm")) &&
                           same("machine_systemc_network", "machine_plain_network");
  return result;
}

}  // namespace
}  // namespace sagitta::bench

int main(int argc, char** argv) {
  using namespace sagitta;
  using namespace sagitta::bench;
  Options options;
  CLI::App app("Simulation speeds and their ratios, as one JSON document (bench/README.md)");
  app.add_option("--sizes", options.sizes, "Rows and columns of the arrays")
      ->delimiter(',')
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  add_measuring(app, options.measuring);
  app.add_option("--network", options.network, "Folder of the network")
      ->check(CLI::ExistingDirectory);
  CLI11_PARSE(app, argc, argv);
  std::signal(SIGPIPE, SIG_IGN);
  try {
    const NetworkFolder folder = open_network(options.network);
    const ImageSet images = folder.load_test(1);
    nlohmann::ordered_json document;
    document["benchmark"] = "machine";
    document["compiler"] = __VERSION__;
    document["systemc"] = SC_VERSION;
    document["network"] = folder.network.name;
    document["rounds"] = options.measuring.rounds;
    document["seconds_a_slice"] = options.measuring.seconds;
    document["sizes"] = nlohmann::ordered_json::array();
    bool same = true;
    for (const int size : options.sizes) {
      document["sizes"].push_back(bench_size(size, options, folder, images));
      same = same && document["sizes"].back()["same_results"].get<bool>();
    }
    std::printf("%s\n", document.dump(2).c_str());
    return same ? 0 : 1;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "machine_bench: %s\n", e.what());
    return 2;
  }
}
