// How the list of components is made: a Composer goes through the blocks of a machine as layers of
// one dataflow use it.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/memory_code.h"
#include "cost/components.h"
#include "cost/operators.h"
#include "machine/resilience/checker_type.h"

namespace sagitta {

inline constexpr int kWord = 32;     // sums, addresses
inline constexpr int kElement = 8;   // activations, weights
inline constexpr int kCounter = 24;  // the sequencer's counters

// Collects the components of one unit, of which there may be several copies that do the same.
class Unit {
 public:
  Unit(std::vector<Component>& list, Dataflow member, std::string block, std::string unit,
       int copies = 1)
      : list_(&list),
        member_(member),
        block_(std::move(block)),
        unit_(std::move(unit)),
        copies_(copies) {}

  void add(const std::string& purpose, const Operator& op, double instances, Event event,
           double per_event = 1) {
    if (instances > 0) use(purpose, op, instances, event, per_event);
  }
  // The same where some instances, or all, are those of another purpose, and only energy remains.
  void use(const std::string& purpose, const Operator& op, double instances, Event event,
           double per_event) {
    list_->push_back(
        {block_, unit_, purpose, op, instances * copies_, event, per_event * copies_, member_});
  }

 private:
  std::vector<Component>* list_;
  Dataflow member_;
  std::string block_;
  std::string unit_;
  int copies_;
};

class Composer {
 public:
  Composer(const Program& program, Dataflow member, const std::vector<RegisterClass>& registers,
           const Technology& technology)
      : program_(program),
        member_(member),
        registers_(registers),
        lib_(technology),
        rows_(program.array.rows),
        columns_(program.array.columns) {}

  // Once.
  std::vector<Component> compose();

 private:
  bool is() const { return member_ == Dataflow::is; }
  bool ws() const { return member_ == Dataflow::ws; }
  bool overlap() const { return program_.array.overlap; }
  bool folds() const { return member_ != Dataflow::os; }
  // An activation enters the array.
  Event activation() const { return is() ? Event::lane_feed : Event::row_feed; }
  // A width that a block declares is read from its declaration. Throws std::logic_error for a
  // register that there is not.
  int width(const std::string& path) const;
  // Operators counted elsewhere, at work a second time: energy without area.
  static Operator pass(const Operator& a, const Operator& b = {}) {
    return {a.name + (b.name.empty() ? "" : " and " + b.name) + ", again", 0, a.pj + b.pj};
  }

  void pes();
  void array_copies();
  void sequencer();
  void positions();
  void memory();
  void banks(Unit& a);
  void dma();
  void vector_unit();
  // Check bits in the memories: code_components.cpp.
  void codes();
  void encode(Unit& unit, const std::string& what, const WordCode& code, double ports, Event event,
              double per_event);
  void decode(Unit& unit, const std::string& what, const WordCode& code, double ports, Event event,
              double per_event);
  void sharing();
  // The resilience unit: resilience_components.cpp.
  void checksum();
  void checkers();
  void output_check();
  void column_checksum();
  void recompute();
  void vote();
  Operator operator_of(const OperatorUse& use) const;

  const Program& program_;
  Dataflow member_;
  const std::vector<RegisterClass>& registers_;
  OperatorLibrary lib_;
  int rows_;
  int columns_;
  std::vector<Component> list_;
};

}  // namespace sagitta
