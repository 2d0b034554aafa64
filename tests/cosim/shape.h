// The shapes in which the RTL is built: its parameters as the simulator's, and random programs.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "schedule/program.h"

namespace sagitta::cosim {

struct Shape {
  std::string name;
  ArrayShape array;                 // of its programs, but for their layers' dataflows:
  std::vector<Dataflow> dataflows;  // one, or those of a mixture, which has no raw words
  MemoryShape memory;               // dram_latency is drawn with the program
  Protection protection;            // without bounds, which are drawn too
  int maps = 2;                     // of activations, whether a program needs as many or not
  int bound_rows = 1;               // pixels of an image with bounds a neuron
  int map_pixels = 1;               // of a line that checkers of maps hold back
  int raw_words = 0;                // 32-bit results; 0: networks, whose results are activations
};

// `parameters` as CMake passes them to Verilator: "ROWS=4 COLUMNS=4 ..."; those that are missing
// are 0 (COPIES: 1). Throws std::runtime_error for an unknown one.
Shape parse_shape(const std::string& name, const std::string& parameters);

struct Case {
  Program program;
  std::vector<std::int8_t> image;
  std::uint64_t stall_seed = 0;
  int ready_percent = 100;  // cycles in which DRAM has a beat to give

  bool dram_ready(std::int64_t cycle) const;
};

// A random program that fits the shape: a bare product with as many results as there are raw words,
// or a network of up to four layers on one image or several. Everything follows from `seed`.
Case random_case(const Shape& shape, std::uint64_t seed);

}  // namespace sagitta::cosim
