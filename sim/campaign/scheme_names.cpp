// What experiments and results call the choices that a scheme is made of.
#include <cstddef>

#include "campaign/scheme.h"

namespace sagitta {

const char* to_string(Position position) {
  return position == Position::output ? "output" : "sum";
}

const char* to_string(Granularity granularity) {
  constexpr const char* kNames[] = {"layer", "channel", "neuron"};
  return kNames[static_cast<std::size_t>(granularity)];
}

const char* to_string(Gate gate) {
  switch (gate) {
    case Gate::row:
      return "row";
    case Gate::layer:
      return "layer";
    case Gate::cell:
      return "row-column";
    default:
      return "always";
  }
}

const char* to_string(Suppress suppress) {
  constexpr const char* kNames[] = {"zero", "clamp", "mean", "hold"};
  return kNames[static_cast<std::size_t>(suppress)];
}

const char* to_string(Axis axis) {
  constexpr const char* kNames[] = {"lanes", "line", "map"};
  return kNames[static_cast<std::size_t>(axis)];
}

const char* to_string(BoundsFit fit) {
  constexpr const char* kNames[] = {"extremes", "deviations", "quantile"};
  return kNames[static_cast<std::size_t>(fit)];
}

const char* to_string(LayerChoice layers) {
  constexpr const char* kNames[] = {"all", "convolution", "dense"};
  return kNames[static_cast<std::size_t>(layers)];
}

}  // namespace sagitta
