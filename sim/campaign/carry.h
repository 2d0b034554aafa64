// Carries a few changed activations through the layers behind them, in software: only what depends
// on them is computed again, and nothing further once nothing differs.
//
// Exact where what happens between two layers on the machine is what the reference executor does,
// that is, where no checker acts on its own (`allowed`): hardware without a fault computes what the
// reference does from any input, and its detectors compare it with itself, so that gates stay shut.
#pragma once

#include <cstdint>
#include <vector>

#include "campaign/reach.h"
#include "network/network.h"
#include "schedule/program.h"

namespace sagitta {

class DifferenceCarrier {
 public:
  DifferenceCarrier(const Network& network, const Program& program);

  static bool allowed(const Program& program);
  // ... also where weights differ, or activations that the layer at work is reading: no checksum,
  // whose weights would not fit them, and tiles that run once, so that each reads a word once.
  static bool weights_allowed(const Program& program);
  static bool inputs_allowed(const Program& program);

  // Whose result stands in an activation map when a layer begins: the index of the layer that has
  // written it last, -1 the image, kNobody: it was not written yet (a wide port may read it in
  // lanes that nobody uses). `layer` may be the number of layers: when the result is read.
  static constexpr int kNobody = -2;
  int owner(std::size_t layer, int map) const {
    return owners_[layer * maps_ + static_cast<std::size_t>(map)];
  }

  void clear();
  // An element (HWC) of the result of `layer`, an owner, is no longer the fault-free one.
  // One behind the last is of no consequence: a wide port reads it in a lane that nobody uses.
  void change(int layer, std::int32_t element, std::int8_t value);
  // weights[k][n] of `layer` is `difference` more than it should be in the output pixels from
  // `first_row` on: adds what that does to its sums. The layer is then the first one to run(), and
  // nothing that it reads may have changed.
  void change_weight(std::size_t layer, int k, int n, int difference, int first_row,
                     const std::vector<std::int8_t>& image, const CleanValues& clean);
  // Part of `layer`, the first one to run(), is done: changes of its input reach of output pixels
  // from `first_row` on the columns from `first_column` on, of others those from `next_column` on.
  void begun(std::size_t layer, int first_row, int first_column, int next_column) {
    begun_ = {static_cast<int>(layer), first_row, first_column, next_column};
  }
  // Computes what differs in the layers from `first` on and tells `differences` how far it came.
  // Returns the result.
  std::vector<std::int8_t> run(std::size_t first, const std::vector<std::int8_t>& image,
                               const CleanValues& clean, Differences& differences);

 private:
  struct Begun {
    int layer = -1;  // none
    int first_row = 0, first_column = 0, next_column = 0;
  };
  struct Change {
    std::int32_t element;
    std::int8_t value;
  };
  const std::vector<Change>& changes_of(int layer) const {
    return changes_[static_cast<std::size_t>(layer) + 1];
  }
  void carry_gemm(std::size_t layer, const std::vector<std::int8_t>& input,
                  const CleanValues& clean, Differences& differences);
  void add_products(std::size_t layer, std::int32_t element, int difference);
  void carry_pool(std::size_t layer, const std::vector<std::int8_t>& input,
                  const CleanValues& clean);
  void carry_add(std::size_t layer, const CleanValues& clean,
                 const std::vector<std::int8_t>& image);
  void keep(std::size_t layer, std::int32_t element, std::int8_t value, const CleanValues& clean);
  void touch(std::int32_t place);

  const Network* network_;
  std::size_t maps_;
  std::vector<int> owners_;                   // [layer][map]
  std::vector<std::vector<Change>> changes_;  // [layer + 1]
  Begun begun_;
  // Scratch, all zero between layers.
  std::vector<std::uint32_t> sums_;    // differences of a layer's sums
  std::vector<std::uint8_t> touched_;  // places that are listed in `places_`
  std::vector<std::int32_t> places_;   // output pixels (gemm) or elements that may differ
  std::vector<std::int8_t> copy_;      // a layer's input with its changes
};

}  // namespace sagitta
