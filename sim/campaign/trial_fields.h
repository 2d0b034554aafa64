// The members of results, once for all that carry them: the pipes between processes, the columns of
// the store, and exports. A new member of TrialResult is one line here, and a column everywhere.
#pragma once

#include "campaign/trial.h"

namespace sagitta {

// Calls visit(name, member) for every number of a trial; `Trial` may be const. Faults are lists of
// their own. Every number fits an int64.
template <typename Trial, typename Visit>
void each_number(Trial& t, Visit&& visit) {
  visit("trial", t.trial);
  visit("image", t.image);
  visit("outcome", t.outcome);
  visit("reference_class", t.reference_class);
  visit("predicted_class", t.predicted_class);
  visit("reference_correct", t.reference_correct);
  visit("correct", t.correct);
  visit("stratum", t.stratum);
  visit("weight", t.weight);
  visit("cycles", t.cycles);
  visit("layer", t.layer);
  visit("mismatches", t.mismatches);
  visit("recomputed_tiles", t.recomputed_tiles);
  visit("recompute_cycles", t.recompute_cycles);
  visit("suppressed_right", t.suppressed_right);
  visit("suppressed_wrong", t.suppressed_wrong);
  visit("faults_drawn", t.faults_drawn);
  visit("faults_fired", t.faults_fired);
  visit("road", t.road);
}

// The same of a fault-free run; logits and counters are lists of their own.
template <typename Clean, typename Visit>
void each_clean_number(Clean& c, Visit&& visit) {
  visit("image", c.image);
  visit("correct", c.correct);
  visit("cycles", c.cycles);
  visit("mismatches", c.mismatches);
  visit("suppressed", c.suppressed);
}

}  // namespace sagitta
