#include "campaign/scheme.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "base/nearest.h"
#include "machine/resilience/checker_type.h"

namespace sagitta {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::array kGranularities{Granularity::layer, Granularity::channel, Granularity::neuron};
constexpr std::array kGates{Gate::always, Gate::row, Gate::layer, Gate::cell};
constexpr std::array kPositions{Position::sum, Position::output};
constexpr std::array kAxes{Axis::lanes, Axis::line, Axis::map};
constexpr std::array kReplacements{Suppress::zero, Suppress::clamp, Suppress::mean, Suppress::hold};
constexpr std::array kFits{BoundsFit::extremes, BoundsFit::deviations, BoundsFit::quantile};
constexpr std::array kLayers{LayerChoice::all, LayerChoice::convolution, LayerChoice::dense};

// The value of a key by its name; the schema has refused other names.
template <typename Value, std::size_t n>
void take(const ordered_json& object, const char* key, const std::array<Value, n>& values,
          Value& value) {
  if (!object.contains(key)) return;
  const auto name = object[key].get<std::string>();
  for (const Value v : values) {
    if (to_string(v) == name) value = v;
  }
}

std::string list_of(const std::vector<Suppress>& values) {
  std::string list;
  for (const Suppress s : values) {
    list += (list.empty() ? "\"" : ", \"") + std::string(to_string(s)) + "\"";
  }
  return list;
}

// One checker of a chain. `key`: where it stands in the scheme, for messages.
void add_checker(const ordered_json& object, const std::string& key, const SchemeFailure& fail,
                 Scheme& scheme) {
  const auto wanted = object["kind"].get<std::string>();
  const auto& types = checker_types();
  const auto type = std::find_if(types.begin(), types.end(),
                                 [&](const CheckerType& t) { return t.kind.name() == wanted; });
  if (type == types.end()) {
    std::vector<std::string> names;
    names.reserve(types.size());
    for (const CheckerType& t : types) names.emplace_back(t.kind.name());
    fail(key + ".kind", "there is no checker \"" + wanted + "\"",
         suggest(wanted, names, "checkers"));
    return;
  }
  const auto only_if = [&](bool applies, const char* option, const char* why) {
    if (applies || !object.contains(option)) return;
    fail(key.empty() ? option : key + "." + option, "this key does not apply here",
         std::string("remove it: ") + why);
  };

  Checker& c = scheme.blocks.checkers.emplace_back();
  BoundsPlan& b = scheme.bounds.emplace_back();
  c.kind = type->kind;
  take(object, "position", kPositions, c.position);
  const auto before = scheme.blocks.checkers.rbegin() + 1;
  if (before != scheme.blocks.checkers.rend() && c.position < before->position) {
    fail(
        key.empty() ? "position" : key + ".position",
        "a checker of sums stands behind one of outputs, where there are no sums any more",
        "move it before the first checker with \"position\": \"output\", or give it that position");
  }
  take(object, "gate", kGates, c.gate);
  c.suppress = type->suppress.front();
  take(object, "suppress", kReplacements, c.suppress);
  if (std::find(type->suppress.begin(), type->suppress.end(), c.suppress) == type->suppress.end()) {
    fail(key.empty() ? "suppress" : key + ".suppress",
         "a " + wanted + " checker cannot do \"" + to_string(c.suppress) + "\"",
         "choose from " + list_of(type->suppress));
  }
  only_if(type->line, "axis", "this checker has no neighbours in lines or maps");
  take(object, "axis", kAxes, c.axis);
  only_if(type->spike, "rule", "this checker compares no two differences");
  c.spike = object.value("rule", "both") == "spike";
  const bool bounded = type->kind.has_bounds();
  for (const char* option : {"granularity", "bounds", "layers"}) {
    only_if(bounded, option, "this checker has no bounds");
  }
  take(object, "granularity", kGranularities, c.granularity);
  if (c.granularity == Granularity::neuron && c.axis != Axis::lanes) {
    fail(key.empty() ? "granularity" : key + ".granularity",
         "a checker along lines or in maps has no bounds a neuron",
         "choose \"layer\" or \"channel\", or \"axis\": \"lanes\"");
  }
  take(object, "bounds", kFits, b.fit);
  take(object, "layers", kLayers, b.layers);
  for (const char* option : {"k_convolution", "k_dense"}) {
    only_if(bounded && b.fit == BoundsFit::deviations, option,
            "it goes with \"bounds\": \"deviations\"");
  }
  only_if(bounded && b.fit == BoundsFit::quantile, "false_positives",
          "it goes with \"bounds\": \"quantile\"");
  b.k_convolution = object.value("k_convolution", b.k_convolution);
  b.k_dense = object.value("k_dense", b.k_dense);
  b.false_positives = object.value("false_positives", b.false_positives);
  // Outputs have a check of their own: what strikes them comes too late for the checksum.
  const bool by_checksum = c.gate != Gate::always && c.position == Position::sum;
  scheme.blocks.checksum = scheme.blocks.checksum || by_checksum;
  if (c.gate != Gate::cell) return;
  if (c.position == Position::output) {
    fail(key.empty() ? "gate" : key + ".gate",
         "outputs have no checksums of columns, which \"row-column\" asks",
         "choose from \"always\", \"row\", \"layer\"");
  }
  scheme.blocks.column_checksum = true;
}

// What the options of a kind mean as a chain: {"checkers": [...], "order": ...}.
using Chain = ordered_json (*)(const ordered_json& options);
using Blocks = void (*)(Protection& protection);

struct Kind {
  SchemeKind kind;
  ordered_json defaults;  // of its options
  Chain chain = nullptr;
  Blocks blocks = nullptr;  // beside the chain
};

// The options of a scheme as those of its one checker.
ordered_json one_checker(const char* kind, const ordered_json& options) {
  ordered_json checker = {{"kind", kind}};
  ordered_json chain;
  for (const auto& [key, value] : options.items()) (key == "order" ? chain : checker)[key] = value;
  chain["checkers"] = ordered_json::array({checker});
  return chain;
}

ordered_json range_zero(const ordered_json& options) {
  return one_checker("range", options);
}
ordered_json range_clamp(const ordered_json& options) {
  ordered_json chain = one_checker("range", options);
  chain["checkers"][0]["suppress"] = "clamp";
  return chain;
}
ordered_json gradient(const ordered_json& options) {
  return one_checker("gradient", options);
}
ordered_json median(const ordered_json& options) {
  return one_checker("median", options);
}
ordered_json tuned(const ordered_json& options) {
  ordered_json range = {{"kind", "range"}};
  ordered_json spike = {{"kind", "gradient"}, {"rule", "spike"}, {"bounds", "quantile"}};
  for (const char* key : {"position", "granularity", "gate"})
    range[key] = spike[key] = options[key];
  spike["false_positives"] = options["false_positives"];
  ordered_json along = spike;
  along["axis"] = options["axis"];
  along["layers"] = "convolution";
  spike["layers"] = "dense";
  return {{"order", options["order"]}, {"checkers", {range, along, spike}}};
}
ordered_json as_written(const ordered_json& options) {
  return options;
}

// Adding a scheme: docs/add-a-scheme.md.
const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all = {
      {{"none", "no protection: what overheads are measured against"}, {}},
      {{"range-zero", "sums outside the range seen in calibration become zero"},
       {{"position", "sum"}, {"granularity", "layer"}, {"gate", "always"}, {"bounds", "extremes"}},
       range_zero},
      {{"range-clamp", "... become the bound that they passed (Ranger)"},
       {{"position", "sum"}, {"granularity", "layer"}, {"gate", "always"}, {"bounds", "extremes"}},
       range_clamp},
      {{"gradient",
        "sums whose differences to both neighbours are out of bounds become zero, in "
        "rows whose checksum failed (Amarnath et al., IOLTS 2022)"},
       {{"position", "sum"},
        {"granularity", "layer"},
        {"gate", "row"},
        {"axis", "lanes"},
        {"rule", "both"},
        {"bounds", "deviations"},
        {"suppress", "zero"},
        {"order", "natural"}},
       gradient},
      {{"gradient-tuned",
        "ours: range, then spikes along lines of the map, or in the map, (convolutions) and "
        "among channels put in order (dense layers)"},
       {{"position", "sum"},
        {"granularity", "channel"},
        {"gate", "row"},
        {"axis", "line"},
        {"false_positives", 1e-3},
        {"order", "near"}},
       tuned},
      {{"median", "every sum becomes the median of itself and its neighbouring lanes"},
       {{"position", "sum"}, {"gate", "always"}},
       median},
      {{"oracle",
        "no hardware: struck neurons become zero, the bound that no suppression can pass"},
       {}},
      {{"chain", "the checkers listed, one behind the other"}, {{"order", "natural"}}, as_written},
      {{"checksum-recompute", "a tile in which a row's checksum failed runs once more"},
       {},
       nullptr,
       [](Protection& p) {
         p.checksum = true;
         p.retries = 1;
       }},
      {{"checksum-correct",
        "checksums of rows and of columns: what is wrong where they cross is corrected; where they "
        "do not say, the tile runs once more (retries) or the host is told"},
       {{"retries", 0}},
       nullptr,
       [](Protection& p) { p.checksum = p.column_checksum = p.correct = true; }},
      {{"tmr-pe", "three copies of each processing element with voters"},
       {},
       nullptr,
       [](Protection& p) { p.pe_copies = PeCopies::all; }},
      {{"tmr-reg", "three copies of their registers with voters, one multiply-adder"},
       {},
       nullptr,
       [](Protection& p) { p.pe_copies = PeCopies::registers; }},
      {{"tmr-array", "three whole arrays, whose sums are voted"},
       {},
       nullptr,
       [](Protection& p) { p.arrays = 3; }},
      {{"tmr-time", "each tile runs three times, and the sums of its runs are voted"},
       {},
       nullptr,
       [](Protection& p) { p.passes = 3; }},
      {{"dmr", "two arrays, whose sums are compared: the host is told of a difference"},
       {},
       nullptr,
       [](Protection& p) { p.arrays = 2; }},
      {{"dmr-recompute", "two arrays; a tile in which they differ runs once more"},
       {},
       nullptr,
       [](Protection& p) {
         p.arrays = 2;
         p.retries = 1;
       }},
      {{"parity",
        "a check bit beside each byte or word of every memory, which the host is told of"},
       {},
       nullptr,
       [](Protection& p) { p.memory_code = MemoryCode::parity; }},
      {{"secded", "check bits that correct one wrong bit of each byte or word and tell of two"},
       {},
       nullptr,
       [](Protection& p) { p.memory_code = MemoryCode::secded; }},
      {{"hardened", "flip-flops of hardened cells, in the places that are named"},
       {{"hardened", ordered_json::array()}, {"hardened_factor", 0}}},
  };
  return all;
}

