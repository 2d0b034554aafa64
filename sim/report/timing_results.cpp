#include "report/timing_results.h"

#include <cmath>

#include <fmt/format.h>

#include "base/version.h"
#include "campaign/dataflows.h"
#include "report/counter_report.h"
#include "report/memory_report.h"
#include "report/table.h"

namespace sagitta {
namespace {

using nlohmann::ordered_json;

double pes_of(const TimedMachine& machine) {
  return static_cast<double>(machine.array.rows) * machine.array.columns;
}

double utilization(std::int64_t macs, std::int64_t cycles, double pes) {
  return cycles > 0 ? static_cast<double>(macs) / (static_cast<double>(cycles) * pes) : 0.0;
}

ordered_json head(const TimingRun& run) {
  const Workload& w = run.workload();
  ordered_json j;
  j["format"] = "sagitta-timing/1";
  j["sagitta"] = {{"version", kVersion}, {"commit", kCommit}};
  j["experiment"] = run.experiment().file;
  j["workload"] = {{"name", w.name}, {"source", w.source}, {"batch", w.batch}, {"macs", w.macs()}};
  j["timing"] = to_string(run.experiment().timing);
  if (run.experiment().timing == Timing::real) {
    j["technology"] = run.technology().name;
    j["counter_meanings"] = counter_meanings();
  }
  j["configurations"] = ordered_json::array();
  return j;
}

ordered_json identity(const TimedMachine& m, const TimingRun& run) {
  return {{"name", m.name},
          {"array",
           {{"rows", m.array.rows},
            {"cols", m.array.columns},
            {"dataflow", dataflows_json(m.array)},
            {"overlap", m.array.overlap}}},
          {"scheme", m.scheme.name},
          {"scheme_kind", m.scheme.kind},
          {"workload", run.workload().name}};
}

ordered_json real_layers(const TimingRun& run, const TimedMachine& m) {
  ordered_json layers = ordered_json::array();
  const Workload& w = run.workload();
  for (std::size_t i = 0; i < w.layers.size(); ++i) {
    const WorkLayer& l = w.layers[i];
    const LayerCounters& c = m.counters[i];
    const bool multiplies =
        m.program.layers[i].operation == static_cast<std::uint8_t>(LayerOperation::gemm);
    layers.push_back(
        {{"name", l.name},
         {"operation", to_string(l.kind)},
         {"dataflow",
          multiplies ? ordered_json(to_string(m.program.dataflow(i))) : ordered_json(nullptr)},
         {"M", w.batch * l.rows()},
         {"K", l.depth()},
         {"N", l.columns()},
         {"groups", l.groups},
         {"cycles", c.cycles},
         {"stall_cycles", c.stall_cycles()},
         {"utilization", utilization(c.macs / m.program.protection.passes, c.cycles, pes_of(m))},
         {"macs", c.macs},
         {"counters", counters_json(c, pes_of(m))}});
  }
  return layers;
}

ordered_json real_machine(const TimingRun& run, const TimedMachine& m) {
  const TimedMachine& base = run.baseline(m);
  const LayerCounters total = sum(m.counters);
  std::int64_t bits = 0;
  for (const RegisterClass& c : m.registers) bits += c.bits();
  ordered_json j = identity(m, run);
  j["cycles"] = m.cycles;
  j["stall_cycles"] = total.stall_cycles();
  j["macs"] = total.macs;
  j["utilization"] = utilization(total.macs / m.program.protection.passes, m.cycles, pes_of(m));
  j["clock_mhz"] = run.experiment().clock_mhz;
  j["latency_us"] = static_cast<double>(m.cycles) / run.experiment().clock_mhz;
  j["layers"] = real_layers(run, m);
  j["counters"] = counters_json(total, pes_of(m));
  j["memory"] = memory_json(run.experiment().memory, m.program.memory, m.area);
  j["state_bits"] = bits;
  j["area_um2"] = m.area.total_um2;
  j["area_blocks_um2"] = m.area.block_um2;
  j["energy_pj"] = m.energy.total_pj;
  j["energy_blocks_pj"] = m.energy.block_pj;
  j["overhead"] = {
      {"area", m.area.total_um2 / base.area.total_um2 - 1},
      {"energy", m.energy.total_pj / base.energy.total_pj - 1},
      {"cycles", static_cast<double>(m.cycles) / static_cast<double>(base.cycles) - 1}};
  return j;
}

ordered_json scale_sim_machine(const TimingRun& run, const TimedMachine& m) {
  ordered_json j = identity(m, run);
  std::int64_t macs = 0;
  ordered_json layers = ordered_json::array();
  for (const ScaleSimLayer& l : m.layers) {
    macs += l.macs;
    layers.push_back({{"name", l.name},
                      {"M", l.rows},
                      {"K", l.depth},
                      {"N", l.columns},
                      {"folds", l.folds},
                      {"cycles", l.cycles},
                      {"stall_cycles", l.stall_cycles},
                      {"utilization", utilization(l.macs, l.cycles, pes_of(m))},
                      {"macs", l.macs},
                      {"ifmap_reads", l.ifmap.count},
                      {"filter_reads", l.filter.count},
                      {"ofmap_writes", l.ofmap.count},
                      {"ifmap_dram_reads", l.ifmap_dram.words},
                      {"filter_dram_reads", l.filter_dram.words},
                      {"ofmap_dram_writes", l.ofmap_dram.words}});
  }
  j["cycles"] = m.cycles;
  j["stall_cycles"] = 0;
  j["macs"] = macs;
  j["utilization"] = utilization(macs, m.cycles, pes_of(m));
  j["clock_mhz"] = run.experiment().clock_mhz;
  j["latency_us"] = static_cast<double>(m.cycles) / run.experiment().clock_mhz;
  j["layers"] = layers;
  return j;
}

std::string percent(double value) {
  return fmt::format("{:.1f}", 100 * value);
}

std::string overhead(const ordered_json& machine, const char* what) {
  if (!machine.contains("overhead")) return "-";
  const double value = machine.at("overhead").at(what).get<double>();
  return std::abs(value) < 5e-5 ? "0" : fmt::format("{:+.1f}", 100 * value);
}

std::string layers_table(const ordered_json& machine, int batch, bool colour) {
  Table table({"layer", "M", "K", "N", "groups", heading("MACs", "pass", batch),
               heading("cycles", "pass", batch), heading("stalls", "pass", batch), "util %"},
              {true, false, false, false, false, false, false, false, false});
  for (const auto& l : machine.at("layers")) {
    const auto text = [&l](const char* key) {
      return l.contains(key) ? std::to_string(l.at(key).get<std::int64_t>()) : std::string("1");
    };
    const bool multiplies = l.at("macs").get<std::int64_t>() > 0;
    table.add({l.at("name").get<std::string>(), text("M"), multiplies ? text("K") : "",
               multiplies ? text("N") : "", multiplies ? text("groups") : "", text("macs"),
               text("cycles"), text("stall_cycles"), percent(l.at("utilization").get<double>())});
  }
  return table.text(colour);
}

}  // namespace

ordered_json timing_results(const TimingRun& run) {
  ordered_json j = head(run);
  for (const TimedMachine& m : run.machines()) {
    j["configurations"].push_back(
        run.experiment().timing == Timing::real ? real_machine(run, m) : scale_sim_machine(run, m));
  }
  return j;
}

std::string timing_table(const ordered_json& results, bool colour) {
  const auto& workload = results.at("workload");
  std::string text =
      fmt::format("{}: {} MACs an image, batch {}, timing {}\n",
                  workload.at("name").get<std::string>(), workload.at("macs").get<std::int64_t>(),
                  workload.at("batch").get<int>(), results.at("timing").get<std::string>());
  const auto& machines = results.at("configurations");
  const int batch = workload.at("batch").get<int>();
  if (machines.size() == 1) text += layers_table(machines.front(), batch, colour) + "\n";
  Table table({"machine", heading("cycles", "pass", batch), heading("stalls", "pass", batch),
               "util %", heading("latency us", "pass", batch), "area mm2",
               heading("energy uJ", "pass", batch), "area %", "energy %", "cycles %"},
              {true, false, false, false, false, false, false, false, false, false});
  for (const auto& m : machines) {
    const bool bills = m.contains("area_um2");
    table.add({m.at("name").get<std::string>(), std::to_string(m.at("cycles").get<std::int64_t>()),
               std::to_string(m.at("stall_cycles").get<std::int64_t>()),
               percent(m.at("utilization").get<double>()),
               fmt::format("{:.1f}", m.at("latency_us").get<double>()),
               bills ? fmt::format("{:.3f}", m.at("area_um2").get<double>() / 1e6) : "-",
               bills ? fmt::format("{:.2f}", m.at("energy_pj").get<double>() / 1e6) : "-",
               overhead(m, "area"), overhead(m, "energy"), overhead(m, "cycles")});
  }
  return text + table.text(colour) + memory_notes(machines);
}

}  // namespace sagitta
