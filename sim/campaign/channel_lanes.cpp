#include "campaign/channel_lanes.h"

#include <algorithm>
#include <utility>

#include "machine/resilience/checker.h"

namespace sagitta {

ChannelLanes::ChannelLanes(const Layer& layer, const ArrayShape& array, const ChannelOrder& order)
    : layer_(&layer), order_(order), row_of_(static_cast<std::size_t>(layer.output.elements())) {
  const int pixels = layer.rows();
  const int group = layer.columns() / layer.groups;
  if (array.dataflow_of(layer.name) == Dataflow::is) {
    for (int channels = 0; channels < layer.columns(); channels += group) {
      for (int first = 0; first < pixels; first += array.columns) {
        const int end = std::min(first + array.columns, pixels);
        for (int c = channels; c < channels + group; ++c) {
          std::vector<Lane> row;
          for (int m = first; m < end; ++m) row.push_back({element(m, c), c});
          add_row(std::move(row));
        }
      }
    }
    return;
  }
  for (const auto& [first, lanes] : column_tiles(layer.columns(), group, array.columns)) {
    for (int m = 0; m < pixels; ++m) {
      std::vector<Lane> row;
      for (int c = first; c < first + lanes; ++c) row.push_back({element(m, c), c});
      add_row(std::move(row));
    }
  }
}

std::int32_t ChannelLanes::element(int pixel, int channel) const {
  const int original = order_.empty() ? channel : order_[static_cast<std::size_t>(channel)];
  return pixel * layer_->columns() + original;
}

void ChannelLanes::add_row(std::vector<Lane> row) {
  for (const Lane& lane : row) {
    row_of_[static_cast<std::size_t>(lane.element)] = static_cast<std::int32_t>(rows_.size());
  }
  rows_.push_back(std::move(row));
}

std::vector<Neighbours> ChannelLanes::neurons(const Checker& checker) const {
  std::vector<Neighbours> all;
  if (checker.kind == CheckerKind::range) {
    for (const auto& row : rows_) {
      for (const Lane& lane : row) all.push_back({.self = lane.element, .channel = lane.channel});
    }
  } else if (checker.axis == Axis::line) {
    const int width = layer_->output.width;
    for (int m = 0; m < layer_->rows(); ++m) {
      if (m % width == 0 || m % width == width - 1) continue;
      for (int c = 0; c < layer_->columns(); ++c) {
        all.push_back({element(m, c), element(m - 1, c), element(m + 1, c), c, c});
      }
    }
  } else {
    for (const auto& row : rows_) {
      const int lanes = static_cast<int>(row.size());
      if (lanes < kFewestLanes) continue;
      for (int c = 0; c < lanes; ++c) {
        const Lane& lane = row[static_cast<std::size_t>(c)];
        const Lane& after = row[static_cast<std::size_t>(lane_after(c, lanes))];
        all.push_back({lane.element, row[static_cast<std::size_t>(lane_before(c, lanes))].element,
                       after.element, lane.channel, after.channel});
      }
    }
  }
  for (Neighbours& n : all) n.pixel = n.self / layer_->columns();
  return all;
}

}  // namespace sagitta