// The blocks of a kind, and those of the others that it is combined with. Two that want different
// things of the same block are found by their order mattering.
void add_blocks(const Kind& kind, const ordered_json& names, const SchemeFailure& fail,
                Protection& protection) {
  std::vector<Blocks> added;
  if (kind.blocks != nullptr) added.push_back(kind.blocks);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto name = names[i].get<std::string>();
    const Kind* other = nullptr;
    std::vector<std::string> known;
    for (const Kind& k : kinds()) {
      if (k.blocks == nullptr) continue;
      known.push_back(k.kind.name);
      if (k.kind.name == name) other = &k;
    }
    const std::string key = "with[" + std::to_string(i) + "]";
    if (other == nullptr) {
      fail(key, "\"" + name + "\" is not a scheme that can be added to another",
           suggest(name, known, "schemes that can"));
      return;
    }
    if (name == kind.kind.name) {
      fail(key, "\"" + name + "\" is the scheme itself", "remove it");
    }
    Protection before_them, behind_them;
    other->blocks(before_them);
    for (const Blocks blocks : added) {
      blocks(before_them);
      blocks(behind_them);
    }
    other->blocks(behind_them);
    if (kind.defaults.contains("retries") && behind_them.retries > 0) {
      fail(key, "\"" + name + "\" runs tiles again, which " + kind.kind.name + " has a key for",
           "remove it, and set \"retries\" to 1");
    }
    if (before_them != behind_them) {
      fail(key, "\"" + name + "\" contradicts what the scheme has already",
           "remove it, or the other one");
    }
    added.push_back(other->blocks);
  }
  for (const Blocks blocks : added) blocks(protection);
}

}  // namespace

