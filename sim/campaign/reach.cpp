#include "campaign/reach.h"

#include "network/fixed_scale.h"

namespace sagitta {

CleanValues::CleanValues(const Network& network) {
  for (const Layer& layer : network.layers) {
    const auto elements = static_cast<std::size_t>(layer.output.elements());
    layers.push_back({std::vector<std::int32_t>(layer.kind == LayerKind::gemm ? elements : 0),
                      std::vector<std::int8_t>(elements)});
    written.emplace_back(elements);
  }
}

void Differences::observe(const Machine& machine) {
  if (reach_ == Reach::output) return;
  const int layer = machine.layer();
  if (layer >= static_cast<int>(network_->layers.size())) return;
  const auto l = static_cast<std::size_t>(layer);
  const std::byte* now = machine.state().now();
  const int lanes = machine.sequencer().lanes(machine.control());
  const std::int64_t step = machine.sequencer().lane_step(machine.control());
  const SumVector sums = machine.vector().sums(now);
  if (sums.valid) compare_sums(l, sums, lanes, step);
  // Also where a checker then replaces it: that is no masking.
  const WriteBack output = machine.vector().output(now);
  if (output.valid) compare_output(clean_->layers[l].output, output, lanes, step);
  const WriteBack write = machine.written();
  if (write.valid) compare_output(clean_->written[l], write, lanes, step);
}

void Differences::sum(std::size_t layer, std::int64_t at, std::int32_t value) {
  if (reach_ >= Reach::activation) return;  // a sum says no more
  const Layer& l = network_->layers[layer];
  const std::int32_t clean = clean_->layers[layer].sums[static_cast<std::size_t>(at)];
  const FixedScale scale = l.scale[static_cast<std::size_t>(at % l.columns())];
  const auto rounded = [&](std::int32_t sum) {
    return round_half_even(std::int64_t{sum} * std::int64_t{scale.mantissa}, scale.shift);
  };
  raise(rounded(value) == rounded(clean) ? Reach::requantise : Reach::activation);
}

void Differences::compare_sums(std::size_t layer, const SumVector& sums, int lanes,
                               std::int64_t step) {
  const std::vector<std::int32_t>& expected = clean_->layers[layer].sums;
  for (int c = 0; c < lanes; ++c) {
    const std::int64_t at = sums.address + c * step;
    if (at < 0 || at >= static_cast<std::int64_t>(expected.size())) continue;
    if (sums.value[c] != expected[static_cast<std::size_t>(at)]) sum(layer, at, sums.value[c]);
  }
}

void Differences::compare_output(const std::vector<std::int8_t>& expected, const WriteBack& write,
                                 int lanes, std::int64_t step) {
  for (int c = 0; c < lanes; ++c) {
    const std::int64_t at = write.address + c * step;
    if (at < 0 || at >= static_cast<std::int64_t>(expected.size()) ||
        write.value[c] != expected[static_cast<std::size_t>(at)]) {
      raise(Reach::output);
    }
  }
}

}  // namespace sagitta
