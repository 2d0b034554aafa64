// sagitta gemm: one matrix product on the machine, the tool's microscope.
#include <algorithm>
#include <charconv>
#include <filesystem>
#include <memory>

#include <fmt/format.h>

#include "base/error.h"
#include "campaign/dataflows.h"
#include "campaign/trial.h"
#include "cli/command.h"
#include "cli/explain.h"
#include "cli/gemm.h"
#include "fault/injector.h"
#include "machine/accelerator.h"
#include "network/npy.h"
#include "report/counter_report.h"
#include "report/table.h"
#include "report/trial_export.h"
#include "schedule/conservation.h"

namespace sagitta::cli {
namespace {

struct GemmOptions : ProductOptions {
  std::string output;
  std::vector<std::string> faults;
  bool json = false;
  bool explain = false;
};

ArrayShape parse_array(const std::string& text) {
  ArrayShape shape{0, 0};
  const std::size_t x = text.find('x');
  const auto number = [](std::string_view part) {
    int n = 0;
    const auto r = std::from_chars(part.data(), part.data() + part.size(), n);
    return r.ec == std::errc{} && r.ptr == part.data() + part.size() ? n : 0;
  };
  if (x != std::string::npos) {
    shape = {number(std::string_view(text).substr(0, x)),
             number(std::string_view(text).substr(x + 1))};
  }
  if (shape.rows < 1 || shape.rows > 256 || shape.columns < 1 || shape.columns > 256) {
    throw InputError("--array", "",
                     fmt::format("'{}' is not ROWSxCOLS with 1 to 256 of each", text),
                     "write it as in --array 8x8");
  }
  return shape;
}

struct Matrix {
  int rows, columns;
  std::vector<std::int8_t> values;
};

Matrix read_matrix(const std::string& path) {
  const NpyArray array = read_npy(path);
  if (array.shape.size() != 2 || array.shape[0] < 1 || array.shape[1] < 1) {
    std::string shape;
    for (const auto e : array.shape) shape += (shape.empty() ? "" : " x ") + std::to_string(e);
    throw InputError(path, "", fmt::format("has shape ({}), not a matrix", shape),
                     "save a two-dimensional array that is not empty");
  }
  if (array.type != NpyType::int8) {
    throw InputError(path, "", "its elements are not int8",
                     "convert it: numpy.asarray(x, dtype=numpy.int8)");
  }
  if (array.elements() > (std::int64_t{1} << 28)) {
    throw InputError(path, "", "is larger than 2^28 elements", "split the product");
  }
  return {static_cast<int>(array.shape[0]), static_cast<int>(array.shape[1]), array.as_int8(path)};
}

Protection parse_scheme(const std::string& name) {
  Protection p;
  p.name = name;
  if (name == "tmr-pe") p.pe_copies = PeCopies::all;
  if (name == "tmr-reg") p.pe_copies = PeCopies::registers;
  if (name == "tmr-array") p.arrays = 3;
  if (name == "tmr-time") p.passes = 3;
  if (name == "dmr" || name == "dmr-recompute") p.arrays = 2;
  if (name == "dmr-recompute") p.retries = 1;
  p.correct = p.column_checksum = name == "checksum-correct";
  p.checksum = name == "checksum" || p.column_checksum;
  if (name == "parity") p.memory_code = MemoryCode::parity;
  if (name == "secded") p.memory_code = MemoryCode::secded;
  return p;
}

// The product under some faults; records what became of them.
class Bench {
 public:
  Bench(const Program& program, const std::vector<std::int8_t>& a)
      : accelerator_("sagitta", program), a_(a), sites_(accelerator_.machine().layout()) {
    accelerator_.machine().record_tiles(true);
    if (!run({})) throw std::runtime_error("the fault-free run did not end");
    check_conservation(program, machine().counters(), machine().cycle());
    clean_cycles_ = machine().cycle();
    clean_ = machine().raw_output();
    tiles_ = machine().tiles();
  }

