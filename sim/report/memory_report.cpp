#include "report/memory_report.h"

#include <set>

#include <fmt/format.h>

namespace sagitta {

using nlohmann::ordered_json;

ordered_json memory_json(const MemoryShape& asked, const MemoryShape& built, const AreaBill& area) {
  ordered_json j;
  const auto add = [&](const char* name, std::int64_t was_asked, std::int64_t size,
                       const char* unit) {
    if (size == 0) return;  // output stationary has no partial sums
    j[name] = {
        {"size", size}, {"default", was_asked == 0}, {"area_um2", area.unit_um2("memory", unit)}};
  };
  add("activation_bytes", asked.activation_bytes, built.activation_bytes, "activation");
  add("weight_rows", asked.weight_rows, built.weight_rows, "weight");
  add("partial_rows", asked.partial_rows, built.partial_rows, "partial");
  return j;
}

std::string memory_notes(const ordered_json& configurations) {
  std::string text;
  std::set<std::string> seen;  // arrays: the schemes of one have the same memories
  for (const ordered_json& c : configurations) {
    if (!c.contains("memory") || !seen.insert(c.at("array").dump()).second) continue;
    const double array = c.at("area_blocks_um2").at("array").get<double>();
    for (const auto& [name, memory] : c.at("memory").items()) {
      const double area = memory.at("area_um2").get<double>();
      if (!memory.at("default").get<bool>() || area <= array) continue;
      text += fmt::format(
          "{}: the memory with {} = {}, the default, takes {:.0f} % of the area, more than the "
          "array; memory.{} sets it\n",
          c.at("name").get<std::string>(), name, memory.at("size").dump(),
          100 * area / c.at("area_um2").get<double>(), name);
    }
  }
  return text;
}

}  // namespace sagitta
