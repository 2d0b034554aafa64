// SCALE-Sim's architecture file (.cfg), in the form that Python's configparser reads.
#pragma once

#include <cstdint>
#include <string>

namespace sagitta {

// What stays in a PE. Rows x columns carry M x N (output), K x N (weight), K x M (input).
enum class Stationary : std::uint8_t { output, weight, input };

const char* to_string(Stationary stationary);  // os, ws, is

struct ScaleSimConfig {
  std::string run_name = "sagitta";
  int rows = 16, columns = 16;
  Stationary dataflow = Stationary::output;
  // Words (of one byte) of each buffer, both halves.
  std::int64_t ifmap_words = 64 * 1024, filter_words = 64 * 1024, ofmap_words = 64 * 1024;
  std::int64_t ifmap_offset = 0, filter_offset = 10'000'000, ofmap_offset = 20'000'000;
  bool user_bandwidth = false;  // InterfaceBandwidth = USER
  int bandwidth = 10;           // the first of Bandwidth, words a cycle; with USER only
};

// Throws InputError with file, section and key, value and remedy. Keys that are not needed are
// passed over, as there; features that change results and are not modelled (sparsity, layouts,
// Ramulator) are refused.
ScaleSimConfig read_scale_sim_config(const std::string& path);

}  // namespace sagitta