  // False: the machine hung.
  bool run(const std::vector<Fault>& faults) {
    Injector injector(sites_, faults);
    machine().reset(a_.data());
    const std::int64_t budget = clean_cycles_ == 0 ? INT64_MAX / 4 : this->budget();
    const auto strike = [&] {
      if (injector.next_cycle() == machine().cycle()) {
        if (injector.strike(machine().state(), machine().cycle())) machine().touch();
      }
      return injector.next_cycle() >= 0;
    };
    const bool done = faults.empty() ? accelerator_.run(budget) : accelerator_.run(budget, strike);
    records_ = injector.records();
    return done;
  }

  // A run that takes longer is a hang.
  std::int64_t budget() {
    return TrialEngine::budget(clean_cycles_, machine().program().protection.retries);
  }
  Machine& machine() { return accelerator_.machine(); }
  const SiteMap& sites() const { return sites_; }
  const std::vector<FaultRecord>& records() const { return records_; }
  const std::vector<std::int32_t>& clean() const { return clean_; }
  const std::vector<TileRecord>& tiles() const { return tiles_; }
  std::int64_t clean_cycles() const { return clean_cycles_; }

 private:
  Accelerator accelerator_;
  const std::vector<std::int8_t>& a_;
  SiteMap sites_;
  std::vector<FaultRecord> records_;
  std::vector<std::int32_t> clean_;
  std::vector<TileRecord> tiles_;
  std::int64_t clean_cycles_ = 0;
};

nlohmann::ordered_json touched(const std::vector<std::int32_t>& clean,
                               const std::vector<std::int32_t>& faulty, int columns) {
  auto list = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < clean.size(); ++i) {
    if (clean[i] == faulty[i]) continue;
    list.push_back({static_cast<int>(i) / columns, static_cast<int>(i) % columns});
  }
  return list;
}

std::string list_outputs(const nlohmann::ordered_json& outputs) {
  if (outputs.empty()) return "no output changed";
  std::string text;
  for (std::size_t i = 0; i < std::min<std::size_t>(outputs.size(), 8); ++i) {
    text += fmt::format("{}[{}, {}]", i > 0 ? " " : "", outputs[i][0].get<int>(),
                        outputs[i][1].get<int>());
  }
  if (outputs.size() > 8) text += " ...";
  return fmt::format("{} output{} changed: {}", outputs.size(), outputs.size() == 1 ? "" : "s",
                     text);
}

void run_gemm(const GemmOptions& o) {
  keep_input(o.output, {o.a, o.b}, "a matrix that the product is made of");
  const Product product = load_product(o);
  const ArrayShape& array = product.array;
  Bench bench(product.program, product.a);
  std::vector<Fault> faults;
  for (const std::string& text : o.faults)
    faults.push_back(parse_fault(bench.sites(), text, "--fault", ""));
  for (std::size_t i = 0; i < faults.size(); ++i) {
    if (faults[i].cycle < bench.clean_cycles()) continue;
    throw InputError("--fault", "",
                     fmt::format("'{}' strikes after the run, which has cycles 0..{}", o.faults[i],
                                 bench.clean_cycles() - 1),
                     "choose a cycle in that range");
  }
  std::string text;
  const GemmShape shape{product.m, product.k, product.n};
  nlohmann::ordered_json explanations = nlohmann::ordered_json::array();
  if (o.explain) {
    for (std::size_t i = 0; i < faults.size(); ++i) {
      const std::string line = explain(bench.sites(), faults[i], bench.tiles(), shape, array);
      explanations.push_back(line);
      text += fmt::format("{}: {}\n", o.faults[i], line);
    }
  }

  // Each fault alone first, for its own footprint; then all together, which is the result.
  std::vector<nlohmann::ordered_json> footprints;
  for (const Fault& f : faults) {
    const bool done = faults.size() == 1 || bench.run({f});
    footprints.push_back(faults.size() == 1 ? nlohmann::ordered_json()
                         : done ? touched(bench.clean(), bench.machine().raw_output(), product.n)
                                : nlohmann::ordered_json("hang"));
  }
  const bool hang = !bench.run(faults);
  const std::vector<std::int32_t>& c = bench.machine().raw_output();
  if (faults.size() == 1) {
    footprints[0] = hang ? nlohmann::ordered_json("hang") : touched(bench.clean(), c, product.n);
  }

  nlohmann::ordered_json j;
  j["array"] = {{"rows", array.rows},
                {"cols", array.columns},
                {"dataflow", o.dataflow},
                {"overlap", o.overlap}};
  j["scheme"] = o.scheme;
  j["M"] = product.m;
  j["K"] = product.k;
  j["N"] = product.n;
  j["hang"] = hang;
  j["cycles"] = bench.machine().cycle();
  j["fault_free_cycles"] = bench.clean_cycles();
  const LayerCounters total = sum(bench.machine().counters());
  j["stall_cycles"] = total.stall_cycles();
  j["macs"] = total.macs;
  j["flagged_rows"] = bench.machine().mismatches();
  j["uncorrected"] = bench.machine().uncorrected();
  j["counters"] = counters_json(total, static_cast<double>(array.rows) * array.columns);
  const auto changed =
      hang ? nlohmann::ordered_json::array() : touched(bench.clean(), c, product.n);
  j["outputs_changed"] = changed;  // by all faults together
  j["tiles"] = nlohmann::ordered_json::array();
  for (const TileRecord& t : bench.tiles()) {
    nlohmann::ordered_json tile = {{"row", t.row}, {"col", t.column}, {"fold", t.fold}};
    if (bench.machine().program().protection.passes > 1) tile["pass"] = t.pass;
    tile["start_cycle"] = t.start_cycle;
    tile["end_cycle"] = t.end_cycle;
    j["tiles"].push_back(tile);
  }
  j["faults"] = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < faults.size(); ++i) {
    const FaultRecord& r = bench.records()[i];
    nlohmann::ordered_json f = record_json(bench.sites(), r);
    f["outputs"] = footprints[i];
    if (o.explain) f["explanation"] = explanations[i];
    j["faults"].push_back(f);
  }
  const std::string hang_message =
      fmt::format("the machine hung: no result within {} cycles (fault-free: {})", bench.budget(),
                  bench.clean_cycles());
  if (hang) {  // a legitimate result, but there is no product
    print(o.json ? document(j) : text);
    throw std::runtime_error(hang_message);
  }
  if (!o.output.empty()) write_npy(o.output, {product.m, product.n}, c);
  if (o.json) {
    print(document(j));
    return;
  }
  text += fmt::format(
      "C = A B: {} x {} x {} on {}: {} cycles ({} stalled), {} MACs, utilisation {:.1f} %\n",
      product.m, product.k, product.n, array_name(array), bench.machine().cycle(),
      total.stall_cycles(), total.macs,
      100.0 * static_cast<double>(total.macs) / bench.machine().program().protection.passes /
          (static_cast<double>(bench.machine().cycle()) * array.rows * array.columns));
  Table tiles({"tile row", "column", "fold", "start cycle", "end cycle"},
              {false, false, false, false, false});
  constexpr std::size_t kShown = 20;
  for (std::size_t i = 0; i < std::min(kShown, bench.tiles().size()); ++i) {
    const TileRecord& t = bench.tiles()[i];
    tiles.add({std::to_string(t.row), std::to_string(t.column), std::to_string(t.fold),
               std::to_string(t.start_cycle), std::to_string(t.end_cycle)});
  }
  text += tiles.text(colour_wanted());
  if (bench.tiles().size() > kShown)
    text += fmt::format("... {} tiles in all (--json lists them)\n", bench.tiles().size());
  for (std::size_t i = 0; i < faults.size(); ++i) {
    const FaultRecord& r = bench.records()[i];
    text += fmt::format(
        "{}: {}, {} -> {}; {}\n", fault_text(bench.sites(), r.fault()),
        r.fired ? "fired" : "did not fire", r.before, r.after,
        footprints[i].is_string() ? "alone it hangs the machine" : list_outputs(footprints[i]));
  }
  if (faults.size() > 1) text += fmt::format("all together: {}\n", list_outputs(changed));
  if (bench.machine().uncorrected())
    text += "The machine tells the host that the result is wrong: an error was not corrected.\n";
  if (!o.output.empty()) text += "Written: " + o.output + "\n";
  print(text);
}

}  // namespace

