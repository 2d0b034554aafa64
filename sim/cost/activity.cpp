#include "cost/activity.h"

#include <stdexcept>

namespace sagitta {
namespace {

double ratio(double a, double b) {
  return b > 0 ? a / b : 0;
}
std::int64_t ceil_div(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

}  // namespace

Activity::Activity(const Program& program, const std::vector<LayerCounters>& counters,
                   std::int64_t cycles) {
  if (counters.size() != program.layers.size() + 1) {
    throw std::invalid_argument("energy needs one counter set a layer and one for the rest");
  }
  at(Event::cycle) = static_cast<double>(cycles);
  for (std::size_t i = 0; i < counters.size(); ++i) {
    const LayerDescriptor* layer = i < program.layers.size() ? &program.layers[i] : nullptr;
    const int pixels = layer != nullptr ? layer->rows : 0;
    const auto tiles = static_cast<double>(ceil_div(pixels, program.array.columns));
    add_layer(counters[i], program.array.dataflow, layer, ratio(pixels, tiles));
  }

  double bytes = 0;
  double beats = 0;
  for (const Transfer& t : program.transfers) {
    bytes += static_cast<double>(t.size);
    beats += static_cast<double>(ceil_div(t.size, program.memory.dram_bytes_per_cycle));
  }
  inferences_ = ratio(dma_bytes_, bytes);
  const double tiles = static_cast<double>(program.transfers.size()) - 1;  // [0] is the image
  at(Event::layer) = inferences_ * static_cast<double>(program.layers.size());
  at(Event::column_tile) = inferences_ * tiles;
  at(Event::setup_lane) = inferences_ * tiles * program.array.columns;
  at(Event::beat) = inferences_ * beats;
  at(Event::store_beat) =
      inferences_ * static_cast<double>(ceil_div(program.logits, program.array.columns));
}

void Activity::add_layer(const LayerCounters& c, Dataflow dataflow, const LayerDescriptor* layer,
                         double pixels) {
  const bool raw = layer != nullptr && layer->raw != 0;
  const bool accumulates =
      layer != nullptr && layer->operation == static_cast<std::uint8_t>(LayerOperation::accumulate);
  const auto reads = static_cast<double>(c.activation_reads);
  const auto macs = static_cast<double>(c.macs);
  const auto vectors = static_cast<double>(c.vectors);
  dma_bytes_ += static_cast<double>(c.dma_bytes);
  at(Event::active_cycle) += static_cast<double>(c.cycles - c.stall_cycles - c.bank_stall_cycles);
  at(Event::word) += static_cast<double>(c.activation_words);
  at(Event::output) += static_cast<double>(c.activation_writes);
  at(Event::pool_tap) += static_cast<double>(c.pool_taps);
  if (c.feed_cycles == 0) {  // a pooling layer: its reads are lanes of taps
    at(accumulates ? Event::tap_lane : Event::pool_lane) += reads;
    if (accumulates) at(Event::rounded) += static_cast<double>(c.activation_writes);
    return;
  }
  // Every row tile of a layer is fed K cycles, so means over feed cycles are means over tiles.
  const bool is = dataflow == Dataflow::is;
  const double row_feeds = is ? ratio(macs, pixels) : reads;
  const double rows = ratio(row_feeds, static_cast<double>(c.feed_cycles));
  const double lanes = ratio(macs, row_feeds);
  at(Event::feed) += static_cast<double>(c.feed_cycles);
  at(Event::row_feed) += row_feeds;
  at(Event::mac) += macs;
  at(Event::vector) += vectors;
  at(Event::lane) += vectors * lanes;
  at(raw ? Event::raw : Event::requantised) += vectors * lanes;
  if (!raw) at(Event::rounded) += vectors * lanes;
  if (is) {
    // Every fold of a column tile streams its channels.
    const double channels = ratio(macs, reads);
    at(Event::lane_feed) += reads;
    at(Event::row_tile) += ratio(vectors, channels);
    at(Event::fold) += ratio(static_cast<double>(c.feed_cycles), channels);
  }
  if (dataflow == Dataflow::ws) {
    // Every fold of a part is as long, so the mean of the rows over cycles is that over folds.
    const auto weights = static_cast<double>(c.weight_row_reads);
    at(Event::lane_feed) += weights * lanes;
    at(Event::row_tile) += ratio(weights, rows);
    at(Event::fold) += ratio(weights, rows);
  }
  if (dataflow != Dataflow::os) {
    at(Event::folded) += ratio(macs, rows);
    at(Event::partial_read) += static_cast<double>(c.partial_reads);
    at(Event::partial_write) += static_cast<double>(c.partial_writes);
    return;
  }
  at(Event::lane_feed) += ratio(macs, rows);
  at(Event::row_tile) += ratio(vectors, rows);
  // A tile of m rows drains in m cycles, with m, m - 1, .. 1 rows left.
  at(Event::row_shift) += vectors * (rows + 1) / 2;
  at(Event::shift) += vectors * (rows + 1) / 2 * lanes;
}

}  // namespace sagitta
