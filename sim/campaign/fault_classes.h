// All faults of a run's fault space, those that must act alike as one: equivalence classes from the
// static schedule, as the def-use intervals of a program are for software (A. Benso, S. Di Carlo,
// ETS 2011, call it fault collapsing).
//
// Flips of one bit of a scratchpad's word between two accesses of that word (MemoryUse) are one
// class: until the second access nothing depends on the word, so that the machine is in the same
// state when it comes. What a result says of the cycle itself, the layer at work and whether the
// word was in use, is the same in all of a class. Every other flip is a class of its own: other
// registers are read in nearly every cycle.
#pragma once

#include <cstdint>
#include <vector>

#include "campaign/activity.h"
#include "campaign/memory_use.h"
#include "fault/injector.h"
#include "fault/site.h"
#include "schedule/program.h"

namespace sagitta {

class FaultClasses {
 public:
  // Of the selected sites of the program's machine, in every cycle of its run, on each of `images`.
  // The program must outlive it.
  FaultClasses(const Program& program, const SiteSelection& selection, int images);

  FaultClasses(const FaultClasses&) = delete;
  FaultClasses& operator=(const FaultClasses&) = delete;

  std::int64_t count() const { return images_ * of_image(); }
  std::int64_t points() const { return points_; }  // bits x cycles x images

  struct Class {
    Fault fault;  // the last of them: the same bit in the cycles before it
    int image = 0;
    std::int64_t cycles = 1;  // how many there are
  };
  // 0 <= k < count(), an image's one after the other.
  Class at(std::int64_t k) const;

 private:
  // Elements of one run of the selection that have the same number of classes.
  struct Part {
    std::size_t run;
    std::int64_t first;  // element
    std::int64_t classes_of_bit;
    bool intervals;  // of one element: its intervals; otherwise one class a cycle
  };
  std::int64_t of_image() const { return cumulative_.empty() ? 0 : cumulative_.back(); }
  std::vector<std::int64_t> ends_of(int register_class, std::int64_t element) const;
  bool collapses(const RegisterClass& registers, int register_class, std::int64_t element) const;

  SiteMap sites_;
  Activity activity_;
  std::vector<Activity::Moment> moments_;  // by cycle
  std::vector<int> layers_;                // at work, by cycle
  // First cycles of the stretches of the run in which nothing of a moment changes that decides
  // whether a word is in use, but that more of a transfer arrives.
  std::vector<std::int64_t> stretches_;
  MemoryUse use_;
  std::vector<SiteSelection::Run> runs_;
  std::vector<Part> parts_;
  std::vector<std::int64_t> cumulative_;  // classes up to and including each part
  std::int64_t images_;
  std::int64_t points_ = 0;
  // Of the element that was asked for last: the last cycle of each of its intervals.
  mutable std::size_t known_ = SIZE_MAX;
  mutable std::vector<std::int64_t> ends_;
};

}  // namespace sagitta
