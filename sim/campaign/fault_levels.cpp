#include "campaign/fault_levels.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <optional>
#include <stdexcept>

#include <fmt/format.h>

#include "base/error.h"
#include "base/nearest.h"

namespace sagitta {
namespace {

__extension__ using Uint128 = unsigned __int128;

constexpr const char* kWeights = "weights.";
constexpr const char* kNeurons = "neurons.";

// The number of elements that are not hit before one that is: geometric. Probabilities are
// fractions of 2^64.
class Gaps {
 public:
  // Gaps of more than `most` elements need not be told apart.
  Gaps(double rate, std::int64_t most) {
    const bool always = rate >= 1;
    const auto hit = always ? 0 : static_cast<std::uint64_t>(std::ldexp(rate, 64));
    never_ = !always && hit == 0;
    std::uint64_t missed = always ? 0 : std::uint64_t{0} - hit;  // (1 - rate) 2^64
    const int powers = std::bit_width(static_cast<std::uint64_t>(most)) + 1;
    for (int j = 0; j < powers; ++j) {
      missed_.push_back(missed);
      missed = product(missed, missed);
    }
  }
  bool never() const { return never_; }

  // The largest gap with draw < (1 - rate)^gap, found bit by bit.
  std::int64_t next(Stream& stream) const {
    const std::uint64_t draw = stream.next();
    std::int64_t gap = 0;
    std::optional<std::uint64_t> survived;  // (1 - rate)^gap; nothing: 1
    for (std::size_t j = missed_.size(); j-- > 0;) {
      const std::uint64_t more = survived ? product(*survived, missed_[j]) : missed_[j];
      if (draw >= more) continue;
      gap += std::int64_t{1} << j;
      survived = more;
    }
    return gap;
  }

 private:
  // Rounded to nearest.
  static std::uint64_t product(std::uint64_t x, std::uint64_t y) {
    return static_cast<std::uint64_t>((Uint128{x} * y + (Uint128{1} << 63)) >> 64);
  }

  bool never_ = false;
  std::vector<std::uint64_t> missed_;  // [j] = (1 - rate)^(2^j)
};

// Calls visit(layer, element of the layer, hit's number) for elements numbered over all gemm
// layers, of which each has count(layer).
template <typename Count, typename Visit>
void place_hits(const std::vector<std::int64_t>& hits, const Network& network, const Count& count,
                const Visit& visit) {
  std::int64_t before = 0;  // elements of the layers before
  std::size_t next = 0;
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    const std::int64_t end = before + count(network.layers[l]);
    for (; next < hits.size() && hits[next] < end; ++next) {
      visit(static_cast<int>(l), hits[next] - before);
    }
    before = end;
  }
}

std::int64_t neurons_of(const Layer& layer) {
  return layer.kind == LayerKind::gemm ? layer.output.elements() : 0;
}

std::int64_t weights_of(const Layer& layer) {
  return layer.kind == LayerKind::gemm ? std::int64_t{layer.depth()} * layer.columns() : 0;
}

// Reads "[12]" from `at` on and moves behind it; -1 when there is no such index.
int read_index(const std::string& text, std::size_t& at) {
  if (at >= text.size() || text[at] != '[') return -1;
  int index = -1;
  const auto r = std::from_chars(text.data() + at + 1, text.data() + text.size(), index);
  if (r.ec != std::errc{} || r.ptr == text.data() + text.size() || *r.ptr != ']') return -1;
  at = static_cast<std::size_t>(r.ptr - text.data()) + 1;
  return index;
}

// "KIND.LAYER[index]...[index]:BIT" with a layer that has a product; indices are at least 0.
struct ElementPath {
  int layer = 0;
  std::vector<int> indices;
  int bit = 0;
  std::string form;  // how to write one, for messages
};

ElementPath parse_element(const Network& network, const std::string& text,
                          const std::string& prefix, int indices, const std::string& file,
                          const std::string& where, const std::string& what,
                          const std::string& form) {
  const std::string bad = fmt::format("'{}' is not {}", text, what);
  // A layer's name may hold any character, so what follows it is read from the end.
  const std::size_t colon = text.rfind(':');
  std::size_t at = colon;
  for (int i = 0; i < indices && at != std::string::npos; ++i) {
    at = at == 0 ? std::string::npos : text.rfind('[', at - 1);
  }
  if (at == std::string::npos || at < prefix.size()) throw InputError(file, where, bad, form);
  const std::string name = text.substr(prefix.size(), at - prefix.size());
  ElementPath path;
  path.form = form;
  for (int i = 0; i < indices; ++i) path.indices.push_back(read_index(text, at));
  const char* end = text.data() + text.size();
  const auto r = std::from_chars(text.data() + colon + 1, end, path.bit);
  if (*std::min_element(path.indices.begin(), path.indices.end()) < 0 || at != colon ||
      r.ec != std::errc{} || r.ptr != end) {
    throw InputError(file, where, bad, form);
  }
  std::vector<std::string> names;
  for (std::size_t l = 0; l < network.layers.size(); ++l) {
    if (network.layers[l].kind != LayerKind::gemm) continue;
    names.push_back(network.layers[l].name);
    if (names.back() != name) continue;
    path.layer = static_cast<int>(l);
    return path;
  }
  throw InputError(
      file, where,
      fmt::format("'{}' is no layer with {}", name, prefix.substr(0, prefix.size() - 1)),
      suggest(name, names, "layers"));
}

}  // namespace

NeuronValues neuron_values(const std::string& name) {
  return name == "int8"    ? NeuronValues::int8
         : name == "int32" ? NeuronValues::int32
                           : NeuronValues::fp32;
}

std::int64_t neuron_count(const Network& network) {
  std::int64_t n = 0;
  for (const Layer& layer : network.layers) n += neurons_of(layer);
  return n;
}

