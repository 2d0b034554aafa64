// A verilated machine: its ports by name, its registers by scope and name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include <verilated.h>

namespace sagitta::cosim {

// A port, a register or a memory. Words lie `word_bytes` apart, least significant byte first, and
// bits above `word_bits` are 0.
struct RtlVariable {
  std::byte* data = nullptr;
  std::int64_t words = 1;
  int word_bits = 1;
  int word_bytes = 1;
};

class RtlModel {
 public:
  virtual ~RtlModel() = default;
  virtual void eval() = 0;

  // A scope is a path below the top module, "memory.dma"; empty for the top module itself.
  virtual std::optional<RtlVariable> find(const std::string& scope, const std::string& name) = 0;

  // Ports of up to 64 bits; wide ones are set byte by byte.
  std::uint64_t port(const std::string& name) const;
  void set_port(const std::string& name, std::uint64_t value);
  std::byte* port_bytes(const std::string& name) { return ports_.at(name).data; }
  std::size_t port_size(const std::string& name) const { return ports_.at(name).bytes; }

 protected:
  struct Port {
    std::byte* data;
    std::size_t bytes;
  };
  template <typename T>
  void add_port(const std::string& name, T& port) {
    ports_[name] = {reinterpret_cast<std::byte*>(&port), sizeof port};
  }

 private:
  std::map<std::string, Port> ports_;
};

// Found in any model; `scope` begins with the top instance's name.
std::optional<RtlVariable> find_variable(VerilatedContext& context, const std::string& scope,
                                         const std::string& name);

// Registers start with random contents, so that one without a reset shows up.
template <typename Verilated>
class VerilatedModel : public RtlModel {
 public:
  explicit VerilatedModel(int seed) {
    context_.randReset(2);
    context_.randSeed(seed);
    top_ = std::make_unique<Verilated>(&context_, "TOP");
    add_port("clk", top_->clk);
    add_port("reset", top_->reset);
    add_port("layers", top_->layers);
    add_port("next_layer", top_->next_layer);
    add_port("next_descriptor", top_->next_descriptor);
    add_port("dram_latency", top_->dram_latency);
    add_port("dram_transfers", top_->dram_transfers);
    add_port("dram_transfer", top_->dram_transfer);
    add_port("dram_position", top_->dram_position);
    add_port("dram_ready", top_->dram_ready);
    add_port("dram_is_image", top_->dram_is_image);
    add_port("dram_size", top_->dram_size);
    add_port("dram_header", top_->dram_header);
    add_port("dram_data", top_->dram_data);
    add_port("results", top_->results);
    add_port("result_valid", top_->result_valid);
    add_port("result", top_->result);
    add_port("uncorrected", top_->uncorrected);
    add_port("done", top_->done);
    add_port("uncorrected", top_->uncorrected);
  }
  ~VerilatedModel() override { top_->final(); }

  void eval() override { top_->eval(); }
  std::optional<RtlVariable> find(const std::string& scope, const std::string& name) override {
    return find_variable(context_, "TOP.sagitta" + (scope.empty() ? "" : "." + scope), name);
  }

 private:
  VerilatedContext context_;
  std::unique_ptr<Verilated> top_;
};

}  // namespace sagitta::cosim
