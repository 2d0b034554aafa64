#include "campaign/result_buffer.h"

#include <utility>

namespace sagitta {
namespace {

enum class Kind : char { clean, study, trial };

// One list of fields for both directions.
template <typename Visit>
void each_field(CleanResult& c, Visit&& visit) {
  visit(c.image);
  visit(c.logits);
  visit(c.correct);
  visit(c.cycles);
  visit(c.mismatches);
  visit(c.suppressed);
  visit(c.counters);
}

template <typename Visit>
void each_field(TrialResult& t, Visit&& visit) {
  visit(t.trial);
  visit(t.image);
  visit(t.outcome);
  visit(t.reference_class);
  visit(t.predicted_class);
  visit(t.reference_correct);
  visit(t.correct);
  visit(t.cycles);
  visit(t.layer);
  visit(t.mismatches);
  visit(t.recomputed_tiles);
  visit(t.recompute_cycles);
  visit(t.suppressed_right);
  visit(t.suppressed_wrong);
  visit(t.faults_drawn);
  visit(t.faults_fired);
  visit(t.faults);
  visit(t.weights);
  visit(t.floats);
}

struct Putter {
  Buffer& buffer;
  template <typename T>
  void operator()(const T& value) const {
    buffer.put(value);
  }
  template <typename T>
  void operator()(const std::vector<T>& values) const {
    buffer.put_all(values);
  }
};

struct Getter {
  Buffer& buffer;
  template <typename T>
  void operator()(T& value) const {
    value = buffer.get<T>();
  }
  template <typename T>
  void operator()(std::vector<T>& values) const {
    values = buffer.get_all<T>();
  }
};

}  // namespace

void put_clean(Buffer& buffer, int machine, CleanResult clean) {
  buffer.put(Kind::clean);
  buffer.put(machine);
  each_field(clean, Putter{buffer});
}

void put_study(Buffer& buffer, int study, const FloatClean& clean) {
  buffer.put(Kind::study);
  buffer.put(study);
  buffer.put(clean);
}

void put_trial(Buffer& buffer, int configuration, TrialResult trial) {
  buffer.put(Kind::trial);
  buffer.put(configuration);
  each_field(trial, Putter{buffer});
}

void get_results(Buffer& buffer, const std::function<void(int machine, const CleanResult&)>& clean,
                 const std::function<void(int configuration, TrialResult)>& trial,
                 const std::function<void(int study, const FloatClean&)>& study) {
  while (!buffer.at_end()) {
    const auto kind = buffer.get<Kind>();
    const int index = buffer.get<int>();
    if (kind == Kind::clean) {
      CleanResult c;
      each_field(c, Getter{buffer});
      clean(index, c);
    } else if (kind == Kind::study) {
      study(index, buffer.get<FloatClean>());
    } else {
      TrialResult t;
      each_field(t, Getter{buffer});
      trial(index, std::move(t));
    }
  }
}

}  // namespace sagitta
