// What a protection scheme means to the machine: which blocks are elaborated and what their
// parameter registers hold. Names of schemes and their options are the experiment file's business.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sagitta {

// When a checker may suppress: always, or only in GEMM rows whose checksum failed.
enum class Gate : std::uint8_t { always, row };
// Bounds shared by a layer (one register pair), or one pair a lane, reloaded each column tile.
enum class Granularity : std::uint8_t { layer, channel };

struct Bounds {
  std::int32_t low = INT32_MIN;
  std::int32_t high = INT32_MAX;
  bool operator==(const Bounds&) const = default;
};

// Fitted bounds of one gemm layer: one entry (layer) or one for each output channel.
struct LayerBounds {
  std::string layer;
  std::vector<Bounds> bounds;
  bool operator==(const LayerBounds&) const = default;
};

struct Checker {
  bool present = false;
  Gate gate = Gate::always;
  Granularity granularity = Granularity::layer;
  std::vector<LayerBounds> layers;  // one for each gemm layer, in order; a missing one passes all
  bool operator==(const Checker&) const = default;
};

struct Protection {
  std::string name = "none";  // the scheme's name in results
  bool tmr_pe = false;        // three copies of a PE's registers and MAC, with voters
  bool checksum = false;      // the checksum column and its comparator
  Checker range;              // value thresholds: suppress sums outside [low, high]
  Checker gradient;           // neighbour differences outside [low, high] on both sides
  bool operator==(const Protection&) const = default;
};

}  // namespace sagitta
