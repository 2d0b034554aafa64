// The RTL machine under Verilator, built for speed: one thread, no public signals. Its ports are
// answered as a testbench would, from a compiled program.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "machine/machine.h"
#include "schedule/program.h"
#include "support/rtl_host.h"

namespace sagitta::bench {

// What a model was built for; a program for anything else is refused.
struct RtlShape {
  ArrayShape array;
  std::int64_t activation_bytes = 0;
  std::int64_t weight_rows = 0;
  int dram_bytes = 0;
  int raw_words = 0;  // 0: results are activations
};

class RtlMachine {
 public:
  virtual ~RtlMachine() = default;
  // From reset to done: the cycles that it took. `results`: as the host received them.
  virtual std::int64_t run(const std::int8_t* image, std::vector<std::int32_t>& results) = 0;
};

// Model: the class that Verilator wrote.
template <typename Model>
class VerilatedMachine : public RtlMachine {
 public:
  explicit VerilatedMachine(const Program& program) : program_(program), model_(&context_) {
    const Machine machine(program);
    for (const LayerDescriptor& d : program.layers) {
      descriptors_.push_back(test::pack_descriptor(d, machine.layout().classes()));
    }
  }
  ~VerilatedMachine() override { model_.final(); }

  std::int64_t run(const std::int8_t* image, std::vector<std::int32_t>& results) override {
    results.clear();
    model_.layers = static_cast<std::uint8_t>(program_.layers.size());
    model_.dram_latency = static_cast<std::uint16_t>(program_.memory.dram_latency);
    model_.dram_transfers = static_cast<std::uint32_t>(program_.transfers.size());
    model_.results = static_cast<std::uint32_t>(program_.logits);
    model_.dram_ready = 1;
    model_.reset = 1;
    clock();
    model_.reset = 0;
    // The model shows what it asks for in registers, so answers change only with them.
    std::uint64_t answered = ~std::uint64_t{0};
    std::int64_t cycle = 0;
    for (; model_.done == 0; ++cycle) {
      const std::uint64_t asked = std::uint64_t{model_.next_layer} << 48 |
                                  std::uint64_t{model_.dram_transfer} << 32 | model_.dram_position;
      if (asked != answered) answer(image);
      answered = asked;
      if (model_.result_valid != 0) take(results);
      clock();
    }
    results.resize(static_cast<std::size_t>(program_.logits));
    return cycle;
  }

 private:
  void clock() {
    model_.clk = 0;
    model_.eval();
    model_.clk = 1;
    model_.eval();
  }
  void answer(const std::int8_t* image) {
    if (model_.next_layer < descriptors_.size()) {
      const std::vector<std::uint8_t>& d = descriptors_[model_.next_layer];
      std::memcpy(&model_.next_descriptor, d.data(), d.size());
    }
    const std::size_t transfer = model_.dram_transfer;
    const bool exists = transfer < program_.transfers.size();
    model_.dram_is_image = exists && program_.transfers[transfer].is_image ? 1 : 0;
    model_.dram_size = exists ? static_cast<std::uint32_t>(program_.transfers[transfer].size) : 0;
    test::read_dram(program_, image, transfer, model_.dram_position,
                    static_cast<std::size_t>(program_.memory.dram_bytes_per_cycle),
                    &model_.dram_data);
  }
  void take(std::vector<std::int32_t>& results) const {
    const auto* bytes = reinterpret_cast<const std::int8_t*>(&model_.result);
    for (int c = 0; c < program_.array.columns; ++c) {
      std::int32_t word = bytes[c];
      if (program_.raw_output) std::memcpy(&word, bytes + 4 * c, sizeof word);
      results.push_back(word);
    }
  }

  const Program& program_;
  VerilatedContext context_;
  Model model_;
  std::vector<std::vector<std::uint8_t>> descriptors_;
};

}  // namespace sagitta::bench
