#include "campaign/activity.h"

#include <string>

namespace sagitta {

Activity::Place Activity::place_of(const RegisterClass& registers) {
  const std::string& path = registers.path;
  const auto starts = [&path](const char* prefix) { return path.starts_with(prefix); };
  const auto fixed_lane = [&path] { return std::stoi(path.substr(path.find('[') + 1)); };
  const bool has_lanes = path.ends_with("[]");
  if (starts("array.pe")) return {Kind::array_pe, -1};
  if (starts("array.skew_a")) return {Kind::array_row, fixed_lane()};
  if (starts("array.skew_b")) return {Kind::array_lane, fixed_lane()};
  if (starts("memory.activation.bank")) return {Kind::activation_bank, -1};
  if (starts("memory.activation.read")) return {Kind::row_read, -1};
  if (starts("memory.activation.vector")) return {Kind::pool_lane, -1};
  if (starts("memory.weight.bank") || starts("resilience.checksum.weight.bank")) {
    return {Kind::weight_bank, -1};
  }
  if (starts("memory.weight.read")) return {Kind::lane_read, -1};
  if (starts("memory.parameter.bank")) return {Kind::parameter_bank, -1};
  if (starts("array.deskew")) return {Kind::array_lane, fixed_lane()};
  if (starts("memory.partial.row[]")) return {Kind::partial_row, -1};
  if (starts("memory.partial.read[]")) return {Kind::lane_read, -1};
  if (starts("memory.partial.finished.sum")) return {Kind::drain_lane, -1};
  if (starts("resilience.checksum.partial") || starts("resilience.checksum.wait")) {
    return {Kind::array_any, -1};
  }
  if (starts("memory.accumulator")) return {Kind::accumulator, -1};
  if (starts("memory.dma.data[]")) return {Kind::dma, -1};
  if (starts("resilience.checksum.skew")) return {Kind::detector_row, fixed_lane()};
  if (starts("resilience.checksum.pe")) return {Kind::detector_row, -1};
  if (starts("vector.bias[]") || starts("vector.scale") || starts("vector.shift")) {
    return {Kind::lane_parameter, -1};
  }
  if (starts("vector.pool")) return {Kind::pool_lane, -1};
  if (starts("resilience.") || starts("vector.")) {
    if (path.ends_with(".low[]") || path.ends_with(".high[]")) return {Kind::lane_parameter, -1};
    if (path.find(".tree[") != std::string::npos) return {Kind::drain, -1};
    return {has_lanes ? Kind::drain_lane : Kind::drain, -1};
  }
  return {Kind::control, -1};
}

Activity::Activity(const SiteMap& sites, const Program& program)
    : sites_(&sites), program_(&program) {
  for (const RegisterClass& c : sites.classes()) places_.push_back(place_of(c));
}

bool Activity::in_use(const Machine& machine, const Site& site) const {
  const SequencerState& s = machine.control();
  const auto phase = static_cast<Phase>(s.phase);
  if (phase == Phase::done) return false;
  const Place& place = places_[static_cast<std::size_t>(site.register_class)];
  const std::vector<int> index = sites_->indices(site);
  const int last = index.empty() ? 0 : index.back();
  const int rows = machine.sequencer().rows(s);
  const int lanes = machine.sequencer().lanes(s);
  const bool feeding = phase == Phase::feed || phase == Phase::bubble || phase == Phase::drain ||
                       phase == Phase::preload || phase == Phase::stream || phase == Phase::settle;
  const bool folding = machine.sequencer().tags_under_way(machine.state().now());
  const bool array = feeding || s.mode1 != 0 || s.mode2 != 0 || folding;
  const bool pooling = phase == Phase::pool || s.pool1 != 0 || s.pool2 != 0;
  const bool draining =
      phase == Phase::drain || phase == Phase::flush || s.drain2 != 0 || pooling || folding;
  const LayerDescriptor& c = s.config;
  switch (place.kind) {
    case Kind::control:
      return true;
    case Kind::array_pe:
      return array && index[0] < rows && index[1] < lanes;
    case Kind::array_row:
      return array && place.lane < rows;
    case Kind::array_lane:
      return array && place.lane < lanes;
    case Kind::row_read:
      return array && last < rows;
    case Kind::lane_read:
      return array && last < lanes;
    case Kind::detector_row:
      return array && (place.lane >= 0 ? place.lane : last) < rows;
    case Kind::activation_bank: {
      if (phase == Phase::load || phase == Phase::store) {
        return index[0] == s.input_bank && (phase == Phase::load || last < program_->logits);
      }
      const std::int64_t channels =
          c.tap_channels > 1 || c.operation == 0 ? c.tap_channels : c.columns;
      const std::int64_t used = index[0] == s.input_bank
                                    ? std::int64_t{c.height} * c.width * channels
                                    : std::int64_t{c.rows} * c.columns;
      return last < used;
    }
    case Kind::weight_bank: {
      const std::int64_t depth = std::int64_t{c.kernel_h} * c.kernel_w * c.tap_channels;
      const bool lane_used = index.size() < 3 || last < lanes;
      return index[0] == s.weight_bank ? index[1] < depth && lane_used
                                       : s.layer < program_->layers.size();
    }
    case Kind::partial_row:
      return array && index[0] < c.rows - s.first_row && last < lanes;
    case Kind::array_any:
      return array;
    case Kind::parameter_bank:
    case Kind::accumulator:
      return true;
    case Kind::dma:
      return machine.dma().state(machine.state().now()).data_valid != 0;
    case Kind::lane_parameter:
      return (array || draining || phase == Phase::setup) && last < lanes;
    case Kind::drain_lane:
      return draining && last < lanes;
    case Kind::drain:
      return draining;
    case Kind::pool_lane:
      return (pooling || phase == Phase::store) && last < lanes;
  }
  return true;
}

}  // namespace sagitta
