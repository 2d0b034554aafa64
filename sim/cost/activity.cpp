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
  passes_ = program.protection.passes;
  const Dataflow first = program.array.first();
  at(Event::cycle, first) = static_cast<double>(cycles);
  for (std::size_t i = 0; i < counters.size(); ++i) {
    const LayerDescriptor* layer = i < program.layers.size() ? &program.layers[i] : nullptr;
    const int pixels = layer != nullptr ? layer->rows : 0;
    const auto tiles = static_cast<double>(ceil_div(pixels, program.array.columns));
    add_layer(counters[i], layer != nullptr ? program.dataflow(i) : first, layer,
              ratio(pixels, tiles));
  }

  double bytes = 0;
  double beats = 0;
  for (const Transfer& t : program.transfers) {
    bytes += static_cast<double>(t.size);
    beats += static_cast<double>(ceil_div(t.size, program.memory.dram_bytes_per_cycle));
  }
  inferences_ = ratio(dma_bytes_, bytes);
  for (std::size_t i = 0; i < program.layers.size(); ++i) {
    const Dataflow member = program.dataflow(i);
    const auto next = i + 1 < program.layers.size()
                          ? static_cast<std::size_t>(program.first_column_tile[i + 1])
                          : program.transfers.size() - 1;  // [0] is the image
    const double tiles =
        static_cast<double>(next) - static_cast<double>(program.first_column_tile[i]);
    at(Event::layer, member) += inferences_;
    at(Event::column_tile, member) += inferences_ * tiles;
    at(Event::setup_lane, member) += inferences_ * tiles * program.array.columns;
  }
  at(Event::beat, first) = inferences_ * beats;
  at(Event::store_beat, first) =
      inferences_ * static_cast<double>(ceil_div(program.logits, program.array.columns));
}

double Activity::of(Event event) const {
  double sum = 0;
  for (const auto& member : counts_) sum += member[static_cast<std::size_t>(event)];
  return sum;
}

double Activity::of(Event event, Dataflow member) const {
  return counts_[static_cast<std::size_t>(member)][static_cast<std::size_t>(event)];
}

void Activity::add_layer(const LayerCounters& c, Dataflow dataflow, const LayerDescriptor* layer,
                         double pixels) {
  const auto count = [&](Event event) -> double& { return at(event, dataflow); };
  const bool raw = layer != nullptr && layer->raw != 0;
  const bool accumulates =
      layer != nullptr && layer->operation == static_cast<std::uint8_t>(LayerOperation::accumulate);
  const auto reads = static_cast<double>(c.activation_reads);
  const auto macs = static_cast<double>(c.macs);
  const auto vectors = static_cast<double>(c.vectors);
  const double leaving = vectors * passes_;
  dma_bytes_ += static_cast<double>(c.dma_bytes);
  count(Event::active_cycle) += static_cast<double>(c.cycles - c.stall_cycles());
  count(Event::word) += static_cast<double>(c.activation_words);
  count(Event::output) += static_cast<double>(c.activation_writes);
  count(Event::pool_tap) += static_cast<double>(c.pool_taps);
  if (c.feed_cycles == 0) {  // a pooling layer: its reads are lanes of taps
    count(accumulates ? Event::tap_lane : Event::pool_lane) += reads;
    if (accumulates) count(Event::rounded) += static_cast<double>(c.activation_writes);
    return;
  }
  // Every row tile of a layer is fed K cycles, so means over feed cycles are means over tiles.
  const bool is = dataflow == Dataflow::is;
  const double row_feeds = is ? ratio(macs, pixels) : reads;
  const double rows = ratio(row_feeds, static_cast<double>(c.feed_cycles));
  const double lanes = ratio(macs, row_feeds);
  count(Event::feed) += static_cast<double>(c.feed_cycles);
  count(Event::row_feed) += row_feeds;
  count(Event::mac) += macs;
  count(Event::leaving) += leaving;
  count(Event::vector) += vectors;
  if (layer != nullptr && layer->map_lines != 0) count(Event::map_vector) += vectors;
  count(Event::lane) += vectors * lanes;
  count(raw ? Event::raw : Event::requantised) += vectors * lanes;
  if (!raw) count(Event::rounded) += vectors * lanes;
  if (is) {
    // Every fold of a column tile streams its channels.
    const double channels = ratio(macs, reads);
    count(Event::lane_feed) += reads;
    count(Event::row_tile) += ratio(leaving, channels);
    count(Event::fold) += ratio(static_cast<double>(c.feed_cycles), channels);
  }
  if (dataflow == Dataflow::ws) {
    // Every fold of a part is as long, so the mean of the rows over cycles is that over folds.
    const auto weights = static_cast<double>(c.weight_row_reads);
    count(Event::lane_feed) += weights * lanes;
    count(Event::row_tile) += ratio(weights, rows);
    count(Event::fold) += ratio(weights, rows);
  }
  if (dataflow != Dataflow::os) {
    count(Event::folded) += ratio(macs, rows);
    count(Event::partial_read) += static_cast<double>(c.partial_reads);
    count(Event::partial_write) += static_cast<double>(c.partial_writes);
    return;
  }
  count(Event::lane_feed) += ratio(macs, rows);
  count(Event::row_tile) += ratio(leaving, rows);
  // A tile of m rows drains in m cycles, with m, m - 1, .. 1 rows left.
  count(Event::row_shift) += leaving * (rows + 1) / 2;
  count(Event::shift) += leaving * (rows + 1) / 2 * lanes;
}

}  // namespace sagitta
