// Technology files: every number is checked for its place, unit and provenance before it is used.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "base/nearest.h"
#include "cost/cost.h"

namespace sagitta {
namespace {

using nlohmann::json;

// What the cost model reads, with the unit it reads it in: the same list as the schema's.
struct Quantity {
  const char* key;
  const char* unit;
};

constexpr Quantity kQuantities[] = {
    {"clock.default_mhz", "MHz"},
    {"area.adder_bit", "um2/bit"},
    {"area.adder_fixed", "um2"},
    {"area.multiplier_8x8", "um2"},
    {"area.multiplier_bit_product", "um2/bit2"},
    {"area.flip_flop_bit", "um2/bit"},
    {"area.flip_flop_reset_bit", "um2/bit"},
    {"area.hardened_flip_flop_ratio", "1"},
    {"area.mux2_bit", "um2/bit"},
    {"area.comparator_bit", "um2/bit"},
    {"area.equality_bit", "um2/bit"},
    {"area.voter_bit", "um2/bit"},
    {"area.xor_bit", "um2/bit"},
    {"area.and_bit", "um2/bit"},
    {"area.inverter_bit", "um2/bit"},
    {"area.gate_equivalent", "um2"},
    {"area.sram_bit", "um2/bit"},
    {"area.sram_bit_many_banks", "um2/bit"},
    {"area.sram_bit_small", "um2/bit"},
    {"area.register_file_bit", "um2/bit"},
    {"energy.add_bit", "pJ/bit"},
    {"energy.add_fixed", "pJ"},
    {"energy.multiply_8x8", "pJ"},
    {"energy.multiply_bit_product", "pJ/bit2"},
    {"energy.flip_flop_clock_bit", "pJ/bit"},
    {"energy.flip_flop_toggle_bit", "pJ/bit"},
    {"energy.flip_flop_bit", "pJ/bit"},
    {"energy.hardened_flip_flop_ratio", "1"},
    {"energy.logic_um2", "pJ/um2"},
    {"energy.mux2_bit", "pJ/bit"},
    {"energy.comparator_bit", "pJ/bit"},
    {"energy.equality_bit", "pJ/bit"},
    {"energy.voter_bit", "pJ/bit"},
    {"energy.xor_bit", "pJ/bit"},
    {"energy.sram_read_bit_w64", "pJ/bit"},
    {"energy.sram_write_bit_w64", "pJ/bit"},
    {"energy.sram_ref_bytes_w64", "B"},
    {"energy.sram_read_bit_w256", "pJ/bit"},
    {"energy.sram_write_bit_w256", "pJ/bit"},
    {"energy.sram_ref_bytes_w256", "B"},
    {"energy.sram_read_bit_small", "pJ/bit"},
    {"energy.sram_write_bit_small", "pJ/bit"},
    {"energy.sram_ref_bytes_small", "B"},
    {"energy.sram_capacity_exponent", "1"},
    {"energy.dram_bit", "pJ/bit"},
    {"energy.dram_bit_ddr3", "pJ/bit"},
    {"energy.dram_bit_gddr5", "pJ/bit"},
    {"energy.dram_bit_hbm2", "pJ/bit"},
    {"leakage.logic_um2", "nW/um2"},
    {"leakage.flip_flop_bit", "nW/bit"},
    {"leakage.sram_bit", "nW/bit"},
    {"leakage.sram_bit_6t", "nW/bit"},
};

class Reader {
 public:
  explicit Reader(std::string file) : file_(std::move(file)) {}

  [[noreturn]] void fail(const std::string& where, const std::string& problem,
                         const std::string& remedy) const {
    throw InputError(file_, where.empty() ? "/" : where, problem, remedy);
  }

  // Two entries of one name would leave it open which of the numbers a result used.
  json parse(const std::string& bytes) const {
    std::vector<std::set<std::string>> keys;
    const auto watch = [&](int, json::parse_event_t event, json& parsed) {
      if (event == json::parse_event_t::object_start) keys.emplace_back();
      if (event == json::parse_event_t::object_end) keys.pop_back();
      if (event == json::parse_event_t::key &&
          !keys.back().insert(parsed.get<std::string>()).second) {
        fail(parsed.get<std::string>(), "this key appears twice in one object",
             "keep one of the two");
      }
      return true;
    };
    try {
      return json::parse(bytes, watch);
    } catch (const json::parse_error& error) {
      throw InputError(file_, fmt::format("byte {}", error.byte), "this is not JSON",
                       "check the quotes, commas and brackets before that byte");
    }
  }

  const json& get(const json& object, const std::string& where, const std::string& key) const {
    const auto found = object.find(key);
    if (found == object.end()) {
      fail(where + "/" + key, "this key is missing",
           "add it, with value, unit, source and kind; see configs/schema/tech.schema.json");
    }
    return *found;
  }

  const json& object(const json& value, const std::string& where) const {
    if (!value.is_object()) fail(where, "this must be an object", "write { ... }");
    return value;
  }

  void allow(const json& object, const std::string& where,
             const std::vector<std::string>& known) const {
    for (const auto& [key, unused] : object.items()) {
      if (std::find(known.begin(), known.end(), key) == known.end()) {
        fail(fmt::format("{}/{}", where, key), "this key is unknown", suggest(key, known, "keys"));
      }
    }
  }

