#include "workload/workload.h"

namespace sagitta {
namespace {

LayerKind kind_of(WorkKind kind) {
  switch (kind) {
    case WorkKind::max_pool:
      return LayerKind::max_pool;
    case WorkKind::average_pool:
      return LayerKind::average_pool;
    case WorkKind::add:
      return LayerKind::add;
    case WorkKind::convolution:
    case WorkKind::dense:
      break;
  }
  return LayerKind::gemm;
}

}  // namespace

const char* to_string(WorkKind kind) {
  switch (kind) {
    case WorkKind::convolution:
      return "convolution";
    case WorkKind::dense:
      return "dense";
    case WorkKind::max_pool:
      return "max_pool";
    case WorkKind::average_pool:
      return "average_pool";
    case WorkKind::add:
      return "add";
  }
  return "";
}

std::int64_t Workload::macs() const {
  std::int64_t sum = 0;
  for (const WorkLayer& layer : layers) sum += layer.macs();
  return sum;
}

int window_length(int input, int padding, int kernel, int dilation, int stride) {
  const std::int64_t room =
      std::int64_t{input} + padding - std::int64_t{dilation} * (kernel - 1) - 1;
  return room < 0 ? 0 : static_cast<int>(room / stride + 1);
}

Network network_of(const Workload& workload) {
  Network network;
  network.name = workload.name;
  network.input = workload.input;
  for (const WorkLayer& work : workload.layers) {
    Layer layer;
    layer.name = work.name;
    layer.kind = kind_of(work.kind);
    layer.sources = {work.from};
    if (work.kind == WorkKind::add) layer.sources.push_back(work.with);
    layer.input = work.input;
    layer.output = work.output;
    layer.window = work.window;
    layer.groups = work.groups;
    network.layers.push_back(layer);
  }
  return network;
}

}  // namespace sagitta
