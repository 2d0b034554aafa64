#include "cost/operators.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace sagitta {
namespace {

constexpr double kSmallBytes = 1024;  // below it, `small` figures hold
constexpr int kManyBanks = 16;        // above it, `sram_bit_many_banks`

}  // namespace

Operator OperatorLibrary::adder(int bits) const {
  const Technology& t = *technology_;
  return {fmt::format("{}-bit adder", bits),
          t.at("area.adder_fixed") + t.at("area.adder_bit") * bits,
          t.at("energy.add_fixed") + t.at("energy.add_bit") * bits};
}

Operator OperatorLibrary::multiplier(int a_bits, int b_bits) const {
  const double products = static_cast<double>(a_bits) * b_bits;
  return {fmt::format("{} x {} multiplier", a_bits, b_bits),
          technology_->at("area.multiplier_bit_product") * products,
          technology_->at("energy.multiply_bit_product") * products};
}

Operator OperatorLibrary::comparator(int bits) const {
  return {fmt::format("{}-bit comparator", bits), technology_->at("area.comparator_bit") * bits,
          technology_->at("energy.comparator_bit") * bits};
}

Operator OperatorLibrary::equality(int bits) const {
  return {fmt::format("{}-bit equality comparator", bits),
          technology_->at("area.equality_bit") * bits,
          technology_->at("energy.equality_bit") * bits};
}

Operator OperatorLibrary::mux2(int bits) const {
  return {fmt::format("{}-bit 2-to-1 multiplexer", bits), technology_->at("area.mux2_bit") * bits,
          technology_->at("energy.mux2_bit") * bits};
}

// No energy of an AND gate is published: the energy density of logic stands in for it.
Operator OperatorLibrary::and_mask(int bits) const {
  const double um2 = technology_->at("area.and_bit") * bits;
  return {fmt::format("{}-bit AND mask", bits), um2, um2 * technology_->at("energy.logic_um2")};
}

Operator OperatorLibrary::voter(int bits) const {
  return {fmt::format("{}-bit voter", bits), technology_->at("area.voter_bit") * bits,
          technology_->at("energy.voter_bit") * bits};
}

Operator OperatorLibrary::xors(int gates) const {
  return {fmt::format("{} XOR gates", gates), technology_->at("area.xor_bit") * gates,
          technology_->at("energy.xor_bit") * gates};
}

double OperatorLibrary::sram_bit_um2(double bytes, int banks) const {
  if (bytes < kSmallBytes) return technology_->at("area.sram_bit_small");
  return technology_->at(banks > kManyBanks ? "area.sram_bit_many_banks" : "area.sram_bit");
}

double OperatorLibrary::access(const std::string& direction, int width, double bytes) const {
  const Technology& t = *technology_;
  const auto figure = [&](const std::string& point) {
    const double scale = std::pow(bytes / t.at("energy.sram_ref_bytes_" + point),
                                  t.at("energy.sram_capacity_exponent"));
    return t.at("energy.sram_" + direction + "_bit_" + point) * scale;
  };
  if (bytes < kSmallBytes) return figure("small");
  // 0 up to 64 bits, 1 from 256 bits, linear in log2(width) between.
  const double wide = std::clamp((std::log2(std::max(width, 1)) - 6) / 2, 0.0, 1.0);
  return (1 - wide) * figure("w64") + wide * figure("w256");
}

}  // namespace sagitta