  std::string text(const json& object, const std::string& where, const std::string& key) const {
    const json& value = get(object, where, key);
    if (!value.is_string() || value.get_ref<const std::string&>().empty()) {
      fail(where + "/" + key, "this must be a string that is not empty", "put it in quotes");
    }
    return value.get<std::string>();
  }

  // {value, unit, source, kind[, note]}; `unit` empty: any.
  double quantity(const json& value, const std::string& where, const std::string& unit) const {
    object(value, where);
    allow(value, where, {"value", "unit", "source", "kind", "note"});
    const json& number = get(value, where, "value");
    if (!number.is_number() || !std::isfinite(number.get<double>()) || number.get<double>() < 0) {
      fail(where + "/value", "this must be a finite number that is not negative",
           "write it without quotes");
    }
    const std::string given = text(value, where, "unit");
    if (!unit.empty() && given != unit) {
      fail(where + "/unit", "the unit is " + given + ", but this number is used in " + unit,
           "convert the value and write \"" + unit + "\"");
    }
    if (text(value, where, "source").size() < 3) {
      fail(where + "/source", "this names no source", "cite where the number comes from");
    }
    const std::string kind = text(value, where, "kind");
    if (kind != "published" && kind != "derived") {
      fail(where + "/kind", "\"" + kind + "\" is not a kind",
           "write \"published\" for a number that its source states, \"derived\" otherwise");
    }
    if (value.contains("note")) text(value, where, "note");
    if (kind == "derived" && !value.contains("note")) {
      fail(where, "a derived number has no note", "add a note with the formula it comes from");
    }
    return number.get<double>();
  }

 private:
  std::string file_;
};

// Clock, voltage, node and reference capacities are divided by.
void require_positive(const Reader& reader, const std::string& where, double value) {
  if (value <= 0) reader.fail(where + "/value", "this must be above 0", "write the real figure");
}

void read_groups(const Reader& reader, const json& root, Technology& technology) {
  std::map<std::string, std::vector<std::string>> known;
  for (const Quantity& q : kQuantities) {
    const std::string key = q.key;
    known[key.substr(0, key.find('.'))].push_back(key.substr(key.find('.') + 1));
  }
  for (const auto& [group, keys] : known) {
    const std::string where = "/" + group;
    reader.allow(reader.object(reader.get(root, "", group), where), where, keys);
  }
  for (const Quantity& q : kQuantities) {
    const std::string key = q.key;
    const std::string group = key.substr(0, key.find('.'));
    const std::string name = key.substr(key.find('.') + 1);
    const std::string where = fmt::format("/{}/{}", group, name);
    const double value =
        reader.quantity(reader.get(root.at(group), "/" + group, name), where, q.unit);
    if (group == "clock" || std::string(q.unit) == "B") require_positive(reader, where, value);
    technology.values[key] = value;
  }
}

}  // namespace

double Technology::at(const std::string& key) const {
  const auto found = values.find(key);
  if (found != values.end()) return found->second;
  std::vector<std::string> known;
  for (const auto& [name_of, unused] : values) known.push_back(name_of);
  std::string where = "/" + key;
  std::replace(where.begin(), where.end(), '.', '/');
  throw InputError(path, where, "this number is missing from technology " + name,
                   known.empty() ? "load a technology file first" : suggest(key, known, "numbers"));
}

Technology load_technology(const std::string& path) {
  const std::string bytes = read_file(path);
  const Reader reader(path);
  const json root = reader.parse(bytes);
  reader.object(root, "");
  reader.allow(root, "",
               {"$schema", "name", "node_nm", "supply_v", "clock", "area", "energy", "leakage",
                "soft_error", "published"});
  Technology technology;
  technology.path = path;
  technology.digest = sha256(bytes);
  technology.name = reader.text(root, "", "name");

  const double node = reader.quantity(reader.get(root, "", "node_nm"), "/node_nm", "nm");
  if (node != std::floor(node) || node < 1 || node > 10000) {
    reader.fail("/node_nm/value", "this must be a whole number of nanometres from 1 to 10000",
                "write for example 45");
  }
  technology.node_nm = static_cast<int>(node);
  technology.supply_v = reader.quantity(reader.get(root, "", "supply_v"), "/supply_v", "V");
  require_positive(reader, "/supply_v", technology.supply_v);
  read_groups(reader, root, technology);
  if (root.contains("soft_error")) {
    const json& rates = reader.object(root.at("soft_error"), "/soft_error");
    reader.allow(rates, "/soft_error", {"flip_flop", "sram"});
    for (const char* key : {"flip_flop", "sram"}) {
      technology.values[std::string("soft_error.") + key] = reader.quantity(
          reader.get(rates, "/soft_error", key), std::string("/soft_error/") + key, "FIT/Mbit");
    }
  }
  if (root.contains("published")) {  // for people and tests; checked, but the model reads none
    for (const auto& [key, value] : reader.object(root.at("published"), "/published").items()) {
      reader.quantity(value, "/published/" + key, "");
    }
  }
  return technology;
}

}  // namespace sagitta
