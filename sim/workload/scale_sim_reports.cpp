#include "workload/scale_sim_reports.h"

#include <fmt/format.h>

namespace sagitta {
namespace {

// As Python prints a float: the shortest digits that mean it, and a decimal point.
std::string real(double value) {
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".en") == std::string::npos) text += ".0";
  return text;
}

std::string row(const std::vector<std::string>& cells) {
  std::string text;
  for (const std::string& cell : cells) text += (text.empty() ? "" : ", ") + cell;
  return text + ",\n";
}

double per_cycle(std::int64_t words, std::int64_t cycles) {
  return static_cast<double>(words) / static_cast<double>(cycles);
}

double per_cycle(const DramTraffic& traffic) {
  return per_cycle(traffic.words, traffic.stop - traffic.start + 1);
}

}  // namespace

std::string compute_report(const std::vector<ScaleSimLayer>& layers, int pes) {
  std::string text =
      row({"LayerID", "Total Cycles (incl. prefetch)", "Total Cycles", "Stall Cycles",
           "Overall Util %", "Mapping Efficiency %", "Compute Util %"});
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const ScaleSimLayer& l = layers[i];
    text += row({std::to_string(i), std::to_string(l.cycles_with_prefetch()),
                 std::to_string(l.last_cycle()), std::to_string(l.stall_cycles),
                 real(100 * l.overall_utilization(pes)), real(100 * l.mapping_efficiency),
                 real(100 * l.compute_utilization)});
  }
  return text;
}

std::string bandwidth_report(const std::vector<ScaleSimLayer>& layers) {
  std::string text = row({"LayerID", "Avg IFMAP SRAM BW", "Avg FILTER SRAM BW", "Avg OFMAP SRAM BW",
                          "Avg IFMAP DRAM BW", "Avg FILTER DRAM BW", "Avg OFMAP DRAM BW"});
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const ScaleSimLayer& l = layers[i];
    text += row({std::to_string(i), real(per_cycle(l.ifmap.count, l.last_cycle())),
                 real(per_cycle(l.filter.count, l.last_cycle())),
                 real(per_cycle(l.ofmap.count, l.last_cycle())), real(per_cycle(l.ifmap_dram)),
                 real(per_cycle(l.filter_dram)), real(per_cycle(l.ofmap_dram))});
  }
  return text;
}

std::string detailed_access_report(const std::vector<ScaleSimLayer>& layers) {
  std::vector<std::string> header = {"LayerID"};
  for (const char* memory : {"SRAM", "DRAM"}) {
    for (const char* operand : {"IFMAP", "Filter", "OFMAP"}) {
      const std::string name = fmt::format("{} {}", memory, operand);
      header.push_back(name + " Start Cycle");
      header.push_back(name + " Stop Cycle");
      header.push_back(name + (operand[0] == 'O' ? " Writes" : " Reads"));
    }
  }
  std::string text = row(header);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const ScaleSimLayer& l = layers[i];
    std::vector<std::string> cells = {std::to_string(i)};
    const auto add = [&cells](std::int64_t start, std::int64_t stop, std::int64_t count) {
      cells.push_back(fmt::format("{}.0", start));
      cells.push_back(fmt::format("{}.0", stop));
      cells.push_back(std::to_string(count));
    };
    for (const SramAccesses* s : {&l.ifmap, &l.filter, &l.ofmap}) add(s->start, s->stop, s->count);
    for (const DramTraffic* d : {&l.ifmap_dram, &l.filter_dram, &l.ofmap_dram}) {
      add(d->start, d->stop, d->words);
    }
    text += row(cells);
  }
  return text;
}

}  // namespace sagitta