const std::vector<SchemeKind>& scheme_kinds() {
  static const std::vector<SchemeKind> all = [] {
    std::vector<SchemeKind> list;
    for (const Kind& k : kinds()) list.push_back(k.kind);
    return list;
  }();
  return all;
}

bool Scheme::needs_calibration() const {
  return near_order || std::any_of(blocks.checkers.begin(), blocks.checkers.end(),
                                   [](const Checker& c) { return c.has_bounds(); });
}

Scheme for_array(Scheme scheme, const ArrayShape& array) {
  if (!array.has(Dataflow::is)) return scheme;
  for (Checker& checker : scheme.blocks.checkers) checker.axis = Axis::lanes;
  return scheme;
}

const std::vector<std::string>& swept_options() {
  static const std::vector<std::string> all = {
      "position", "granularity",     "gate",          "axis",    "rule",
      "suppress", "bounds",          "k_convolution", "k_dense", "false_positives",
      "order",    "hardened_factor", "retries"};
  return all;
}

Scheme scheme_from(const json& object, const SchemeFailure& fail) {
  Scheme scheme;
  scheme.kind = object["kind"].get<std::string>();
  scheme.name = object.value("name", scheme.kind);
  const auto kind = std::find_if(kinds().begin(), kinds().end(),
                                 [&](const Kind& k) { return k.kind.name == scheme.kind; });
  if (!kind->defaults.is_null()) scheme.options = kind->defaults;
  for (const auto& [key, value] : object.items()) {
    if (key == "kind" || key == "name" || key == "$schema") continue;
    // Those which depend on others are looked at with the checker that they belong to.
    const bool bound_option =
        key == "k_convolution" || key == "k_dense" || key == "false_positives";
    const bool listed = key == "checkers" && scheme.kind == "chain";
    const bool with_bounds = bound_option && kind->defaults.contains("bounds");
    const bool joined = key == "with" && scheme.kind != "none" && scheme.kind != "oracle";
    if (!kind->defaults.contains(key) && !listed && !with_bounds && !joined) {
      std::string options = scheme.kind == "chain" ? "checkers, " : "";
      for (const auto& [option, otherwise] : kind->defaults.items()) options += option + ", ";
      const bool bare = scheme.kind == "none" || scheme.kind == "oracle";
      fail(key, "this key does not apply here",
           "remove it; " + (bare ? scheme.kind + " has no options"
                                 : "the options of " + scheme.kind + ": " + options + "with"));
    }
    scheme.options[key] = value;
  }
  if (scheme.options.value("bounds", "") == "deviations") {
    const BoundsPlan usual;
    if (!scheme.options.contains("k_convolution"))
      scheme.options["k_convolution"] = usual.k_convolution;
    if (!scheme.options.contains("k_dense")) scheme.options["k_dense"] = usual.k_dense;
  }
  if (scheme.options.value("bounds", "") == "quantile" &&
      !scheme.options.contains("false_positives")) {
    scheme.options["false_positives"] = BoundsPlan{}.false_positives;
  }
  // In one order, however they were written.
  ordered_json in_order = ordered_json::object();
  for (const auto& [key, otherwise] : kind->defaults.items()) in_order[key] = scheme.options[key];
  for (const char* key : {"k_convolution", "k_dense", "false_positives", "checkers", "with"}) {
    if (scheme.options.contains(key)) in_order[key] = scheme.options[key];
  }
  scheme.options = std::move(in_order);
  if (scheme.kind == "chain" && !scheme.options.contains("checkers")) {
    fail("checkers", "this key is missing",
         "add \"checkers\": the checkers in the order in which sums pass them");
  }
  if (scheme.kind == "hardened") {
    const ordered_json& globs = scheme.options["hardened"];
    if (globs.is_string()) scheme.options["hardened"] = ordered_json::array({globs});
    scheme.hardened = scheme.options["hardened"].get<std::vector<std::string>>();
    scheme.hardened_factor = scheme.options["hardened_factor"].get<double>();
    if (scheme.hardened.empty()) {
      fail("hardened", "this key is missing",
           "name flip-flops by their paths: \"hardened\": [\"array.pe[*][*].acc\"]");
    }
  }
  scheme.blocks.name = scheme.name;
  scheme.oracle = scheme.kind == "oracle";
  add_blocks(*kind, scheme.options.value("with", ordered_json::array()), fail, scheme.blocks);
  if (scheme.options.contains("retries")) {
    scheme.blocks.retries = std::max(scheme.blocks.retries, scheme.options["retries"].get<int>());
  }
  if (kind->chain == nullptr) return scheme;
  const ordered_json chain = kind->chain(scheme.options);
  for (std::size_t i = 0; i < chain["checkers"].size(); ++i) {
    const std::string key = scheme.kind == "chain" ? "checkers[" + std::to_string(i) + "]" : "";
    add_checker(chain["checkers"][i], key, fail, scheme);
  }
  scheme.near_order = chain.value("order", "natural") == "near";
  return scheme;
}

ordered_json scheme_json(const Scheme& scheme) {
  ordered_json object = {{"kind", scheme.kind}, {"name", scheme.name}};
  for (const auto& [key, value] : scheme.options.items()) object[key] = value;
  return object;
}

}  // namespace sagitta
