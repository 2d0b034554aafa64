#include "campaign/sample_plan.h"

#include <algorithm>

#include <fmt/format.h>

namespace sagitta {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;
using Method = SamplePlan::Method;

constexpr const char* kMethods[] = {"uniform", "stratified", "exhaustive", "importance"};

// Keys that say something to some methods only.
struct Applies {
  const char* key;
  std::vector<Method> methods;
};

const std::vector<Applies>& applications() {
  static const std::vector<Applies> all{
      {"error", {Method::uniform, Method::stratified}},
      {"confidence", {Method::uniform, Method::stratified}},
      {"stop", {Method::uniform}},
      {"by", {Method::stratified}},
      {"bits", {Method::stratified}},
      {"allocation", {Method::stratified}},
      {"pilot", {Method::stratified}},
      {"floor", {Method::stratified}},
      {"emphasis", {Method::importance}},
  };
  return all;
}

std::string names(const std::vector<Method>& methods) {
  std::string text;
  for (const Method m : methods) text += (text.empty() ? "" : " or ") + std::string(to_string(m));
  return text;
}

bool by(const json& sample, const char* what) {
  const json list = sample.value("by", json{"register"});
  return std::find(list.begin(), list.end(), what) != list.end();
}

void check(const json& sample, const SamplePlan& plan, const FailSample& fail) {
  for (const auto& [key, methods] : applications()) {
    if (!sample.contains(key)) continue;
    if (std::find(methods.begin(), methods.end(), plan.method) != methods.end()) continue;
    fail(key, fmt::format("says nothing to a sample that is {}", to_string(plan.method)),
         fmt::format("remove it, or set \"method\" to {}", names(methods)));
  }
  if (sample.contains("confidence") && plan.error == 0) {
    fail("confidence", "says nothing without a margin of error",
         "add \"error\", such as 0.01; the intervals of results are always at 95 %");
  }
  if (plan.sequence && plan.error == 0) {
    fail("stop", "a sequence needs to know when to stop", "add \"error\", such as 0.01");
  }
  if (by(sample, "block") && by(sample, "register")) {
    fail("by", "a register's stratum lies within its block's", "leave \"block\" out");
  }
  if (sample.contains("bits") && !by(sample, "bits")) {
    fail("bits", "says nothing where strata are not cut by bits", "add \"bits\" to \"by\"");
  }
  if (sample.contains("pilot") && !plan.neyman) {
    fail("pilot", "a proportional allocation has no pilot",
         "remove it, or set \"allocation\" to neyman");
  }
  if (plan.method == Method::importance && plan.emphasis.empty()) {
    fail("emphasis", "this key is missing",
         R"(say what is drawn more often: [{"sites": "array.**", "factor": 10}])");
  }
}

}  // namespace

const char* to_string(Method method) {
  return kMethods[static_cast<std::size_t>(method)];
}

SamplePlan read_sample(const json& sample, const FailSample& fail) {
  SamplePlan plan;
  if (sample.is_null()) return plan;
  const std::string method = sample.value("method", kMethods[0]);
  while (method != to_string(plan.method)) {
    plan.method = static_cast<Method>(static_cast<int>(plan.method) + 1);
  }
  plan.error = sample.value("error", plan.error);
  plan.confidence = sample.value("confidence", plan.confidence);
  plan.sequence = sample.value("stop", "fixed") == "sequence";
  plan.neyman = sample.value("allocation", "neyman") == "neyman";
  plan.pilot = sample.value("pilot", plan.pilot);
  plan.floor = sample.value("floor", plan.floor);
  if (plan.method == Method::stratified) {
    plan.by.block = by(sample, "block");
    plan.by.register_class = by(sample, "register");
    plan.by.layer = by(sample, "layer");
    plan.by.bit_group = by(sample, "bits") ? sample.value("bits", 8) : 0;
  }
  for (const json& e : sample.value("emphasis", json::array())) {
    plan.emphasis.push_back({e.at("sites").get<std::string>(), e.at("factor").get<double>()});
  }
  check(sample, plan, fail);
  return plan;
}

ordered_json to_json(const SamplePlan& plan) {
  ordered_json j;
  j["method"] = to_string(plan.method);
  if (plan.error > 0) {
    j["error"] = plan.error;
    j["confidence"] = plan.confidence;
  }
  if (plan.method == Method::uniform) j["stop"] = plan.sequence ? "sequence" : "fixed";
  if (plan.method == Method::stratified) {
    j["by"] = ordered_json::array();
    if (plan.by.block) j["by"].push_back("block");
    if (plan.by.register_class) j["by"].push_back("register");
    if (plan.by.bit_group > 0) j["by"].push_back("bits");
    if (plan.by.layer) j["by"].push_back("layer");
    if (plan.by.bit_group > 0) j["bits"] = plan.by.bit_group;
    j["allocation"] = plan.neyman ? "neyman" : "proportional";
    if (plan.neyman) j["pilot"] = plan.pilot;
    j["floor"] = plan.floor;
  }
  for (const SamplePlan::Emphasis& e : plan.emphasis) {
    j["emphasis"].push_back({{"sites", e.sites}, {"factor", e.factor}});
  }
  return j;
}

}  // namespace sagitta