void keep_input(const std::string& output, const std::vector<std::string>& inputs,
                const std::string& what) {
  for (const std::string& input : inputs) {
    std::error_code error;
    if (output.empty() || !std::filesystem::equivalent(output, input, error)) continue;
    throw InputError(output, "", "is " + what, "give another name with -o");
  }
}

Product load_product(const ProductOptions& o) {
  Product product;
  product.array = parse_array(o.array);
  product.array.dataflow = dataflow_from(o.dataflow);
  product.array.overlap = o.overlap;
  Matrix a = read_matrix(o.a);
  const Matrix b = read_matrix(o.b);
  if (a.columns != b.rows) {
    throw InputError(o.b, "",
                     fmt::format("has {} rows, but {} has {} columns", b.rows, o.a, a.columns),
                     "A is M x K and B is K x N");
  }
  product.m = a.rows;
  product.k = a.columns;
  product.n = b.columns;
  product.a = std::move(a.values);
  product.program = compile_gemm(product.m, product.k, product.n, b.values, product.array, {},
                                 parse_scheme(o.scheme));
  return product;
}

void ProductOptions::add_to(CLI::App& app, bool required) {
  app.add_option("--a", a, "Left matrix, M x K, int8 .npy")->required(required)->type_name("FILE");
  app.add_option("--b", b, "Right matrix, K x N, int8 .npy")->required(required)->type_name("FILE");
  app.add_option("--array", array, "Array shape ROWSxCOLS, 1 to 256 each")->capture_default_str();
  app.add_option("--dataflow", dataflow,
                 "What stays in place: sums (os), weights (ws) or activations (is)")
      ->check(CLI::IsMember({"os", "ws", "is"}))
      ->capture_default_str();
  app.add_flag("--overlap", overlap,
               "A second register a PE: drain or preload behind the next products");
  app.add_option("--scheme", scheme, "Protection")
      ->check(CLI::IsMember({"none", "tmr-pe", "tmr-reg", "tmr-array", "tmr-time", "dmr",
                             "dmr-recompute", "checksum", "checksum-correct", "parity", "secded"}))
      ->capture_default_str();
}

