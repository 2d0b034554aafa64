// How trials are drawn from the fault space, and how many: an experiment's key fault.sample.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "fault/sampling.h"

namespace sagitta {

struct SamplePlan {
  enum class Method : std::uint8_t { uniform, stratified, exhaustive, importance };
  Method method = Method::uniform;
  // uniform, stratified: half the width that the SDC rate's interval is to have; 0: the plan's
  // trials are given.
  double error = 0;
  double confidence = 0.95;  // ... of that interval
  bool sequence = false;     // uniform: look at it on the way, and stop when it is narrow enough
  StratifyBy by;             // stratified
  bool neyman = true;        // ... or proportional
  std::int64_t pilot = 10;   // neyman: trials of each stratum that only decide the allocation
  std::int64_t floor = 5;    // stratified: trials of each stratum, at least

  struct Emphasis {
    std::string sites;
    double factor = 1;
    bool operator==(const Emphasis&) const = default;
  };
  std::vector<Emphasis> emphasis;  // importance

  bool operator==(const SamplePlan&) const = default;

  bool gives_trials() const { return error > 0 || method == Method::exhaustive; }
  // What comes next depends on outcomes, so that no part of the trials can be told beforehand.
  bool adapts() const { return sequence || (method == Method::stratified && neyman); }
};

const char* to_string(SamplePlan::Method method);

// From a value that the schema has passed; null: the default. `fail`(key, problem, remedy), which
// throws, for keys that say nothing to the method.
using FailSample =
    std::function<void(const std::string& key, const std::string&, const std::string&)>;
SamplePlan read_sample(const nlohmann::json& sample, const FailSample& fail);
nlohmann::ordered_json to_json(const SamplePlan& plan);

}  // namespace sagitta