std::int64_t weight_count(const Network& network) {
  std::int64_t n = 0;
  for (const Layer& layer : network.layers) n += weights_of(layer);
  return n;
}

std::vector<std::int64_t> draw_hits(Stream stream, double rate, std::int64_t count) {
  if (!(rate > 0 && rate <= 1) || count < 0) throw std::invalid_argument("draw_hits: bad rate");
  const Gaps gaps(rate, count);
  std::vector<std::int64_t> hits;
  if (gaps.never()) return hits;
  for (std::int64_t i = gaps.next(stream); i < count; i += 1 + gaps.next(stream)) {
    hits.push_back(i);
  }
  return hits;
}

std::vector<NeuronFault> draw_neuron_faults(std::uint64_t seed, std::int64_t trial, double rate,
                                            NeuronValues values, const Network& network) {
  const auto number = static_cast<std::uint64_t>(trial);
  Stream bits(seed, number, Purpose::neuron_bit);
  std::vector<NeuronFault> faults;
  place_hits(draw_hits(Stream(seed, number, Purpose::neuron), rate, neuron_count(network)), network,
             neurons_of, [&](int layer, std::int64_t element) {
               const auto bit = bits.below(static_cast<std::uint64_t>(bits_of(values)));
               faults.push_back({layer, static_cast<std::int32_t>(element), static_cast<int>(bit)});
             });
  return faults;
}

std::vector<WeightFault> draw_weight_faults(std::uint64_t seed, std::int64_t trial, double rate,
                                            const Network& network) {
  const auto number = static_cast<std::uint64_t>(trial);
  Stream bits(seed, number, Purpose::weight_bit);
  std::vector<WeightFault> faults;
  place_hits(
      draw_hits(Stream(seed, number, Purpose::weight), rate, weight_count(network)), network,
      weights_of, [&](int layer, std::int64_t weight) {
        const int columns = network.layers[static_cast<std::size_t>(layer)].columns();
        faults.push_back({layer, static_cast<int>(weight / columns),
                          static_cast<int>(weight % columns), static_cast<int>(bits.below(8))});
      });
  return faults;
}

std::string weight_path(const Network& network, const WeightFault& fault) {
  return fmt::format("{}{}[{}][{}]:{}", kWeights,
                     network.layers[static_cast<std::size_t>(fault.layer)].name, fault.k, fault.n,
                     fault.bit);
}

bool is_weight_path(const std::string& text) {
  return text.starts_with(kWeights);
}

std::string neuron_path(const Network& network, const NeuronFault& fault) {
  const Layer& layer = network.layers[static_cast<std::size_t>(fault.layer)];
  const int pixel = fault.element / layer.columns();
  return fmt::format("{}{}[{}][{}][{}]:{}", kNeurons, layer.name, pixel / layer.output.width,
                     pixel % layer.output.width, fault.element % layer.columns(), fault.bit);
}

bool is_neuron_path(const std::string& text) {
  return text.starts_with(kNeurons);
}

NeuronFault parse_neuron_path(const Network& network, const std::string& text,
                              const std::string& file, const std::string& where) {
  const ElementPath path = parse_element(
      network, text, kNeurons, 3, file, where, "a neuron's bit",
      "write it as in neurons.conv1[3][14][5]:31: layer, row, column, channel and bit");
  const Layer& layer = network.layers[static_cast<std::size_t>(path.layer)];
  const int y = path.indices[0], x = path.indices[1], c = path.indices[2];
  if (y >= layer.output.height || x >= layer.output.width || c >= layer.columns() || path.bit < 0 ||
      path.bit >= 32) {
    throw InputError(file, where,
                     fmt::format("'{}' is not one of {} x {} x {} neurons of 32 bits", text,
                                 layer.output.height, layer.output.width, layer.columns()),
                     path.form);
  }
  return {path.layer, (y * layer.output.width + x) * layer.columns() + c, path.bit};
}

WeightFault parse_weight_path(const Network& network, const std::string& text,
                              const std::string& file, const std::string& where) {
  const ElementPath path =
      parse_element(network, text, kWeights, 2, file, where, "a weight's bit",
                    "write it as in weights.conv1[24][3]:7: layer, k, n and bit");
  const Layer& layer = network.layers[static_cast<std::size_t>(path.layer)];
  const WeightFault fault{path.layer, path.indices[0], path.indices[1], path.bit};
  if (fault.k >= layer.depth() || fault.n >= layer.columns() || fault.bit < 0 || fault.bit >= 8) {
    throw InputError(file, where,
                     fmt::format("'{}' is not one of {} x {} weights of 8 bits", text,
                                 layer.depth(), layer.columns()),
                     path.form);
  }
  return fault;
}

void move(const std::vector<LayerOrder>& orders, const Network& network, TrialFaults& faults) {
  if (orders.empty()) return;
  for (NeuronFault& f : faults.neurons) {
    const auto layer = static_cast<std::size_t>(f.layer);
    const int channels = network.layers[layer].columns();
    const int channel = f.element % channels;
    f.element += orders[layer].channel_place(channel) - channel;
  }
  for (WeightFault& f : faults.weights) {
    const LayerOrder& order = orders[static_cast<std::size_t>(f.layer)];
    f.k = order.depth_place(f.k);
    f.n = order.channel_place(f.n);
  }
}

WeightFault original(const std::vector<LayerOrder>& orders, WeightFault fault) {
  if (orders.empty()) return fault;
  const LayerOrder& order = orders[static_cast<std::size_t>(fault.layer)];
  fault.k = order.depths[static_cast<std::size_t>(fault.k)];
  if (!order.channels.empty()) fault.n = order.channels[static_cast<std::size_t>(fault.n)];
  return fault;
}

}  // namespace sagitta