void add_gemm(CLI::App& app) {
  auto* command = app.add_subcommand(
      "gemm", "One int8 matrix product on the machine, with any number of faults");
  command->footer(
      "A is M x K and B is K x N (int8 .npy files), C is int32. SITE@CYCLE inverts the stored bit "
      "after\n"
      "the clock edge that starts that cycle; cycle 0 is the first after reset. "
      "SITE=0@CYCLE\n"
      "forces it from that cycle to the end of the run, SITE=1@FIRST..LAST in these cycles.\n"
      "Example: sagitta gemm --a A.npy --b B.npy --array 8x8 --fault 'array.pe[3][4].a:5@125' "
      "--explain -o C.npy");
  auto o = std::make_shared<GemmOptions>();
  o->add_to(*command, true);
  command
      ->add_option("--fault", o->faults,
                   "A bit flip, SITE=0@CYCLE a bit that is stuck; may be given several times")
      ->type_name("SITE@CYCLE")
      ->allow_extra_args(false);
  command->add_option("-o,--output", o->output, "Result, M x N, int32 .npy")
      ->type_name("FILE")
      ->check(not_empty);
  command->add_flag("--explain", o->explain,
                    "Say which tile, MAC and outputs each fault acts on, before running it");
  command->add_flag("--json", o->json,
                    "Print one JSON document on standard output and nothing else there");
  command->callback([o] { run_gemm(*o); });
}

}  // namespace sagitta::cli
