#include "report/counter_report.h"

#include <algorithm>
#include <string_view>

#include "report/table.h"

namespace sagitta {
namespace {

using nlohmann::ordered_json;

// A heading of the table: its group is told by the words above it.
std::string short_name(const Counter& counter) {
  std::string name = counter.name;
  if (name.starts_with("dma_")) name.erase(0, 4);
  if (name.ends_with("_cycles")) name.erase(name.size() - 7);
  std::replace(name.begin(), name.end(), '_', ' ');
  return name;
}

const char* title(const std::string& group) {
  if (group == "time") return "cycles: busy in feed and pool, stalled, idle in the others";
  if (group == "work") return "work";
  if (group == "dma") return "DMA: cycles by state, and bytes";
  return "checks, all images together";
}

}  // namespace

LayerCounters sum(const std::vector<LayerCounters>& counters) {
  LayerCounters total;
  for (const LayerCounters& c : counters) total += c;
  return total;
}

ordered_json counters_json(const LayerCounters& c, double pes) {
  ordered_json j;
  for (const Counter& each : counters()) j[each.name] = c.*each.member;
  for (const DerivedCounter& each : derived_counters()) {
    const double value = each.value(c, pes);
    const bool whole = std::string_view(each.unit) == "cycles";
    j[each.name] = whole ? ordered_json(static_cast<std::int64_t>(value)) : ordered_json(value);
  }
  return j;
}

ordered_json counter_meanings() {
  ordered_json j;
  for (const Counter& each : counters()) {
    j[each.name] = {{"unit", each.unit}, {"description", each.description}};
  }
  for (const DerivedCounter& each : derived_counters()) {
    j[each.name] = {
        {"unit", each.unit}, {"description", each.description}, {"formula", each.formula}};
  }
  return j;
}

std::string counters_table(const std::vector<std::string>& layers,
                           const std::vector<LayerCounters>& counts, bool colour) {
  const LayerCounters total = sum(counts);
  std::string text;
  std::string group;
  std::vector<const Counter*> columns;
  const auto print = [&] {
    if (columns.empty()) return;
    std::vector<std::string> header = {"layer"};
    std::vector<bool> left = {true};
    for (const Counter* c : columns) {
      header.push_back(short_name(*c));
      left.push_back(false);
    }
    Table table(header, left);
    const auto add = [&](const std::string& name, const LayerCounters& c) {
      std::vector<std::string> cells = {name};
      for (const Counter* column : columns) cells.push_back(std::to_string(c.*column->member));
      table.add(cells);
    };
    for (std::size_t l = 0; l < layers.size(); ++l) add(layers[l], counts[l]);
    add("(load, store)", counts.back());
    table.rule();
    add("run", total);
    text += std::string(title(group)) + "\n" + table.text(colour);
    columns.clear();
  };
  for (const Counter& c : counters()) {
    if (group != c.group) print();
    group = c.group;
    if (total.*c.member != 0) columns.push_back(&c);
  }
  print();
  return text;
}

std::string counter_meanings_table(bool colour) {
  Table table({"counter", "unit", "meaning"}, {true, true, true});
  for (const Counter& c : counters()) table.add({c.name, c.unit, c.description});
  table.rule();
  for (const DerivedCounter& c : derived_counters()) {
    table.add({c.name, c.unit, std::string(c.description) + ":"});
    table.add({"", "", std::string("  = ") + c.formula});
  }
  return table.text(colour);
}

}  // namespace sagitta
