// A protection scheme as an experiment names it: which blocks protect the machine, and to what the
// bounds of its checkers are fitted.
//
// A kind is a name for a choice of both, with options; `chain` writes every checker out. Each kind
// has an entry in the table of scheme.cpp, which turns its options into a chain.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "schedule/program.h"
#include "schedule/protection.h"

namespace sagitta {

// What a checker's bounds are fitted to, from its values on calibration images.
//  - extremes: the least and the largest value seen.
//  - deviations: mean -+ k standard deviations.
//  - quantile: mean -+ k standard deviations, with the smallest k of each layer at which no more
//    than a given share of its fault-free neurons is blamed.
enum class BoundsFit : std::uint8_t { extremes, deviations, quantile };
// The layers that a checker has bounds for; in the others it passes everything. Dense is a layer on
// a 1x1 map, whatever its operator.
enum class LayerChoice : std::uint8_t { all, convolution, dense };

struct BoundsPlan {
  BoundsFit fit = BoundsFit::extremes;
  double k_convolution = 6.0;  // deviations
  double k_dense = 4.0;
  double false_positives = 1e-3;  // quantile: share of a layer's neurons, 0 < share < 1
  LayerChoice layers = LayerChoice::all;
  bool operator==(const BoundsPlan&) const = default;
};

struct Scheme {
  std::string kind = "none";
  std::string name = "none";                                          // what results call it
  nlohmann::ordered_json options = nlohmann::ordered_json::object();  // defaults filled in
  Protection blocks{};                                                // without bounds
  std::vector<BoundsPlan> bounds{};                                   // of each checker in `blocks`
  // The output channels of each layer in an order in which neighbours resemble each other
  // (network/channel_order.h), fitted on calibration images.
  bool near_order = false;
  // Struck neurons become zero at once: a bound that no suppression can pass, and no hardware.
  bool oracle = false;
  bool operator==(const Scheme&) const = default;

  bool needs_calibration() const;
};

// What an array can have of the scheme: input stationary, neighbours are found among the lanes,
// which are pixels of a line already.
Scheme for_array(Scheme scheme, const ArrayShape& array);

struct SchemeKind {
  std::string name;
  std::string summary;  // one line, for --help
};
const std::vector<SchemeKind>& scheme_kinds();

// Reports an error about a key, "" the scheme itself; does not return.
using SchemeFailure = std::function<void(const std::string& key, const std::string& problem,
                                         const std::string& remedy)>;

// `object` is valid against the schema; its options are single values.
Scheme scheme_from(const nlohmann::json& object, const SchemeFailure& fail);
// With every option, as an object that gives the scheme again.
nlohmann::ordered_json scheme_json(const Scheme& scheme);
// The options that may be lists, in the order in which their values are appended to the name.
const std::vector<std::string>& swept_options();

const char* to_string(Granularity granularity);
const char* to_string(Gate gate);
const char* to_string(Suppress suppress);
const char* to_string(Axis axis);
const char* to_string(BoundsFit fit);
const char* to_string(LayerChoice layers);

}  // namespace sagitta
