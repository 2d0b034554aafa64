#include "campaign/idle_state.h"

namespace sagitta {

IdleState::IdleState(const SiteMap& sites, const Activity& activity, const RegisterLayout& layout)
    : activity_(&activity), pipeline_(layout.pipeline_bytes()), held_(layout.held_bytes()) {
  for (std::size_t i = 0; i < sites.classes().size(); ++i) {
    const RegisterClass& c = sites.classes()[i];
    // A memory's word and its check bits are read together, whatever becomes of the word.
    if (c.storage == Storage::sram) continue;
    const auto bytes = static_cast<std::size_t>(c.element_bytes);
    for (std::int64_t e = 0; e < c.elements(); ++e) {
      const std::size_t first = c.offset + static_cast<std::size_t>(c.place(e)) * bytes;
      for (std::size_t b = 0; b < bytes; ++b) {
        owners(c.region)[first + b] = {static_cast<std::int32_t>(i), static_cast<std::int32_t>(e)};
      }
    }
  }
}

bool IdleState::idle(const Machine& machine, Region region, std::size_t place) const {
  // Once it is done nothing is in use; a flip of the phase may have made it so.
  if (machine.done()) return false;
  const Owner& owner = (region == Region::pipeline ? pipeline_ : held_)[place];
  return owner.register_class >= 0 &&
         !activity_->in_use(machine, {owner.register_class, owner.element, 0});
}

}  // namespace sagitta
