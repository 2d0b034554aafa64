#include "campaign/result_buffer.h"

#include "campaign/trial_fields.h"

namespace sagitta {
namespace {

enum class Kind : char { clean, trial };

}  // namespace

void put_clean(Buffer& buffer, int plan, const CleanResult& clean) {
  buffer.put(Kind::clean);
  buffer.put(plan);
  each_clean_number(clean, [&](const char*, const auto& value) { buffer.put(value); });
  buffer.put_all(clean.logits);
  buffer.put_all(clean.counters);
}

void put_trial(Buffer& buffer, int configuration, const TrialResult& trial) {
  buffer.put(Kind::trial);
  buffer.put(configuration);
  each_number(trial, [&](const char*, const auto& value) { buffer.put(value); });
  buffer.put_all(trial.faults);
  buffer.put_all(trial.weights);
  buffer.put_all(trial.floats);
}

void get_results(Buffer& buffer, const std::function<void(int plan, const CleanResult&)>& clean,
                 const std::function<void(int configuration, const TrialResult&)>& trial) {
  const auto get = [&](const char*, auto& value) {
    value = buffer.get<std::remove_reference_t<decltype(value)>>();
  };
  while (!buffer.at_end()) {
    const auto kind = buffer.get<Kind>();
    const int index = buffer.get<int>();
    if (kind == Kind::clean) {
      CleanResult c;
      each_clean_number(c, get);
      c.logits = buffer.get_all<std::int8_t>();
      c.counters = buffer.get_all<LayerCounters>();
      clean(index, c);
    } else {
      TrialResult t;
      each_number(t, get);
      t.faults = buffer.get_all<FaultRecord>();
      t.weights = buffer.get_all<WeightRecord>();
      t.floats = buffer.get_all<FloatRecord>();
      trial(index, t);
    }
  }
}

}  // namespace sagitta
