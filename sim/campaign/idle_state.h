// Which differences of state are of no consequence: in registers that are not in use, which are
// written before anything reads them (Activity; idle_flips_test holds it to that).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "campaign/activity.h"
#include "fault/site.h"
#include "machine/machine.h"

namespace sagitta {

class IdleState {
 public:
  IdleState(const SiteMap& sites, const Activity& activity, const RegisterLayout& layout);

  // Whether a byte of the machine's state belongs to a register, not a word of a memory, that is
  // not in use in this cycle.
  bool idle(const Machine& machine, Region region, std::size_t place) const;

 private:
  struct Owner {
    std::int32_t register_class = -1;  // -1: of no register
    std::int32_t element = 0;
  };
  std::vector<Owner>& owners(Region region) {
    return region == Region::pipeline ? pipeline_ : held_;
  }

  const Activity* activity_;
  std::vector<Owner> pipeline_, held_;  // by byte
};

}  // namespace sagitta
