// Quantised tensors that ONNX Runtime wrote, in our element order.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "network/network.h"
#include "network/npy.h"

namespace sagitta::test {

struct Codes {
  int samples = 0;
  std::vector<std::int8_t> values;  // HWC within a sample
};

// Reads a quantised tensor in ONNX's CHW order. `map` is the map of a sample, also when the stored
// tensor is flattened.
inline Codes read_codes(const std::string& file, const FeatureShape& map) {
  const NpyArray array = read_npy(file);
  EXPECT_TRUE(array.type == NpyType::int8 || array.type == NpyType::uint8) << file;
  const int offset = array.type == NpyType::uint8 ? 128 : 0;
  const std::vector<std::int32_t> raw = array.as_int32(file);
  Codes codes;
  codes.samples = static_cast<int>(array.shape.at(0));
  EXPECT_EQ(array.elements(), std::int64_t{codes.samples} * map.elements()) << file;
  codes.values.resize(raw.size());
  std::size_t from = 0;
  for (int sample = 0; sample < codes.samples; ++sample) {
    for (int c = 0; c < map.channels; ++c) {
      for (int pixel = 0; pixel < map.height * map.width; ++pixel) {
        const std::size_t to = std::size_t(sample) * map.elements() + pixel * map.channels + c;
        codes.values[to] = static_cast<std::int8_t>(raw[from++] - offset);
      }
    }
  }
  return codes;
}

}  // namespace sagitta::test
