#include "workload/workload.h"

#include <fmt/format.h>

#include "base/error.h"

namespace sagitta {

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

Network network_of(const Workload& workload, const std::string& file) {
  Network network;
  network.name = workload.name;
  network.input = workload.input;
  const auto refuse = [&file](const WorkLayer& layer, const std::string& what) {
    throw InputError(file, "layer " + layer.name, "the machine has no " + what,
                     "leave it out, or take \"timing\": \"scale-sim\", which passes over layers "
                     "that are no matrix products");
  };
  if (workload.batch != 1) {
    throw InputError(file, "$.batch", fmt::format("{} images in one pass", workload.batch),
                     "the machine takes one image at a time: use 1");
  }
  for (const WorkLayer& work : workload.layers) {
    if (work.kind == WorkKind::add) refuse(work, "addition of maps");
    if (work.kind == WorkKind::average_pool) refuse(work, "average pooling");
    if (work.groups != 1) refuse(work, "grouped convolution");
    Layer layer;
    layer.name = work.name;
    layer.kind = work.multiplies() ? LayerKind::gemm : LayerKind::max_pool;
    layer.input = work.input;
    layer.output = work.output;
    layer.window = work.window;
    network.layers.push_back(layer);
  }
  return network;
}

}  // namespace sagitta
