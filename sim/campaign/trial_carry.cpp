// What is carried through the network in software, once nothing else of a trial can differ.
#include "campaign/trial_course.h"

namespace sagitta {

// From `cycle` on only activations differ, the first of which is read in `read`. In software, if
// all of them are first read by layers that have not begun to read.
bool TrialEngine::carry(const Course& course, std::int64_t cycle, std::int64_t read,
                        Differences& differences) {
  std::size_t layer = 0;  // that reads it
  for (std::size_t l = 0; l <= network_->layers.size(); ++l) {
    if (use_->first_access(l) <= read) layer = l;
  }
  if (use_->first_access(layer) < cycle) return false;
  carrier_.clear();
  for (std::size_t i = 0; i < course.places.size(); ++i) {
    const MemoryUse::Activation at = use_->activation(course.places[i]);
    if (at.map < 0) return false;
    carrier_.change(carrier_.owner(layer, at.map), at.element,
                    static_cast<std::int8_t>(course.bytes[i]));
  }
  logits_ = carrier_.run(layer, pixels_, clean_.values(), differences);
  return true;
}

// From `cycle` on weights of one output-stationary layer differ. Its tiles read a row of weights
// once each, so from the next tile that does all output pixels are computed with the wrong one;
// what else differs are results of that layer, and nobody has read them.
bool TrialEngine::carry_weights(const Course& course, std::int64_t cycle,
                                Differences& differences) {
  int layer = -1;
  carrier_.clear();
  for (const std::size_t place : course.places) {
    if (use_->weight(place).row < 0) continue;
    const auto read = static_cast<std::size_t>(use_->next(place, cycle).cycle);
    const bool os = static_cast<Dataflow>(moments_[read].dataflow) == Dataflow::os;
    if (!os || (layer >= 0 && layers_[read] != layer)) return false;
    layer = layers_[read];
  }
  if (layer < 0 || layer >= static_cast<int>(network_->layers.size())) return false;
  const auto l = static_cast<std::size_t>(layer);
  for (std::size_t i = 0; i < course.places.size(); ++i) {
    if (use_->weight(course.places[i]).row >= 0) continue;
    const MemoryUse::Activation at = use_->activation(course.places[i]);
    const auto read = static_cast<std::size_t>(use_->next(course.places[i], cycle).cycle);
    if (at.map != program_.layers[l].output_map || layers_[read] <= layer) return false;
    carrier_.change(layer, at.element, static_cast<std::int8_t>(course.bytes[i]));
  }
  const LayerDescriptor& d = program_.layers[l];
  const auto tiles = column_tiles(d.columns, d.group_columns, d.tile_channels);
  for (std::size_t i = 0; i < course.places.size(); ++i) {
    const MemoryUse::Weight at = use_->weight(course.places[i]);
    if (at.row < 0) continue;
    const Activity::Moment& moment =
        moments_[static_cast<std::size_t>(use_->next(course.places[i], cycle).cycle)];
    const ColumnTile& tile =
        tiles[static_cast<std::size_t>(moment.column_tile - program_.first_column_tile[l])];
    if (at.lane >= tile.lanes) continue;  // nobody uses it
    const int n = tile.first + at.lane;
    const std::int8_t clean =
        network_->layers[l]
            .weights[static_cast<std::size_t>(at.row) * static_cast<std::size_t>(d.columns) +
                     static_cast<std::size_t>(n)];
    carrier_.change_weight(l, at.row, n, static_cast<std::int8_t>(course.bytes[i]) - clean,
                           moment.first_row, pixels_, clean_.values());
  }
  logits_ = carrier_.run(l, pixels_, clean_.values(), differences);
  return true;
}

// From `cycle` on one activation differs, which the output-stationary layer at work reads in
// `read`. Each of its tiles has read it before `cycle` or reads it from then on, unless one is in
// the midst of reading it.
bool TrialEngine::carry_input(const Course& course, std::int64_t cycle, std::int64_t read,
                              Differences& differences) {
  if (course.places.size() != 1) return false;
  const std::size_t place = course.places.front();
  const MemoryUse::Activation at = use_->activation(place);
  const auto now = static_cast<std::size_t>(read);
  const auto layer = static_cast<std::size_t>(layers_[now]);
  if (at.map < 0 || layer >= network_->layers.size()) return false;
  const Activity::Moment& moment = moments_[now];
  if (network_->layers[layer].kind != LayerKind::gemm ||
      static_cast<Dataflow>(moment.dataflow) != Dataflow::os ||
      carrier_.owner(layer, at.map) != network_->source(layer)) {
    return false;
  }
  const MemoryUse::Access last = use_->last(place, cycle);
  if (last.cycle >= 0 && !last.write) {
    const auto before = static_cast<std::size_t>(last.cycle);
    if (layers_[before] == layers_[now] && moments_[before].column_tile == moment.column_tile &&
        moments_[before].first_row == moment.first_row) {
      return false;
    }
  }
  const LayerDescriptor& d = program_.layers[layer];
  const auto tiles = column_tiles(d.columns, d.group_columns, d.tile_channels);
  const ColumnTile& tile =
      tiles[static_cast<std::size_t>(moment.column_tile - program_.first_column_tile[layer])];
  carrier_.clear();
  carrier_.change(network_->source(layer), at.element,
                  static_cast<std::int8_t>(course.bytes.front()));
  carrier_.begun(layer, moment.first_row, tile.first, tile.first + tile.lanes);
  logits_ = carrier_.run(layer, pixels_, clean_.values(), differences);
  return true;
}

}  // namespace sagitta
